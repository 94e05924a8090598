"""Draws from distributions of numbers. Most invert the distribution function at a uniform number of the open interval (0, 1).

The formulas are in Devroye, Non-Uniform Random Variate Generation (1986), chapter II. Next on the path: `selection.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError
from jitgrad.numpy import ops
from jitgrad.promotion import default_float, dtype_name, inexact, strong_dtype
from jitgrad_compiler.ir.types import FLOATS, INTEGERS, NUMPY

from .bits import Shape, bits, float_dtype, open_uniform, parameter, parameter_shape, uniform
from .keys import KeyLike, split


def _number(x: Array, number: float) -> Array:
    return ops.constant(number, x.type.dtype)


def _normal(u: Array) -> Array:
    """sqrt(2) * erf_inv(2u - 1), of which 2u - 1 is not rounded."""
    centred = ops.op("sub", ops.op("add", u, u), _number(u, 1.0))
    return ops.op("mul", ops.op("erf_inv", centred), _number(u, math.sqrt(2)))


def _exponential(u: Array) -> Array:
    return ops.op("neg", ops.op("log", u))


def _gumbel(u: Array) -> Array:
    return ops.op("neg", ops.op("log", _exponential(u)))


def _logistic(u: Array) -> Array:
    return ops.op("sub", ops.op("log", u), ops.op("log1p", ops.op("neg", u)))


def _laplace(u: Array) -> Array:
    centred = ops.op("sub", ops.op("add", u, u), _number(u, 1.0))
    size = ops.op("neg", ops.op("log1p", ops.op("neg", ops.op("abs", centred))))
    return ops.op("copysign", size, centred)


def _cauchy(u: Array) -> Array:
    return ops.op("tan", ops.op("mul", ops.op("sub", u, _number(u, 0.5)), _number(u, math.pi)))


def _standard(name: str, inverse: Callable[[Array], Array], doc: str) -> Callable[..., Array]:
    """A distribution without parameters, by the inverse of its distribution function."""

    def draw(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
        return inverse(open_uniform(name, key, shape, dtype))

    draw.__name__ = draw.__qualname__ = name
    draw.__doc__ = (
        f"{doc}\n\nFloats of the given shape and type (config.default_float by default).\n\n"
        f">>> import jitgrad\n>>> jitgrad.random.{name}(jitgrad.random.key(0), (3, 2)).shape\n(3, 2)"
    )
    return draw


normal = _standard("normal", _normal, "Normal draws of mean 0 and standard deviation 1.")
exponential = _standard("exponential", _exponential, "Exponential draws of mean 1.")
gumbel = _standard("gumbel", _gumbel, "Draws of the standard Gumbel distribution, whose distribution function is exp(-exp(-x)).")
logistic = _standard("logistic", _logistic, "Draws of the logistic distribution, whose distribution function is 1 / (1 + exp(-x)).")
laplace = _standard("laplace", _laplace, "Draws of the Laplace distribution of density exp(-|x|) / 2.")
cauchy = _standard("cauchy", _cauchy, "Draws of the Cauchy distribution of density 1 / (pi (1 + x*x)).")


def truncated_normal(key: KeyLike, lower: Any, upper: Any, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Standard normal draws on condition that they lie between `lower` and `upper`, which broadcast to `shape`.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> draws = truncated_normal(jitgrad.random.key(0), -2.0, 2.0, (1000,))
    >>> bool(jnp.all(jnp.abs(draws) < 2))
    True
    """
    sizes, name = parameter_shape("truncated_normal", shape, lower, upper), float_dtype("truncated_normal", dtype)
    low, high = (parameter("truncated_normal", v, sizes, name) for v in (lower, upper))
    half_root = ops.constant(math.sqrt(0.5), name)
    a, b = (ops.op("erf", ops.op("mul", v, half_root)) for v in (low, high))
    u = open_uniform("truncated_normal", key, sizes, name)
    inside = ops.op("add", a, ops.op("mul", u, ops.op("sub", b, a)))
    drawn = ops.op("mul", ops.op("erf_inv", inside), ops.constant(math.sqrt(2), name))
    first, last = ops.op("nextafter", low, high), ops.op("nextafter", high, low)
    return ops.op("min", ops.op("max", drawn, first), last)


def bernoulli(key: KeyLike, p: Any = 0.5, shape: Shape | None = None) -> Array:
    """True with probability p, which broadcasts to `shape`.

    >>> import jitgrad
    >>> print(bernoulli(jitgrad.random.key(0), 1.0, (2,)))
    [ True  True]
    """
    chance = as_value(p, "random.bernoulli")
    if chance.type.dtype not in FLOATS and not chance.weak:
        raise DTypeError(f"random.bernoulli: p must be of a float type, got {chance.dtype}")
    sizes = parameter_shape("bernoulli", shape, p)
    name = inexact(strong_dtype(chance.type.dtype, chance.weak), default_float())
    return ops.op("lt", uniform(key, sizes, name), parameter("bernoulli", p, sizes, name))


