"""What rules about matrices are written with: products, transposes and triangles of Values, of the last two axes.

Everything in front of those is a batch, the same of all operands.
"""

from __future__ import annotations

from ..ir.builder import Value, bind, literal
from ..ir.graph import OPS
from ..ir.types import I64
from .arithmetic import op
from .define import broadcast, convert, transpose_axes, zeros


def product(x: Value, y: Value) -> Value:
    """x y of matrices, or of matrices and vectors [..., n] where y has one axis less."""
    rank = x.type.rank
    batch = tuple(range(rank - 2))
    return bind(OPS["dot_general"], x, y, dims=(((rank - 1,), (rank - 2,)), (batch, batch)))


def transposed(x: Value) -> Value:
    rank = x.type.rank
    return transpose_axes(x, (*range(rank - 2), rank - 1, rank - 2))


def conjugated(x: Value) -> Value:
    return op("conj", x) if x.type.dtype.is_complex else x


def adjoint(x: Value) -> Value:
    """The conjugate transpose."""
    return conjugated(transposed(x))


def real(x: Value) -> Value:
    return op("real", x) if x.type.dtype.is_complex else x


def as_complex(x: Value, like: Value) -> Value:
    """Real numbers in the element type of another value, which may be complex."""
    return convert(x, like.type.dtype)


def where_between(x: Value, comparison: str, k: int = 0) -> Value:
    """x where `row + k` compares so to the column, else 0: "ge" is the lower triangle and its diagonal, "lt" above it."""
    shape = x.type.shape
    rank = len(shape)
    row, column = (op("iota", shape=shape, axis=axis, dtype=I64) for axis in (rank - 2, rank - 1))
    return op("select", op(comparison, row + k if k else row, column), x, zeros(x.type))


def lower(x: Value, k: int = 0) -> Value:
    """The triangle on and below the k-th diagonal."""
    return where_between(x, "ge", k)


def upper(x: Value, k: int = 0) -> Value:
    """The triangle on and above the k-th diagonal."""
    return where_between(x, "le", -k)


def diagonal(x: Value) -> Value:
    """The diagonal [..., n] of square matrices."""
    rank = x.type.rank
    return op("reduce_sum", where_between(x, "eq"), axes=(rank - 2,))


def of_diagonal(x: Value) -> Value:
    """Matrices [..., n, n] with x on their diagonals."""
    return where_between(along_rows(x, x.type.shape[-1]), "eq")


def along_rows(x: Value, rows: int) -> Value:
    """[..., n] as [..., rows, n], the same in every row."""
    shape, rank = x.type.shape, x.type.rank
    return broadcast(x, (*shape[:-1], rows, shape[-1]), (*range(rank - 1), rank))


def along_columns(x: Value, columns: int) -> Value:
    """[..., n] as [..., n, columns], the same in every column."""
    return broadcast(x, (*x.type.shape, columns), tuple(range(x.type.rank)))


def scaled_columns(x: Value, factors: Value) -> Value:
    """x times a diagonal matrix."""
    return x * along_rows(factors, x.type.shape[-2])


def identity_like(x: Value, columns: int | None = None) -> Value:
    """The identity of as many rows as x, batched as x is."""
    n = x.type.shape[-2]
    ones = broadcast(literal(1, x.type.dtype), (*x.type.shape[:-2], n, n if columns is None else columns), ())
    return where_between(ones, "eq")


def block(x: Value, rows: tuple[int, int], columns: tuple[int, int]) -> Value:
    """The rows and columns from the first to below the second number."""
    shape = x.type.shape
    lead = shape[:-2]
    start, limit = (0,) * len(lead) + (rows[0], columns[0]), (*lead, rows[1], columns[1])
    if (start, limit) == ((0,) * len(shape), shape):
        return x
    return op("slice", x, start=start, limit=limit, strides=(1,) * len(shape))


def beside(*blocks: Value) -> Value:
    """Blocks side by side; those without columns are left out."""
    kept = [b for b in blocks if b.type.shape[-1]]
    return op("concatenate", *kept, axis=kept[0].type.rank - 1) if len(kept) > 1 else (kept or blocks)[0]


def below(*blocks: Value) -> Value:
    """Blocks one below the other; those without rows are left out."""
    kept = [b for b in blocks if b.type.shape[-2]]
    return op("concatenate", *kept, axis=kept[0].type.rank - 2) if len(kept) > 1 else (kept or blocks)[0]


def mirrored(x: Value) -> Value:
    """The Hermitian matrix of x's lower triangle."""
    return where_between(x, "gt") + adjoint(where_between(x, "gt")) + as_complex(real(where_between(x, "eq")), x)
