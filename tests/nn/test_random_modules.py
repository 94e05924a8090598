"""Modules of random attributes, buffers and nested containers: every way through pytrees gives them back as they were."""

from __future__ import annotations

import copy
import pickle
import random
from collections import OrderedDict, deque
from typing import NamedTuple

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import jit, nn, tree, vmap


class Pair(NamedTuple):
    one: object
    two: object


class Free(nn.Module):
    def __init__(self, attributes, buffers):
        for name, value in attributes.items():
            setattr(self, name, value)
        for name, value in buffers.items():
            self.register_buffer(name, value)


SIMPLE = [
    lambda r: jnp.asarray(np.random.RandomState(r.randint(0, 99)).rand(r.randint(0, 3))), lambda r: np.ones(2) * r.random(),
    lambda r: r.choice([1, 2.5, True, -0.0, "x", None, jnp.tanh, np.float32(2), {1, 2}]),
]  # fmt: skip
NESTED = [
    lambda r, d: [value(r, d) for _ in range(r.randint(0, 3))], lambda r, d: tuple(value(r, d) for _ in range(r.randint(0, 3))),
    lambda r, d: {name: value(r, d) for name in "ba"[: r.randint(0, 2)]}, lambda r, d: Pair(value(r, d), value(r, d)),
    lambda r, d: module(r, d), lambda r, d: jitgrad.random.key(r.randint(0, 9)), lambda r, d: OrderedDict(a=value(r, 0)),
    lambda r, d: deque([value(r, 0)]),
]  # fmt: skip


def value(r, depth):
    make = r.choice([*SIMPLE, *(NESTED if depth else [])])
    return make(r) if make in SIMPLE else make(r, depth - 1)


def module(r, depth):
    buffers = {name: r.choice([jnp.ones(2), 0, None]) for name in "uv"[: r.randint(0, 2)]}
    return Free({name: value(r, depth) for name in "pqrs"[: r.randint(0, 4)]}, buffers)


def assert_same(got, wanted):
    (ours, structure), (theirs, expected) = tree.flatten(got), tree.flatten(wanted)
    assert structure == expected
    assert hash(structure) == hash(expected)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("seed", range(60))
def test_a_module_is_what_it_was(seed):
    model = module(random.Random(seed), 3)
    for other in (
        tree.map(lambda x: x, model),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        nn.unfreeze(nn.freeze(model)),
    ):
        assert_same(other, model)
    paths = [tree.path_text(path) for path, _ in tree.leaves_with_path(model)]
    assert len(set(paths)) == len(paths)
    assert nn.parameter_count(nn.freeze(model)) == nn.parameter_count(model)
    assert nn.parameter_count(nn.freeze(model), trainable=True) == 0
    leaves = tree.leaves(model)
    if leaves and all(hasattr(x, "dtype") for x in leaves):  # registered containers may have others
        identity = jit(lambda m: m)
        assert_same(identity(identity(model)), model)
        rows = tree.map(lambda x: jnp.stack([jnp.asarray(x)] * 2), model)
        assert_same(vmap(lambda m: m)(rows), rows)
