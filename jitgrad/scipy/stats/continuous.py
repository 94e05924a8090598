"""Continuous distributions. Formulas are those of Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.nn import log1mexp, softplus
from jitgrad.scipy.special import (
    betainc,
    betaincinv,
    betaln,
    expit,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_ndtr,
    logit,
    ndtr,
    ndtri,
    xlog1py,
    xlogy,
)

from .distribution import distribution, log_chance
from .saddle_points import log_binomial, log_poisson

LOG_2PI = math.log(2 * math.pi)
MANY = 1e4  # degrees of freedom, from which on Student's t is a normal distribution that is a little bent
One = Callable[[Any], Any]


def _density(log: Callable[..., Any], low: float = -math.inf, high: float = math.inf) -> Callable[..., Any]:
    """The log-density at x from that of the standard form, which is 0 outside [low, high]."""

    def logpdf(x: Any, loc: Any, scale: Any, *shapes: Any) -> Any:
        y = (x - loc) / scale
        there = (y >= low) & (y <= high)
        held = jnp.where(there, y, min(max(low, 0.5), high)) if (low, high) != (-math.inf, math.inf) else y
        density = log(held, *shapes) - jnp.log(scale)
        return density if held is y else jnp.where(there | jnp.isnan(y), jnp.where(there, density, y), -math.inf)

    return logpdf


def _standard(
    name: str, doc: str, example: str, logpdf: One, low: float = -math.inf, high: float = math.inf, *, chance: str = "q",
    **methods: One,
) -> Any:  # fmt: skip
    """A family of a location and a scale alone, from the functions of its standard form on [low, high]; `chance`: what jax calls
    the argument of ppf and isf.
    """
    density = _density(logpdf, low, high)
    ends = {"cdf": (0, 1), "logcdf": (-math.inf, 0), "sf": (1, 0), "logsf": (0, -math.inf)}

    def at_values(method: str, f: One) -> Callable[..., Any]:
        below, above = ends[method]

        def formula(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
            y = (x - loc) / scale
            middle = f(jnp.clip(y, low, high)) if (low, high) != (-math.inf, math.inf) else f(y)
            return jnp.where(y < low, below, jnp.where(y > high, above, middle))

        return formula

    def at_chances(f: One) -> Callable[..., Any]:
        def formula(q: Any, loc: Any = 0, scale: Any = 1) -> Any:
            return jnp.where((q >= 0) & (q <= 1), f(q) * scale + loc, math.nan)

        first, *rest = inspect.signature(formula).parameters.values()
        formula.__signature__ = inspect.Signature([first.replace(name=chance), *rest])  # type: ignore[attr-defined]
        return formula

    def logpdf_formula(x: Any, loc: Any = 0, scale: Any = 1) -> Any:
        return density(x, loc, scale)

    rest = {m: at_values(m, f) if m in ends else at_chances(f) for m, f in methods.items()}
    return distribution(name, doc, example, wide=False, logpdf=logpdf_formula, **rest)


def _tangent(q: Any) -> Array:
    """tan(pi * (q - 1/2)) of a chance, by whichever end is near."""
    end = jnp.abs(jnp.minimum(q, 1 - q))  # of -0, too
    far = jnp.where(end < 0.25, 1 / jnp.tan(math.pi * jnp.where(end < 0.25, end, 0.25)), 0.0)
    return jnp.where(end < 0.25, jnp.where(q < 0.5, -far, far), jnp.tan(math.pi * (jnp.where(end < 0.25, 0.5, q) - 0.5)))


def _log1p_square(y: Any) -> Array:
    """log(1 + y^2), of which y^2 may overflow."""
    size = jnp.abs(y)
    far = size > 16
    held = jnp.where(far, size, 16.0)
    return jnp.where(far, 2 * jnp.log(held) + jnp.log1p((1 / held) ** 2), jnp.log1p(jnp.where(far, 0.0, y) ** 2))


norm = _standard(
    "norm", "The normal distribution of mean loc and standard deviation scale.", "logpdf(0.0) -> -0.9189385",
    lambda y: -0.5 * (y * y + LOG_2PI), cdf=ndtr, logcdf=log_ndtr, sf=lambda y: ndtr(-y), logsf=lambda y: log_ndtr(-y),
    ppf=ndtri, isf=lambda q: -ndtri(q),
)  # fmt: skip
uniform = _standard(
    "uniform", "The uniform distribution on [loc, loc + scale].", "cdf(0.25) -> 0.25",
    lambda y: 0 * y, 0, 1, cdf=lambda y: y, logcdf=jnp.log, sf=lambda y: 1 - y, logsf=lambda y: jnp.log1p(-y), ppf=lambda q: q,
    isf=lambda q: 1 - q,
)  # fmt: skip
expon = _standard(
    "expon", "The exponential distribution of mean scale, from loc on.", "logpdf(2.0) -> -2.0",
    lambda y: -y, 0, math.inf, cdf=lambda y: -jnp.expm1(-y), logcdf=log1mexp, sf=lambda y: jnp.exp(-y), logsf=lambda y: -y,
    ppf=lambda q: -jnp.log1p(-q), isf=lambda q: -jnp.log(q),
)  # fmt: skip


def _laplace_cdf(y: Any) -> Array:
    half = 0.5 * jnp.exp(-jnp.abs(y))
    return jnp.where(y < 0, half, 1 - half)


def _laplace_logcdf(y: Any) -> Array:
    return jnp.where(y < 0, y - math.log(2), jnp.log1p(-0.5 * jnp.exp(-jnp.abs(y))))


def _laplace_ppf(q: Any) -> Array:
    return jnp.where(q < 0.5, jnp.log(2 * q), -jnp.log(2 * (1 - q)))


laplace = _standard(
    "laplace", "The Laplace distribution, exponential to both sides of loc.", "cdf(0.0) -> 0.5",
    lambda y: -jnp.abs(y) - math.log(2),
    cdf=_laplace_cdf, logcdf=_laplace_logcdf, sf=lambda y: _laplace_cdf(-y), logsf=lambda y: _laplace_logcdf(-y), ppf=_laplace_ppf,
    isf=lambda q: -_laplace_ppf(q),
)  # fmt: skip
logistic = _standard(
    "logistic", "The logistic distribution.", "cdf(0.0) -> 0.5",
    lambda y: -jnp.abs(y) - 2 * softplus(-jnp.abs(y)), cdf=expit,
    logcdf=lambda y: -softplus(-y), sf=lambda y: expit(-y), logsf=lambda y: -softplus(y), ppf=logit, isf=lambda q: -logit(q),
    chance="x",
)  # fmt: skip
cauchy = _standard(
    "cauchy", "The Cauchy distribution.", "cdf(0.0) -> 0.5",
    lambda y: -math.log(math.pi) - _log1p_square(y),
    cdf=lambda y: jnp.arctan2(1.0, -y) / math.pi, logcdf=lambda y: jnp.log(jnp.arctan2(1.0, -y) / math.pi),
    sf=lambda y: jnp.arctan2(1.0, y) / math.pi, logsf=lambda y: jnp.log(jnp.arctan2(1.0, y) / math.pi),
    ppf=lambda q: _tangent(q), isf=lambda q: -_tangent(q),
)  # fmt: skip
gumbel_r = _standard(
    "gumbel_r", "The Gumbel distribution, of the largest of many.", "logpdf(0.0) -> -1.0",
    lambda y: -y - jnp.exp(-y), cdf=lambda y: jnp.exp(-jnp.exp(-y)), logcdf=lambda y: -jnp.exp(-y),
    sf=lambda y: -jnp.expm1(-jnp.exp(-y)), logsf=lambda y: log1mexp(jnp.exp(-y)), ppf=lambda q: -jnp.log(-jnp.log(q)),
    isf=lambda q: -jnp.log(-jnp.log1p(-q)), chance="p",
)  # fmt: skip
gumbel_l = _standard(
    "gumbel_l", "The Gumbel distribution, of the smallest of many.", "logpdf(0.0) -> -1.0",
    lambda y: y - jnp.exp(y), cdf=lambda y: -jnp.expm1(-jnp.exp(y)), logcdf=lambda y: log1mexp(jnp.exp(y)),
    sf=lambda y: jnp.exp(-jnp.exp(y)), logsf=lambda y: -jnp.exp(y), ppf=lambda q: jnp.log(-jnp.log1p(-q)),
    isf=lambda q: jnp.log(-jnp.log(q)), chance="p",
)  # fmt: skip


def _beta_logpdf(y: Any, a: Any, b: Any) -> Array:
    large = (a > 8) & (b > 8)  # whose terms cancel
    held, rest = jnp.where(large, y, 0.5), jnp.where(large, 0.5, y)
    found = log_binomial(jnp.where(large, a, 2.0) - 1, jnp.where(large, b, 2.0) - 1, held, 1 - held)
    plain = xlogy(a - 1, rest) + xlog1py(b - 1, -rest) - betaln(a, b)
    return jnp.where(large, found + jnp.log(jnp.where(large, a + b - 1, 1.0)), plain)


def _gamma_logpdf(y: Any, a: Any) -> Array:
    large = a > 8
    held, rest = jnp.where(large, y, 1.0), jnp.where(large, 1.0, y)
    return jnp.where(large, log_poisson(jnp.where(large, a, 2.0) - 1, held), xlogy(a - 1, rest) - rest - gammaln(a))


_beta = _density(_beta_logpdf, 0, 1)
_gamma = _density(_gamma_logpdf, 0)
_chi2 = _density(lambda y, df: _gamma_logpdf(y / 2, df / 2) - math.log(2), 0)
_t = _density(lambda y, df: _t_logpdf(y, df))
_pareto = _density(lambda y, b: jnp.log(b) - (b + 1) * jnp.log(y), 1)


def _chances(below: Callable[..., Any], above: Callable[..., Any], low: float, high: float) -> dict[str, Callable[..., Any]]:
    """cdf, sf and their logarithms of a family of shapes on [low, high], from those of its standard form."""

    def at(f: Callable[..., Any], ends: tuple[float, float]) -> Callable[..., Any]:
        def formula(x: Any, loc: Any, scale: Any, *shapes: Any) -> Any:
            y = (x - loc) / scale
            inside = (y > low) & (y < high)
            middle = f(jnp.where(inside, y, 0.5), *shapes)
            known = jnp.where(jnp.isnan(y), y, middle)
            return jnp.where(inside | jnp.isnan(known), known, jnp.where(y <= low, ends[0], jnp.where(y >= high, ends[1], known)))

        return formula

    cdf, sf = at(below, (0.0, 1.0)), at(above, (1.0, 0.0))
    return {
        "cdf": cdf, "sf": sf, "logcdf": lambda *args: log_chance(cdf(*args), sf(*args)),
        "logsf": lambda *args: log_chance(sf(*args), cdf(*args)),
    }  # fmt: skip


def _quantiles(ppf: Callable[..., Any], isf: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """ppf and isf of a family of shapes, from those of its standard form, which are NaN outside [0, 1]."""

    def at(f: Callable[..., Any]) -> Callable[..., Any]:
        return lambda q, loc, scale, *shapes: f(q, *shapes) * scale + loc

    return {"ppf": at(ppf), "isf": at(isf)}


def _of_shapes(like: Callable[..., Any], **formulas: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Formulas of x, loc, scale and shapes, with the arguments in the order that users give, those of the function `like`."""

    def in_order(f: Callable[..., Any]) -> Callable[..., Any]:
        def formula(x: Any, *rest: Any) -> Any:
            *shapes, loc, scale = rest
            return f(x, loc, scale, *shapes)

        formula.__signature__ = inspect.signature(like)  # type: ignore[attr-defined]
        return formula

    return {name: in_order(f) for name, f in formulas.items()}


