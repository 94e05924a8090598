"""Cosine transforms beside SciPy's, lax.fft beside numpy.fft, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.fft

import jitgrad.numpy as jnp
import jitgrad.scipy.fft as jfft
from jitgrad import errors, grad, jit, jvp, lax, vmap

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_cosine_transforms_of_every_type_and_norm_are_scipys(type: int, norm: Any) -> None:
    for dtype in (np.float32, np.float64, np.complex64):
        near = 1e-13 if dtype == np.float64 else 3e-6
        for shape in ((2,), (7,), (3, 8), (4, 5, 9)):
            x = np.asarray(RNG.standard_normal(shape) + (1j if dtype == np.complex64 else 0), dtype)
            for n in (None, 2, 3, 8, 11):
                for name in ("dct", "idct"):
                    want = getattr(scipy.fft, name)(x, type, n, 0, norm)
                    got = np.asarray(getattr(jfft, name)(x, type, n, 0, norm))
                    assert got.dtype == want.dtype
                    np.testing.assert_allclose(got, want, rtol=near, atol=near * np.abs(want).max())
            for name in ("dctn", "idctn"):
                want = getattr(scipy.fft, name)(x, type, norm=norm)
                for f in (getattr(jfft, name), jit(getattr(jfft, name), static_argnames=("type", "norm"))):
                    np.testing.assert_allclose(f(x, type=type, norm=norm), want, rtol=near, atol=near * np.abs(want).max())
    for n in (1,) if type != 1 else ():
        x = RNG.standard_normal((3, n))
        np.testing.assert_allclose(jfft.dct(x, type, norm=norm), scipy.fft.dct(x, type, norm=norm), rtol=1e-14)
        np.testing.assert_allclose(jfft.idct(x, type, norm=norm), scipy.fft.idct(x, type, norm=norm), rtol=1e-14)


def test_cosine_transforms_along_chosen_axes_pad_and_cut() -> None:
    x = RNG.standard_normal((3, 4, 5))
    for s, axes in ((None, (0, 2)), ((2, 6), (2, 1)), ((6, 2), None)):
        np.testing.assert_allclose(jfft.dctn(x, 2, s, axes), scipy.fft.dctn(x, 2, s, axes), rtol=1e-12)
        np.testing.assert_allclose(jfft.idctn(x, 3, s, axes), scipy.fft.idctn(x, 3, s, axes), rtol=1e-12)


@pytest.mark.parametrize("type", [1, 2, 3, 4])
def test_derivatives_of_cosine_transforms_are_their_matrix_and_batches_are_loops(type: int) -> None:
    x, t, ct = RNG.standard_normal((3, 6))
    f = lambda x: jfft.dct(x, type, norm="ortho")  # noqa: E731
    matrix = np.asarray(scipy.fft.dct(np.eye(6), type, axis=0, norm="ortho"))
    np.testing.assert_allclose(jvp(f, (x,), (t,))[1], matrix @ t, rtol=1e-12, atol=1e-12)
    for g in (grad(lambda x: jnp.sum(f(x) * ct)), jit(grad(lambda x: jnp.sum(f(x) * ct)))):
        np.testing.assert_allclose(g(x), matrix.T @ ct, rtol=1e-12, atol=1e-12)
    rows = RNG.standard_normal((4, 6))
    np.testing.assert_allclose(vmap(f)(rows), np.stack([np.asarray(f(row)) for row in rows]), rtol=1e-12, atol=1e-12)


def test_scipys_fourier_transforms_are_numpys() -> None:
    assert jfft.rfftn is jnp.fft.rfftn and jfft.fftfreq is jnp.fft.fftfreq


def test_lax_fft_transforms_the_last_axes_of_the_sizes_given() -> None:
    x = RNG.standard_normal((3, 4, 6)).astype(np.float32)
    z = (x + 1j * x[::-1]).astype(np.complex64)
    for kind in (lax.FftType.FFT, "FFT", "fft"):
        np.testing.assert_allclose(lax.fft(z, kind, (4, 6)), np.fft.fft2(z), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(lax.fft(z, "IFFT", (3, 4, 6)), np.fft.ifftn(z), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lax.fft(x, "RFFT", (6,)), np.fft.rfft(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(lax.fft(z, "IRFFT", (4, 11)), np.fft.irfft2(z, (4, 11)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lax.fft(z, "IRFFT", (10,)), np.fft.irfft(z), rtol=1e-5, atol=1e-6)
    assert lax.fft(x, "FFT", (6,)).dtype == jnp.complex64


ERRORS: tuple[tuple[Callable[[], Any], type[Exception], str], ...] = (
    (lambda: lax.fft(np.ones((3, 4)), "FFT", (3,)), errors.ShapeError, r"FFT with fft_lengths \(3,\) needs .*, got shape \(3, 4\)"),
    (lambda: lax.fft(np.ones((3, 4)), "IRFFT", (4,)), errors.ShapeError, r"needs last axes of \(3,\), got shape \(3, 4\)"),
    (lambda: lax.fft(np.ones(4), "FFT", (2, 4)), errors.ShapeError, "lax.fft: FFT"),
    (lambda: lax.fft(np.ones(4), "DFT", (4,)), errors.ArgumentError, "fft_type must be one of FFT, IFFT, RFFT, IRFFT, got 'DFT'"),
    (lambda: lax.fft(np.ones(4), "FFT", 4), errors.ArgumentError, "lax.fft: fft_lengths must be a sequence of sizes, got 4"),
    (lambda: lax.fft(np.ones(4) * 1j, "RFFT", (4,)), errors.DTypeError, "lax.fft: takes real numbers"),
    (lambda: lax.fft(np.ones(4), "RFFT", ()), errors.ArgumentError, "lax.fft: fft_lengths must be positive"),
    (lambda: lax.fft(np.ones((3, 0)), "FFT", (0,)), errors.ArgumentError, "lax.fft: fft_lengths must be positive"),
    (lambda: jfft.dct(np.ones(3), 5), errors.ArgumentError, "scipy.fft.dct: type must be 1, 2, 3 or 4, got 5"),
    (lambda: jfft.dct(np.ones(3), [2]), errors.ArgumentError, r"scipy.fft.dct: type must be 1, 2, 3 or 4, got \[2\]"),
    (lambda: jfft.idct(np.ones(3), norm="x"), errors.ArgumentError, "scipy.fft.idct: norm must be None"),
    (lambda: jfft.dct(np.ones(1), 1), errors.ArgumentError, "scipy.fft.dct: type 1 needs at least two elements"),
    (lambda: jfft.dct(np.ones(3), n=0), errors.ArgumentError, "scipy.fft.dct: needs at least one element"),
    (lambda: jfft.dctn(np.ones((2, 3)), axes=(0, 0)), errors.ArgumentError, "scipy.fft.dctn: axes must name each axis once"),
    (lambda: jfft.dct(np.ones(3), axis=2), errors.ArgumentError, "scipy.fft.dct: axis 2 does not exist"),
)


@pytest.mark.parametrize(("call", "error", "words"), ERRORS)
def test_an_error_names_the_function_the_argument_and_what_it_got(call: Callable[[], Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()
