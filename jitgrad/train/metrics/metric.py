"""What Keras' metrics share: a name in logs, and a face that keeps the state, over the pure functions of `jitgrad.metrics`."""

from __future__ import annotations

import re
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import metrics
from jitgrad.errors import ArgumentError


def snake(name: str) -> str:
    """A class's name as it is in logs: MeanSquaredError is mean_squared_error."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class Metric(metrics.Metric):
    """A metric with Keras' face. A subclass has `init`, `update` and `compute`, pure functions of a state as those of
    `jitgrad.metrics.Metric`, which training runs inside its programs; they are called with predictions first.

    name: in logs; by default that of the class. dtype: states are float64.

    >>> import numpy as np
    >>> from jitgrad.train import metrics
    >>> metric = metrics.BinaryAccuracy()
    >>> metric.update_state(np.array([[0.0], [1.0]]), np.array([[0.2], [0.3]]))
    >>> metric.update_state(np.array([[1.0], [1.0]]), np.array([[0.8], [0.7]]))
    >>> print(metric.result())
    0.75
    """

    _state: Any

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = snake(type(self).__name__) if name is None else name
        self.reset_state()

    @property
    def kind(self) -> str:
        """What it measures, by the name of its class."""
        return snake(type(self).__name__)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch in."""
        weights = None if sample_weight is None else jnp.asarray(sample_weight)
        self._state = self.update(self._state, y_pred, y_true, weights=weights)

    def result(self) -> Any:
        """The metric of all batches since the last reset."""
        return self.compute(self._state)

    def reset_state(self) -> None:
        """Begin again."""
        try:
            self._state = self.init()
        except NotImplementedError:
            raise ArgumentError(
                f"train.metrics.{type(self).__name__}: a metric has methods init(), update(state, predictions, targets, *, "
                "weights, where) and compute(state), pure functions of a state, which run inside compiled programs. The mean over "
                "examples of a function f(y_true, y_pred) is metrics=[f]."
            ) from None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"
