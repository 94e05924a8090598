"""What tells programs apart: static values by type and sign, metadata of containers; and which `jit`s share programs."""

from __future__ import annotations

import dataclasses
import enum
import functools
import gc
import inspect
import pickle
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import grad, jit, tree_util

NAN = float("nan")


class Point(NamedTuple):
    x: object
    y: object


@dataclasses.dataclass(frozen=True)
class Options:
    scale: object
    name: str = "a"
    notes: object = dataclasses.field(default=None, compare=False)


class Colour(enum.IntEnum):
    RED = 1


DIFFERENT = {
    "sign of zero": (0.0, -0.0),
    "signs in a complex": (0j, complex(0.0, -0.0), complex(-0.0, 0.0)),
    "types of one": (1, 1.0, True, 1 + 0j, np.float32(1), np.float64(1), np.int64(1), np.bool_(True), Colour.RED),
    "in a tuple": ((1,), (1.0,), (True,), (Colour.RED,)),
    "deep": ((1, ((0.0,), "a")), (1, ((-0.0,), "a")), (1.0, ((0.0,), "a"))),
    "frozenset": (frozenset({1}), frozenset({1.0}), frozenset({True})),
    "named tuple": (Point(0.0, 1), Point(-0.0, 1), Point(0.0, True), (0.0, 1)),
    "dataclass": (Options(0.0), Options(-0.0), Options(0), Options(False), Options((0.0,)), Options((-0.0,))),
    "numpy zero": (np.float32(0.0), np.float32(-0.0)),
    "slice": (slice(0, 1), slice(0, True), slice(0, 1.0)),
    "text and bytes": ("a", b"a"),
}
if not hasattr(slice(0), "__hash__") or slice.__hash__ is None:
    del DIFFERENT["slice"]


@pytest.mark.parametrize("name", DIFFERENT)
def test_static_values_of_other_types_or_signs_are_other_programs(name):
    seen = []
    f = jit(lambda x, s: (seen.append(s), x)[1], static_argnums=1)
    g = jit(lambda x, *, s: (seen.append(s), x)[1], static_argnames="s")
    for call in (lambda s: f(1.0, s), lambda s: g(1.0, s=s)):
        seen.clear()
        for _ in range(2):
            for s in DIFFERENT[name]:
                call(s)
        assert list(map(repr, seen)) == list(map(repr, DIFFERENT[name]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: float("nan"),
        lambda: (1, float("nan")),
        lambda: np.float32("nan"),
        lambda: complex(0, float("nan")),
        lambda: (1.5, ("a", frozenset({2}))),
        lambda: Options(2.5, notes=[1, 2]),
        lambda: Point(1, Options((1.0,))),
        lambda: jnp.float32,
        lambda: np.dtype("float32"),
    ],
)
def test_equal_static_values_find_one_program(make):
    traced = []
    f = jit(lambda x, s: (traced.append(s), x)[1], static_argnums=1)
    f(1.0, make())
    f(2.0, make())
    assert len(traced) == 1


def test_metadata_of_a_container_is_told_apart_like_static_values():
    @tree_util.register_dataclass
    @dataclasses.dataclass
    class Scaled:
        w: object
        scale: object = jitgrad.tree.static(default=0.0)

    f = jit(lambda s: jnp.copysign(s.w, s.scale))
    assert [float(f(Scaled(3.0, s))) for s in (0.0, -0.0, 0.0)] == [3, -3, 3]
    inside = jit(lambda w, s: f(Scaled(w, s)), static_argnums=1)
    assert [float(inside(3.0, s)) for s in (0.0, -0.0)] == [3, -3]


def test_metadata_without_a_hash_is_compared():
    class Bag:
        def __init__(self, x, notes):
            self.x, self.notes = x, notes

    tree_util.register_pytree_node(Bag, lambda b: ((b.x,), b.notes), lambda notes, children: Bag(*children, notes))
    traced = []
    f = jit(lambda b: (traced.append(1), b.x * len(b.notes))[1])
    assert [float(f(Bag(2.0, n))) for n in ([1, 2], [1, 2], [3], {"a": 1}, {"a": 1})] == [4, 4, 2, 2, 2]
    assert len(traced) == 3


# Which jits share


def counted(names="x"):
    seen = []

    def f(x, n=2):
        seen.append(1)
        return jnp.sin(x) * n

    return f, seen


def test_each_jit_of_one_function_finds_the_programs_of_the_others():
    f, seen = counted()
    for _ in range(5):
        assert float(jit(f)(jnp.zeros(()))) == 0
        jit(f, static_argnums=1)(jnp.zeros(()), 3)
        jit(f, static_argnames=("n",))(jnp.zeros(()), 3)
        grad(jit(f))(1.0)
    assert len(seen) == 3  # without options for an array and for a number; n by number and by name are the same options


