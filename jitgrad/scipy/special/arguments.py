"""How the special functions take their arguments, and the factories of those that are one op of the compiler."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.at_once import one_op
from jitgrad.errors import DTypeError
from jitgrad.operands import inexact_arg, operands
from jitgrad.promotion import strong_dtype
from jitgrad_compiler.ir.graph import OPS

ArrayLike = Any


def float_arguments(where: str, *xs: ArrayLike) -> list[Array]:
    """Operands of one float type and one shape, not weak any more."""
    values, weak = operands(f"scipy.special.{where}", *xs, inexact=True)
    if not values[0].type.dtype.is_float:
        raise DTypeError(f"scipy.special.{where}: takes real numbers, got {values[0].dtype}")
    return [ops.convert(v, strong_dtype(v.type.dtype, weak)) for v in values]


def of_op(name: str, op: str, sample: str) -> Callable[[ArrayLike], Array]:
    """A function that is one op; `sample` is "argument -> result" for the example in its documentation."""

    def function(x: ArrayLike) -> Array:
        return ops.op(op, inexact_arg(f"scipy.special.{name}", x))

    given, result = sample.split(" -> ")
    one_op(function, OPS[op])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{OPS[op].doc}\n\n>>> from jitgrad.scipy import special\n>>> print(special.{name}({given}))\n{result}"
    return function


def of_real(name: str, op: str, sample: str) -> Callable[[ArrayLike], Array]:
    """The same of real numbers alone."""
    function = of_op(name, op, sample)

    def real(x: ArrayLike) -> Array:
        (value,) = float_arguments(name, x)
        return ops.op(op, value)

    one_op(real, OPS[op])
    return functools.update_wrapper(real, function)


def of_two(name: str, doc: str, sample: str) -> Callable[[ArrayLike, ArrayLike], Array]:
    """A function of two arguments that is one op of its name; `sample` is "arguments -> result"."""

    def function(x: ArrayLike, y: ArrayLike) -> Array:
        return ops.op(name, *float_arguments(name, x, y))

    given, result = sample.split(" -> ")
    one_op(function, OPS[name])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n>>> from jitgrad.scipy import special\n>>> print(special.{name}({given}))\n{result}"
    return function
