"""Pieces of a long row of tokens, and of each what comes next: what language models learn from."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError, DTypeError, ShapeError

from . import elements as parts
from .dataset import Dataset, size
from .indexed import Indexed, Positions
from .seeds import check_seed, generator


class Windows(Indexed):
    """(tokens[i : i + length], tokens[i + 1 : i + length + 1]), where i is each multiple of a step."""

    def __init__(self, tokens: np.ndarray, length: int, number: int, step: int) -> None:
        super().__init__()
        self._tokens, self._length, self._number, self._step = tokens, length, number, step

    def _size(self) -> int:
        return self._number

    def _starts(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        return positions * self._step

    def _get(self, epoch: int, i: int) -> Any:
        x, y = self._gather(epoch, range(i, i + 1))
        return x[0], y[0]

    def _gather(self, epoch: int, positions: Positions) -> Any:
        starts = self._starts(epoch, np.asarray(positions))
        places = starts[:, None] + np.arange(self._length)
        return np.asarray(self._tokens[places]), np.asarray(self._tokens[places + 1])


class RandomWindows(Windows):
    """Windows that begin anywhere."""

    def __init__(self, tokens: np.ndarray, length: int, number: int, seed: int) -> None:
        super().__init__(tokens, length, number, 1)
        self._all_starts = functools.lru_cache(2)(lambda epoch: generator(seed, epoch).integers(len(tokens) - length, size=number))

    def _starts(self, epoch: int, positions: np.ndarray) -> np.ndarray:
        return self._all_starts(epoch)[positions]


def windows(tokens: Any, length: int, *, step: int | None = None) -> Dataset:
    """Windows of `length` tokens as pairs (x, y), in which y is x one token later. They begin at 0, step, 2 * step, ...

    step: `length` by default, so that each token is foretold once; a rest that is shorter than a window is left out. Windows are
    cut when they are asked for, from an array that may be memory-mapped; `.shuffle(seed=0).batch(n)` takes them in random order.

    Raises ArgumentError for fewer than length + 1 tokens, DTypeError for what are no integers, ShapeError for more than one axis.

    >>> from jitgrad import data
    >>> x, y = next(iter(data.windows([0, 1, 2, 3, 4, 5, 6, 7], 3).batch(2)))
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    array = _checked("data.windows", tokens, length)
    stride = size("data.windows: step", length if step is None else step)
    return Windows(array, length, (len(array) - length - 1) // stride + 1, stride)


def random_windows(tokens: Any, length: int, number: int | None = None, *, seed: int | None = None) -> Dataset:
    """`number` windows an epoch as `windows` gives them, that begin at random places, others in every epoch.

    number: by default as many as there are windows side by side. seed: equal seeds give equal places; None takes one from the
    generator that `jitgrad.random.seed` sets. Errors are those of `windows`.

    >>> from jitgrad import data
    >>> batches = data.random_windows(range(100), 4, 10, seed=0).batch(5)
    >>> [(x.shape, bool((y == x + 1).all())) for x, y in batches]
    [((5, 4), True), ((5, 4), True)]
    """
    array = _checked("data.random_windows", tokens, length)
    count = (len(array) - 1) // length if number is None else size("data.random_windows", number)
    return RandomWindows(array, length, count, check_seed("data.random_windows", seed))


def _checked(where: str, tokens: Any, length: int) -> np.ndarray:
    array = parts.as_numbers(where, tokens)
    if array.dtype.kind not in "iu":
        raise DTypeError(f"{where}: tokens are integers, got {array.dtype}; a vocabulary's encode makes them of text")
    if array.ndim != 1:
        raise ShapeError(f"{where}: tokens are a row of integers, got shape {array.shape}")
    if len(array) <= size(f"{where}: length", length):
        raise ArgumentError(f"{where}: a window of {length} tokens and the one that follows need {length + 1}, got {len(array)}")
    return array
