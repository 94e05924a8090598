"""Draws of floats by a formula: most invert the distribution function at a uniform number. Next on the path: `gamma.py`.

The formulas are in Devroye, Non-Uniform Random Variate Generation (1986), chapter II. Which uniform number becomes which draw is as
in jax, so that the numbers are jax's, up to the last places of exp, log and their kin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError
from jitgrad.operands import ArrayLike, broadcast_shape, shape_arg
from jitgrad.promotion import dtype_name
from jitgrad.scipy.special import log_ndtr
from jitgrad_compiler.ir.types import F32, F64, FLOATS, I64, U32, U64, DType

from .bits import floats_between, random_bits, scaled, unit_floats
from .keys import KeyLike, Word, split_word
from .programs import Shape, draw_each, float_dtype, parameter, shape_with

Sizes = tuple[int, ...]
EPSILON = {dtype: 2.0**-dtype.fraction_bits for dtype in FLOATS}
TINY = {name: float(ops.limits(name).tiny) for name in EPSILON}


def _symmetric(word: Array, shape: Sizes, dtype: DType) -> Array:
    """Uniform floats of (-1, 1)."""
    return floats_between(word, shape, dtype, EPSILON[dtype] / 2 - 1, 1.0)


def _positive(word: Word, shape: Sizes, dtype: DType) -> Array:
    """Uniform floats of (0, 1), the least of which, in place of 0, is tiny."""
    return jnp.maximum(unit_floats(word, shape, dtype), TINY[dtype])


def normals(word: Array, shape: Sizes, dtype: DType) -> Array:
    if dtype.is_complex:
        real, imag = (normals(w, shape, dtype.real) for w in split_word(word))
        return ops.op("complex", real, imag) / math.sqrt(2)
    return ops.op("erf_inv", _symmetric(word, shape, dtype)) * math.sqrt(2)


def exponentials(word: Word, shape: Sizes, dtype: DType) -> Array:
    return -jnp.log1p(-unit_floats(word, shape, dtype))


def _logistic(word: Array, shape: Sizes, dtype: DType) -> Array:
    u = _positive(word, shape, dtype)
    return jnp.log(u) - jnp.log1p(-u)


def _laplace(word: Array, shape: Sizes, dtype: DType) -> Array:
    u = _symmetric(word, shape, dtype)
    return jnp.sign(u) * jnp.log1p(-jnp.abs(u))


def _cauchy(word: Array, shape: Sizes, dtype: DType) -> Array:
    return jnp.tan((floats_between(word, shape, dtype, EPSILON[dtype], 1.0) - 0.5) * math.pi)


def _maxwell(word: Array, shape: Sizes, dtype: DType) -> Array:
    return jnp.sqrt(jnp.sum(jnp.square(normals(word, (*shape, 3), dtype)), axis=-1))


def _standard(name: str, sampler: Callable[..., Array], doc: str) -> Callable[..., Array]:
    """A distribution without parameters."""
    where = f"random.{name}"

    def drawn(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
        return draw_each(name, sampler, key, (), (shape_arg(where, shape), float_dtype(name, dtype)))

    drawn.__name__ = drawn.__qualname__ = name
    drawn.__doc__ = (
        f"{doc}\n\nFloats of the given shape and type (float32 by default, `config.default_float`); jax's numbers within 2 ulp.\n\n"
        f">>> import jitgrad\n>>> jitgrad.random.{name}(jitgrad.random.key(0), (3, 2)).shape\n(3, 2)"
    )
    return drawn


exponential = _standard("exponential", exponentials, "Exponential draws of mean 1.")
logistic = _standard("logistic", _logistic, "Draws of the logistic distribution, whose distribution function is 1 / (1 + exp(-x)).")
laplace = _standard("laplace", _laplace, "Draws of the Laplace distribution of density exp(-|x|) / 2.")
cauchy = _standard("cauchy", _cauchy, "Draws of the Cauchy distribution of density 1 / (pi (1 + x*x)).")
maxwell = _standard("maxwell", _maxwell, "The lengths of vectors of three independent normal draws.")


def normal(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """Normal draws of mean 0 and standard deviation 1; complex ones have |z|**2 of mean 1.

    Numbers of the given shape and type (float32 by default, `config.default_float`); jax's within 2 ulp.

    >>> import jitgrad
    >>> jitgrad.random.normal(jitgrad.random.key(0), (3, 2)).shape
    (3, 2)
    """
    name = dtype_name(float if dtype is None else dtype)
    static = (shape_arg("random.normal", shape), name if name.is_complex else float_dtype("normal", dtype))
    return draw_each("normal", normals, key, (), static)


def truncated(word: Array, lower: Array, upper: Array, shape: Sizes, dtype: DType, tails: bool) -> Array:
    """sqrt(2) * erf_inv(u) for u between erf(lower / sqrt(2)) and that of upper; where u has lost the digits that tell it from 1 or
    -1, the draw is found from the logarithm of its tail.
    """
    low, high = parameter(lower, shape, dtype), parameter(upper, shape, dtype)
    root = jnp.asarray(math.sqrt(2), dtype.numpy)
    first, last = _end(low / root), _end(high / root)
    u = unit_floats(word, shape, dtype)
    inside = jnp.maximum(scaled(u, last - first, first), first)
    drawn = ops.op("erf_inv", inside) * root
    if tails:
        far = jnp.abs(inside) > 1 - math.sqrt(EPSILON[dtype])
        side = jnp.where(inside < 0, -1.0, 1.0).astype(dtype.numpy)
        distance = _tail_draw(jnp.maximum(u, EPSILON[dtype] / 2), low * side, high * side)
        drawn = jnp.where(far, distance * side, drawn)
    return jnp.clip(drawn, *(ops.op("stop_gradient", ops.op("nextafter", v, w)) for v, w in ((low, high), (high, low))))


def _end(x: Array) -> Array:
    """erf(x), in float32 rounded once: where it is close to 1, draws change by many times what it errs by."""
    if x.type.dtype != F32:
        return jnp.asarray(ops.op("erf", x))
    return jnp.asarray(ops.convert(ops.op("erf", ops.convert(x, F64)), F32))


def _tail_draw(u: Array, low: Array, high: Array) -> Array:
    """The x above 3 or so whose log Q(x) is that of (1 - u) Q(low) + u Q(high), for the normal distribution's upper tail Q.

    Newton's method, on what is nearly a parabola; it starts from Q(x) = exp(-x*x/2) / (sqrt(2 pi) x).
    """
    wanted = jnp.logaddexp(log_ndtr(-low) + jnp.log1p(-u), log_ndtr(-high) + jnp.log(u))
    beyond = wanted == -jnp.inf
    wanted = jnp.where(beyond, -6.0, jnp.minimum(wanted, -6.0))
    x = jnp.sqrt(-2 * wanted - jnp.log(-4 * math.pi * wanted))
    for _ in range(3):
        tail = log_ndtr(-x)
        hazard = jnp.exp(-0.5 * x * x - 0.5 * math.log(2 * math.pi) - tail)
        x = x + (tail - wanted) / hazard
    return jnp.where(beyond, jnp.minimum(low, high), x)


def truncated_normal(key: KeyLike, lower: ArrayLike, upper: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Standard normal draws on condition that they lie between `lower` and `upper`, which broadcast to `shape`.

    Floats, float32 by default. jax's numbers up to the last places of erf and its inverse, as long as these tell u from 1 and -1;
    farther out (from about 3.6 on, 5.7 in float64) the same u in exact arithmetic, where jax's draws become coarse, then infinite.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = truncated_normal(jitgrad.random.key(0), -2.0, 2.0, (1000,))
    >>> bool(jnp.all(jnp.abs(draws) < 2))
    True
    """
    sizes, name = shape_with("truncated_normal", shape, lower, upper), float_dtype("truncated_normal", dtype)
    tails = not all(isinstance(v, (int, float)) and abs(v) < 3.5 for v in (lower, upper))
    return draw_each("truncated_normal", truncated, key, (lower, upper), (sizes, name, tails))


