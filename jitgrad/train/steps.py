"""What training does with one batch, as pure functions: `Recipe.train` and `Recipe.test`. Next on the path: epochs.py, which does
it to all batches of data in memory in one native call; model.py, which keeps the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import nn, optim, random, tree
from jitgrad.array import Array
from jitgrad.differentiation import value_and_grad
from jitgrad.errors import ArgumentError
from jitgrad.metrics import Metric
from jitgrad.nn.parts import modules

from .objective import One, Several


class State(NamedTuple):
    """All that a step changes: the module, the optimizer's state, and how many steps there were. Its key stays, and each step folds
    its number into it."""

    module: Any
    optimizer: Any
    key: Any
    step: Any


class Batch(NamedTuple):
    """x: what the module is called with, one array, a tuple of its arguments or a dict of them by name; y: the targets; weight: how
    much each example counts, or None; a tuple or dict of that, one an output."""

    x: Any
    y: Any = None
    weight: Any = None


class Totals(NamedTuple):
    """What is summed up over batches: losses times examples, of each output by its name, too, examples, and the states of the
    metrics by name."""

    loss: Any
    parts: dict[str, Any]
    count: Any
    metrics: dict[str, Any]


def rows_of(x: Any) -> int:
    """How many examples a batch or a set of data has."""
    return int(tree.leaves(x)[0].shape[0])


def arguments(x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What x of a Batch is in a module's call."""
    if isinstance(x, tuple):
        return x, {}
    return ((), x) if isinstance(x, dict) else ((x,), {})


def called(module: Any, x: Any) -> Any:
    """The module's result for x of a Batch."""
    args, kwargs = arguments(x)
    return module(*args, **kwargs)


def penalty(module: Any) -> Any:
    """The sum of what the modules inside add to the loss by their method `regularization`."""
    found = [m.regularization() for _, m in modules(module) if hasattr(type(m), "regularization")]
    return sum(found) if found else None


class Recipe:
    """An objective, an optimizer and metrics. Both functions of batches are pure, and are compiled by whoever calls them.

    metrics: by name; those in `weighted` take examples by their weights.
    """

    def __init__(self, objective: One | Several, optimizer: Any, metrics: Mapping[str, Metric], weighted: frozenset[str]) -> None:
        self.objective, self.optimizer, self.metrics, self.weighted = objective, optimizer, dict(metrics), weighted

    def start(self) -> Totals:
        """The totals before the first batch."""
        parts = {name: jnp.float64(0) for name in self.objective.logged}
        return Totals(jnp.float64(0), parts, jnp.float64(0), {name: m.init() for name, m in self.metrics.items()})

    def train(self, state: State, totals: Totals, batch: Batch) -> tuple[State, Totals, Array]:
        """The state after a step, the totals with the batch, and whether the loss was finite: where not, both stay as they were."""

        def objective(module: Any) -> Any:
            args, kwargs = arguments(batch.x)
            key = random.fold_in(state.key, state.step)
            predictions, updated = nn.apply(module, *args, train=True, key=key, **kwargs)
            value, parts = self._loss(updated, predictions, batch)
            return value, (updated, predictions, parts)

        (value, (module, predictions, parts)), gradient = value_and_grad(objective, has_aux=True)(state.module)
        updates, optimizer = self.optimizer.update(gradient, state.optimizer, module)
        after = State(optim.apply_updates(module, updates), optimizer, state.key, state.step + 1)
        finite = jnp.isfinite(value)
        added = self._added(totals, value, parts, predictions, batch)
        state, totals = tree.map(lambda new, old: jnp.where(finite, new, old), (after, added), (state, totals))
        return state, totals, finite

    def test(self, module: Any, totals: Totals, batch: Batch) -> Totals:
        """The totals with the batch, which the module is called with in inference."""
        predictions = called(module, batch.x)
        return self._added(totals, *self._loss(module, predictions, batch), predictions, batch)

    def logs(self, totals: Totals) -> dict[str, Any]:
        """The mean loss, those of outputs and the metrics, by name."""
        parts = {name: total / totals.count for name, total in totals.parts.items()}
        results = {name: m.compute(totals.metrics[name]) for name, m in self.metrics.items()}
        return {"loss": totals.loss / totals.count, **parts, **results}

    def _loss(self, module: Any, predictions: Any, batch: Batch) -> tuple[Any, dict[str, Any]]:
        value, parts = self.objective(batch.y, predictions, batch.weight)
        added = penalty(module)
        return (value if added is None else value + added), parts

    def _added(self, totals: Totals, value: Any, parts: dict[str, Any], predictions: Any, batch: Batch) -> Totals:
        count = rows_of(batch)
        states = {
            name: m.update(totals.metrics[name], predictions, batch.y, weights=batch.weight if name in self.weighted else None)
            for name, m in self.metrics.items()
        }
        sums = {name: totals.parts[name] + part.astype("float64") * count for name, part in parts.items()}
        return Totals(totals.loss + value.astype("float64") * count, sums, totals.count + count, states)


def check_predictions(predictions: Any, count: int) -> None:
    """Raise ArgumentError where a module does not give one row for each example."""
    for leaf in tree.leaves(predictions):
        if not leaf.ndim or leaf.shape[0] != count:
            raise ArgumentError(
                f"predict: the module must give one row for each of the {count} examples of a batch, got {list(leaf.shape)}"
            )
