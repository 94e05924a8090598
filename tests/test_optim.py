"""jitgrad.optim against the papers' formulas in plain NumPy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, jit, lax, optim, tree, value_and_grad, vmap
from jitgrad.testing import assert_close

RNG = np.random.default_rng(0)
PARAMS = {"w": RNG.normal(size=(3, 2)), "b": [RNG.normal(size=2), RNG.normal(size=())]}
GRADIENTS = [tree.map(lambda p: RNG.normal(size=p.shape), PARAMS) for _ in range(5)]


def run(opt):
    params, state = PARAMS, opt.init(PARAMS)
    for g in GRADIENTS:
        updates, state = opt.update(g, state, params)
        params = optim.apply_updates(params, updates)
    return params


def each_leaf(step, memory=lambda p: ()):
    """A formula for one array, `step(t, param, gradient, *memory) -> (param, *memory)`, done to every leaf."""

    def of_leaf(p, *gradients):
        kept = memory(p)
        for t, g in enumerate(gradients):
            p, *kept = step(t, p, g, *kept)
        return p

    return tree.map(of_leaf, PARAMS, *GRADIENTS)


def zeros(count):
    return lambda p: [np.zeros_like(p)] * count


def test_sgd_steps_against_the_gradient():
    assert_close(run(optim.sgd(0.1)), each_leaf(lambda t, p, g: (p - 0.1 * g,)))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_keeps_a_part_of_the_last_step(nesterov):
    def step(t, p, g, m):
        m = g + 0.9 * m
        return p - 0.1 * (g + 0.9 * m if nesterov else m), m

    assert_close(run(optim.sgd(0.1, momentum=0.9, nesterov=nesterov)), each_leaf(step, zeros(1)))


def adam_step(decay=0.0, nesterov=False):
    def step(t, p, g, m, v):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        m_hat, v_hat = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
        if nesterov:
            m_hat = 0.9 * m / (1 - 0.9 ** (t + 2)) + 0.1 * g / (1 - 0.9 ** (t + 1))
        return p - 0.1 * (m_hat / (np.sqrt(v_hat) + 1e-8) + decay * p), m, v

    return step


@pytest.mark.parametrize("nesterov", [False, True])
def test_adam_is_its_papers_algorithm(nesterov):
    assert_close(run(optim.adam(0.1, nesterov=nesterov)), each_leaf(adam_step(nesterov=nesterov), zeros(2)))


def test_adamw_decays_apart_from_the_gradient():
    assert_close(run(optim.adamw(0.1, weight_decay=0.3)), each_leaf(adam_step(decay=0.3), zeros(2)))


def test_a_mask_says_which_weights_decay():
    mask = {"w": True, "b": [False, False]}
    got = run(optim.adamw(0.1, weight_decay=0.3, mask=mask))
    assert_close(got["w"], each_leaf(adam_step(decay=0.3), zeros(2))["w"])
    assert_close(got["b"], each_leaf(adam_step(), zeros(2))["b"])
    assert_close(run(optim.adamw(0.1, weight_decay=0.3, mask=lambda params: mask)), got)


def test_a_schedule_is_asked_for_each_step():
    opt = optim.sgd(lambda count: 0.1 / (count + 1))
    assert_close(run(opt), each_leaf(lambda t, p, g: (p - 0.1 / (t + 1) * g,)), rtol=1e-6)


def test_clipping_by_the_global_norm_makes_all_updates_smaller_by_one_factor():
    norm = np.sqrt(sum(np.sum(g**2) for g in tree.leaves(GRADIENTS[0])))
    assert_close(optim.global_norm(GRADIENTS[0]), norm)
    clipped, _ = optim.clip_by_global_norm(1.0).update(GRADIENTS[0], optim.EmptyState())
    assert_close(clipped, tree.map(lambda g: g / norm, GRADIENTS[0]))
    kept, _ = optim.clip_by_global_norm(100.0).update(GRADIENTS[0], optim.EmptyState())
    assert_close(kept, GRADIENTS[0])


def test_clip_holds_each_element():
    clipped, _ = optim.clip(0.5).update(GRADIENTS[0], optim.EmptyState())
    assert_close(clipped, tree.map(lambda g: np.clip(g, -0.5, 0.5), GRADIENTS[0]))


def test_chain_joins_transformations():
    opt = optim.chain(optim.clip(0.5), optim.add_decayed_weights(0.2), optim.scale(2.0), optim.identity(), optim.sgd(0.1))
    assert_close(run(opt), each_leaf(lambda t, p, g: (p - 0.2 * (np.clip(g, -0.5, 0.5) + 0.2 * p),)))


def test_states_and_updates_are_pytrees_of_the_params_types():
    params = tree.map(lambda p: p.astype(np.float32), PARAMS)
    opt = optim.adamw(optim.cosine_decay_schedule(0.1, 10))
    state = opt.init(params)
    updates, after = opt.update(params, state, params)
    assert tree.structure(state) == tree.structure(after)
    assert {x.dtype for x in tree.leaves(updates)} == {np.dtype(np.float32)}
    assert [x.dtype for x in tree.leaves(after)] == [x.dtype for x in tree.leaves(state)]


def test_an_optimizer_maps_over_a_batch_of_problems():
    opt = optim.adam(0.1)

    def step(p, g):
        return optim.apply_updates(p, opt.update(g, opt.init(p), p)[0])

    p, g = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    assert_close(vmap(step)(p, g), np.stack([step(a, b) for a, b in zip(p, g, strict=True)]))


def test_adam_finds_the_bottom_of_a_valley():
    def loss(p):
        return (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2

    params, opt = jnp.array([-1.0, 1.5]), optim.adam(0.05)
    state = opt.init(params)
    for _ in range(600):
        _, gradient = value_and_grad(loss)(params)
        updates, state = opt.update(gradient, state, params)
        params = optim.apply_updates(params, updates)
    np.testing.assert_allclose(params, [1.0, 1.0], atol=0.05)


OPTIMIZERS = [optim.sgd(0.1), optim.sgd(0.1, momentum=0.9), optim.adam(0.1), optim.adamw(0.1), optim.chain(optim.clip(1.0))]


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_gradients_of_another_structure_are_an_error_that_names_the_path(opt):
    with pytest.raises(errors.TreeStructureError, match=r"missing: \['b'\]\[1\]"):
        opt.update({"w": PARAMS["w"], "b": [PARAMS["b"][0]]}, opt.init(PARAMS), PARAMS)


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_gradients_of_another_shape_are_an_error_that_names_the_path(opt):
    wrong = {"w": PARAMS["w"], "b": [np.zeros(3), PARAMS["b"][1]]}
    with pytest.raises(errors.TreeStructureError, match=r"\['b'\]\[0\] must have the shape \(2,\).*got \(3,\)"):
        opt.update(wrong, opt.init(PARAMS), PARAMS)


def test_updates_that_do_not_fit_the_params_are_an_error():
    with pytest.raises(errors.TreeStructureError, match=r"apply_updates.*\['w'\]"):
        optim.apply_updates(PARAMS, {**PARAMS, "w": np.zeros(2)})


def test_weight_decay_needs_the_params():
    opt = optim.adamw(0.1)
    with pytest.raises(errors.ArgumentError, match="third argument"):
        opt.update(GRADIENTS[0], opt.init(PARAMS))


def test_schedules_follow_their_formulas():
    counts = np.array([0, 3, 10, 25])
    cases = [
        (optim.constant_schedule(0.5), np.full(4, 0.5)),
        (optim.linear_schedule(1.0, 0.2, 10, 2), 0.2 + 0.8 * (1 - np.clip(counts - 2, 0, 10) / 10)),
        (optim.polynomial_schedule(1.0, 0.0, 2, 20), (1 - np.clip(counts, 0, 20) / 20) ** 2),
        (optim.exponential_decay(1.0, 10, 0.5), 0.5 ** (counts / 10)),
        (optim.exponential_decay(1.0, 10, 0.5, staircase=True), 0.5 ** (counts // 10)),
        (optim.exponential_decay(1.0, 10, 0.5, end_value=0.6), np.maximum(0.5 ** (counts / 10), 0.6)),
        (optim.cosine_decay_schedule(2.0, 20, 0.1), 2 * (0.9 * 0.5 * (1 + np.cos(np.pi * np.minimum(counts, 20) / 20)) + 0.1)),
        (
            optim.warmup_cosine_decay_schedule(0.0, 1.0, 5, 25, 0.1),
            np.where(counts < 5, counts / 5, 0.9 * 0.5 * (1 + np.cos(np.pi * np.minimum(counts - 5, 20) / 20)) + 0.1),
        ),
    ]
    for schedule, expected in cases:
        np.testing.assert_allclose([float(schedule(c)) for c in counts], expected, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose([float(schedule(jnp.asarray(c, "int32"))) for c in counts], expected, rtol=1e-5, atol=1e-7)


def test_schedules_refuse_no_steps():
    with pytest.raises(errors.ArgumentError, match="positive"):
        optim.cosine_decay_schedule(1.0, 0)
    with pytest.raises(errors.ArgumentError, match="boundary"):
        optim.join_schedules([optim.constant_schedule(1.0)], [3])


@pytest.mark.parametrize(
    "make", [optim.adam, lambda rate: optim.adam(rate, nesterov=True), lambda rate: optim.sgd(lambda count: rate + 0 * count)]
)
def test_a_count_of_updates_stays_at_the_largest_number_of_its_type(make):
    optimizer = make(0.1)
    state = tree.map(lambda x: jnp.array(2**31 - 2, "int32") if x.dtype == "int32" else x, optimizer.init(jnp.ones(2)))
    for _ in range(3):
        step, state = optimizer.update(jnp.ones(2), state)
        assert (np.abs(np.asarray(step)) > 1e-3).all()
    assert [int(x) for x in tree.leaves(state) if x.dtype == "int32"] == [2**31 - 1]


@pytest.mark.parametrize(
    ("name", "opt"),
    [("sgd", optim.sgd(0.1)), ("sgd", optim.sgd(lambda count: 0.1)), ("scale", optim.scale(2.0)), ("clip", optim.clip(1.0)),
     ("clip_by_global_norm", optim.clip_by_global_norm(1.0)), ("identity", optim.identity())],
)  # fmt: skip
def test_gradients_of_another_structure_are_refused_without_params_too(name, opt):
    params = {"w": jnp.ones(2), "b": [jnp.ones(1)]}
    state = opt.init(params)
    with pytest.raises(
        errors.TreeStructureError, match=rf"optim\.{name}: the gradients must have the structure .*missing: \['b'\]\[0\]"
    ):
        opt.update({"w": params["w"]}, state)
    opt.update(params, state)


def test_the_state_of_sgd_is_kept_through_jit_loops_and_pickle():
    params = {"w": jnp.array([1.0, 2.0])}
    opt = optim.sgd(0.5)
    state = pickle.loads(pickle.dumps(opt.init(params)))

    def step(carry, _):
        params, state = carry
        updates, state = opt.update(params, state)
        return (optim.apply_updates(params, updates), state), None

    (params, after), _ = jit(lambda c: lax.scan(step, c, None, length=2))((params, state))
    assert after == state
    assert params["w"].tolist() == [0.25, 0.5]
