"""What is computed by jitgrad and by Optax, PyTorch and scikit-learn: the same functions of a library, on the same numbers.

tests/peers/reference_numbers.py writes what the others give into tests/reference_numbers/, where tests without them read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).with_name("reference_numbers")


def stored(name: str) -> dict[str, Any]:
    return json.loads((STORED / f"{name}.json").read_text())


# Optimizers: 100 steps on sum(log(cosh(X w + b - T))), whose gradient has noise; the mean is at hand as a loss.

STEPS = 100
_rng = np.random.default_rng(7)
X, T = _rng.normal(size=(8, 6)), _rng.normal(size=(8, 5))
START = {"w": 0.5 * _rng.normal(size=(6, 5)), "b": 0.5 * _rng.normal(size=5), "c": np.array(0.7)}
NOISE = {name: 0.3 * _rng.normal(size=(STEPS, *p.shape)) for name, p in START.items()}


def loss_and_gradient(xp: Any, p: Any, noise: Any) -> tuple[Any, Any]:
    r = X @ p["w"] + p["b"] - T
    slope = xp.tanh(r)
    gradient = {"w": X.T @ slope, "b": xp.sum(slope, axis=0), "c": xp.tanh(p["c"] - 1.0)}
    return xp.sum(xp.logaddexp(r, -r)) / 40, {name: gradient[name] + noise[name] for name in gradient}


MASK = {"w": True, "b": False, "c": False}
LABELS = {"w": "slow", "b": "fast", "c": "fixed"}
OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda o: o.sgd(0.02),
    "sgd with momentum": lambda o: o.sgd(0.02, momentum=0.9),
    "sgd with nesterov": lambda o: o.sgd(0.02, momentum=0.9, nesterov=True),
    "adam": lambda o: o.adam(0.03),
    "adam with eps_root": lambda o: o.adam(0.03, b1=0.8, b2=0.95, eps=1e-3, eps_root=1e-2),
    "adamw": lambda o: o.adamw(0.03, weight_decay=0.1),
    "adamw with a mask": lambda o: o.adamw(0.03, weight_decay=0.1, mask=MASK),
    "adamw with a scheduled decay": lambda o: o.adamw(
        0.03, weight_decay=o.piecewise_constant_schedule(0.5, {30: 0.5, 60: 0.0})
    ),
    "nadam": lambda o: o.nadam(0.03),
    "nadamw": lambda o: o.nadamw(0.03, weight_decay=0.1),
    "amsgrad": lambda o: o.amsgrad(0.03),
    "amsgrad uncorrected": lambda o: o.amsgrad(0.03, bias_correction_mu=False, bias_correction_nu=False),
    "adamax": lambda o: o.adamax(0.03),
    "adamaxw": lambda o: o.adamaxw(0.03, weight_decay=0.1),
    "radam": lambda o: o.radam(0.03),
    "radam with nesterov": lambda o: o.radam(0.03, b2=0.99, threshold=4.5, nesterov=True),
    "lion": lambda o: o.lion(0.005, weight_decay=0.1),
    "lion, smooth": lambda o: o.chain(o.scale_by_lion(mode="smooth", smooth_beta=2.0), o.scale(-0.01)),
    "lion, refined": lambda o: o.chain(o.scale_by_lion(mode="refined"), o.scale(-0.01)),
    "rmsprop": lambda o: o.rmsprop(0.02),
    "rmsprop outside the root": lambda o: o.rmsprop(0.02, decay=0.95, eps=1e-3, eps_in_sqrt=False, initial_scale=0.1),
    "rmsprop, centered": lambda o: o.rmsprop(0.02, centered=True, momentum=0.8, nesterov=True),
    "rmsprop, corrected": lambda o: o.rmsprop(0.02, bias_correction=True, momentum=0.5),
    "rmsprop, centered and corrected": lambda o: o.rmsprop(0.02, centered=True, bias_correction=True, eps=1e-2),
    "adagrad": lambda o: o.adagrad(0.2),
    "adadelta": lambda o: o.adadelta(1.0, weight_decay=0.01),
    "lars": lambda o: o.lars(0.5, weight_decay=0.01, weight_decay_mask=MASK, trust_ratio_mask=MASK, momentum=0.9),
    "lamb": lambda o: o.lamb(0.03, weight_decay=0.1),
    "adafactor": lambda o: o.adafactor(0.05, min_dim_size_to_factor=4, momentum=0.5, dtype_momentum=np.float64, factored=True),
    "adafactor, whole": lambda o: o.adafactor(factored=False, weight_decay_rate=0.01, clipping_threshold=None),
    "muon": lambda o: o.muon(0.03, weight_decay=0.1),
    "muon, dion": lambda o: o.muon(
        0.03, ns_coeffs="dion", consistent_rms=0.2, nesterov=False, adaptive=True, adam_learning_rate=0.01
    ),
    "sign": lambda o: o.chain(o.scale_by_sign(), o.scale(-0.01)),
    "clipped": lambda o: o.chain(o.clip_by_global_norm(1.0), o.clip(0.2), o.clip_by_block_rms(0.1), o.adam(0.03)),
    "partitioned": lambda o: o.partition({"slow": o.adam(0.01), "fast": o.sgd(0.02), "fixed": o.set_to_zero()}, LABELS),
    "masked": lambda o: o.chain(o.masked(o.scale_by_adam(), MASK), o.scale(-0.02)),
    "accumulated": lambda o: o.MultiSteps(o.adam(0.1), 3, accumulator_dtype=np.float64),
    "accumulated sums": lambda o: o.MultiSteps(o.sgd(0.01), 4, use_grad_mean=False, accumulator_dtype=np.float64),
    "running mean": lambda o: o.chain(o.ema(0.9), o.sgd(0.02)),
    "running mean, as it is": lambda o: o.chain(o.ema(0.9, debias=False), o.sgd(0.02)),
    "plateau": lambda o: o.chain(
        o.sgd(0.05), o.reduce_on_plateau(factor=0.5, patience=3, cooldown=2, accumulation_size=2, min_scale=0.05, rtol=0.01)
    ),
}  # fmt: skip
_CYCLE = dict(init_value=0.0, peak_value=1.0, warmup_steps=5, decay_steps=20, end_value=0.1)
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "constant": lambda o: o.constant_schedule(0.5),
    "linear": lambda o: o.linear_schedule(1.0, 0.2, 10, 2),
    "polynomial": lambda o: o.polynomial_schedule(1.0, 0.1, 2, 20),
    "exponential": lambda o: o.exponential_decay(1.0, 10, 0.5, 3, staircase=True, end_value=0.2),
    "cosine": lambda o: o.cosine_decay_schedule(2.0, 20, 0.1, 1.5),
    "warmup constant": lambda o: o.warmup_constant_schedule(0.1, 1.0, 7),
    "warmup cosine": lambda o: o.warmup_cosine_decay_schedule(**_CYCLE),
    "warmup exponential": lambda o: o.warmup_exponential_decay_schedule(0.0, 1.0, 5, 10, 0.5, 2),
    "sgdr": lambda o: o.sgdr_schedule([_CYCLE, {**_CYCLE, "decay_steps": 15}]),
    "steps": lambda o: o.piecewise_constant_schedule(1.0, {10: 0.5, 20: 0.1}),
    "lines": lambda o: o.piecewise_interpolate_schedule("linear", 1.0, {10: 0.5, 20: 0.1}),
    "cosines": lambda o: o.piecewise_interpolate_schedule("cosine", 1.0, {10: 0.5, 20: 3.0}),
    "no pieces": lambda o: o.piecewise_constant_schedule(0.3),
    "linear cycle": lambda o: o.linear_onecycle_schedule(40, 2.0),
    "cosine cycle": lambda o: o.cosine_onecycle_schedule(40, 2.0, 0.25, 10.0, 100.0),
}
COUNTS = [0, 1, 2, 3, 5, 7, 8, 10, 12, 15, 19, 20, 21, 25, 30, 34, 39, 40, 41, 60]


def valley(xp: Any, p: Any) -> Any:
    """Rosenbrock's function of four numbers, and a quartic of another."""
    x = p["x"]
    return xp.sum(10.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2) + (p["y"] - 2.0) ** 4 + p["y"] ** 2


