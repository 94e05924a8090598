"""jax.lax's sort, sort_key_val and top_k."""

from __future__ import annotations

from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import ParametersError, ShapeError, shown
from jitgrad.operands import array_arg, is_complex, is_real_number, size_arg
from jitgrad_compiler.ir.types import I32

from .arguments import arrays_arg, axis_arg, integer_arg

ArrayLike = Any


def sort(operand: Any, dimension: int = -1, is_stable: bool = True, num_keys: int = 1) -> Any:
    """An array in increasing order along an axis, NaNs last; or several of one shape, ordered by the first `num_keys` of them.

    A tuple of arrays goes in and comes out for several. The order of equal elements is always kept, also where is_stable is False.
    Complex numbers are ordered by their real parts and, where these are equal, by the imaginary ones.

    >>> import jitgrad.numpy as jnp
    >>> keys, values = sort((jnp.array([2, 1]), jnp.array([10.0, 20.0])))
    >>> print(keys, values)
    [1 2] [20. 10.]
    """
    several = isinstance(operand, (tuple, list))
    arrays = arrays_arg("lax.sort", "operand", operand if several else (operand,))
    if len({x.type.shape for x in arrays}) > 1:
        raise ShapeError(f"lax.sort: operands must have one shape, got {', '.join(str(x.type.shape) for x in arrays)}")
    num_keys = integer_arg("lax.sort", "num_keys", num_keys, 1, len(arrays))
    axis = axis_arg("lax.sort", "dimension", dimension, arrays[0].type.rank)
    for key in range(num_keys - 1, -1, -1):  # stable sorts by the least key first order by all of them
        if is_complex(arrays[key]):
            for part in ("imag", "real"):
                _, *arrays = ops.op_all("sort", ops.op(part, arrays[key]), *arrays, axis=axis)
            continue
        keyed = [arrays[key], *arrays[:key], *arrays[key + 1 :]]
        first, *others = ops.op_all("sort", *keyed, axis=axis)
        arrays = [*others[:key], first, *others[key:]]
    return tuple(arrays) if several else arrays[0]


def sort_key_val(keys: ArrayLike, values: ArrayLike, dimension: int = -1, is_stable: bool = True) -> tuple[Array, Array]:
    """Keys in increasing order along an axis, and the values that go with them."""
    ordered: tuple[Array, Array] = sort((keys, values), dimension, is_stable)
    return ordered


def top_k(operand: ArrayLike, k: int, *, axis: int = -1) -> tuple[Array, Array]:
    """The k largest elements along an axis in decreasing order, and their int32 indices; of equal elements the earlier come first.

    NaN counts as largest. Raises ArgumentError where k is larger than the axis.

    >>> import jitgrad.numpy as jnp
    >>> values, indices = top_k(jnp.array([1.0, 3.0, 2.0]), 2)
    >>> print(values, indices)
    [3. 2.] [1 2]
    """
    x = array_arg("lax.top_k", operand)
    along, count = _few(x, "lax.top_k", "axis", axis, k)
    largest, places = ops.op_all("top_k", x, axis=along, k=count)
    return largest, places


def _check_recall(where: str, recall_target: Any, override: Any) -> None:
    """What an exact answer does without must be what it says all the same."""
    if not is_real_number(recall_target) or not 0 < float(recall_target) <= 1:
        raise ParametersError(f"{where}: recall_target must be a number above 0, of 1 or less, got {shown(recall_target)}")
    size_arg(where, override, "reduction_input_size_override must be an integer", -1)


def _few(x: Array, where: str, name: str, axis: Any, k: Any) -> tuple[int, int]:
    """An axis, and how many of its elements are wanted."""
    along = axis_arg(where, name, axis, x.type.rank)
    return along, integer_arg(where, "k", k, 0, x.type.shape[along])


def approx_max_k(
    operand: ArrayLike, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
    reduction_input_size_override: int = -1, aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:  # fmt: skip
    """The k largest elements along an axis, and their int32 indices: exactly, as `top_k`, which any recall_target allows."""
    x = array_arg("lax.approx_max_k", operand)
    _check_recall("lax.approx_max_k", recall_target, reduction_input_size_override)
    along, count = _few(x, "lax.approx_max_k", "reduction_dimension", reduction_dimension, k)
    return top_k(x, count, axis=along)


def approx_min_k(
    operand: ArrayLike, k: int, reduction_dimension: int = -1, recall_target: float = 0.95,
    reduction_input_size_override: int = -1, aggregate_to_topk: bool = True,
) -> tuple[Array, Array]:  # fmt: skip
    """The k smallest elements along an axis in increasing order, and their int32 indices: exactly.

    >>> import jitgrad.numpy as jnp
    >>> values, indices = approx_min_k(jnp.array([1.0, 3.0, 2.0]), 2)
    >>> print(values, indices)
    [1. 2.] [0 2]
    """
    x = array_arg("lax.approx_min_k", operand)
    _check_recall("lax.approx_min_k", recall_target, reduction_input_size_override)
    along, count = _few(x, "lax.approx_min_k", "reduction_dimension", reduction_dimension, k)
    ordered = ops.op_all("sort", x, ops.iota(x.type.shape, along, I32), axis=along)
    smallest, places = (ops.slice_axis(v, along, 0, count) for v in ordered)
    return smallest, places
