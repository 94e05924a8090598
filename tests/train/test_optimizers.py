"""Optimizers by Keras' names against Keras' formulas, written with NumPy; learning rates in their states; schedules."""

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, jit, optim
from jitgrad.train import optimizers
from jitgrad.train.optimizers import schedules

START = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array([0.1, -0.2])}


def gradients(step):
    draws = np.random.default_rng(step)
    return {name: draws.normal(size=x.shape) * (0.3 if step % 3 else 1e-4) for name, x in START.items()}


def follow(optimizer, steps=12, start=START):
    """The params after some steps, and the state."""
    params, state = start, optimizer.init(start)
    update = jit(lambda g, s, p: (lambda u, s: (optim.apply_updates(p, u), s))(*optimizer.update(g, s, p)))
    for step in range(steps):
        params, state = update(gradients(step), state, params)
    return params, state


def sgd(p, g, s, t, lr, momentum=0.0, nesterov=False):
    s["m"] = momentum * s["m"] - lr * g
    return p + (momentum * s["m"] - lr * g if nesterov else s["m"])


def rmsprop(p, g, s, t, lr, rho=0.9, momentum=0.0, centered=False):
    s["v"] = rho * s["v"] + (1 - rho) * g**2
    s["a"] = rho * s["a"] + (1 - rho) * g
    s["m"] = momentum * s["m"] + lr * g / np.sqrt(s["v"] - (s["a"] ** 2 if centered else 0) + 1e-7)
    return p - s["m"]


def adam(p, g, s, t, lr, amsgrad=False, epsilon=1e-7):
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g**2
    s["h"] = np.maximum(s["h"], s["v"])
    return p - lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["h"] if amsgrad else s["v"]) + epsilon)


def adamw(p, g, s, t, lr):
    return adam(p, g, s, t, lr) - 0.004 * lr * p


def adamax(p, g, s, t, lr):
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, np.maximum(0.999 * s["v"], abs(g))
    return p - lr / (1 - 0.9**t) * s["m"] / (s["v"] + 1e-7)


def nadam(p, g, s, t, lr):
    now, after = (0.9 * (1 - 0.5 * 0.96**n) for n in (t, t + 1))
    s["p"] = np.prod([0.9 * (1 - 0.5 * 0.96**n) for n in range(1, t + 1)])
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g**2
    mean = after * s["m"] / (1 - s["p"] * after) + (1 - now) * g / (1 - s["p"])
    return p - lr * mean / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def adagrad(p, g, s, t, lr):
    s["v"] = (0.1 if t == 1 else s["v"]) + g**2
    return p - lr * g / np.sqrt(s["v"] + 1e-7)


def adadelta(p, g, s, t, lr):
    s["v"] = 0.95 * s["v"] + 0.05 * g**2
    step = np.sqrt(s["a"] + 1e-7) * g / np.sqrt(s["v"] + 1e-7)
    s["a"] = 0.95 * s["a"] + 0.05 * step**2
    return p - lr * step


def lion(p, g, s, t, lr):
    step = np.sign(0.9 * s["m"] + 0.1 * g)
    s["m"] = 0.99 * s["m"] + 0.01 * g
    return p - lr * step


def lamb(p, g, s, t, lr):
    s["m"], s["v"] = 0.9 * s["m"] + 0.1 * g, 0.999 * s["v"] + 0.001 * g**2
    step = s["m"] / (1 - 0.9**t) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)
    return p - lr * np.linalg.norm(p) / np.linalg.norm(step) * step


CASES = [
    (optimizers.SGD(), sgd, {"lr": 0.01}),
    (optimizers.SGD(0.1, momentum=0.9), sgd, {"lr": 0.1, "momentum": 0.9}),
    (optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True), sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (optimizers.RMSprop(), rmsprop, {"lr": 0.001}),
    (optimizers.RMSprop(0.01, rho=0.8, momentum=0.5), rmsprop, {"lr": 0.01, "rho": 0.8, "momentum": 0.5}),
    (optimizers.RMSprop(0.01, centered=True), rmsprop, {"lr": 0.01, "centered": True}),
    (optimizers.Adam(), adam, {"lr": 0.001}),
    (optimizers.Adam(0.01, epsilon=1e-3, amsgrad=True), adam, {"lr": 0.01, "epsilon": 1e-3, "amsgrad": True}),
    (optimizers.AdamW(0.1), adamw, {"lr": 0.1}),
    (optimizers.Adamax(), adamax, {"lr": 0.001}),
    (optimizers.Nadam(), nadam, {"lr": 0.001}),
    (optimizers.Adagrad(), adagrad, {"lr": 0.001}),
    (optimizers.Adadelta(0.5), adadelta, {"lr": 0.5}),
    (optimizers.Lion(), lion, {"lr": 0.001}),
    (optimizers.Lamb(), lamb, {"lr": 0.001}),
]


