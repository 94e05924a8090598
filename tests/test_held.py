"""Held parts of pytrees: derivatives leave them out, optimizers keep them as they are, everything else takes them for leaves."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, hessian, jacfwd, jacrev, jit, jvp, linearize, optim, tree, value_and_grad, vjp, vmap
from jitgrad.held import Held, trainable

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


def params():
    return {
        "w": jnp.array([1.0, 2.0]),
        "held": Held({"mean": jnp.array([3.0, 5.0]), "count": jnp.array(4)}),
        "last": [jnp.array(2.0)],
    }


def loss(p):
    return jnp.sum(p["w"] * p["held"].value["mean"]) * p["last"][0] + p["held"].value["count"]


@both
def test_a_gradient_leaves_out_what_its_argument_holds(mode):
    value, gradient = mode(value_and_grad(loss))(params())
    assert float(value) == 30.0
    assert tree.structure(gradient) == tree.structure(trainable(params())) != tree.structure(params())
    np.testing.assert_array_equal(gradient["w"], [6.0, 10.0])
    np.testing.assert_array_equal(gradient["last"][0], 13.0)
    assert gradient["held"].value is None


@both
def test_several_arguments_and_second_derivatives_leave_it_out_too(mode):
    first, second = mode(grad(lambda p, q: loss(p) * loss(q), (0, 1)))(params(), params())
    np.testing.assert_array_equal(first["w"], second["w"])
    np.testing.assert_array_equal(grad(lambda p: jnp.sum(grad(loss)(p)["w"]))(params())["last"][0], 8.0)


@pytest.mark.parametrize("jacobian", [jacfwd, jacrev, hessian])
def test_jacobians_leave_it_out(jacobian):
    found = jacobian(loss)(params())
    assert found["held"].value is None
    assert found["last"][0] is not None


def test_vjp_jvp_and_linearize_take_held_leaves_for_ordinary_ones():
    p = {"w": jnp.array([1.0, 2.0]), "held": Held(jnp.array([3.0, 5.0]))}

    def f(p):
        return jnp.sum(p["w"] * p["held"].value)

    (cotangent,) = vjp(f, p)[1](1.0)
    np.testing.assert_array_equal(cotangent["held"].value, [1.0, 2.0])
    assert float(jvp(f, (p,), (p,))[1]) == 26.0
    assert float(linearize(f, p)[1](p)) == 26.0


def test_the_error_about_an_integer_leaf_names_its_path_beside_held_ones():
    with pytest.raises(errors.NonDifferentiableError, match=r"argument 0\['x'\]\[1\] must be of a float"):
        grad(lambda p: 0.0)({"a": Held(jnp.arange(2)), "x": [1.0, 2]})


def test_paths_do_not_show_it():
    assert [tree.path_text(path) for path, _ in tree.leaves_with_path({"a": Held([1, 2])})] == ["['a'][0]", "['a'][1]"]
    taken = tree.leaves_with_path({"a": Held([1, 2])}, lambda path, x: False, is_leaf_takes_path=True)
    assert [tree.path_text(path) for path, _ in taken] == ["['a'][0]", "['a'][1]"]


def test_tree_map_and_vmap_take_it_for_a_container():
    doubled = tree.map(lambda x: x * 2, params())
    np.testing.assert_array_equal(doubled["held"].value["mean"], [6.0, 10.0])
    rows = vmap(lambda p: p["held"].value * p["w"])({"w": jnp.arange(3.0), "held": Held(jnp.arange(3.0))})
    np.testing.assert_array_equal(rows, [0.0, 1.0, 4.0])


def test_trainable_gives_a_tree_that_holds_nothing_back():
    p = {"w": jnp.ones(2)}
    assert trainable(p) is p
    assert trainable(None) is None
    assert trainable(trainable(params())).keys() == params().keys()


OPTIMIZERS = {
    "sgd": optim.sgd(0.1), "momentum": optim.sgd(0.1, 0.9), "adam": optim.adam(0.1), "decay": optim.adamw(0.1, weight_decay=0.5),
    "clipped": optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(0.1)),
}  # fmt: skip


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_keeps_held_leaves_bit_for_bit_and_no_state_for_them(name, mode):
    opt, p = OPTIMIZERS[name], params()
    state = opt.init(p)
    assert not [path for path, _ in tree.leaves_with_path(state) if "held" in tree.path_text(path)]

    @mode
    def step(p, state):
        updates, state = opt.update(grad(loss)(p), state, p)
        return optim.apply_updates(p, updates), state

    moved, again = step(*step(p, state))
    assert tree.structure(moved) == tree.structure(p)
    assert tree.structure(again) == tree.structure(state)
    np.testing.assert_array_equal(moved["held"].value["mean"], p["held"].value["mean"])
    np.testing.assert_array_equal(moved["held"].value["count"], 4)
    assert (moved["w"] != p["w"]).all()


def test_cotangents_of_held_leaves_are_no_updates():
    p = {"w": jnp.array(1.0), "held": Held(jnp.array(2.0))}
    (cotangent,) = vjp(lambda p: p["w"] * p["held"].value, p)[1](1.0)
    opt = optim.sgd(0.5)
    updates, _ = opt.update(cotangent, opt.init(p), p)
    assert float(optim.apply_updates(p, cotangent)["held"].value) == 2.0
    assert float(optim.apply_updates(p, updates)["w"]) == 0.0


def test_updates_of_another_structure_are_named_beside_held_leaves():
    with pytest.raises(errors.TreeStructureError, match=r"missing: \['w'\]"):
        optim.apply_updates(params(), {"held": Held(None), "last": [jnp.array(0.0)]})
