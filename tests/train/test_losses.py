"""Losses by Keras' names against Keras' formulas, written with NumPy; what `compile` takes as a loss."""

import functools

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn
from jitgrad.train import losses

DRAWS = np.random.default_rng(0)
T, X = DRAWS.normal(size=(4, 3)), DRAWS.normal(size=(4, 3))
P = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
LABELS = np.array([0, 2, 1, 2])
HOT = np.eye(3)[LABELS]
BITS = (T > 0).astype(int)
HALF = 1 / (1 + np.exp(-X))
E = 1e-7


def bce(t, p):
    p = np.clip(p, E, 1 - E)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


FORMULAS = [
    ("mean_squared_error", (T, X), {}, ((T - X) ** 2).mean(-1)),
    ("mean_absolute_error", (T, X), {}, abs(T - X).mean(-1)),
    ("mean_absolute_percentage_error", (T, X), {}, 100 * abs((T - X) / np.maximum(abs(T), E)).mean(-1)),
    (
        "mean_squared_logarithmic_error", (T, X), {},
        ((np.log(np.maximum(X, E) + 1) - np.log(np.maximum(T, E) + 1)) ** 2).mean(-1),
    ),
    ("huber", (T, X), {"delta": 0.5}, np.where(abs(T - X) <= 0.5, 0.5 * (T - X) ** 2, 0.5 * abs(T - X) - 0.125).mean(-1)),
    ("log_cosh", (T, X), {}, np.log(np.cosh(X - T)).mean(-1)),
    ("poisson", (BITS, HALF), {}, (HALF - BITS * np.log(HALF + E)).mean(-1)),
    ("hinge", (BITS, X), {}, np.maximum(1 - (2 * BITS - 1) * X, 0).mean(-1)),
    ("hinge", (2 * BITS - 1, X), {}, np.maximum(1 - (2 * BITS - 1) * X, 0).mean(-1)),
    ("squared_hinge", (BITS, X), {}, (np.maximum(1 - (2 * BITS - 1) * X, 0) ** 2).mean(-1)),
    ("categorical_hinge", (HOT, X), {}, np.maximum(((1 - HOT) * X).max(-1) - (HOT * X).sum(-1) + 1, 0)),
    ("binary_crossentropy", (BITS, HALF), {}, bce(BITS, HALF).mean(-1)),
    ("binary_crossentropy", (BITS, X), {"from_logits": True}, bce(BITS, HALF).mean(-1)),
    ("binary_crossentropy", (BITS, HALF), {"label_smoothing": 0.2}, bce(BITS * 0.8 + 0.1, HALF).mean(-1)),
    (
        "binary_focal_crossentropy", (BITS, HALF), {"apply_class_balancing": True, "gamma": 3.0},
        (
            (BITS * 0.25 + (1 - BITS) * 0.75) * (1 - (BITS * HALF + (1 - BITS) * (1 - HALF))) ** 3 * bce(BITS, HALF)
        ).mean(-1),
    ),
    ("binary_focal_crossentropy", (BITS, X), {"from_logits": True}, (abs(BITS - HALF) ** 2 * bce(BITS, HALF)).mean(-1)),
    ("categorical_crossentropy", (HOT, P), {}, -np.log((HOT * P).sum(-1))),
    ("categorical_crossentropy", (HOT, 2 * P), {}, -np.log((HOT * P).sum(-1))),
    ("categorical_crossentropy", (HOT, X), {"from_logits": True}, -np.log((HOT * P).sum(-1))),
    ("categorical_crossentropy", (HOT, P), {"label_smoothing": 0.3}, -((HOT * 0.7 + 0.1) * np.log(P)).sum(-1)),
    ("sparse_categorical_crossentropy", (LABELS, P), {}, -np.log((HOT * P).sum(-1))),
    ("sparse_categorical_crossentropy", (LABELS[:, None], X), {"from_logits": True}, -np.log((HOT * P).sum(-1))),
    ("sparse_categorical_crossentropy", (LABELS.astype("float32"), P), {}, -np.log((HOT * P).sum(-1))),
    ("sparse_categorical_crossentropy", (LABELS, P), {"ignore_class": 2}, -np.log((HOT * P).sum(-1)) * (LABELS != 2) * 2),
    ("categorical_focal_crossentropy", (HOT, P), {}, (-0.25 * (1 - P) ** 2 * HOT * np.log(P)).sum(-1)),
    ("categorical_focal_crossentropy", (HOT, X), {"from_logits": True}, (-0.25 * (1 - P) ** 2 * HOT * np.log(P)).sum(-1)),
    ("kl_divergence", (P[::-1], P), {}, (P[::-1] * np.log(P[::-1] / P)).sum(-1)),
    ("cosine_similarity", (T, X), {}, (T * X).sum(-1) / np.linalg.norm(T, axis=-1) / np.linalg.norm(X, axis=-1)),
]  # fmt: skip


