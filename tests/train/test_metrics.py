"""Metrics by Keras' names against Keras' formulas, written with NumPy, batch by batch; what `compile` takes as a metric."""

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, jit
from jitgrad import metrics as plain
from jitgrad.train import losses, metrics

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(12, 3))
P = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
LABELS = DRAWS.integers(0, 3, 12)
HOT = np.eye(3)[LABELS]
SCORES = DRAWS.uniform(size=(12, 1))
BITS = DRAWS.integers(0, 2, (12, 1))
WEIGHTS = DRAWS.uniform(size=12)


def streamed(metric, targets, predictions, weights=None):
    """The metric over three batches, in a compiled program."""
    update, state = jit(lambda s, p, t, w: metric.update(s, p, t, weights=w)), metric.init()
    for rows in np.split(np.arange(len(targets)), 3):
        state = update(state, predictions[rows], targets[rows], None if weights is None else weights[rows])
    return metric.compute(state)


def counts(threshold=0.5, t=BITS, p=SCORES, w=1.0):
    above, hit = p > threshold, t == 1
    return [
        float(((above == a) & (hit == h)) @ np.ones(t.shape[1]) @ np.broadcast_to(w, len(t)))
        for a, h in ((1, 1), (1, 0), (0, 0), (0, 1))
    ]


TP, FP, TN, FN = counts()
TOP = (np.argsort(np.argsort(-P, -1), -1)[np.arange(12), LABELS] < 2).mean()
CASES = [
    (metrics.BinaryAccuracy(), BITS, SCORES, ((SCORES > 0.5) == BITS).mean()),
    (metrics.BinaryAccuracy(threshold=0.3), BITS, SCORES, ((SCORES > 0.3) == BITS).mean()),
    (metrics.CategoricalAccuracy(), HOT, P, (P.argmax(-1) == LABELS).mean()),
    (metrics.SparseCategoricalAccuracy(), LABELS, P, (P.argmax(-1) == LABELS).mean()),
    (metrics.SparseCategoricalAccuracy(), LABELS[:, None].astype("float32"), P, (P.argmax(-1) == LABELS).mean()),
    (metrics.TopKCategoricalAccuracy(2), HOT, P, TOP),
    (metrics.SparseTopKCategoricalAccuracy(k=2), LABELS, P, TOP),
    (metrics.MeanSquaredError(), HOT, P, ((HOT - P) ** 2).mean()),
    (metrics.RootMeanSquaredError(), HOT, P, np.sqrt(((HOT - P) ** 2).mean())),
    (metrics.MeanAbsoluteError(), BITS, SCORES, abs(BITS - SCORES).mean()),
    (metrics.BinaryCrossentropy(from_logits=True), BITS, X[:, :1], np.log1p(np.exp(-X[:, :1] * (2 * BITS - 1))).mean()),
    (metrics.CategoricalCrossentropy(), HOT, P, -np.log((HOT * P).sum(-1)).mean()),
    (metrics.SparseCategoricalCrossentropy(from_logits=True), LABELS, X, -np.log((HOT * P).sum(-1)).mean()),
    (metrics.KLDivergence(), P[::-1], P, (P[::-1] * np.log(P[::-1] / P)).sum(-1).mean()),
    (metrics.CosineSimilarity(), HOT, X, ((HOT * X).sum(-1) / np.linalg.norm(X, axis=-1)).mean()),
    (metrics.TruePositives(), BITS, SCORES, TP),
    (metrics.FalsePositives(), BITS, SCORES, FP),
    (metrics.TrueNegatives(), BITS, SCORES, TN),
    (metrics.FalseNegatives(thresholds=0.5), BITS, SCORES, FN),
    (metrics.Precision(), BITS, SCORES, TP / (TP + FP)),
    (metrics.Recall(), BITS, SCORES, TP / (TP + FN)),
    (metrics.Precision(), HOT, P, ((P > 0.5) * HOT).sum() / (P > 0.5).sum()),
    (metrics.Recall(top_k=1), HOT, P, (P.argmax(-1) == LABELS).mean()),
    (metrics.Precision(class_id=1, thresholds=0.3), HOT, P, ((P[:, 1] > 0.3) * HOT[:, 1]).sum() / (P[:, 1] > 0.3).sum()),
    (metrics.R2Score(), BITS, SCORES, 1 - ((BITS - SCORES) ** 2).sum() / ((BITS - BITS.mean()) ** 2).sum()),
    (metrics.R2Score(num_outputs=3), HOT, P, (1 - ((HOT - P) ** 2).sum(0) / ((HOT - HOT.mean(0)) ** 2).sum(0)).mean()),
]