def _t_logpdf(y: Any, df: Any) -> Array:
    held = jnp.where(df == math.inf, 1.0, df)
    density = -betaln(held / 2, jnp.full_like(df, 0.5)) - 0.5 * jnp.log(held) - (held + 1) / 2 * _log1p_square(y / jnp.sqrt(held))
    return jnp.where(df == math.inf, -0.5 * (y * y + LOG_2PI), density)


def _bent(w: Any, df: Any) -> Array:
    """By what sqrt(w), w = (df - 1/2) log(1 + y^2 / df), is multiplied to be normal (G. W. Hill, CACM algorithm 395, 1970)."""
    room = 48 * (df - 0.5) ** 2
    return 1 + (w + 3) / room - ((0.4 * w + 3.3) * w + 24) * (w / room) / (0.8 * w * w + 100 + room) - 85.5 / room / room


def _t_isf(q: Any, df: Any) -> Array:
    """By the inverse of `_t_cdf`: of the tail where that has most of the chance, of the middle elsewhere."""
    tail, many = jnp.minimum(q, 1 - q), df > MANY
    far, held = tail < 0.15, jnp.where(many, MANY, df)
    half = jnp.full_like(df, 0.5)
    ratio = betaincinv(held / 2, half, jnp.where(far, 2 * tail, 0.25))  # df / (df + y^2)
    middle = betaincinv(half, held / 2, jnp.where(far, 0.5, 1 - 2 * jnp.where(tail == 0.5, 0.25, tail)))
    size = jnp.sqrt(jnp.where(far, (1 - ratio) / ratio, middle / (1 - middle))) * jnp.sqrt(held)
    log = 2 / held * (jnp.log(jnp.where(far, 2 * tail, 1.0)) + jnp.log(held / 2) + betaln(held / 2, half))  # of small ratios
    outer = far & (log < -50)
    size = jnp.where(outer, jnp.exp(0.5 * (jnp.log(held) - jnp.where(outer, log, 0.0))), size)
    size = jnp.where(tail == 0.5, 0.0, jnp.where(q < 0, math.nan, size))
    return jnp.where(many, _t_isf_of_many(q, df), jnp.where(q < 0.5, size, -size))


