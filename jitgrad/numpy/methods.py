"""Operators and methods of Array, put on the class when this module is imported.

Operators go straight to the op where both operands are of one type and neither is weak, which is nearly always; everything else
promotes and broadcasts in `arithmetic.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad.at_once import also_counterpart, counterpart
from jitgrad.errors import ArgumentError, ImmutableArrayError, MissingNameError
from jitgrad.operands import ArrayLike, one_of
from jitgrad.promotion import WEAK
from jitgrad.suggestions import foreign
from jitgrad.tracebacks import boundary, boundary_methods
from jitgrad_compiler.ir.builder import bind, literal
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import BOOL, FLOATS, I32, I64, INEXACT, INTEGERS, DType

from . import (
    arithmetic,
    comparison,
    counterparts,  # noqa: F401  (before the operators that they serve)
    elementwise,
    index_now,
    indexing,
    linear,
    manipulation,
    matrices,
    places,
    rearrangement,
    reductions,
    selection,
    sorting,
    statistics,
    updates,
)

FLOAT32_MAX = 3.4028234e38
"""A Python float up to this one is a finite float32."""

OPERAND_TYPES = (Array, np.ndarray, np.generic, *WEAK)
_REFUSED = (list, tuple, range)
"""What NumPy makes arrays of: left to Python, a list beside an array of one integer would be repeated, and equal to none."""


def _is_operand(x: Any) -> bool:
    """Whether the operator's function is to take x, or to say why not; with anything else the other operand's class is asked."""
    return (
        isinstance(x, (*OPERAND_TYPES, *_REFUSED))
        or hasattr(x, "__jitgrad_array__")
        or (hasattr(x, "__array__") and not isinstance(x, type))
    )


def _direct(name: str, dtypes: tuple[DType, ...]) -> Callable[[Array, Any], Any]:
    """The op's operands where nothing needs promotion: two Arrays of one type, or one and a Python number. Else None."""

    def operands(x: Array, y: Any) -> Any:
        if x.weak or x.type.dtype not in dtypes:
            return None
        kind = type(y)
        if kind is float or kind is int:
            dtype = x.type.dtype
            fits = -FLOAT32_MAX <= y <= FLOAT32_MAX if dtype.is_float else kind is int and dtype in (I32, I64) and abs(y) < 2**31
            return literal(y, dtype) if fits else None
        return y if isinstance(y, Array) and not y.weak and x.type == y.type else None

    return operands


def _operator(function: Callable[[Any, Any], Array], op_name: str, dtypes: tuple[DType, ...]) -> tuple[Any, Any]:
    """An operator that is one op, and its reflection."""
    op, direct = OPS[op_name], _direct(op_name, dtypes)

    def method(self: Array, other: Any) -> Any:
        operand = direct(self, other)
        if operand is not None:
            return bind(op, self, operand)
        return function(self, other) if _is_operand(other) else NotImplemented

    def reflected(self: Array, other: Any) -> Any:
        operand = direct(self, other)
        if operand is not None:
            return bind(op, operand, self)
        return function(other, self) if _is_operand(other) else NotImplemented

    also_counterpart(method, function)
    also_counterpart(reflected, function, swapped=True)
    return method, reflected