@pytest.mark.parametrize("name, pair, options, expected", FORMULAS, ids=[f"{row[0]}-{n}" for n, row in enumerate(FORMULAS)])
def test_functions_and_classes_give_keras_numbers(name, pair, options, expected):
    np.testing.assert_allclose(getattr(losses, name)(*pair, **options), expected, rtol=1e-9)
    np.testing.assert_allclose(jit(lambda t, x: getattr(losses, name)(t, x, **options))(*pair), expected, rtol=1e-9)
    made = losses.BY_NAME[name](**options)
    sign = -1 if name == "cosine_similarity" else 1
    np.testing.assert_allclose(made(*pair), sign * np.mean(expected), rtol=1e-9)
    np.testing.assert_allclose(losses.resolve_loss(made)(*pair), sign * expected, rtol=1e-9)


def test_probabilities_of_0_and_1_give_large_numbers_and_no_nans():
    certain = jnp.array([[0.0, 1.0]])
    for loss, t in (("categorical_crossentropy", [[1, 0]]), ("binary_crossentropy", [[1, 0]]), ("kl_divergence", [[1, 0]])):
        assert np.isfinite(losses.resolve_loss(loss)(t, certain)).all(), loss
        assert np.isfinite(grad(losses.BY_NAME[loss](), argnums=1)(jnp.array(t), certain)).all(), loss
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy(np.array([0]), certain), -np.log(1e-7), rtol=1e-5)
    far = jnp.array([[1000.0], [-1000.0]])
    np.testing.assert_allclose(losses.binary_crossentropy(np.array([[0], [1]]), far, from_logits=True), [1000.0, 1000.0])


def test_targets_may_lack_the_last_axis_of_size_1_and_nothing_else():
    column = X[:, :1]
    np.testing.assert_allclose(losses.mean_squared_error(T[:, 0], column), (T[:, 0] - column[:, 0]) ** 2)
    np.testing.assert_allclose(losses.mean_squared_error(T[:, :1], X[:, 0]), (T[:, 0] - column[:, 0]) ** 2)
    np.testing.assert_allclose(losses.mean_squared_error(T[:, 0], X[:, 0]), (T[:, 0] - column[:, 0]) ** 2)
    with pytest.raises(errors.ShapeError, match=r"one shape, got \(4, 3\) and \(4, 1\)"):
        losses.mean_squared_error(T, column)
    with pytest.raises(errors.ShapeError, match="go with sparse_categorical_crossentropy"):
        losses.categorical_crossentropy(LABELS, P)
    with pytest.raises(errors.ShapeError, match="go with categorical_crossentropy"):
        losses.sparse_categorical_crossentropy(HOT, P)
    with pytest.raises(errors.ShapeError, match="goes with binary_crossentropy"):
        losses.categorical_crossentropy(T[:, :1], column)
    with pytest.raises(errors.ShapeError, match="axis must be -1"):
        losses.binary_crossentropy(BITS, HALF, axis=0)


def test_labels_that_are_none_are_refused_or_nan():
    with pytest.raises(errors.ArgumentError, match="labels"):
        losses.sparse_categorical_crossentropy(np.array([0, 3, 1, 2]), P)
    found = jit(losses.sparse_categorical_crossentropy)(np.array([0.0, 0.5, 1.0, 3.0]), P)
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, True])


