"""jitgrad.optim's masks, groups, accumulation, loss scales, plateaus, searches and `minimize`; what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import config, errors, grad, jit, lax, optim, tree, vmap
from jitgrad.held import Held
from jitgrad.testing import assert_close

PARAMS = {"w": jnp.array([1.0, 2.0]), "b": [jnp.array(3.0), jnp.array([4.0])]}
ONES = tree.map(jnp.ones_like, PARAMS)


def numbers(x):
    return tree.map(lambda leaf: np.asarray(leaf).tolist(), x)


def after(opt, gradients, params=PARAMS, **extra):
    """The updates of several gradients, one after another, and the last state."""
    state, out = opt.init(params), []
    for g in gradients:
        updates, state = opt.update(g, state, params, **extra)
        out.append(updates)
    return out, state


# masks and groups


def test_a_mask_may_be_a_beginning_of_the_params_or_a_function_of_them():
    for mask in ({"w": False, "b": True}, {"w": False, "b": [True, True]}, lambda p: tree.map(lambda x: jnp.size(x) == 1, p)):
        updates, _ = after(optim.masked(optim.scale(-2.0), mask), [ONES])
        assert numbers(updates[0]) == {"w": [1.0, 1.0], "b": [-2.0, [-2.0]]}
    updates, _ = after(optim.masked(optim.scale(-2.0), True), [ONES])
    assert numbers(updates[0]) == {"w": [-2.0, -2.0], "b": [-2.0, [-2.0]]}


def test_a_mask_that_does_not_fit_is_an_error():
    with pytest.raises(errors.TreeStructureError, match=r"optim\.masked: the mask must be a pytree of the structure"):
        optim.masked(optim.scale(1.0), {"w": True}).init(PARAMS)
    with pytest.raises(errors.ArgumentError, match="the mask must hold bools, got 'yes'"):
        optim.masked(optim.scale(1.0), {"w": "yes", "b": True}).init(PARAMS)


def test_groups_have_rates_and_states_of_their_own():
    opt = optim.multi_transform({"fast": optim.sgd(1.0), "slow": optim.sgd(0.5, momentum=0.5), "none": optim.set_to_zero()},
                                {"w": "slow", "b": ["fast", "none"]})  # fmt: skip
    updates, state = after(opt, [ONES, ONES])
    assert numbers(updates[1]) == {"w": [-0.75, -0.75], "b": [-1.0, [0.0]]}
    assert sum(x.size for x in tree.leaves(state)) == 2
    by_function = optim.partition({"all": optim.sgd(1.0)}, lambda params: tree.map(lambda _: "all", params))
    assert numbers(after(by_function, [ONES])[0][0]["w"]) == [-1.0, -1.0]


def test_a_label_without_a_transformation_is_an_error():
    with pytest.raises(errors.ArgumentError, match=r"optim\.partition: no transformation for the labels other; there are a"):
        optim.partition({"a": optim.sgd(1.0)}, {"w": "a", "b": "other"}).init(PARAMS)


def test_what_params_hold_is_seen_by_no_part():
    held = {"w": jnp.ones(2), "n": Held(jnp.array(5.0))}
    gradient = grad(lambda p: jnp.sum(p["w"] ** 2) * p["n"].value)(held)
    for opt in (optim.adamw(0.1), optim.masked(optim.adam(0.1), {"w": True, "n": True}), optim.MultiSteps(optim.adam(0.1), 1),
                optim.partition({"a": optim.sgd(0.1)}, {"w": "a", "n": "a"}), optim.lamb(0.1), optim.adafactor(0.1)):  # fmt: skip
        updates, _ = opt.update(gradient, opt.init(held), held)
        moved = optim.apply_updates(held, updates)
        assert float(moved["n"].value) == 5.0 and float(moved["w"][0]) < 1.0
    found = optim.minimize(lambda p: jnp.sum((p["w"] - p["n"].value) ** 2), held, tol=1e-3)
    assert_close(found.params["w"], np.array([5.0, 5.0]), rtol=1e-4)
    assert float(found.params["n"].value) == 5.0


# accumulation


def test_steps_of_several_batches_are_those_of_their_mean():
    opt = optim.MultiSteps(optim.adam(0.1), every_k_schedule=lambda step: jnp.where(step < 1, 2, 3))
    gradients = [tree.map(lambda x, n=n: x * n, ONES) for n in (1.0, 3.0, 4.0, 5.0, 9.0)]
    updates, state = after(opt, gradients)
    whole, _ = after(optim.adam(0.1), [tree.map(lambda x: 2 * x, ONES), tree.map(lambda x: 6 * x, ONES)])
    assert_close(updates[1], whole[0])
    assert_close(updates[4], whole[1])
    assert all(float(jnp.max(jnp.abs(x))) == 0 for n in (0, 2, 3) for x in tree.leaves(updates[n]))
    assert bool(opt.has_updated(state)) and int(state.gradient_step) == 2
    with pytest.raises(errors.ArgumentError, match="every_k_schedule is an integer of 1 or more"):
        optim.MultiSteps(optim.sgd(1.0), 0)


def test_updates_that_are_not_finite_are_left_out_until_too_many_were():
    bad = {**ONES, "w": jnp.array([1.0, jnp.nan])}
    opt = optim.apply_if_finite(optim.sgd(0.5, momentum=0.5), 2)
    updates, state = after(opt, [ONES, bad, bad, ONES, bad, bad, bad])
    assert [bool(jnp.isnan(u["w"][1])) for u in updates] == [False] * 6 + [True]
    assert float(updates[1]["w"][0]) == 0.0 and float(updates[3]["w"][0]) == -0.75
    assert (int(state.total_notfinite), int(state.notfinite_count)) == (5, 3)


def test_a_loss_scale_falls_at_infinities_and_grows_after_a_while():
    opt = optim.dynamic_loss_scale(optim.sgd(1.0), initial_scale=8.0, period=2, min_scale=2.0)
    state, scales, steps = opt.init(jnp.array(0.0)), [], []
    for g in (1.0, jnp.inf, 1.0, jnp.nan, jnp.nan, jnp.nan, 1.0, 1.0, 1.0, 1.0):
        updates, state = opt.update(jnp.asarray(g) * state.loss_scale, state)
        scales.append(float(state.loss_scale))
        steps.append(float(updates))
    assert scales == [8.0, 4.0, 4.0, 2.0, 2.0, 2.0, 2.0, 4.0, 4.0, 8.0]
    assert steps == [-1.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0, -1.0]
    with pytest.raises(errors.ArgumentError, match="factor must be more than 1"):
        optim.dynamic_loss_scale(optim.sgd(1.0), factor=0.5)


def test_losses_in_float16_are_scaled_out_of_underflow():
    opt = optim.dynamic_loss_scale(optim.sgd(1.0), initial_scale=2.0**10)
    x = jnp.array([1.0], "float16")
    state = opt.init(x)

    def loss(x, scale):
        return jnp.sum((x * 1e-4) ** 2) * scale.astype("float16")

    assert float(grad(loss)(x, jnp.array(1.0))[0]) == 0.0
    scaled = grad(loss)(x, state.loss_scale)
    assert scaled.dtype == "float16" and opt.update(scaled, state)[0].dtype == "float16"


def test_the_mean_of_params_is_an_optimizer_of_its_own():
    mean = optim.ema(0.5)
    state = mean.init(PARAMS)
    for factor in (1.0, 2.0, 4.0):
        average, state = mean.update(tree.map(lambda p, f=factor: p * f, PARAMS), state)
    assert_close(average["w"], np.array([1.0, 2.0]) * (1 + 2 * 2 + 4 * 4) / 7, rtol=1e-6)
    assert numbers(optim.incremental_update({"w": 4.0}, {"w": 0.0}, 0.25)) == {"w": 1.0}


@pytest.mark.parametrize("name", ["mu_dtype", "accumulator_dtype"])
def test_running_means_may_be_kept_in_another_type(name):
    opt = optim.adam(0.1, mu_dtype="bfloat16") if name == "mu_dtype" else optim.sgd(0.1, 0.9, accumulator_dtype="bfloat16")
    updates, state = after(opt, [ONES, ONES])
    assert {str(x.dtype) for x in tree.leaves(state)} >= {"bfloat16"}
    assert {str(x.dtype) for x in tree.leaves(updates[1])} == {"float32"}


# keywords and losses


def test_keywords_of_update_reach_the_parts_that_take_them_through_all_others():
    plateau = optim.reduce_on_plateau(factor=0.5, patience=1)
    inner = optim.masked(optim.chain(optim.sgd(1.0), plateau), True)
    opt = optim.MultiSteps(optim.apply_if_finite(optim.partition({"a": inner}, lambda p: tree.map(lambda _: "a", p)), 1), 1)
    updates, _ = after(opt, [ONES, ONES, ONES], value=1.0)
    assert [float(u["w"][0]) for u in updates] == [-1.0, -0.5, -0.25]
    with pytest.raises(errors.ParametersError, match=r"reduce_on_plateau: update needs the loss: .*value=loss"):
        plateau.update(1.0, plateau.init(1.0))


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"rtol": 0.0}, {"patience": 0}, {"atol": -1.0}, {"cooldown": -1}])
def test_a_plateau_refuses_what_makes_no_sense(wrong):
    with pytest.raises(errors.ArgumentError, match=rf"reduce_on_plateau.*{next(iter(wrong))}"):
        optim.reduce_on_plateau(**wrong)


def test_other_wrong_arguments_are_errors_that_say_what_to_write():
    with pytest.raises(errors.ArgumentError, match="the learning rate is a number or a schedule"):
        optim.adam("fast")
    with pytest.raises(errors.ArgumentError, match=r"optim\.chain: takes transformations, which have init and update, got float"):
        optim.chain(0.1)
    with pytest.raises(errors.ArgumentError, match="mode must be one of hard, smooth, refined"):
        optim.scale_by_lion(mode="soft")
    with pytest.raises(errors.ArgumentError, match="memory_size must be 1 or more"):
        optim.lbfgs(memory_size=0)
    with pytest.raises(errors.ArgumentError, match="is one of standard, dion"):
        optim.muon(0.1, ns_coeffs="fast").init({"w": jnp.eye(2)})
    with pytest.raises(errors.ShapeError, match=r"\(3,\) is no matrix"):
        opt = optim.scale_by_muon()
        opt.update(jnp.ones(3), opt.init(jnp.ones(3)))
    for needs_params in (optim.lamb(0.1), optim.lars(0.1), optim.adafactor(0.1), optim.scale_by_lbfgs()):
        with pytest.raises(errors.ArgumentError, match="needs the params as its third argument"):
            needs_params.update(ONES, needs_params.init(PARAMS))
    with pytest.raises(errors.ArgumentError, match="the factors must be 0 or more"):
        optim.piecewise_constant_schedule(1.0, {3: -1.0})
    with pytest.raises(errors.ArgumentError, match="'linear' or 'cosine'"):
        optim.piecewise_interpolate_schedule("spline", 1.0)


# searches and minimize


def rosenbrock(p):
    return (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2


def test_minimize_finds_the_bottom_of_a_valley_in_one_loop():
    start = {"x": jnp.array(-1.2, "float64"), "y": jnp.array(1.0, "float64")}
    found = optim.minimize(rosenbrock, start, tol=1e-8)
    assert bool(found.converged) and int(found.steps) < 60
    assert_close(found.params, {"x": 1.0, "y": 1.0}, rtol=1e-7)
    assert float(found.gradient_norm) <= 1e-8 and float(found.value) < 1e-15
    slow = optim.minimize(rosenbrock, start, optim.adam(0.05), tol=1e-8, max_steps=5)
    assert not bool(slow.converged) and int(slow.steps) == 5


def test_minimize_stands_in_jit_and_vmap():
    def bottom(target):
        return optim.minimize(lambda x, t: jnp.sum(jnp.cosh(x - t)), jnp.zeros(3), args=(target,), tol=1e-4).params

    targets = jnp.array([[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0]])
    assert_close(jit(bottom)(targets[0]), targets[0], atol=1e-4)
    assert_close(vmap(bottom)(targets), targets, atol=1e-4)


def test_minimize_ends_where_the_function_is_no_number():
    found = optim.minimize(lambda x: jnp.log(x), jnp.array(1.0), optim.sgd(0.6), max_steps=50)
    assert not bool(found.converged) and int(found.steps) < 50


def test_minimize_says_what_it_needs():
    with pytest.raises(errors.NotAFunctionError, match="minimize: fun must be a function"):
        optim.minimize(3.0, 1.0)
    with pytest.raises(errors.ArgumentError, match="tol must be 0 or more"):
        optim.minimize(lambda x: x, 1.0, tol=-1.0)
    with pytest.raises(errors.JitgradError, match="scalar"):
        optim.minimize(lambda x: x, jnp.ones(2))


def test_a_stored_value_is_used_only_where_it_is_that_of_the_params():
    """A part after the search moves the params elsewhere than where the search computed value and gradient."""
    opt = optim.chain(optim.lbfgs(), optim.scale(0.5))
    found = optim.minimize(lambda x: jnp.sum(x**2), jnp.array([4.0]), opt, max_steps=1)
    assert_close(found.value, found.params[0] ** 2)


def test_a_search_needs_the_function_and_refuses_keywords_that_it_does_not_take():
    opt, x = optim.lbfgs(), jnp.ones(2)
    with pytest.raises(errors.ParametersError, match="needs the function and its value and gradient"):
        opt.update(x, opt.init(x), x)
    with pytest.raises(errors.ParametersError, match="value_fn does not take the keywords batch"):
        opt.update(x, opt.init(x), x, value=1.0, grad=x, value_fn=lambda x: jnp.sum(x**2), batch=3)
    updates, state = opt.update(x, opt.init(x), x, value=1.0, grad=x, value_fn=lambda x, power: jnp.sum(x**power) / 2, power=2)
    assert float(optim.apply_updates(x, updates)[0]) < 1.0
    with pytest.raises(errors.ArgumentError, match="the state has no value and gradient"):
        optim.value_and_grad_from_state(jnp.sum)(x, state=optim.adam(0.1).init(x))
    with pytest.raises(errors.ArgumentError, match="'keep' or 'one'"):
        optim.scale_by_zoom_linesearch(3, initial_guess_strategy="two")


def test_value_and_gradient_come_from_the_state_after_a_step():
    calls = []

    def f(x):
        calls.append(x)
        return jnp.sum((x - 3.0) ** 2)

    opt, x = optim.lbfgs(), jnp.array([1.0])
    state = opt.init(x)
    compute = optim.value_and_grad_from_state(f)
    value, gradient = compute(x, state=state)
    assert (float(value), float(gradient[0])) == (4.0, -4.0)
    updates, state = opt.update(gradient, state, x, value=value, grad=gradient, value_fn=f)
    x = optim.apply_updates(x, updates)
    assert_close(compute(x, state=state), (jnp.sum((x - 3.0) ** 2), 2 * (x - 3.0)))


# every optimizer

OPTIMIZERS = {
    "adadelta": optim.adadelta(), "adafactor": optim.adafactor(0.1), "adagrad": optim.adagrad(0.1), "adamax": optim.adamax(0.1),
    "adamaxw": optim.adamaxw(0.1), "amsgrad": optim.amsgrad(0.1), "lamb": optim.lamb(0.1), "lars": optim.lars(0.1),
    "lion": optim.lion(0.1), "muon": optim.muon(0.1), "nadam": optim.nadam(0.1), "nadamw": optim.nadamw(0.1),
    "radam": optim.radam(0.1), "rmsprop": optim.rmsprop(0.1, centered=True, momentum=0.9), "sgd": optim.sgd(0.1, 0.9),
}  # fmt: skip
every = pytest.mark.parametrize("name", OPTIMIZERS)


@every
def test_a_step_keeps_types_and_structures(name):
    opt = OPTIMIZERS[name]
    for dtype in ("float32", "float64"):
        params = tree.map(lambda p, d=dtype: p.astype(d), {**PARAMS, "m": jnp.ones((3, 2))})
        state = opt.init(params)
        updates, later = jit(opt.update)(params, state, params)
        assert tree.structure(later) == tree.structure(state) and tree.structure(updates) == tree.structure(params)
        assert [x.dtype for x in tree.leaves(later)] == [x.dtype for x in tree.leaves(state)]
        assert {str(x.dtype) for x in tree.leaves(updates)} == {dtype}
        assert_close(opt.update(params, state, params)[0], updates, rtol=1e-5, atol=1e-7)


@every
def test_a_gradient_of_0_gives_a_finite_step(name):
    opt = OPTIMIZERS[name]
    zero = tree.map(jnp.zeros_like, PARAMS)
    updates, state = opt.update(zero, opt.init(PARAMS), PARAMS)
    assert bool(optim.all_finite((updates, state))) and bool(optim.all_finite(opt.update(zero, state, zero)[0]))


@every
def test_gradients_of_another_shape_are_an_error_that_names_the_path_and_the_optimizer(name):
    opt = OPTIMIZERS[name]
    with pytest.raises(errors.TreeStructureError, match=rf"optim\.{name}: the gradients\['w'\] must have the shape \(2,\)"):
        opt.update({**ONES, "w": jnp.ones(3)}, opt.init(PARAMS), PARAMS)


@settings(max_examples=25)
@given(
    st.sampled_from(sorted(set(OPTIMIZERS) - {"lamb", "lars", "adafactor", "muon"})),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4),
)
def test_arrays_are_updated_apart_from_each_other(name, shapes):
    """Elementwise optimizers do to a tree what they do to each of its arrays, and to an array what they do to each element."""
    opt = OPTIMIZERS[name]
    rng = np.random.default_rng(len(shapes))
    params, *gradients = [[rng.normal(size=s).astype("float32") for s in shapes] for _ in range(3)]
    whole, *flat = [np.concatenate([np.ravel(x) for x in arrays]) for arrays in (params, *gradients)]
    together, alone = after(opt, gradients, params)[0][-1], after(opt, flat, whole)[0][-1]
    np.testing.assert_array_equal(np.concatenate([np.ravel(u) for u in together]), alone)


def test_steps_of_many_arrays_are_the_same_to_the_bit_alone_in_a_loop_and_on_several_threads(monkeypatch):
    sizes = [20000 + 7 * n for n in range(12)]
    opt = optim.adamw(0.1)

    def step(carry, _):
        params, state = carry
        gradients = [jnp.sin(p) for p in params]
        updates, state = opt.update(gradients, state, params)
        return (optim.apply_updates(params, updates), state), None

    params = [jnp.linspace(-1.0, 1.0, n) for n in sizes]
    start = (params, opt.init(params))
    monkeypatch.setattr(config, "num_threads", 4)
    looped = jit(lambda c: lax.scan(step, c, None, length=5)[0])(start)
    alone = start
    one = jit(lambda c: step(c, None)[0])
    for _ in range(5):
        alone = one(alone)
    donating = tree.map(jnp.copy, start)
    given_away = jit(lambda c: step(c, None)[0], donate_argnums=0)
    for _ in range(5):
        donating = given_away(donating)
    monkeypatch.setattr(config, "num_threads", 1)
    single = start
    for _ in range(5):
        single = one(single)
    for other in (alone, donating, single):
        for a, b in zip(tree.leaves(looped), tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)