def _t_isf_of_many(q: Any, df: Any) -> Array:
    df, end = jnp.where(df > MANY, df, 2 * MANY), -ndtri(q)
    z = jnp.where(jnp.abs(end) < math.inf, end, 0.0)
    w = z * z
    for _ in range(2):
        w = (z / _bent(w, df)) ** 2
    ratio = w / (df - 0.5)
    tiny = ratio < 1e-30
    size = jnp.sqrt(jnp.where(tiny, 1.0, jnp.expm1(ratio) / jnp.where(tiny, 1.0, ratio)) / (1 - 0.5 / df)) / _bent(w, df)
    return jnp.where(z == end, z * size, end)


def _t_cdf(y: Any, df: Any) -> Array:
    """By whichever of I_z(df / 2, 1 / 2) and its complement is small, with z = df / (df + y^2) (NIST DLMF 8.17.2)."""
    many = df > MANY
    few, half = jnp.where(many, MANY, df), jnp.full_like(df, 0.5)
    held = jnp.where(y == 0, y + 1e-18, y)  # the derivative of I at 0 is infinite, that of y^2 is 0
    square = held * held
    far = square > jnp.minimum(few, 1.0)
    tail = betainc(few / 2, half, jnp.where(far, 1 / (1 + square / few), 0.5)) / 2
    middle = betainc(half, few / 2, jnp.where(far, 0.5, square / few / (1 + square / few))) / 2
    found = jnp.where(held > 0, jnp.where(far, 1 - tail, 0.5 + middle), jnp.where(far, tail, 0.5 - middle))
    return jnp.where(many, _t_cdf_of_many(y, df), found)


