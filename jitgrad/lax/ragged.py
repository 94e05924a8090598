"""Products of rows that come in groups, each with a matrix of its own: `ragged_dot` and `ragged_dot_general`.

How many rows a group has is data, so the rows are cut into blocks of a fixed size. A block lies in several groups where groups end
inside it: it is multiplied once for each such piece, of which there are at most as many as blocks and groups together (Gale et al.,
MegaBlocks, 2022). Everything is made of gathers and products, whose derivatives and batches are theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, ParametersError, ShapeError, shown
from jitgrad.operands import array_arg, common_dtype, strong
from jitgrad.precision import PrecisionLike
from jitgrad.promotion import dtype_name
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.types import F32, I64, DType

from .arguments import axes_arg
from .contraction import DotDimensionNumbers, dimension_numbers_arg, dot_general

ArrayLike = Any
Axes = tuple[int, ...]
LEAST_BLOCK = 8
"""Rows of a block, where there are few rows or many groups."""


class RaggedDotDimensionNumbers(NamedTuple):
    """dot_dimension_numbers: as `dot_general` takes them, where the axis of groups of rhs is none of them. lhs_ragged_dimensions:
    the one axis of lhs whose elements come in groups. rhs_group_dimensions: the one axis of rhs with a matrix for each group, or
    none where the ragged axis is a contracted one or a batch axis.
    """

    dot_dimension_numbers: DotDimensionNumbers
    lhs_ragged_dimensions: Sequence[int]
    rhs_group_dimensions: Sequence[int]


def ragged_dot(
    lhs: ArrayLike,
    rhs: ArrayLike,
    group_sizes: ArrayLike,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    group_offset: None = None,
) -> Array:
    """The rows of lhs [m, k], of which the first group_sizes[0] are multiplied with rhs[0], the next with rhs[1], and so on.

    rhs: [groups, k, n]. group_sizes: integers [groups]; rows behind the last group give zeros. It is what a mixture of experts
    does with rows that are sorted by expert; the work is about that of one product
    of all rows, whatever the sizes are.
    Raises ShapeError for shapes that do not go together, DTypeError for sizes that are no integers.

    >>> import jitgrad.numpy as jnp
    >>> experts = jnp.array([[[1.0]], [[10.0]]])
    >>> print(ragged_dot(jnp.array([[1.0], [2.0], [3.0], [4.0]]), experts, jnp.array([1, 2])))
    [[ 1.]
     [20.]
     [30.]
     [ 0.]]
    """
    where = "lax.ragged_dot"
    x, y = as_value(lhs, where), as_value(rhs, where)
    if (x.type.rank, y.type.rank) != (2, 3):
        raise ShapeError(f"{where}: lhs must be [rows, k] and rhs [groups, k, n], got shapes {x.type.shape} and {y.type.shape}")
    numbers = RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0,), (0,))
    return _ragged(where, x, y, group_sizes, numbers, precision, preferred_element_type, group_offset)


def ragged_dot_general(
    lhs: ArrayLike,
    rhs: ArrayLike,
    group_sizes: ArrayLike,
    ragged_dot_dimension_numbers: RaggedDotDimensionNumbers,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    group_offset: None = None,
) -> Array:
    """`dot_general` where the elements along one axis of lhs come in groups, one behind the other, of group_sizes [groups].

    Along a free axis each group has a matrix of its own in rhs, as in `ragged_dot`. Along a contracted axis each group has a result
    of its own, in front: [groups, *batch, *free of lhs, *free of rhs]. Along a batch axis it is `dot_general`. Sizes may be others
    for each element of the batch axes and of the free (or contracted) axes before the ragged one: [*batch, *before, groups].
    Raises ShapeError and ArgumentError for what does not go together.

    >>> import jitgrad.numpy as jnp
    >>> numbers = RaggedDotDimensionNumbers((((0,), (0,)), ((), ())), (0,), ())
    >>> print(ragged_dot_general(jnp.ones((5, 1)), jnp.ones((5, 1)), jnp.array([3, 2]), numbers).reshape(2))
    [3. 2.]
    """
    where = "lax.ragged_dot_general"
    x, y = as_value(lhs, where), as_value(rhs, where)
    return _ragged(where, x, y, group_sizes, ragged_dot_dimension_numbers, precision, preferred_element_type, group_offset)


def _ragged(
    where: str, lhs: Array, rhs: Array, group_sizes: Any, numbers: Any, precision: Any, preferred: Any, group_offset: Any
) -> Array:
    if group_offset is not None:
        raise ArgumentError(f"{where}: group_offset must be None, got {shown(group_offset)}; cut the operands instead")
    x, y, sizes = strong(lhs), strong(rhs), array_arg(where, group_sizes)
    common = common_dtype([x, y])[0]
    x, y = ops.convert(x, common), ops.convert(y, common)
    if not sizes.type.dtype.is_integer or not sizes.type.rank:
        raise DTypeError(f"{where}: group_sizes must be integers [groups], got {sizes.dtype}{list(sizes.type.shape)}")
    if getattr(numbers, "_fields", ()) != RaggedDotDimensionNumbers._fields:
        raise ParametersError(
            f"{where}: ragged_dot_dimension_numbers must be a lax.RaggedDotDimensionNumbers, got {shown(numbers)}"
        )
    contracted, batch = dimension_numbers_arg(where, numbers.dot_dimension_numbers, x, y)
    ragged = axes_arg(where, "lhs_ragged_dimensions", numbers.lhs_ragged_dimensions, x.type.rank)
    grouped = axes_arg(where, "rhs_group_dimensions", numbers.rhs_group_dimensions, y.type.rank)
    free = tuple(i for i in range(x.type.rank) if i not in (*contracted[0], *batch[0]))
    if len(ragged) != 1 or len(grouped) != (ragged[0] in free):
        raise ArgumentError(
            f"{where}: lhs_ragged_dimensions must be one axis, and rhs_group_dimensions one where that is free, else none, got "
            f"{ragged} and {grouped}"
        )
    options = {"precision": precision, "preferred_element_type": preferred}
    if ragged[0] in batch[0]:
        return dot_general(x, y, (contracted, batch), **options)
    if grouped and (grouped[0] in (*contracted[1], *batch[1]) or y.type.shape[grouped[0]] != sizes.type.shape[-1]):
        raise ShapeError(
            f"{where}: rhs must have a free axis of {sizes.type.shape[-1]} groups, got axis {grouped[0]} of shape {y.type.shape}"
        )
    along = free if grouped else contracted[0]
    split = along.index(ragged[0])
    before, behind = along[:split], along[split + 1 :]
    prefix = tuple(x.type.shape[i] for i in (*batch[0], *before))
    if sizes.type.shape[:-1] not in ((), prefix):
        wanted = f"[groups] or {[*prefix, 'groups']}"
        raise ShapeError(f"{where}: group_sizes must be of shape {wanted}, got {sizes.type.shape}")
    of_batch, of_before, of_behind = (tuple(x.type.shape[i] for i in axes) for axes in (batch[0], before, behind))
    b, p, groups = math.prod(of_batch), math.prod(of_before), sizes.type.shape[-1]
    rows = x.type.shape[ragged[0]] * math.prod(of_behind)
    sizes = ops.reshape(ops.broadcast_right(ops.convert(sizes, I64), (*prefix, groups)), (b, p, groups))
    sizes = ops.op("mul", sizes, ops.constant(math.prod(of_behind), I64))
    rest = tuple(i for i in range(y.type.rank) if i not in (*contracted[1], *batch[1], *grouped))
    of_rest = tuple(y.type.shape[i] for i in rest)
    n = math.prod(of_rest)
    if grouped:  # [batch, before, rows, depth] with [batch, groups, depth, n]
        x = ops.reshape(ops.transpose(x, (*batch[0], *free, *contracted[0])), (b, p, rows, _size(x, contracted[0])))
        y = ops.reshape(ops.transpose(y, (*batch[1], *grouped, *contracted[1], *rest)), (b, groups, _size(y, contracted[1]), n))
        found = _each_prefix(lambda u, v, s: _rows(u, v, s, options), in_axes=(0, None, 0))(x, y, sizes)
        return ops.reshape(found, (*of_batch, *(lhs.type.shape[i] for i in free), *of_rest))
    x = ops.reshape(ops.transpose(x, (*batch[0], *before, ragged[0], *behind, *free)), (b, p, rows, _size(x, free)))
    turned = [contracted[1][contracted[0].index(i)] for i in (*before, ragged[0], *behind)]
    y = ops.reshape(ops.transpose(y, (*batch[1], *turned, *rest)), (b, p, rows, n))
    parts = _each_prefix(lambda u, v, s: _groups(u, v, s, options), in_axes=(0, 0, 0))(x, y, sizes)
    out = ops.transpose(ops.reduce_sum(parts, (1,)), (1, 0, 2, 3))
    return ops.reshape(out, (out.type.shape[0], *of_batch, *(lhs.type.shape[i] for i in free), *of_rest))


def _size(x: Array, axes: Sequence[int]) -> int:
    return math.prod(x.type.shape[i] for i in axes)


def _each_prefix(f: Callable[..., Array], in_axes: tuple[int | None, ...]) -> Callable[..., Array]:
    """f for each element of the batch axes, and for each of those before the ragged one."""
    mapped: Callable[..., Array] = vmap(vmap(f, in_axes=in_axes))
    return mapped


class _Pieces(NamedTuple):
    """Rows in blocks of `block` rows, and pieces of blocks that lie in one group."""

    block: int
    starts: Array  # [pieces] of the first row of each, increasing
    ends: Array  # [pieces] of the row behind it
    total: Array  # how many rows lie in groups

    @property
    def blocks(self) -> Array:
        """[pieces] of the block that each is of."""
        return ops.op("div", self.starts, ops.constant(self.block, I64))


def _pieces(rows: int, sizes: Array) -> _Pieces:
    groups = sizes.type.shape[0]
    block = max(LEAST_BLOCK, -(-rows // (4 * groups)))
    ends = ops.op("cumsum", sizes, axis=0, reverse=False)
    ends = ops.op("min", ends, ops.broadcast(ops.constant(rows, I64), ends.type.shape, ()))
    blocks = -(-rows // block)
    every = ops.op("mul", ops.iota((blocks,), 0, I64), ops.constant(block, I64))
    (starts,) = ops.op_all("sort", ops.concatenate([every, ops.slice_axis(ends, 0, 0, groups - 1)], 0), axis=0)
    last = ops.fill((1,), rows, I64)
    starts = ops.op("min", starts, ops.constant(rows - 1, I64))  # of a group that begins behind all rows
    behind = ops.concatenate([ops.slice_axis(starts, 0, 1, starts.type.shape[0]), last], 0)
    return _Pieces(block, starts, behind, ops.reshape(ops.slice_axis(ends, 0, groups - 1, groups), ()))


def _group_of(starts: Array, sizes: Array) -> Array:
    """The group of each row in `starts`, or the last one."""
    groups = sizes.type.shape[0]
    ends = ops.op("cumsum", sizes, axis=0, reverse=False)
    return ops.op("min", _count_up_to(ends, starts), ops.constant(groups - 1, I64))


def _count_up_to(sorted_rows: Array, rows: Array) -> Array:
    """How many of some increasing numbers are no larger than each of others."""
    shape = (rows.type.shape[0], sorted_rows.type.shape[0])
    below = ops.op("le", ops.broadcast(sorted_rows, shape, (1,)), ops.broadcast(rows, shape, (0,)))
    return ops.reduce_sum(ops.convert(below, I64), (1,))


def _taken(x: Array, at: Array) -> Array:
    """x's slices at numbers along the first axis."""
    return ops.op("gather", x, ops.reshape(at, (*at.type.shape, 1)), axes=(0,), batch=0, mode="clip")


