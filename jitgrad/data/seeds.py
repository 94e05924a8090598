"""Random numbers of datasets: a generator for a seed, an epoch and a position, which nothing else changes."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError
from jitgrad.random.generator import next_key
from jitgrad.random.keys import key_data


def check_seed(where: str, seed: Any) -> int:
    """The seed, or for None one from the generator that `jitgrad.random.seed` sets."""
    if seed is None:
        high, low = (int(word) for word in np.asarray(key_data(next_key(where))))
        return high << 32 | low
    try:
        number = -1 if isinstance(seed, bool) else index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise ArgumentError(f"{where}: a seed is an integer, 0 or larger, got {seed!r}")
    return number


def generator(seed: int, *places: int) -> np.random.Generator:
    """The generator of a seed at these places: an epoch, an epoch and an element's number."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=places)))
