"""Metrics that are means over examples: accuracies, errors, losses seen as metrics. A factory makes a class of each function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.metrics import MeanState
from jitgrad.metrics.metric import DTYPE, importance, mask_of
from jitgrad.nn.targets import is_class
from jitgrad.operands import array_arg, inexact_arg
from jitgrad.ranges import Number, Size

from .. import loss_formulas
from ..loss_formulas import labels_of, listed, matched, of_one_rank, over_last
from .metric import Metric, snake


class _Mean(Metric):
    """The weighted mean of `values`, one an example; NaN of nothing."""

    def init(self) -> MeanState:
        return MeanState(jnp.zeros((), DTYPE), jnp.zeros((), DTYPE))

    def values(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError

    def update(self, state: MeanState, predictions: Any, targets: Any, *, weights: Any = None, where: Any = None) -> MeanState:
        name = f"train.metrics.{type(self).__name__}"
        return self._taken(name, state, self.values(targets, predictions), weights, where)

    def _taken(self, name: str, state: MeanState, values: Any, weights: Any, where: Any) -> MeanState:
        found = array_arg(name, values).astype(DTYPE)
        kept = mask_of(name, where, found.shape)
        counts = importance(name, found.shape, weights, kept)
        found = found if kept is None else jnp.where(kept, found, 0)
        return MeanState(state.total + jnp.sum(counts * found), state.weight + jnp.sum(counts))

    def compute(self, state: MeanState) -> Array:
        return state.total / state.weight


class MeanMetricWrapper(_Mean):
    """The mean of a function of targets and predictions that gives one number an example, or one for a batch."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        self.fn, self.options = fn, kwargs
        super().__init__(name or self.kind, dtype)

    @property
    def kind(self) -> str:
        return getattr(self.fn, "__name__", snake(type(self.fn).__name__))

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(*of_one_rank(y_true, y_pred), **self.options)


class Mean(_Mean):
    """The weighted mean of numbers: `update_state(values)`.

    >>> metric = Mean()
    >>> metric.update_state([1.0, 3.0])
    >>> print(metric.result())
    2.0
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        self._state = self._taken("train.metrics.Mean", self._state, jnp.asarray(values), sample_weight, None)

    def __call__(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        self.update_state(values, sample_weight)
        return self.result()


class Sum(Mean):
    """The weighted sum of numbers: `update_state(values)`."""

    def compute(self, state: MeanState) -> Array:
        total: Array = state.total
        return total


class _Formula(_Mean):
    """The mean of a function, whose options are the metric's attributes."""

    formula: ClassVar[Callable[..., Any]]
    options: ClassVar[tuple[str, ...]]
    parameters: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            bound = self.parameters.bind(*args, **kwargs)
        except TypeError as error:
            where = f"train.metrics.{type(self).__name__}"
            raise ArgumentError(f"{where}: {error}. It takes {', '.join(self.parameters.parameters)}.") from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        super().__init__(given.pop("name"), given.pop("dtype"))
        vars(self).update(given)

    def values(self, y_true: Any, y_pred: Any) -> Any:
        return type(self).formula(y_true, y_pred, **{n: getattr(self, n) for n in self.options})


def binary_accuracy(y_true: Any, y_pred: Any, threshold: Number = 0.5) -> Array:
    """The part of elements where the target, 0 or 1, is whether the prediction is above the threshold: one number an example."""
    t, x = matched("train.metrics.binary_accuracy", y_true, y_pred)
    return over_last((t == (x > threshold)).astype(x.dtype))


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Whether the largest prediction is at the class of one-hot targets."""
    t, x = matched("train.metrics.categorical_accuracy", y_true, y_pred)
    return (jnp.argmax(t, axis=-1) == jnp.argmax(x, axis=-1)).astype(x.dtype)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Whether the largest prediction is at the label."""
    labels, x = _labelled("sparse_categorical_accuracy", y_true, y_pred)
    return (labels == jnp.argmax(x, axis=-1)).astype(x.dtype)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: Size = 5) -> Array:
    """Whether the prediction for the class of one-hot targets is among the k of the largest."""
    t, x = matched("train.metrics.top_k_categorical_accuracy", y_true, y_pred)
    return _in_top(jnp.argmax(t, axis=-1), x, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: Size = 5) -> Array:
    """Whether the prediction for the label is among the k of the largest."""
    return _in_top(*_labelled("sparse_top_k_categorical_accuracy", y_true, y_pred), k)


