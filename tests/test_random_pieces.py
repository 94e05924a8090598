"""Eager draws are made in pieces of a few sizes, those of whole arrays step by step: their numbers are those of one program, and
new shapes compile nothing.
"""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.errors import InvalidValueError, KeyReuseError, ShapeError
from jitgrad.random import pieces
from jitgrad_compiler.runtime import executable

KEY = random.key(7)
SHAPES = [(), (5, 7), (300,)]
OTHERS = [(0,), (1,), (3, 0), (16,), (17,), (3, 33, 5), (5001,), (70_003,)]

# Draws of a key, a shape, and parameters of that shape or numbers.
NAMES = "normal uniform exponential logistic laplace cauchy maxwell gumbel bits rademacher"
NAMES_OF_ONE = "gamma loggamma chisquare t rayleigh pareto lognormal wald"
WITHOUT = {
    **{name: getattr(random, name) for name in NAMES.split()},
    "complex": lambda k, s: random.normal(k, s, "complex64"),
    "half": lambda k, s: random.normal(k, s, "float16"),
    "double": lambda k, s: random.normal(k, s, "float64"),
    "bytes": lambda k, s: random.bits(k, s, "uint8"),
    "between": lambda k, s: random.uniform(k, s, minval=-1.0, maxval=2.5),
    "integers": lambda k, s: random.randint(k, s, -3, 9),
    "split": lambda k, s: random.key_data(random.split(k, s)),
}
OF_ONE = {
    **{name: lambda k, s, p, name=name: getattr(random, name)(k, p, s) for name in NAMES_OF_ONE.split()},
    "beta": lambda k, s, p: random.beta(k, p, 0.3, s),
    "f": lambda k, s, p: random.f(k, 1.5, p, s),
    "generalized_normal": lambda k, s, p: random.generalized_normal(k, p, s),
    "bernoulli": lambda k, s, p: random.bernoulli(k, p / 20, s),
    "geometric": lambda k, s, p: random.geometric(k, p / 20, s),
    "truncated_normal": lambda k, s, p: random.truncated_normal(k, -p, 5.0, s),
    "triangular": lambda k, s, p: random.triangular(k, 0.0, p / 2, p, s),
    "weibull_min": lambda k, s, p: random.weibull_min(k, 2.0, p, s),
    "double_sided_maxwell": lambda k, s, p: random.double_sided_maxwell(k, p, 2.0, s if np.ndim(p) == 0 else ()),
    "between": lambda k, s, p: random.uniform(k, s, minval=-p, maxval=p),
    "integers": lambda k, s, p: random.randint(k, s, -5, jnp.asarray(p).astype(int)),
}
# Draws of a key and a shape that depend on whole arrays: whole numbers to the bit, floats up to sums and factorisations.
WHOLE = {
    "categorical": lambda k, s: random.categorical(k, heights((*s, 3))),
    "categorical of many": lambda k, s: random.categorical(k, heights((math.prod(s) + 1, *s)), 0, (4, *s)),
    "categorical high": lambda k, s: random.categorical(k, heights((*s, 5)), shape=(2, *s), mode="high"),
    "categorical without replacement": lambda k, s: random.categorical(k, heights((*s, 9)), shape=(3, *s), replace=False),
    "permutation": lambda k, s: random.permutation(k, math.prod(s)),
    "permutation of an array": lambda k, s: random.permutation(k, heights((*s, 3)), -1),
    "permutations": lambda k, s: random.permutation(k, heights((2, *s)).astype("complex64"), -1, independent=True),
    "choice": lambda k, s: random.choice(k, heights((*s, 3)), (2, 2), axis=-1),
    "choice without replacement": lambda k, s: random.choice(k, math.prod(s) + 3, s, replace=False),
    "choice by chances": lambda k, s: random.choice(k, 40, s, p=jnp.abs(heights((40,)))),
    "choice of many by chances": lambda k, s: random.choice(k, math.prod(s) + 1, (30,), p=jnp.abs(heights((math.prod(s) + 1,)))),
    "choice by chances without replacement": lambda k, s: random.choice(
        k, math.prod(s) + 1, (math.prod(s),), False, jnp.abs(heights((math.prod(s) + 1,)))
    ),
    "bernoulli high": lambda k, s: random.bernoulli(k, jnp.abs(heights(s)), s, mode="high"),
    "gumbel high": lambda k, s: random.gumbel(k, s, mode="high"),
    "gumbel highest": lambda k, s: random.gumbel(k, s, mode="highest"),
    "fold_in": lambda k, s: random.key_data(random.fold_in(k, math.prod(s))),
    "poisson": lambda k, s: random.poisson(k, 9 * jnp.abs(heights(s)), s),
    "poisson of large means": lambda k, s: random.poisson(k, 40.0, s),
    "poisson of both": lambda k, s: random.poisson(k, 30 * jnp.abs(heights(s)), s, "int16"),
    "binomial": lambda k, s: random.binomial(k, 5, 0.3, s),
    "binomial of both": lambda k, s: random.binomial(k, 60, jnp.abs(heights(s)) / 2, s),
    "multinomial": lambda k, s: random.multinomial(k, 40, jnp.full((*s, 4), 0.25)),
    "multinomial of many": lambda k, s: random.multinomial(k, 9 + jnp.abs(heights(s)), jnp.full(24, 1 / 24), shape=(*s, 24)),
}
NEARLY = {
    "dirichlet": lambda k, s: random.dirichlet(k, jnp.abs(heights((*s, 3))), dtype="float64"),
    "ball": lambda k, s: random.ball(k, math.prod(s) + 1, 3.0, (2,), "float64"),
    "multivariate_normal": lambda k, s: random.multivariate_normal(k, heights((*s, 2)), jnp.eye(2) + 0.5, s, "float64"),
    "multivariate_normal by eigh": lambda k, s: random.multivariate_normal(k, jnp.zeros(2), jnp.eye(2), s, method="eigh"),
    "multivariate_normal by svd": lambda k, s: random.multivariate_normal(k, jnp.zeros(1), jnp.eye(1), s, method="svd"),
    "orthogonal": lambda k, s: random.orthogonal(k, 3, s, "complex128"),
    "orthogonal rows": lambda k, s: random.orthogonal(k, 2, m=math.prod(s) + 1, dtype="float64"),
}


