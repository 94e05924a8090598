"""Features of mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import axis_number

from . import elements as parts

AT_ONCE = 1 << 20
"""So many elements are float64 at a time."""


@dataclass(frozen=True)
class Standardizer:
    """(x - mean) / scale, and back. What it knows it learnt from the training data, by `fit`; apply it to test data as it is.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> train, test = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[4.0, 5.0]])
    >>> standard = data.Standardizer.fit(train)
    >>> standard(train).tolist(), standard(test).tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[2.0, 0.0]])
    >>> standard.inverse(standard(test)).tolist()
    [[4.0, 5.0]]
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, x: Any, axis: int | Sequence[int] = 0) -> Standardizer:
        """Means and standard deviations (of the whole: divided by n) along `axis`, which must have axis 0, that of examples, in it.

        The default is one of each feature; of images (n, height, width, channels) `axis=(0, 1, 2)` gives one of each channel. They
        are found in float64, some rows at a time. Features that are constant have scale 1. Integers become `config.default_float`.

        Raises ArgumentError for a feature with NaNs or infinities, and for no rows.
        """
        where = "data.Standardizer.fit"
        array = parts.as_numbers(where, x)
        if array.dtype.kind not in "biuf":
            raise DTypeError(f"{where}: expected real numbers, got {array.dtype}")
        parts.common_length(where, array)
        axes = tuple(axis_number(where, a, array.ndim) for a in ((axis,) if isinstance(axis, int) else axis))
        if 0 not in axes:
            raise ArgumentError(f"{where}: axis must have the examples' axis, 0, in it, got {axis}")
        count = np.prod([array.shape[a] for a in axes])
        mean = sum(block.sum(axes, keepdims=True) for block in _blocks(array))[0] / count
        squares = sum(np.square(block - mean).sum(axes, keepdims=True) for block in _blocks(array))[0] / count
        if not np.isfinite(squares).all():
            bad = tuple(int(i) for i in np.argwhere(~np.isfinite(squares))[0])
            raise ArgumentError(
                f"{where}: the feature at {', '.join(map(str, bad))} has NaNs or infinities; fill or leave out such examples"
            )
        scale = np.sqrt(squares)
        constant = scale <= 64 * np.finfo(np.float64).eps * np.abs(mean)  # up to the rounding of its mean
        scale = np.where(constant, 1, scale)
        kind = array.dtype if np.issubdtype(array.dtype, np.floating) else np.dtype(config.default_float)
        return cls(np.asarray(mean, kind), np.asarray(scale, kind))

    def __call__(self, x: Any) -> Any:
        """x, whose rows are as those of `fit`, standardised: an array of NumPy's, or of jitgrad's if x is one."""
        return (self._checked("data.Standardizer", x) - self.mean) / self.scale

    def inverse(self, x: Any) -> Any:
        """What was standardised, as it was: x * scale + mean."""
        return self._checked("data.Standardizer.inverse", x) * self.scale + self.mean

    def _checked(self, where: str, x: Any) -> Any:
        array = x if hasattr(x, "shape") and hasattr(x, "dtype") else parts.as_numbers(where, x)
        rows = tuple(array.shape[1:])
        fits = len(rows) == self.mean.ndim and all(m in (1, n) for m, n in zip(self.mean.shape, rows, strict=True))
        if not fits:
            raise ShapeError(
                f"{where}: it was fitted to rows of shape {self.mean.shape}, got an array of shape {tuple(array.shape)}"
            )
        return array.astype(self.mean.dtype) if isinstance(array, np.ndarray) and array.dtype.kind in "biu" else array


def _blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """The rows in float64, some at a time."""
    rows = max(1, AT_ONCE // max(1, array[0].size))
    for i in range(0, len(array), rows):
        yield array[i : i + rows].astype(np.float64)