def test_other_functions_and_options_share_nothing():
    f, seen = counted()
    g, also = counted()
    jit(f)(1.0)
    jit(g)(1.0)
    jit(f, donate_argnums=0)(1.0)
    assert (len(seen), len(also)) == (2, 1)


def test_a_wrapper_with_the_attributes_of_a_function_has_its_own_programs():
    f, seen = counted()
    jit(f)(1.0)

    @functools.wraps(f)
    def doubled(x):
        return f(x) * 2

    assert float(jit(doubled)(0.5)) == float(2 * jit(f)(0.5))


def test_a_closure_is_a_function_of_its_own():
    def scaled_by(n):
        return lambda x: x * n

    assert [float(jit(scaled_by(n))(1.0)) for n in range(4)] == [0, 1, 2, 3]


def test_a_function_is_freed_with_its_programs():
    def make():
        big = jnp.ones(1000)

        def f(x):
            return x * big

        jit(f)(1.0)
        return weakref.ref(f), weakref.ref(big)

    kept = [make() for _ in range(10)]
    gc.collect()
    assert not any(r() for pair in kept for r in pair)


def test_a_function_with_programs_is_pickled_and_copied_without_them():
    copied = pickle.loads(pickle.dumps(plain))
    assert copied is plain
    jit(plain)(1.0)
    state = pickle.loads(pickle.dumps(plain.__dict__))
    assert list(state.values()) == [None]
    assert float(jit(copied)(1.0)) == 2


def plain(x):
    return x * 2


# Options by name and by number


def f(x, y, *, z=0):
    return x + y


@pytest.mark.parametrize(
    "options",
    [
        {"donate_argnames": "x"},
        {"donate_argnums": 0},
        {"donate_argnums": -2},
        {"donate_argnames": ["x"]},
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_arguments_are_donated_by_name_or_number_however_they_are_passed(options, by_name):
    given, other = jnp.ones(1000) * 2, jnp.ones(1000)
    out = jit(f, **options)(x=given, y=other) if by_name else jit(f, **options)(given, other)
    assert float(out[0]) == 3
    with pytest.raises(jitgrad.errors.DonatedBufferError):
        given + 1
    assert float(other[0]) == 1


def test_a_donated_container_is_donated_whole_and_alone():
    compiled = jit(lambda a, b: (a["u"] + b, a["v"]), donate_argnames="a")
    a, b = {"v": jnp.ones(1000) * 2, "u": jnp.ones(1000) * 3}, jnp.ones(1000)
    u, v = compiled(b=b, a=a)
    assert (float(u[0]), float(v[0]), float(b[0])) == (4, 2, 1)
    for x in a.values():
        with pytest.raises(jitgrad.errors.DonatedBufferError):
            x + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"donate_argnames": "q"}, "donate_argnames has 'q', but the parameters are x, y, z"),
        ({"static_argnames": "q"}, "static_argnames has 'q'"),
        ({"donate_argnums": 2}, "donate_argnums names argument 2, but there are 2 positional parameters"),
        ({"donate_argnames": 3}, "donate_argnames"),
        ({"donate_argnames": "x", "static_argnums": 0}, "'x' is static and donated"),
        ({"backend": "gpu"}, "a program runs where its arrays lie"),
    ],
)
def test_options_that_fit_no_parameter_are_refused(options, message):
    with pytest.raises((jitgrad.errors.ArgumentError, TypeError), match=message):
        jit(f, **options)


def test_options_of_jax_that_mean_nothing_here_are_taken():
    compiled = jit(f, keep_unused=True, inline=True, backend="cpu", device=jitgrad.devices()[0])
    assert float(compiled(1.0, 2.0)) == 3
    assert "donate_argnames" in inspect.signature(jit).parameters


# Arguments that are no arrays


@dataclasses.dataclass
class Parameters:
    w: float


class Model:
    @jit
    def apply(self, x):
        return x


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Model().apply(1.0),
            r"argument 0 must be .*static_argnums=0, as for the self of a method, or make Model",
        ),
        (lambda: jit(lambda p: p.w)(Parameters(1.0)), r"make Parameters a container.*jitgrad.tree_util.register_dataclass"),
        (lambda: jit(lambda n, p: p, static_argnums=0)(3, {"a": Parameters(1.0)}), r"argument 1\['a'\] .*static_argnums=1"),
        (lambda: jit(lambda x, mode: x)(1.0, mode="s"), r"keyword argument 'mode' .*static_argnames='mode', or close over it"),
        (lambda: jit(lambda f: f)(jnp.sin), r"static_argnums=0, or close over it"),
    ],
)
def test_an_argument_that_is_no_array_is_named_with_what_to_do(call, message):
    with pytest.raises(jitgrad.errors.NotAnArrayError, match=message):
        call()