def _t_cdf_of_many(y: Any, df: Any) -> Array:
    df = jnp.where(df > MANY, df, 2 * MANY)
    ratio = y / df * y
    tiny = ratio < 1e-30
    w = (1 - 0.5 / df) * jnp.where(tiny, 1.0, jnp.log1p(ratio) / jnp.where(tiny, 1.0, ratio))  # over y^2
    return ndtr(y * jnp.sqrt(w) * _bent(w * y * y, df))


_QUANTILES = {
    "beta": _quantiles(lambda q, a, b: betaincinv(a, b, q), lambda q, a, b: 1 - betaincinv(b, a, q)),
    "gamma": _quantiles(lambda q, a: gammaincinv(a, q), lambda q, a: gammainccinv(a, q)),
    "chi2": _quantiles(lambda q, df: 2 * gammaincinv(df / 2, q), lambda q, df: 2 * gammainccinv(df / 2, q)),
    "t": _quantiles(lambda q, df: -_t_isf(q, df), _t_isf),
}
_BETA = _chances(lambda y, a, b: betainc(a, b, y), lambda y, a, b: betainc(b, a, 1 - y), 0, 1)
_GAMMA = _chances(lambda y, a: gammainc(a, y), lambda y, a: gammaincc(a, y), 0, math.inf)
_CHI2 = _chances(lambda y, df: gammainc(df / 2, y / 2), lambda y, df: gammaincc(df / 2, y / 2), 0, math.inf)
_T = _chances(_t_cdf, lambda y, df: _t_cdf(-y, df), -math.inf, math.inf)

