"""jitgrad.nn against formulas in NumPy, and its gradients against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, random, vmap
from jitgrad.scipy import special
from jitgrad.testing import check_grads

X = np.linspace(-4.3, 4.1, 24).reshape(4, 6)
SMALL = X / 10


def softplus(x):
    return np.logaddexp(x, 0)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: np.clip(x, 0, 6), "sigmoid": scipy.special.expit,
    "log_sigmoid": lambda x: -softplus(-x), "softplus": softplus, "soft_sign": lambda x: x / (1 + np.abs(x)),
    "silu": lambda x: x * scipy.special.expit(x), "swish": lambda x: x * scipy.special.expit(x),
    "mish": lambda x: x * np.tanh(softplus(x)), "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6, "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * np.clip(x + 3, 0, 6) / 6, "tanh": np.tanh, "identity": lambda x: x,
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)), "celu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x), "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "sparse_plus": lambda x: np.where(x < -1, 0, np.where(x > 1, x, (x + 1) ** 2 / 4)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula(name):
    np.testing.assert_allclose(getattr(nn, name)(X), ACTIVATIONS[name](X), rtol=1e-12, atol=1e-15)
    got = getattr(nn, name)(X.astype(np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, ACTIVATIONS[name](X), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_has_the_derivatives_of_its_formula(name):
    check_grads(getattr(nn, name), (X,), order=2, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "glu", "softmax", "log_softmax"])
def test_a_nan_passes_through(name):
    assert np.isnan(np.asarray(getattr(nn, name)(np.array([np.nan, 1.0])))).any()


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0.0), ("relu6", 0.0), ("silu", 0.5), ("elu", 1.0), ("softplus", 0.5)])
def test_the_derivative_at_zero_is_jaxs(name, at_zero):
    assert float(grad(getattr(nn, name))(0.0)) == at_zero


@pytest.mark.parametrize("name", ["elu", "celu", "selu", "softplus", "log_sigmoid", "silu", "sigmoid", "mish", "gelu"])
def test_gradients_of_huge_arguments_are_finite(name):
    for x in (-1e4, 1e4):
        assert np.isfinite(float(grad(getattr(nn, name))(x)))


def test_gelu_can_be_exact():
    np.testing.assert_allclose(nn.gelu(X, approximate=False), X * scipy.special.ndtr(X), rtol=1e-12)


def test_parameters_of_activations_change_them():
    np.testing.assert_allclose(nn.elu(X, 2.0), np.where(X > 0, X, 2 * np.expm1(X)), rtol=1e-12)
    np.testing.assert_allclose(nn.celu(X, 2.0), np.where(X > 0, X, 2 * np.expm1(X / 2)), rtol=1e-12)
    np.testing.assert_allclose(nn.leaky_relu(X, 0.2), np.where(X > 0, X, 0.2 * X), rtol=1e-12)


def test_relu_keeps_integers():
    out = nn.relu(np.array([-2, 3]))
    assert out.dtype == np.int64
    np.testing.assert_array_equal(out, [0, 3])


def test_log1mexp_is_accurate_on_both_sides():
    x = np.array([1e-10, 0.1, 0.69, 0.7, 5.0, 50.0])
    expected = np.where(x < 0.5, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))
    np.testing.assert_allclose(nn.log1mexp(x), expected, rtol=1e-13)


def test_glu_gates_one_half_by_the_other():
    np.testing.assert_allclose(nn.glu(X), X[:, :3] * scipy.special.expit(X[:, 3:]), rtol=1e-12)
    np.testing.assert_allclose(nn.glu(X, 0), X[:2] * scipy.special.expit(X[2:]), rtol=1e-12)
    with pytest.raises(errors.ShapeError, match="even"):
        nn.glu(X[:3], 0)


@pytest.mark.parametrize("axis", [-1, 0, (0, 1)])
def test_softmax_and_its_logarithm_are_scipys(axis):
    np.testing.assert_allclose(nn.softmax(X, axis), scipy.special.softmax(X, axis), rtol=1e-12)
    np.testing.assert_allclose(nn.log_softmax(X, axis), scipy.special.log_softmax(X, axis), rtol=1e-12)
    check_grads(lambda x: nn.softmax(x, axis), (X,), order=2)
    check_grads(lambda x: nn.log_softmax(x, axis), (X,), order=2)


def test_softmax_of_large_numbers_does_not_overflow():
    np.testing.assert_array_equal(nn.softmax(np.array([1e4, 1e4], np.float32)), [0.5, 0.5])
    np.testing.assert_array_equal(nn.log_softmax(np.array([0.0, -1e30], np.float32)), np.array([0.0, -1e30], np.float32))


def test_masked_elements_are_absent_from_softmax():
    mask = np.array([True, True, False, True, True, False])
    expected = np.zeros_like(X)
    expected[:, mask] = scipy.special.softmax(X[:, mask], -1)
    np.testing.assert_allclose(nn.softmax(X, where=mask), expected, rtol=1e-12)
    np.testing.assert_allclose(np.exp(nn.log_softmax(X, where=mask)), expected, rtol=1e-12)
    infinite = np.where(mask, X, np.inf)
    gradient = grad(lambda x: jnp.sum(nn.softmax(x, where=mask)[:, 0]))(infinite)
    assert np.isfinite(gradient).all() and (np.asarray(gradient)[:, ~mask] == 0).all()


def test_logsumexp_is_scipys():
    weights = np.array([1.0, 2.0, 0.0, 0.5, 1.0, 3.0])
    for axis in (None, 0, 1, (0, 1)):
        np.testing.assert_allclose(nn.logsumexp(X, axis), scipy.special.logsumexp(X, axis), rtol=1e-12)
    np.testing.assert_allclose(nn.logsumexp(X, 1, b=weights), scipy.special.logsumexp(X, 1, b=weights), rtol=1e-12)
    np.testing.assert_allclose(nn.logsumexp(X, 1, keepdims=True), scipy.special.logsumexp(X, 1, keepdims=True), rtol=1e-12)
    signed = np.array([1.0, -4.0, 0.0, 0.5, 1.0, -3.0])
    for got, expected in zip(
        nn.logsumexp(X, 1, b=signed, return_sign=True), scipy.special.logsumexp(X, 1, b=signed, return_sign=True), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-10)
    check_grads(lambda x: nn.logsumexp(x, 1), (X,), order=2)


def test_logsumexp_of_infinities_is_infinite():
    assert float(nn.logsumexp(np.array([-np.inf, -np.inf]))) == -np.inf
    assert float(nn.logsumexp(np.array([0.0, np.inf]))) == np.inf


def test_logmeanexp_is_the_logarithm_of_a_mean():
    np.testing.assert_allclose(nn.logmeanexp(X, 1), np.log(np.mean(np.exp(X), 1)), rtol=1e-12)
    mask = X > 0
    np.testing.assert_allclose(nn.logmeanexp(X, where=mask), np.log(np.mean(np.exp(X[mask]))), rtol=1e-12)


def test_standardize_centres_and_scales():
    expected = (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(nn.standardize(X), expected, rtol=1e-10)
    np.testing.assert_allclose(nn.standardize(X, mean=1.0, variance=4.0, epsilon=0.0), (X - 1) / 2, rtol=1e-12)


def test_one_hot_puts_ones_at_indices():
    labels = np.array([[0, 2], [5, -1]])
    expected = (labels[..., None] == np.arange(3)).astype(np.float32)
    out = nn.one_hot(labels, 3)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(nn.one_hot(labels, 3, axis=0, dtype=np.int8), np.moveaxis(expected, -1, 0))
    np.testing.assert_array_equal(vmap(lambda i: nn.one_hot(i, 3))(labels), expected)
    with pytest.raises(errors.DTypeError, match="integers"):
        nn.one_hot(np.array([1.0]), 3)


KEY = random.key(0)
DEVIATIONS = {
    "glorot_uniform": math.sqrt(2 / 500), "glorot_normal": math.sqrt(2 / 500), "he_uniform": math.sqrt(2 / 300),
    "he_normal": math.sqrt(2 / 300), "lecun_uniform": math.sqrt(1 / 300), "lecun_normal": math.sqrt(1 / 300),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVIATIONS)
def test_an_initializer_has_the_deviation_of_its_scheme(name):
    drawn = np.asarray(getattr(nn.initializers, name)()(KEY, (300, 200)))
    assert drawn.dtype == np.float32
    assert abs(drawn.mean()) < 4 * DEVIATIONS[name] / math.sqrt(drawn.size)
    np.testing.assert_allclose(drawn.std(), DEVIATIONS[name], rtol=0.02)


def test_a_window_counts_as_inputs():
    drawn = np.asarray(nn.initializers.lecun_normal()(KEY, (3, 3, 20, 100)))
    np.testing.assert_allclose(drawn.std(), math.sqrt(1 / 180), rtol=0.03)


def test_plain_initializers_fill_and_draw():
    np.testing.assert_array_equal(nn.initializers.zeros(KEY, (2,)), [0, 0])
    np.testing.assert_array_equal(nn.initializers.ones(KEY, (2,), np.float64), [1, 1])
    np.testing.assert_array_equal(nn.initializers.constant(3.0)(KEY, (2,)), [3, 3])
    assert abs(float(jnp.std(nn.initializers.normal(0.5)(KEY, (20_000,)))) - 0.5) < 0.02
    drawn = np.asarray(nn.initializers.uniform(0.5)(KEY, (1000,)))
    assert drawn.min() >= 0 and drawn.max() < 0.5
    assert float(jnp.max(jnp.abs(nn.initializers.truncated_normal(0.5)(KEY, (1000,))))) <= 1.0


def test_initializers_refuse_what_they_do_not_know():
    with pytest.raises(errors.ArgumentError, match="fan_in"):
        nn.initializers.variance_scaling(1.0, "fan_of", "normal")
    with pytest.raises(errors.ArgumentError, match="distribution"):
        nn.initializers.variance_scaling(1.0, "fan_in", "poisson")
    with pytest.raises(errors.ArgumentError, match="biases"):
        nn.initializers.he_normal()(KEY, (3,))


def test_softmax_of_nothing_is_nothing_and_has_derivatives_of_zero():
    x, none = jnp.array([5.5, 1.3]), jnp.array([False, False])
    np.testing.assert_array_equal(nn.softmax(x, where=none), [0.0, 0.0])
    np.testing.assert_array_equal(nn.log_softmax(x, where=none), [-np.inf, -np.inf])
    assert float(nn.logsumexp(x, where=none)) == -np.inf
    for f in (
        lambda v: jnp.sum(nn.softmax(v, where=none)),
        lambda v: jnp.sum(jnp.where(none, nn.log_softmax(v, where=none), 0.0)),
        lambda v: nn.logsumexp(v, where=none),
    ):
        np.testing.assert_array_equal(grad(f)(x), [0.0, 0.0])
    np.testing.assert_array_equal(grad(nn.logsumexp)(jnp.array([-np.inf, -np.inf])), [0.0, 0.0])


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (0,)])
def test_an_empty_axis_is_summed_to_nothing(shape):
    x = jnp.zeros(shape)
    assert nn.softmax(x).shape == nn.log_softmax(x).shape == shape
    assert nn.softmax(x, axis=0).shape == special.softmax(x).shape == shape
    np.testing.assert_array_equal(nn.logsumexp(x, axis=-1), np.full(shape[:-1], -np.inf))
    assert float(special.logsumexp(x)) == -np.inf


def test_scipys_softmax_takes_all_axes():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(special.softmax(x), scipy.special.softmax(x), rtol=1e-12)
    np.testing.assert_allclose(special.log_softmax(x), scipy.special.log_softmax(x), rtol=1e-12)
    np.testing.assert_allclose(special.softmax(x, axis=0), scipy.special.softmax(x, axis=0), rtol=1e-12)


def test_logsumexp_takes_complex_numbers():
    z = np.array([1000.0, 1001 + 1j, 999 - 2j])
    wanted = np.log(np.sum(np.exp(z - 1000))) + 1000
    np.testing.assert_allclose(nn.logsumexp(z), wanted, rtol=1e-12)
    size, sign = nn.logsumexp(z, return_sign=True)
    np.testing.assert_allclose(size, wanted.real, rtol=1e-12)
    np.testing.assert_allclose(sign, np.exp(1j * wanted.imag), rtol=1e-12)


def test_one_hot_says_that_the_number_of_classes_must_be_known():
    with pytest.raises(errors.TracerIntegerConversionError, match="concrete"):
        jit(nn.one_hot)(3, 5)


def test_gelu_takes_pytorchs_names_of_its_formulas():
    x = jnp.array([-1.0, 0.5, 2.0])
    for name, formula in [("tanh", True), ("none", False)]:
        np.testing.assert_array_equal(nn.gelu(x, approximate=name), nn.gelu(x, approximate=formula))
        np.testing.assert_array_equal(nn.GELU(approximate=name)(x), nn.gelu(x, approximate=formula))
    with pytest.raises(errors.ArgumentError, match="nn.gelu: approximate must be True, False, 'tanh' or 'none', got 'exact'"):
        nn.gelu(x, approximate="exact")
