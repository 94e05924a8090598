"""What `fit` shows while it runs: a tqdm bar an epoch (verbose=1), a line an epoch (2), or nothing (0)."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Mapping
from typing import Any

from jitgrad.errors import ArgumentError

EVERY_SECONDS = 0.05
"""How much time passes from one look of a bar to the next."""


def verbosity(where: str, verbose: Any) -> int:
    """0, 1 or 2; "auto" is 1 where tqdm is installed, 2 elsewhere."""
    if verbose == "auto":
        return 2 if importlib.util.find_spec("tqdm") is None else 1
    if verbose not in (0, 1, 2):
        raise ArgumentError(f'{where}: verbose is "auto", 0 (silent), 1 (a bar) or 2 (a line an epoch), got {verbose!r}')
    return int(verbose)


def text(logs: Mapping[str, Any]) -> dict[str, str]:
    """Numbers of logs as they are shown; arrays are not."""
    return {name: f"{x:.4g}" for name, x in logs.items() if isinstance(x, float)}


class Bar:
    """The progress of one epoch or one pass over data."""

    def __init__(self, verbose: int, label: str, total: int | None) -> None:
        self.verbose, self.label, self.started = verbose, label, time.perf_counter()
        self.bar: Any = None
        self.shown = 0.0
        if verbose == 1:
            try:
                tqdm = importlib.import_module("tqdm").tqdm
            except ImportError:
                raise ArgumentError(
                    "train: verbose=1 draws its bar by tqdm. Install it with pip install 'jitgrad[train]', or set verbose=2."
                ) from None
            self.bar = tqdm(total=total, desc=label, unit="batch", mininterval=0)

    def due(self) -> bool:
        """Whether it is time to show something."""
        return self.bar is not None and time.perf_counter() - self.shown > EVERY_SECONDS

    def show(self, done: int, logs: Mapping[str, Any]) -> None:
        if self.bar is not None:
            self.bar.set_postfix(text(logs), refresh=False)
            self.bar.update(done - self.bar.n)
            self.shown = time.perf_counter()

    def close(self, done: int | None = None, logs: Mapping[str, Any] | None = None) -> None:
        """The end, with what is known now; without it, nothing new is shown."""
        if done is not None and logs is not None:
            self.show(done, logs)
            if self.verbose == 2:
                numbers = " - ".join(f"{name}: {x}" for name, x in text(logs).items())
                print(f"{self.label} - {time.perf_counter() - self.started:.1f} s - {numbers}", file=sys.stdout, flush=True)
        if self.bar is not None:
            self.bar.close()
