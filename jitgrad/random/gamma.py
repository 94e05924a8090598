"""Gamma draws, by acceptance and rejection, and the distributions that are made of them. Next on the path: `counts.py`.

Which uniform and normal numbers become which draw is as in jax. Its numbers come out up to the last places, but for the rare draw
whose acceptance hangs on one of these (about one in ten million).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.at_once import done_at_once
from jitgrad.custom_derivatives import custom_jvp
from jitgrad.errors import ArgumentError
from jitgrad.normalization import softmax
from jitgrad.operands import ArrayLike, array_arg, shape_arg
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.types import F64, DType

from .bits import scaled, unit_floats
from .distributions import exponentials, normals, signs
from .keys import KeyLike, Word, asked_for, random_words, split_word
from .programs import Shape, check_shape, draw, draw_each, each, float_dtype, parameter, shape_with

Sizes = tuple[int, ...]


def _one_gamma(word: Array, alpha: Array, wanted: Array, log: bool) -> Array:
    """A draw by Marsaglia and Tsang, A simple method for generating gamma variables (2000); for alpha below 1 one for alpha + 1
    times a uniform number to the power 1 / alpha. log: its logarithm, made without it.
    """
    dtype = alpha.type.dtype
    number = dtype.numpy.type
    large = alpha >= 1
    d = jnp.where(large, alpha, alpha + 1) - number(1 / 3)
    c = number(1 / 3) / jnp.sqrt(d)

    def rejected(state: Any) -> Array:
        _, square, cube, u = state
        unlikely = u >= 1 - number(0.0331) * (square * square)
        return wanted & unlikely & (jnp.log(u) >= square * number(0.5) + d * ((1 - cube) + jnp.log(cube)))

    def propose(state: Any) -> Any:
        again, normal_key, uniform_key = split_word(state[0], 3)

        def next_normal(inner: Any) -> Any:
            rest, now = split_word(inner[0])
            x = normals(now, (), dtype)
            return rest, x, scaled(x, c, one)

        start = (normal_key, jnp.zeros((), dtype), -jnp.ones((), dtype))
        _, x, v = lax.while_loop(lambda inner: inner[2] <= 0, next_normal, start)
        return again, x * x, v * v * v, unit_floats(uniform_key, (), dtype)

    proposals, boost_key = split_word(word)
    zero, one = jnp.zeros((), dtype), jnp.ones((), dtype)
    _, _, cube, _ = lax.while_loop(rejected, propose, (proposals, zero, one, 2 * one))
    if log:
        uniform = -exponentials(boost_key, (), dtype)
        boost = jnp.where(large | (uniform == 0), 0, uniform * (1 / alpha))
        return (jnp.log(d) + jnp.log(cube)) + boost
    uniform = 1 - unit_floats(boost_key, (), dtype)
    return d * cube * jnp.where(large, 1, jnp.power(uniform, 1 / alpha))


def gammas(word: Word, alpha: Array, shape: Sizes, dtype: DType, log: bool = False) -> Array:
    """NaN where alpha is below 0."""
    words = random_words(word, (math.prod(shape),))
    alpha = jnp.where(alpha < 0, math.nan, alpha)
    wanted = asked_for(word, (math.prod(shape),))

    @custom_jvp
    def draws(alphas: Array) -> Array:
        return vmap(lambda w, a, wanted: _one_gamma(w, a, wanted, log))(words, alphas, wanted)

    @draws.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        drawn = draws(*primals)
        slope = log_draw_slope(drawn if log else jnp.log(drawn), *primals)
        return drawn, tangents[0] * (slope if log else slope * drawn)

    return jnp.reshape(draws(ops.flat(parameter(alpha, shape, dtype))), shape)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
LEAST_LOG = -40.0


def log_draw_slope(log_x: Array, alpha: Array) -> Array:
    """The derivative of the logarithm of a gamma draw x by alpha, at a fixed value of its distribution function P(alpha, x).

    That is -(dP/dalpha) / (x p(x)) for the density p (Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018): the
    integral over t > 0 of -(log x - t - digamma(alpha)) exp(x (1 - exp(-t)) - alpha t), by a series in x where x is below 1.
    Above alpha, where it is a difference of large numbers, that of (log x + t - digamma(alpha)) exp(alpha t - x (exp(t) - 1)) is
    taken. In float64.
    """
    dtype = alpha.type.dtype
    log_x, alpha = (ops.convert(v, F64) for v in (log_x, alpha))
    x, centre = jnp.exp(log_x), log_x - lax.digamma(alpha)
    small, above = x < 1, x > alpha
    series, term = jnp.zeros_like(x), jnp.exp(jnp.minimum(x, 1))
    for n in range(20):
        series = series - term * (centre - 1 / (alpha + n)) / (alpha + n)
        term = term * jnp.minimum(x, 1) / -(n + 1)
    x, sign = jnp.maximum(x, 1), jnp.where(above, 1.0, -1.0)
    slope = x - alpha
    end = (x - LEAST_LOG) / alpha
    for _ in range(8):  # from above to where the exponent is LEAST_LOG, for draws below alpha
        end = (x * -jnp.expm1(-end) - LEAST_LOG) / alpha
    end = jnp.where(above, -2 * LEAST_LOG / (slope + jnp.sqrt(slope * slope - 2 * LEAST_LOG * x)), end)
    t = end[:, None] * (NODES + 1) / 2
    side = sign[:, None]
    exponent = side * alpha[:, None] * t - x[:, None] * jnp.expm1(side * t)
    whole = jnp.sum((centre[:, None] + side * t) * jnp.exp(exponent) * WEIGHTS, axis=-1) * sign * end / 2
    return ops.convert(jnp.where(small, series, whole), dtype)


def _drawn(name: str, sampler: Any, key: KeyLike, parameters: tuple[Any, ...], shape: Shape | None, dtype: Any) -> Any:
    return draw_each(name, sampler, key, parameters, (shape_with(name, shape, *parameters), float_dtype(name, dtype)))


def gamma(key: KeyLike, a: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Gamma draws of density x**(a - 1) exp(-x), up to a factor. a > 0 broadcasts to `shape`, and gives it by default.

    Floats, float32 by default; jax's numbers up to the last places.

    >>> import jitgrad
    >>> gamma(jitgrad.random.key(0), 2.0, (3,)).shape
    (3,)
    """
    return _drawn("gamma", gammas, key, (a,), shape, dtype)


