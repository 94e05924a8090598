"""The parts of a session, in the order in which they run: the most telling first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import benchmark, families, frozen, models, ops, smoke
from .checks import Check


@dataclass(frozen=True)
class Part:
    """Checks that run in one process after another."""

    checks: Callable[[], Iterator[Check]]
    share: float
    """Of the time that is left, what it may take where time is short."""
    patience: float
    """Seconds that one check may take before it counts as stuck."""
    parallel: bool = False
    """Whether several processes may share the checks: nothing is measured, and most of the work is the processor's."""
    sanitized: str = ""
    """The tool of compute-sanitizer that each check runs under."""


def _of_peer(system: str) -> dict[str, Part]:
    """The workloads in another library."""
    return {
        f"benchmark {system}": Part(functools.partial(benchmark.checks, system), 0.25, 180),
        f"frozen {system}": Part(functools.partial(frozen.checks, system), 0.25, 180),
    }


PARTS: dict[str, Part] = {
    "smoke": Part(smoke.checks, 0.5, 60),
    "families": Part(families.checks, 0.2, 60),
    "models": Part(models.checks, 0.2, 180),
    "benchmark": Part(functools.partial(benchmark.checks, "jitgrad"), 0.25, 120),
    "frozen": Part(functools.partial(frozen.checks, "jitgrad"), 0.3, 120),
    "ops": Part(ops.examples, 0.3, 60, parallel=True),
    **_of_peer("torch"),
    **_of_peer("jax"),
    "gradients": Part(ops.gradients, 0.4, 60, parallel=True),
    "compute-sanitizer": Part(families.checks, 0.6, 180, parallel=True, sanitized="memcheck"),
    "compute-sanitizer, races": Part(families.checks, 0.5, 180, parallel=True, sanitized="racecheck"),
    **_of_peer("torch.compile"),
    "benchmark cupy": Part(functools.partial(benchmark.checks, "cupy"), 0.5, 180),
}
"""What is wrong, and how fast the library is, comes first; then what it is compared with, and what looks at all of it closely."""