def gumbels(word: Word, shape: Sizes, dtype: DType, mode: str = "low") -> Array:
    if mode == "low":
        return -jnp.log(-jnp.log(_positive(word, shape, dtype)))
    if mode == "highest" and dtype == F32:
        return _gumbel_of_64_bits(*(random_bits(word, shape, U32, second) for second in (False, True)))
    high, low = (unit_floats(word, shape, dtype, second) for second in (False, True))
    finer = high + EPSILON[dtype] * low + TINY[dtype]
    return -jnp.log(-jnp.log1p(-jnp.where(high >= 0.5, high, finer)))


def _gumbel_of_64_bits(high: Array, low: Array) -> Array:
    """Gumbel draws of 64-bit fixed-point numbers of (0, 1), of which what is above 1/2 is converted as 1 less it."""
    high, low = ops.convert(high, U64), ops.convert(low, U64)
    fixed = (high << 32) | low
    below = high < 2**31
    fixed = ops.select(below, fixed, -fixed)
    spare = ops.convert(jnp.maximum(40 - ops.convert(ops.op("clz", fixed), I64), 0), U64)
    x = ops.convert((fixed >> spare) << spare, F32) * 2.0**-64
    return -jnp.log(jnp.where(below, -jnp.log1p(-x), -jnp.log(x)))


