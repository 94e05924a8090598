"""Products of arrays: matmul, dot, tensordot, outer, ...; every one is a dot_general. `einstein.py` is built on `contract`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad.array import Array
from jitgrad.array_ops import Shape, broadcast_right, convert, flat, op, reduce_sum, reshape, slice_axis, transpose
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, broadcast_shape, is_several, no_out
from jitgrad.precision import Params, asked
from jitgrad.promotion import dtype_name
from jitgrad_compiler.ir.types import BOOL, C64, C128, I64

from .manipulation import promoted
from .matrices import diagonal
from .reductions import sum_dtype

Labels = Sequence[Any]


def contract(x: Array, x_labels: Labels, y: Array, y_labels: Labels, out: Labels, precision: Params) -> Array:
    """The sum of products over every label that is not in `out`, the axes of which name those of the result.

    Axes with one label have one size, or size 1 where the operand is repeated. No label stands twice in an operand. Bools are
    combined by and, and or. precision: params of the product.
    """
    if x.type.dtype == BOOL:
        whole = contract(convert(x, I64), x_labels, convert(y, I64), y_labels, out, {})
        return whole != 0
    x, x_labels = _without_repeated(x, x_labels, y, y_labels)
    y, y_labels = _without_repeated(y, y_labels, x, x_labels)
    x, x_labels = _summed(x, x_labels, {*y_labels, *out})
    y, y_labels = _summed(y, y_labels, {*x_labels, *out})
    shared = [label for label in x_labels if label in y_labels]
    batch = [label for label in shared if label in out]
    summed = [label for label in shared if label not in out]
    made = [*batch, *[a for a in x_labels if a not in shared], *[b for b in y_labels if b not in shared]]
    if not summed:
        product = _outer_product(x, x_labels, y, y_labels, made)
    else:
        dims = ((places(x_labels, summed), places(y_labels, summed)), (places(x_labels, batch), places(y_labels, batch)))
        product = op("dot_general", x, y, dims=dims, **precision)
    return transpose(product, places(made, out))


def _summed(x: Array, labels: Labels, needed: set[Any]) -> tuple[Array, Labels]:
    """Labels that nobody needs are summed over."""
    axes = tuple(i for i, a in enumerate(labels) if a not in needed)
    return reduce_sum(x, axes), [a for a in labels if a in needed]


def _outer_product(x: Array, x_labels: Labels, y: Array, y_labels: Labels, made: Labels) -> Array:
    """Nothing is summed: elementwise."""
    sizes = {**dict(zip(y_labels, y.type.shape, strict=True)), **dict(zip(x_labels, x.type.shape, strict=True))}
    shape = tuple(sizes[label] for label in made)
    grown = []
    for v, labels in ((x, list(x_labels)), (y, list(y_labels))):
        order = sorted(range(len(labels)), key=lambda i, labels=labels: list(made).index(labels[i]))  # type: ignore[misc]
        dims = tuple(sorted(list(made).index(label) for label in labels))
        moved = transpose(v, tuple(order))
        grown.append(op("broadcast", moved, shape=shape, dims=dims) if moved.type.shape != shape else moved)
    return op("mul", *grown)


def places(labels: Labels, wanted: Labels) -> Shape:
    """Which axes some labels name."""
    return tuple(list(labels).index(label) for label in wanted)


def _without_repeated(x: Array, labels: Labels, y: Array, y_labels: Labels) -> tuple[Array, Labels]:
    """Without the axes of size 1 that the other operand repeats."""
    size = dict(zip(y_labels, y.type.shape, strict=True))
    keep = [i for i, (label, n) in enumerate(zip(labels, x.type.shape, strict=True)) if n != 1 or size.get(label, 1) == 1]
    if len(keep) == len(labels):
        return x, labels
    return reshape(x, tuple(x.type.shape[i] for i in keep)), [labels[i] for i in keep]


def _pair(where: str, a: ArrayLike, b: ArrayLike, preferred_element_type: Any = None) -> tuple[Array, Array]:
    x, y = promoted(where, [a, b], None if preferred_element_type is None else dtype_name(preferred_element_type))
    return x, y


def _are_vectors_or_matrices(x: Array, y: Array) -> bool:
    """Whether x's last axis and y's first one are what is summed over, as they are for nearly all products."""
    ranks = 1 <= x.type.rank <= 2 and 1 <= y.type.rank <= 2
    return ranks and x.type.shape[-1] == y.type.shape[0] and x.type.dtype != BOOL


def matmul(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The matrix product of the last two axes, the axes before them broadcast. A vector is a row on the left, else a column.

    Raises ShapeError for operands without axes and where the summed sizes differ. precision: a `lax.Precision` that will do.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.matmul(jnp.array([[1, 2], [3, 4]]), jnp.array([1, 1])))
    [3 7]
    """
    x, y = _pair("matmul", a, b, preferred_element_type)
    params = asked("matmul", precision, x.type.dtype)
    if _are_vectors_or_matrices(x, y):
        return op("dot_general", x, y, dims=(((x.type.rank - 1,), (0,)), ((), ())), **params)
    if not x.type.rank or not y.type.rank:
        raise ShapeError(f"matmul: operands need axes, got shapes {x.type.shape} and {y.type.shape}; use * for numbers")
    if x.type.shape[-1] != y.type.shape[-2 if y.type.rank > 1 else 0]:
        raise ShapeError(
            f"matmul: the last axis of the first operand and the last but one of the second must have one size, got shapes "
            f"{x.type.shape} and {y.type.shape}. Transpose one with x.T or x.mT, or name the axes with einsum."
        )
    broadcast_shape("matmul", (x.type.shape[:-2], y.type.shape[:-2]))
    outer = max(x.type.rank, y.type.rank) - 2
    x_labels = [*range(outer - (x.type.rank - 2), outer), *(["row"] if x.type.rank > 1 else []), "sum"]
    y_labels = [*range(outer - (y.type.rank - 2), outer), "sum", *(["column"] if y.type.rank > 1 else [])]
    out = [*range(max(outer, 0)), *(["row"] if x.type.rank > 1 else []), *(["column"] if y.type.rank > 1 else [])]
    x_labels, y_labels = (
        [label for label in labels if not isinstance(label, int) or label >= 0] for labels in (x_labels, y_labels)
    )
    return contract(x, x_labels, y, y_labels, out, params)


