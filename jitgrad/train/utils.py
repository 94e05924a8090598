"""Keras' module of tools for data and seeds, over jitgrad.data and jitgrad.random."""

from __future__ import annotations

import random as _random
from typing import Any

import numpy as np

from jitgrad import random
from jitgrad.data import pad_sequences, to_categorical
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


def set_random_seed(seed: int) -> None:
    """Seed the generators of Python, of NumPy and of jitgrad (`random.seed`)."""
    _random.seed(seed)
    np.random.seed(seed)
    random.seed(seed)


__all__ = ["clear_session", "normalize", "pad_sequences", "set_random_seed", "to_categorical"]

_public(__name__)