def _promoting(function: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    """An operator that is more than one op, and its reflection."""

    def method(self: Array, other: Any) -> Any:
        return function(self, other) if _is_operand(other) else NotImplemented

    def reflected(self: Array, other: Any) -> Any:
        return function(other, self) if _is_operand(other) else NotImplemented

    also_counterpart(method, function)
    also_counterpart(reflected, function, swapped=True)
    return method, reflected


_NUMBERS = (*INTEGERS, *INEXACT)
_BITS = (BOOL, *INTEGERS)
_ALL = (BOOL, *_NUMBERS)

for _name, _function, _op, _dtypes in (
    ("add", arithmetic.add, "add", _ALL), ("sub", arithmetic.subtract, "sub", _NUMBERS), ("mul", arithmetic.multiply, "mul", _ALL),
    ("truediv", arithmetic.divide, "div", INEXACT), ("and", arithmetic.bitwise_and, "and", _BITS),
    ("or", arithmetic.bitwise_or, "or", _BITS), ("xor", arithmetic.bitwise_xor, "xor", _BITS),
):  # fmt: skip
    _method, _reflected = _operator(_function, _op, _dtypes)
    setattr(Array, f"__{_name}__", _method)
    setattr(Array, f"__r{_name}__", _reflected)

for _name, _function, _op in (
    ("eq", comparison.equal, "eq"), ("ne", comparison.not_equal, "ne"), ("lt", comparison.less, "lt"),
    ("le", comparison.less_equal, "le"), ("gt", comparison.greater, "gt"), ("ge", comparison.greater_equal, "ge"),
):  # fmt: skip
    _method, _ = _operator(_function, _op, _ALL if _name in ("eq", "ne") else (BOOL, *INTEGERS, *FLOATS))
    setattr(Array, f"__{_name}__", _method)

for _name, _pair in (
    ("floordiv", arithmetic.floor_divide), ("mod", arithmetic.remainder), ("divmod", arithmetic.divmod), ("pow", arithmetic.power),
    ("matmul", linear.matmul), ("lshift", arithmetic.left_shift), ("rshift", arithmetic.right_shift),
):  # fmt: skip
    _method, _reflected = _promoting(_pair)
    setattr(Array, f"__{_name}__", _method)
    setattr(Array, f"__r{_name}__", _reflected)


def _round(self: Array, ndigits: int | None = None) -> Array:
    """Python's round: to integers without `ndigits`."""
    rounded = elementwise.round(self, 0 if ndigits is None else ndigits)
    return rounded if ndigits is not None or not self.type.dtype.is_float else manipulation.astype(rounded, I64)


def _getitem(self: Array, index: Any) -> Array:
    found = index_now.read_now(self, index)
    return indexing.getitem(self, index) if found is None else found


def _setitem(self: Array, index: Any, value: Any) -> None:
    raise ImmutableArrayError(
        f"x[{index!r}] = value: jitgrad arrays are immutable, got {self.dtype}{list(self.shape)}. "
        "Write x = x.at[i].set(value), or x = x.at[i].add(value) for x[i] += value."
    )


def _delitem(self: Array, index: Any) -> None:
    raise ImmutableArrayError(
        f"del x[{index!r}]: jitgrad arrays are immutable, got {self.dtype}{list(self.shape)}. "
        f"Write x = jnp.delete(x, {index!r}, axis=0), or x = x[mask] with what is to stay."
    )


def _reshape(self: Array, *shape: Any, order: str = "C") -> Array:
    """The same elements in another shape; one size may be -1. Takes a tuple or the sizes themselves."""
    return manipulation.reshape(self, shape[0] if len(shape) == 1 else shape, order)


def _transpose(self: Array, *axes: Any) -> Array:
    """Axes in another order (reversed by default), given as a tuple or one by one."""
    return manipulation.transpose(self, None if not axes else axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)


def _view(self: Array, dtype: Any = None, *shape: int) -> Array:
    """The same bits read as another type."""
    if shape or isinstance(dtype, (int, tuple, list)):
        wanted = ", ".join(map(str, (dtype, *shape)))
        raise ArgumentError(f"x.view({wanted}): view reads the bits as another type. For another shape write x.reshape({wanted}).")
    return manipulation.view(self, dtype)


def _compress(
    self: Array, condition: ArrayLike, axis: int | None = None, *, size: int | None = None, fill_value: ArrayLike = 0
) -> Array:
    """The entries along an axis, or of the flattened array, whose condition holds."""
    return places.compress(condition, self, axis, size=size, fill_value=fill_value)


def _tobytes(self: Array, order: str = "C") -> bytes:
    """The elements' bytes, by rows, or by columns with order "F"."""
    one_of("tobytes", "order", order, ("C", "F"))
    return np.asarray(self).tobytes(order)  # type: ignore[arg-type]


def _clip(self: Array, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Array:
    """Each element held between min and max."""
    return selection.clip(self, min, max)


class Elsewhere:
    """What arrays do not have, though other libraries' do, or though a function of that name is here: asking for it tells what to
    use. Attributes, and no `__getattr__`: with one, Python looks up every attribute of every array twice as slowly.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        advice = foreign.attribute(self.name, sys.modules[__package__].__all__)
        raise MissingNameError(f"arrays have no attribute {self.name!r}. {advice}")


def _dir(self: Array) -> list[str]:
    return [n for n in object.__dir__(self) if not isinstance(vars(Array).get(n), Elsewhere)]


def add_elsewhere(functions: Collection[str]) -> None:
    """Tell of every name that arrays do not have: those of other libraries, of `functions`, and of changes in place."""
    in_place = [f"{n}_" for n in (*functions, *METHODS, *foreign.CHANGING)]
    for n in {*foreign.ATTRIBUTES, *functions, *in_place}:
        if not hasattr(Array, n):
            setattr(Array, n, Elsewhere(n))


UNARY = {
    "__neg__": elementwise.negative, "__pos__": elementwise.positive, "__abs__": elementwise.absolute,
    "__invert__": arithmetic.invert, "__round__": _round, "__getitem__": _getitem, "__setitem__": _setitem, "__delitem__": _delitem,
    "__dir__": _dir,
}  # fmt: skip
METHODS = {
    "sum": reductions.sum, "prod": reductions.prod, "max": reductions.max, "min": reductions.min, "mean": reductions.mean,
    "var": reductions.var, "std": reductions.std, "any": reductions.any, "all": reductions.all, "argmax": reductions.argmax,
    "argmin": reductions.argmin, "cumsum": reductions.cumsum, "cumprod": reductions.cumprod, "ptp": statistics.ptp,
    "reshape": _reshape, "transpose": _transpose, "ravel": manipulation.ravel, "flatten": manipulation.ravel,
    "astype": manipulation.astype, "squeeze": manipulation.squeeze, "swapaxes": manipulation.swapaxes,
    "repeat": rearrangement.repeat, "view": _view, "clip": _clip, "round": elementwise.round, "conj": elementwise.conj,
    "conjugate": elementwise.conj, "dot": linear.dot, "trace": linear.trace, "take": indexing.take, "sort": sorting.sort,
    "argsort": sorting.argsort, "argpartition": sorting.argpartition, "choose": selection.choose,
    "compress": _compress, "tobytes": _tobytes,
    "searchsorted": sorting.searchsorted, "nonzero": sorting.nonzero, "diagonal": matrices.diagonal,
}  # fmt: skip
PROPERTIES: dict[str, Callable[[Array], Any]] = {
    "T": manipulation.transpose, "mT": manipulation.matrix_transpose, "real": elementwise.real, "imag": elementwise.imag,
    "at": updates.Indexer,
}  # fmt: skip

also_counterpart(_clip, selection.clip)
counterpart(_reshape, lambda x, *sizes: x.reshape(*sizes))
counterpart(_transpose, lambda x, *axes: x.transpose(*axes))

for _name, _value in (*UNARY.items(), *METHODS.items()):
    setattr(Array, _name, _value)
for _name, _get in PROPERTIES.items():
    setattr(Array, _name, property(boundary(_get, inside=True) if isinstance(_get, FunctionType) else _get))


def _refuse_setting(name: str, instead: str) -> None:
    def refuse(self: Array, value: Any) -> None:
        raise ImmutableArrayError(f"x.{name} = value: jitgrad arrays are immutable. Write {instead}.")

    setattr(Array, name, getattr(Array, name).setter(refuse))


for _name, _instead in (
    ("shape", "x = x.reshape(shape)"), ("dtype", "x = x.astype(dtype)"), ("T", "x = value.T"),
    ("real", "x = jitgrad.lax.complex(value, x.imag)"), ("imag", "x = jitgrad.lax.complex(x.real, value)"),
):  # fmt: skip
    _refuse_setting(_name, _instead)


API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")
"""Versions of the Array API standard whose functions jitgrad.numpy has."""


def _array_namespace(self: Array, *, api_version: str | None = None) -> Any:
    """The module of functions for arrays of this class, as the Array API asks for. Raises ArgumentError for a version that it does
    not follow.
    """
    if api_version not in (None, *API_VERSIONS):
        raise ArgumentError(f"__array_namespace__: api_version must be one of {', '.join(API_VERSIONS)}, got {api_version!r}")
    return sys.modules[__package__]


setattr(Array, "__array_namespace__", _array_namespace)  # noqa: B010

INSIDE = ("__init__", "data", "concrete", "elements", "scalar", "shown")
boundary_methods(Array, plain=INSIDE)
