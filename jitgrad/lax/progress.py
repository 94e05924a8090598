"""A progress bar for a scan: the compiled loop calls back now and then, and tqdm draws."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad import debug
from jitgrad.errors import ArgumentError

from .conditionals import cond

UPDATES = 100
"""How often a bar moves."""


class ProgressBar:
    """What the callbacks of one scan draw on; a new bar begins each time that the loop does."""

    def __init__(self, label: str, steps: int) -> None:
        self.label, self.steps = label, steps
        self.tqdm = _tqdm()
        self.bar: Any = None

    def show(self, step: Any) -> None:
        if step == 0 or self.bar is None:
            self.bar = self.tqdm(total=self.steps, desc=self.label)
        self.bar.update(int(step) - self.bar.n)

    def close(self, steps: Any) -> None:
        self.show(steps)
        self.bar.close()


def _tqdm() -> Any:
    """tqdm's bar. It is an optional package, imported where a bar is asked for."""
    try:
        return importlib.import_module("tqdm").tqdm
    except ImportError:
        raise ArgumentError("lax.scan: progress needs tqdm. Install it with pip install 'jitgrad[train]'.") from None


def counted(f: Callable[..., Any], label: Any, steps: int) -> tuple[Callable[..., Any], ProgressBar]:
    """f with a step counter in front of its carry, which moves the bar."""
    if not isinstance(label, str):
        raise ArgumentError(f"lax.scan: progress must be the label of the bar, a string, got {type(label).__name__}")
    bar, every = ProgressBar(label, steps), max(1, steps // UPDATES)

    @functools.wraps(f)
    def step(state: Any, x: Any) -> Any:
        number, carry = state
        cond(number % every == 0, lambda: debug.callback(bar.show, number), lambda: None)
        out = f(carry, x)
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            return out  # scan tells what is wrong with it
        return (number + 1, out[0]), out[1]

    return step, bar


FIRST = np.int64(0)
