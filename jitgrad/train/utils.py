"""Keras' module of tools for data and seeds, over jitgrad.data and jitgrad.random."""

from __future__ import annotations

import random as _random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jitgrad import data, random
from jitgrad.data import to_categorical
from jitgrad.errors import ArgumentError
from jitgrad.publishing import public as _public

from .backend import clear_session


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """x divided by its norm of this order along an axis; what is 0 stays 0.

    >>> print(normalize([[3.0, 4.0]]))
    [[0.6 0.8]]
    """
    values = np.asarray(x)
    norms = np.atleast_1d(np.linalg.norm(values, order, axis, keepdims=True))
    norms[norms == 0] = 1
    result: np.ndarray = values / norms
    return result


def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> np.ndarray:
    """Rows of different lengths as one array [rows, maxlen, ...] of a dtype, in which `value` stands in front of a row ("pre") or
    behind it ("post"). Rows that are longer than maxlen, by default the longest, lose their beginning ("pre") or their end.

    Raises ArgumentError where a number does not fit the dtype, which Keras would cut.

    >>> print(pad_sequences([[1, 2, 3], [4]], maxlen=2))
    [[2 3]
     [0 4]]
    """
    where = "train.utils.pad_sequences"
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ArgumentError(f"{where}: {name} must be 'pre' or 'post', got {side!r}")
    rows = [np.asarray(row) for row in sequences]
    if maxlen is not None:
        if isinstance(maxlen, bool) or not isinstance(maxlen, (int, np.integer)) or maxlen < 1:
            raise ArgumentError(f"{where}: maxlen must be a positive integer, got {maxlen!r}")
        rows = [row[-maxlen:] if truncating == "pre" else row[:maxlen] for row in rows]
    if all(not row.size for row in rows):
        return np.full((len(rows), maxlen or 0), value, dtype)
    value = int(value) if float(value).is_integer() else value
    kind = np.result_type(*(row for row in rows if row.size), value if isinstance(value, int) else np.float64)
    wide = [row.astype(kind) if row.size else row for row in rows]
    padded = data.pad_sequences(wide, maxlen, value=value, side="left" if padding == "pre" else "right")
    with np.errstate(invalid="ignore"):
        result: np.ndarray = padded.astype(dtype)
    if np.dtype(dtype).kind in "iu" and (result != padded).any():
        lost = padded[result != padded][0]
        raise ArgumentError(
            f"{where}: {lost} is no number of dtype {np.dtype(dtype)}. Give dtype='float32', or another that holds it"
        )
    return result


_PY_DATASET = "train.utils.PyDataset"


class PyDataset:
    """A dataset that gives its batches by number: a subclass has `__len__`, how many there are, and `__getitem__`, which gives one,
    (x, y) for example. `on_epoch_begin` is called before the first is made, `on_epoch_end` when all have been given.

    workers: how many threads make batches, of which max_queue_size wait; with one each is made when it is needed. Batches come in
    the order of their numbers. Raises ArgumentError for use_multiprocessing=True.

    >>> class Rows(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...
    ...     def __getitem__(self, index):
    ...         return np.full((4, 1), index), np.zeros(4)
    >>> [float(x.sum()) for x, y in Rows(workers=2)]
    [0.0, 4.0]
    """

    workers, max_queue_size = 1, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        if use_multiprocessing:
            raise ArgumentError(f"{_PY_DATASET}: use_multiprocessing=True is not there: workers=n makes batches in n threads")
        for name, value in (("workers", workers), ("max_queue_size", max_queue_size)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ArgumentError(f"{_PY_DATASET}: {name} must be a positive integer, got {value!r}")
        self.workers, self.max_queue_size = int(workers), int(max_queue_size)

    def __len__(self) -> int:
        raise ArgumentError(f"{_PY_DATASET}: {type(self).__name__} must have a method __len__: how many batches there are")

    def __getitem__(self, index: int) -> Any:
        raise ArgumentError(f"{_PY_DATASET}: {type(self).__name__} must have a method __getitem__(index), which gives a batch")

    def on_epoch_begin(self) -> None:
        """Called at the beginning of each pass over the batches."""

    def on_epoch_end(self) -> None:
        """Called at the end of each pass over the batches."""

    def __iter__(self) -> Iterator[Any]:
        self.on_epoch_begin()
        if self.workers == 1:
            yield from (self[index] for index in range(len(self)))
        else:
            yield from data.from_indexable(self).prefetch(self.max_queue_size, threads=self.workers)
        self.on_epoch_end()


Sequence = PyDataset


def set_random_seed(seed: int) -> None:
    """Seed the generators of Python, of NumPy and of jitgrad (`random.seed`)."""
    _random.seed(seed)
    np.random.seed(seed)
    random.seed(seed)


__all__ = ["PyDataset", "Sequence", "clear_session", "normalize", "pad_sequences", "set_random_seed", "to_categorical"]

_public(__name__, constructors=True, arguments=True)
