"""All batches of data in memory in one native call: `train_epoch`, `test_all`, `predict_all`, to be compiled.

The loop asks `Watch`, a function of Python, now and then: it draws the progress, and says when to ask again, or to stop after
the step. So a bar moves, and Ctrl-C ends the loop between two steps, at a price that does not depend on how short steps are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import lax, random, tree
from jitgrad.callbacks import io_callback
from jitgrad.tracing import ShapeDtypeStruct

from .bars import EVERY_SECONDS
from .steps import Batch, Recipe, State, Totals, called, check_predictions, rows_of

STOP = np.int64(-1)


class Watch:
    """What a loop asks. `show(batches done, logs)` is called with each question; `stopping` says whether to stop.

    What `show` raises ends the loop, too, and is kept in `error`: the caller raises it when it has what the loop gave.
    """

    def __init__(self) -> None:
        self.seconds = math.inf
        """How long a batch took lately."""
        self.begin(lambda done, logs: None, lambda: False)

    def begin(self, show: Callable[[int, Mapping[str, Any]], None], stopping: Callable[[], bool]) -> np.int64:
        """Before a run: after how many batches to ask first."""
        self.show, self.stopping = show, stopping
        self.error: BaseException | None = None
        self._done, self._time = 0, time.perf_counter()
        return self._next(0)

    def end(self, done: int) -> None:
        """After a run of so many batches."""
        if done > self._done:
            self.seconds = (time.perf_counter() - self._time) / (done - self._done)

    def __call__(self, done: Any, logs: Mapping[str, Any]) -> np.int64:
        self.end(int(done))
        try:
            self.show(int(done), logs)
        except BaseException as error:  # it must not leave through native code, which would lose the steps done so far
            self.error = error
            return STOP
        self._done, self._time = int(done), time.perf_counter()
        return STOP if self.stopping() else self._next(self._done)

    def _next(self, done: int) -> np.int64:
        return np.int64(done + max(1, int(EVERY_SECONDS / max(self.seconds, 1e-9))))


class _Loop(NamedTuple):
    done: Any
    ask: Any
    """After how many batches to ask next."""
    good: Any
    """Whether the loop is to go on, as far as the batches say."""
    carry: Any


def _over_batches(step: Any, carry: Any, count: int, size: int, logs: Any, watch: Watch, ask: Any) -> _Loop:
    """The carry after `step(carry, first row, rows) -> carry, good` for the batches of `count` examples, the last one smaller where
    they do not divide. A step that is not good is the last."""

    def turn(loop: _Loop) -> _Loop:
        carry, good = step(loop.carry, loop.done * size, size)
        done = loop.done + 1
        ask = lax.cond(
            good & (done == loop.ask),
            lambda: io_callback(watch, ShapeDtypeStruct((), "int64"), done, logs(carry), ordered=True),
            lambda: loop.ask,
        )
        return _Loop(done, ask, good, carry)

    whole, rest = divmod(count, size)
    first = _Loop(jnp.int64(0), jnp.int64(ask), jnp.asarray(True), carry)
    loop = lax.while_loop(lambda loop: (loop.done < whole) & (loop.ask > loop.done) & loop.good, turn, first) if whole else first
    if not rest:
        return loop

    def last() -> _Loop:
        carry, good = step(loop.carry, whole * size, rest)
        return _Loop(loop.done + 1, loop.ask, good, carry)

    return lax.cond((loop.done == whole) & (loop.ask > loop.done) & loop.good, last, lambda: loop) if whole else last()


class Trained(NamedTuple):
    """What an epoch gives: the state after the last whole step, the logs so far, how many batches there were, and whether all
    losses were finite."""

    state: State
    logs: dict[str, Any]
    done: Any
    finite: Any


def train_epoch(recipe: Recipe, watch: Watch, ask: Any, state: State, key: Any, data: Batch, size: int, shuffle: bool) -> Trained:
    """One step with each batch of `size` examples of the data, in an order drawn from the key if `shuffle` is True."""
    count = rows_of(data)
    order = random.permutation(key, count) if shuffle else None

    def step(carry: tuple[State, Totals], first: Any, rows: int) -> tuple[tuple[State, Totals], Any]:
        if order is None:
            batch = _slice(data, first, rows)
        else:
            chosen = lax.dynamic_slice(order, (first,), (rows,))
            batch = tree.map(lambda a: a.at[chosen].get(mode="promise_in_bounds"), data)
        state, totals, finite = recipe.train(*carry, batch)
        return (state, totals), finite

    loop = _over_batches(step, (state, recipe.start()), count, size, lambda carry: recipe.logs(carry[1]), watch, ask)
    return Trained(loop.carry[0], recipe.logs(loop.carry[1]), loop.done, loop.good)


def test_all(recipe: Recipe, watch: Watch, ask: Any, module: Any, data: Batch, size: int) -> dict[str, Any]:
    """The mean loss and the metrics over all of the data."""

    def step(totals: Totals, first: Any, rows: int) -> tuple[Totals, Any]:
        return recipe.test(module, totals, _slice(data, first, rows)), jnp.asarray(True)

    return recipe.logs(_over_batches(step, recipe.start(), rows_of(data), size, recipe.logs, watch, ask).carry)


def predict_all(module: Any, x: Any, size: int) -> Any:
    """The module's results for all rows of x, `size` at a time."""
    whole, rest = divmod(rows_of(x), size)

    def one(first: Any, rows: int) -> Any:
        predictions = called(module, _slice(x, first, rows))
        check_predictions(predictions, rows)
        return predictions

    parts = []
    if whole:
        many = lax.map(lambda i: one(i * size, size), jnp.arange(whole))
        parts.append(tree.map(lambda a: a.reshape(whole * size, *a.shape[2:]), many))
    if rest:
        parts.append(one(whole * size, rest))
    return parts[0] if len(parts) == 1 else tree.map(lambda a, b: jnp.concatenate([a, b]), *parts)


def _slice(data: Any, first: Any, rows: int) -> Any:
    return tree.map(lambda a: lax.dynamic_slice_in_dim(a, first, rows), data)