def heights(shape):
    """Numbers of (-2, 2), no two of which are equal."""
    return jnp.asarray(2 * np.sin(np.arange(1, math.prod(shape) + 1) * 1.7).reshape(shape).astype(np.float32))


def same_bits(got, want, context):
    got, want = np.asarray(got), np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype), context
    assert got.tobytes() == want.tobytes(), (context, got, want)


def whole(monkeypatch, draw, *args):
    """A draw by one program for its shape, as under jit, its parameters being operands."""
    with monkeypatch.context() as m:
        m.setattr("jitgrad.random.programs.in_pieces", lambda *_: False)
        m.setattr("jitgrad.random.programs.made_now", lambda *_: False)
        return draw(*args)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_draw_has_the_bits_of_one_program_for_its_shape(name, monkeypatch):
    for shape in [*SHAPES, *(OTHERS if name == "normal" else [])]:
        same_bits(WITHOUT[name](KEY, shape), whole(monkeypatch, WITHOUT[name], KEY, shape), shape)


@pytest.mark.parametrize("name", OF_ONE)
def test_a_draw_of_parameters_has_the_bits_of_one_program_for_its_shape(name, monkeypatch):
    draw = OF_ONE[name]
    for shape in [*SHAPES, *(OTHERS if name in ("lognormal", "gamma") else [])]:
        each = np.linspace(0.1, 20, math.prod(shape), dtype=np.float32).reshape(shape)
        last = each[..., :1] if shape else each
        for p in (2.5, np.float64(0.7), jnp.asarray(each), last):
            same_bits(draw(KEY, shape, p), whole(monkeypatch, draw, KEY, shape, p), (shape, np.shape(p)))


@pytest.mark.parametrize("name", WHOLE)
def test_a_draw_of_a_whole_array_has_the_bits_of_one_program(name, monkeypatch):
    for shape in SHAPES:
        same_bits(WHOLE[name](KEY, shape), whole(monkeypatch, WHOLE[name], KEY, shape), shape)


