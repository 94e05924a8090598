"""What a CTC model's scores spell: the best class of each frame, or a search for the most probable labels. ctc.py has the loss."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.normalization import log_softmax, logsumexp
from jitgrad.operands import inexact_arg, size_arg
from jitgrad.vectorization import vmap

from .ctc import check_blank, present

ArrayLike = Any


def ctc_greedy_decode(logits: ArrayLike, logit_paddings: ArrayLike | None = None, blank_id: int = 0) -> Array:
    """The labels that the most probable class of each frame spells: integers [batch, time], -1 behind the last label.

    logits: [batch, time, classes]. logit_paddings: [batch, time], 1 (or True) where a frame is padding; none by default. Repeated
    classes count once, blanks not at all. Raises ShapeError and ArgumentError as `nn.ctc_loss`.

    >>> import jitgrad.numpy as jnp
    >>> print(ctc_greedy_decode(jnp.eye(3)[jnp.array([[1, 1, 0, 1, 2]])]))
    [[ 1  1  2 -1 -1]]
    """
    scores, here = _checked("nn.ctc_greedy_decode", logits, logit_paddings, blank_id)
    best = jnp.where(here, jnp.argmax(scores, axis=2), blank_id)
    before = jnp.pad(best, ((0, 0), (1, 0)), constant_values=blank_id)[:, :-1]
    spelt = (best != blank_id) & (best != before)
    batch, steps = best.shape
    places = jnp.where(spelt, jnp.cumsum(spelt, axis=1) - 1, steps)
    return jnp.full((batch, steps), -1).at[jnp.arange(batch)[:, None], places].set(best, mode="drop")


class _Beam(NamedTuple):
    """The most probable beginnings of labels, best first: [beams, time] with -1 behind the last one. Of each its length, its last
    label (a blank where there is none), and the logarithms of the probabilities that frames spell it and end in a blank or a label.
    """

    labels: Array
    lengths: Array
    last: Array
    blank: Array
    label: Array


def ctc_beam_decode(
    logits: ArrayLike, logit_paddings: ArrayLike | None = None, beam_width: int = 16, blank_id: int = 0
) -> tuple[Array, Array]:
    """The most probable labels, and the logarithm of their probability: (labels [batch, time], -1 behind the last one, [batch]).

    Unlike `nn.ctc_greedy_decode`, it adds the probabilities of all frames that spell the same labels. It keeps the beam_width most
    probable beginnings (Hannun et al., First-pass large vocabulary continuous speech recognition using bi-directional recurrent
    DNNs, 2014), so labels are the best ones where these are enough, and the probability is that of the frames it has seen.

    logits, logit_paddings and errors: those of `nn.ctc_greedy_decode`.

    >>> import jitgrad.numpy as jnp
    >>> frame = jnp.log(jnp.array([0.6, 0.4]))  # blanks are best, but a 1 in either frame or in both is more probable
    >>> labels, score = ctc_beam_decode(jnp.array([[frame, frame]]))
    >>> print(labels, jnp.exp(score).round(4))
    [[ 1 -1]] [0.64]
    """
    where = "nn.ctc_beam_decode"
    width = size_arg(where, beam_width, "beam_width must be an integer")
    if width < 1:
        raise ArgumentError(f"{where}: beam_width must be 1 or more, got {width}")
    scores, here = _checked(where, logits, logit_paddings, blank_id)
    steps = scores.shape[1]

    def of_one(frames: Array, here: Array) -> tuple[Array, Array]:
        none = jnp.full(width, -math.inf, frames.dtype)
        start = _Beam(jnp.full((width, steps), -1), jnp.zeros(width, int), jnp.full(width, blank_id), none.at[0].set(0), none)

        def step(beam: _Beam, frame: tuple[Array, Array]) -> tuple[_Beam, None]:
            scores, here = frame
            after = _extended(beam, scores, blank_id)
            return _Beam(*(jnp.where(here, new, old) for new, old in zip(after, beam, strict=True))), None

        beam, _ = lax.scan(step, start, (frames, here))
        return beam.labels[0], jnp.logaddexp(beam.blank[0], beam.label[0])

    labels, totals = vmap(of_one)(log_softmax(scores), here)
    return labels, totals


def _extended(beam: _Beam, scores: Array, blank_id: int) -> _Beam:
    """The best of what a beam's labels, unchanged or with one more, are after a frame of log-probabilities [classes]."""
    width, classes = beam.lengths.shape[0], scores.shape[0]
    labels, lengths, last = beam.labels, beam.lengths, beam.last
    places = jnp.arange(labels.shape[1])
    total = jnp.logaddexp(beam.blank, beam.label)
    repeated = jnp.arange(classes) == last[:, None]
    more = jnp.where(repeated, beam.blank[:, None], total[:, None]) + scores  # a label again wants a blank between
    more = jnp.where(jnp.arange(classes) == blank_id, -math.inf, more)

    # One label more may be a beginning that the beam has: then their probabilities are joined.
    shortened = jnp.where(places == lengths[:, None] - 1, -1, labels)
    extends = (lengths > 0) & jnp.all(labels[:, None] == shortened, axis=2)  # [shorter, longer]
    joined = logsumexp(jnp.where(extends, more[:, last], -math.inf), axis=0)
    known = jnp.any(extends[:, :, None] & repeated, axis=1)
    more = jnp.where(known, -math.inf, more)
    blank = total + scores[blank_id]
    label = jnp.logaddexp(jnp.where(lengths > 0, beam.label + scores[last], -math.inf), joined)

    best, chosen = lax.top_k(jnp.concatenate([jnp.logaddexp(blank, label), more.ravel()]), width)
    longer = chosen >= width
    origin, added = jnp.where(longer, (chosen - width) // classes, chosen), (chosen - width) % classes
    labels, lengths, last = labels[origin], lengths[origin], last[origin]
    labels = jnp.where(longer[:, None] & (places == lengths[:, None]), added[:, None], labels)
    empty = best == -math.inf  # beginnings of no probability: without labels, so that none is there twice
    return _Beam(
        jnp.where(empty[:, None], -1, labels),
        jnp.where(empty, 0, lengths + longer),
        jnp.where(empty, blank_id, jnp.where(longer, added, last)),
        jnp.where(longer, -math.inf, blank[origin]),
        jnp.where(longer, best, label[origin]),
    )


def _checked(where: str, logits: ArrayLike, logit_paddings: ArrayLike | None, blank_id: int) -> tuple[Array, Array]:
    """Scores [batch, time, classes], and which frames are there [batch, time]."""
    scores = inexact_arg(where, logits)
    if scores.ndim != 3:
        raise ShapeError(f"{where}: logits must be [batch, time, classes], got shape {scores.shape}")
    check_blank(where, blank_id, scores.shape[2])
    shape = scores.shape[:2]
    return scores, jnp.ones(shape, bool) if logit_paddings is None else present(where, "logit_paddings", logit_paddings, shape)