def _in_blocks(x: Array, pieces: _Pieces) -> Array:
    """The blocks of rows that pieces are of: [pieces, block, columns]."""
    rows, columns = x.type.shape
    count = -(-rows // pieces.block)
    padded = ops.pad_axis(x, 0, 0, count * pieces.block - rows, ops.constant(0, x.type.dtype))
    return _taken(ops.reshape(padded, (count, pieces.block, columns)), pieces.blocks)


def _rows(x: Array, y: Array, sizes: Array, options: dict[str, Any]) -> Array:
    """[rows, depth] by [groups, depth, n]: each row by its group's matrix."""
    rows, groups = x.type.shape[0], sizes.type.shape[0]
    if not rows or not groups:
        out = dot_general(x, ops.fill((x.type.shape[1], y.type.shape[2]), 0, y.type.dtype), (((1,), (0,)), ((), ())), **options)
        return ops.op("mul", out, ops.constant(0, out.type.dtype))
    pieces = _pieces(rows, sizes)
    every = dot_general(
        _in_blocks(x, pieces), _taken(y, _group_of(pieces.starts, sizes)), (((2,), (1,)), ((0,), (0,))), **options
    )  # fmt: skip
    flat = ops.reshape(every, (every.type.shape[0] * pieces.block, every.type.shape[2]))
    row = ops.iota((rows,), 0, I64)
    piece = ops.op("sub", _count_up_to(pieces.starts, row), ops.constant(1, I64))
    size = ops.constant(pieces.block, I64)
    found = _taken(flat, ops.op("add", ops.op("mul", piece, size), ops.op("rem", row, size)))
    inside = ops.broadcast(ops.op("lt", row, pieces.total), found.type.shape, (0,))
    return ops.select(inside, found, ops.constant(0, found.type.dtype))


def _groups(x: Array, y: Array, sizes: Array, options: dict[str, Any]) -> Array:
    """[rows, m] by [rows, n]: the products of both, summed over the rows of each group."""
    rows, groups, shape = x.type.shape[0], sizes.type.shape[0], (x.type.shape[1], y.type.shape[1])
    dtype = x.type.dtype if options["preferred_element_type"] is None else dtype_name(options["preferred_element_type"])
    if not rows or not groups:
        return ops.fill((groups, *shape), 0, dtype)
    wide = _wide(dtype)
    pieces = _pieces(rows, sizes)
    count = pieces.starts.type.shape[0]
    first = ops.op("mul", pieces.blocks, ops.constant(pieces.block, I64))
    row = ops.op("add", ops.iota((count, pieces.block), 1, I64), ops.broadcast(first, (count, pieces.block), (0,)))
    inside = ops.op("ge", row, ops.broadcast(pieces.starts, row.type.shape, (0,)))
    for end in (ops.broadcast(pieces.ends, row.type.shape, (0,)), ops.broadcast(pieces.total, row.type.shape, ())):
        inside = ops.op("and", inside, ops.op("lt", row, end))

    def held(operand: Array) -> Array:
        blocks = _in_blocks(operand, pieces)
        return ops.select(ops.broadcast(inside, blocks.type.shape, (0, 1)), blocks, ops.constant(0, blocks.type.dtype))

    parts = dot_general(held(x), held(y), (((1,), (1,)), ((0,), (0,))), options["precision"], wide.numpy)
    to = ops.reshape(_group_of(pieces.starts, sizes), (count, 1))
    return ops.convert(ops.op("scatter", ops.fill((groups, *shape), 0, wide), to, parts, axes=(0,), batch=0, kind="add"), dtype)


def _wide(dtype: DType) -> DType:
    """The type that sums of parts are added in."""
    return F32 if dtype.is_float and dtype.nbytes < 4 else dtype
