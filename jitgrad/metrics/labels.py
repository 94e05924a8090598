"""From what users pass to classes: labels or scores of predictions, labels or one-hot rows of targets."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import DTypeError, ShapeError
from jitgrad.nn.targets import check_labels, concrete
from jitgrad.operands import array_arg, inexact_arg

from .metric import mask_of

MOST = 2**31 - 1
"""Labels are checked against this where the number of classes is not known."""


def _held(where: str, labels: Array, mask: Array | None) -> Array:
    """Labels with 0 in place of what is absent, which may be no label at all."""
    return labels if mask is None or labels.type.dtype.is_inexact else jnp.where(mask, labels, 0)


def scores_and_labels(where: str, scores: Any, labels: Any, mask: Any) -> tuple[Array, Array, Array | None]:
    """Scores with a last axis of classes, labels of their other axes, and which examples are there."""
    x, t = inexact_arg(where, scores), array_arg(where, labels)
    if not x.ndim:
        raise ShapeError(f"{where}: scores need a last axis of classes, got one number")
    if t.shape == x.shape and t.type.dtype.is_inexact:
        t = jnp.argmax(t, axis=-1)
    kept = mask_of(where, mask, x.shape[:-1])
    t, _ = check_labels(where, _held(where, t, kept), x.shape[:-1], x.shape[-1])
    return x, t, kept


def label_pairs(
    where: str, predictions: Any, targets: Any, mask: Any, classes: int | None = None
) -> tuple[Array, Array, int | None, Array | None]:
    """Predicted and right classes as integers, how many classes there are, if that is known, and which examples are there."""
    x, t = array_arg(where, predictions), array_arg(where, targets)
    if x.type.dtype.is_inexact:
        if x.shape == t.shape and not t.type.dtype.is_inexact:
            raise DTypeError(
                f"{where}: predictions of the labels' shape {t.shape} must be classes, integers or bools, got {x.dtype} scores. "
                "Of two classes write predictions > 0.5 for probabilities, predictions > 0 for logits"
            )
        scores, labels, kept = scores_and_labels(where, x, t, mask)
        if classes is not None and scores.shape[-1] != classes:
            raise ShapeError(f"{where}: scores must be those of {classes} classes, got shape {scores.shape}")
        return jnp.argmax(scores, axis=-1).astype("int32"), labels, scores.shape[-1], kept
    kept = mask_of(where, mask, t.shape)
    if x.shape != t.shape:
        raise ShapeError(
            f"{where}: predicted classes and labels must have one shape, got {x.shape} and {t.shape}; they are not broadcast"
        )
    most = MOST if classes is None else classes
    t, _ = check_labels(where, _held(where, t, kept), t.shape, most)
    x, _ = check_labels(f"{where}: predictions", _held(where, x, kept), x.shape, most)
    return x.astype("int32"), t.astype("int32"), classes, kept


def count_classes(where: str, predictions: Any, targets: Any, mask: Any) -> int:
    """How many classes there are: those that are scored, else 1 more than the largest label, and at least 2.

    Raises DTypeError for traced labels without scores, of which that is not known.
    """
    predicted, labels, classes, _ = label_pairs(where, predictions, targets, mask)
    if classes is not None:
        return classes
    at_hand = [concrete(predicted), concrete(labels)]
    if any(a is None for a in at_hand):
        raise DTypeError(f"{where}: of traced labels the number of classes is not known; give it as num_classes=")
    return max(2, *(int(a.max(initial=0)) + 1 for a in at_hand if a is not None))