beta = distribution(
    "beta", "The beta distribution on [loc, loc + scale].", "pdf(0.5, 2.0, 2.0) -> 1.5", holds=lambda a, b: (a > 0) & (b > 0),
    wide=True, **_of_shapes(lambda x, a, b, loc=0, scale=1: x, logpdf=_beta, **_BETA, **_QUANTILES["beta"]),
)  # fmt: skip
gamma = distribution(
    "gamma", "The gamma distribution of shape a, from loc on.", "logpdf(1.0, 1.0) -> -1.0", holds=lambda a: a > 0,
    wide=True, **_of_shapes(lambda x, a, loc=0, scale=1: x, logpdf=_gamma, **_GAMMA, **_QUANTILES["gamma"]),
)  # fmt: skip
chi2 = distribution(
    "chi2", "The chi-squared distribution of df degrees of freedom.", "logpdf(0.0, 2.0) -> -0.6931472", holds=lambda df: df > 0,
    wide=True, **_of_shapes(lambda x, df, loc=0, scale=1: x, logpdf=_chi2, **_CHI2, **_QUANTILES["chi2"]),
)  # fmt: skip
t = distribution(
    "t", "Student's t distribution of df degrees of freedom.", "logpdf(0.0, 2.0) -> -1.0397208", holds=lambda df: df > 0,
    wide=False, **_of_shapes(lambda x, df, loc=0, scale=1: x, logpdf=_t, **_T, **_QUANTILES["t"]),
)  # fmt: skip


def _pareto_tail(x: Any, b: Any, loc: Any, scale: Any) -> Array:
    """The logarithm of the chance of more than x, 0 below loc + scale."""
    y = (x - loc) / scale
    return jnp.where(y <= 1, 0.0, -b * jnp.log(jnp.where(y <= 1, math.e, y)))


pareto = distribution(
    "pareto", "The Pareto distribution of exponent b, from loc + scale on.", "sf(2.0, 1.0) -> 0.5",
    holds=lambda b: b > 0,
    logpdf=lambda x, b, loc=0, scale=1: _pareto(x, loc, scale, b),
    cdf=lambda x, b, loc=0, scale=1: -jnp.expm1(_pareto_tail(x, b, loc, scale)),
    logcdf=lambda x, b, loc=0, scale=1: log1mexp(-_pareto_tail(x, b, loc, scale)),
    sf=lambda x, b, loc=0, scale=1: jnp.exp(_pareto_tail(x, b, loc, scale)),
    logsf=lambda x, b, loc=0, scale=1: _pareto_tail(x, b, loc, scale),
    ppf=lambda q, b, loc=0, scale=1: jnp.where((q >= 0) & (q <= 1), jnp.exp(jnp.log1p(-q) / -b) * scale + loc, math.nan),
    isf=lambda q, b, loc=0, scale=1: jnp.where((q >= 0) & (q <= 1), q ** (-1 / b) * scale + loc, math.nan),
)  # fmt: skip


