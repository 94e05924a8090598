"""What `compile` makes of its losses and metrics. `One` is a loss of all targets and predictions; `Several` is the weighted sum of
one loss for each of a model's outputs, which logs have by name, too. `objective_of` and `measures_of` say which it is.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import metrics
from jitgrad.errors import ArgumentError, ShapeError

from .losses import Examples, Loss, resolve_loss
from .metrics import resolve_metric

_OF_ONE_OUTPUT = ("jitgrad.train.losses", "jitgrad.train.loss_formulas", "jitgrad.nn.losses")
"""Where functions are defined that take the targets and the predictions of one output."""


class Output(NamedTuple):
    """One of the outputs of a model: its name, its number, which is None for what is known by its name alone, and how many there
    are."""

    name: str
    number: int | None
    outputs: int

    @property
    def alone(self) -> bool:
        """Whether it is known to be the only one."""
        return self.outputs == 1 and self.number is not None

    def among(self, what: str, values: Any) -> Any:
        """This output's part of targets, predictions or weights, tuples, lists or dicts of arrays; all, where there is no other
        output."""
        if isinstance(values, Mapping) and self.name in values:
            return values[self.name]
        if isinstance(values, (tuple, list)) and self.number is not None and len(values) == self.outputs:
            return values[self.number]
        if self.alone:
            return values
        if isinstance(values, Mapping):
            got = "a dict of " + (", ".join(map(repr, values)) or "nothing")
        elif isinstance(values, (tuple, list)):
            got = f"a {type(values).__name__} of {len(values)}"
        else:
            got = "none" if values is None else "one array"
        wanted = f"a dict with {self.name!r} in it" + ("" if self.number is None else f", or a tuple of {self.outputs}")
        raise ArgumentError(f"train: for the loss or metric of output {self.name!r} {what} must be {wanted}, got {got}")


class One:
    """A loss of all targets and predictions, or of those of the one output that there is, times a factor."""

    logged: tuple[str, ...] = ()

    def __init__(self, loss: Any, factor: float = 1.0, output: Output | None = None) -> None:
        self.loss, self.factor, self.output, self.of_one = resolve_loss(loss), factor, output, _is_of_one_output(loss)

    def __call__(self, targets: Any, predictions: Any, weight: Any) -> tuple[Any, dict[str, Any]]:
        """The loss of a batch, and those that are logged beside it, by name."""
        if self.output is not None:
            targets, predictions = self.output.among("targets", targets), self.output.among("predictions", predictions)
            weight = _weight(self.output, weight)
        if self.of_one and isinstance(predictions, (tuple, list, dict)):
            name = repr(self.loss) if isinstance(self.loss, Examples) else "that compile was given"
            raise ArgumentError(
                f"train: the loss {name} is of one output, and the model gives a {type(predictions).__name__} of "
                f"{len(predictions)}: give compile a list of losses, one an output, a dict of them by name, or a function of all "
                "targets and all predictions"
            )
        if isinstance(weight, (tuple, dict)):
            raise ArgumentError("train: sample_weight for each output needs a loss for each output: a list or a dict of losses")
        value = _reduced(self.loss, targets, predictions, weight)
        return (value if self.factor == 1 else value * self.factor), {}


class Several:
    """The sum of losses, each of an output and times a factor."""

    def __init__(self, parts: list[tuple[Output, Any, float]]) -> None:
        self.parts = parts
        self.logged = tuple(f"{output.name}_loss" for output, _, _ in parts)

    def __call__(self, targets: Any, predictions: Any, weight: Any) -> tuple[Any, dict[str, Any]]:
        """The sum for a batch, and the losses by their names in logs, without their factors."""
        values = [
            _reduced(loss, output.among("targets", targets), output.among("predictions", predictions), _weight(output, weight))
            for output, loss, _ in self.parts
        ]
        total = sum(value * factor for value, (_, _, factor) in zip(values, self.parts, strict=True))
        return total, dict(zip(self.logged, values, strict=True))


class OfOutput(metrics.Metric):
    """A metric of one output of several."""

    def __init__(self, output: Output, metric: metrics.Metric) -> None:
        self.output, self.metric = output, metric

    def init(self) -> Any:
        return self.metric.init()

    def update(self, state: Any, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Any:
        parts = self.output.among("predictions", predictions), self.output.among("targets", targets)
        return self.metric.update(state, *parts, weights=_weight(self.output, weights), where=where)

    def compute(self, state: Any) -> Any:
        return self.metric.compute(state)


def objective_of(where: str, loss: Any, weights: Any, outputs: tuple[str, ...] | None) -> One | Several:
    """What `compile` was given as loss and loss_weights. outputs: their names, None where they are not known before a call."""
    if isinstance(loss, (list, tuple, dict)):
        given = _by_output(where, "loss", loss, outputs)
    elif outputs is not None and (len(outputs) == 1 or _is_of_one_output(loss)):
        given = _by_output(where, "loss", [loss] * len(outputs), outputs)
    else:
        return One(loss, 1.0 if weights is None else _factor(where, weights))
    if not given:
        raise ArgumentError(f"{where}: no output has a loss, got loss={loss!r}")
    if weights is None:
        factors = {}
    elif isinstance(weights, (list, tuple, dict)):
        names = outputs or (tuple(loss) if isinstance(loss, dict) else _numbered(len(loss)))
        factors = {output.name: _factor(where, w) for output, w in _by_output(where, "loss_weights", weights, names)}
    elif given[0][0].alone:
        factors = {given[0][0].name: _factor(where, weights)}
    else:
        raise ArgumentError(f"{where}: loss_weights must be a list or a dict of numbers, one an output, got {weights!r}")
    if without := set(factors) - {output.name for output, _ in given}:
        raise ArgumentError(f"{where}: loss_weights has a weight for {', '.join(map(repr, sorted(without)))}, which has no loss")
    first, value = given[0]
    if first.alone:
        return One(value, factors.get(first.name, 1.0), first)
    return Several([(output, resolve_loss(value), factors.get(output.name, 1.0)) for output, value in given])


def measures_of(
    where: str, objective: One | Several, outputs: tuple[str, ...] | None, plain: Any, weighted: Any
) -> tuple[dict[str, metrics.Metric], frozenset[str]]:
    """The metrics of `compile` by their names in logs, and which of them take examples by their weights."""
    first, second = (_named(f"{where}", n, objective, outputs, m) for n, m in (("metrics", plain), ("weighted_metrics", weighted)))
    found = _distinct(first, second, {"loss", *objective.logged})
    return found, frozenset([*found][len(first) :])


def _by_output(where: str, what: str, given: Any, outputs: tuple[str, ...] | None) -> list[tuple[Output, Any]]:
    """What is given for each output by name or in order, without those that are given None."""
    if isinstance(given, dict):
        names = outputs or tuple(given)
        if unknown := [name for name in given if name not in names]:
            raise ArgumentError(
                f"{where}: {what} names {', '.join(map(repr, unknown))}, which the model has no output of. Its outputs, which "
                f"have the names of the layers that give them: {', '.join(map(repr, names))}"
            )
        pairs = [(name, given[name]) for name in names if name in given]
    else:
        names = outputs or _numbered(len(given))
        if len(given) != len(names):
            raise ArgumentError(
                f"{where}: {what} as a list must have one entry for each of the {len(names)} outputs "
                f"({', '.join(map(repr, names))}), got {len(given)}"
            )
        pairs = list(zip(names, given, strict=True))
    ordered = outputs is not None or not isinstance(given, dict)
    return [(Output(n, names.index(n) if ordered else None, len(names)), v) for n, v in pairs if v is not None]


def _numbered(count: int) -> tuple[str, ...]:
    """Names of outputs that have none."""
    return tuple(f"output_{number}" for number in range(count))


def _is_of_one_output(loss: Any) -> bool:
    """Whether the loss compares the targets and the predictions of one output."""
    loss = loss.func if isinstance(loss, functools.partial) else loss
    kind = loss if isinstance(loss, type) else type(loss)
    return kind is str or issubclass(kind, Loss) or getattr(loss, "__module__", None) in _OF_ONE_OUTPUT


def _factor(where: str, weight: Any) -> float:
    if isinstance(weight, (list, tuple)) and len(weight) == 1:
        weight = weight[0]
    if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)) or not np.isfinite(weight):
        raise ArgumentError(f"{where}: a weight of a loss must be a finite number, got {weight!r}")
    return float(weight)


def _reduced(loss: Any, targets: Any, predictions: Any, weight: Any) -> Any:
    """One number of a loss of each example, or of all."""
    losses = jnp.asarray(loss(targets, predictions))
    if weight is not None and (not losses.ndim or losses.shape[0] != weight.shape[0]):
        raise ShapeError(
            "train: with weights of examples or classes the loss must give one number an example, "
            f"[{weight.shape[0]}], got {list(losses.shape)}. Leave the mean out of the loss."
        )
    if hasattr(loss, "reduced"):
        return loss.reduced(losses, weight)
    if weight is None:
        return jnp.mean(losses)
    return jnp.mean(losses * weight.astype(losses.dtype).reshape(-1, *[1] * (losses.ndim - 1)))


def _weight(output: Output, weight: Any) -> Any:
    """An output's weights: its own, where there are some for each, or those of all."""
    return output.among("sample_weight", weight) if isinstance(weight, (tuple, list, dict)) else weight