def test_losses_reduce_and_weigh():
    each = ((T - X) ** 2).mean(-1)
    weight = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(losses.MeanSquaredError(reduction="sum")(T, X), each.sum())
    np.testing.assert_allclose(losses.MeanSquaredError(reduction="none")(T, X, weight), each * weight)
    np.testing.assert_allclose(losses.MeanSquaredError()(T, X, sample_weight=weight), (each * weight).mean())
    by_weights = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(by_weights(T, X, sample_weight=weight), np.average(each, weights=weight))
    np.testing.assert_allclose(by_weights(T, X), each.mean())
    with pytest.raises(errors.ShapeError, match="sample_weight must have the shape"):
        losses.MeanSquaredError()(T, X, np.ones(3))
    with pytest.raises(errors.ArgumentError, match="reduction must be one of"):
        losses.MeanSquaredError(reduction="all")
    with pytest.raises(errors.ArgumentError, match="It takes from_logits"):
        losses.CategoricalCrossentropy(logits=True)


def test_losses_of_ones_own_are_taken():
    class Cubed(losses.Loss):
        def call(self, y_true, y_pred):
            return jnp.mean(abs(y_true - y_pred) ** 3, axis=-1)

    expected = (abs(T - X) ** 3).mean(-1)
    np.testing.assert_allclose(losses.resolve_loss(Cubed())(T, X), expected)
    np.testing.assert_allclose(losses.resolve_loss(Cubed)(T, X), expected)
    np.testing.assert_allclose(Cubed()(T, X), expected.mean())
    own = lambda y_true, y_pred: jnp.mean(y_true * y_pred)  # noqa: E731
    np.testing.assert_allclose(losses.resolve_loss(own)(T, X), (T * X).mean(), rtol=1e-6)
    apart = losses.resolve_loss(lambda t, x: (t - x) ** 2)
    np.testing.assert_allclose(apart(T[:, 0], X[:, :1]), (T[:, :1] - X[:, :1]) ** 2, rtol=1e-6)
    np.testing.assert_allclose(apart(T[:, :1], X[:, 0]), (T[:, :1] - X[:, :1]) ** 2, rtol=1e-6)
    with pytest.raises(errors.ArgumentError, match="targets must be 0 or 1, or between them, got -1"):
        losses.BinaryCrossentropy()(np.array([[-1], [1]]), np.array([[0.5], [0.5]]))
    with pytest.raises(errors.ArgumentError, match="takes a name such as"):
        losses.resolve_loss({"a": "mse"})
    with pytest.raises(NotImplementedError, match="call"):
        losses.Loss()(T, X)


def test_jitgrads_losses_take_predictions_first():
    resolved = losses.resolve_loss(nn.losses.cross_entropy)
    np.testing.assert_allclose(resolved(LABELS, X), -np.log((HOT * P).sum(-1)), rtol=1e-9)
    smoothed = losses.resolve_loss(functools.partial(nn.losses.cross_entropy, reduction="sum"))
    np.testing.assert_allclose(smoothed(LABELS, X), -np.log((HOT * P).sum(-1)).sum(), rtol=1e-9)


def test_names_are_resolved_and_near_ones_told():
    for name in ("mse", "MSE", "MeanSquaredError", "mean_squared_error"):
        np.testing.assert_allclose(losses.resolve_loss(name)(T, X), ((T - X) ** 2).mean(-1))
    assert losses.resolve_loss(losses.BinaryCrossentropy(from_logits=True)).from_logits
    assert not losses.resolve_loss("bce").from_logits
    assert repr(losses.Huber(delta=2.0)) == "Huber(delta=2.0)"
    with pytest.raises(errors.ArgumentError, match="Did you mean 'sparse_categorical_crossentropy'"):
        losses.resolve_loss("sparse_categorical_cross_entropy")
    with pytest.raises(errors.ArgumentError, match="takes a name such as 'mse'"):
        losses.resolve_loss(3)
