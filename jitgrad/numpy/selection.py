"""Choosing between values element by element: where, select, clip, nan_to_num, piecewise, choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value
from jitgrad.array_ops import broadcast_right, convert, limits, op
from jitgrad.errors import ArgumentError, ConcretizationTypeError, DTypeError, ParametersError, ShapeError, shown
from jitgrad.operands import (
    ArrayLike,
    array_arg,
    broadcast_shape,
    broadcast_together,
    broadcasts_to,
    common_dtype,
    is_complex,
    is_inexact,
    is_several,
    no_out,
    stored,
)
from jitgrad.promotion import strong_dtype

from .arithmetic import maximum, minimum, truth
from .sorting import nonzero


def where(
    condition: ArrayLike,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    /,
    *,
    size: int | None = None,
    fill_value: ArrayLike | None = None,
) -> Any:
    """x where the condition holds (is not 0), else y; x and y promote to one type, all three broadcast to one shape.

    The derivative flows only to the branch that was chosen, but a nan or infinite derivative inside the other one still makes nan:
    give such a function safe operands with a `where` of its own. With the condition alone, its nonzero places, see `nonzero`.

    Raises ArgumentError where only one of x and y is given, ShapeError where shapes do not broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.where(jnp.array([True, False]), jnp.array([1.0, 2.0]), 0))
    [1. 0.]
    """
    if x is None and y is None:
        return nonzero(condition, size=size, fill_value=fill_value)
    if x is None or y is None:
        raise ArgumentError("where: give both x and y, or neither")
    if size is not None or fill_value is not None:
        raise ArgumentError("where: size= and fill_value= go with the condition alone; x and y give the result's shape")
    chosen = truth(as_value(condition, "where"))
    values = [as_value(x, "where"), as_value(y, "where")]
    dtype, weak = common_dtype(values)
    if weak and any(v.type.shape for v in (chosen, *values)):
        dtype, weak = strong_dtype(dtype, weak), False
    out = op("select", *broadcast_together("where", [chosen, *[convert(v, dtype) for v in values]]))
    out.weak = weak
    return out


def select(condlist: Sequence[ArrayLike], choicelist: Sequence[ArrayLike], default: ArrayLike = 0) -> Array:
    """For each element the choice of the first condition that holds there, else `default`.

    Raises ArgumentError unless there are as many conditions as choices, and at least one.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.arange(4)
    >>> print(jnp.select([x < 1, x < 3], [x - 10, x * 10], 7))
    [-10  10  20   7]
    """
    for name, given in (("condlist", condlist), ("choicelist", choicelist)):
        if not is_several(given) and getattr(given, "ndim", 0) == 0:
            raise ParametersError(f"select: {name} must be a sequence of arrays, got {shown(given)}")
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError(
            f"select: needs as many conditions as choices, and one at least; got {len(condlist)} and {len(choicelist)}"
        )
    values = [as_value(c, "select") for c in (*choicelist, default)]
    dtype, weak = common_dtype(values)
    out = convert(values[-1], strong_dtype(dtype, weak))
    for condition, choice in zip(reversed(condlist), reversed(values[:-1]), strict=True):
        out = where(condition, convert(choice, out.type.dtype), out)
    return out


def clip(arr: ArrayLike, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Each element held between min and max, either of which may be None. Where min > max the result is max.

    Types promote; the derivative is 1 inside, 0 outside. Raises DTypeError for complex arrays.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.clip(jnp.arange(5), 1, 3))
    [1 1 2 3 3]
    """
    out = as_value(arr, "clip")
    if any(v is not None and is_complex(as_value(v, "clip")) for v in (arr, min, max)):
        raise DTypeError("clip: complex numbers have no order; clip the real and imaginary parts, or the absolute value")
    if min is not None:
        out = maximum(min, out)
    if max is not None:
        out = minimum(max, out)
    return out


def nan_to_num(
    x: ArrayLike, copy: bool = True, nan: ArrayLike = 0.0, posinf: ArrayLike | None = None, neginf: ArrayLike | None = None
) -> Array:
    """x with NaN replaced by `nan` and infinities by `posinf` and `neginf` (by default the type's largest and least numbers).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nan_to_num(jnp.array([1.0, jnp.nan, jnp.inf]), posinf=9.0))
    [1. 0. 9.]
    """
    value = array_arg("nan_to_num", x)
    if not is_inexact(value):
        for number in (nan, posinf, neginf):
            if number is not None:
                as_value(number, "nan_to_num")
        return value
    if is_complex(value):
        return op("complex", *[nan_to_num(op(part, value), copy, nan, posinf, neginf) for part in ("real", "imag")])
    most = float(limits(value.type.dtype).max)
    out = _replaced(op("ne", value, value), nan, value)
    out = _replaced(value == math.inf, most if posinf is None else posinf, out)
    return _replaced(value == -math.inf, -most if neginf is None else neginf, out)


