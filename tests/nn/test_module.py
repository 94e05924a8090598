"""What a module is: a pytree of what is assigned to it, made again without `__init__`; and errors that teach."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import NamedTuple

import numpy as np
import pytest

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


def test_leaves_among_static_items_may_be_anything_and_items_may_change():
    class Holder(nn.Module):
        def __init__(self):
            self.items = [jnp.ones(2), jnp.tanh, (jnp.zeros(3), {"a": 1})]

    model = Holder()
    shapes = tree.map(lambda x: x.shape, model)
    assert tree.structure(tree.map(lambda x: 0, shapes, is_leaf=lambda x: x in ((2,), (3,)))) == tree.structure(model)
    assert tree.structure(tree.map(lambda x: None, model)) != tree.structure(model)
    assert vmap(lambda m: m)(tree.map(lambda x: jnp.stack([x, x]), model)).items[2][0].shape == (2, 3)
    model.items[1] = Scale(2)
    model.items.append(jnp.ones(1))
    assert paths(model) == [".items[0]", ".items[1].factor", ".items[2][0]", ".items[3]"]


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


LAYER = nn.Linear(2, 2, key=random.key(0))


def closing_over(layer):
    return lambda x: layer(x)


HIDING = {
    "method": LAYER.__call__, "closure": closing_over(LAYER), "partial": functools.partial(closing_over, LAYER),
    "jit of a closure": jit(closing_over(LAYER)), "jit": jit(LAYER), "vmap": vmap(LAYER),
    "closures": closing_over(closing_over(LAYER)), "grad": grad(closing_over(LAYER)),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDING)
def test_a_function_that_hides_a_modules_arrays_is_no_attribute(name):
    class Holder(nn.Module):
        def __init__(self):
            self.call = [HIDING[name], jnp.ones(2)]

    with pytest.raises(errors.ArgumentError, match="because it has a Linear inside, whose arrays would be no leaves"):
        tree.flatten(Holder())


def test_functions_of_modules_without_arrays_and_of_arrays_are_static():
    x = jnp.ones(2)
    model = nn.Sequential(closing_over(nn.ReLU()), nn.Lambda(lambda y: y + x), jit(jnp.tanh))
    np.testing.assert_allclose(model(jnp.array([-1.0, 1.0])), np.tanh([1.0, 2.0]), rtol=1e-6)
    assert paths(model) == []


def test_a_jitted_module_is_an_argument_like_any_other():
    traced = []

    class Traced(Scale):
        def __call__(self, x, times=1):
            traced.append(times)
            return super().__call__(x) * times

        def double(self, x):
            traced.append("double")
            return self.factor * 2 + x

    model, x = Traced(2), jnp.ones(2)
    f = jit(model, static_argnums=1)
    np.testing.assert_array_equal(f(x, 3), [3.0, 6.0])
    model.factor = jnp.array([5.0, 5.0])
    np.testing.assert_array_equal(f(x, 3), [15.0, 15.0])
    np.testing.assert_array_equal(jit(Traced(2), static_argnums=1)(x, 3), [3.0, 6.0])
    assert traced == [3]
    np.testing.assert_array_equal(jit(model.double)(x), [11.0, 11.0])
    np.testing.assert_array_equal(grad(lambda m: jnp.sum(jit(m)(x)))(model).factor, [1.0, 1.0])


def test_an_overridden_forward_is_called_by_an_inherited_call():
    class Template(nn.Module):
        def __call__(self, x):
            return self.forward(x) + 1

    class Child(Template):
        def forward(self, x):
            return 2 * x

    class Base(nn.Module):
        def forward(self, x):
            return x

    class Other(Base):
        def forward(self, x):
            return super().forward(x) * 3

    assert (Child()(1.0), Other()(2.0)) == (3.0, 6.0)


def test_an_integer_leaf_says_how_it_becomes_a_buffer():
    class Counter(nn.Module):
        def __init__(self):
            self.count = jnp.array(0)

    with pytest.raises(errors.NonDifferentiableError, match=r"argument 0.count must be.*self.register_buffer\(name, value\)"):
        grad(lambda m: 0.0)(Counter())


def test_a_map_over_a_module_and_its_gradient_says_what_is_held():
    layer = nn.BatchNorm(2)
    gradient = grad(lambda m: jnp.sum(m(jnp.ones((3, 2)))))(layer)
    with pytest.raises(TypeError) as caught:
        tree.map(lambda p, g: p - 0.1 * g, layer, gradient)
    assert "jitgrad.optim.apply_updates" in caught.value.__notes__[0]


@pytest.mark.parametrize("junk", ["abc", object(), {"a": "b"}, [print]])
def test_parameters_of_what_is_no_module_or_array_are_not_counted(junk):
    with pytest.raises(errors.NotAnArrayError, match="parameter_count"):
        nn.parameter_count(junk)
    assert nn.parameter_count({"w": jnp.ones(3), "none": None}) == 3
