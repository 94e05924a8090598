"""NumPy's counterparts of lax's functions that are more than one op, for calls on arrays that nothing traces (at_once.py).

Those of one op say so where they are made. What is not for one of these, an index outside for example, it raises for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad.at_once import counterpart
from jitgrad.numpy import short_ways as ways
from jitgrad_compiler.ir.graph import OPS

from . import contraction, elementwise, shapes, slicing


def _window(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    """Where a window lies that is inside; negative starts count from the end."""
    ways.needs(type(starts) in (tuple, list) and len(starts) == len(sizes) == x.ndim)
    return tuple([_part(start, size, n) for start, size, n in zip(starts, sizes, x.shape, strict=True)])


def _part(start: Any, size: int, n: int) -> slice:
    if type(start) is not int:
        ways.needs(start.dtype.kind in "iu" and not start.shape)
        start = int(start)
    at = start + n if start < 0 else start
    ways.needs(0 <= at <= n - size)
    return slice(at, at + size)


def _dynamic_slice(x: Any, starts: Sequence[Any], sizes: Sequence[int]) -> Any:
    return x[_window(x, starts, sizes)]


def _dynamic_slice_in_dim(x: Any, start: Any, size: int, axis: int = 0) -> Any:
    axis %= x.ndim
    return x[(slice(None),) * axis + (_part(start, size, x.shape[axis]),)]


def _dynamic_index_in_dim(x: Any, index: Any, axis: int = 0, keepdims: bool = True) -> Any:
    found = _dynamic_slice_in_dim(x, index, 1, axis)
    return found if keepdims else np.squeeze(found, axis)


def _replaced(x: Any, place: tuple[slice, ...], update: Any) -> Any:
    ways.needs(isinstance(update, np.ndarray) and x[place].shape == update.shape)
    out = np.array(x, order="C")
    out[place] = update
    return out


def _dynamic_update_slice(x: Any, update: Any, starts: Sequence[Any]) -> Any:
    ways.needs(isinstance(update, np.ndarray) and update.dtype == x.dtype)
    return _replaced(x, _window(x, starts, update.shape), update)


def _dynamic_update_slice_in_dim(x: Any, update: Any, start: Any, axis: int) -> Any:
    ways.needs(isinstance(update, np.ndarray) and update.dtype == x.dtype and update.ndim == x.ndim)
    axis %= x.ndim
    return _replaced(x, (slice(None),) * axis + (_part(start, update.shape[axis], x.shape[axis]),), update)


def _dynamic_update_index_in_dim(x: Any, update: Any, index: Any, axis: int) -> Any:
    ways.needs(isinstance(update, np.ndarray))
    axis %= x.ndim
    update = update if update.ndim == x.ndim else np.expand_dims(update, axis)
    return _dynamic_update_slice_in_dim(x, update, index, axis)


def _slice(x: Any, starts: Sequence[int], limits: Sequence[int], strides: Sequence[int] | None = None) -> Any:
    ways.needs(len(starts) == len(limits) == x.ndim)
    return x[tuple(map(slice, starts, limits, strides or (None,) * x.ndim))]


COUNTERPARTS: dict[Any, Callable[..., Any]] = {
    shapes.squeeze: np.squeeze,
    slicing.dynamic_index_in_dim: _dynamic_index_in_dim,
    slicing.dynamic_slice: _dynamic_slice,
    slicing.dynamic_slice_in_dim: _dynamic_slice_in_dim,
    slicing.dynamic_update_index_in_dim: _dynamic_update_index_in_dim,
    slicing.dynamic_update_slice: _dynamic_update_slice,
    slicing.dynamic_update_slice_in_dim: _dynamic_update_slice_in_dim,
    slicing.slice: _slice,
}
for _function, _numpys in COUNTERPARTS.items():
    counterpart(_function, _numpys)
counterpart(contraction.dot, ways.product, alike=True)
counterpart(elementwise.round, lambda x: OPS["round_away"].numpy(x), alike=True)
