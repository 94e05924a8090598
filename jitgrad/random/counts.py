"""Draws of whole numbers and of truth values. Next on the path: `vectors.py`.

The numbers are jax's: which uniform number becomes which draw is as there. Only where a draw hangs on the last place of a logarithm
can it be another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.lax.loops import scan
from jitgrad.operands import ArrayLike, shape_arg
from jitgrad.promotion import dtype_name
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.types import BOOL, F32, U64, DType

from .bits import unit_floats, unit_floats_of
from .distributions import EPSILON, signs
from .keys import KeyLike, Stream, Word, asked_for, root_of, split_word
from .pieces import made_now
from .programs import (
    AT_ONCE,
    Shape,
    check_shape,
    draw,
    draw_each,
    draw_together,
    each,
    float_dtype,
    integer_dtype,
    parameter,
    shape_with,
    value_of,
    working_float,
)

Sizes = tuple[int, ...]


def _bernoulli(word: Array, p: Array, shape: Sizes, dtype: DType, mode: str) -> Array:
    chance = parameter(p, shape, dtype)
    if mode == "low":
        return unit_floats(word, shape, dtype) < chance
    first, second = (unit_floats(word, shape, dtype, second) for second in (False, True))
    return second * EPSILON[dtype] < chance - first


def bernoulli(key: KeyLike, p: ArrayLike = 0.5, shape: Shape | None = None, mode: str = "low") -> Array:
    """True with probability p, which broadcasts to `shape`.

    p is compared with a uniform number of its type (for a Python number float64), in steps of 2**-23 or 2**-52; mode "high" takes
    two, for probabilities smaller than these.

    >>> import jitgrad
    >>> print(bernoulli(jitgrad.random.key(0), 1.0, (2,)))
    [ True  True]
    """
    p = value_of("bernoulli", p)
    if not p.type.dtype.is_float and not p.weak:
        raise DTypeError(f"random.bernoulli: p must be of a float type, got {p.dtype}")
    if mode not in ("low", "high"):
        raise ArgumentError(f"random.bernoulli: mode must be 'low' or 'high', got {mode!r}")
    static = (shape_with("bernoulli", shape, p), working_float(p), mode)
    return draw_each("bernoulli", _bernoulli, key, (p,), static)


def rademacher(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """-1 or 1 with equal probability, int64 by default.

    >>> import jitgrad
    >>> abs(int(rademacher(jitgrad.random.key(0))))
    1
    """
    name = dtype_name(int if dtype is None else dtype)
    if name == BOOL or name.is_unsigned:
        raise DTypeError(f"random.rademacher: dtype must hold -1 and 1, got {name.numpy}")
    return draw_each("rademacher", signs, key, (), (shape_arg("random.rademacher", shape), name))


def _geometric(word: Array, p: Array, shape: Sizes, working: DType, dtype: DType) -> Array:
    u = unit_floats(word, shape, working)
    log = jnp.log(jnp.where(u == 0, 1, u))
    trials = jnp.floor(log / jnp.log1p(-parameter(p, shape, working))) + 1
    return ops.convert(jnp.maximum(trials, 1), dtype)


def geometric(key: KeyLike, p: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """How many trials of probability p it takes until one succeeds: 1, 2, ... (int64 by default). p broadcasts to `shape`.

    Drawn in the type of p (for a Python number in float64). A number that dtype cannot hold becomes its largest.

    >>> import jitgrad
    >>> print(geometric(jitgrad.random.key(0), 1.0))
    1
    """
    p = value_of("geometric", p)
    static = (shape_with("geometric", shape, p), working_float(p), integer_dtype("geometric", dtype))
    return draw_each("geometric", _geometric, key, (p,), static)


ROUNDS = 64
"""The most random numbers that one element takes, where each takes another number: more have a chance of 1e-25 or less."""


def _rounds(word: Word) -> tuple[Array, Array, Array]:
    """The words of every round, [ROUNDS] each: two of a chain of keys of which each is split into three, the first of them the next
    key, and one of a chain by pairs, the second of them the next.
    """

    def step(keys: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], tuple[Array, Array, Array]]:
        (following, u, v), (gap, after) = split_word(keys[0], 3), split_word(keys[1])
        return (following, after), (u, v, gap)

    root = root_of(word)
    words: tuple[Array, Array, Array] = scan(step, (root, root), None, length=ROUNDS)[1]
    return words


def _each(one: Callable[..., Array], shape: Sizes, *parameters: Array) -> Array:
    """one(the element's number, its parameters) for each element of arrays of a shape, by itself."""
    numbers = ops.iota((math.prod(shape),), 0, U64)
    return jnp.reshape(vmap(one)(numbers, *map(ops.flat, parameters)), shape)


def _uniform_at(words: Array, round: Array, number: Array, dtype: DType) -> Array:
    """What an array of uniform floats that is drawn in one round has as an element."""
    return unit_floats_of(ops.op("threefry2x32", words[round], number), dtype)


def _last_accepted(
    propose: Callable[..., tuple[Array, Array]], us: Array, vs: Array, wanted: Array, shape: Sizes, *parameters: Array
) -> Array:
    """The last proposal that was accepted in as many rounds as it takes until every `wanted` element has one; -1 without any.

    propose(u, v, *parameters) -> (proposal, accepted), for two uniform floats. That it is the last one, not the first, is jax's
    choice. The first round with an accepted proposal is found for each element, and from the latest of these back the last one.
    """
    dtype = parameters[0].type.dtype

    def proposed(round: Array, number: Array, some: Sequence[Array]) -> tuple[Array, Array]:
        return propose(_uniform_at(us, round, number, dtype) - 0.5, _uniform_at(vs, round, number, dtype), *some)

    def first(number: Array, wanted: Array, *some: Array) -> Array:
        refused = lambda state: wanted & ~state[1] & (state[0] < ROUNDS)
        step = lambda state: (state[0] + 1, proposed(state[0], number, some)[1])
        return lax.while_loop(refused, step, (jnp.zeros((), int), jnp.zeros((), bool)))[0]

    rounds = jnp.max(_each(first, shape, wanted, *parameters), initial=0)

    def last(number: Array, wanted: Array, *some: Array) -> Array:
        refused = lambda state: wanted & ~state[1] & (state[0] > 0)
        step = lambda state: (state[0] - 1, *proposed(state[0] - 1, number, some)[::-1])
        _, accepted, found = lax.while_loop(refused, step, (rounds, jnp.zeros((), bool), jnp.zeros((), dtype)))
        return jnp.where(accepted, found, -1)

    return _each(last, shape, wanted, *parameters)


def _poisson(word: Word, lam: Array, shape: Sizes, dtype: DType) -> Array:
    """Knuth's products of uniform numbers for means below 10, else rejection (Hoermann 1993), both in float32."""
    lam = parameter(lam, shape, F32)
    few, here = jnp.isnan(lam) | (lam < 10), asked_for(word, shape)
    us, vs, _ = _rounds(word)
    small = _poisson_by_products(us, jnp.where(few & here, lam, 0), shape, dtype)
    rejected = here & jnp.any(here & ~few)
    large = _last_accepted(_poisson_proposal, us, vs, rejected, shape, jnp.where(few, 1e5, lam))
    large = jnp.where(jnp.isinf(lam), lam, large)
    return jnp.where(lam == 0, 0, jnp.where(few, small, ops.convert(large, dtype)))


def _poisson_by_products(words: Array, lam: Array, shape: Sizes, dtype: DType) -> Array:
    def one(number: Array, lam: Array) -> Array:
        unfinished = lambda state: (state[1] > -lam) & (state[0] < ROUNDS)
        step = lambda state: (state[0] + 1, state[1] + jnp.log(_uniform_at(words, state[0], number, F32)))
        return lax.while_loop(unfinished, step, (jnp.zeros((), int), jnp.zeros((), F32.numpy)))[0] - 1

    return ops.convert(_each(one, shape, lam), dtype)


def _poisson_proposal(u: Array, v: Array, lam: Array) -> tuple[Array, Array]:
    b = 0.931 + 2.53 * jnp.sqrt(lam)
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    sure = 0.9277 - 3.6224 / (b - 2)
    distance = 0.5 - jnp.abs(u)
    k = jnp.floor((2 * a / distance + b) * u + lam + 0.43)
    density = -lam + k * jnp.log(lam) - lax.lgamma(k + 1)
    fits = jnp.log(v * inverse / (a / (distance * distance) + b)) <= density
    outside = (k < 0) | ((distance < 0.013) & (v > distance))
    return k, ((distance >= 0.07) & (v <= sure)) | (~outside & fits)


def poisson(key: KeyLike, lam: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Poisson draws of mean lam >= 0, which broadcasts to `shape`; int64 by default.

    -1 where lam is negative or NaN, and the type's largest number where it cannot hold the draw.

    jax's numbers, but for means of thousands, where whether a proposal is taken hangs on the last places of float32 numbers.

    >>> import jitgrad
    >>> print(poisson(jitgrad.random.key(0), 0.0))
    0
    """
    return draw_together("poisson", _poisson, key, (lam,), (shape_with("poisson", shape, lam), integer_dtype("poisson", dtype)))


STIRLING_TAILS = [
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
]  # fmt: skip
"""log k! less Stirling's approximation (k + 1/2) log(k + 1) - (k + 1) + log(2 pi) / 2, for k = 0 to 9."""


def _stirling_tail(k: Array) -> Array:
    few = jnp.clip(k, 0, 9)
    square = (few + 1) * (few + 1)
    series = (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (few + 1)
    known = jnp.asarray(np.array(STIRLING_TAILS), k.dtype)[jnp.floor(few).astype("int32")]
    return jnp.where(k <= 9, known, series)


def _binomial_by_gaps(words: Array, n: Array, p: Array, shape: Sizes, dtype: DType) -> Array:
    """How many geometric gaps between successes fit into n trials."""

    def one(number: Array, n: Array, p: Array) -> Array:
        def step(state: Any) -> Any:
            gap = jnp.ceil(jnp.log(_uniform_at(words, state[0], number, dtype)) / jnp.log1p(-p))
            return state[0] + 1, state[1] + gap

        unfinished = lambda state: (state[1] <= n) & (state[0] < ROUNDS)
        return lax.while_loop(unfinished, step, (jnp.zeros((), int), jnp.zeros((), dtype.numpy)))[0] - 1

    return ops.convert(_each(one, shape, n, p), dtype)


def _binomial_proposal(u: Array, v: Array, n: Array, p: Array) -> tuple[Array, Array]:
    """Transformed rejection with squeeze (Hoermann, The generation of binomial random variates, 1993)."""
    deviation = jnp.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    sure = 0.92 - 4.2 / b
    odds = p / (1 - p)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = jnp.floor((n + 1) * p)
    distance = 0.5 - jnp.abs(u)
    k = jnp.floor((2 * a / distance + b) * u + (n * p + 0.5))
    bound = (
        (mode + 0.5) * jnp.log((mode + 1) / (odds * (n - mode + 1)))
        + (n + 1) * jnp.log((n - mode + 1) / (n - k + 1))
        + (k + 0.5) * jnp.log(odds * (n - k + 1) / (k + 1))
        + _stirling_tail(mode) + _stirling_tail(n - mode) - _stirling_tail(k) - _stirling_tail(n - k)
    )  # fmt: skip
    fits = jnp.log(v * alpha / (a / (distance * distance) + b)) <= bound
    return k, ((distance >= 0.07) & (v <= sure)) | (~((k < 0) | (k > n)) & fits)


def _binomial(word: Word, n: Array, p: Array, shape: Sizes, working: DType, dtype: DType) -> Array:
    n, p = parameter(n, shape, working), parameter(p, shape, working)
    rare = p < 0.5
    q = jnp.where(rare, p, 1 - p)
    no_count, no_chance, unlimited = jnp.isnan(n) | (n < 0), jnp.isnan(q) | (q < 0), jnp.isinf(n)
    q = jnp.where(no_chance, 0.01, q)
    few, here = no_count | (n * q <= 10), asked_for(word, shape)
    whole = jnp.floor(n)
    us, vs, words = _rounds(word)
    gaps = _binomial_by_gaps(words, jnp.where(here, jnp.where(few, whole, 0), -1), q, shape, working)
    rejected, many = here & jnp.any(here & ~few), (jnp.where(few, 1e4, whole), jnp.where(few, 0.5, q))
    rejection = _last_accepted(_binomial_proposal, us, vs, rejected, shape, *many)
    drawn = jnp.where(few, gaps, rejection)
    invalid = no_count | no_chance
    drawn = jnp.where(invalid, jnp.nan, jnp.where(unlimited, jnp.inf, drawn))
    return ops.convert(jnp.where(rare | invalid | unlimited, drawn, whole - drawn), dtype)


def binomial(key: KeyLike, n: ArrayLike, p: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """How many of n trials of probability p succeed, as floats (float32 by default). n and p broadcast to `shape`.

    Drawn in the type of p (for a Python number in float64). NaN where n is negative or p no probability, infinite where n is.

    >>> import jitgrad
    >>> print(binomial(jitgrad.random.key(0), 7, 1.0))
    7.0
    """
    n, p = value_of("binomial", n), value_of("binomial", p)
    static = (shape_with("binomial", shape, n, p), working_float(p), float_dtype("binomial", dtype))
    return draw_together("binomial", _binomial, key, (n, p), static)


def _category(word: Word, left: Array, chance: Array, number: Array, shape: Sizes, working: DType) -> Array:
    """How many of the trials that are left come out as the category of a number."""
    new = ops.op("threefry2x32", root_of(word), number)
    word = word._replace(word=new) if isinstance(word, Stream) else new
    return _binomial(word, left, jnp.clip(chance, 0, 1), shape, working, working)


FEW = 24
"""Categories up to which eager draws are made one after the other; sums of more may be rounded otherwise than in a program."""


def _multinomial(key: Array, n: Array, p: Array, shape: Sizes, working: DType, dtype: DType, unroll: int | bool) -> Array:
    n, p = parameter(n, shape[:-1], working), jnp.moveaxis(parameter(p, shape, working), -1, 0)
    rest = lax.cumsum(p, 0, reverse=True)
    rows = (p / jnp.where(rest == 0, 1, rest), ops.iota(shape[-1:], 0, U64))

    def step(left: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        count = each("multinomial", _category, key, [left, *row], (shape[:-1], working), together=True)
        return left - count, count

    if made_now(key, (n, p)):
        made = []
        for row in zip(*rows, strict=True):
            n, count = step(n, row)
            made.append(count)
        return ops.convert(jnp.stack(made, -1), dtype)
    _, counts = lax.scan(step, n, rows, unroll=unroll)
    return ops.convert(jnp.moveaxis(counts, 0, -1), dtype)


def multinomial(
    key: KeyLike, n: ArrayLike, p: ArrayLike, *, shape: Shape | None = None, dtype: Any = None, unroll: int | bool = 1
) -> Array:
    """How often each of the outcomes of probabilities p [..., k] comes in n trials: [..., k], float32 by default.

    n broadcasts to `shape` without its last axis, p to `shape`, p's by default.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(multinomial(jitgrad.random.key(0), 5, jnp.array([0.0, 1.0])))
    [0. 5.]
    """
    count, chances = value_of("multinomial", n), value_of("multinomial", p)
    if not chances.type.shape:
        raise ArgumentError("random.multinomial: p must have an axis, got a scalar")
    sizes = chances.type.shape if shape is None else shape_arg("random.multinomial", shape)
    check_shape("multinomial", sizes, chances.type.shape)
    check_shape("multinomial", sizes[:-1], count.type.shape)
    working = working_float(count, chances)
    static = (sizes, working, dtype_name(float if dtype is None else dtype), unroll)
    at_once = 0 < sizes[-1] <= FEW and unroll in (0, 1)
    return draw("multinomial", _multinomial, key, (count, chances), static, math.prod(sizes) if at_once else AT_ONCE + 1)
