"""jitgrad.nn.losses: PyTorch's numbers and gradients (see reference_cases.py), masks and weights, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.nn import losses
from jitgrad.testing import assert_close, check_grads

from . import reference_cases as cases

STORED = cases.stored("losses")
RNG = np.random.default_rng(3)
LOGITS, LABELS = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 2])
ROWS = RNG.dirichlet(np.ones(3), size=4)
OTHER = RNG.normal(size=(4, 3))
ONE_LOSS_A_ROW = {
    "cross_entropy": (lambda x, **o: losses.cross_entropy(x, LABELS, **o)),
    "cross_entropy of rows": (lambda x, **o: losses.cross_entropy(x, ROWS, **o)),
    "nll": (lambda x, **o: losses.nll(x, LABELS, **o)),
    "kl_divergence": (lambda x, **o: losses.kl_divergence(x, ROWS, **o)),
    "triplet": (lambda x, **o: losses.triplet(x, OTHER, -OTHER, margin=5.0, **o)),
    "cosine": (lambda x, **o: losses.cosine(x, OTHER, **o)),
}
ONE_LOSS_AN_ELEMENT = {
    "mse": (lambda x, **o: losses.mse(x, OTHER, **o)),
    "mae": (lambda x, **o: losses.mae(x, OTHER, **o)),
    "huber": (lambda x, **o: losses.huber(x, OTHER, **o)),
    "hinge": (lambda x, **o: losses.hinge(x, np.sign(OTHER), **o)),
    "binary_cross_entropy_with_logits": (lambda x, **o: losses.binary_cross_entropy_with_logits(x, ROWS, **o)),
    "focal": (lambda x, **o: losses.focal(x, ROWS, **o)),
}
ALL = {**ONE_LOSS_A_ROW, **ONE_LOSS_AN_ELEMENT}
every = pytest.mark.parametrize("name", ALL)


@pytest.mark.parametrize("name", cases.LOSSES)
def test_a_loss_and_its_gradients_are_those_of_pytorch(name):
    arrays, _, ours = cases.LOSSES[name]
    for run in (lambda f: f, jit):
        loss = run(lambda *a: ours(losses, *a))(*arrays)
        slopes = run(grad(lambda *a: jnp.sum(ours(losses, *a)), argnums=tuple(range(len(arrays)))))(*arrays)
        got = np.concatenate([np.ravel(x) for x in (loss, *slopes)])
        np.testing.assert_allclose(got, STORED[name], rtol=1e-9, atol=1e-12)


@every
def test_sums_and_means_are_those_of_the_losses(name):
    each = ALL[name](LOGITS, reduction="none")
    assert each.shape == ((4,) if name in ONE_LOSS_A_ROW else (4, 3))
    assert_close(ALL[name](LOGITS, reduction="sum"), jnp.sum(each))
    assert_close(ALL[name](LOGITS), jnp.mean(each))
    factors = np.array([1.0, 0.0, 2.0, 0.5])
    wide = factors if each.ndim == 1 else np.broadcast_to(factors[:, None], (4, 3))
    assert_close(ALL[name](LOGITS, weights=factors), np.sum(wide * np.asarray(each)) / np.sum(wide))
    with pytest.raises(errors.ArgumentError, match="reduction is 'mean', 'sum' or 'none', got 'avg'"):
        ALL[name](LOGITS, reduction="avg")
    with pytest.raises(errors.ShapeError, match=r"weights must have the shape \(4.* of the losses, or its first axes, got \(3,\)"):
        ALL[name](LOGITS, weights=np.ones(3))


@every
def test_what_is_absent_counts_for_nothing_whatever_it_is(name):
    mask = np.array([True, False, True, False])
    holes = np.where(mask[:, None], LOGITS, [np.nan, np.inf, -np.inf])
    each = ALL[name](LOGITS, reduction="none")
    assert_close(ALL[name](holes, where=mask), jnp.mean(each[mask]))
    slope = grad(lambda x: ALL[name](x, where=mask))(holes)
    assert_close(slope[mask], grad(lambda x: ALL[name](x, where=mask, reduction="sum"))(LOGITS)[mask] / (2 * each[0].size))
    assert not np.any(slope[~mask])
    assert np.isnan(ALL[name](LOGITS, where=np.zeros(4, bool)))
    with pytest.raises(errors.DTypeError, match="where holds bools, got float64; numbers are weights="):
        ALL[name](LOGITS, where=np.ones(4))


@every
def test_losses_are_differentiated_twice_and_batched(name):
    if name not in ("mae", "huber", "hinge"):  # no second derivatives everywhere
        check_grads(ALL[name], (LOGITS,), order=2)
    rows = vmap(lambda x: ALL[name](x))(np.stack([LOGITS, 2 * LOGITS]))
    assert_close(rows, np.stack([ALL[name](LOGITS), ALL[name](2 * LOGITS)]))


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "hinge", "binary_cross_entropy_with_logits", "focal"])
def test_a_column_against_a_row_is_an_error_that_says_what_to_write(name):
    loss = getattr(losses, name)
    with pytest.raises(
        errors.ShapeError, match=rf"losses\.{name}: .* got \(4, 1\) and \(4,\)\. Use jnp\.squeeze\(predictions, axis=1\)"
    ):
        loss(jnp.ones((4, 1)), jnp.ones(4))
    with pytest.raises(errors.ShapeError, match=r"Use jnp\.squeeze\(targets, axis=1\)"):
        jit(loss)(jnp.ones(4), jnp.ones((4, 1)))
    with pytest.raises(errors.ShapeError, match=r"got \(4,\) and \(5,\)\. Reshape one of them"):
        loss(jnp.ones(4), jnp.ones(5))
    assert loss(jnp.ones(4), 1.0).shape == ()


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll])
def test_labels_that_make_no_sense_are_errors(loss):
    with pytest.raises(errors.ArgumentError, match=r"labels must lie in 0 to 2, as there are 3 classes, got 3 at 1"):
        loss(LOGITS, np.array([0, 3, 1, 1]))
    with pytest.raises(errors.ArgumentError, match=r"got -1 at 2\. Labels to leave out: ignore_index= or where="):
        loss(LOGITS, np.array([0, 1, -1, 1]))
    with pytest.raises(errors.ArgumentError, match="got -1 at 2"):
        grad(lambda x: loss(x, np.array([0, 1, -1, 1])))(LOGITS)
    with pytest.raises(errors.DTypeError, match=r"labels must be integers, .* got float64; use labels\.astype\(int\)"):
        loss(LOGITS, np.ones(4))
    with pytest.raises(
        errors.ShapeError, match=r"labels must have the shape \(4,\) .* got \(4, 1\)\. Use jnp\.squeeze\(labels, axis=1\)"
    ):
        loss(LOGITS, np.ones((4, 1), int))
    with pytest.raises(errors.ShapeError, match="need an axis of classes, got one number"):
        loss(1.0, 0)
    with pytest.raises(errors.ShapeError, match=r"class_weights must have the shape \(3,\), one a class, got \(2,\)"):
        loss(LOGITS, LABELS, class_weights=np.ones(2))


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.nll])
@pytest.mark.parametrize("options", [{}, {"class_weights": np.ones(3)}, {"ignore_index": 7}])
def test_a_traced_label_out_of_range_gives_nan_and_never_another_class(loss, options):
    for label in (-1, 3, 100):
        out = jit(lambda x, labels: loss(x, labels, reduction="none", **options))(LOGITS, np.array([0, label, 1, 1]))
        assert np.isnan(out).tolist() == [False, True, False, False]


def test_targets_that_are_no_probabilities_are_errors():
    with pytest.raises(errors.ArgumentError, match="probabilities, from 0 to 1, got 2.0"):
        losses.cross_entropy(LOGITS, 2.0 * np.eye(3)[LABELS])
    with pytest.raises(errors.ArgumentError, match="sums of targets over classes must be 1"):
        losses.cross_entropy(np.ones(4), np.array([0, 1, 1, 0]))
    with pytest.raises(errors.ArgumentError, match="targets must be from 0 to 1, got -1"):
        losses.binary_cross_entropy_with_logits(np.ones(2), np.array([-1, 1]))
    with pytest.raises(errors.ArgumentError, match=r"log_targets=True takes logarithms\), got -1.0"):
        losses.kl_divergence(-np.ones((1, 2)), -np.ones((1, 2)))
    with pytest.raises(errors.ArgumentError, match="targets must be -1 or 1, got 0"):
        losses.hinge(np.ones(2), np.array([0, 1]))
    with pytest.raises(errors.ArgumentError, match="labels must be -1 or 1, got 0"):
        losses.cosine(LOGITS, OTHER, np.array([1, 0, 1, 1]))
    with pytest.raises(errors.ShapeError, match="pos_weight must be one number"):
        losses.binary_cross_entropy_with_logits(LOGITS, ROWS, pos_weight=np.ones(4))


def test_one_hot_rows_and_labels_give_one_loss():
    hot = np.eye(3)[LABELS]
    for smoothing in (0.0, 0.3):
        assert_close(
            losses.cross_entropy(LOGITS, LABELS, label_smoothing=smoothing),
            losses.cross_entropy(LOGITS, hot, label_smoothing=smoothing),
        )
    assert_close(losses.cross_entropy(LOGITS, hot.astype(int)), losses.cross_entropy(LOGITS, hot.astype(bool)))
    assert_close(
        losses.cross_entropy(LOGITS, losses.smooth_labels(hot, 0.3)), losses.cross_entropy(LOGITS, hot, label_smoothing=0.3)
    )
    assert_close(losses.nll(jnp.log(ROWS), LABELS), -np.mean(np.log(ROWS[np.arange(4), LABELS])))


def test_classes_of_probability_0_have_finite_losses():
    closed = jnp.array([[0.0, -jnp.inf, 1.0]])
    assert np.isfinite(losses.cross_entropy(closed, np.array([2])))
    assert np.isfinite(losses.cross_entropy(closed, np.array([[0.5, 0.0, 0.5]])))
    assert np.isfinite(losses.kl_divergence(closed, np.array([[0.5, 0.0, 0.5]])))
    assert np.all(np.isfinite(grad(lambda x: losses.kl_divergence(x, np.array([[0.5, 0.0, 0.5]])))(closed)))
    assert float(losses.cross_entropy(closed, np.array([1]))) == np.inf


@given(st.floats(-1e4, 1e4), st.booleans())
def test_binary_losses_of_large_logits_are_finite_and_right(x, hit):
    wanted = np.logaddexp(0.0, -x if hit else x)
    np.testing.assert_allclose(losses.binary_cross_entropy_with_logits(np.float64(x), int(hit)), wanted, rtol=1e-9)
    slope = grad(lambda x: losses.binary_cross_entropy_with_logits(x, int(hit)))(np.float64(x))
    assert np.isfinite(slope) and abs(slope) <= 1
    assert np.isfinite(grad(lambda x: losses.focal(x, int(hit)))(np.float64(x)))
    assert np.isfinite(losses.focal(jnp.float32(x), int(hit)))


def test_float32_and_narrower_stay_what_they_are():
    for dtype in ("float16", "float32"):
        assert losses.mse(jnp.ones(3, dtype), jnp.zeros(3, dtype)).dtype == dtype
        assert losses.cross_entropy(jnp.ones((2, 3), dtype), jnp.array([0, 1])).dtype == dtype
    whole = losses.mse(jnp.array([1, 2]), jnp.array([1, 4]))
    assert whole.dtype == "float32" and float(whole) == 2.0