@pytest.mark.parametrize("name", NEARLY)
def test_sums_and_factors_of_a_draw_are_those_of_one_program(name, monkeypatch):
    for shape in [(), (2,), (5, 3)]:
        got, want = NEARLY[name](KEY, shape), whole(monkeypatch, NEARLY[name], KEY, shape)
        assert (got.shape, got.dtype) == (want.shape, want.dtype), shape
        np.testing.assert_allclose(got, want, rtol=1e-6 if got.dtype == np.float32 else 1e-13, atol=1e-14)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2)])
@pytest.mark.parametrize("name", [*WHOLE, *NEARLY])
def test_a_draw_of_no_elements_has_its_shape_and_type(name, shape, monkeypatch):
    draw = {**WHOLE, **NEARLY}[name]
    if "permutation" not in name and "fold" not in name:
        got, want = draw(KEY, shape), whole(monkeypatch, draw, KEY, shape)
        assert (got.shape, got.dtype) == (want.shape, want.dtype)


@pytest.mark.parametrize("count", [16, 17, 1023, 5000])
def test_what_a_program_makes_beyond_a_draw_changes_no_count_and_no_order(count, monkeypatch):
    for name in ("permutation", "poisson of both", "binomial of both"):
        same_bits(WHOLE[name](KEY, (count,)), whole(monkeypatch, WHOLE[name], KEY, (count,)), name)


@given(st.integers(0, 10**9))
def test_draws_that_are_one_piece_have_few_sizes(count):
    size = pieces.padded(count)
    assert size >= count
    assert size in pieces.WHOLE or size <= count * 5 // 4 and size.bit_count() <= 3
    assert size <= 16 or size < 4 * count


@contextmanager
def nothing_compiled(monkeypatch):
    def compiles(*args):
        raise AssertionError("a program is compiled")

    with monkeypatch.context() as m:
        m.setattr(executable, "compile_program", compiles)
        yield


@pytest.mark.parametrize("name", [*WHOLE, *NEARLY])
def test_new_shapes_of_whole_arrays_compile_nothing(name, monkeypatch):
    draw = {**WHOLE, **NEARLY}[name]
    for size in (1, 4, 16, 64, 200):
        draw(KEY, (size,))
    draw(KEY, ())
    with nothing_compiled(monkeypatch):
        for shape in [(), (2,), (3, 5), (7, 3), (6,), (40,)]:
            draw(KEY, shape)


