"""jitgrad.tree, tree_util and flatten_util, expected to do as jax: paths, registrations, transposition."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, lax, tree, tree_util, vmap
from jitgrad.flatten_util import ravel_pytree
from jitgrad.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey, keystr

Pair = namedtuple("Pair", "left right")


class Plain:
    def __init__(self, *parts):
        self.parts = parts


tree_util.register_pytree_node(Plain, lambda p: (p.parts, None), lambda _, parts: Plain(*parts))


@tree_util.register_pytree_with_keys_class
class Keyed:
    def __init__(self, w, name="a"):
        self.w, self.name = w, name

    def tree_flatten_with_keys(self):
        return ((GetAttrKey("w"), self.w),), self.name

    @classmethod
    def tree_unflatten(cls, name, children):
        return cls(*children, name)


@tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    w: object
    b: object = 0.0
    name: str = tree.static(default="layer")
    cached: int = dataclasses.field(default=0, init=False)


@tree_util.register_static
class Kind(str): ...


def made_from_fields():
    class Model:
        def __init__(self, a, size):
            self.a, self.size = a, size

    return tree_util.register_dataclass(Model, data_fields=["a"], meta_fields=["size"])


Model = made_from_fields()

PATHS = [
    ({"x": [1, (2,)]}, ["['x'][0]", "['x'][1][0]"], ["x/0", "x/1/0"]),
    (Pair(1, [2]), [".left", ".right[0]"], ["left", "right/0"]),
    (OrderedDict(b=1, a=2), ["['b']", "['a']"], ["b", "a"]),
    (defaultdict(int, b=1, a=2), ["['a']", "['b']"], ["a", "b"]),
    (Plain(1, {"k": 2}), ["[<flat index 0>]", "[<flat index 1>]['k']"], ["0", "1/k"]),
    (Keyed(1), [".w"], ["w"]),
    (Layer(1, [2]), [".w", ".b[0]"], ["w", "b/0"]),
    ([None, Kind("q"), 5], ["[2]"], ["2"]),
    (7, [""], [""]),
]


@pytest.mark.parametrize(("given", "texts", "simple"), PATHS)
def test_paths_name_what_leads_to_a_leaf(given, texts, simple):
    pairs = tree_util.tree_leaves_with_path(given)
    assert [keystr(path) for path, _ in pairs] == texts
    assert [keystr(path, simple=True, separator="/") for path, _ in pairs] == simple
    assert [x for _, x in pairs] == tree.leaves(given)
    again, treedef = tree.flatten_with_path(given)
    assert again == pairs
    assert treedef == tree.structure(given)
    assert tree.leaves(tree.map_with_path(lambda path, x, y: (keystr(path), x, y)[0], given, given)) == texts
    taken, structure = tree.flatten_with_path(given, is_leaf=lambda path, x: len(path) == 1, is_leaf_takes_path=True)
    assert all(len(path) <= 1 for path, _ in taken)
    assert tree.unflatten(structure, [x for _, x in taken]) is not None


def test_keys_are_values():
    assert DictKey("a") == DictKey("a") != DictKey("b")
    assert len({SequenceKey(0), SequenceKey(0), FlattenedIndexKey(0)}) == 2
    assert [repr(k) for k in (DictKey("a"), SequenceKey(1), GetAttrKey("w"), FlattenedIndexKey(2))] == [
        "DictKey(key='a')",
        "SequenceKey(idx=1)",
        "GetAttrKey(name='w')",
        "FlattenedIndexKey(key=2)",
    ]


CONTAINERS = {
    "node": (lambda a, b: Plain(a, b), lambda p: p.parts),
    "keyed": (lambda a, b: [Keyed(a), Keyed(b)], lambda p: (p[0].w, p[1].w)),
    "dataclass": (lambda a, b: Layer(a, b), lambda p: (p.w, p.b)),
    "class of fields": (lambda a, b: [Model(a, 3), Model(b, 4)], lambda p: (p[0].a, p[1].a)),
    "partial": (lambda a, b: tree_util.Partial(max, a, b=b), lambda p: (p.args[0], p.keywords["b"])),
    "static": (lambda a, b: (Kind("k"), a, b), lambda p: p[1:]),
    "named tuple": (lambda a, b: Pair(a, b), tuple),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_pass_through_every_transform(name):
    make, parts = CONTAINERS[name]
    x = make(jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]))

    def f(p):
        a, b = parts(p)
        return jnp.sum(a * a * b)

    def step(p, _):
        return tree.map(lambda v: v * 2, p), parts(p)[0]

    slopes = [np.array([6.0, 16.0]), np.array([1.0, 4.0])]
    for g in (grad(f), jit(grad(f)), grad(jit(f))):
        for found, slope in zip(parts(g(x)), slopes, strict=True):
            assert np.allclose(found, slope)
    assert np.allclose(parts(vmap(lambda p: tree.map(jnp.sin, p))(x))[1], np.sin([3.0, 4.0]))
    for run in (lambda h: h, jit):
        last, firsts = run(lambda p: lax.scan(step, p, None, 3))(x)
        assert type(last) is type(x)
        assert np.allclose(parts(last)[1], [24, 32])
        assert np.allclose(firsts, [[1, 2], [2, 4], [4, 8]])


def test_static_fields_are_kept_and_fields_that_are_not_made_from_are_left_out():
    out = jit(lambda p: tree.map(lambda v: v + 1, p))(Layer(1.0, 2.0, "first"))
    assert (float(out.w), float(out.b), out.name, out.cached) == (2, 3, "first", 0)
    assert tree.leaves(Model(1, 5)) == [1]


def test_registration_refuses_lists_that_are_not_the_fields():
    @dataclasses.dataclass
    class D:
        a: int
        b: int

    class E: ...

    for fields, message in [
        ({"data_fields": ["a"], "meta_fields": []}, "must be the fields a, b, got a"),
        ({"data_fields": ["a"]}, "give both"),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            tree_util.register_dataclass(D, **fields)
    with pytest.raises(errors.ArgumentError, match="it is no dataclass"):
        tree_util.register_dataclass(E)
    tree_util.register_dataclass(D, ["a"], [], drop_fields=["b"])
    assert tree.leaves(D(1, 2)) == [1]


@pytest.mark.parametrize(
    ("outer", "inner", "given", "expected"),
    [
        ([0, 0], None, [(1, 2), (3, 4)], ([1, 3], [2, 4])),
        ([0, 0], (0, 0), [(1, 2), (3, 4)], ([1, 3], [2, 4])),
        ({"a": 0, "b": 0}, [0], {"a": [1], "b": [2]}, [{"a": 1, "b": 2}]),
        (0, None, [1, 2], [1, 2]),
        ([0, 0], 0, [1, 2], [1, 2]),
    ],
)
def test_transpose_turns_a_tree_of_trees_inside_out(outer, inner, given, expected):
    inside = None if inner is None else tree.structure(inner)
    assert tree.transpose(tree.structure(outer), inside, given) == expected
    assert tree_util.tree_transpose(tree.structure(outer), inside, given) == expected


def test_the_other_functions_give_what_those_of_jax_give():
    assert tree_util.tree_reduce_associative(lambda a, b: a + b, [1, 2, 3]) == 6
    assert tree_util.tree_reduce_associative(lambda a, b: a + b, [], identity=0) == 0
    assert tree_util.tree_reduce(lambda a, b: a + b, {"a": 1, "b": 2}, 10) == 13
    assert tree_util.tree_reduce(lambda a, b: a + [b], [1, 2], []) == [1, 2]
    for empty in (tree.reduce, tree.reduce_associative):
        with pytest.raises(TypeError, match="no leaves"):
            empty(lambda a, b: a, [])
    assert tree_util.tree_all([]) and not tree_util.tree_all([1, 0])
    assert tree_util.tree_all([(), 1], is_leaf=lambda x: x == ()) is False
    assert tree_util.all_leaves([1, 2]) and not tree_util.all_leaves([1, [2]])
    assert tree_util.tree_broadcast([1, 2], [[0, 0], 0]) == [[1, 1], 2]
    with pytest.raises(errors.TreeStructureError, match="prefix"):
        tree.broadcast([1, 2], [0])
    one = tree.structure([1, [2]])
    assert tree_util.treedef_children(one) == [tree.structure(1), tree.structure([1])]
    assert tree_util.treedef_tuple([tree.structure(1), tree.structure([Plain(1)])]) == tree.structure((1, [Plain(1)]))
    assert tree_util.treedef_is_leaf(tree.structure(1)) and not tree_util.treedef_is_leaf(one)
    assert tree_util.flatten_one_level([1, [2]])[0] == [1, [2]]
    assert tree_util.flatten_one_level_with_keys({"b": 1, "a": 2})[0] == [(DictKey("a"), 2), (DictKey("b"), 1)]
    with pytest.raises(ValueError):
        tree_util.flatten_one_level(3)
    assert tree_util.default_registry.flatten_one_level(3) is None
    assert tree_util.default_registry.flatten_one_level((1, [2]))[0] == [1, [2]]
    assert tree_util.default_registry.flatten([1, 2])[0] == [1, 2]
    assert tree_util.is_tree_node(dict) and tree_util.is_tree_node(Layer) and not tree_util.is_tree_node(int)


def test_ravel_pytree_joins_leaves_and_its_inverse_gives_shapes_and_types_back():
    given = {"a": jnp.arange(2), "b": Pair(jnp.ones((2, 2)), 1.5)}
    flat, unravel = ravel_pytree(given)
    assert flat.dtype == np.float32
    assert np.array_equal(flat, [0, 1, 1, 1, 1, 1, 1.5])
    back = unravel(flat)
    assert back["a"].dtype == given["a"].dtype
    assert isinstance(back["b"], Pair) and back["b"].left.shape == (2, 2)
    assert np.allclose(jit(grad(lambda v: unravel(v)["b"].left.sum() * v[6]))(flat), [0, 0, 1.5, 1.5, 1.5, 1.5, 4])
    assert vmap(unravel)(jnp.ones((3, 7)))["b"].left.shape == (3, 2, 2)
    assert ravel_pytree([])[0].shape == (0,)
    assert ravel_pytree([])[1](jnp.zeros(0)) == []
    with pytest.raises(errors.ShapeError, match=r"shape \(7,\), got \(3,\)"):
        unravel(jnp.ones(3))


def test_all_of_it_is_there_under_its_names():
    assert set(tree_util.__all__) <= set(dir(tree_util))
    assert jitgrad.tree_util is tree_util