def gumbel(key: KeyLike, shape: Shape = (), dtype: Any = None, mode: str | None = None) -> Array:
    """Draws of the standard Gumbel distribution, whose distribution function is exp(-exp(-x)).

    Floats of the given shape and type (float32 by default, `config.default_float`); jax's numbers within 2 ulp, near 0 of 1. mode
    "high" (or "highest") takes twice the random bits, so that float32 draws reach 32 (44) instead of 16.

    >>> import jitgrad
    >>> jitgrad.random.gumbel(jitgrad.random.key(0), (3, 2)).shape
    (3, 2)
    """
    static = (shape_arg("random.gumbel", shape), float_dtype("gumbel", dtype), gumbel_mode("gumbel", mode))
    return draw_each("gumbel", gumbels, key, (), static)


def gumbel_mode(where: str, mode: str | None) -> str:
    if mode not in (None, "low", "high", "highest"):
        raise ArgumentError(f"random.{where}: mode must be 'low', 'high' or 'highest', got {mode!r}")
    return mode or "low"


def _lognormal(word: Array, sigma: Array, shape: Sizes, dtype: DType) -> Array:
    return jnp.exp(normals(word, shape, dtype) * parameter(sigma, shape, dtype))


def _pareto(word: Array, b: Array, shape: Sizes, dtype: DType) -> Array:
    return jnp.exp(exponentials(word, shape, dtype) / parameter(b, shape, dtype))


def _rayleigh(word: Array, scale: Array, shape: Sizes, dtype: DType) -> Array:
    u = jnp.maximum(unit_floats(word, shape, dtype), EPSILON[dtype] / 2)
    return jnp.sqrt(jnp.log(u) * -2) * parameter(scale, shape, dtype)


def _wald(word: Array, mean: Array, shape: Sizes, dtype: DType) -> Array:
    """The smaller root x of a quadratic in a squared normal draw, or mean**2 / x (Michael, Schucany and Haas 1976)."""
    first, second = split_word(word)
    mean = parameter(mean, shape, dtype)
    y = jnp.square(normals(first, shape, dtype))
    square = jnp.square(mean)
    x = mean + square * y / 2 - mean / 2 * jnp.sqrt(4 * mean * y + square * jnp.square(y))
    return jnp.where(unit_floats(second, shape, dtype) <= mean / (mean + x), x, square / x)


def _triangular(word: Array, left: Array, mode: Array, right: Array, shape: Sizes, dtype: DType) -> Array:
    left, mode, right = (parameter(v, shape, dtype) for v in (left, mode, right))
    u, width = unit_floats(word, shape, dtype), right - left
    rising = left + jnp.sqrt(u * width * (mode - left))
    falling = right - jnp.sqrt((1 - u) * width * (right - mode))
    return jnp.where(u < (mode - left) / width, rising, falling)


