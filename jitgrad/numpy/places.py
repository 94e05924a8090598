"""Places in arrays: indices of triangles and diagonals, open and dense grids, flat indices, and what they are used with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import broadcast, constant, convert, fill, is_number, op, reshape, select, signed_places
from jitgrad.errors import ArgumentError, ConcretizationTypeError, DTypeError, NotAFunctionError, ShapeError
from jitgrad.operands import (
    ArrayLike,
    array_arg,
    axis_number,
    common_dtype,
    no_out,
    not_in_place,
    one_of,
    shape_arg,
    size_arg,
    stored,
)
from jitgrad.promotion import strong_dtype
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, DType

from .arithmetic import truth
from .creation import ORDERS
from .elementwise import named
from .index_plan import wrapped
from .indexing import take_places
from .manipulation import promoted, ravel, stack
from .ranges import arange, linspace
from .selection import clip
from .sorting import as_places, nonzero

s_, index_exp = np.s_, np.index_exp


def _triangle_indices(name: str, numpy: Any, word: str) -> Any:
    def function(n: int, k: int = 0, m: int | None = None) -> tuple[Array, Array]:
        rows, columns = numpy(
            size_arg(name, n, "n must be an integer", 0), size_arg(name, k, "k must be an integer"),
            None if m is None else size_arg(name, m, "m must be an integer", 0),
        )  # fmt: skip
        return beside(from_numpy(rows)), beside(from_numpy(columns))

    return named(
        function, name,
        f"""The row and column indices (int64) of the elements on and {word} the k-th diagonal of an n by m matrix.

    >>> import jitgrad.numpy as jnp
    >>> rows, columns = jnp.{name}(2)
    >>> print(rows, columns)
    {"[0 1 1] [0 0 1]" if word == "below" else "[0 0 1] [0 1 1]"}
    """,
    )  # fmt: skip


tril_indices = _triangle_indices("tril_indices", np.tril_indices, "below")
triu_indices = _triangle_indices("triu_indices", np.triu_indices, "above")


def _matrix_shape(where: str, arr: ArrayLike) -> tuple[int, int]:
    shape = as_value(arr, where).type.shape
    if len(shape) != 2:
        raise ShapeError(f"{where}: needs a matrix, got shape {shape}")
    return shape[0], shape[1]


def _beside(indices: tuple[Array, ...], arr: ArrayLike) -> tuple[Array, ...]:
    return tuple(beside(i, arr) for i in indices)


def tril_indices_from(arr: ArrayLike, k: int = 0) -> Any:
    """`tril_indices` for a matrix of this one's shape.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.tril_indices_from(jnp.ones((2, 2)))[1])
    [0 0 1]
    """
    n, m = _matrix_shape("tril_indices_from", arr)
    return _beside(tril_indices(n, k, m), arr)


def triu_indices_from(arr: ArrayLike, k: int = 0) -> Any:
    """`triu_indices` for a matrix of this one's shape.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.triu_indices_from(jnp.ones((2, 2)))[1])
    [0 1 1]
    """
    n, m = _matrix_shape("triu_indices_from", arr)
    return _beside(triu_indices(n, k, m), arr)


def diag_indices(n: int, ndim: int = 2) -> tuple[Array, ...]:
    """The indices (int64) of the diagonal of an array with `ndim` axes of size n.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.diag_indices(2))
    [0 1] [0 1]
    """
    n, ndim = (size_arg("diag_indices", v, f"{name} must be an integer", 0) for v, name in ((n, "n"), (ndim, "ndim")))
    return (arange(n),) * ndim


def diag_indices_from(arr: ArrayLike) -> tuple[Array, ...]:
    """`diag_indices` for this array, whose axes must have one size.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.diag_indices_from(jnp.ones((2, 2))))
    [0 1] [0 1]
    """
    shape = as_value(arr, "diag_indices_from").type.shape
    if len(shape) < 2 or len(set(shape)) != 1:
        raise ShapeError(f"diag_indices_from: needs at least 2 axes of one size, got shape {shape}")
    return _beside(diag_indices(shape[0], len(shape)), arr)


def mask_indices(n: int, mask_func: Any, k: int = 0, *, size: int | None = None) -> tuple[Array, Array]:
    """The row and column indices (int64) of what a function like tril or triu leaves of an n by n matrix of ones.

    mask_func: called with the matrix and k. size: how many indices there are to be, which traced code needs; see `nonzero`.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.mask_indices(2, jnp.triu))
    [0 0 1] [0 1 1]
    """
    if not callable(mask_func):
        raise NotAFunctionError(f"mask_indices: mask_func must be a function of a matrix and k, got {mask_func!r}")
    n = size_arg("mask_indices", n, "n must be an integer", 0)
    rows, places = nonzero(mask_func(fill((n, n), 1, I64), k), size=size)
    return rows, places


def fill_diagonal(a: ArrayLike, val: ArrayLike, wrap: bool = False, *, inplace: bool = True) -> Array:
    """A copy of a matrix, or of an array with axes of one size, with `val` on its diagonal.

    Raises ImmutableArrayError unless inplace=False is given, ArgumentError for wrap=True.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fill_diagonal(jnp.zeros((2, 2)), 3.0, inplace=False))
    [[3. 0.]
     [0. 3.]]
    """
    not_in_place("fill_diagonal", inplace)
    if wrap:
        raise ArgumentError("fill_diagonal: wrap must be False, got True")
    x = array_arg("fill_diagonal", a)
    n = min(x.type.shape) if x.type.rank == 2 else diag_indices_from(x)[0].type.shape[0]
    at: Any = x.at
    value = ravel(stored("fill_diagonal", val, x.type.dtype))
    if value.type.size == 1:
        value = reshape(value, ())
    else:
        value = take_places(value, from_numpy(np.arange(n) % value.type.size), 0)
    result: Array = at[diag_indices(n, x.type.rank)].set(value)
    return result


def ix_(*args: ArrayLike) -> tuple[Array, ...]:
    """Vectors of indices as arrays that together index the grid they span; bool vectors stand for their true places.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.arange(9).reshape(3, 3)[jnp.ix_(jnp.array([0, 2]), jnp.array([1]))].tolist())
    [[1], [7]]
    """
    out = []
    for i, a in enumerate(args):
        x = array_arg("ix_", a)
        if x.type.rank != 1:
            raise ShapeError(f"ix_: needs vectors, got shape {x.type.shape}")
        x = nonzero(x)[0] if x.type.dtype == BOOL else x
        out.append(reshape(x, tuple(x.type.size if j == i else 1 for j in range(len(args)))))
    return tuple(out)


class _Grid:
    """`mgrid[0:3, 0:1:5j]`: the coordinates of the grid of slices, a complex step being a number of points, ends included."""

    def __init__(self, dense: bool) -> None:
        self.dense = dense

    def __getitem__(self, key: slice | tuple[slice, ...]) -> Any:
        if isinstance(key, slice):
            return self._axis(key)
        if not key:
            return fill((0,), 0, I64) if self.dense else []
        vectors = promoted("grid", [self._axis(k) for k in key])
        grids = [reshape(v, tuple(v.type.size if j == i else 1 for j in range(len(key)))) for i, v in enumerate(vectors)]
        if not self.dense:
            return grids
        shape = tuple(v.type.size for v in vectors)
        return stack([op("broadcast", g, shape=shape, dims=tuple(range(len(key)))) for g in grids])

    def _axis(self, key: slice) -> Array:
        start = 0 if key.start is None else key.start
        if isinstance(key.step, complex):
            points: Array = linspace(start, key.stop, int(abs(key.step)))
            return points
        return arange(start, key.stop, 1 if key.step is None else key.step)


mgrid, ogrid = _Grid(True), _Grid(False)


def unravel_index(indices: ArrayLike, shape: Any) -> tuple[Array, ...]:
    """Places in the flattened array as an index array for each axis. Outside, the nearest place.

    >>> import jitgrad.numpy as jnp
    >>> print(*jnp.unravel_index(jnp.array([1, 5]), (2, 3)))
    [0 1] [1 2]
    """
    x, sizes = array_arg("unravel_index", indices), shape_arg("unravel_index", shape)
    if not x.type.dtype.is_integer:
        raise ArgumentError(f"unravel_index: indices must be integers, got {x.dtype}")
    total = math.prod(sizes)
    rest = clip(select(x < 0, x + total, x), 0, max(total - 1, 0))
    out = []
    for n in reversed(sizes):
        out.append(op("rem", rest, constant(max(n, 1), rest.type.dtype)))
        rest = op("div", rest, constant(max(n, 1), rest.type.dtype))
    return tuple(out[::-1])


def ravel_multi_index(
    multi_index: Sequence[ArrayLike], dims: Any, mode: str = "raise", order: str = "C", *, dtype: Any = None
) -> Array:
    """An index array for each axis as places in the flattened array. mode "clip" holds indices inside, "wrap" counts around.

    With mode "raise" indices outside are an error, so they must be concrete. Places are int64, or of the integer type `dtype`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ravel_multi_index((jnp.array([0, 1]), jnp.array([1, 2])), (2, 3)))
    [1 5]
    """
    sizes = shape_arg("ravel_multi_index", dims)
    if len(sizes) != len(multi_index) or mode not in ("raise", "clip", "wrap") or order not in ("C", "F"):
        raise ArgumentError(
            f"ravel_multi_index: needs an index array for each axis of {sizes}, mode raise, clip or wrap, and order C or F"
        )
    pairs = list(zip(multi_index, sizes, strict=True))
    total: Any = 0
    for index, n in pairs if order == "C" else reversed(pairs):
        x = array_arg("ravel_multi_index", index)
        if x.type.dtype.is_inexact:
            raise DTypeError(f"ravel_multi_index: indices must be integers, got {x.dtype}")
        x = wrapped(x, max(n, 1)) if mode == "wrap" else signed_places(x)
        if mode == "raise":
            data = x.concrete()
            if data is None:
                raise ConcretizationTypeError(
                    "ravel_multi_index: mode 'raise' looks at the indices, which are traced here; give mode='clip' or mode='wrap'"
                )
            data = np.asarray(data)
            if ((data < 0) | (data >= n)).any():
                raise ArgumentError(f"ravel_multi_index: an index is outside an axis of size {n}")
        elif mode == "clip":
            x = clip(x, 0, n - 1)
        total = total * n + x
    return as_places("ravel_multi_index", total, dtype)


def compress(
    condition: ArrayLike,
    a: ArrayLike,
    axis: int | None = None,
    *,
    size: int | None = None,
    fill_value: ArrayLike = 0,
    out: None = None,
) -> Array:
    """The slices along an axis (elements, flattened, without one) where a bool vector holds.

    With `size`, which a traced condition needs, exactly so many: the first ones, then fill_value.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.compress(jnp.array([True, False, True]), jnp.array([5, 6, 7])))
    [5 7]
    """
    no_out("compress", out)
    x, mask = array_arg("compress", a), truth(array_arg("compress", condition))
    if mask.type.rank != 1:
        raise ShapeError(f"compress: the condition must be a vector, got shape {mask.type.shape}")
    if axis is None:
        x, axis = ravel(x), 0
    at = axis_number("compress", axis, x.type.rank)
    n = x.type.shape[at]
    if mask.type.shape[0] > n:
        raise ShapeError(f"compress: a condition of size {mask.type.shape[0]} is longer than the axis, of size {n}")
    filler = stored("compress", fill_value, x.type.dtype)
    if size is None:
        return take_places(x, nonzero(mask)[0], at)
    places = nonzero(mask, size=size, fill_value=n)[0]
    taken = take_places(x, places, at)
    inside = op("broadcast", places < n, shape=taken.type.shape, dims=(at,))
    return select(inside, taken, filler if is_number(filler) else broadcast(filler, taken.type.shape, ()))


def extract(condition: ArrayLike, arr: ArrayLike, *, size: int | None = None, fill_value: ArrayLike = 0) -> Array:
    """The elements where a condition holds, flattened; for `size` see `compress`.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.arange(4)
    >>> print(jnp.extract(x % 2 == 1, x))
    [1 3]
    """
    return compress(ravel(condition), arr, size=size, fill_value=fill_value)


def block(arrays: Any) -> Array:
    """An array put together of nested lists of blocks: the innermost lists side by side, the next ones below each other, ...

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.block([[jnp.ones((1, 1)), jnp.zeros((1, 2))]]))
    [[1. 0. 0.]]
    """
    depth, rank = _depth(arrays), _rank(arrays)
    return _block(arrays, strong_dtype(*common_dtype(_blocks(arrays))), depth, max(depth, rank))


def _depth(items: Any) -> int:
    if not isinstance(items, list):
        return 0
    if not items:
        raise ArgumentError("block: a list is empty")
    depths = {_depth(x) for x in items}
    if len(depths) != 1:
        raise ArgumentError("block: the lists must all be nested equally deep")
    return 1 + depths.pop()


def _rank(items: Any) -> int:
    return max(map(_rank, items)) if isinstance(items, list) else as_value(items, "block").type.rank


def _blocks(items: Any) -> list[Array]:
    return [b for x in items for b in _blocks(x)] if isinstance(items, list) else [as_value(items, "block")]


def _block(items: Any, dtype: DType, depth: int, rank: int) -> Array:
    if not isinstance(items, list):
        x = convert(as_value(items, "block"), dtype)
        return reshape(x, (1,) * (rank - x.type.rank) + x.type.shape)
    return op("concatenate", *[_block(x, dtype, depth - 1, rank) for x in items], axis=rank - depth)


def copy(a: ArrayLike, order: str | None = None) -> Array:
    """An array of the same elements in memory of its own, which outlives a donation of `a`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.copy(jnp.array([1, 2])))
    [1 2]
    """
    one_of("copy", "order", order, ORDERS)
    return array_arg("copy", a).copy()
