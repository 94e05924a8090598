"""Losses: functions of predictions and targets that say how far they are apart. Their formulas and means are PyTorch's.

In all of them:
    reduction: "mean", "sum", or "none" for the losses themselves, one for each element, or for each example where a loss compares
        whole rows (classes, vectors).
    weights: how much each loss counts, of the losses' shape or its first axes; a mean is divided by their sum.
    where: bools of the same shapes; where False, predictions and targets count as absent, whatever they are, NaN included. The mean
        of nothing is NaN.
Shapes never broadcast: predictions and targets have one shape, or labels that of predictions without their classes; otherwise
ShapeError. Targets that make no sense (labels out of range, probabilities beyond 1) raise ArgumentError where they are at hand; of
traced ones, labels out of range give NaN.

>>> import jitgrad.numpy as jnp
>>> from jitgrad.nn import losses
>>> print(losses.cross_entropy(jnp.array([[2.0, 0.0], [0.0, 2.0]]), jnp.array([0, 0])))
1.1269281
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.normalization import log_softmax, logsumexp
from jitgrad.operands import array_arg, inexact_arg
from jitgrad.ranges import Fraction, NotNegative, Number, Positive

from .activations import sigmoid, softplus
from .targets import ArrayLike, alike, check_among, check_labels, check_mask, class_axis, is_class, spread

REDUCTIONS = ("mean", "sum", "none")


def _reduced(where: str, losses: Array, weights: Any, mask: Array | None, reduction: str, total: Array | None = None) -> Array:
    """Losses weighted and reduced; `total`: what each of them counts in a mean, 1 by default."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(f"{where}: reduction is 'mean', 'sum' or 'none', got {reduction!r}")
    if weights is not None:
        factor = spread(where, "weights", weights, losses.shape).astype(losses.dtype)
        losses = losses * factor
        total = factor if total is None else total * factor
    if mask is not None:
        losses = jnp.where(mask, losses, 0)
        total = mask.astype(losses.dtype) if total is None else jnp.where(mask, total, 0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return jnp.sum(losses)
    return jnp.mean(losses) if total is None else jnp.sum(losses) / jnp.sum(total)


def _present(x: Array, mask: Array | None, axis: int | None = None, value: Any = 0) -> Array:
    """x with a harmless value where it counts as absent, so that its derivative there is 0 whatever it was."""
    if mask is None:
        return x
    return jnp.where(mask if axis is None else jnp.expand_dims(mask, axis), x, value)


def _of_elements(
    where: str, predictions: Any, targets: Any, formula: Callable[[Array, Array], Array], weights: Any, mask: Any, reduction: str
) -> Array:
    """The loss that `formula` gives for each element."""
    x, t = alike(where, predictions, targets)
    kept = None if mask is None else check_mask(where, mask, x.shape)
    return _reduced(where, formula(_present(x, kept), _present(t, kept)), weights, kept, reduction)


def mse(predictions: ArrayLike, targets: ArrayLike, *, weights: Any = None, where: Any = None, reduction: str = "mean") -> Array:
    """Squared differences.

    >>> import jitgrad.numpy as jnp
    >>> print(mse(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    2.0
    """
    return _of_elements("nn.losses.mse", predictions, targets, lambda x, t: jnp.square(x - t), weights, where, reduction)


def mae(predictions: ArrayLike, targets: ArrayLike, *, weights: Any = None, where: Any = None, reduction: str = "mean") -> Array:
    """Absolute differences; the derivative is 0 where there is none.

    >>> import jitgrad.numpy as jnp
    >>> print(mae(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0])))
    1.0
    """
    return _of_elements("nn.losses.mae", predictions, targets, lambda x, t: jnp.abs(x - t), weights, where, reduction)


def huber(
    predictions: ArrayLike,
    targets: ArrayLike,
    delta: NotNegative = 1.0,
    *,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """d**2 / 2 for differences d up to delta, a straight line beyond (Huber, Robust estimation of a location parameter, 1964).

    >>> import jitgrad.numpy as jnp
    >>> print(huber(jnp.array([0.5, 3.0]), jnp.zeros(2), reduction="none"))
    [0.125 2.5  ]
    """

    def formula(x: Array, t: Array) -> Array:
        size = jnp.abs(x - t)
        inside = jnp.minimum(size, delta)
        return 0.5 * inside * inside + delta * (size - inside)

    return _of_elements("nn.losses.huber", predictions, targets, formula, weights, where, reduction)


def hinge(predictions: ArrayLike, targets: ArrayLike, *, weights: Any = None, where: Any = None, reduction: str = "mean") -> Array:
    """max(0, 1 - target * prediction) for targets of -1 and 1: the margin of support vector machines.

    >>> import jitgrad.numpy as jnp
    >>> print(hinge(jnp.array([0.5, 3.0]), jnp.array([1, -1]), reduction="none"))
    [0.5 4. ]
    """
    name = "nn.losses.hinge"
    sides = array_arg(name, targets)
    if where is None:
        check_among(name, "targets", sides, jnp.abs(sides) == 1, "-1 or 1")
    return _of_elements(name, predictions, targets, lambda x, t: jnp.maximum(0, 1 - t * x), weights, where, reduction)


def _picked(where: str, labels: Any, scores: Array, axis: int, ignore_index: int | None, mask: Any) -> tuple[Array, Array | None]:
    """Which class of each example is labelled, as bools over the classes, and which examples are there. A traced label out of range
    picks none.
    """
    along, shape = class_axis(where, scores, axis)
    kept = None if mask is None else check_mask(where, mask, shape)
    given = array_arg(where, labels)
    if kept is not None and given.shape == shape and not given.type.dtype.is_inexact:
        given = jnp.where(kept, given, 0)
    value, _ = check_labels(where, given, shape, scores.shape[along], ignore_index)
    if ignore_index is not None:
        there = value != ignore_index
        kept = there if kept is None else kept & there
        value = jnp.where(there, value, 0)
    return is_class(value, scores.shape[along], along), kept


def _at(scores: Array, picked: Array, axis: int) -> Array:
    """The score of the class that is picked; NaN where none is."""
    return jnp.where(jnp.any(picked, axis=axis), jnp.sum(jnp.where(picked, scores, 0), axis=axis), math.nan)


def _class_weights(where: str, given: Any, scores: Array, axis: int) -> Array | None:
    """A weight for each class, in the axis of classes."""
    if given is None:
        return None
    value = inexact_arg(where, given).astype(scores.dtype)
    if value.shape != (scores.shape[axis],):
        raise ShapeError(f"{where}: class_weights must have the shape {(scores.shape[axis],)}, one a class, got {value.shape}")
    return value.reshape([-1 if a == axis else 1 for a in range(scores.ndim)])


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    label_smoothing: Fraction = 0.0,
    ignore_index: int | None = None,
    class_weights: Any = None,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """-log of the probability that softmax(logits) gives to the right class, one loss an example.

    targets: integer labels, of the shape of logits without `axis`, or probabilities (one-hot rows too) of logits' shape.
    label_smoothing: the part of the probability that goes to all classes alike (Szegedy et al., 2015). ignore_index: the label of
    examples that count as absent. class_weights: one for each class; a mean over labels is divided by the weights of their classes.

    >>> import jitgrad.numpy as jnp
    >>> logits = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))
    >>> print(cross_entropy(logits, jnp.array([0, 1]), reduction="none"))
    [0.6931472 2.3025851]
    >>> print(cross_entropy(logits, jnp.array([0, -1]), ignore_index=-1))
    0.6931472
    """
    name = "nn.losses.cross_entropy"
    x, t = inexact_arg(name, logits), array_arg(name, targets)
    along, _ = class_axis(name, x, axis)
    factors = _class_weights(name, class_weights, x, along)
    if t.shape == x.shape and x.ndim:
        return _with_probabilities(name, x, t, along, label_smoothing, factors, weights, where, reduction)
    picked, kept = _picked(name, t, x, along, ignore_index, where)
    x = _present(x, kept, along)
    if factors is None:
        level = logsumexp(x, axis=along)
        losses = level - _at(x, picked, along)
        if not _is_zero(label_smoothing):
            losses = (1 - label_smoothing) * losses + label_smoothing * (level - jnp.mean(x, axis=along))
        return _reduced(name, losses, weights, kept, reduction)
    logs = log_softmax(x, axis=along)
    own = jnp.sum(jnp.where(picked, factors, 0), axis=along)
    losses = -own * _at(logs, picked, along)
    if not _is_zero(label_smoothing):
        losses = (1 - label_smoothing) * losses - label_smoothing * jnp.mean(factors * logs, axis=along)
    return _reduced(name, losses, weights, kept, reduction, total=own)


def _is_zero(x: Any) -> bool:
    return isinstance(x, (int, float)) and x == 0


def _with_probabilities(
    name: str, x: Array, t: Array, axis: int, smoothing: Any, factors: Array | None, weights: Any, mask: Any, reduction: str
) -> Array:
    kept = None if mask is None else check_mask(name, mask, x.shape[:axis] + x.shape[axis + 1 :])
    x, t = _present(x, kept, axis), _present(t.astype(x.dtype), kept, axis)
    check_among(name, "targets of the shape of the logits", t, (t >= 0) & (t <= 1), "probabilities, from 0 to 1")
    if kept is None:
        whole = jnp.abs(jnp.sum(t, axis=axis) - 1) < 1e-2
        check_among(
            name, "sums of targets over classes", jnp.sum(t, axis=axis), whole, "1 (integer labels have no axis of classes)"
        )
    if not _is_zero(smoothing):
        t = (1 - smoothing) * t + smoothing / x.shape[axis]
    terms = _times(t, log_softmax(x, axis=axis))
    return _reduced(name, -jnp.sum(terms if factors is None else factors * terms, axis=axis), weights, kept, reduction)


def _times(p: Array, logs: Array) -> Array:
    """p * logs, 0 where p is 0, whatever the logarithm."""
    none = p == 0
    return jnp.where(none, 0, p * jnp.where(none, 0, logs))


def nll(
    log_probabilities: ArrayLike,
    labels: ArrayLike,
    *,
    axis: int = -1,
    ignore_index: int | None = None,
    class_weights: Any = None,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """-log_probabilities of the right class, one loss an example: `cross_entropy` after `log_softmax`.

    labels: integers, of the shape of log_probabilities without `axis`. The other arguments are those of `cross_entropy`.

    >>> import jitgrad.numpy as jnp
    >>> print(nll(jnp.array([[-1.0, -2.0], [-3.0, -4.0]]), jnp.array([0, 1])))
    2.5
    """
    name = "nn.losses.nll"
    x = inexact_arg(name, log_probabilities)
    along, _ = class_axis(name, x, axis)
    picked, kept = _picked(name, labels, x, along, ignore_index, where)
    losses = -_at(_present(x, kept, along), picked, along)
    factors = _class_weights(name, class_weights, x, along)
    if factors is None:
        return _reduced(name, losses, weights, kept, reduction)
    own = jnp.sum(jnp.where(picked, factors, 0), axis=along)
    return _reduced(name, own * losses, weights, kept, reduction, total=own)


def _check_probabilities(where: str, targets: ArrayLike, mask: Any) -> None:
    t = array_arg(where, targets)
    if mask is None:
        check_among(where, "targets", t, (t >= 0) & (t <= 1), "from 0 to 1")


def _binary(x: Array, t: Array, pos_weight: Array | None) -> Array:
    """-log of the probability that sigmoid(x) gives to t: each side by itself, as their difference would lose small ones."""
    hit = t if pos_weight is None else t * pos_weight.astype(x.dtype)
    return hit * softplus(-x) + (1 - t) * softplus(x)


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: NotNegative | None = None,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """-log of the probability that sigmoid(logits) gives to targets, which are 0, 1 or between, one loss an element.

    pos_weight: how much targets of 1 count, a number or one for each index of the last axis. Probabilities p have the logits
    log(p / (1 - p)).

    >>> import jitgrad.numpy as jnp
    >>> print(binary_cross_entropy_with_logits(jnp.array([0.0, 100.0]), jnp.array([1, 0]), reduction="none"))
    [  0.6931472 100.       ]
    """
    name = "nn.losses.binary_cross_entropy_with_logits"
    _check_probabilities(name, targets, where)
    factor, shape = None if pos_weight is None else inexact_arg(name, pos_weight), jnp.shape(logits)
    if factor is not None and factor.shape not in ((), shape[-1:]):
        raise ShapeError(
            f"{name}: pos_weight must be one number, or have the shape {shape[-1:]} of the last axis, got {factor.shape}"
        )
    return _of_elements(name, logits, targets, lambda x, t: _binary(x, t, factor), weights, where, reduction)


def focal(
    logits: ArrayLike,
    targets: ArrayLike,
    alpha: Fraction | None = None,
    gamma: NotNegative = 2.0,
    *,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """Binary cross-entropy times (1 - p)**gamma, p being the probability that the target has, so that easy examples count little
    (Lin et al., Focal loss for dense object detection, 2017).

    alpha: how much targets of 1 count, and 1 - alpha those of 0; None for neither.

    >>> import jitgrad.numpy as jnp
    >>> print(focal(jnp.array([0.0]), jnp.array([1])))
    0.1732868
    """
    name = "nn.losses.focal"
    _check_probabilities(name, targets, where)

    def formula(x: Array, t: Array) -> Array:
        missed = sigmoid(x) * (1 - t) + sigmoid(-x) * t
        losses = _binary(x, t, None) * missed**gamma
        return losses if alpha is None else losses * (alpha * t + (1 - alpha) * (1 - t))

    return _of_elements(name, logits, targets, formula, weights, where, reduction)


def kl_divergence(
    log_predictions: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    log_targets: bool = False,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """sum(targets * (log(targets) - log_predictions)) over `axis`, one loss an example (Kullback and Leibler, 1951).

    log_predictions: logarithms of probabilities, as `log_softmax` gives. targets: probabilities, or with log_targets their
    logarithms. "mean" is over examples, PyTorch's "batchmean".

    >>> import jitgrad.numpy as jnp
    >>> print(kl_divergence(jnp.log(jnp.array([[0.5, 0.5]])), jnp.array([[1.0, 0.0]])))
    0.6931472
    """
    name = "nn.losses.kl_divergence"
    x, t = alike(name, log_predictions, targets, "log_predictions targets")
    along, shape = class_axis(name, x, axis)
    kept = None if where is None else check_mask(name, where, shape)
    x, t = _present(x, kept, along), _present(t, kept, along)
    if log_targets:
        p, logs = jnp.exp(t), t
    else:
        check_among(name, "targets", t, t >= 0, "probabilities, 0 or more (log_targets=True takes logarithms)")
        p, logs = t, jnp.log(jnp.where(t > 0, t, 1))
    losses = jnp.sum(_times(p, logs - jnp.where(p == 0, 0, x)), axis=along)
    return _reduced(name, losses, weights, kept, reduction)


def _distance(x: Array, y: Array, axis: int, p: Any, eps: Any) -> Array:
    d = jnp.abs(x - y + eps)
    if isinstance(p, float) and p == math.inf:
        return jnp.max(d, axis=axis)
    return jnp.sqrt(jnp.sum(d * d, axis=axis)) if _is_two(p) else jnp.sum(d**p, axis=axis) ** (1 / p)


def _is_two(p: Any) -> bool:
    return isinstance(p, (int, float)) and p == 2


def triplet(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    *,
    margin: Number = 1.0,
    p: Positive = 2.0,
    eps: NotNegative = 1e-6,
    swap: bool = False,
    axis: int = -1,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """max(0, |anchor - positive| - |anchor - negative| + margin) of vectors along `axis`, one loss a triple (Balntas et al., 2016).

    p: of the norm; math.inf: the largest difference. eps: added to differences, so that the norm has a derivative. swap: negatives
    also keep away from positives.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.round(triplet(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0]])), 4))
    4.0
    """
    name = "nn.losses.triplet"
    a, b = alike(name, anchors, positives, "anchors positives")
    _, c = alike(name, a, negatives, "anchors negatives")
    along, shape = class_axis(name, a, axis)
    kept = None if where is None else check_mask(name, where, shape)
    a, b, c = (_present(x, kept, along) for x in (a, b, c))
    near, far = _distance(a, b, along, p, eps), _distance(a, c, along, p, eps)
    far = jnp.minimum(far, _distance(b, c, along, p, eps)) if swap else far
    return _reduced(name, jnp.maximum(0, near - far + margin), weights, kept, reduction)


def cosine(
    predictions: ArrayLike,
    targets: ArrayLike,
    labels: ArrayLike = 1,
    *,
    margin: Number = 0.0,
    axis: int = -1,
    eps: NotNegative = 1e-8,
    weights: Any = None,
    where: Any = None,
    reduction: str = "mean",
) -> Array:
    """1 - cos of the angle between vectors along `axis`, one loss a pair.

    labels: 1 for pairs that are to be alike, all by default, and -1 for those that are not: max(0, cos - margin). eps: the least
    product of the vectors' norms.

    >>> import jitgrad.numpy as jnp
    >>> print(cosine(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]])))
    1.0
    """
    name = "nn.losses.cosine"
    x, y = alike(name, predictions, targets)
    along, shape = class_axis(name, x, axis)
    kept = None if where is None else check_mask(name, where, shape)
    x, y = _present(x, kept, along, 1), _present(y, kept, along, 1)
    sides = array_arg(name, labels)
    if sides.shape not in ((), shape):
        raise ShapeError(f"{name}: labels must have the shape {shape} of the pairs, got {sides.shape}")
    check_among(name, "labels", sides, jnp.abs(sides) == 1, "-1 or 1")
    squares = jnp.sum(x * x, axis=along) * jnp.sum(y * y, axis=along)
    angle = jnp.sum(x * y, axis=along) / jnp.sqrt(jnp.maximum(squares, eps * eps))
    losses = jnp.where(jnp.broadcast_to(sides == 1, shape), 1 - angle, jnp.maximum(0, angle - margin))
    return _reduced(name, losses, weights, kept, reduction)


def smooth_labels(labels: ArrayLike, alpha: Fraction) -> Array:
    """One-hot rows with alpha of each spread over all classes, the last axis: (1 - alpha) * labels + alpha / classes.

    >>> import jitgrad.numpy as jnp
    >>> print(smooth_labels(jnp.array([1.0, 0.0]), 0.5))
    [0.75 0.25]
    """
    value = inexact_arg("nn.losses.smooth_labels", labels)
    if not value.ndim:
        raise ShapeError("nn.losses.smooth_labels: one-hot rows have an axis of classes, got one number; nn.one_hot makes them")
    return value * (1 - alpha) + alpha / value.shape[-1]
