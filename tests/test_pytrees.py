"""Containers of arrays through every transform: registered classes, named tuples, None leaves."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import NamedTuple

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import Array, grad, jacfwd, jit, jvp, tree, value_and_grad, vmap
from jitgrad.testing import assert_close

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


class Layer(NamedTuple):
    w: object
    b: object


@tree.register_pytree_node_class
class Linear:
    """A model as users write one: arrays are children, the activation's name is not."""

    def __init__(self, w, b, activation="tanh"):
        self.w, self.b, self.activation = w, b, activation

    def __call__(self, x):
        return getattr(jnp, self.activation)(x @ self.w + self.b)

    def tree_flatten(self):
        return (self.w, self.b), self.activation

    @classmethod
    def tree_unflatten(cls, activation, children):
        return cls(*children, activation)


class Box:
    def __init__(self, content):
        self.content = content


tree.register_pytree_node(Box, lambda box: ((box.content,), None), lambda _, children: Box(*children))

W, B, X = np.arange(6.0).reshape(3, 2) / 6, np.array([0.1, -0.2]), np.array([0.3, -0.5, 0.7])


@both
def test_a_registered_class_is_differentiated_and_returned_as_itself(mode):
    model = Linear(W, B)
    gradient = mode(grad(lambda m: jnp.sum(m(X))))(model)
    slope = 1 - np.tanh(X @ W + B) ** 2
    assert isinstance(gradient, Linear)
    assert gradient.activation == "tanh"
    assert_close(gradient.w, np.outer(X, slope), 1e-12)
    assert_close(gradient.b, slope, 1e-12)


def test_auxiliary_data_of_a_class_is_part_of_the_signature():
    f = jit(lambda m: m(X))
    assert_close(f(Linear(W, B)), np.tanh(X @ W + B), 1e-12)
    assert_close(f(Linear(W, B, "sin")), np.sin(X @ W + B), 1e-12)


@both
def test_named_tuples_keep_their_class(mode):
    gradient = mode(grad(lambda p: jnp.sum(X @ p.w) + jnp.sum(p.b**2)))(Layer(W, B))
    assert isinstance(gradient, Layer)
    assert_close(gradient.b, 2 * B, 1e-12)
    made = mode(lambda p: Layer(p.b, p.w))(Layer(W, B))
    assert isinstance(made, Layer)
    assert_close(made.w, B)


@both
def test_none_is_an_empty_container(mode):
    gradient = mode(grad(lambda p: jnp.sum(p["w"] ** 2) if p["b"] is None else None))({"w": W, "b": None})
    assert gradient["b"] is None
    assert_close(gradient["w"], 2 * W)
    assert mode(lambda x: (None, x, [None, {}]))(1.0)[0] is None


@both
def test_nested_registered_classes_travel_through_vmap_and_jvp(mode):
    def f(box):
        return Box({"y": box.content[0] * box.content[1]})

    batch = Box([np.arange(3.0), np.arange(3.0) + 1])
    assert_close(mode(vmap(f))(batch).content["y"], np.arange(3.0) * (np.arange(3.0) + 1))
    _, moved = mode(lambda b, t: jvp(f, (b,), (t,)))(batch, Box([np.ones(3), np.zeros(3)]))
    assert_close(moved.content["y"], np.arange(3.0) + 1)


@both
def test_the_jacobian_of_a_class_holds_its_class(mode):
    jacobian = mode(jacfwd(lambda m: {"out": m(X)}))(Linear(W, B))
    assert isinstance(jacobian["out"], Linear)
    assert jacobian["out"].w.shape == (2, 3, 2)


DICTS = {
    "dict": dict,
    "OrderedDict": OrderedDict,
    "defaultdict": lambda pairs: defaultdict(list, pairs),
}


@pytest.mark.parametrize("kind", DICTS)
@both
def test_dicts_come_out_in_the_order_in_which_they_were_made(mode, kind):
    same = mode(lambda d: tree.map(lambda x: x * 2, d))
    for pairs in ([("b", 1.0), ("a", 3.0), ("c", 2.0)], [("a", 3.0), ("c", 2.0), ("b", 1.0)]):
        given = DICTS[kind](pairs)
        found = same(given)
        assert type(found) is type(given)
        assert {k: float(v) for k, v in found.items()} == {k: v * 2 for k, v in pairs}
        assert list(found) == list(given)
        gradient = mode(grad(lambda d: d["a"] * 2 + d["b"]))(given)
        assert list(gradient) == list(given)
        assert float(gradient["a"]) == 2
    made = mode(lambda x: {"z": x, "a": {"q": x + 1, "b": [x + 2]}, 3: x + 3})(jnp.array(1.0))
    assert list(made) == ["z", "a", 3]
    assert list(made["a"]) == ["q", "b"]
    assert (float(made["z"]), float(made["a"]["q"]), float(made["a"]["b"][0]), float(made[3])) == (1, 2, 3, 4)


def test_ordered_and_default_dicts_and_namedtuples_of_the_standard_library_are_containers():
    Pair = namedtuple("Pair", "left right")
    f = jit(lambda p: jnp.sum(p["v"].left) * p["v"].right)
    assert float(f(OrderedDict(v=Pair(np.ones(2), 3.0)))) == 6
    assert float(f(defaultdict(list, v=Pair(np.ones(2), 2.0)))) == 4


def test_containers_of_equal_leaves_but_other_kinds_are_other_programs():
    f = jit(lambda p: p[0] - p[1] if isinstance(p, list) else p[0] + p[1])
    assert float(f([3.0, 1.0])) == 2
    assert float(f((3.0, 1.0))) == 4


def test_a_class_of_dicts_of_lists_survives_jit_of_value_and_grad():
    params = Box({"layers": [Layer(W, B), Layer(W.T, X)]})

    def loss(p, x):
        for layer in p.content["layers"]:
            x = jnp.tanh(x @ layer.w + layer.b)
        return jnp.sum(x)

    value, gradient = jit(value_and_grad(loss))(params, X)
    eager_value, eager_gradient = value_and_grad(loss)(params, X)
    assert_close(value, eager_value, 1e-12)
    assert_close(gradient, eager_gradient, 1e-12)
    assert isinstance(gradient.content["layers"][1], Layer)
    assert isinstance(tree.leaves(gradient)[0], Array)


class Checked:
    """A container that is made of arrays alone, as its constructor says."""

    def __init__(self, w):
        assert isinstance(w, Array) and w.shape == (3, 2), w
        self.w, self.total = w, w.sum()


tree.register_pytree_node(Checked, lambda c: ((c.w,), None), lambda _, children: Checked(*children))


@both
def test_containers_are_made_of_results_alone(mode):
    made = mode(lambda w: [{"b": Checked(w * 2), "a": deque([w.sum()], maxlen=3)}, defaultdict(list, z=w, a=w)])(jnp.asarray(W))
    assert_close(made[0]["b"].w, W * 2)
    assert made[0]["a"].maxlen == 3
    assert made[1].default_factory is list
    assert (list(made[0]), list(made[1])) == (["b", "a"], ["z", "a"])
    inner = jit(lambda c: c.w.sum())
    for given in (Checked(jnp.asarray(W)), Checked(jnp.asarray(W * 2))):
        assert_close(mode(lambda c: inner(c) + 1)(given), np.sum(given.w) + 1)
        assert_close(mode(grad(inner))(given).w, np.ones((3, 2)))
