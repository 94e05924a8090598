"""How long something takes on a device, by the clock of the host: many calls behind one another, then the wait for the last."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 7
ROUND_SECONDS = 0.15


def seconds_a_call(call: Callable[[], Any], wait: Callable[[Any], Any]) -> float:
    """The median over some rounds. `wait` returns when what a call gave is there."""
    wait(call())
    wait(call())  # the first may have compiled, the second moved memory
    count = 1
    while (taken := _round(call, wait, count)) < ROUND_SECONDS / 3 and count < 1_000_000:
        count = max(count + 1, min(10 * count, int(count * ROUND_SECONDS / max(taken, 1e-6))))
    return statistics.median(_round(call, wait, count) / count for _ in range(ROUNDS))


def _round(call: Callable[[], Any], wait: Callable[[Any], Any], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        found = call()
    wait(found)
    return time.perf_counter() - begun


def first_call(call: Callable[[], Any], wait: Callable[[Any], Any]) -> float:
    """How long the first takes, which compiles."""
    begun = time.perf_counter()
    wait(call())
    return time.perf_counter() - begun