@pytest.mark.parametrize("optimizer, formula, options", CASES, ids=[f"{c[1].__name__}-{n}" for n, c in enumerate(CASES)])
def test_steps_are_those_of_keras_formulas(optimizer, formula, options):
    expected, states = dict(START), {name: dict.fromkeys("mvahp", 0.0) for name in START}
    for step in range(12):
        for name, g in gradients(step).items():
            expected[name] = formula(expected[name], g, states[name], step + 1, **options)
    params, _ = follow(optimizer)
    for name in START:
        np.testing.assert_allclose(params[name], expected[name], rtol=1e-12)


def test_weight_decay_goes_by_the_learning_rate_beside_any_formula():
    plain, decayed = (follow(optimizers.SGD(0.1, weight_decay=d), steps=1)[0]["w"] for d in (None, 0.5))
    np.testing.assert_allclose(plain - decayed, 0.1 * 0.5 * START["w"], rtol=1e-12)


def test_gradients_are_clipped_by_norm_value_or_all_together():
    g = {"w": np.array([3.0, 4.0]), "b": np.array([0.3])}
    zeros = {name: np.zeros_like(x) for name, x in g.items()}

    def step(**clip):
        return optimizers.SGD(1.0, **clip).update(g, optimizers.SGD(1.0, **clip).init(zeros), zeros)[0]

    np.testing.assert_allclose(step(clipnorm=1.0)["w"], [-0.6, -0.8])
    np.testing.assert_allclose(step(clipnorm=1.0)["b"], [-0.3])
    np.testing.assert_allclose(step(clipvalue=1.0)["w"], [-1.0, -1.0])
    np.testing.assert_allclose(step(global_clipnorm=1.0)["b"], [-0.3 / np.sqrt(25.09)])
    np.testing.assert_array_equal(
        optimizers.SGD(1.0, clipnorm=1.0).update(zeros, optimizers.SGD(1.0, clipnorm=1.0).init(g), g)[0]["w"], 0
    )
    with pytest.raises(errors.ArgumentError, match="clipnorm and clipvalue"):
        optimizers.Adam(clipnorm=1.0, clipvalue=1.0)


def test_the_learning_rate_is_in_the_state_and_can_be_changed():
    opt = optimizers.SGD(0.5)
    state = opt.init(START)
    assert float(state.hyperparams["learning_rate"]) == 0.5
    assert opt.learning_rate == 0.5
    state.hyperparams["learning_rate"] = jnp.float64(2.0)
    updates, _ = opt.update(gradients(0), state, START)
    np.testing.assert_allclose(updates["w"], -2.0 * gradients(0)["w"])


def test_schedules_are_followed_step_by_step():
    opt = optimizers.SGD(schedules.PiecewiseConstantDecay([1], [1.0, 0.1]))
    params, state = follow(opt, steps=3)
    expected = START["w"] - gradients(0)["w"] - gradients(1)["w"] - 0.1 * gradients(2)["w"]
    np.testing.assert_allclose(params["w"], expected)
    assert float(state.hyperparams["learning_rate"]) == 0.1


def test_params_keep_their_element_types():
    params = {"half": jnp.ones(2, "float16"), "single": jnp.ones(2)}
    for optimizer in (optimizers.Adam(), optimizers.Nadam(), optimizers.Adamax(), optimizers.RMSprop(momentum=0.5)):
        state = optimizer.init(params)
        updates, state = optimizer.update(params, state, params)
        assert [str(optim.apply_updates(params, updates)[n].dtype) for n in params] == ["float16", "float32"]


