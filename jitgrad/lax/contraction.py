"""jax.lax's products: dot, dot_general, batch_matmul."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, ShapeError, shown
from jitgrad.operands import common_dtype, strong
from jitgrad.precision import PrecisionLike, asked
from jitgrad.promotion import default_float, dtype_name, promote
from jitgrad_compiler.ir.types import BOOL, F32

from .arguments import axes_arg

ArrayLike = Any
Axes = tuple[int, ...]
DotDimensionNumbers = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]
"""((contracted axes of the first operand, of the second), (batch axes of the first, of the second))."""


def dot_general(
    lhs: ArrayLike,
    rhs: ArrayLike,
    dimension_numbers: DotDimensionNumbers,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """Sums of products over contracted axes. Result axes: batch, the first operand's free axes, the second's.

    dimension_numbers: ((contracted axes of lhs, of rhs), (batch axes of lhs, of rhs)). preferred_element_type: the result's type;
    where it is wider than the operands', products are done and summed in it. Of bools the result is whether both of any pair hold.
    precision: a `Precision` that will do, or one for each operand.
    Raises ShapeError for sizes that do not agree.

    >>> import jitgrad.numpy as jnp
    >>> print(dot_general(jnp.ones((2, 3)), jnp.ones((2, 3)), (((1,), (1,)), ((0,), (0,)))))
    [3. 3.]
    """
    where = "lax.dot_general"
    x, y = (strong(as_value(v, where)) for v in (lhs, rhs))
    common = common_dtype([x, y])[0]
    x, y = ops.convert(x, common), ops.convert(y, common)
    dims = dimension_numbers_arg(where, dimension_numbers, x, y)
    if preferred_element_type is None:
        if x.type.dtype == BOOL:
            asked(where, precision, BOOL)
            counts = ops.op("dot_general", ops.convert(x, F32), ops.convert(y, F32), dims=dims)
            return ops.op("ne", counts, ops.constant(0, F32))
        return ops.op("dot_general", x, y, dims=dims, **asked(where, precision, x.type.dtype))
    preferred = dtype_name(preferred_element_type)
    wide, _ = promote(x.type.dtype, False, preferred, False, default_float())
    params = asked(where, precision, wide)
    return ops.convert(ops.op("dot_general", ops.convert(x, wide), ops.convert(y, wide), dims=dims, **params), preferred)


def dimension_numbers_arg(where: str, given: Any, x: Array, y: Array) -> tuple[tuple[Axes, Axes], tuple[Axes, Axes]]:
    """The axes, counted from the front: of each operand different ones, as many of one as of the other, of equal sizes."""
    pairs = given if isinstance(given, (tuple, list)) else ()
    if len(pairs) != 2 or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise ArgumentError(
            f"{where}: dimension_numbers must be ((contracted of lhs, of rhs), (batch of lhs, of rhs)) axes, got {shown(given)}"
        )
    contracted, batch = [
        (axes_arg(where, f"{kind} axes of lhs", a, x.type.rank), axes_arg(where, f"{kind} axes of rhs", b, y.type.rank))
        for kind, (a, b) in zip(("contracted", "batch"), pairs, strict=True)
    ]
    for kind, (a, b) in (("contracted", contracted), ("batch", batch)):
        if [x.type.shape[i] for i in a] != [y.type.shape[i] for i in b]:
            raise ShapeError(
                f"{where}: {kind} axes must have equal sizes, got axes {a} of shape {x.type.shape} and {b} of shape {y.type.shape}"
            )
    for name, both in (("lhs", {*contracted[0]} & {*batch[0]}), ("rhs", {*contracted[1]} & {*batch[1]})):
        if both:
            raise ArgumentError(f"{where}: axes {sorted(both)} of {name} are both contracted and batch axes")
    return contracted, batch


def dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    *,
    dimension_numbers: DotDimensionNumbers | None = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """Vector and matrix products of arrays of one or two axes; with dimension_numbers, `dot_general`.

    >>> import jitgrad.numpy as jnp
    >>> print(dot(jnp.ones(3), jnp.ones(3)))
    3.0
    """
    if dimension_numbers is None:
        x, y = as_value(lhs, "lax.dot"), as_value(rhs, "lax.dot")
        if not (1 <= x.type.rank <= 2 and 1 <= y.type.rank <= 2):
            raise ShapeError(
                f"lax.dot: operands must have 1 or 2 axes, got shapes {x.type.shape} and {y.type.shape}. Use lax.dot_general."
            )
        dimension_numbers = (((x.type.rank - 1,), (0,)), ((), ()))
    return dot_general(lhs, rhs, dimension_numbers, precision, preferred_element_type)


def batch_matmul(lhs: ArrayLike, rhs: ArrayLike, precision: PrecisionLike = None) -> Array:
    """Matrix products over equal leading axes: [*batch, m, k] with [*batch, k, n].

    >>> import jitgrad.numpy as jnp
    >>> batch_matmul(jnp.ones((5, 2, 3)), jnp.ones((5, 3, 4))).shape
    (5, 2, 4)
    """
    rank = as_value(lhs, "lax.batch_matmul").type.rank
    if rank < 2 or rank != as_value(rhs, "lax.batch_matmul").type.rank:
        raise ShapeError("lax.batch_matmul: operands must have one number of axes, at least 2")
    batch = tuple(range(rank - 2))
    return dot_general(lhs, rhs, (((rank - 1,), (rank - 2,)), (batch, batch)), precision)
