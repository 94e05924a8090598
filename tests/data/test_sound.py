"""WAV files: every width, floats, channels and rates; damaged and hostile ones are named."""

from __future__ import annotations

import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import wavfile

from jitgrad import data, errors

R = np.random.default_rng(0)


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def layout(coding, channels, rate, bits, more=b""):
    return struct.pack("<HHIIHH", coding, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits) + more


def wav(*chunks):
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_integers_of_every_width_become_fractions_of_the_largest(tmp_path, width, channels):
    bits = 8 * width
    values = R.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (40, channels))
    values[:3, 0] = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, -1
    stored = (values + 128).astype(np.uint8) if width == 1 else values.astype("<i8").reshape(-1)[:, None].view(np.uint8)[:, :width]
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(8000)
        out.writeframes(stored.tobytes())
    samples, rate = data.read_wav(tmp_path / "a.wav", mono=False)
    np.testing.assert_allclose(samples, values / 2 ** (bits - 1), atol=1e-7)
    assert samples.dtype == np.float32 and rate == 8000
    mixed, _ = data.read_wav(tmp_path / "a.wav")
    np.testing.assert_allclose(mixed, values.mean(1) / 2 ** (bits - 1), atol=1e-6)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_stay_as_they_are(tmp_path, kind):
    values = R.normal(size=(30, 2)).astype(kind)
    wavfile.write(tmp_path / "a.wav", 44100, values)
    samples, rate = data.read_wav(tmp_path / "a.wav", mono=False)
    np.testing.assert_array_equal(samples, values.astype(np.float32))
    assert rate == 44100


def test_other_chunks_are_passed_over_and_the_extensible_form_is_known(tmp_path):
    values = np.array([1, -2, 3], np.int16)
    guid = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    path = tmp_path / "a.wav"
    path.write_bytes(
        wav(chunk(b"bext", b"odd"), chunk(b"fmt ", layout(0xFFFE, 1, 16000, 16, guid)), chunk(b"data", values.tobytes()), b"junk")
    )
    samples, rate = data.read_wav(path)
    np.testing.assert_array_equal(samples, values / 32768)
    assert rate == 16000


def test_a_size_that_was_not_known_goes_to_the_end(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(chunk(b"fmt ", layout(1, 1, 8000, 16)), b"data\xff\xff\xff\xff" + bytes(8)))
    assert data.read_wav(path)[0].tolist() == [0] * 4


def test_resampling_keeps_a_tone_and_takes_away_what_is_above_half_the_rate(tmp_path):
    time = np.arange(16000) / 16000
    tone, high = np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 6000 * time)
    wavfile.write(tmp_path / "a.wav", 16000, (tone + high).astype(np.float32) / 2)
    samples, rate = data.read_wav(tmp_path / "a.wav", rate=8000)
    assert rate == 8000 and samples.dtype == np.float32 and len(samples) == 8000
    np.testing.assert_allclose(samples[200:-200], np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)[200:-200] / 2, atol=2e-3)
    stereo = np.stack([tone, -tone], 1)
    np.testing.assert_allclose(data.resample(stereo, 16000, 44100)[:, 0], data.resample(tone, 16000, 44100))


FORMAT = chunk(b"fmt ", layout(1, 2, 8000, 16))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no WAV file"),
        (b"RIFF....AVI ", "no WAV file: it begins with the bytes 52 49 46 46"),
        (wav(), "no data chunk"),
        (wav(FORMAT), "no data chunk"),
        (wav(chunk(b"data", bytes(8))), "in front of their format"),
        (wav(chunk(b"fmt ", b"short")), "ends within its format"),
        (wav(FORMAT, chunk(b"data", bytes(40)))[:-6], "ends early, in sample 8; by its header there are 10"),
        (wav(FORMAT, chunk(b"data", bytes(10))), "ends early, in sample 2; by its header there are 2.5"),
        (wav(FORMAT, b"data\xf0\xff\xff\xff" + bytes(8)), "ends early, in sample 2"),
        (wav(FORMAT, chunk(b"data", b"")), "no samples"),
        (wav(chunk(b"fmt ", layout(7, 1, 8000, 8)), chunk(b"data", bytes(8))), "coding 7 with 8 bits.*ffmpeg"),
        (wav(chunk(b"fmt ", layout(1, 1, 8000, 12)), chunk(b"data", bytes(8))), "coding 1 with 12 bits"),
        (wav(chunk(b"fmt ", layout(1, 0, 8000, 16)), chunk(b"data", bytes(8))), "0 channels"),
    ],
)  # fmt: skip
def test_what_is_no_whole_wav_file_is_named(tmp_path, content, words):
    path = tmp_path / "noise.wav"
    path.write_bytes(content)
    with pytest.raises(errors.BadRecordError, match=words) as caught:
        data.read_wav(path)
    assert str(path) in str(caught.value)


WHOLE = wav(FORMAT, chunk(b"LIST", b"odd"), chunk(b"data", bytes(range(40))))


@settings(max_examples=200)
@given(places=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), end=st.integers(0, len(WHOLE)))
def test_any_bytes_are_samples_or_an_error_of_the_file(places, end, tmp_path_factory):
    content = bytearray(WHOLE)
    for place, byte in places:
        content[place] = byte
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    path.write_bytes(content[:end])
    try:
        assert data.read_wav(path)[0].size
    except errors.BadRecordError as error:
        assert str(path) in str(error)


def test_rates_and_samples_that_make_no_sense_are_refused():
    with pytest.raises(errors.ArgumentError, match="floats, got int64"):
        data.resample(np.arange(9), 8000, 4000)
    with pytest.raises(errors.ArgumentError, match="new_rate"):
        data.resample(np.ones(9), 8000, 0)