def test_names_and_objects_are_resolved():
    assert isinstance(optimizers.resolve_optimizer("adam"), optimizers.Adam)
    assert isinstance(optimizers.resolve_optimizer("RMSprop"), optimizers.RMSprop)
    own = optim.adam(1e-3)
    assert optimizers.resolve_optimizer(own) is own
    assert repr(optimizers.Adam(0.01)) == "Adam(learning_rate=0.01)"
    with pytest.raises(
        errors.ArgumentError, match="no optimizer 'adm'. Did you mean 'Adam' or|no optimizer 'adm'. Did you mean 'adam'"
    ):
        optimizers.resolve_optimizer("adm")
    with pytest.raises(errors.ArgumentError, match=r"the class Adam: Adam\(...\)"):
        optimizers.resolve_optimizer(optimizers.Adam)
    with pytest.raises(errors.ArgumentError, match="takes a name such as 'adam'"):
        optimizers.resolve_optimizer(3)
    with pytest.raises(errors.ArgumentError, match="learning_rate="):
        optimizers.Adam(lr=0.1)
    with pytest.raises(errors.ArgumentError, match="must be a number or a schedule"):
        optimizers.Adam("0.1")
    with pytest.raises(errors.ArgumentError, match="no optimizer by itself"):
        optimizers.Optimizer()


@pytest.mark.parametrize(
    "schedule, values",
    [
        (schedules.ExponentialDecay(0.1, 10, 0.5), {0: 0.1, 5: 0.1 * 0.5**0.5, 20: 0.025}),
        (schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True), {0: 0.1, 9: 0.1, 10: 0.05, 29: 0.025}),
        (schedules.InverseTimeDecay(0.1, 10, 2.0), {0: 0.1, 5: 0.05, 10: 0.1 / 3}),
        (schedules.InverseTimeDecay(0.1, 10, 2.0, staircase=True), {9: 0.1, 10: 0.1 / 3}),
        (schedules.PiecewiseConstantDecay([3, 5], [1.0, 0.5, 0.1]), {0: 1.0, 3: 1.0, 4: 0.5, 5: 0.5, 6: 0.1}),
        (schedules.PolynomialDecay(0.1, 10, 0.02, power=2.0), {0: 0.1, 5: 0.08 / 4 + 0.02, 10: 0.02, 15: 0.02}),
        (schedules.PolynomialDecay(0.1, 10, 0.02, cycle=True), {5: 0.06, 10: 0.02, 15: 0.08 / 4 + 0.02, 20: 0.02}),
        (schedules.CosineDecay(0.1, 10, alpha=0.1), {0: 0.1, 5: 0.055, 10: 0.01, 99: 0.01}),
        (schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=4), {0: 0.0, 2: 0.05, 4: 0.1, 9: 0.05, 14: 0.0}),
        (schedules.CosineDecayRestarts(0.1, 10), {0: 0.1, 5: 0.05, 10: 0.1, 20: 0.05, 30: 0.1}),
        (schedules.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5), {0: 0.1, 5: 0.05, 10: 0.05, 15: 0.025}),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, dict) else "",
)
def test_schedules_are_those_of_keras(schedule, values):
    for step, value in values.items():
        np.testing.assert_allclose(schedule(step), value, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(jit(schedule)(step), value, rtol=1e-12, atol=1e-15)


def test_hyperparameters_of_any_optimizer_can_be_put_into_its_state():
    opt = optim.inject_hyperparams(optim.adam)(learning_rate=lambda count: 0.1 / (count + 1), b1=0.8)
    state = opt.init(START)
    assert float(state.hyperparams["b1"]) == 0.8
    fixed = optim.adam(0.1, b1=0.8)
    updates, state = opt.update(gradients(1), state, START)
    np.testing.assert_allclose(updates["w"], fixed.update(gradients(1), fixed.init(START), START)[0]["w"], rtol=1e-7)
    updates, state = opt.update(gradients(1), state, START)
    assert abs(float(state.hyperparams["learning_rate"]) - 0.05) < 1e-8
    assert int(state.count) == 2
    with pytest.raises(errors.ArgumentError, match="has no beta"):
        optim.inject_hyperparams(optim.adam, static_args="beta")
    small = optim.inject_hyperparams(optim.sgd, hyperparam_dtype="float16")(0.1)
    assert small.init(START).hyperparams["learning_rate"].dtype == np.float16