def _labelled(name: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    where = f"train.metrics.{name}"
    x = inexact_arg(where, listed(y_pred))
    if not x.ndim:
        raise ShapeError(f"{where}: predictions must have a last axis of classes, got one number")
    return labels_of(where, y_true, x.shape[:-1]), x


def _in_top(labels: Array, x: Array, k: Size) -> Array:
    own = jnp.sum(jnp.where(is_class(labels, x.shape[-1], labels.ndim), x, 0), axis=-1, keepdims=True)
    known = (labels >= 0) & (labels < x.shape[-1])
    return (known & (jnp.sum(x > own, axis=-1) < k)).astype(x.dtype)


def _kind(y_true: Any, y_pred: Any) -> str:
    """Which of "binary", "categorical" and "sparse" targets and predictions are, by their shapes."""
    shape, predicted = jnp.shape(listed(y_true)), jnp.shape(listed(y_pred))
    if not predicted or predicted[-1] == 1 or (len(predicted) == 1 and shape == predicted):
        return "binary"
    return "sparse" if len(shape) < len(predicted) or shape[-1] == 1 else "categorical"


def _accuracy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Array:
    kind = _kind(y_true, y_pred)
    if kind == "binary":
        return binary_accuracy(y_true, y_pred, 0.0 if from_logits else 0.5)
    return (sparse_categorical_accuracy if kind == "sparse" else categorical_accuracy)(y_true, y_pred)


def _crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Array:
    names = {"sparse": "sparse_categorical_crossentropy"}
    kind = _kind(y_true, y_pred)
    found: Array = getattr(loss_formulas, names.get(kind, f"{kind}_crossentropy"))(y_true, y_pred, from_logits)
    return found


def _metric(
    name: str, formula: Callable[..., Any], label: str | None = None, finish: Callable[[Any], Any] | None = None
) -> type[_Formula]:
    """The class of the mean of a function: name and dtype, and the function's options, in Keras' order."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    options = list(inspect.signature(formula).parameters.values())[2:]
    common = [
        inspect.Parameter("name", kind, default=label or snake(name), annotation="str | None"),
        inspect.Parameter("dtype", kind, default=None, annotation="Any"),
    ]
    first = [p for p in options if p.name in ("k", "fn") or name in ("Accuracy", "Crossentropy")]
    signature = inspect.Signature([*first, *common, *(p for p in options if p not in first)])
    body: dict[str, Any] = {
        "formula": staticmethod(formula),
        "options": tuple(p.name for p in options),
        "parameters": signature,
        "__signature__": signature,
        "__doc__": f"The mean over examples of `{formula.__name__}`, whose options it takes.",
        "__module__": __name__,
    }
    if finish is not None:
        body["compute"] = lambda self, state: finish(state.total / state.weight)
    made: type[_Formula] = new_class(name, (_Formula,), exec_body=lambda namespace: namespace.update(body))
    return made


Accuracy = _metric("Accuracy", _accuracy)
Crossentropy = _metric("Crossentropy", _crossentropy)
BinaryAccuracy = _metric("BinaryAccuracy", binary_accuracy)
CategoricalAccuracy = _metric("CategoricalAccuracy", categorical_accuracy)
SparseCategoricalAccuracy = _metric("SparseCategoricalAccuracy", sparse_categorical_accuracy)
TopKCategoricalAccuracy = _metric("TopKCategoricalAccuracy", top_k_categorical_accuracy)
SparseTopKCategoricalAccuracy = _metric("SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy)
BinaryCrossentropy = _metric("BinaryCrossentropy", loss_formulas.binary_crossentropy)
CategoricalCrossentropy = _metric("CategoricalCrossentropy", loss_formulas.categorical_crossentropy)
SparseCategoricalCrossentropy = _metric("SparseCategoricalCrossentropy", loss_formulas.sparse_categorical_crossentropy)
CategoricalHinge = _metric("CategoricalHinge", loss_formulas.categorical_hinge)
CosineSimilarity = _metric("CosineSimilarity", loss_formulas.cosine_similarity)
Hinge = _metric("Hinge", loss_formulas.hinge)
SquaredHinge = _metric("SquaredHinge", loss_formulas.squared_hinge)
KLDivergence = _metric("KLDivergence", loss_formulas.kl_divergence, "kl_divergence")
LogCoshError = _metric("LogCoshError", loss_formulas.log_cosh, "logcosh")
MeanAbsoluteError = _metric("MeanAbsoluteError", loss_formulas.mean_absolute_error)
MeanAbsolutePercentageError = _metric("MeanAbsolutePercentageError", loss_formulas.mean_absolute_percentage_error)
MeanSquaredError = _metric("MeanSquaredError", loss_formulas.mean_squared_error)
MeanSquaredLogarithmicError = _metric("MeanSquaredLogarithmicError", loss_formulas.mean_squared_logarithmic_error)
Poisson = _metric("Poisson", loss_formulas.poisson)
RootMeanSquaredError = _metric("RootMeanSquaredError", loss_formulas.mean_squared_error, finish=jnp.sqrt)
