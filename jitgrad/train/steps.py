"""What training does with one batch, as pure functions: `Recipe.train` and `Recipe.test`. Next on the path: epochs.py, which does
it to all batches of data in memory in one native call; model.py, which keeps the state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import nn, optim, random, tree
from jitgrad.array import Array
from jitgrad.differentiation import value_and_grad
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.metrics import Metric
from jitgrad.nn.parts import modules


class State(NamedTuple):
    """All that a step changes: the module, the optimizer's state, and how many steps there were. Its key stays, and each step folds
    its number into it."""

    module: Any
    optimizer: Any
    key: Any
    step: Any


class Batch(NamedTuple):
    """x: what the module is called with, one array, a tuple of its arguments or a dict of them by name; y: the targets; weight: how
    much each example counts, or None."""

    x: Any
    y: Any = None
    weight: Any = None


class Totals(NamedTuple):
    """What is summed up over batches: losses times examples, examples, and the states of the metrics by name."""

    loss: Any
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
    """A loss, an optimizer and metrics. Both functions of batches are pure, and are compiled by whoever calls them.

    loss(targets, predictions) gives one loss an example, or one number. metrics: by name; those in `weighted` take examples by
    their weights.
    """

    def __init__(self, loss: Callable[..., Any], optimizer: Any, metrics: Mapping[str, Metric], weighted: frozenset[str]) -> None:
        self.loss, self.optimizer, self.metrics, self.weighted = loss, optimizer, dict(metrics), weighted

    def start(self) -> Totals:
        """The totals before the first batch."""
        return Totals(jnp.float64(0), jnp.float64(0), {name: m.init() for name, m in self.metrics.items()})

    def train(self, state: State, totals: Totals, batch: Batch) -> tuple[State, Totals, Array]:
        """The state after a step, the totals with the batch, and whether the loss was finite: where not, both stay as they were."""

        def objective(module: Any) -> Any:
            args, kwargs = arguments(batch.x)
            key = random.fold_in(state.key, state.step)
            predictions, updated = nn.apply(module, *args, train=True, key=key, **kwargs)
            return self._loss(updated, predictions, batch), (updated, predictions)

        (value, (module, predictions)), gradient = value_and_grad(objective, has_aux=True)(state.module)
        updates, optimizer = self.optimizer.update(gradient, state.optimizer, module)
        after = State(optim.apply_updates(module, updates), optimizer, state.key, state.step + 1)
        finite = jnp.isfinite(value)
        state, totals = tree.map(
            lambda new, old: jnp.where(finite, new, old), (after, self._added(totals, value, predictions, batch)), (state, totals)
        )
        return state, totals, finite

    def test(self, module: Any, totals: Totals, batch: Batch) -> Totals:
        """The totals with the batch, which the module is called with in inference."""
        predictions = called(module, batch.x)
        return self._added(totals, self._loss(module, predictions, batch), predictions, batch)

    def logs(self, totals: Totals) -> dict[str, Any]:
        """The mean loss and the metrics, by name."""
        results = {name: m.compute(totals.metrics[name]) for name, m in self.metrics.items()}
        return {"loss": totals.loss / totals.count, **results}

    def _loss(self, module: Any, predictions: Any, batch: Batch) -> Any:
        losses = jnp.asarray(self.loss(batch.y, predictions))
        if batch.weight is not None:
            if not losses.ndim or losses.shape[0] != batch.weight.shape[0]:
                raise ShapeError(
                    "train: with weights of examples or classes the loss must give one number an example, "
                    f"[{batch.weight.shape[0]}], got {list(losses.shape)}. Leave the mean out of the loss."
                )
        if hasattr(self.loss, "reduced"):
            value = self.loss.reduced(losses, batch.weight)
        elif batch.weight is None:
            value = jnp.mean(losses)
        else:
            value = jnp.mean(losses * batch.weight.astype(losses.dtype).reshape(-1, *[1] * (losses.ndim - 1)))
        added = penalty(module)
        return value if added is None else value + added

    def _added(self, totals: Totals, value: Any, predictions: Any, batch: Batch) -> Totals:
        count = rows_of(batch)
        states = {
            name: m.update(totals.metrics[name], predictions, batch.y, weights=batch.weight if name in self.weighted else None)
            for name, m in self.metrics.items()
        }
        return Totals(totals.loss + value.astype("float64") * count, totals.count + count, states)


def check_predictions(predictions: Any, count: int) -> None:
    """Raise ArgumentError where a module does not give one row for each example."""
    for leaf in tree.leaves(predictions):
        if not leaf.ndim or leaf.shape[0] != count:
            raise ArgumentError(
                f"predict: the module must give one row for each of the {count} examples of a batch, got {list(leaf.shape)}"
            )
