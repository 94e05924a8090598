"""WAV files as numbers between -1 and 1, and their sampling rates.

RIFF chunks, and in them the formats of Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and of mmreg.h:
integers of 8 (unsigned), 16, 24 and 32 bits, floats of 32 and 64 bits, and the extensible form of both.
"""

from __future__ import annotations

import struct
from math import gcd
from typing import Any, BinaryIO

import numpy as np

from jitgrad.errors import ArgumentError, BadRecordError

from . import elements as parts
from .dataset import size
from .files import Name, opened, read_bytes
from .packages import package

WHERE = "data.read_wav"
INTEGERS, FLOATS, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN = 0xFFFFFFFF
"""The size that is written where it is not known, by programs whose output goes through a pipe."""


def read_wav(path: Name, *, rate: int | None = None, mono: bool = True) -> tuple[np.ndarray, int]:
    """The samples of a WAV file, float32 from -1 to 1 [samples], or [samples, channels] if not `mono`; and how many a second.

    Integers of n bits are divided by 2**(n - 1); floats stay as they are. mono: the mean of the channels. rate: samples a second to
    have, by `resample`.

    Raises BadRecordError for what is no WAV file, one that ends early and other codings, which names the file and what is wrong.

    >>> import tempfile, wave
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     with wave.open(file.name, "wb") as out:
    ...         out.setnchannels(1), out.setsampwidth(2), out.setframerate(8000)
    ...         out.writeframes(b"\\x00\\x40\\x00\\xc0")
    ...     data.read_wav(file.name)
    (None, None, None)
    (array([ 0.5, -0.5], dtype=float32), 8000)
    """
    with opened("data.read_wav", path) as file:
        start = read_bytes(file, 12)
        if start[:4] != b"RIFF" or start[8:] != b"WAVE":
            raise BadRecordError(f"{WHERE}: {path} is no WAV file: it begins with the bytes {start.hex(' ') or '(none)'}")
        samples, found = _chunks(path, file)
    if mono:
        samples = samples.mean(1, dtype=np.float32)
    return (samples, found) if rate is None or rate == found else (resample(samples, found, rate), rate)


def _chunks(path: Name, file: BinaryIO) -> tuple[np.ndarray, int]:
    """Samples [samples, channels] and their rate, from the chunks in which they are; others are passed over."""
    layout: tuple[int, int, int, int] | None = None
    while len(head := read_bytes(file, 8)) == 8:
        name, length = bytes(head[:4]), struct.unpack("<I", head[4:])[0]
        if name == b"data":
            if layout is None:
                raise BadRecordError(f"{WHERE}: {path} has its samples in front of their format")
            coding, channels, rate, bits = layout
            frame = channels * bits // 8
            content = read_bytes(file, length if length != UNKNOWN else 1 << 62)
            if len(content) % frame or len(content) < length != UNKNOWN:
                there = "" if length == UNKNOWN else f"; by its header there are {length / frame:g}"
                raise BadRecordError(f"{WHERE}: {path} ends early, in sample {len(content) // frame}{there}")
            if not content:
                raise BadRecordError(f"{WHERE}: {path} has no samples")
            return _numbers(content, coding, bits).reshape(-1, channels), rate
        content = read_bytes(file, length + length % 2)
        if name == b"fmt ":
            layout = _layout(path, content)
    raise BadRecordError(f"{WHERE}: {path} ends without samples: it has no data chunk")


def _layout(path: Name, content: bytearray) -> tuple[int, int, int, int]:
    """Coding, channels, rate and bits a sample."""
    if len(content) < 16:
        raise BadRecordError(f"{WHERE}: {path} ends within its format")
    coding, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if coding == EXTENSIBLE and len(content) >= 26:
        coding = struct.unpack("<H", content[24:26])[0]
    if (coding, bits) not in {(INTEGERS, b) for b in (8, 16, 24, 32)} | {(FLOATS, b) for b in (32, 64)}:
        raise BadRecordError(
            f"{WHERE}: {path} has coding {coding} with {bits} bits; integers (1) of 8, 16, 24 or 32 bits and floats (3) of 32 or "
            "64 are read. Convert it, for example with ffmpeg -i file.wav -c:a pcm_s16le out.wav"
        )
    if not channels or not rate:
        raise BadRecordError(f"{WHERE}: {path} has {channels} channels of {rate} samples a second")
    return coding, channels, rate, bits


def _numbers(content: bytearray, coding: int, bits: int) -> np.ndarray:
    if coding == FLOATS:
        return np.frombuffer(content, f"<f{bits // 8}").astype(np.float32)
    if bits == 8:
        whole = np.frombuffer(content, np.uint8).astype(np.float32) - 128
    elif bits == 24:
        low, middle, high = np.frombuffer(content, np.uint8).reshape(-1, 3).T.astype(np.int32)
        whole = (low | middle << 8 | high.astype(np.int8).astype(np.int32) << 16).astype(np.float32)
    else:
        whole = np.frombuffer(content, f"<i{bits // 8}").astype(np.float32)
    return whole / np.float32(2 ** (bits - 1))


def resample(samples: Any, rate: int, new_rate: int) -> np.ndarray:
    """Samples [samples, ...], of which there are `rate` a second, at `new_rate`: their number is multiplied by the rates' quotient.

    Frequencies above half of the lower rate are filtered out (SciPy's resample_poly).

    >>> import numpy as np
    >>> from jitgrad import data
    >>> data.resample(np.sin(np.arange(16000) / 20, dtype=np.float32), 16000, 8000).shape
    (8000,)
    """
    array = parts.as_numbers("data.resample", samples)
    old, new = size("data.resample: rate", rate), size("data.resample: new_rate", new_rate)
    if array.dtype.kind != "f":
        raise ArgumentError(f"data.resample: samples are floats, got {array.dtype}; read_wav makes them of integers")
    common = gcd(old, new)
    out = package("data.resample", "scipy.signal").resample_poly(array, new // common, old // common, axis=0)
    return np.asarray(out, array.dtype)