def dot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of products over the last axis of a and the last but one (of a vector the only one) of b; of numbers the product.

    Raises ShapeError where these sizes differ.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.dot(jnp.array([1, 2]), jnp.array([3, 4])))
    11
    """
    x, y = _pair("dot", a, b, preferred_element_type)
    params = asked("dot", precision, x.type.dtype)
    if _are_vectors_or_matrices(x, y):
        return op("dot_general", x, y, dims=(((x.type.rank - 1,), (0,)), ((), ())), **params)
    if not x.type.rank or not y.type.rank:
        return x * y
    return _tensordot("dot", x, y, (x.type.rank - 1,), (max(y.type.rank - 2, 0),), params)


def _tensordot(where: str, x: Array, y: Array, x_axes: Shape, y_axes: Shape, precision: Params) -> Array:
    if [x.type.shape[i] for i in x_axes] != [y.type.shape[j] for j in y_axes]:
        raise ShapeError(
            f"{where}: summed axes must have one size, got shapes {x.type.shape} along {x_axes} and {y.type.shape} along {y_axes}. "
            "Transpose an operand, or choose the axes with tensordot or einsum."
        )
    x_labels: list[Any] = [("x", i) for i in range(x.type.rank)]
    y_labels: list[Any] = [("y", j) for j in range(y.type.rank)]
    for i, j in zip(x_axes, y_axes, strict=True):
        y_labels[j] = x_labels[i]
    out = [label for label in (*x_labels, *y_labels) if not (label in x_labels and label in y_labels)]
    return contract(x, x_labels, y, y_labels, out, precision)


def vdot(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of conj(a) * b over all elements, flattened.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.vdot(jnp.array([1j, 2]), jnp.array([1j, 1])))
    (3+0j)
    """
    x, y = _pair("vdot", a, b, preferred_element_type)
    return _tensordot("vdot", flat(_conj(x)), flat(y), (0,), (0,), asked("vdot", precision, x.type.dtype))


def _conj(x: Array) -> Array:
    return op("conj", x) if x.type.dtype in (C64, C128) else x


