"""Metrics, each as a function of predictions and targets, and as a streaming form over batches with its name in capitals.

metric.py says what a streaming metric is; means.py, classification.py, ranking.py, regression.py and sequences.py hold them.
Results are float64 and agree with scikit-learn's.

>>> import jitgrad.numpy as jnp
>>> from jitgrad import metrics
>>> print(metrics.accuracy(jnp.array([0, 1, 1]), jnp.array([0, 1, 0])))
0.6666666666666666
>>> metric = metrics.Accuracy()
>>> state = metric.init()
>>> for predictions, labels in [(jnp.array([0, 1]), jnp.array([0, 1])), (jnp.array([1]), jnp.array([0]))]:
...     state = metric.update(state, predictions, labels)
>>> print(metric.compute(state))
0.6666666666666666
"""

from jitgrad.publishing import public as _public

from .classification import F1, ConfusionMatrix, IoU, Precision, Recall, confusion_matrix, f1, iou, precision, recall
from .means import (
    Accuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    MeanState,
    Perplexity,
    TopKAccuracy,
    accuracy,
    mean_absolute_error,
    mean_squared_error,
    perplexity,
    top_k_accuracy,
)
from .metric import Collection, Metric, Running
from .ranking import AUC, AUCState, auc
from .regression import R2, R2State, r2
from .sequences import LabelErrorRate, label_error_rate

__all__ = [
    "AUC", "AUCState", "Accuracy", "Collection", "ConfusionMatrix", "F1", "IoU", "LabelErrorRate", "MeanAbsoluteError",
    "MeanSquaredError", "MeanState", "Metric", "Perplexity", "Precision", "R2", "R2State", "Recall", "Running", "TopKAccuracy",
    "accuracy", "auc", "confusion_matrix", "f1", "iou", "label_error_rate", "mean_absolute_error", "mean_squared_error",
    "perplexity", "precision", "r2", "recall", "top_k_accuracy",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
