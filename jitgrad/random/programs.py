"""How a draw runs: its arguments are checked here, then one compiled program makes it, in eager code as under jit.

A sampler is a function of a key's 64-bit word, of parameters (Arrays) and of what a program is compiled for: shapes and types. One
program for each of these serves every key and every parameter, so that a draw has the same bits wherever it is made.
Where each element is drawn by itself, eager draws of all shapes share a few programs. Next on the path: `pieces.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, reduce
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.jit import Jitted, jit
from jitgrad.operands import broadcast_shape, shape_arg
from jitgrad.promotion import dtype_name, strong_promote
from jitgrad_compiler.ir.types import F32, DType

from .keys import KeyArray, KeyLike, key_argument, to_words
from .pieces import drawn, in_pieces
from .reuse import use_up

Shape = Any
Sampler = Callable[..., Any]


@lru_cache(maxsize=4096)
def _program(sampler: Sampler, where: str, static: tuple[Any, ...]) -> Jitted:
    def program(key: Array, *parameters: Array) -> Any:
        return sampler(to_words(key), *parameters, *static)

    program.__name__ = program.__qualname__ = f"random.{where}"
    made: Jitted = jit(program)
    return made


def draw(
    where: str, sampler: Sampler, key: KeyLike, parameters: tuple[Any, ...] = (), static: tuple[Any, ...] = (), real: bool = True
) -> Any:
    """sampler(the key's word, *parameters, *static), compiled once for each `static`. Raises DTypeError for complex parameters of
    what takes `real` ones.
    """
    data, values = _checked(where, key, parameters, real)
    return _program(sampler, where, static)(data, *values)


def draw_each(where: str, sampler: Sampler, key: KeyLike, parameters: tuple[Any, ...], static: tuple[Any, ...]) -> Array:
    """`draw`, where the first of `static` is a shape, and each element is drawn by itself, of its number, the key's word and the
    parameters' elements there: nothing is compiled for a new shape.
    """
    data, values = _checked(where, key, parameters)
    if in_pieces(data, values, static[0]):
        return drawn(where, sampler, data, values, static[0], static[1:])
    found: Array = _program(sampler, where, static)(data, *values)
    return found


def _checked(where: str, key: KeyLike, parameters: tuple[Any, ...], real: bool = True) -> tuple[Array, list[Array]]:
    data = key_argument(where, key)
    if config.debug_key_reuse:
        use_up(where, key._data if isinstance(key, KeyArray) else key)
    if not parameters:
        return data, []
    values = [as_value(p, f"random.{where}") for p in parameters]
    if real and any([v.type.dtype.is_complex for v in values]):
        raise DTypeError(f"random.{where}: parameters are real numbers, got {', '.join(str(v.dtype) for v in values)}")
    return data, values


def float_dtype(where: str, dtype: Any) -> DType:
    """The short name of a float type, default_float for None."""
    name = dtype_name(float if dtype is None else dtype)
    if not name.is_float:
        raise DTypeError(f"random.{where}: dtype must be a float type, got {name.numpy}")
    return name


def integer_dtype(where: str, dtype: Any) -> DType:
    """The short name of an integer type, int64 for None."""
    name = dtype_name(int if dtype is None else dtype)
    if not name.is_integer:
        raise DTypeError(f"random.{where}: dtype must be an integer type, got {name.numpy}")
    return name


def working_float(*values: Any) -> DType:
    """The float type in which a draw of other than floats is made: its parameters' own; that of Python numbers is float64."""
    found = [v.type.dtype for v in map(as_value, values) if not v.weak and v.type.dtype.is_float]
    return reduce(lambda a, b: strong_promote(a, b, F32), found) if found else dtype_name("float64")


def parameter(value: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    """A parameter of a distribution in the type of the draws, broadcast to their shape."""
    return ops.broadcast_right(ops.convert(value, dtype), shape)


def shape_with(where: str, shape: Shape, *values: Any) -> tuple[int, ...]:
    """The shape that was asked for, or for None that of the parameters together.

    Raises ArgumentError for a shape that the parameters do not broadcast to.
    """
    shapes = tuple([() if type(v) in (int, float) else as_value(v, f"random.{where}").type.shape for v in values])
    if shape is None:
        return broadcast_shape(f"random.{where}", shapes)
    sizes = shape_arg(f"random.{where}", shape)
    check_shape(where, sizes, *shapes)
    return sizes


def check_shape(where: str, sizes: tuple[int, ...], *shapes: tuple[int, ...]) -> None:
    for one in shapes:
        if one and broadcast_shape(f"random.{where}", (one, sizes)) != sizes:
            raise ArgumentError(f"random.{where}: a parameter of shape {one} does not broadcast to shape {sizes}")
