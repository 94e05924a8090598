"""What ops that are routines of LAPACK share: a factory, `on_matrices`; and `of_pairs`, such an op of complex numbers in memory.

Such an op does the same to each matrix (or vector) of its operands' last axes; those in front are a batch, the same of all. Its
kernel calls LAPACK: targets/tasks/lapack/. What a routine can't do is NaN.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..errors import DTypeError, ShapeError
from ..ir.builder import Value, bind_all
from ..ir.graph import BATCH, OPS, Op, Rules
from ..ir.types import F32, F64, NAMES, ArrayType, DType
from .define import ACCEPTS, broadcast_batch

Shape = tuple[int, ...]


class Routine(NamedTuple):
    """What an op on matrices takes and gives."""

    ranks: tuple[int, ...]
    """How many of the last axes of each operand are a matrix's, or a vector's."""
    results: Callable[..., Sequence[tuple[Shape, DType]]]
    """(element type, *shapes of one matrix each, **params) -> shapes and types of the results of one; raises ShapeError."""

    def core(self, types: Sequence[ArrayType]) -> list[Shape]:
        """The shapes of one matrix of each operand."""
        return [t.shape[t.rank - r :] for t, r in zip(types, self.ranks, strict=True)]

    def lead(self, types: Sequence[ArrayType]) -> Shape:
        """The shape of the batch."""
        return types[0].shape[: types[0].rank - self.ranks[0]]


ROUTINES: Rules[Routine] = Rules("a routine on matrices")


@cache
def scipy_linalg() -> Any:
    """The gate to scipy.linalg, which is imported when a reference first needs it."""
    return importlib.import_module("scipy.linalg")


def complex_type(dtype: DType) -> DType:
    """The complex type of as many bits a part."""
    found = dtype if dtype.is_complex else dtype.computed.complex
    assert found is not None
    return found


def on_matrices(
    name: str,
    ranks: tuple[int, ...],
    results: Callable[..., Sequence[tuple[Shape, DType]]],
    numpy: Callable[..., Any],
    *,
    transpose: Callable[..., Any] | None = None,
    batch: Callable[..., Any] | None = None,
    no_derivative: str = "",
    doc: str,
) -> Op:
    """An op of a Routine. `numpy` is its reference for whole batches."""
    routine = Routine(ranks, results)

    def infer(*types: ArrayType, **params: Any) -> tuple[ArrayType, ...]:
        if len(types) != len(ranks):
            raise TypeError(f"{name} takes {len(ranks)} operands, got {len(types)}")
        for t, rank in zip(types, ranks, strict=True):
            if t.rank < rank:
                raise ShapeError(f"{name}: takes matrices of {rank} axes, got {t}")
        inexact = [t for t in types if not t.dtype.is_integer]
        if any(t.dtype not in ACCEPTS["inexact"] or t.dtype != types[0].dtype for t in inexact) or inexact[:1] != [types[0]]:
            raise DTypeError(f"{name}: operands must have one float or complex element type, got {', '.join(map(str, types))}")
        lead = routine.lead(types)
        if any(t.shape[: t.rank - r] != lead for t, r in zip(types, ranks, strict=True)):
            raise ShapeError(f"{name}: operands must be batches of one shape, got {', '.join(map(str, types))}")
        return tuple(ArrayType((*lead, *s), d) for s, d in results(types[0].dtype, *routine.core(types), **params))

    op = Op(name, infer, numpy, kind="matrices", transpose=transpose, no_derivative=no_derivative, doc=doc)
    BATCH[op] = batch or whole_batch(op)
    ROUTINES[op] = routine
    return op


def whole_batch(op: Op) -> Callable[..., Any]:
    """The batching rule of ops whose leading axes are a batch: all operands get one more."""

    def rule(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return bind_all(op, *[broadcast_batch(a, size, b) for a, b in zip(args, batched, strict=True)], **params)

    return rule


def square(name: str, shape: Shape) -> int:
    """The size of a square matrix."""
    if shape[-1] != shape[-2]:
        raise ShapeError(f"{name}: takes square matrices, got shape {shape}")
    return shape[-1]


def each_matrix(function: Callable[..., Any], routine: Op, *arrays: Any, **params: Any) -> tuple[Any, ...]:
    """A reference that does one matrix at a time: `function(*matrices)` gives a tuple of arrays, or raises LinAlgError, and then
    all results that can be are NaN.
    """
    found = ROUTINES[routine]
    values = [np.asarray(a) for a in arrays]
    lead = values[0].shape[: values[0].ndim - found.ranks[0]]
    shapes = [v.shape[len(lead) :] for v in values]
    outs = [np.empty((*lead, *s), d.numpy) for s, d in found.results(NAMES[values[0].dtype], *shapes, **params)]
    if not lead:
        _write(outs, function, values)
        return tuple(outs)
    count = math.prod(lead)
    rows = [v.reshape(count, *s) for v, s in zip(values, shapes, strict=True)]
    flat = [o.reshape(count, *o.shape[len(lead) :]) for o in outs]
    for n in range(count):
        _write([o[n, ...] for o in flat], function, [r[n] for r in rows])
    return tuple(outs)


def _write(outs: Sequence[Any], function: Callable[..., Any], matrices: Sequence[Any]) -> None:
    try:
        made = function(*matrices)
    except np.linalg.LinAlgError:
        made = [np.nan if o.dtype.kind in "fc" else 0 for o in outs]
    for o, m in zip(outs, made, strict=True):
        o[...] = m


def finite_alone(one: Callable[..., Any]) -> Callable[..., Any]:
    """What is done to one matrix, or several, of which none may have a NaN or an infinity."""

    def checked(*matrices: Any) -> Any:
        if not all(np.isfinite(a).all() for a in matrices):
            raise np.linalg.LinAlgError
        return one(*matrices)

    return checked


def nan_unless_finite(a: Any, *results: Any) -> tuple[Any, ...]:
    """The results, NaN for matrices with a NaN or an infinity: routines pass those on here and drop them there."""
    if np.isfinite(np.add.reduce(a, axis=None)):  # which is cheap, and may overflow
        return results
    return nan_where(~np.isfinite(a).all((-2, -1)), *results)


def nan_where(spoilt: Any, *results: Any) -> tuple[Any, ...]:
    """The results, NaN for those matrices of a batch."""
    made = []
    for r in map(np.asarray, results):
        nan = r.dtype.type(complex(math.nan, math.nan) if r.dtype.kind == "c" else math.nan)
        made.append(np.where(np.reshape(spoilt, np.shape(spoilt) + (1,) * (r.ndim - np.ndim(spoilt))), nan, r))
    return tuple(made)


# -- complex numbers in memory


def _complex(t: ArrayType) -> ArrayType:
    return t if t.dtype.is_integer else ArrayType(t.shape[:-1], complex_type(t.dtype))


def _pairs(t: ArrayType) -> ArrayType:
    return ArrayType((*t.shape, 2), t.dtype.real) if t.dtype.is_complex else t


def _type_of_pairs(*types: ArrayType, of: str, complex_operands: bool, **params: Any) -> tuple[ArrayType, ...]:
    for t in types:
        if t.dtype not in (F32, F64) and not t.dtype.is_integer or complex_operands and t.dtype.is_float and t.shape[-1:] != (2,):
            raise DTypeError(f"of_pairs: takes pairs of float32 or float64, got {t}")
    given = [_complex(t) for t in types] if complex_operands else types
    return tuple(map(_pairs, OPS[of].types(given, params)))


def _numpy_of_pairs(*arrays: Any, of: str, complex_operands: bool, **params: Any) -> Any:
    given = [
        np.ascontiguousarray(a).view(np.result_type(a, np.complex64))[..., 0] if complex_operands and a.dtype.kind == "f" else a
        for a in map(np.asarray, arrays)
    ]
    outs = OPS[of].numpy(*given, **params)
    outs = outs if isinstance(outs, tuple) else (outs,)
    split = [np.ascontiguousarray(o)[..., None] for o in map(np.asarray, outs)]
    return tuple(o.view(o.real.dtype) if o.dtype.kind == "c" else o[..., 0] for o in split)


of_pairs = Op(
    "of_pairs", _type_of_pairs, _numpy_of_pairs, kind="matrices", no_derivative="it is made when derivatives are taken",
    doc="An op on matrices whose complex operands and results lie in memory as pairs of real numbers, the last axis of two.",
)  # fmt: skip
BATCH[of_pairs] = whole_batch(of_pairs)
