"""A recogniser of speech: convolutions and recurrent layers from spectrograms to the scores that CTC takes."""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad import nn, random
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.operands import array_arg
from jitgrad.random.generator import next_key
from jitgrad.ranges import Part, Size

WINDOW, STRIDE = 11, 2


class SpeechRecognizer(nn.Module):
    """Two convolutions over time, recurrent layers in both directions and a linear one, as in Deep Speech 2 (Amodei et al., 2016),
    but with layer norm, so that what is behind an utterance's end changes nothing. 4,117,533 parameters by default.

    It is called with spectrograms [batch, time, features], as `audio.log_mel_spectrogram` makes them, and with lengths [batch]: how
    many frames of each are there, all by default. It gives logits [batch, ceil(time / 2), classes], a frame for two of the input's,
    and their paddings [batch, ceil(time / 2)]: what `nn.ctc_loss`, `nn.ctc_greedy_decode` and `nn.ctc_beam_decode` take first.
    Class 0 is the blank. hidden: channels, and the size of each direction's state; layers: how many recurrent ones; dropout:
    between these, in training.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import audio, models, nn
    >>> model = models.SpeechRecognizer(5, 40, hidden=16, key=jitgrad.random.key(0))
    >>> sound = jnp.zeros((2, 8000))
    >>> logits, paddings = model(audio.log_mel_spectrogram(sound, 8000, mels=40), jnp.array([98, 50]))
    >>> logits.shape, nn.ctc_greedy_decode(logits, paddings).shape
    ((2, 49, 5), (2, 49))
    """

    def __init__(
        self,
        classes: Size = 29,
        features: Size = 80,
        *,
        hidden: Size = 256,
        layers: Size = 3,
        dropout: Part = 0.0,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        keys = random.split(next_key("models.SpeechRecognizer") if key is None else key, 4)
        padding, self.features = WINDOW // 2, features
        self.conv1 = nn.Conv1d(features, hidden, WINDOW, STRIDE, padding, key=keys[0], dtype=dtype)
        self.conv2 = nn.Conv1d(hidden, hidden, WINDOW, 1, padding, key=keys[1], dtype=dtype)
        self.norm1, self.norm2 = nn.LayerNorm(hidden, dtype=dtype), nn.LayerNorm(hidden, dtype=dtype)
        self.rnn = nn.GRU(hidden, hidden, layers, dropout=dropout, bidirectional=True, key=keys[2], dtype=dtype)
        self.out = nn.Linear(2 * hidden, classes, key=keys[3], dtype=dtype)

    def __call__(self, x: Any, lengths: Any = None) -> tuple[Array, Array]:
        value = jnp.asarray(x)
        if value.ndim != 3 or value.shape[2] != self.features:
            self.refuse_input(f"[batch, time, {self.features}] (features={self.features})", value)
        batch, time, _ = value.shape
        count = jnp.full(batch, time) if lengths is None else array_arg("models.SpeechRecognizer", lengths)
        if count.shape != (batch,) or count.dtype.kind not in "iu":
            raise ShapeError(
                f"models.SpeechRecognizer: lengths must be integers of shape [batch] = ({batch},), got {count.dtype} of shape "
                f"{count.shape}"
            )
        flow = nn.relu(self.norm1(self.conv1(_until(value, count))))
        count = -(-count // STRIDE)
        flow = nn.relu(self.norm2(self.conv2(_until(flow, count))))
        flow, _ = self.rnn(flow, lengths=count)
        return self.out(flow), jnp.arange(flow.shape[1]) >= count[:, None]


def _until(x: Array, lengths: Array) -> Array:
    """x [batch, time, features] with zeros behind the end, as convolutions have before the beginning."""
    return jnp.where(jnp.arange(x.shape[1])[:, None] < lengths[:, None, None], x, 0)
