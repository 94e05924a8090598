"""The first thing to try on a device: does anything work at all?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data

from .checks import PLACE, Check, Figures, agree, on_both


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _there_and_back() -> Figures:
    for size in (0, 1, 1000, 3_000_001):
        x = _numbers(size)
        agree(np.asarray(PLACE.put(x)), x)
    return None


def _eager() -> Figures:
    x = _numbers(50, 20)
    y = PLACE.put(x)
    PLACE.assert_here(y + y)
    return {"apart": agree([np.asarray(jnp.exp(y) * 2 - y), np.asarray(y.sum(0))], [np.exp(x) * 2 - x, x.sum(0)])}


def _default_device() -> Figures:
    with jitgrad.default_device(PLACE.device):
        PLACE.assert_here(jnp.ones(3) + jitgrad.random.normal(jitgrad.random.key(0), (3,)))
    return None


def _batches_brought_aside() -> Figures:
    """Large batches, so that an upload that came too late, or too early into memory that is still read, would show."""
    x = _numbers(40, 1 << 20)
    total = jitgrad.jit(lambda s, x: s + jnp.tanh(x).sum(0))
    found = PLACE.put(np.zeros(1 << 20, np.float32))
    for batch in data.from_arrays(x).batch(2).prefetch(3, device=PLACE.device):
        PLACE.assert_here(batch)
        found = total(found, batch)
    return {"apart": agree(np.asarray(found), np.tanh(x).sum(0), floor=40)}


def checks() -> Iterator[Check]:
    yield Check("arrays to the device and back", _there_and_back)
    yield Check("a map", lambda: on_both(lambda x, y, z: (2 * x + y) * z - x, *(_numbers(100_003) for _ in range(3))))
    yield Check("a sum", lambda: on_both(lambda x: x.sum(), _numbers(1_000_003)))
    yield Check("a product", lambda: on_both(lambda x, y: x @ y, _numbers(300, 200), _numbers(200, 257)))
    yield Check("a gradient", lambda: on_both(jitgrad.grad(lambda w, x: jnp.tanh(x @ w).sum()), _numbers(20, 7), _numbers(33, 20)))
    yield Check("eager mode", _eager)
    yield Check("the default device", _default_device)
    yield Check("batches brought while others are computed with", _batches_brought_aside)
