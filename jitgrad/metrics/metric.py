"""What a metric is: `init`, `update` and `compute`, pure functions whose state is a pytree; and `Running`, which keeps the state.

Next on the path: means.py, then classification.py, ranking.py, regression.py and sequences.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.nn.targets import alike, check_mask, spread

State = Any
DTYPE = "float64"
"""The element type of states and results, in which counts of examples are exact."""


class Metric:
    """A number about predictions and targets, over any number of batches. States are pytrees, so jit, scan and vmap take them.

    state = metric.init(); state = metric.update(state, predictions, targets), batch by batch; metric.compute(state). Called, a
    metric does all of it to one batch.

    weights: how much each example counts, of the targets' shape or its first axes. where: bools of that shape; where False, an
    example counts as absent, whatever its prediction and target are.
    """

    def init(self) -> State:
        """The state before the first batch."""
        raise NotImplementedError

    def update(self, state: State, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> State:
        """The state with a batch taken in."""
        raise NotImplementedError

    def compute(self, state: State) -> Any:
        """The metric of all batches so far."""
        raise NotImplementedError

    def __call__(self, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> Any:
        return self.compute(self.update(self.init(), predictions, targets, weights=weights, where=where))


def importance(where: str, shape: tuple[int, ...], weights: Any, mask: Array | None) -> Array:
    """How much each example counts: weights, 1 by default, and 0 for what is absent."""
    counts = jnp.ones(shape, DTYPE) if weights is None else spread(where, "weights", weights, shape).astype(DTYPE)
    return counts if mask is None else jnp.where(mask, counts, 0)


def reals(where: str, predictions: Any, targets: Any) -> tuple[Array, Array]:
    """Predictions and targets of one shape, which must be real."""
    found = alike(where, predictions, targets)
    if jnp.iscomplexobj(found[0]):
        raise DTypeError(f"{where}: predictions and targets must be real numbers, got {found[0].dtype}")
    return found


def mask_of(where: str, mask: Any, shape: tuple[int, ...]) -> Array | None:
    return None if mask is None else check_mask(where, mask, shape)


def ratio(part: Array, whole: Array, otherwise: Any) -> Array:
    """part / whole, `otherwise` where whole is 0."""
    none = whole == 0
    return jnp.where(none, otherwise, part / jnp.where(none, 1, whole))


class Collection(Metric):
    """Several metrics of the same predictions and targets: states and results are dicts by name.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import metrics
    >>> both = Collection({"accuracy": metrics.Accuracy(), "top2": metrics.TopKAccuracy(2)})
    >>> found = both(jnp.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]), jnp.array([2, 1]))
    >>> print(found["accuracy"], found["top2"])
    0.5 1.0
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        for name, metric in metrics.items():
            if not isinstance(metric, Metric):
                raise ArgumentError(f"metrics.Collection: {name} must be a metric, as metrics.Accuracy() is, got {metric!r}")
        self.metrics = dict(metrics)

    def init(self) -> State:
        return {name: m.init() for name, m in self.metrics.items()}

    def update(self, state: State, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> State:
        return {name: m.update(state[name], predictions, targets, weights=weights, where=where) for name, m in self.metrics.items()}

    def compute(self, state: State) -> dict[str, Any]:
        return {name: m.compute(state[name]) for name, m in self.metrics.items()}


class Running:
    """A metric with its state, for loops in Python.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import metrics
    >>> accuracy = Running(metrics.Accuracy())
    >>> accuracy.update(jnp.array([0, 1]), jnp.array([0, 1]))
    >>> accuracy.update(jnp.array([0, 1]), jnp.array([1, 0]))
    >>> print(accuracy.compute())
    0.5
    """

    def __init__(self, metric: Metric) -> None:
        if not isinstance(metric, Metric):
            raise ArgumentError(f"metrics.Running: takes a metric, as metrics.Accuracy() is, got {metric!r}")
        self.metric = metric
        self.state = metric.init()

    def update(self, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> None:
        """Take a batch in."""
        self.state = self.metric.update(self.state, predictions, targets, weights=weights, where=where)

    def compute(self) -> Any:
        """The metric of all batches since the last reset."""
        return self.metric.compute(self.state)

    def reset(self) -> None:
        """Begin again."""
        self.state = self.metric.init()