VALLEY_START = {"x": np.array([-1.2, 1.0, -0.5, 0.8]), "y": np.array(-1.0)}
SEARCHES: dict[str, Callable[[Any], Any]] = {
    "lbfgs": lambda o: o.lbfgs(),
    "lbfgs of little memory": lambda o: o.lbfgs(memory_size=2, scale_init_precond=False),
    "lbfgs without a search": lambda o: o.lbfgs(0.1, linesearch=None),
    "steepest descent with a search": lambda o: o.chain(
        o.sgd(1.0), o.scale_by_zoom_linesearch(6, max_learning_rate=0.5, curv_rtol=0.5, approx_dec_rtol=None)
    ),
    "keeping the step": lambda o: o.chain(o.sgd(0.1), o.scale_by_zoom_linesearch(15, increase_factor=3.0, tol=1e-3)),
}
SEARCH_STEPS = [1, 4, 10, 30]


TORCH_OPTIMIZERS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "SGD": (lambda t, p: t.SGD(p, 0.02, momentum=0.9, nesterov=True), lambda o: o.sgd(0.02, momentum=0.9, nesterov=True)),
    "Adam": (lambda t, p: t.Adam(p, 0.03), lambda o: o.adam(0.03)),
    "AdamW": (lambda t, p: t.AdamW(p, 0.03, weight_decay=0.1), lambda o: o.adamw(0.03, weight_decay=0.1)),
    "Adam of decayed gradients": (
        lambda t, p: t.Adam(p, 0.03, weight_decay=0.1),
        lambda o: o.chain(o.add_decayed_weights(0.1), o.adam(0.03)),
    ),
    "Adamax": (lambda t, p: t.Adamax(p, 0.03), lambda o: o.adamax(0.03)),
    "RAdam": (lambda t, p: t.RAdam(p, 0.03, eps=0.0), lambda o: o.radam(0.03, eps=0.0)),
    "RMSprop": (lambda t, p: t.RMSprop(p, 0.02), lambda o: o.rmsprop(0.02, decay=0.99, eps_in_sqrt=False)),
    "Adagrad": (
        lambda t, p: t.Adagrad(p, 0.2, initial_accumulator_value=0.1, eps=0.0),
        lambda o: o.adagrad(0.2, initial_accumulator_value=0.1, eps=0.0),
    ),
    "Adadelta": (lambda t, p: t.Adadelta(p), lambda o: o.adadelta()),
}
"""The optimizers of PyTorch whose formulas are ours, by its functions of torch.optim and params."""