def _gennorm_cdf(x: Any, beta: Any) -> Array:
    held = jnp.where(x == 0, x + 1e-18, x)  # |x|^beta has no derivative at 0, its composition with gammainc has
    power = jnp.abs(held) ** beta
    small = gammaincc(1 / beta, power) / 2
    return jnp.where(held > 0, 0.5 + gammainc(1 / beta, power) / 2, small)


gennorm = distribution(
    "gennorm", "The generalised normal distribution, of density proportional to exp(-|x|**beta).", "pdf(0.0, 1.0) -> 0.5",
    holds=lambda beta: beta > 0,
    logpdf=lambda x, beta: jnp.log(beta / 2) - gammaln(1 / beta) - jnp.abs(x) ** beta,
    cdf=_gennorm_cdf,
    logcdf=lambda x, beta: log_chance(_gennorm_cdf(x, beta), _gennorm_cdf(-x, beta)), sf=lambda x, beta: _gennorm_cdf(-x, beta),
    logsf=lambda x, beta: log_chance(_gennorm_cdf(-x, beta), _gennorm_cdf(x, beta)),
)  # fmt: skip


# -- truncnorm: the chance of an interval is a difference of two of the side on which they are small


def _log_difference(high: Array, low: Array) -> Array:
    """log(exp(high) - exp(low)) of high >= low."""
    nothing = high <= low
    return jnp.where(nothing, -math.inf, high + log1mexp(jnp.where(nothing, 1.0, high - jnp.where(nothing, high - 1, low))))


def _log_mass(a: Array, b: Array) -> Array:
    """The logarithm of the standard normal chance of [a, b]."""
    right = a > 0
    low, high = jnp.where(right, -b, a), jnp.where(right, -a, b)  # mirrored, so that low <= 0
    central = high > 0
    tail = _log_difference(log_ndtr(jnp.where(central, -1.0, high)), log_ndtr(jnp.where(central, -2.0, low)))
    middle = jnp.log1p(-ndtr(jnp.where(central, low, -1.0)) - ndtr(-jnp.where(central, high, 1.0)))
    return jnp.where(a >= b, -math.inf, jnp.where(central, middle, tail))


def _truncated(below: bool, log: bool) -> Callable[..., Array]:
    """The chance of less or of more; near 1 it is what the other one leaves."""

    def formula(x: Any, a: Any, b: Any, loc: Any = 0, scale: Any = 1) -> Array:
        y, whole = jnp.clip((x - loc) / scale, a, b), _log_mass(a, b)
        less, more = jnp.minimum(_log_mass(a, y) - whole, 0), jnp.minimum(_log_mass(y, b) - whole, 0)
        found, other = (less, more) if below else (more, less)
        if not log:
            return jnp.exp(found)
        near = found > -0.1
        return jnp.where(near, jnp.log1p(-jnp.exp(jnp.where(near, other, -1.0))), found)

    return formula


def _truncated_density(y: Any, a: Any, b: Any) -> Array:
    return jnp.where((y < a) | (y > b), -math.inf, -0.5 * (y * y + LOG_2PI) - _log_mass(a, b))


truncnorm = distribution(
    "truncnorm", "The normal distribution on [loc + a * scale, loc + b * scale].", "cdf(-1.0, -1.0, 1.0) -> 0.0",
    holds=lambda a, b: a < b,
    logpdf=lambda x, a, b, loc=0, scale=1: _truncated_density((x - loc) / scale, a, b) - jnp.log(scale),
    cdf=_truncated(True, False), logcdf=_truncated(True, True), sf=_truncated(False, False), logsf=_truncated(False, True),
)  # fmt: skip
