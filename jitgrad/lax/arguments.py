"""What users give to lax's functions beside arrays, read and checked: integers, axes, and sequences of these and of arrays.

Each error has the function's name, the argument's, what was expected, and what was got. Shapes are read by `jitgrad.operands`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from typing import Any

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, ParametersError, ShapeError, shown
from jitgrad.operands import array_arg, common_dtype, size_arg
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import DType

from .bodies import check_callable, check_parameters

ArrayLike = Any
Numbers = tuple[int, ...]


def items(where: str, name: str, given: Any, what: str) -> list[Any]:
    """What a sequence holds. Raises ParametersError for others, text and dictionaries among them."""
    if isinstance(given, (str, bytes, dict, Set)) or not hasattr(given, "__iter__") or getattr(given, "ndim", 1) == 0:
        raise ParametersError(f"{where}: {name} must be a sequence of {what}, got {shown(given)}")
    return list(given)


def integers_arg(where: str, name: str, given: Any, count: int | None = None, what: str = "axis") -> Numbers:
    """A sequence of integers; with `count`, of so many, one for each `what`. Raises ParametersError, and for another number of
    them ArgumentError.
    """
    numbers = tuple([size_arg(where, n, f"{name} must be integers") for n in items(where, name, given, "integers")])
    if count is not None and len(numbers) != count:
        raise ArgumentError(f"{where}: {name} must have {count} numbers, one for each {what}, got {len(numbers)}: {numbers}")
    return numbers


def integer_arg(where: str, name: str, given: Any, low: int, high: int) -> int:
    """An integer from `low` to `high`."""
    number = size_arg(where, given, f"{name} must be an integer")
    if not low <= number <= high:
        raise ArgumentError(f"{where}: {name} must be from {low} to {high}, got {number}")
    return number


def axis_arg(where: str, name: str, given: Any, rank: int) -> int:
    """An axis of `rank` ones, counted from the front. Raises ParametersError for no integer, ArgumentError for one too many."""
    number = size_arg(where, given, f"{name} must be an integer")
    if not -rank <= number < rank:
        known = f"; give one from {-rank} to {rank - 1}" if rank else ""
        raise ArgumentError(f"{where}: {name} {number} does not exist in an array with {rank} axes{known}")
    return number % rank


def axes_arg(where: str, name: str, given: Any, rank: int) -> Numbers:
    """Different axes of `rank` ones, counted from the front, in the order in which they are given."""
    listed = items(where, name, given, "integers")
    axes = tuple([axis_arg(where, f"{name}: axis", a, rank) for a in listed])
    if len(set(axes)) != len(axes):
        raise ArgumentError(f"{where}: {name} must be different axes, got {tuple(listed)}")
    return axes


def permutation_arg(where: str, name: str, given: Any, rank: int) -> Numbers:
    """Every one of `rank` axes once."""
    axes = integers_arg(where, name, given)
    if sorted(axes) != list(range(rank)):
        raise ArgumentError(f"{where}: {name} must be a permutation of 0 to {rank - 1}, got {axes}")
    return axes


def arrays_arg(where: str, name: str, given: Any) -> list[Array]:
    """A sequence of at least one array."""
    arrays = [array_arg(where, x) for x in items(where, name, given, "arrays")]
    if not arrays:
        raise ArgumentError(f"{where}: {name} must have at least one array, got {shown(given)}")
    return arrays


def element_type_arg(where: str, name: str, given: Any, kinds: str = "") -> DType:
    """An element type, which must be given, and be of one of NumPy's `kinds` where these are named. Raises DTypeError."""
    if given is None:
        raise DTypeError(f"{where}: {name} must be an element type, got None")
    dtype = dtype_name(given)
    if kinds and dtype.numpy.kind not in kinds:
        raise DTypeError(f"{where}: {name} must be {'an integer' if kinds == 'iu' else 'a numeric'} type, got {dtype.numpy}")
    return dtype


def initial_values(where: str, name: str, given: Sequence[Any], arrays: Sequence[Array]) -> list[Array]:
    """The scalars that a fold of arrays begins with, each of its array's type or a number of Python's that becomes one."""
    values = [as_value(v, where) for v in given]
    for v, x in zip(values, arrays, strict=True):
        if v.type.shape:
            raise ShapeError(f"{where}: {name} must be a scalar, got shape {v.type.shape}")
        if common_dtype([v, x])[0] != x.type.dtype:
            raise DTypeError(f"{where}: {name} must be of the operand's type {x.dtype}, got {v.dtype}. Convert it with .astype.")
    return [ops.convert(v, x.type.dtype) for v, x in zip(values, arrays, strict=True)]


def neutral(name: str, dtype: DType) -> Any:
    """The number that one of the ops add, mul, max and min leaves every other by."""
    if name in ("add", "mul"):
        return int(name == "mul")
    if dtype.is_float:
        return -math.inf if name == "max" else math.inf
    if not dtype.is_integer:
        return name == "min"
    info = ops.limits(dtype)
    return info.min if name == "max" else info.max


def combination(
    where: str, treedef: tree.PyTreeDef, arrays: Sequence[Array], computation: Callable[[Any, Any], Any]
) -> Callable[[list[Array], list[Array]], list[Array]]:
    """A user's function of two pytrees of scalars as one of lists of them, in the types of the arrays that it combines."""
    check_callable(where, "computation", computation)
    check_parameters(where, "computation", computation, "a", "b")

    def combine(a: list[Array], b: list[Array]) -> list[Array]:
        out = computation(tree.unflatten(treedef, a), tree.unflatten(treedef, b))
        if tree.structure(out) != treedef:
            raise ArgumentError(f"{where}: the computation must return the structure {treedef}, got {tree.structure(out)}")
        found = [as_value(o, where) for o in tree.leaves(out)]
        for o, x in zip(found, arrays, strict=True):
            if o.type.shape:
                raise ShapeError(f"{where}: the computation must return scalars for scalars, got shape {o.type.shape}")
            if common_dtype([o, x])[0] != x.type.dtype:
                raise DTypeError(f"{where}: the computation must return {x.dtype} for scalars of that type, got {o.dtype}")
        return [ops.convert(o, x.type.dtype) for o, x in zip(found, arrays, strict=True)]

    return combine
