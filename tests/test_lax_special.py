"""lax's special functions and rounding to fewer bits, against SciPy, NumPy's narrower types and jax's numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, lax, vmap

A, X = np.array([0.5, 2.0, 30.0]), np.array([0.3, 2.5, 25.0])


@pytest.mark.parametrize(
    ("f", "args", "want"),
    [
        (lax.igamma, (A, X), scipy.special.gammainc(A, X)),
        (lax.igammac, (A, X), scipy.special.gammaincc(A, X)),
        (lax.betainc, (A, A, X / 26), scipy.special.betainc(A, A, X / 26)),
        (lax.bessel_i0e, (A,), scipy.special.i0e(A)),
        (lax.bessel_i1e, (A,), scipy.special.i1e(A)),
        (lax.igamma_grad_a, (A, X), [-0.77057035, -0.24878307, -0.04995488]),  # jax's
        (lax.random_gamma_grad, (A, X), [1.00980195, 1.21231929, 0.9166816]),
    ],
    ids=lambda p: getattr(p, "__name__", None),
)
def test_special_functions_are_scipys_eager_compiled_and_batched(f, args, want) -> None:
    for g in (f, jit(f), vmap(f)):
        np.testing.assert_allclose(g(*args), want, rtol=1e-7)
    if len(args) > 1:
        with pytest.raises(errors.DTypeError, match="must have one element type"):
            f(*args[:-1], args[-1].astype(np.float32))


def test_the_gradient_of_gamma_draws_keeps_their_place_in_the_distribution() -> None:
    step = 1e-5
    place = scipy.special.gammainc(A, X)
    slope = (scipy.special.gammaincinv(A + step, place) - scipy.special.gammaincinv(A - step, place)) / (2 * step)
    np.testing.assert_allclose(lax.random_gamma_grad(A, X), slope, rtol=1e-5)


EDGES = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 65504, 65519, 65520, -1e30, 2**-14, 1e-5, 3.14159, 1 + 2**-11, 1 + 3 * 2**-11]
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("narrow", "bits"), [("float16", (5, 10)), ("bfloat16", (8, 7))])
def test_a_reduced_precision_is_that_of_the_narrow_type(dtype: str, narrow: str, bits: tuple[int, int]) -> None:
    x = jnp.array(EDGES, dtype)
    want = np.asarray(x.astype(narrow).astype(dtype))
    if narrow == "float16":
        want = np.where(np.abs(want) < 2**-14, np.copysign(0, want), want)  # no subnormal numbers
    for f in (lax.reduce_precision, jit(lax.reduce_precision, static_argnums=(1, 2))):
        found = np.asarray(f(x, *bits))
        np.testing.assert_array_equal(found, want)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(want))


def test_a_reduced_precision_of_few_bits_keeps_the_type_and_the_gradient() -> None:
    x = jnp.array([1.3, -5.0, 300.0, 0.001], "float16")
    found = lax.reduce_precision(x, 4, 3)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found.astype(float), [1.25, -5, np.inf, 0])
    np.testing.assert_array_equal(lax.reduce_precision(x, 5, 10), x)
    assert grad(lambda x: lax.reduce_precision(x, 5, 10) ** 2)(1.0) == 2
    with pytest.raises(errors.DTypeError, match="reduce_precision: takes floats, got int"):
        lax.reduce_precision(1, 5, 10)
    with pytest.raises(errors.ArgumentError, match="needs exponent_bits >= 1"):
        lax.reduce_precision(1.0, 0, 10)
