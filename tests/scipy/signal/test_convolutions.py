"""scipy.signal's convolutions and correlations are SciPy's, and errors teach."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from jitgrad import errors, jit, vmap
from jitgrad.scipy import signal
from jitgrad.test_util import check_grads

MODES = ["full", "same", "valid"]


def numbers(shape, kind="float64"):
    rng = np.random.default_rng(len(shape))
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if kind == "complex128" else x


@pytest.mark.parametrize("kind", ["float64", "complex128"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve", "correlate"])
@pytest.mark.parametrize(
    "shapes", [((9,), (4,)), ((3,), (8,)), ((5, 6), (2, 3)), ((4, 5, 3), (2, 2, 3)), ((2, 2), (4, 5)), ((), ())], ids=str
)
def test_any_number_of_axes(shapes, name, mode, kind):
    x, y = (numbers(s, kind) for s in shapes)
    want = getattr(scipy.signal, name)(x, y, mode, method="direct")
    for f in (getattr(signal, name), jit(getattr(signal, name), static_argnums=2)):
        np.testing.assert_allclose(f(x, y, mode), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["full", "same"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_larger_along_one_axis_and_smaller_along_another(name, mode):
    x, y = numbers((3, 7)), numbers((5, 2))
    np.testing.assert_allclose(getattr(signal, name)(x, y, mode), getattr(scipy.signal, name)(x, y, mode), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("fill", [0, 1.5])
@pytest.mark.parametrize("boundary", ["fill", "wrap", "symm"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["convolve2d", "correlate2d"])
@pytest.mark.parametrize("sizes", [(3, 2), (2, 4)], ids=str)
def test_boundaries_of_planes(name, mode, boundary, sizes, fill):
    x, y = numbers((5, 6)), numbers((2, *sizes))[0]
    want = getattr(scipy.signal, name)(x, y, mode, boundary, fill)
    np.testing.assert_allclose(getattr(signal, name)(x, y, mode, boundary, fill), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["float64", "complex128"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "shapes", [((9,), (4,)), ((3,), (8,)), ((5, 6), (2, 3)), ((4, 5, 3), (2, 2, 3)), ((1, 3), (4, 5)), ((), ())], ids=str
)
def test_convolutions_by_fourier_transforms(shapes, mode, kind):
    x, y = (numbers(s, kind) for s in shapes)
    want = scipy.signal.fftconvolve(x, y, mode)
    for f in (signal.fftconvolve, lambda *a: signal.convolve(*a, method="fft")):
        found = f(x, y, mode)
        assert found.dtype == kind
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-12)
    turned = signal.correlate(x, y, mode, method="fft")
    np.testing.assert_allclose(turned, scipy.signal.correlate(x, y, mode, method="direct"), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("axes", "shape"), [(0, (3, 1, 1)), (-1, (1, 5, 2)), ((1, 0), (3, 2, 3)), ([2], (4, 1, 2))])
def test_convolutions_along_some_axes_broadcast_along_the_others(axes, shape):
    x, y = numbers((4, 5, 3)), numbers(shape)
    for mode in MODES:
        want = scipy.signal.fftconvolve(x, y, mode, axes)
        np.testing.assert_allclose(signal.fftconvolve(x, y, mode, axes), want, rtol=1e-12, atol=1e-12)


def test_derivatives_of_fast_convolutions_and_vmap():
    x, y = numbers((4, 5)), numbers((2, 3))
    check_grads(lambda x, y: signal.fftconvolve(x, y, "same"), (x, y), order=2)
    rows = vmap(lambda x: signal.fftconvolve(x, y, "valid"))(np.stack([x, 2 * x]))
    np.testing.assert_allclose(rows[1], 2 * signal.fftconvolve(x, y, "valid"), rtol=1e-12)
    half = signal.fftconvolve(np.ones(5, np.float16), np.ones(3, np.float16))
    assert half.dtype == np.float16 and half.tolist() == [1, 2, 3, 3, 3, 2, 1]


def test_derivatives_and_vmap():
    x, y = numbers((4, 5)), numbers((2, 3))
    check_grads(lambda x, y: signal.correlate2d(x, y, "same", "symm"), (x, y), order=2)
    xs = np.stack([x, 2 * x])
    np.testing.assert_allclose(vmap(signal.convolve, (0, None))(xs, y)[1], 2 * signal.convolve(x, y), rtol=1e-12)


WRONG = [
    (lambda: signal.convolve(np.ones(3), np.ones((3, 3))), errors.ShapeError, "one number of axes"),
    (lambda: signal.convolve(np.ones(3), np.ones(0)), errors.ShapeError, "at least one element"),
    (lambda: signal.convolve(np.ones(3), np.ones(2), "all"), errors.ArgumentError, "mode must be one of"),
    (lambda: signal.convolve(np.ones(3), np.ones(2), method="fast"), errors.ArgumentError, "'auto', 'direct' or 'fft', got 'fast'"),
    (lambda: signal.fftconvolve(np.ones(3), np.ones((2, 2))), errors.ShapeError, "one number of axes"),
    (lambda: signal.fftconvolve(np.ones((3, 4)), np.ones((2, 4)), axes=1), errors.ShapeError, "do not broadcast"),
    (lambda: signal.fftconvolve(np.ones((3, 4)), np.ones((2, 4)), axes=2), errors.ArgumentError, "axis 2 does not exist"),
    (lambda: signal.correlate(np.ones((3, 2)), np.ones((2, 3)), "valid"), errors.ShapeError, "as large as the other"),
    (lambda: signal.convolve2d(np.ones(3), np.ones(3)), errors.ShapeError, "must have 2 axes"),
    (lambda: signal.convolve2d(np.ones((3, 3)), np.ones((2, 2)), boundary="mirror"), errors.ArgumentError, "boundary must be"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
