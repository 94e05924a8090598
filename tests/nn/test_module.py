"""What a module is: a pytree of what is assigned to it, made again without `__init__`; and errors that teach."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import NamedTuple

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, random, tree, vmap

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


class Scale(nn.Module):
    def __init__(self, size, power=1.0):
        self.power, self.factor = power, jnp.arange(1.0, size + 1)

    def __call__(self, x):
        return x**self.power * self.factor


class Net(nn.Module):
    def __init__(self, key):
        first, second = random.split(key)
        self.layers = [nn.Linear(3, 4, key=first), jnp.tanh, {"out": nn.Linear(4, 2, key=second)}]
        self.name, self.sizes, self.none = "net", [3, 4, 2], None

    def forward(self, x):
        first, activation, rest = self.layers
        return rest["out"](activation(first(x)))


def net():
    return Net(random.key(0))


def paths(x):
    return [tree.path_text(path) for path, _ in tree.leaves_with_path(x)]


def test_leaves_are_the_arrays_and_paths_name_attributes():
    assert paths(net()) == [".layers[0].weight", ".layers[0].bias", ".layers[2]['out'].weight", ".layers[2]['out'].bias"]
    assert paths(Scale(2)) == [".factor"]


def test_unflatten_makes_it_again_without_its_constructor():
    model = net()
    leaves, structure = tree.flatten(model)
    again = tree.unflatten(structure, leaves)
    assert type(again) is Net
    assert again.layers[1] is jnp.tanh
    assert (again.name, again.sizes, again.none) == ("net", [3, 4, 2], None)
    np.testing.assert_array_equal(again(jnp.ones(3)), model(jnp.ones(3)))
    odd = tree.map(lambda x: x.shape, model)
    assert odd.layers[0].weight == (3, 4)
    assert tree.unflatten(structure, [None] * 4).layers[0].bias is None


@both
def test_jit_and_grad_take_and_give_modules(mode):
    gradient = mode(grad(lambda m, x: jnp.sum(m(x))))(Scale(3), jnp.array([1.0, 2.0, 3.0]))
    assert type(gradient) is Scale
    np.testing.assert_array_equal(gradient.factor, [1.0, 2.0, 3.0])
    assert tree.structure(mode(lambda m: tree.map(lambda x: x + 1, m))(net())) == tree.structure(net())


def test_static_attributes_tell_programs_apart():
    calls = []

    @jit
    def f(m, x):
        calls.append(m.power)
        return m(x)

    for power in (1.0, 2.0, 1.0, 2):
        np.testing.assert_array_equal(f(Scale(2, power), jnp.array([3.0, 3.0])), 3.0**power * np.array([1.0, 2.0]))
    assert calls == [1.0, 2.0, 2]


def test_modules_made_alike_have_one_structure():
    assert tree.structure(net()) == tree.structure(Net(random.key(1)))
    assert hash(tree.structure(net())) == hash(tree.structure(Net(random.key(1))))
    assert tree.structure(Scale(2)) != tree.structure(Scale(2, 3.0))


def test_lists_among_static_attributes_belong_to_one_module():
    first, second = net(), net()
    tree.flatten(first), tree.flatten(second)
    first.sizes.append(5)
    assert tree.structure(first) != tree.structure(second)
    made = tree.map(lambda x: x, first)
    made.sizes.append(6)
    assert (first.sizes, second.sizes, tree.map(lambda x: x, first).sizes) == ([3, 4, 2, 5], [3, 4, 2], [3, 4, 2, 5])


def test_a_list_that_gets_its_first_layer_later_is_a_child():
    class Stack(nn.Module):
        def __init__(self):
            self.layers = []

    stack = Stack()
    assert paths(stack) == []
    stack.layers.append(Scale(2))
    assert paths(stack) == [".layers[0].factor"]


def test_attributes_assigned_later_become_children_or_static():
    model = Scale(2)
    tree.flatten(model)
    model.extra = jnp.ones(1)
    assert paths(model) == [".factor", ".extra"]
    model.factor = 2.0
    assert paths(model) == [".extra"]
    del model.extra
    assert paths(model) == []
    assert jit(lambda m, x: m(x))(model, 3.0) == 6.0


def test_leaves_that_are_no_arrays_stay_leaves_when_others_are_assigned():
    axes = tree.map(lambda _: 0, nn.Linear(2, 3, key=random.key(0)))
    axes.bias = None
    stacked = nn.Linear(2, 3, key=random.key(0))
    stacked.weight = jnp.ones((5, 2, 3))
    assert vmap(lambda m, x: m(x), (axes, None))(stacked, jnp.ones(2)).shape == (5, 3)


def test_containers_of_every_kind_hold_children():
    class Pair(NamedTuple):
        one: object
        two: object

    class Holder(nn.Module):
        def __init__(self):
            self.pair = Pair(Scale(2), "text")
            self.nested = {"a": (Scale(1), [jnp.cos, {"b": jnp.ones(2)}]), "plain": 3}
            self.key = random.key(0)
            self.register_buffer("many", [jnp.zeros(1), jnp.ones(1)])

    model = Holder()
    assert paths(model) == [
        ".pair.one.factor", ".nested['a'][0].factor", ".nested['a'][1][1]['b']", ".key[<flat index 0>]", ".many[0]", ".many[1]",
    ]  # fmt: skip
    made = jit(lambda m: m)(model)
    assert made.pair.two == "text"
    assert made.nested["plain"] == 3
    assert made.nested["a"][1][0] is jnp.cos
    assert tree.structure(made) == tree.structure(model)


def test_vmap_over_keys_makes_an_ensemble():
    models = vmap(Net)(random.split(random.key(0), 5))
    assert models.layers[0].weight.shape == (5, 3, 4)
    assert vmap(lambda m, x: m(x), (0, None))(models, jnp.ones((7, 3))).shape == (5, 7, 2)


def test_calling_the_base_constructor_is_harmless_and_classes_inherit():
    class Child(Scale):
        def __init__(self):
            super().__init__(2)
            nn.Module.__init__(self)
            self.shift = jnp.ones(2)

        def __call__(self, x):
            return super().__call__(x) + self.shift

    np.testing.assert_array_equal(Child()(jnp.ones(2)), [2.0, 3.0])
    assert paths(Child()) == [".factor", ".shift"]


def test_a_cached_property_is_computed_again():
    class Cached(nn.Module):
        def __init__(self):
            self.w = jnp.ones(2)

        @functools.cached_property
        def double(self):
            return self.w * 2

    model = Cached()
    assert model.double.shape == (2,)
    assert paths(model) == [".w"]
    np.testing.assert_array_equal(tree.map(lambda x: x * 3, model).double, [6.0, 6.0])


def test_copies_and_pickles_are_equal():
    model = nn.freeze(nn.Linear(2, 3, key=random.key(0)), "bias")
    for other in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert tree.structure(other) == tree.structure(model)
        np.testing.assert_array_equal(other.weight, model.weight)


def test_it_prints_as_an_indented_tree():
    model = nn.Sequential(nn.Linear(3, 4, key=random.key(0)), jnp.tanh, nn.Sequential(Scale(2), nn.ReLU()))
    assert repr(model) == (
        "Sequential(\n"
        "  (layers): tuple(\n"
        "    (0): Linear(in_features=3, out_features=4, bias=True)\n"
        "    (1): tanh\n"
        "    (2): Sequential(\n"
        "      (layers): tuple(\n"
        "        (0): Scale(power=1.0, factor=float32[2])\n"
        "        (1): ReLU()\n"
        "      )\n"
        "    )\n"
        "  )\n"
        ")"
    )
    assert "frozen: weight" in repr(nn.freeze(nn.Linear(1, 1), "weight"))


def test_one_module_or_parameter_in_two_places_is_refused():
    class Modules(nn.Module):
        def __init__(self):
            self.first = nn.Linear(2, 2)
            self.second = [self.first]

    class Arrays(nn.Module):
        def __init__(self):
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.second.weight = self.first.weight

    class Itself(nn.Module):
        def __init__(self):
            self.inner = [self]

    with pytest.raises(errors.ArgumentError, match=r"Modules: first and second\[0\] are one Linear"):
        Modules()
    with pytest.raises(errors.ArgumentError, match=r"first.weight and second.weight are one array"):
        Arrays()
    with pytest.raises(errors.ArgumentError, match=r"inner\[0\] is the module itself"):
        Itself()
    layer = nn.Linear(2, 2)
    with pytest.raises(errors.ArgumentError, match=r"layers\[0\] and layers\[1\] are one Linear"):
        nn.Sequential(layer, layer)
    shared = nn.ReLU()
    nn.Sequential(shared, shared)  # nothing is trained
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    with pytest.raises(errors.ArgumentError, match="are one array"):
        tree.flatten(model)


def test_a_method_of_a_module_is_no_attribute():
    class Holder(nn.Module):
        def __init__(self):
            self.call = nn.Linear(2, 2).__call__

    with pytest.raises(errors.ArgumentError, match="Keep the module, and call module.__call__"):
        tree.flatten(Holder())


def test_a_module_without_a_call_says_what_to_define():
    class Silent(nn.Module):
        pass

    with pytest.raises(errors.ArgumentError, match="Silent has no method __call__ or forward"):
        Silent()(1.0)


@pytest.mark.parametrize(("name", "advice"), [
    ("layer", "Did you mean 'layers'"), ("state_dict", "tree.leaves"), ("zero_grad", "results of jitgrad.grad"),
    ("train", r"nn.apply\(module, x, train=True"), ("zzz", "It has layers, name, sizes, none"),
])  # fmt: skip
def test_an_attribute_that_is_not_there_is_explained(name, advice):
    model = net()
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=advice):
        getattr(model, name)


def test_a_wrong_input_names_the_layers_path():
    with pytest.raises(
        errors.ShapeError, match=r"Net.layers\[2\]\['out'\] \(Linear\): the input must be \[..., 4\].*got float32\[5, 3\]"
    ):
        model = net()
        model.layers[1] = lambda x: x[:, :3]
        model(jnp.ones((5, 3)))
    with pytest.raises(errors.ShapeError, match=r"^Linear: the input must be"):
        nn.Linear(2, 3)(jnp.ones(4))


def test_other_errors_in_a_call_get_the_path_as_a_note():
    class Outer(nn.Module):
        def __init__(self):
            self.inner = {"a": Scale(3)}

        def __call__(self, x):
            return self.inner["a"](x)

    with pytest.raises(errors.ShapeError) as caught:
        Outer()(jnp.ones(2))
    assert caught.value.__notes__ == ["in the call of Outer.inner['a'] (Scale)"]


def test_a_path_goes_through_modules_that_a_transform_made():
    class Stack(nn.Module):
        def __init__(self):
            self.layers = vmap(lambda k: nn.Sequential(nn.Linear(2, 2, key=k)))(random.split(random.key(0), 3))

        def __call__(self, x):
            return jitgrad.lax.scan(lambda x, layer: (layer(x), None), x, self.layers)[0]

    assert Stack()(jnp.ones(2)).shape == (2,)
    with pytest.raises(errors.ShapeError, match=r"Stack.<Sequential>.layers\[0\] \(Linear\)"):
        Stack()(jnp.ones(3))


def test_keys_come_from_the_generator_that_seed_sets():
    random.seed(3)
    first, second = nn.Linear(2, 3), nn.Linear(2, 3)
    random.seed(3)
    again = nn.Linear(2, 3)
    np.testing.assert_array_equal(first.weight, again.weight)
    assert (first.weight != second.weight).any()
    random.seed(None)
    assert (nn.Linear(2, 3).weight != again.weight).any()
    with pytest.raises(errors.ArgumentError, match="nn.Linear: the generator that random.seed sets can't be used inside jit"):
        jit(lambda: nn.Linear(2, 3).weight)()
    with pytest.raises(errors.ArgumentError, match="random.seed"):
        jit(lambda: random.seed(0))()