def _named(
    where: str, what: str, objective: One | Several, outputs: tuple[str, ...] | None, given: Any
) -> list[tuple[str, metrics.Metric]]:
    """Metrics and their names, as `compile` was given them: none, one, or several, for each output or for all."""
    if given is None:
        return []
    entries = (list, tuple, str) if len(outputs or ()) > 1 else (list, tuple)
    nested = isinstance(given, entries) and any(isinstance(m, entries) for m in given)
    if nested or isinstance(given, dict) or isinstance(objective, Several):
        if not isinstance(given, (dict, list, tuple)):
            raise ArgumentError(f"{where}: {what} of several outputs are a list or a dict, one entry an output, got {given!r}")
        losses = {output.name: loss for output, loss, _ in objective.parts} if isinstance(objective, Several) else {}
        return [
            _of_output(output, *resolve_metric(metric, losses.get(output.name, getattr(objective, "loss", None))))
            for output, value in _by_output(where, what, given, outputs or _names_of(objective))
            for metric in _as_list(value)
        ]
    if objective.output is None:
        return [resolve_metric(metric, objective.loss) for metric in _as_list(given)]
    return [_of_output(objective.output, *resolve_metric(metric, objective.loss)) for metric in _as_list(given)]


def _names_of(objective: One | Several) -> tuple[str, ...] | None:
    """The names of outputs that losses were given for, where these are all there are."""
    if isinstance(objective, One) or objective.parts[0][0].number is None:
        return None
    return _numbered(objective.parts[0][0].outputs)


def _of_output(output: Output, name: str, metric: metrics.Metric) -> tuple[str, metrics.Metric]:
    """A metric of an output and its name, in front of which the output's is where there are several."""
    return name if output.alone else f"{output.name}_{name}", OfOutput(output, metric)


def _as_list(metrics: Any) -> list[Any]:
    return list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]


def _distinct(
    plain: Iterable[tuple[str, metrics.Metric]], weighted: Iterable[tuple[str, metrics.Metric]], taken: set[str]
) -> dict[str, metrics.Metric]:
    """Metrics by their names, made distinct: those that are weighted by "weighted_" in front, the others by numbers."""
    found: dict[str, metrics.Metric] = {}
    for prefix, name, metric in (*(("", *pair) for pair in plain), *(("weighted_", *pair) for pair in weighted)):
        numbers = itertools.count(1)
        distinct = name = f"{prefix}{name}" if name in found else name
        while distinct in found or distinct in taken:
            distinct = f"{name}_{next(numbers)}"
        found[distinct] = metric
    return found