def _replaced(condition: Array, number: ArrayLike, x: Array) -> Array:
    return where(condition, stored("nan_to_num", number, x.type.dtype), x)


def piecewise(
    x: ArrayLike,
    condlist: ArrayLike | Sequence[ArrayLike],
    funclist: Sequence[ArrayLike | Callable[..., Array]],
    *args: Any,
    **kwargs: Any,
) -> Array:
    """For each element the function (or number) of the last condition that holds there; one more function is the default, else 0.

    Functions are given all of x. Where another one was chosen, they add nothing to the derivative, even if theirs is NaN there.
    The result has x's type.
    Raises ArgumentError unless there are as many functions as conditions, or one more.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.array([-1.0, 0.0, 2.0])
    >>> print(jnp.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * 10]))
    [ 1.  0. 20.]
    """
    value = array_arg("piecewise", x)
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) or getattr(condlist, "ndim", 0) > value.ndim else [condlist]
    functions = list(funclist)
    if len(functions) not in (len(conditions), len(conditions) + 1):
        raise ArgumentError(f"piecewise: {len(conditions)} conditions need as many functions, or one more; got {len(functions)}")
    if len(functions) == len(conditions):
        functions.append(0)

    def run(f: Any, chosen: Array) -> Array:
        if not callable(f):
            return convert(as_value(f, "piecewise"), value.type.dtype)
        seen = where(chosen, value, op("stop_gradient", value))
        return convert(as_value(f(seen, *args, **kwargs), "piecewise"), value.type.dtype)

    *cases, default = functions
    holding = [truth(as_value(condition, "piecewise")) for condition in conditions]
    for condition in holding:
        if value.type.rank and not broadcasts_to(condition.type.shape, value.type.shape):
            raise ShapeError(f"piecewise: a condition of shape {condition.type.shape} does not broadcast to x's {value.type.shape}")
    free: Any = as_value(True, "piecewise")
    pieces = []
    for holds, f in zip(reversed(holding), reversed(cases), strict=True):
        pieces.append(run(f, holds & free))
        free = free & ~holds
    out = run(default, free)
    for holds, piece in zip(holding, reversed(pieces), strict=True):
        out = where(holds, piece, out)
    return out


def choose(a: ArrayLike, choices: Sequence[ArrayLike], out: None = None, mode: str = "raise") -> Array:
    """For each element of the integer array `a` the element of choices[a] at its place; the choices promote to one type.

    mode "clip" holds numbers of choices inside, "wrap" counts around; "raise", which needs concrete ones, refuses those outside.
    Raises ArgumentError for another mode, without choices, or by mode "raise".

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.choose(jnp.array([0, 1, 0]), [jnp.array([1, 2, 3]), jnp.array([4, 5, 6])]))
    [1 5 3]
    """
    no_out("choose", out)
    if not is_several(choices) and getattr(choices, "ndim", 0) == 0:
        raise ParametersError(f"choose: choices must be a sequence of arrays, got {shown(choices)}")
    number, values = array_arg("choose", a), [as_value(c, "choose") for c in choices]
    n = len(values)
    if number.type.dtype.is_inexact:
        raise DTypeError(f"choose: a must be integers, got {number.dtype}")
    if mode not in ("raise", "clip", "wrap") or not n:
        raise ArgumentError(f"choose: needs choices, and mode 'raise', 'clip' or 'wrap'; got {n} and {mode!r}")
    if mode == "raise":
        known = number.concrete()
        if known is None:
            raise ConcretizationTypeError(
                "choose: mode 'raise' needs concrete numbers, but these are traced. Give mode='clip' or 'wrap'."
            )
        data = np.asarray(known)
        if ((data < 0) | (data >= n)).any():
            raise ArgumentError(f"choose: a number is outside the {n} choices, which mode 'clip' or 'wrap' would allow")
    held = number % n if mode == "wrap" else clip(number, 0, n - 1)
    dtype, weak = common_dtype(values)
    result = convert(values[-1], strong_dtype(dtype, weak))
    for k in range(n - 2, -1, -1):
        result = where(held == k, values[k], result)
    shape = broadcast_shape("choose", (number.type.shape, result.type.shape))
    return convert(broadcast_right(result, shape), strong_dtype(dtype, weak))
