"""jitgrad.metrics: scikit-learn's numbers (see reference_cases.py), over batches, under jit and scan; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, jit, lax, metrics, tree
from jitgrad.testing import assert_close

from . import reference_cases as cases

STORED = cases.stored("metrics")
X = np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4]])
Y = np.array([2, 1, 1, 0])


@pytest.mark.parametrize("name", cases.METRICS)
def test_a_metric_is_that_of_scikit_learn(name):
    np.testing.assert_allclose(np.ravel(cases.METRICS[name][1](metrics)), STORED[name], rtol=1e-9)


def test_a_metric_has_one_value_whatever_lies_where_examples_are_absent():
    mask = cases.WEIGHTS > 0.4
    for ours in (metrics.accuracy, metrics.top_k_accuracy, metrics.perplexity, metrics.auc):
        holes = np.where(mask[:, None], cases.SCORES, np.nan), np.where(mask, cases.RIGHT, -7)
        assert_close(ours(*holes, where=mask), ours(cases.SCORES[mask], cases.RIGHT[mask]))
    for ours in (metrics.mean_squared_error, metrics.mean_absolute_error, metrics.r2):
        holes = np.where(mask[:, None], cases.NEAR, np.nan), np.where(mask[:, None], cases.REAL, np.inf)
        assert_close(ours(*holes, where=mask), ours(cases.NEAR[mask], cases.REAL[mask]))
    for ours in (metrics.precision, metrics.recall, metrics.f1, metrics.iou):
        holes = np.where(mask, cases.PREDICTED, 99), np.where(mask, cases.RIGHT, -7)
        assert_close(ours(*holes, "macro", where=mask), ours(cases.PREDICTED[mask], cases.RIGHT[mask], "macro"))
    assert_close(
        metrics.confusion_matrix(np.where(mask, cases.PREDICTED, 99), cases.RIGHT, where=mask, num_classes=4),
        metrics.confusion_matrix(cases.PREDICTED[mask], cases.RIGHT[mask], num_classes=4),
    )


STREAMING = {
    "accuracy": (metrics.Accuracy(), cases.SCORES, cases.RIGHT),
    "top 2": (metrics.TopKAccuracy(2), cases.SCORES, cases.RIGHT),
    "confusion matrix": (metrics.ConfusionMatrix(4), cases.PREDICTED, cases.RIGHT),
    "confusion matrix by rows": (metrics.ConfusionMatrix(4, "true"), cases.PREDICTED, cases.RIGHT),
    "precision, binary": (metrics.Precision(), cases.SIDES_PREDICTED, cases.SIDES),
    "recall, macro": (metrics.Recall(4, "macro"), cases.SCORES, cases.RIGHT),
    "f1, weighted": (metrics.F1(4, "weighted"), cases.SCORES, cases.RIGHT),
    "iou, None": (metrics.IoU(4, None), cases.SCORES, cases.RIGHT),
    "auc": (metrics.AUC(100), cases.SIDE_SCORES, cases.SIDES),
    "auc of classes": (metrics.AUC(60, 4), cases.ODDS, cases.RIGHT),
    "mae": (metrics.MeanAbsoluteError(), cases.NEAR, cases.REAL),
    "mse": (metrics.MeanSquaredError(), cases.NEAR, cases.REAL),
    "perplexity": (metrics.Perplexity(), cases.SCORES, cases.RIGHT),
    "r2": (metrics.R2(3), cases.NEAR, cases.REAL),
}
streaming = pytest.mark.parametrize("name", STREAMING)


@streaming
def test_batches_give_what_the_whole_gives_eager_and_in_a_scan(name):
    metric, predictions, targets = STREAMING[name]
    whole = metric(predictions, targets, weights=cases.WEIGHTS)
    running = metrics.Running(metric)
    for part in (slice(0, 7), slice(7, 40), slice(40, 60)):
        running.update(predictions[part], targets[part], weights=cases.WEIGHTS[part])
    assert_close(running.compute(), whole, rtol=1e-12)
    running.reset()
    assert tree.structure(running.state) == tree.structure(metric.init())

    @jit
    def scanned(*arrays):
        def step(state, batch):
            return metric.update(state, batch[0], batch[1], weights=batch[2]), None

        batches = [jnp.reshape(a, (4, 15, *a.shape[1:])) for a in arrays]
        return metric.compute(lax.scan(step, metric.init(), tuple(batches))[0])

    assert_close(scanned(predictions, targets, cases.WEIGHTS), whole, rtol=1e-12)
    if name in STORED:
        np.testing.assert_allclose(np.ravel(metric(predictions, targets)), STORED[name], rtol=1e-9)


def test_a_collection_is_one_metric():
    both = metrics.Collection({"a": metrics.Accuracy(), "f": metrics.F1(3, "macro")})
    found = jit(both)(X, Y)
    assert_close(found, {"a": metrics.accuracy(X, Y), "f": metrics.f1(X, Y, "macro")})
    with pytest.raises(errors.ArgumentError, match="f must be a metric"):
        metrics.Collection({"f": metrics.f1})
    with pytest.raises(errors.ArgumentError, match="takes a metric"):
        metrics.Running(metrics.accuracy)


def test_targets_may_be_one_hot_rows():
    hot = np.eye(3)[Y]
    assert_close(metrics.accuracy(X, hot), metrics.accuracy(X, Y))
    assert_close(metrics.top_k_accuracy(X, hot, 2), metrics.top_k_accuracy(X, Y, 2))
    assert_close(metrics.f1(X, hot, "macro"), metrics.f1(X, Y, "macro"))


def test_counts_stay_exact_beyond_what_float32_holds():
    metric = metrics.Accuracy()
    state = metrics.MeanState(jnp.asarray(2.0**25, "float64"), jnp.asarray(2.0**25, "float64"))
    state = metric.update(state, jnp.array([0, 1, 1]), jnp.array([0, 1, 0]))
    assert float(state.total) == 2**25 + 2 and float(state.weight) == 2**25 + 3


def test_edges_are_those_of_scikit_learn():
    none = np.zeros(3, int)
    assert float(metrics.precision(none, none)) == 0.0 and float(metrics.precision(none, none, zero_division=1.0)) == 1.0
    assert float(metrics.f1(none, none, "macro")) == 1.0  # class 1 appears nowhere
    assert float(metrics.r2(np.ones(3), np.ones(3))) == 1.0 and float(metrics.r2(np.zeros(3), np.ones(3))) == 0.0
    assert np.isnan(metrics.auc(np.ones(3), none)) and np.isnan(metrics.accuracy(none[:0], none[:0]))
    assert float(metrics.auc(np.ones(4), np.array([0, 1, 0, 1]))) == 0.5
    assert np.isnan(metrics.auc(np.array([np.nan, 1.0]), np.array([0, 1])))
    assert np.isnan(metrics.r2(np.ones(0), np.ones(0)))


def test_what_makes_no_sense_is_an_error_that_says_what_to_write():
    with pytest.raises(errors.DTypeError, match=r"write predictions > 0\.5 for probabilities, predictions > 0 for logits"):
        metrics.accuracy(np.array([0.2, 0.7]), np.array([0, 1]))
    with pytest.raises(errors.ArgumentError, match=r"metrics\.Accuracy: labels must lie in 0 to 2, .* got 3 at 1"):
        metrics.accuracy(X, np.array([0, 3, 0, 0]))
    with pytest.raises(errors.ShapeError, match=r"predicted classes and labels must have one shape, got \(4, 1\) and \(4,\)"):
        metrics.accuracy(Y[:, None], Y)
    with pytest.raises(errors.ShapeError, match=r"labels must have the shape \(4,\)"):
        metrics.accuracy(X, Y[:, None])
    with pytest.raises(errors.ShapeError, match=r"Use jnp\.squeeze\(predictions, axis=1\)"):
        metrics.mean_squared_error(np.ones((4, 1)), np.ones(4))
    with pytest.raises(errors.ArgumentError, match="average='binary' is of two classes, and there are 3; use 'macro'"):
        metrics.precision(X, Y)
    with pytest.raises(errors.ArgumentError, match="average is one of binary, macro"):
        metrics.F1(3, "mean")
    with pytest.raises(errors.DTypeError, match="give it as num_classes="):
        jit(metrics.confusion_matrix)(Y, Y)
    with pytest.raises(errors.ShapeError, match="scores must be those of 4 classes"):
        metrics.Recall(4, "macro")(X, Y)
    with pytest.raises(errors.ArgumentError, match="k must be an integer of 1 or more"):
        metrics.top_k_accuracy(X, Y, 0)
    with pytest.raises(errors.ArgumentError, match="normalize is one of"):
        metrics.confusion_matrix(Y, Y, normalize="rows")
    with pytest.raises(errors.ArgumentError, match="more than the 3 examples of its capacity"):
        metrics.AUC(3)(np.ones(4), np.ones(4, int))
    with pytest.raises(errors.ArgumentError, match="labels must lie in 0 to 1"):
        metrics.auc(np.ones(4), Y)
    with pytest.raises(errors.ShapeError, match=r"targets must have the shape \(N\), got"):
        metrics.R2()(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(errors.ShapeError, match=r"weights must have the shape \(4,\) of the losses, or its first axes"):
        metrics.accuracy(X, Y, weights=np.ones(3))


def test_traced_labels_out_of_range_give_nan():
    wrong = np.array([0, 3, -1, 0])
    for metric in (metrics.Accuracy(), metrics.TopKAccuracy(2), metrics.F1(3, "macro"), metrics.Perplexity(), metrics.AUC(4, 3)):
        assert np.isnan(jit(metric)(X, wrong)), metric
    full = metrics.AUC(3)

    @jit
    def overfull(scores, labels):
        return full.compute(full.update(full.update(full.init(), scores, labels), scores, labels))

    assert np.isnan(overfull(np.ones(2), np.array([0, 1])))


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_the_area_is_the_share_of_pairs_in_order(rows):
    scores, hits, weights = (np.array(c, float) for c in zip(*rows, strict=True))
    pairs = [
        (w * v, 1.0 if s > r else 0.5 if s == r else 0.0)
        for s, h, w in zip(scores, hits, weights, strict=True)
        for r, g, v in zip(scores, hits, weights, strict=True)
        if h and not g
    ]
    total = sum(w for w, _ in pairs)
    got = float(metrics.auc(scores, hits.astype(int), weights=weights))
    assert np.isnan(got) if total == 0 else abs(got - sum(w * v for w, v in pairs) / total) < 1e-12