@pytest.mark.parametrize(
    "metric, targets, predictions, expected", CASES, ids=[f"{type(c[0]).__name__}-{n}" for n, c in enumerate(CASES)]
)
def test_metrics_stream_keras_numbers(metric, targets, predictions, expected):
    np.testing.assert_allclose(streamed(metric, targets, predictions), expected, rtol=1e-9)
    np.testing.assert_allclose(type(metric).__call__(metric, targets, predictions), expected, rtol=1e-9)
    metric.reset_state()


def test_weights_count_examples():
    hits = P.argmax(-1) == LABELS
    np.testing.assert_allclose(
        streamed(metrics.CategoricalAccuracy(), HOT, P, WEIGHTS), (hits * WEIGHTS).sum() / WEIGHTS.sum(), rtol=1e-9
    )
    tp, fp, _, _ = counts(w=WEIGHTS)
    np.testing.assert_allclose(streamed(metrics.Precision(), BITS, SCORES, WEIGHTS), tp / (tp + fp), rtol=1e-9)


def test_several_thresholds_give_several_numbers():
    found = streamed(metrics.Recall(thresholds=[0.2, 0.8]), BITS, SCORES)
    expected = [counts(t)[0] / (counts(t)[0] + counts(t)[3]) for t in (0.2, 0.8)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    with pytest.raises(errors.ArgumentError, match="between 0 and 1"):
        metrics.Precision(thresholds=2.0)


def areas(curve, method, thresholds):
    tp, fp, tn, fn = np.array([counts(t) for t in thresholds]).T
    div = lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b != 0)  # noqa: E731
    recall = div(tp, tp + fn)
    if curve == "PR" and method == "interpolation":
        steps, p = tp[:-1] - tp[1:], tp + fp
        slope = div(steps, np.maximum(p[:-1] - p[1:], 0))
        both = (p[:-1] > 0) & (p[1:] > 0)
        quotient = np.where(both, div(p[:-1], np.where(both, p[1:], 1)), 1)
        return div(slope * (steps + (tp[1:] - slope * p[1:]) * np.log(quotient)), tp[1:] + fn[1:]).sum()
    x, y = (div(fp, fp + tn), recall) if curve == "ROC" else (recall, div(tp, tp + fp))
    heights = {"interpolation": (y[:-1] + y[1:]) / 2, "minoring": np.minimum(y[:-1], y[1:]), "majoring": np.maximum(y[:-1], y[1:])}
    return ((x[:-1] - x[1:]) * heights[method]).sum()


@pytest.mark.parametrize("curve", ["ROC", "PR"])
@pytest.mark.parametrize("method", ["interpolation", "minoring", "majoring"])
def test_areas_are_those_of_200_thresholds(curve, method):
    thresholds = np.concatenate([[-1e-7], np.arange(1, 199) / 199, [1 + 1e-7]])
    found = streamed(metrics.AUC(curve=curve, summation_method=method), BITS, SCORES)
    np.testing.assert_allclose(found, areas(curve, method, thresholds), rtol=1e-9)


def test_the_area_is_near_the_exact_one():
    np.testing.assert_allclose(streamed(metrics.AUC(10_000), BITS, SCORES), plain.auc(SCORES[:, 0], BITS[:, 0]), atol=1e-3)
    logits = np.log(SCORES / (1 - SCORES))
    np.testing.assert_allclose(
        streamed(metrics.AUC(from_logits=True), BITS, logits), streamed(metrics.AUC(), BITS, SCORES), rtol=1e-9
    )
    with pytest.raises(errors.ArgumentError, match="curve must be"):
        metrics.AUC(curve="roc")
    with pytest.raises(errors.ArgumentError, match="multi_label"):
        metrics.AUC(multi_label=True)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
def test_f_scores_are_by_class_or_averaged(average):
    picked = np.eye(3)[P.argmax(-1)]
    tp, fp, fn = ((picked * HOT).sum(0), (picked * (1 - HOT)).sum(0), ((1 - picked) * HOT).sum(0))
    if average == "micro":
        tp, fp, fn = tp.sum(), fp.sum(), fn.sum()
    each = 5 * tp / (5 * tp + 4 * fn + fp)
    expected = {"macro": np.mean(each), "weighted": (each * HOT.mean(0)).sum()}.get(average, each)
    metric = metrics.FBetaScore(average, beta=2.0, num_classes=3)
    np.testing.assert_allclose(streamed(metric, HOT, P), expected, rtol=1e-9)
    np.testing.assert_allclose(metrics.F1Score("micro")(HOT, P), (P.argmax(-1) == LABELS).mean(), rtol=1e-9)
    if average != "micro":
        with pytest.raises(errors.ArgumentError, match="num_classes=3"):
            streamed(metrics.FBetaScore(average), HOT, P)


