"""optax's optimizers, schedules, transformations and losses on a small model: what they give after some steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

DATA = np.random.default_rng(0)
X, Y = DATA.standard_normal((16, 3)), DATA.standard_normal((16, 4))
START = {"w": DATA.standard_normal((3, 4)) * 0.5, "b": np.linspace(-0.5, 0.5, 4)}


def loss(parameters: Any) -> Any:
    return jnp.mean((jnp.tanh(X @ parameters["w"]) + parameters["b"] - Y) ** 2)


def trained(optimizer: Any, with_value: bool = False) -> Any:
    """The parameters after some steps of one compiled loop."""

    def step(carried: Any, _: Any) -> Any:
        parameters, state = carried
        value, slope = jax.value_and_grad(loss)(parameters)
        given = {"value": value, "grad": slope, "value_fn": loss} if with_value else {}
        updates, state = optimizer.update(slope, state, parameters, **given)
        return (optax.apply_updates(parameters, updates), state), None

    @jax.jit
    def run(parameters: Any) -> Any:
        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), None, length=8)[0][0]

    return run(START)


def schedule_values(schedule: Callable[[Any], Any]) -> Any:
    return jax.jit(jax.vmap(schedule))(np.arange(0, 60, 7))


RATE = 0.05
OPTIMIZERS = {
    "sgd": lambda: optax.sgd(RATE), "momentum": lambda: optax.sgd(RATE, momentum=0.9),
    "nesterov": lambda: optax.sgd(RATE, momentum=0.9, nesterov=True), "adam": lambda: optax.adam(RATE),
    "adamw": lambda: optax.adamw(RATE), "nadam": lambda: optax.nadam(RATE), "nadamw": lambda: optax.nadamw(RATE),
    "adamax": lambda: optax.adamax(RATE), "adamaxw": lambda: optax.adamaxw(RATE), "adan": lambda: optax.adan(RATE),
    "lamb": lambda: optax.lamb(RATE), "lars": lambda: optax.lars(RATE), "lion": lambda: optax.lion(RATE),
    "rmsprop": lambda: optax.rmsprop(RATE, momentum=0.5, centered=True), "adagrad": lambda: optax.adagrad(RATE),
    "adadelta": lambda: optax.adadelta(RATE), "adafactor": lambda: optax.adafactor(RATE, min_dim_size_to_factor=2),
    "adabelief": lambda: optax.adabelief(RATE), "yogi": lambda: optax.yogi(RATE), "radam": lambda: optax.radam(RATE),
    "novograd": lambda: optax.novograd(RATE), "sm3": lambda: optax.sm3(RATE), "amsgrad": lambda: optax.amsgrad(RATE),
    "noisy_sgd": lambda: optax.noisy_sgd(RATE), "optimistic_gradient_descent": lambda: optax.optimistic_gradient_descent(RATE),
    "optimistic_adam": lambda: optax.optimistic_adam_v2(RATE), "rprop": lambda: optax.rprop(RATE),
    "sign_sgd": lambda: optax.sign_sgd(RATE), "fromage": lambda: optax.fromage(RATE),
    "dpsgd-like noise": lambda: optax.chain(optax.add_noise(0.1, 0.5, 7), optax.scale(-RATE)),
    "clip": lambda: optax.chain(optax.clip(0.1), optax.sgd(RATE)),
    "clip_by_global_norm": lambda: optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(RATE)),
    "clip_by_block_rms": lambda: optax.chain(optax.clip_by_block_rms(0.1), optax.sgd(RATE)),
    "adaptive_grad_clip": lambda: optax.chain(optax.adaptive_grad_clip(0.1), optax.sgd(RATE)),
    "zero_nans": lambda: optax.chain(optax.zero_nans(), optax.adam(RATE)), "centralize": lambda: optax.chain(
        optax.centralize(), optax.sgd(RATE)),
    "masked": lambda: optax.masked(optax.adam(RATE), {"w": True, "b": False}),
    "partition": lambda: optax.multi_transform({"a": optax.adam(RATE), "s": optax.sgd(RATE)}, {"w": "a", "b": "s"}),
    "multi_steps": lambda: optax.MultiSteps(optax.adam(RATE), every_k_schedule=2),
    "apply_if_finite": lambda: optax.apply_if_finite(optax.adam(RATE), 3), "lookahead-free ema": lambda: optax.chain(
        optax.ema(0.9), optax.scale(-RATE)),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=optax.exponential_decay(RATE, 3, 0.5)),
    "scheduled": lambda: optax.adam(optax.warmup_cosine_decay_schedule(0.0, RATE, 3, 8)),
    "freeze": lambda: optax.chain(optax.adam(RATE), optax.keep_params_nonnegative()),
    "add_decayed_weights": lambda: optax.chain(optax.add_decayed_weights(0.1), optax.trace(0.9), optax.scale(-RATE)),
    "scale_by_trust_ratio": lambda: optax.chain(optax.scale_by_trust_ratio(), optax.scale(-RATE)),
    "contrib.prodigy": lambda: optax.contrib.prodigy(), "contrib.dadapt_adamw": lambda: optax.contrib.dadapt_adamw(),
    "contrib.schedule_free": lambda: optax.contrib.schedule_free_sgd(RATE), "contrib.muon": lambda: optax.contrib.muon(RATE),
    "contrib.sophia": lambda: optax.contrib.cocob(), "contrib.dog": lambda: optax.contrib.dog(),
    "contrib.sam": lambda: optax.contrib.ademamix(RATE),
}  # fmt: skip
WITH_VALUE = {"lbfgs": lambda: optax.lbfgs(), "polyak": lambda: optax.polyak_sgd(RATE), "backtracking": lambda: optax.chain(
    optax.sgd(1.0), optax.scale_by_backtracking_linesearch(10))}  # fmt: skip

SCHEDULES = {
    "constant": lambda: optax.constant_schedule(0.1), "cosine": lambda: optax.cosine_decay_schedule(0.1, 40, 0.1),
    "exponential": lambda: optax.exponential_decay(0.1, 10, 0.5, staircase=True),
    "linear": lambda: optax.linear_schedule(0.1, 0.0, 30, 5),
    "polynomial": lambda: optax.polynomial_schedule(0.1, 0.01, 2, 40), "onecycle": lambda: optax.linear_onecycle_schedule(50, 0.1),
    "cosine_onecycle": lambda: optax.cosine_onecycle_schedule(50, 0.1),
    "piecewise": lambda: optax.piecewise_constant_schedule(0.1, {10: 0.5, 30: 0.1}),
    "warmup": lambda: optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 50), "sgdr": lambda: optax.sgdr_schedule(
        [dict(init_value=0.0, peak_value=0.1, decay_steps=20, warmup_steps=5, end_value=0.0)] * 2),
    "join": lambda: optax.join_schedules([optax.constant_schedule(0.1), optax.linear_schedule(0.1, 0.0, 20)], [15]),
}  # fmt: skip

LOGITS, LABELS = DATA.standard_normal((6, 5)), np.array([0, 1, 4, 2, 3, 3])
CHANCES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
ONE_HOT = np.eye(5)[LABELS]
LOSSES = {
    "squared_error": lambda x: optax.squared_error(x, ONE_HOT), "l2": lambda x: optax.l2_loss(x, ONE_HOT),
    "huber": lambda x: optax.huber_loss(x, ONE_HOT, delta=0.5), "log_cosh": lambda x: optax.log_cosh(x, ONE_HOT),
    "softmax": lambda x: optax.softmax_cross_entropy(x, ONE_HOT), "cosine": lambda x: optax.cosine_distance(x, ONE_HOT + 0.1),
    "integer softmax": lambda x: optax.softmax_cross_entropy_with_integer_labels(x, LABELS),
    "sigmoid": lambda x: optax.sigmoid_binary_cross_entropy(x, ONE_HOT), "hinge": lambda x: optax.hinge_loss(x, 2 * ONE_HOT - 1),
    "focal": lambda x: optax.sigmoid_focal_loss(x, ONE_HOT), "kl": lambda x: optax.kl_divergence(jax.nn.log_softmax(x), CHANCES),
    "poly": lambda x: optax.losses.poly_loss_cross_entropy(x, ONE_HOT), "smooth": lambda x: optax.softmax_cross_entropy(
        x, optax.smooth_labels(ONE_HOT, 0.1)),
    "convex_kl": lambda x: optax.convex_kl_divergence(jax.nn.log_softmax(x), CHANCES),
    "sparsemax": lambda x: optax.losses.multiclass_sparsemax_loss(x, LABELS),
    "perceptron": lambda x: optax.losses.perceptron_loss(x, 2 * ONE_HOT - 1),
    "ctc": lambda x: optax.ctc_loss(jnp.tile(x[None], (2, 1, 1)), np.zeros((2, 6)), np.array([[1, 2], [3, 1]]), np.zeros((2, 2))),
    "ranking": lambda x: optax.losses.ranking_softmax_loss(x, ONE_HOT), "triplet": lambda x: optax.losses.triplet_margin_loss(
        x, ONE_HOT, CHANCES),
    "ntxent": lambda x: optax.ntxent(x, np.array([0, 0, 1, 1, 2, 2])),
}  # fmt: skip


def with_slope(f: Callable[[Any], Any]) -> Any:
    values = jax.jit(lambda x: (f(x), jax.grad(lambda x: jnp.sum(f(x)))(x)))
    return values(LOGITS)


PROGRAMS: dict[str, Callable[[], Any]] = {
    **{f"optimizer {name}": lambda make=make: trained(make()) for name, make in OPTIMIZERS.items()},
    **{f"optimizer {name}": lambda make=make: trained(make(), with_value=True) for name, make in WITH_VALUE.items()},
    **{f"schedule {name}": lambda make=make: schedule_values(make()) for name, make in SCHEDULES.items()},
    **{f"loss {name}": lambda f=f: with_slope(f) for name, f in LOSSES.items()},
}