def vecdot(x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of conj(x1) * x2 along an axis, the others broadcast. (Array API)

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.vecdot(jnp.ones((2, 3)), jnp.arange(3.0)))
    [3. 3.]
    """
    x, y = _pair("vecdot", x1, x2, preferred_element_type)
    x, y = (_last(v, axis_number("vecdot", axis, v.type.rank)) for v in (x, y))
    if x.type.shape[-1] != y.type.shape[-1]:
        raise ShapeError(f"vecdot: the summed axis must have one size, got {x.type.shape[-1]} and {y.type.shape[-1]}")
    shape = broadcast_shape("vecdot", (x.type.shape, y.type.shape))
    rank, params = len(shape), asked("vecdot", precision, x.type.dtype)
    return contract(_conj(x), range(rank - x.type.rank, rank), y, range(rank - y.type.rank, rank), range(rank - 1), params)


def _last(x: Array, axis: int) -> Array:
    return transpose(x, (*[i for i in range(x.type.rank) if i != axis], axis))


def matvec(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Matrices times vectors: the sum of x1[..., i, j] * x2[..., j], the axes before broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.matvec(jnp.array([[1, 2], [3, 4]]), jnp.array([[1, 0], [0, 1]])))
    [[1 3]
     [2 4]]
    """
    x, y = _pair("matvec", x1, x2)
    if x.type.rank < 2 or not y.type.rank or x.type.shape[-1] != y.type.shape[-1]:
        raise ShapeError(f"matvec: needs matrices and vectors of one size, got shapes {x.type.shape} and {y.type.shape}")
    return reshape_last(matmul(x, reshape(y, (*y.type.shape, 1))))


def vecmat(x1: ArrayLike, x2: ArrayLike, /) -> Array:
    """Vectors times matrices: the sum of conj(x1[..., i]) * x2[..., i, j], the axes before broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.vecmat(jnp.array([1, 0]), jnp.array([[1, 2], [3, 4]])))
    [1 2]
    """
    x, y = _pair("vecmat", x1, x2)
    if y.type.rank < 2 or not x.type.rank or x.type.shape[-1] != y.type.shape[-2]:
        raise ShapeError(f"vecmat: needs vectors and matrices of one size, got shapes {x.type.shape} and {y.type.shape}")
    row = _conj(x)
    out = matmul(reshape(row, (*x.type.shape[:-1], 1, x.type.shape[-1])), y)
    return reshape(out, (*out.type.shape[:-2], out.type.shape[-1]))


def reshape_last(x: Array) -> Array:
    """Without the last axis, of size 1."""
    return reshape(x, x.type.shape[:-1])


