"""How a draw runs: its arguments are checked here, then compiled programs make it, in eager code as under jit.

A sampler is a function of a key's 64-bit word, of parameters (Arrays) and of what a program is compiled for: shapes and types. One
program for each of these serves every key and every parameter, so that a draw has the same bits wherever it is made.
Eager draws of all shapes share a few programs. What depends on whole arrays beyond that, a matrix' factor for example, is done by
eager operations there. Next on the path: `pieces.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.jit import Jitted, jit
from jitgrad.operands import broadcast_shape, shape_arg
from jitgrad.promotion import default_float, dtype_name, narrowed, strong_promote
from jitgrad_compiler.ir.builder import state
from jitgrad_compiler.ir.types import F32, F64, DType

from .keys import KeyArray, KeyLike, key_argument, to_words
from .pieces import are_here, drawn, in_pieces, made_now
from .reuse import use_up

Shape = Any
Sampler = Callable[..., Any]


AT_ONCE = 1 << 16
"""Operations on single numbers up to which an eager draw of several steps is made step by step. With more of them it is a program,
which is faster and keeps nothing in memory on the way, and compiling it is worth while.
"""


@lru_cache(maxsize=4096)
def _program(function: Sampler, where: str, static: tuple[Any, ...], of_word: bool) -> Jitted:
    def program(key: Array, *parameters: Array) -> Any:
        return function(to_words(key) if of_word else key, *parameters, *static)

    program.__name__ = program.__qualname__ = f"random.{where}"
    made: Jitted = jit(program)
    return made


def draw(
    where: str,
    steps: Sampler,
    key: KeyLike,
    parameters: tuple[Any, ...],
    static: tuple[Any, ...],
    work: float,
    real: bool = True,
) -> Any:
    """steps(raw key, *parameters, *static): draws by `each`, and operations on them that depend on whole arrays.

    In eager code, where `work` says that these are few, they are done one by one, so that nothing is compiled for a new shape.
    Otherwise they are one program. Raises DTypeError for complex parameters of what takes `real` ones.
    """
    data, values = _checked(where, key, parameters, real)
    if work <= AT_ONCE and made_now(data, values) and are_here(data, values):
        return steps(data, *values, *static)
    return _program(steps, where, static, False)(data, *values)


def draw_each(where: str, sampler: Sampler, key: KeyLike, parameters: tuple[Any, ...], static: tuple[Any, ...]) -> Array:
    """sampler(the key's word, *parameters, *static), where the first of `static` is a shape, and each element is drawn by itself,
    of its number, the key's word and the parameters' elements there: nothing is compiled for a new shape.
    """
    data, values = _checked(where, key, parameters)
    return each(where, sampler, data, values, static)


def draw_together(
    where: str, sampler: Sampler, key: KeyLike, parameters: tuple[Any, ...], static: tuple[Any, ...], real: bool = True
) -> Array:
    """`draw_each`, where elements depend on one another: in eager code as many are made as in a few sizes that have programs, and
    what the sampler gets as the key's word says how many are asked for.
    """
    data, values = _checked(where, key, parameters, real)
    return each(where, sampler, data, values, static, together=True)


def each(
    where: str, sampler: Sampler, data: Array, values: Sequence[Array], static: tuple[Any, ...], together: bool = False
) -> Array:
    """`draw_each` and `draw_together` of a raw key and parameters that were checked: a step of `draw`."""
    if in_pieces(data, values, static[0]):
        return drawn(where, sampler, data, values, static[0], static[1:], together)
    found: Array = _program(sampler, where, static, True)(data, *values)
    return found


def _checked(where: str, key: KeyLike, parameters: tuple[Any, ...], real: bool = True) -> tuple[Array, list[Array]]:
    data = key_argument(where, key)
    if config.debug_key_reuse:
        use_up(where, key._data if isinstance(key, KeyArray) else key)
    if not parameters:
        return data, []
    values = [value_of(where, p) for p in parameters]
    for v in values:
        if real and v.type.dtype.is_complex:
            raise DTypeError(f"random.{where}: parameters are real numbers, got {', '.join(str(v.dtype) for v in values)}")
    return data, values


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers that in eager code gives the same Arrays again, whose memory is known, for numbers that come again. In
    traced code they are constants.
    """
    again = lru_cache(maxsize=256, typed=True)(function)

    def found(*args: Any) -> Any:
        return again(*args) if state.staging is None else function(*args)

    return found


_number = kept(as_value)


def value_of(where: str, parameter: Any) -> Array:
    """A parameter as an Array. (A zero's is made anew, as there are two of them that are equal.)"""
    if isinstance(parameter, Array):
        return parameter
    if type(parameter) in (float, int) and parameter and -(2**31) <= parameter < 2**31:
        value: Array = _number(parameter)
        return value
    return as_value(parameter, f"random.{where}")


def float_dtype(where: str, dtype: Any) -> DType:
    """The short name of a float type, default_float for None."""
    if dtype is None:
        return default_float()
    name = dtype_name(dtype)
    if not name.is_float:
        raise DTypeError(f"random.{where}: dtype must be a float type, got {name.numpy}")
    return name


def integer_dtype(where: str, dtype: Any) -> DType:
    """The short name of an integer type, int64 for None."""
    name = dtype_name(int if dtype is None else dtype)
    if not name.is_integer:
        raise DTypeError(f"random.{where}: dtype must be an integer type, got {name.numpy}")
    return name


def working_float(*values: Array) -> DType:
    """The float type in which a draw of other than floats is made: its parameters' own; that of Python numbers is float64."""
    found = None
    for v in values:
        dtype = v.type.dtype
        if dtype.is_float and not v.weak:
            found = dtype if found is None else strong_promote(found, dtype, F32)
    return found or narrowed(F64)


def parameter(value: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    """A parameter of a distribution in the type of the draws, broadcast to their shape."""
    return ops.broadcast_right(ops.convert(value, dtype), shape)


def shape_with(where: str, shape: Shape, *values: Any) -> tuple[int, ...]:
    """The shape that was asked for, or for None that of the parameters together.

    Raises ArgumentError for a shape that the parameters do not broadcast to.
    """
    sizes = None if shape is None else shape_arg(f"random.{where}", shape)
    shapes = []
    for v in values:
        if type(v) is not float and type(v) is not int and (own := value_of(where, v).type.shape):
            shapes.append(own)
    if not shapes:
        return sizes or ()
    if sizes is None:
        return broadcast_shape(f"random.{where}", tuple(shapes))
    check_shape(where, sizes, *shapes)
    return sizes


def check_shape(where: str, sizes: tuple[int, ...], *shapes: tuple[int, ...]) -> None:
    for one in shapes:
        if one and broadcast_shape(f"random.{where}", (one, sizes)) != sizes:
            raise ArgumentError(f"random.{where}: a parameter of shape {one} does not broadcast to shape {sizes}")
