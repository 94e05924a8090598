"""The bits of elements read as elements of another type, also of a smaller or a larger one."""

from __future__ import annotations

import numpy as np

from jitgrad_compiler.ir.types import BOOL, DType, unsigned_integer

from .array import Array, from_numpy
from .array_ops import broadcast, convert, op
from .errors import DTypeError, ShapeError


def read_as(where: str, x: Array, dtype: DType) -> Array:
    """x's bits as elements of a type. The parts of an element, the lowest first, are a new last axis; of parts the last axis goes.

    Raises DTypeError for bools and complex numbers, ShapeError for a last axis that has not as many elements as one of the type has
    parts.
    """
    mine = x.type.dtype
    if mine.nbytes == dtype.nbytes:
        return op("bitcast_convert_type", x, dtype=dtype)
    if any(t == BOOL or t.is_complex for t in (mine, dtype)):
        raise DTypeError(f"{where}: {mine.numpy} cannot be read as {dtype.numpy}: only integers and real floats can")
    parts = max(mine.nbytes, dtype.nbytes) // min(mine.nbytes, dtype.nbytes)
    whole, part = (unsigned_integer(8 * f(mine.nbytes, dtype.nbytes)) for f in (max, min))
    rank, shape = x.type.rank, x.type.shape
    shifts = from_numpy(np.arange(0, whole.bits, part.bits).astype(whole.numpy))
    if mine.nbytes > dtype.nbytes:
        spread = broadcast(_same_size(x, whole), (*shape, parts), tuple(range(rank)))
        places = broadcast(shifts, (*shape, parts), (rank,))
        return _same_size(convert(op("shift_right_logical", spread, places), part), dtype)
    if shape[-1:] != (parts,):
        needed = f"{parts} elements of {mine.numpy} make one of {dtype.numpy}, so the last axis must have {parts}"
        raise ShapeError(f"{where}: {needed}, got shape {shape}")
    moved = op("shift_left", convert(_same_size(x, part), whole), broadcast(shifts, shape, (rank - 1,)))
    return _same_size(op("reduce_or", moved, axes=(rank - 1,)), dtype)


def _same_size(x: Array, dtype: DType) -> Array:
    return x if x.type.dtype == dtype else op("bitcast_convert_type", x, dtype=dtype)
