"""Spectrograms beside SciPy's, mel filters by their definition, and errors that teach."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

import jitgrad.numpy as jnp
from jitgrad import audio, errors, jit, vmap
from jitgrad.test_util import check_grads

SOUND = np.random.default_rng(0).standard_normal((2, 3, 500))


@pytest.mark.parametrize(
    ("length", "hop", "size"), [(64, 16, None), (50, 25, 64), (33, 7, 33), (20, 30, 21), (500, 1, None), (1, 1, 1)]
)
def test_a_spectrogram_is_scipys(length, hop, size):
    window = scipy.signal.get_window("hann", length) if length > 1 else np.ones(1)
    given = "hann" if length > 1 else window
    starts = range(0, 500 - length + 1, hop)
    want = np.stack([np.abs(np.fft.rfft(window * SOUND[..., n : n + length], size)) ** 2 for n in starts], axis=-2)
    for f in (audio.spectrogram, jit(audio.spectrogram, static_argnums=(1, 2), static_argnames=("window", "fft_length"))):
        got = f(SOUND, length, hop, fft_length=size) if length > 1 else audio.spectrogram(SOUND, 1, 1, window=given)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * want.max())
    if length > 1 and hop < length:
        _, _, theirs = scipy.signal.stft(
            SOUND, nperseg=length, noverlap=length - hop, nfft=size, boundary=None, padded=False, window=window
        )
        power = np.abs(np.moveaxis(theirs, -1, -2) * window.sum()) ** 2
        np.testing.assert_allclose(got, power, rtol=1e-9, atol=1e-9 * power.max())


def test_a_spectrogram_of_float32_is_right_to_its_last_digits_far_from_zero_frequency():
    window = scipy.signal.get_window("hann", 1024)
    want = np.abs(np.fft.rfft(window * SOUND[0, 0].repeat(3)[:1024])) ** 2
    got = audio.spectrogram(SOUND[0, 0].repeat(3)[:1024].astype("float32"), 1024, 1)
    assert got.dtype == np.float32 and got.shape == (1, 513)
    np.testing.assert_allclose(got[0], want, rtol=0, atol=1e-6 * want.max())


def test_spectrograms_differentiate_and_batch():
    sound = SOUND[0, 0, :80]
    check_grads(lambda x: audio.spectrogram(x, 16, 8, window=np.ones(16)), (sound,), order=2, atol=1e-4, rtol=1e-4)
    check_grads(lambda x: audio.log_mel_spectrogram(x, 8000, mels=4, length=32, hop=16), (sound,), order=1, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(vmap(lambda x: audio.spectrogram(x, 64, 16))(SOUND), audio.spectrogram(SOUND, 64, 16), rtol=1e-10)


def test_mel_bands_are_triangles_between_corners_that_are_even_in_mel():
    filters = np.asarray(audio.mel_filters(513, 20, 16000.0, 100.0, 7000.0, dtype="float64"))
    corners = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(8 + 3), 22)
    corners = 700 * (10 ** (corners / 2595) - 1)
    frequencies = np.linspace(0, 8000, 513)
    for band in range(20):
        np.testing.assert_allclose(filters[:, band], np.interp(frequencies, corners[band : band + 3], [0, 1, 0]), atol=1e-9)
    inside = (frequencies > corners[1]) & (frequencies < corners[-2])
    np.testing.assert_allclose(filters[inside].sum(axis=1), 1, rtol=1e-12)


def test_log_mel_is_the_logarithm_of_the_bands_power():
    got = audio.log_mel_spectrogram(SOUND, 8000, mels=10, length=40, hop=20, fft_length=128, floor=1e-3)
    bands = audio.mel_filters(65, 10, 8000, dtype="float64")
    np.testing.assert_allclose(got, np.log(audio.spectrogram(SOUND, 40, 20, fft_length=128) @ bands + 1e-3), rtol=1e-12)
    assert audio.log_mel_spectrogram(jnp.zeros((2, 800), "float32"), 16000).shape == (2, 3, 80)
    np.testing.assert_allclose(audio.log_mel_spectrogram(np.zeros(400), 16000, floor=1e-4), np.log(1e-4))
    assert audio.mel_filters(65, 10, 8000).dtype == np.float32


WRONG = [
    (lambda: audio.spectrogram(1j * np.ones(9), 4, 1), errors.DTypeError, "takes real numbers, got complex128"),
    (lambda: audio.spectrogram(np.ones(9), 10, 2), errors.ShapeError, r"at least length=10 samples, got shape \(9,\)"),
    (lambda: audio.spectrogram(1.0, 1, 1), errors.ShapeError, "must be .*samples"),
    (lambda: audio.spectrogram(np.ones(9), 4, 0), errors.ArgumentError, "hop must be 1 or more"),
    (lambda: audio.spectrogram(np.ones(9), 4, 1, fft_length=3), errors.ArgumentError, "fft_length must be at least length=4"),
    (lambda: audio.spectrogram(np.ones(9), 4, 1, window="kaiser"), errors.ArgumentError, "window must be 'hann' or an array"),
    (lambda: audio.spectrogram(np.ones(9), 4, 1, window=np.ones(3)), errors.ShapeError, r"window must have shape \(4,\)"),
    (lambda: audio.mel_filters(65, 10, 8000, 100, 5000), errors.ArgumentError, "low < high <= sample_rate / 2 = 4000"),
    (lambda: audio.mel_filters(9, 40, 8000), errors.ArgumentError, "none of the 9 frequencies is in band 0 of 40"),
    (lambda: audio.log_mel_spectrogram(np.ones(900), 8000, fft_length=201), errors.ArgumentError, "fft_length must be even"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