def test_mean_iou_is_of_classes_or_of_rows():
    predicted = P.argmax(-1)
    each = [((predicted == c) & (LABELS == c)).sum() / ((predicted == c) | (LABELS == c)).sum() for c in range(3)]
    np.testing.assert_allclose(streamed(metrics.MeanIoU(3), LABELS, predicted), np.mean(each), rtol=1e-9)
    np.testing.assert_allclose(streamed(metrics.MeanIoU(3, sparse_y_pred=False), LABELS, P), np.mean(each), rtol=1e-9)


def test_accuracy_is_binary_categorical_or_of_labels_by_shapes():
    for targets, predictions in ((LABELS, P), (LABELS[:, None], P), (HOT, P)):
        name, metric = metrics.resolve_metric("accuracy")
        assert name == "accuracy"
        np.testing.assert_allclose(streamed(metric, targets, predictions), (P.argmax(-1) == LABELS).mean(), rtol=1e-9)
    binary = ((SCORES > 0.5) == BITS).mean()
    for targets, predictions in ((BITS, SCORES), (BITS[:, 0], SCORES), (BITS[:, 0], SCORES[:, 0])):
        np.testing.assert_allclose(streamed(metrics.resolve_metric("acc")[1], targets, predictions), binary, rtol=1e-9)
    ce = streamed(metrics.resolve_metric("crossentropy")[1], LABELS, P)
    np.testing.assert_allclose(ce, -np.log((HOT * P).sum(-1)).mean(), rtol=1e-9)


def test_accuracy_of_logits_goes_by_their_sign():
    logits = np.log(SCORES / (1 - SCORES))
    loss = losses.resolve_loss(losses.BinaryCrossentropy(from_logits=True))
    np.testing.assert_allclose(metrics.resolve_metric("accuracy", loss)[1](BITS, logits), ((SCORES > 0.5) == BITS).mean())


def test_metrics_keep_a_state_of_their_own():
    metric = metrics.MeanAbsoluteError(name="error")
    metric.update_state([0.0, 0.0], [1.0, 3.0])
    metric.update_state([0.0], [2.0], sample_weight=[0.0])
    assert float(metric.result()) == 2.0
    metric.reset_state()
    assert np.isnan(metric.result())
    mean, total = metrics.Mean(), metrics.Sum()
    for values in ([1.0, 2.0], 6.0):
        mean.update_state(values)
        total.update_state(values)
    assert (float(mean.result()), float(total.result())) == (3.0, 9.0)


def test_names_objects_and_functions_are_resolved():
    def spread(y_true, y_pred):
        return jnp.max(y_pred, axis=-1)

    names = [
        metrics.resolve_metric(m)[0] for m in ("mse", "AUC", metrics.AUC(), metrics.TopKCategoricalAccuracy(5), spread, plain.R2())
    ]
    assert names == ["mse", "AUC", "auc", "top_k_categorical_accuracy", "spread", "r2"]
    assert metrics.resolve_metric(metrics.Precision)[0] == "precision"
    assert metrics.resolve_metric(metrics.Recall(name="found"))[0] == "found"
    np.testing.assert_allclose(streamed(metrics.resolve_metric(spread)[1], HOT, P), P.max(-1).mean())
    accuracy = plain.Accuracy()
    assert metrics.resolve_metric(accuracy) == ("accuracy", accuracy)
    with pytest.raises(errors.ArgumentError, match="Did you mean 'accuracy'"):
        metrics.resolve_metric("acuracy")
    with pytest.raises(errors.ArgumentError, match=r"metrics.Accuracy\(\), not"):
        metrics.resolve_metric(plain.accuracy)
    with pytest.raises(errors.ArgumentError, match="takes a name such as 'accuracy'"):
        metrics.resolve_metric(3)
    with pytest.raises(errors.ArgumentError, match="It takes name, dtype, threshold"):
        metrics.BinaryAccuracy(cut=0.3)


def test_a_metric_without_pure_functions_says_which_it_needs():
    class Own(metrics.Metric):
        def update_state(self, y_true, y_pred, sample_weight=None):
            pass

    with pytest.raises(errors.ArgumentError, match=r"init\(\), update\(state"):
        Own()