def inner(a: ArrayLike, b: ArrayLike, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The sum of products over the last axes of both; of numbers the product.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.inner(jnp.array([1, 2]), jnp.array([3, 4])))
    11
    """
    x, y = _pair("inner", a, b, preferred_element_type)
    params = asked("inner", precision, x.type.dtype)
    if not x.type.rank or not y.type.rank:
        return x * y
    return _tensordot("inner", x, y, (x.type.rank - 1,), (y.type.rank - 1,), params)


def outer(a: ArrayLike, b: ArrayLike, out: None = None) -> Array:
    """Every element of a, flattened, times every one of b: [size of a, size of b].

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.outer(jnp.array([1, 2]), jnp.array([3, 4])))
    [[3 4]
     [6 8]]
    """
    no_out("outer", out)
    x, y = _pair("outer", a, b)
    return reshape(x, (x.type.size, 1)) * reshape(y, (1, y.type.size))


def tensordot(
    a: ArrayLike, b: ArrayLike, axes: int | Sequence[Any] = 2, *, precision: Any = None, preferred_element_type: Any = None
) -> Array:
    """The sum of products over axes: an integer means so many last ones of a and first ones of b; else a pair of axes or of lists.

    Raises ShapeError where sizes differ, ArgumentError where the lists are not equally long.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.tensordot(jnp.ones((2, 3)), jnp.ones((3, 2)), axes=([1, 0], [0, 1])))
    6.0
    """
    x, y = _pair("tensordot", a, b, preferred_element_type)
    params = asked("tensordot", precision, x.type.dtype)
    if isinstance(axes, int):
        if axes > min(x.type.rank, y.type.rank) or axes < 0:
            raise ArgumentError(f"tensordot: cannot sum over {axes} axes of shapes {x.type.shape} and {y.type.shape}")
        return _tensordot("tensordot", x, y, tuple(range(x.type.rank - axes, x.type.rank)), tuple(range(axes)), params)
    if not hasattr(axes, "__len__") or len(axes) != 2:
        raise ArgumentError(f"tensordot: axes must be an integer or a pair, of a's and of b's axes, got {axes!r}")
    one, other = axes
    x_axes = tuple(axis_number("tensordot", i, x.type.rank) for i in (one if is_several(one) else (one,)))
    y_axes = tuple(axis_number("tensordot", j, y.type.rank) for j in (other if is_several(other) else (other,)))
    if len(x_axes) != len(y_axes):
        raise ArgumentError(f"tensordot: as many axes of a as of b are needed, got {one} and {other}")
    return _tensordot("tensordot", x, y, x_axes, y_axes, params)


def kron(a: ArrayLike, b: ArrayLike) -> Array:
    """The Kronecker product: a's elements, each times the whole of b, as blocks.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.kron(jnp.array([1, 2]), jnp.array([1, 1])))
    [1 1 2 2]
    """
    x, y = _pair("kron", a, b)
    rank = max(x.type.rank, y.type.rank)
    one = (1,) * (rank - x.type.rank) + x.type.shape
    other = (1,) * (rank - y.type.rank) + y.type.shape
    spread = reshape(x, tuple(k for n in one for k in (n, 1))) * reshape(y, tuple(k for m in other for k in (1, m)))
    return reshape(spread, tuple(n * m for n, m in zip(one, other, strict=True)))


def trace(a: ArrayLike, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Array:
    """The sum of a diagonal of the matrices along axis1 and axis2; integers are summed in 64 bits.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.trace(jnp.array([[1, 2], [3, 4]])))
    5
    """
    no_out("trace", out)
    x = diagonal(array_arg("trace", a), offset, axis1, axis2)
    x = convert(x, sum_dtype(x.type.dtype) if dtype is None else dtype_name(dtype))
    return reduce_sum(x, (x.type.rank - 1,))


def cross(a: ArrayLike, b: ArrayLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """The vector product of vectors of size 3 (or 2, the third being 0; of two such the third component alone).

    The other axes broadcast; `axis` stands for all three. Raises ShapeError for other sizes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.cross(jnp.array([1, 0, 0]), jnp.array([0, 1, 0])))
    [0 0 1]
    """
    x, y = _pair("cross", a, b)
    number_a, number_b = axis_number("cross", axisa, x.type.rank), axis_number("cross", axisb, y.type.rank)
    if axis is not None:
        number_a, number_b = axis_number("cross", axis, x.type.rank), axis_number("cross", axis, y.type.rank)
    x, y = _last(x, number_a), _last(y, number_b)
    n, m = x.type.shape[-1], y.type.shape[-1]
    if n not in (2, 3) or m not in (2, 3):
        raise ShapeError(f"cross: vectors must have size 2 or 3, got {n} and {m}")
    outer = broadcast_shape("cross", (x.type.shape[:-1], y.type.shape[:-1]))
    at = axis_number("cross", axisc, len(outer) + 1)
    x0, x1, y0, y1 = _component(x, 0), _component(x, 1), _component(y, 0), _component(y, 1)
    third = x0 * y1 - x1 * y0
    if n == m == 2:
        return third
    zero: Any = 0
    x2, y2 = _component(x, 2) if n == 3 else zero, _component(y, 2) if m == 3 else zero
    rows = [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, third]
    out = op("concatenate", *[reshape(broadcast_right(r, outer), (*outer, 1)) for r in rows], axis=len(outer))
    at = at if axis is None else axis_number("cross", axis, out.type.rank)
    return transpose(out, (*range(at), out.type.rank - 1, *range(at, out.type.rank - 1)))


def _component(x: Array, i: int) -> Array:
    """The i-th elements of the last axis, without it."""
    return reshape(slice_axis(x, x.type.rank - 1, i, i + 1), x.type.shape[:-1])
