"""Spectra are SciPy's, and istft is the inverse of stft."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.scipy import signal
from jitgrad.test_util import check_grads


def numbers(shape, kind="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if kind == "complex128" else x


def quietly(f, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f(*args, **options)


def same(found, want):
    assert len(found) == len(want)
    for a, b in zip(found, want, strict=True):
        assert a.shape == b.shape and (a.dtype.kind == "c") == (b.dtype.kind == "c")
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


OPTIONS = [
    {}, {"nperseg": 8}, {"nperseg": 9}, {"nperseg": 8, "noverlap": 5, "nfft": 13}, {"nperseg": 8, "noverlap": 0, "fs": 100.0},
    {"window": "hamming", "nperseg": 10}, {"window": ("kaiser", 4.0), "nperseg": 10}, {"window": np.arange(1.0, 8)},
    {"nperseg": 6, "return_onesided": False}, {"nperseg": 1}, {"nperseg": 8, "detrend": "linear"}, {"nperseg": 8, "detrend": False},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_welch(options, kind):
    x = numbers((2, 50), kind)
    want = quietly(scipy.signal.welch, x, **options)
    for f in (signal.welch, jit(lambda x: signal.welch(x, **options))):
        found = f(x, **options) if f is signal.welch else f(x)
        same(found, want)


@pytest.mark.parametrize(
    "options", [{"nperseg": 8}, {"nperseg": 7, "scaling": "spectrum"}, {"nperseg": 8, "average": "median"}], ids=str
)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_csd(options, kind):
    x, y = numbers((2, 50), kind, 1), numbers((1, 50), kind, 2)
    same(signal.csd(x, y, **options), quietly(scipy.signal.csd, x, y, **options))
    short = numbers((2, 30), kind, 3)
    same(signal.csd(x, short, **options), quietly(scipy.signal.csd, x, short, **options))
    same(signal.csd(x, None, **options), quietly(scipy.signal.welch, x, **options))
    moved = {"axis": 0} | options
    same(signal.csd(x.T, y.T, **moved), quietly(scipy.signal.csd, x.T, y.T, **moved))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", ["float64", "complex128"])
def test_stft(options, kind):
    x = numbers((2, 50), kind)
    same(signal.stft(x, **options), quietly(scipy.signal.stft, x, **{"nperseg": 7 if "window" in options else 256} | options))


@pytest.mark.parametrize("boundary", ["zeros", "even", "odd", "constant", None])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("axis", [0, -1])
def test_ends_of_signals(boundary, padded, axis):
    x = numbers((23, 29))
    options = {"nperseg": 8, "noverlap": 3, "boundary": boundary, "padded": padded, "axis": axis}
    same(signal.stft(x, **options), scipy.signal.stft(x, **options))


@given(st.integers(2, 12), st.integers(0, 11), st.integers(0, 4), st.booleans(), st.sampled_from(["float64", "complex128"]))
@settings(max_examples=20)
def test_the_inverse_gives_the_signal_back(nperseg, noverlap, more, onesided, kind):
    noverlap = max(noverlap % nperseg, nperseg // 2)
    if noverlap == nperseg:
        noverlap -= 1
    x = numbers((2, 40), kind)
    chosen = {"nperseg": nperseg, "noverlap": noverlap, "nfft": nperseg + more, "window": "hamming", "fs": 4.0}
    _, _, z = signal.stft(x, return_onesided=onesided, **chosen)
    t, back = signal.istft(z, input_onesided=onesided and kind == "float64", **chosen)
    np.testing.assert_allclose(back[:, :40], x, atol=1e-10)
    np.testing.assert_allclose(t, np.arange(back.shape[-1]) / 4)


def test_istft_is_that_of_scipy():
    z = numbers((3, 5, 7), "complex128")
    for options in ({}, {"nperseg": 9}, {"nfft": 11, "nperseg": 9}, {"noverlap": 2}, {"boundary": False}, {"input_onesided": False},
                    {"noverlap": 0, "window": "boxcar"}, {"window": np.arange(1.0, 9)}):  # fmt: skip
        want = quietly(
            scipy.signal.istft, z, **({"nperseg": 8} if "window" in options and "noverlap" not in options else {}), **options
        )
        np.testing.assert_allclose(signal.istft(z, **options)[1], want[1], atol=1e-10)
    turned = np.moveaxis(z, (1, 2), (2, 0))
    found = signal.istft(turned, time_axis=0, freq_axis=2)[1]
    np.testing.assert_allclose(found, scipy.signal.istft(turned, time_axis=0, freq_axis=2)[1], atol=1e-10)


def test_functions_take_trends_off():
    x = numbers((2, 40))
    want = scipy.signal.welch(x, nperseg=8, detrend=lambda d: d - d.min(-1, keepdims=True))
    same(signal.welch(x, nperseg=8, detrend=lambda d: d - d.min(-1, keepdims=True)), want)
    turned = signal.welch(x.T, nperseg=8, axis=0, detrend=lambda d: d - d.min(0, keepdims=True))
    np.testing.assert_allclose(turned[1].T, want[1], rtol=1e-9)


def test_types_and_signals_without_samples():
    f, t, z = signal.stft(np.ones(40, np.float32), nperseg=8)
    assert (f.dtype, t.dtype, z.dtype) == (np.float32, np.float32, np.complex64)
    assert signal.istft(z)[1].dtype == np.float32
    for x in (np.ones((2, 0)), np.ones((0, 4))):
        assert [v.shape for v in signal.welch(x)] == [v.shape for v in scipy.signal.welch(x)]
    with pytest.warns(UserWarning, match="nperseg=8 is more than the 5 samples"):
        assert signal.welch(np.ones(5), nperseg=8)[0].shape == (3,)


def test_derivatives_and_vmap():
    x = numbers((30,))
    check_grads(lambda x: signal.welch(x, nperseg=8)[1], (x,), order=2)
    check_grads(lambda x: signal.istft(signal.stft(x, nperseg=8)[2] * np.arange(5.0)[:, None])[1], (x,), order=2)
    check_grads(lambda x, y: jnp.abs(signal.csd(x, y, nperseg=8)[1]) ** 2, (x, x[::-1].copy()), order=1)
    several = np.stack([x, 2 * x])
    np.testing.assert_allclose(
        vmap(lambda x: signal.welch(x, nperseg=8)[1])(several), signal.welch(several, nperseg=8)[1], rtol=1e-10
    )
    assert np.isfinite(grad(lambda fs: signal.welch(x, fs, nperseg=8)[1].sum())(2.0))


WRONG = [
    (lambda: signal.stft(np.ones(9), nperseg=4, noverlap=4), errors.ArgumentError, "noverlap must be from 0 to nperseg - 1 = 3"),
    (lambda: signal.stft(np.ones(9), nperseg=4, nfft=3), errors.ArgumentError, "nfft must be nperseg=4 or more"),
    (lambda: signal.stft(np.ones(9), nperseg=0), errors.ArgumentError, "nperseg must be 1 or more"),
    (lambda: signal.stft(np.ones(9), nperseg=4.5), errors.JitgradError, "nperseg must be an integer"),
    (lambda: signal.stft(np.ones(9), nperseg=4, boundary="wrap"), errors.ArgumentError, "boundary must be one of 'even'"),
    (lambda: signal.stft(np.ones(9), nperseg=4, window="none"), errors.ArgumentError, "window 'none' is none of SciPy's"),
    (lambda: signal.stft(np.ones(9), nperseg=4, window=np.ones(3)), errors.ArgumentError, "nperseg is 4, but the window has 3"),
    (lambda: signal.stft(np.ones(9), window=np.ones((3, 3))), errors.ShapeError, "window must have one axis"),
    (lambda: signal.welch(np.ones(2), window=np.ones(3)), errors.ShapeError, "3 factors, but the signal 2 samples"),
    (lambda: signal.welch(np.ones(9), scaling="power"), errors.ArgumentError, "scaling must be 'density' or 'spectrum'"),
    (lambda: signal.welch(np.ones(9), average="mode"), errors.ArgumentError, "average must be 'mean' or 'median'"),
    (lambda: signal.welch(np.ones(9), detrend="cubic"), errors.ArgumentError, "detrend must be 'constant'"),
    (lambda: signal.welch(np.ones(9), axis=1), errors.ArgumentError, "axis 1 does not exist"),
    (lambda: signal.csd(np.ones((2, 9)), np.ones(9)), errors.ShapeError, "one number of axes"),
    (lambda: signal.csd(np.ones((2, 9)), np.ones((3, 9))), errors.ShapeError, "do not broadcast"),
    (lambda: signal.istft(np.ones(9)), errors.ShapeError, "an axis of frequencies and one of times"),
    (lambda: signal.istft(np.ones((5, 9)), freq_axis=-1), errors.ArgumentError, "the same axis"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
