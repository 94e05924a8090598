"""Metrics by Keras' names, arguments and formulas. Each is a `jitgrad.metrics.Metric`, so training streams it over batches inside
its programs, and has Keras' own face: `update_state(y_true, y_pred)`, `result()`, `reset_state()`.

Reading map: metric.py (what they share), means.py (means over examples), thresholds.py (precision, recall, AUC), scores.py.
`resolve_metric` is what `compile` asks.
"""

from __future__ import annotations

from typing import Any

from jitgrad import metrics
from jitgrad.errors import ArgumentError
from jitgrad.nn.named import found
from jitgrad.publishing import public as _public

from .means import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Crossentropy,
    Hinge,
    KLDivergence,
    LogCoshError,
    Mean,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanMetricWrapper,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    Sum,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .metric import Metric, snake
from .scores import F1Score, FBetaScore, MeanIoU, R2Score
from .thresholds import AUC, FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives

_CLASSES = (
    AUC, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy, CategoricalHinge, CosineSimilarity,
    F1Score, FalseNegatives, FalsePositives, Hinge, KLDivergence, LogCoshError, MeanAbsoluteError, MeanAbsolutePercentageError,
    MeanSquaredError, MeanSquaredLogarithmicError, Poisson, Precision, R2Score, Recall, RootMeanSquaredError,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SquaredHinge,
    TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
_ALIASES = {
    "mse": MeanSquaredError, "mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError,
    "rmse": RootMeanSquaredError, "bce": BinaryCrossentropy, "kld": KLDivergence, "logcosh": LogCoshError,
}  # fmt: skip
_BY_SHAPES = {"accuracy": Accuracy, "acc": Accuracy, "crossentropy": Crossentropy, "ce": Crossentropy}
"""Names of what is binary, categorical or sparse, as targets and predictions have it."""
_BY_NAME: dict[str, Any] = {
    **{snake(made.__name__): made for made in _CLASSES},
    **{made.__name__: made for made in _CLASSES},
    **_ALIASES,
    **{name.upper(): made for name, made in _ALIASES.items()},
}


def resolve_metric(metric: Any, loss: Any = None) -> tuple[str, metrics.Metric]:
    """A metric's name in logs, and the metric.

    metric: a name, such as "accuracy" (binary, categorical or of labels, as targets and predictions have it) or "mae"; an object or
    a class of this module, or a metric of `jitgrad.metrics`; or a function of targets and predictions that gives a number an
    example, whose mean it is. loss: what `resolve_loss` has given: where it is computed from logits, "accuracy" of two classes
    takes predictions above 0 for the class 1, not above 0.5.

    Raises ArgumentError for another name, with the near ones, and for what is no metric.

    >>> resolve_metric("accuracy")[0], resolve_metric(Precision())[0]
    ('accuracy', 'precision')
    """
    if isinstance(metric, str):
        from_logits = bool(getattr(loss, "from_logits", False))
        if metric in _BY_SHAPES:
            return metric, _BY_SHAPES[metric](from_logits, name=metric)
        return metric, found("train.metrics", "metric", metric, {**_BY_SHAPES, **_BY_NAME})()
    if isinstance(metric, type) and issubclass(metric, Metric):
        metric = metric()
    if isinstance(metric, metrics.Metric):
        return metric.name if isinstance(metric, Metric) else snake(type(metric).__name__), metric
    if getattr(metric, "__module__", "").startswith("jitgrad.metrics"):
        raise ArgumentError(
            f"train.metrics: takes the streaming form of {getattr(metric, '__name__', metric)}, an object of the class with its "
            "name in capitals: metrics.Accuracy(), not metrics.accuracy"
        )
    if isinstance(metric, type) or not callable(metric):
        raise ArgumentError(
            "train.metrics: takes a name such as 'accuracy', a metric such as metrics.Precision(), or a function of targets and "
            f"predictions, got {metric!r}"
        )
    wrapped = MeanMetricWrapper(metric)
    return wrapped.name, wrapped


def get(metric: Any) -> metrics.Metric:
    """The metric of a name, or of what else `resolve_metric` takes."""
    return resolve_metric(metric)[1]


__all__ = [
    *(made.__name__ for made in _CLASSES), "Accuracy", "FBetaScore", "Mean", "MeanIoU", "MeanMetricWrapper", "Metric", "Sum",
    "binary_accuracy", "categorical_accuracy", "get", "resolve_metric", "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