def _loggamma(word: Array, alpha: Array, shape: Sizes, dtype: DType) -> Array:
    return gammas(word, alpha, shape, dtype, log=True)


def loggamma(key: KeyLike, a: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """The logarithms of `gamma`'s draws, which keep their digits where a is small and the draws would underflow."""
    return _drawn("loggamma", _loggamma, key, (a,), shape, dtype)


def _beta(word: Array, a: Array, b: Array, shape: Sizes, dtype: DType) -> Array:
    first, second = split_word(word)
    x, y = _loggamma(first, a, shape, dtype), _loggamma(second, b, shape, dtype)
    largest = jnp.maximum(x, y)
    x, y = jnp.exp(x - largest), jnp.exp(y - largest)
    return x / (x + y)


def beta(key: KeyLike, a: ArrayLike, b: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Beta draws of density x**(a - 1) (1 - x)**(b - 1), up to a factor, on [0, 1]. a and b broadcast to `shape`."""
    return _drawn("beta", _beta, key, (a, b), shape, dtype)


def _chisquare(word: Array, df: Array, shape: Sizes, dtype: DType) -> Array:
    return jnp.exp(_loggamma(word, ops.convert(df, dtype) / 2, shape, dtype)) * 2


def chisquare(key: KeyLike, df: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """The sum of df squared normal draws, for any df > 0, which broadcasts to `shape`."""
    return _drawn("chisquare", _chisquare, key, (df,), shape, dtype)


def _t(word: Array, df: Array, shape: Sizes, dtype: DType) -> Array:
    first, second = split_word(word)
    half = ops.convert(df, dtype) / 2
    return normals(first, shape, dtype) * jnp.sqrt(half / gammas(second, half, shape, dtype))


def t(key: KeyLike, df: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws of Student's t distribution with df > 0 degrees of freedom, which broadcast to `shape`."""
    return _drawn("t", _t, key, (df,), shape, dtype)


def _f(word: Array, dfnum: Array, dfden: Array, shape: Sizes, dtype: DType) -> Array:
    below, above = split_word(word)
    dfnum, dfden = ops.convert(dfnum, dtype), ops.convert(dfden, dtype)
    return (_chisquare(above, dfnum, shape, dtype) / dfnum) / (_chisquare(below, dfden, shape, dtype) / dfden)


def f(key: KeyLike, dfnum: ArrayLike, dfden: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws of the F distribution: a quotient of chi-square draws, each over its degrees of freedom, which broadcast to `shape`."""
    return _drawn("f", _f, key, (dfnum, dfden), shape, dtype)


@done_at_once
def _normalized(logs: Array) -> Array:
    return softmax(logs, axis=-1)


def _dirichlet(key: Array, alpha: Array, shape: Sizes, dtype: DType) -> Array:
    found: Array = _normalized(each("dirichlet", _loggamma, key, [alpha], (shape, dtype)))
    return found


def dirichlet(key: KeyLike, alpha: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Dirichlet draws [*shape, n] for alpha [..., n], whose front axes broadcast to `shape`: n positive numbers of sum 1."""
    concentration = array_arg("random.dirichlet", alpha)
    if not concentration.type.shape:
        raise ArgumentError("random.dirichlet: alpha must have an axis, got a scalar")
    front = concentration.type.shape[:-1]
    sizes = front if shape is None else shape_arg("random.dirichlet", shape)
    check_shape("dirichlet", sizes, front)
    whole = (*sizes, concentration.type.shape[-1])
    static = (whole, float_dtype("dirichlet", dtype))
    return draw("dirichlet", _dirichlet, key, (concentration,), static, math.prod(whole))


def _generalized_normal(word: Word, p: Array, shape: Sizes, dtype: DType) -> Array:
    first, second = split_word(word)
    power = 1 / ops.convert(p, dtype)
    return signs(second, shape, dtype) * jnp.power(gammas(first, power, shape, dtype), power)


def generalized_normal(key: KeyLike, p: ArrayLike, shape: Shape = (), dtype: Any = None) -> Array:
    """Draws of density exp(-|x|**p), up to a factor, for p > 0."""
    sizes = shape_with("generalized_normal", shape_arg("random.generalized_normal", shape), p)
    return draw_each("generalized_normal", _generalized_normal, key, (p,), (sizes, float_dtype("generalized_normal", dtype)))


def _directions(word: Word, p: Array, shape: Sizes, dtype: DType) -> Array:
    return _generalized_normal(split_word(word)[0], p, shape, dtype)


def _excess(word: Word, shape: Sizes, dtype: DType) -> Array:
    return exponentials(split_word(word)[1], shape, dtype)


@done_at_once
def _within_ball(x: Array, excess: Array, p: Array) -> Array:
    length = jnp.sum(jnp.power(jnp.abs(x), p), axis=-1) + excess
    return x / jnp.power(length, 1 / jnp.asarray(p))[..., None]


def _ball(key: Array, p: Array, d: int, shape: Sizes, dtype: DType) -> Array:
    p = ops.convert(p, dtype)
    x = each("ball", _directions, key, [p], ((*shape, d), dtype))
    found: Array = _within_ball(x, each("ball", _excess, key, [], (shape, dtype)), p)
    return found


def ball(key: KeyLike, d: int, p: ArrayLike = 2, shape: Shape = (), dtype: Any = None) -> Array:
    """Uniform points of the unit ball of d dimensions in the p-norm, [*shape, d] (Barthe et al., A probabilistic approach to the
    geometry of the l_p^n-ball, 2005).
    """
    if d < 1:
        raise ArgumentError(f"random.ball: d must be at least 1, got {d}")
    sizes = shape_arg("random.ball", shape)
    return draw("ball", _ball, key, (p,), (d, sizes, float_dtype("ball", dtype)), math.prod(sizes) * d)
