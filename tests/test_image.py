"""Images of other sizes: properties that hold whatever the method, numbers by hand, and errors that teach."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, image, jit, vmap
from jitgrad.test_util import check_grads

METHODS = ["linear", "cubic", "lanczos3", "lanczos5", "cubic-pytorch", "area"]
both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


@both
@pytest.mark.parametrize("method", ["nearest", *METHODS])
@pytest.mark.parametrize("antialias", [True, False])
def test_an_image_of_one_number_stays_one(mode, method, antialias):
    out = mode(lambda x: image.resize(x, (3, 9, 4), method, antialias))(np.full((3, 5, 7), 2.5))
    np.testing.assert_allclose(out, np.full((3, 9, 4), 2.5), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_size_is_the_same_image(method):
    x = np.random.default_rng(1).standard_normal((4, 5))
    np.testing.assert_array_equal(image.resize(x, (4, 5), method), x)
    np.testing.assert_allclose(image.scale_and_translate(x, (4, 5), (0, 1), np.ones(2), np.zeros(2), method), x, atol=1e-12)


def test_numbers_by_hand():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    np.testing.assert_array_equal(image.resize(x, (2,), "area"), [1.5, 6])
    np.testing.assert_array_equal(image.resize(x, (8,), "linear"), [1, 1.25, 1.75, 2.5, 3.5, 5, 7, 8])
    np.testing.assert_array_equal(image.resize(x, (2,), "linear", antialias=False), [1.5, 6])
    np.testing.assert_allclose(image.resize(x, (2,), "linear"), [13 / 7, 38 / 7], rtol=1e-12)  # weights 3, 3, 1 and 1, 3, 3 of 8
    np.testing.assert_array_equal(image.resize(x, (3,), "nearest"), [1, 4, 8])
    np.testing.assert_array_equal(image.resize(np.arange(6), (3,), "nearest"), [1, 3, 5])


def test_nearest_keeps_the_type_and_others_are_floats():
    x = np.arange(4, dtype="uint8")
    assert image.resize(x, (2,), "nearest").dtype == np.uint8
    assert image.resize(x, (2,), "linear").dtype == np.float32
    assert image.resize(x.astype("float16"), (2,), image.ResizeMethod.CUBIC).dtype == np.float16
    assert image.resize(x.astype("complex64"), (2,), "linear").dtype == np.complex64


def test_what_comes_from_outside_is_zero():
    x = np.ones(4)
    np.testing.assert_array_equal(
        image.scale_and_translate(x, (6,), (0,), np.ones(1), np.array([2.0]), "linear"), [0, 0, 1, 1, 1, 1]
    )


@pytest.mark.parametrize("method", METHODS[:-1])
def test_derivatives_by_the_image_the_scale_and_the_translation(method):
    x = np.random.default_rng(1).standard_normal((5, 4))

    def f(x, scale, move):
        return image.scale_and_translate(x, (6, 4), (0,), scale, move, method, antialias=False)

    check_grads(f, (x, np.array([1.13]), np.array([0.21])), order=1, modes=["fwd", "rev"])


def test_vmap_and_grad_of_resize():
    x = np.random.default_rng(1).standard_normal((3, 4, 5))
    out = vmap(lambda x: image.resize(x, (7, 3), "cubic"))(x)
    np.testing.assert_allclose(out, image.resize(x, (3, 7, 3), "cubic"), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(grad(lambda x: jnp.sum(image.resize(x, (3, 8, 10), "area")))(x), np.full(x.shape, 4.0), rtol=1e-12)


X = np.ones((4, 4))
WRONG = [
    (lambda: image.resize(X, (4,), "linear"), errors.ShapeError, "a size for each of the image's 2 axes"),
    (lambda: image.resize(X, (4, 5), "spline"), errors.ArgumentError, "method must be a ResizeMethod or one of 'nearest'"),
    (lambda: image.resize(X[:0], (4, 4), "linear"), errors.ShapeError, "an axis without elements"),
    (lambda: image.resize(X, (4, -1), "linear"), errors.ArgumentError, "sizes of 0 or more"),
    (
        lambda: image.scale_and_translate(X, (4, 4), (0,), np.ones(1), np.ones(1), "nearest"),
        errors.ArgumentError,
        "'nearest' is none of weights",
    ),
    (
        lambda: image.scale_and_translate(X, (4, 4), (0, 1), np.ones(1), np.ones(2), "linear"),
        errors.ShapeError,
        "a number for each of the axes",
    ),
    (
        lambda: image.scale_and_translate(X, (4, 5), (0,), np.ones(1), np.ones(1), "linear"),
        errors.ShapeError,
        "axis 1 is none of spatial_dims",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