# Losses: values, and gradients of the sum with respect to the arrays, by torch.nn.functional `F` and by `L`, our losses.

A, B, C = (_rng.normal(size=(7, 5)) for _ in range(3))
SIGNS = np.where(_rng.normal(size=(7, 5)) > 0, 1.0, -1.0)
PICKS = np.array([0, 4, 2, 2, 1, 3, 0])
HOLES = np.array([0, -100, 2, 2, -100, 3, 0])
CHANCES = np.exp(B) / np.exp(B).sum(1, keepdims=True)
CLASS_WEIGHTS = np.array([0.5, 2.0, 1.0, 0.1, 3.0])
HITS = (C > 0).astype(float)
VOLUME, VOLUME_PICKS = _rng.normal(size=(2, 4, 3)), np.array([[0, 1, 3], [2, 2, 0]])
LOSSES: dict[str, tuple[tuple[np.ndarray, ...], Callable[..., Any], Callable[..., Any]]] = {
    "mse": ((A, B), lambda F, t, a, b: F.mse_loss(a, b, reduction="none"), lambda L, a, b: L.mse(a, b, reduction="none")),
    "mae": ((A, B), lambda F, t, a, b: F.l1_loss(a, b), lambda L, a, b: L.mae(a, b)),
    "huber": (
        (A, B), lambda F, t, a, b: F.huber_loss(a, b, delta=0.7, reduction="none"),
        lambda L, a, b: L.huber(a, b, 0.7, reduction="none")),
    "hinge": ((A,), lambda F, t, a: F.relu(1 - t(SIGNS) * a), lambda L, a: L.hinge(a, SIGNS, reduction="none")),
    "cross entropy": ((3 * A,), lambda F, t, a: F.cross_entropy(a, t(PICKS)), lambda L, a: L.cross_entropy(a, PICKS)),
    "cross entropy, each": (
        (A,), lambda F, t, a: F.cross_entropy(a, t(PICKS), reduction="none"),
        lambda L, a: L.cross_entropy(a, PICKS, reduction="none")),
    "cross entropy, smooth": (
        (A,), lambda F, t, a: F.cross_entropy(a, t(PICKS), label_smoothing=0.2),
        lambda L, a: L.cross_entropy(a, PICKS, label_smoothing=0.2)),
    "cross entropy with holes": (
        (A,), lambda F, t, a: F.cross_entropy(a, t(HOLES)), lambda L, a: L.cross_entropy(a, HOLES, ignore_index=-100)),
    "cross entropy, weighted": (
        (A,), lambda F, t, a: F.cross_entropy(a, t(HOLES), weight=t(CLASS_WEIGHTS), label_smoothing=0.1),
        lambda L, a: L.cross_entropy(a, HOLES, class_weights=CLASS_WEIGHTS, ignore_index=-100, label_smoothing=0.1)),
    "cross entropy of chances": ((A, CHANCES), lambda F, t, a, b: F.cross_entropy(a, b), lambda L, a, b: L.cross_entropy(a, b)),
    "cross entropy of chances, smooth and weighted": (
        (A,), lambda F, t, a: F.cross_entropy(a, t(CHANCES), weight=t(CLASS_WEIGHTS), label_smoothing=0.1, reduction="sum"),
        lambda L, a: L.cross_entropy(a, CHANCES, class_weights=CLASS_WEIGHTS, label_smoothing=0.1, reduction="sum")),
    "cross entropy in the middle": (
        (VOLUME,), lambda F, t, a: F.cross_entropy(a, t(VOLUME_PICKS), reduction="none"),
        lambda L, a: L.cross_entropy(a, VOLUME_PICKS, axis=1, reduction="none")),
    "nll": ((A,), lambda F, t, a: F.nll_loss(a, t(HOLES)), lambda L, a: L.nll(a, HOLES, ignore_index=-100)),
    "nll, weighted": (
        (A,), lambda F, t, a: F.nll_loss(a, t(PICKS), weight=t(CLASS_WEIGHTS)),
        lambda L, a: L.nll(a, PICKS, class_weights=CLASS_WEIGHTS)),
    "binary": (
        (30 * A,), lambda F, t, a: F.binary_cross_entropy_with_logits(a, t(CHANCES), reduction="none"),
        lambda L, a: L.binary_cross_entropy_with_logits(a, CHANCES, reduction="none")),
    "binary, weighted": (
        (A,), lambda F, t, a: F.binary_cross_entropy_with_logits(a, t(HITS), pos_weight=t(CLASS_WEIGHTS)),
        lambda L, a: L.binary_cross_entropy_with_logits(a, HITS, pos_weight=CLASS_WEIGHTS)),
    "focal": (
        (A,), lambda F, t, a: F.binary_cross_entropy_with_logits(a, t(HITS), reduction="none")
        * (1 - (F.sigmoid(a) * t(HITS) + F.sigmoid(-a) * (1 - t(HITS)))) ** 1.5 * (0.3 * t(HITS) + 0.7 * (1 - t(HITS))),
        lambda L, a: L.focal(a, HITS, 0.3, 1.5, reduction="none")),
    "kl": (
        (A,), lambda F, t, a: F.kl_div(F.log_softmax(a, 1), t(CHANCES), reduction="batchmean"),
        lambda L, a: L.kl_divergence(L.log_softmax(a, axis=1), CHANCES)),
    "kl of logarithms": (
        (A, B), lambda F, t, a, b: F.kl_div(a, b, reduction="sum", log_target=True),
        lambda L, a, b: L.kl_divergence(a, b, log_targets=True, reduction="sum")),
    "triplet": (
        (A, B, C), lambda F, t, a, b, c: F.triplet_margin_loss(a, b, c, reduction="none"),
        lambda L, a, b, c: L.triplet(a, b, c, reduction="none")),
    "triplet, swapped": (
        (A, B, C), lambda F, t, a, b, c: F.triplet_margin_loss(a, b, c, margin=2.5, p=3.0, swap=True),
        lambda L, a, b, c: L.triplet(a, b, c, margin=2.5, p=3.0, swap=True)),
    "cosine": (
        (A, B), lambda F, t, a, b: F.cosine_embedding_loss(a, b, t(SIGNS[:, 0]), margin=0.1, reduction="none"),
        lambda L, a, b: L.cosine(a, b, SIGNS[:, 0], margin=0.1, reduction="none")),
}  # fmt: skip


