"""Resized, scaled and moved images are jax's, and so are their derivatives."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import image

if importlib.util.find_spec("jax") is None:
    pytest.skip("jax is not installed (extra test-peers)", allow_module_level=True)

METHODS = ["nearest", "linear", "cubic", "lanczos3", "lanczos5", "cubic-pytorch", "area"]


@pytest.fixture(scope="module", autouse=True)
def jax():
    import jax
    import jax.image

    with jax.enable_x64(True):
        yield jax


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(2, 3, 9), (2, 13, 5), (1, 7, 7), (2, 1, 20), (2, 0, 3)], ids=str)
def test_resize(jax, shape, method, antialias):
    x = np.random.default_rng(1).standard_normal((2, 7, 5))
    ours, theirs = (where.resize(x, shape, method, antialias) for where in (image, jax.image))
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["int32", "uint8", "float16"])
def test_types(jax, kind, method):
    x = np.arange(12).reshape(3, 4).astype(kind)
    ours, theirs = (where.resize(x, (5, 3), method) for where in (image, jax.image))
    assert (ours.dtype.kind == theirs.dtype.kind) and (kind != "float16" or ours.dtype == theirs.dtype)
    np.testing.assert_allclose(np.asarray(ours, "float64"), np.asarray(theirs, "float64"), rtol=2e-2 if kind == "float16" else 1e-5)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("method", METHODS[1:])
def test_scale_and_translate_and_its_derivatives(jax, method, antialias):
    x = np.random.default_rng(1).standard_normal((6, 3, 7))
    scale, move = np.array([1.7, 0.63]), np.array([-1.3, 2.2])

    def call(where, numpy):
        return lambda x, s, t: where.scale_and_translate(x, (5, 3, 8), (0, 2), s, t, method, antialias)

    np.testing.assert_allclose(call(image, jnp)(x, scale, move), call(jax.image, jax.numpy)(x, scale, move), rtol=1e-5, atol=2e-6)
    for n in range(3):
        ours = jitgrad.grad(lambda *a: jnp.sum(call(image, jnp)(*a) ** 2), n)(x, scale, move)
        theirs = jax.grad(lambda *a: jax.numpy.sum(call(jax.image, jax.numpy)(*a) ** 2), n)(x, scale, move)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