@pytest.mark.parametrize("name", [*WHOLE, *NEARLY])
def test_a_draw_of_a_whole_array_uses_a_key_once_raw_or_not_in_any_mode(name, monkeypatch):
    draw = {**WHOLE, **NEARLY}[name]
    got = draw(KEY, (2, 3))
    key = random.clone(random.key_data(KEY))
    with monkeypatch.context() as m:
        m.setattr(jitgrad.config, "debug_key_reuse", True)
        same_bits(draw(key, (2, 3)), got, "a raw key")
        if name != "fold_in":
            with pytest.raises(KeyReuseError, match="random."):
                draw(key, (2, 3))
    with jitgrad.debug_nans(True):
        np.testing.assert_allclose(draw(KEY, (2, 3)), got, rtol=1e-6, atol=1e-13)
    with jitgrad.disable_jit():
        np.testing.assert_allclose(draw(KEY, (2, 3)), got, rtol=1e-4, atol=1e-13)
    mapped = jitgrad.vmap(lambda key: draw(key, (2, 3)))(random.split(KEY, 2))
    np.testing.assert_allclose(mapped[1], draw(random.split(KEY, 2)[1], (2, 3)), rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("name", WHOLE)
def test_in_32_bits_a_draw_of_a_whole_array_is_that_of_one_program(name, monkeypatch):
    with jitgrad.enable_x64(False):
        same_bits(WHOLE[name](KEY, (5, 3)), whole(monkeypatch, WHOLE[name], KEY, (5, 3)), name)


def test_a_number_that_comes_again_keeps_its_type_and_its_sign():
    for p in (2, 2.0, np.float32(2), True + 1):
        same_bits(random.binomial(KEY, 9, p / 4, (3,)), random.binomial(KEY, jnp.asarray(9.0), p / 4, (3,)), p)
    for low in (0.0, -0.0):
        got = random.uniform(KEY, (3,), minval=low, maxval=low)
        assert np.signbit(got).tolist() == [bool(np.signbit(low))] * 3
    assert random.poisson(KEY, 2, (3,)).tolist() == random.poisson(KEY, 2.0, (3,)).tolist()
    with jitgrad.enable_x64(False):
        same_bits(random.gamma(KEY, 2, (3,)), random.gamma(KEY, np.float32(2), (3,)), "32 bits")


@pytest.mark.parametrize(
    "draw",
    [lambda k: random.gamma(k, 2.25, (3,)), lambda k: random.randint(k, (3,), 4, 77), lambda k: random.binomial(k, 6, 0.375)],
)
def test_numbers_of_eager_draws_are_constants_where_these_are_traced(draw):
    graph = str(jitgrad.make_graph(draw)(KEY))
    for _ in range(3):
        draw(KEY)
    assert str(jitgrad.make_graph(draw)(KEY)) == graph


@pytest.mark.parametrize("name", ["normal", "gamma", "split"])
def test_new_shapes_compile_nothing(name, monkeypatch):
    draw = (lambda s: OF_ONE["gamma"](KEY, s, 1.5)) if name == "gamma" else lambda s: WITHOUT[name](KEY, s)
    for size in pieces.SIZES[:3]:
        draw((size,))
    with nothing_compiled(monkeypatch):
        for shape in [(), (2,), (0,), (3, 5), (40,), (7, 11, 13), (2, 3000), (300, 1)]:
            assert draw(shape).shape[: len(shape)] == shape
        with pytest.raises(AssertionError, match="a program is compiled"):
            jitgrad.jit(lambda key: random.laplace(key, (3, 5)) * 2)(KEY)


@given(st.integers(1, 10**7))
def test_pieces_follow_one_another_and_make_few_elements_too_many(count):
    places = pieces.cut(count)
    behind = 0
    for first, size in places:
        assert first == behind < count and size in pieces.SIZES
        behind = first + size
    (first, size), small = places[-1], pieces.SIZES[1]
    assert behind >= count
    assert size <= small or behind - count <= size // 3
    assert len(places) <= 17 * len(pieces.SIZES) + count // pieces.SIZES[-1]


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf, -0.0, 0.0, 1e-45, 3e38])
def test_parameters_that_are_special_numbers_stay_at_their_places(special, monkeypatch):
    p = np.full((17,), 2.5, np.float32)
    p[[3, 16]] = special
    for draw in (OF_ONE["lognormal"], OF_ONE["rayleigh"], OF_ONE["gamma"], OF_ONE["bernoulli"]):
        got = draw(KEY, (17,), jnp.asarray(p))
        same_bits(got, whole(monkeypatch, draw, KEY, (17,), jnp.asarray(p)), special)
        same_bits(got[4:16], draw(KEY, (17,), 2.5 * jnp.ones(17))[4:16], special)


@pytest.mark.parametrize("count", [2**50, 2**61])
def test_a_draw_that_memory_does_not_hold_is_an_error_at_once(count):
    with pytest.raises(MemoryError, match="the system has no"):
        random.normal(KEY, (count,))


def test_parameters_that_do_not_broadcast_are_an_error_that_names_the_draw():
    with pytest.raises(ShapeError, match=r"random\.gamma: shapes \(3,\) and \(4,\) do not broadcast"):
        random.gamma(KEY, jnp.ones(3), (4,))


def test_settings_of_a_draw_are_those_when_it_is_made():
    with (
        jitgrad.debug_nans(True),
        pytest.raises(InvalidValueError, match=r"invalid value \(nan\) encountered in .* of random\.lognormal"),
    ):
        random.lognormal(KEY, math.nan, (3,))
    assert random.normal(KEY, (3,)).dtype == np.float32
    with jitgrad.enable_x64(False):
        assert random.randint(KEY, (3,), 0, 5).dtype == np.int32
    assert random.randint(KEY, (3,), 0, 5).dtype == np.int64


def test_a_key_and_a_parameter_that_are_traced_make_one_program():
    shape = (5,)
    mapped = jitgrad.vmap(lambda key: random.normal(key, shape))(random.split(KEY, 3))
    for row, key in zip(mapped, random.split(KEY, 3), strict=True):
        same_bits(row, random.normal(key, shape), "mapped")
    slope = jitgrad.grad(lambda sigma: jnp.sum(jnp.log(random.lognormal(KEY, sigma, shape))))(2.0)
    np.testing.assert_allclose(slope, jnp.sum(random.normal(KEY, shape)), rtol=1e-5)