def rademacher(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """-1 or 1 with equal probability, int64 by default.

    >>> import jitgrad
    >>> abs(int(rademacher(jitgrad.random.key(0))))
    1
    """
    name = "i64" if dtype is None else dtype_name(dtype)
    if name == "bool":
        raise DTypeError("random.rademacher: dtype must hold -1 and 1, got bool")
    bit = ops.convert(ops.op("and", bits(key, shape), ops.constant(1, "u32")), name)
    return ops.op("sub", ops.op("add", bit, bit), ops.constant(1, name))


def lognormal(key: KeyLike, sigma: Any = 1.0, shape: Shape | None = None, dtype: Any = None) -> Array:
    """exp(sigma * z) for normal draws z. sigma broadcasts to `shape`."""
    sizes, name = parameter_shape("lognormal", shape, sigma), float_dtype("lognormal", dtype)
    return ops.op("exp", ops.op("mul", normal(key, sizes, name), parameter("lognormal", sigma, sizes, name)))


def pareto(key: KeyLike, b: Any, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws of density b / x**(b + 1) above 1. b broadcasts to `shape`."""
    sizes, name = parameter_shape("pareto", shape, b), float_dtype("pareto", dtype)
    return ops.op("exp", ops.op("div", exponential(key, sizes, name), parameter("pareto", b, sizes, name)))


def rayleigh(key: KeyLike, scale: Any, shape: Shape | None = None, dtype: Any = None) -> Array:
    """scale * sqrt(2e) for exponential draws e. scale broadcasts to `shape`."""
    sizes, name = parameter_shape("rayleigh", shape, scale), float_dtype("rayleigh", dtype)
    drawn = exponential(key, sizes, name)
    return ops.op("mul", ops.op("sqrt", ops.op("add", drawn, drawn)), parameter("rayleigh", scale, sizes, name))


def weibull_min(key: KeyLike, scale: Any, concentration: Any, shape: Shape = (), dtype: Any = None) -> Array:
    """scale * e ** (1 / concentration) for exponential draws e. The parameters broadcast to `shape`."""
    sizes, name = parameter_shape("weibull_min", shape), float_dtype("weibull_min", dtype)
    power = ops.op("div", ops.op("log", exponential(key, sizes, name)), parameter("weibull_min", concentration, sizes, name))
    return ops.op("mul", ops.op("exp", power), parameter("weibull_min", scale, sizes, name))


def maxwell(key: KeyLike, shape: Shape = (), dtype: Any = None) -> Array:
    """The lengths of vectors of three independent normal draws."""
    sizes, name = parameter_shape("maxwell", shape), float_dtype("maxwell", dtype)
    parts = normal(key, (*sizes, 3), name)
    return ops.op("sqrt", ops.reduce_sum(ops.op("mul", parts, parts), (len(sizes),)))


def triangular(key: KeyLike, left: Any, mode: Any, right: Any, shape: Shape | None = None, dtype: Any = None) -> Array:
    """Draws whose density rises linearly from `left` to `mode` and falls to `right`. The parameters broadcast to `shape`."""
    sizes, name = parameter_shape("triangular", shape, left, mode, right), float_dtype("triangular", dtype)
    low, top, high = (parameter("triangular", v, sizes, name) for v in (left, mode, right))
    u = open_uniform("triangular", key, sizes, name)
    width, rise, fall = ops.op("sub", high, low), ops.op("sub", top, low), ops.op("sub", high, top)
    rising = ops.op("add", low, ops.op("sqrt", ops.op("mul", u, ops.op("mul", width, rise))))
    rest = ops.op("sub", ops.constant(1.0, name), u)
    falling = ops.op("sub", high, ops.op("sqrt", ops.op("mul", rest, ops.op("mul", width, fall))))
    return ops.select(ops.op("lt", ops.op("mul", u, width), rise), rising, falling)


def geometric(key: KeyLike, p: Any, shape: Shape | None = None, dtype: Any = None) -> Array:
    """How many trials of probability p it takes until one succeeds: 1, 2, ... (int64 by default). p broadcasts to `shape`."""
    name = "i64" if dtype is None else dtype_name(dtype)
    if name not in INTEGERS:
        raise DTypeError(f"random.geometric: dtype must be an integer type, got {NUMPY[name]}")
    sizes, working = parameter_shape("geometric", shape, p), default_float()
    chance = parameter("geometric", p, sizes, working)
    failures = ops.op("div", ops.op("log", open_uniform("geometric", key, sizes, working)), ops.op("log1p", ops.op("neg", chance)))
    return ops.op("add", ops.convert(ops.op("floor", failures), name), ops.constant(1, name))


def ball(key: KeyLike, d: int, p: float = 2, shape: Shape = (), dtype: Any = None) -> Array:
    """Uniform points of the unit ball of d dimensions, [*shape, d], in the Euclidean norm (p=2, the only one).

    A normal vector has a uniform direction; the length is a uniform number to the power 1 / d.
    """
    if p != 2 or d < 1:
        raise ArgumentError(f"random.ball: d must be at least 1 and p must be 2, got d={d} and p={p}")
    sizes, name = parameter_shape("ball", shape), float_dtype("ball", dtype)
    direction_key, length_key = split(key)
    direction = normal(direction_key, (*sizes, d), name)
    length = ops.op("sqrt", ops.reduce_sum(ops.op("mul", direction, direction), (len(sizes),)))
    u = open_uniform("ball", length_key, sizes, name)
    scale = ops.op("div", ops.op("exp", ops.op("div", ops.op("log", u), ops.constant(float(d), name))), length)
    return ops.op("mul", direction, ops.spread(scale, (*sizes, d), (len(sizes),)))
