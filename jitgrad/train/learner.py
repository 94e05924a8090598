"""`Learner`: the compiled programs of a recipe, and how their results come back to Python: interrupts, losses that are not
finite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jitgrad.jit import jit

from .epochs import Trained, Watch, test_all, train_epoch
from .interrupts import interrupts_noted
from .steps import Batch, Recipe, State, rows_of

Show = Callable[[int, Mapping[str, Any]], None]


class Learner:
    """What `compile` makes. eager: what is done with each batch is not compiled, so that print and pdb in the model see numbers."""

    def __init__(self, recipe: Recipe, eager: bool) -> None:
        self.recipe, self.eager = recipe, eager
        training, testing = self._training, self._testing = Watch(), Watch()

        def epoch(ask: Any, state: State, key: Any, data: Batch, size: int, shuffle: bool) -> Trained:
            return train_epoch(recipe, training, ask, state, key, data, size, shuffle)

        def tests(ask: Any, module: Any, data: Batch, size: int) -> dict[str, Any]:
            return test_all(recipe, testing, ask, module, data, size)

        self._epoch = jit(epoch, static_argnames=("size", "shuffle"))
        self._tests = jit(tests, static_argnames=("size",))
        compiled: Callable[..., Any] = (lambda f: f) if eager else jit
        self.step, self.test, self._logs = compiled(recipe.train), compiled(recipe.test), compiled(recipe.logs)

    def epoch(
        self, state: State, key: Any, data: Batch, size: int, shuffle: bool, show: Show, keep: Callable[[State], None]
    ) -> Trained:
        """An epoch as one native call. `keep` is given the state after its last whole step, also where it ended early, and before
        what ended it is raised: Ctrl-C, or an error of `show`.
        """
        watch = self._training
        with interrupts_noted() as interrupted:
            ask = watch.begin(lambda done, logs: show(done, numbers(logs)), interrupted)
            trained: Trained = self._epoch(ask, state, key, data, size=size, shuffle=shuffle)
            keep(trained.state)
        watch.end(int(trained.done))
        if watch.error is not None:
            raise watch.error
        return trained

    def tests(self, module: Any, data: Batch, size: int, show: Show) -> dict[str, Any]:
        """The loss and the metrics over data in memory, as one native call."""
        watch = self._testing
        with interrupts_noted() as interrupted:
            ask = watch.begin(lambda done, logs: show(done, numbers(logs)), interrupted)
            logs = self._tests(ask, module, data, size=size)
        watch.end(-(-rows_of(data) // size))
        if watch.error is not None:
            raise watch.error
        return numbers(logs)

    def logs(self, totals: Any) -> dict[str, Any]:
        return numbers(self._logs(totals))


def numbers(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Logs as Python's floats, and NumPy arrays where a metric is no number."""
    return {name: float(x) if not np.ndim(x) else np.asarray(x) for name, x in logs.items()}