def _weibull_min(word: Array, scale: Array, concentration: Array, shape: Sizes, dtype: DType) -> Array:
    scale, concentration = ops.convert(scale, dtype), ops.convert(concentration, dtype)
    return jnp.power(exponentials(word, shape, dtype), 1 / jnp.asarray(concentration)) * scale


def _double_sided_maxwell(word: Array, loc: Array, scale: Array, shape: Sizes, dtype: DType) -> Array:
    first, second = split_word(word)
    sign = signs(second, shape, dtype)
    return sign * _maxwell(first, shape, dtype) * ops.convert(scale, dtype) + ops.convert(loc, dtype)


def signs(word: Word, shape: Sizes, dtype: DType) -> Array:
    """-1 or 1, by whether a uniform number is below 1/2."""
    above = jnp.where(unit_floats(word, shape, dtype_name("float64")) < 0.5, 1, -1)
    return ops.convert(above, dtype)


def _drawn(
    name: str, sampler: Callable[..., Array], key: KeyLike, parameters: tuple[Any, ...], shape: Shape | None, dtype: Any
) -> Array:
    return draw_each(name, sampler, key, parameters, (shape_with(name, shape, *parameters), float_dtype(name, dtype)))


# Parameters broadcast to `shape`, and give it where it is None. Floats, float32 by default; jax's numbers up to the last places.


def lognormal(key: KeyLike, sigma: ArrayLike = 1.0, shape: Shape | None = None, dtype: Any = None) -> Array:
    """exp(sigma * z) for normal draws z. sigma broadcasts to `shape`."""
    return _drawn("lognormal", _lognormal, key, (sigma,), shape, dtype)


def pareto(key: KeyLike, b: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws of density b / x**(b + 1) above 1. b broadcasts to `shape`."""
    return _drawn("pareto", _pareto, key, (b,), shape, dtype)


def rayleigh(key: KeyLike, scale: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """scale * sqrt(2e) for exponential draws e. scale broadcasts to `shape`."""
    return _drawn("rayleigh", _rayleigh, key, (scale,), shape, dtype)


def wald(key: KeyLike, mean: ArrayLike, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws of the inverse Gaussian distribution of this mean and of shape parameter 1 * mean. mean broadcasts to `shape`."""
    return _drawn("wald", _wald, key, (mean,), shape, dtype)


def triangular(
    key: KeyLike, left: ArrayLike, mode: ArrayLike, right: ArrayLike, shape: Shape | None = None, dtype: Any = None
) -> Array:
    """Draws whose density rises linearly from `left` to `mode` and falls to `right`. The parameters broadcast to `shape`."""
    return _drawn("triangular", _triangular, key, (left, mode, right), shape, dtype)


def weibull_min(key: KeyLike, scale: ArrayLike, concentration: ArrayLike, shape: Shape = (), dtype: Any = None) -> Array:
    """scale * e ** (1 / concentration) for exponential draws e of `shape`, with which the parameters broadcast."""
    static = (shape_arg("random.weibull_min", shape), float_dtype("weibull_min", dtype))
    return draw_each("weibull_min", _weibull_min, key, (scale, concentration), static)


def double_sided_maxwell(key: KeyLike, loc: ArrayLike, scale: ArrayLike, shape: Shape = (), dtype: Any = None) -> Array:
    """loc + scale * r for Maxwell draws r of either sign.

    As in jax the shape of the parameters comes behind `shape`, which is theirs where it is ().
    """
    where = "random.double_sided_maxwell"
    both = broadcast_shape(where, tuple(as_value(v, where).type.shape for v in (loc, scale)))
    static = ((*(shape_arg(where, shape) or both), *both), float_dtype("double_sided_maxwell", dtype))
    return draw_each("double_sided_maxwell", _double_sided_maxwell, key, (loc, scale), static)
