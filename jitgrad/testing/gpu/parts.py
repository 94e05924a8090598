"""The parts of a session, in the order in which they run: the most telling first."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import benchmark, families, models, ops, smoke
from .checks import Check
from .systems import SYSTEMS


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
    sanitized: bool = False
    """Whether each check runs under compute-sanitizer."""


PARTS: dict[str, Part] = {
    "smoke": Part(smoke.checks, 0.5, 60),
    "families": Part(families.checks, 0.25, 60),
    "models": Part(models.checks, 0.35, 180),
    "ops": Part(ops.examples, 0.3, 60, parallel=True),
    "gradients": Part(ops.gradients, 0.25, 60, parallel=True),
    "benchmark": Part(functools.partial(benchmark.checks, "jitgrad"), 0.4, 120),
    "compute-sanitizer": Part(families.checks, 0.5, 180, parallel=True, sanitized=True),
    **{
        f"benchmark {system}": Part(functools.partial(benchmark.checks, system), 0.4, 180)
        for system in SYSTEMS
        if system != "jitgrad"
    },
}
