"""Connectionist temporal classification: the loss of label sequences whose places in time nobody knows.

What scores spell is found in ctc_decoding.py.
"""

from __future__ import annotations

import math
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.differentiation import stop_gradient
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.normalization import log_softmax, logsumexp
from jitgrad.operands import array_arg, inexact_arg

ArrayLike = Any


def ctc_loss(
    logits: ArrayLike, logit_paddings: ArrayLike, labels: ArrayLike, label_paddings: ArrayLike, blank_id: int = 0
) -> Array:
    """-log of the probability that frames of `logits` spell `labels`, of each sequence [batch] (Graves et al., Connectionist
    temporal classification, 2006). Frames spell labels where repeated ones, then blanks, are left out.

    logits: [batch, time, classes], not normalised. labels: integers [batch, length], none of them blank_id. logit_paddings [batch,
    time] and label_paddings [batch, length]: 1 (or True) where a frame or label is padding, at the end of its sequence, else 0;
    what is in padded ones does not matter. Labels that the frames are too few for have probability 0, so their loss is inf, as in
    PyTorch, and its gradient 0. A blank among the labels, or one outside of the classes, makes the loss NaN. Arguments are those of
    optax.ctc_loss, whose finite stand-in for log(0), log_epsilon, is not needed.

    Raises ShapeError, DTypeError and ArgumentError for what does not fit together.

    >>> import jitgrad.numpy as jnp
    >>> logits = jnp.log(jnp.array([[[0.5, 0.5], [0.25, 0.75]]]))
    >>> loss = ctc_loss(logits, jnp.zeros((1, 2)), jnp.array([[1]]), jnp.zeros((1, 1)))
    >>> print(jnp.exp(-loss).round(5))  # all ways but two blanks: 1 - 0.5 * 0.25
    [0.875]
    """
    where = "nn.ctc_loss"
    scores, wanted = inexact_arg(where, logits), array_arg(where, labels)
    if scores.ndim != 3 or wanted.ndim != 2 or wanted.shape[0] != scores.shape[0]:
        raise ShapeError(
            f"{where}: logits must be [batch, time, classes] and labels [batch, length] of one batch, got shapes {scores.shape} "
            f"and {wanted.shape}"
        )
    if not wanted.type.dtype.is_integer:
        raise DTypeError(f"{where}: labels must be integers, got {wanted.dtype}")
    check_blank(where, blank_id, scores.shape[2])
    frames = present(where, "logit_paddings", logit_paddings, scores.shape[:2])
    spelt = present(where, "label_paddings", label_paddings, wanted.shape)

    batch, length = wanted.shape
    wrong = jnp.logical_or(wanted < 0, wanted == blank_id)
    wanted = jnp.where(spelt, jnp.where(wrong, scores.shape[2], wanted), blank_id)
    states = jnp.full((batch, 2 * length + 1), blank_id).at[:, 1::2].set(wanted)  # blank, label, blank, ..., label, blank
    emitted = jnp.take_along_axis(log_softmax(scores), states[:, None], axis=2)
    before = jnp.pad(states, ((0, 0), (2, 0)), constant_values=blank_id)[:, :-2]
    may_skip = jnp.logical_and(states != blank_id, states != before)  # the blank between two labels that differ

    def step(paths: Array, frame: tuple[Array, Array]) -> tuple[Array, Array]:
        """The logarithms of the probabilities of all paths that are at a state after one more frame, less the largest one; and
        that. So they keep their digits, and gradients theirs, however long the sequence is.
        """
        emission, present = frame
        skipped = jnp.where(may_skip, _moved(paths, 2), -math.inf)
        reached: Array = logsumexp(jnp.stack([paths, _moved(paths, 1), skipped]), axis=0) + emission
        largest = jnp.max(stop_gradient(reached), axis=1, keepdims=True)
        largest = jnp.where(jnp.logical_and(present[:, None], largest > -math.inf), largest, 0)
        return jnp.where(present[:, None], reached - largest, paths), largest[:, 0]

    start = jnp.full(states.shape, -math.inf, emitted.dtype).at[:, 0].set(0)
    paths, largest = lax.scan(step, start, (jnp.moveaxis(emitted, 1, 0), frames.T))
    last = 2 * jnp.sum(spelt, axis=1)[:, None]
    ends = jnp.logical_or(jnp.arange(2 * length + 1) == last, jnp.arange(2 * length + 1) == last - 1)
    total: Array = logsumexp(paths, axis=1, where=ends)
    return -(total + jnp.sum(largest, axis=0))


def _moved(paths: Array, places: int) -> Array:
    """Paths that come from a state so many places before."""
    return jnp.pad(paths, ((0, 0), (places, 0)), constant_values=-math.inf)[:, : paths.shape[1]]


def check_blank(where: str, blank_id: Any, classes: int) -> None:
    if not isinstance(blank_id, int) or not 0 <= blank_id < classes:
        raise ArgumentError(f"{where}: blank_id must be the number of one of the {classes} classes, got {blank_id!r}")


def present(where: str, name: str, paddings: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Where there is no padding."""
    x = array_arg(where, paddings)
    if x.shape != shape:
        raise ShapeError(f"{where}: {name} must have shape {shape}, 1 where there is padding and 0 elsewhere, got {x.shape}")
    return x == 0