# Metrics, by sklearn.metrics `S` and by `M`, ours.

SCORES = np.round(_rng.normal(size=(60, 4)), 1)
RIGHT = np.where(_rng.random(60) < 0.5, SCORES.argmax(1), _rng.integers(0, 4, 60))
PREDICTED = SCORES.argmax(1)
SIDES, SIDE_SCORES = (RIGHT > 1).astype(int), np.round(SCORES[:, 2] - SCORES[:, 0], 1)
SIDES_PREDICTED = (SIDE_SCORES > 0).astype(int)
WEIGHTS = _rng.random(60)
REAL, NEAR = _rng.normal(size=(60, 3)), _rng.normal(size=(60, 3))
NEAR = REAL + 0.5 * NEAR
ODDS = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
METRICS: dict[str, tuple[Callable[[Any], Any], Callable[..., Any]]] = {
    "accuracy": (lambda S: S.accuracy_score(RIGHT, PREDICTED), lambda M, **o: M.accuracy(PREDICTED, RIGHT, **o)),
    "accuracy, weighted": (
        lambda S: S.accuracy_score(RIGHT, PREDICTED, sample_weight=WEIGHTS),
        lambda M, **o: M.accuracy(SCORES, RIGHT, weights=WEIGHTS, **o),
    ),
    "mse": (lambda S: S.mean_squared_error(REAL, NEAR), lambda M, **o: M.mean_squared_error(NEAR, REAL, **o)),
    "mse, weighted": (
        lambda S: S.mean_squared_error(REAL, NEAR, sample_weight=WEIGHTS),
        lambda M, **o: M.mean_squared_error(NEAR, REAL, weights=WEIGHTS, **o),
    ),
    "mae": (lambda S: S.mean_absolute_error(REAL, NEAR), lambda M, **o: M.mean_absolute_error(NEAR, REAL, **o)),
    "r2": (lambda S: S.r2_score(REAL, NEAR), lambda M, **o: M.r2(NEAR, REAL, **o)),
    "r2, weighted": (
        lambda S: S.r2_score(REAL[:, 0], NEAR[:, 0], sample_weight=WEIGHTS),
        lambda M, **o: M.r2(NEAR[:, 0], REAL[:, 0], weights=WEIGHTS, **o),
    ),
    "perplexity": (lambda S: np.exp(S.log_loss(RIGHT, ODDS)), lambda M, **o: M.perplexity(SCORES, RIGHT, **o)),
    "auc": (lambda S: S.roc_auc_score(SIDES, SIDE_SCORES), lambda M, **o: M.auc(SIDE_SCORES, SIDES, **o)),
    "auc, weighted": (
        lambda S: S.roc_auc_score(SIDES, SIDE_SCORES, sample_weight=WEIGHTS),
        lambda M, **o: M.auc(SIDE_SCORES, SIDES, weights=WEIGHTS, **o),
    ),
    "auc of classes": (lambda S: S.roc_auc_score(RIGHT, ODDS, multi_class="ovr"), lambda M, **o: M.auc(ODDS, RIGHT, **o)),
    "auc of classes, weighted": (
        lambda S: S.roc_auc_score(RIGHT, ODDS, multi_class="ovr", average="weighted"),
        lambda M, **o: M.auc(ODDS, RIGHT, "weighted", **o),
    ),
    "confusion matrix": (lambda S: S.confusion_matrix(RIGHT, PREDICTED), lambda M, **o: M.confusion_matrix(PREDICTED, RIGHT, **o)),
    **{
        f"confusion matrix, {how}": (
            lambda S, how=how: S.confusion_matrix(RIGHT, PREDICTED, normalize=how, sample_weight=WEIGHTS),
            lambda M, how=how, **o: M.confusion_matrix(SCORES, RIGHT, normalize=how, weights=WEIGHTS, **o),
        )
        for how in ("true", "pred", "all")
    },
    **{
        f"top {k}": (
            lambda S, k=k: S.top_k_accuracy_score(RIGHT, SCORES, k=k, labels=range(4)),
            lambda M, k=k, **o: M.top_k_accuracy(SCORES, RIGHT, k, **o),
        )
        for k in (1, 2, 3)
    },
    **{
        f"{ours}, {average}{', weighted' if weights is not None else ''}": (
            lambda S, theirs=theirs, average=average, weights=weights: getattr(S, theirs)(
                SIDES if average == "binary" else RIGHT, SIDES_PREDICTED if average == "binary" else PREDICTED,
                average=average, sample_weight=weights,
            ),
            lambda M, ours=ours, average=average, weights=weights, **o: getattr(M, ours)(
                SIDES_PREDICTED if average == "binary" else PREDICTED, SIDES if average == "binary" else RIGHT,
                average=average, weights=weights, **o,
            ),
        )
        for ours, theirs in (
            ("precision", "precision_score"), ("recall", "recall_score"), ("f1", "f1_score"), ("iou", "jaccard_score"),
        )
        for average in ("binary", "macro", "micro", "weighted", None)
        for weights in (None, WEIGHTS)
    },
}  # fmt: skip
