"""Parts that scale each element by running means of updates and of their squares: Adam and its kin. Names and formulas are Optax's.

Below, m and v are the running means, and a hat means corrected for their start at 0. Next on the path: optimizers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Decay, NotNegative, Number

from .leaves import (
    cast,
    corrected,
    corrected_means,
    mean_of,
    mean_of_squares,
    next_count,
    no_count,
    one_minus_power,
    square,
    squares_like,
    zeros_like,
)
from .transformation import GradientTransformation, PyTree, check_like


class ScaleByAdamState(NamedTuple):
    """count: how many updates there have been, int32. mu, nu: running means of the updates and of their squares."""

    count: Any
    mu: PyTree
    nu: PyTree


class ScaleByAmsgradState(NamedTuple):
    """As ScaleByAdamState; nu_max: the largest nu so far."""

    count: Any
    mu: PyTree
    nu: PyTree
    nu_max: PyTree


class ScaleByLionState(NamedTuple):
    """count: how many updates there have been, int32. mu: the running mean of the updates."""

    count: Any
    mu: PyTree


class ScaleByRmsState(NamedTuple):
    """nu: the running mean of squares."""

    nu: PyTree


class ScaleByRmsWithCountState(NamedTuple):
    """count: how many updates there have been, int32. nu: the running mean of squares."""

    count: Any
    nu: PyTree


class ScaleByRStdDevState(NamedTuple):
    """mu, nu: running means of the updates and of their squares."""

    mu: PyTree
    nu: PyTree


class ScaleByRStdDevWithCountState(NamedTuple):
    """count: how many updates there have been, int32. mu, nu: running means of the updates and of their squares."""

    count: Any
    mu: PyTree
    nu: PyTree


class ScaleByRssState(NamedTuple):
    """sum_of_squares: of all updates so far."""

    sum_of_squares: PyTree


class ScaleByAdaDeltaState(NamedTuple):
    """e_g, e_x: running means of the squares of gradients and of steps."""

    e_g: PyTree
    e_x: PyTree


def _divided(means: PyTree, squares: PyTree, eps: Any, eps_root: Any) -> PyTree:
    return tree.map(lambda m, v: m / (jnp.sqrt(v + eps_root) + eps), means, squares)


def scale_by_adam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """m̂ / (sqrt(v̂ + eps_root) + eps) (Kingma and Ba, Adam, 2014; nesterov: Dozat, 2016).

    mu_dtype: the element type that m is kept in.
    """

    def init(params: PyTree) -> ScaleByAdamState:
        return ScaleByAdamState(no_count(), zeros_like(params, mu_dtype), squares_like(params))

    def update(updates: PyTree, state: ScaleByAdamState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.adam", updates, state.mu)
        mu, nu = mean_of(updates, state.mu, b1), mean_of_squares(updates, state.nu, b2)
        count = next_count(state.count)
        squares = tree.map(lambda v: corrected(v, b2, count), nu)
        scaled = _divided(corrected_means(updates, mu, b1, count, nesterov), squares, eps, eps_root)
        return scaled, ScaleByAdamState(count, cast(mu, mu_dtype), nu)

    return GradientTransformation(init, update)


def scale_by_amsgrad(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """As Adam, by the largest v̂ so far (Reddi, Kale and Kumar, On the convergence of Adam and beyond, 2018).

    bias_correction_mu, bias_correction_nu: whether m and v are corrected.
    """

    def init(params: PyTree) -> ScaleByAmsgradState:
        return ScaleByAmsgradState(no_count(), zeros_like(params, mu_dtype), squares_like(params), squares_like(params))

    def update(updates: PyTree, state: ScaleByAmsgradState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.amsgrad", updates, state.mu)
        mu, nu = mean_of(updates, state.mu, b1), mean_of_squares(updates, state.nu, b2)
        count = next_count(state.count)
        means = tree.map(lambda m: corrected(m, b1, count), mu) if bias_correction_mu else mu
        squares = tree.map(lambda v: corrected(v, b2, count), nu) if bias_correction_nu else nu
        largest = tree.map(jnp.maximum, state.nu_max, squares)
        return _divided(means, largest, eps, eps_root), ScaleByAmsgradState(count, cast(mu, mu_dtype), nu, largest)

    return GradientTransformation(init, update)


def scale_by_adamax(b1: Decay = 0.9, b2: Decay = 0.999, eps: NotNegative = 1e-8) -> GradientTransformation:
    """m̂ / u with u = max(b2 * u, |g| + eps) for each update g (Kingma and Ba, Adam, 2014, section 7.1)."""

    def init(params: PyTree) -> ScaleByAdamState:
        return ScaleByAdamState(no_count(), zeros_like(params), squares_like(params))

    def update(updates: PyTree, state: ScaleByAdamState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.adamax", updates, state.mu)
        mu = mean_of(updates, state.mu, b1)
        largest = tree.map(lambda g, u: jnp.maximum(jnp.abs(g) + eps, b2 * u), updates, state.nu)
        count = next_count(state.count)
        return tree.map(lambda m, u: corrected(m, b1, count) / u, mu, largest), ScaleByAdamState(count, mu, largest)

    return GradientTransformation(init, update)


def scale_by_radam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    threshold: NotNegative = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """As Adam, rectified: by the variance of its step sizes, and m̂ alone while too few updates tell v (Liu et al., On the variance
    of the adaptive learning rate and beyond, 2019). threshold: the length of v's mean from which on it is used.
    """
    longest = 2.0 / (1.0 - b2) - 1.0

    def init(params: PyTree) -> ScaleByAdamState:
        return ScaleByAdamState(no_count(), zeros_like(params), squares_like(params))

    def rectified(m: Array, v: Array, count: Array) -> Array:
        missing = one_minus_power(b2, count, v.dtype)
        length = longest - 2 * count.astype(v.dtype) * (1 - missing) / missing
        enough = length >= threshold
        held = jnp.where(enough, length, longest)
        r = jnp.sqrt((held - 4) * (held - 2) * longest / ((longest - 4) * (longest - 2) * held))
        return jnp.where(enough, r * m / (jnp.sqrt(v / missing + eps_root) + eps), m)

    def update(updates: PyTree, state: ScaleByAdamState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.radam", updates, state.mu)
        mu, nu = mean_of(updates, state.mu, b1), mean_of_squares(updates, state.nu, b2)
        count = next_count(state.count)
        means = corrected_means(updates, mu, b1, count, nesterov)
        return tree.map(lambda m, v: rectified(m, v, count), means, nu), ScaleByAdamState(count, mu, nu)

    return GradientTransformation(init, update)


LION_MODES: dict[str, Callable[[Array, Any], Array]] = {
    "hard": lambda x, beta: jnp.sign(x),
    "smooth": lambda x, beta: jnp.tanh(beta * x),
    "refined": lambda x, beta: jnp.where(jnp.abs(x) < 1, x, jnp.sign(x)),
}


def scale_by_lion(
    b1: Decay = 0.9, b2: Decay = 0.99, mu_dtype: Any = None, *, mode: str = "hard", smooth_beta: Number = 1.0
) -> GradientTransformation:
    """The sign of (1 - b1) * g + b1 * m for each update g, m's mean having the rate b2 (Chen et al., Symbolic discovery of
    optimization algorithms, 2023).

    mode: "hard"; "smooth", tanh(smooth_beta * x) for the sign of x; or "refined", x itself where |x| < 1.
    """
    if mode not in LION_MODES:
        raise ArgumentError(f"optim.scale_by_lion: mode must be one of {', '.join(LION_MODES)}, got {mode!r}")

    def update(updates: PyTree, state: ScaleByLionState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.lion", updates, state.mu)
        signs = tree.map(lambda g, m: LION_MODES[mode]((1 - b1) * g + b1 * m, smooth_beta), updates, state.mu)
        return signs, ScaleByLionState(next_count(state.count), cast(mean_of(updates, state.mu, b2), mu_dtype))

    return GradientTransformation(lambda params: ScaleByLionState(no_count(), zeros_like(params, mu_dtype)), update)


def _inverse_root(x: Array, eps: Any, eps_in_sqrt: bool) -> Array:
    return 1 / (jnp.sqrt(x + eps) if eps_in_sqrt else jnp.sqrt(x) + eps)


def scale_by_rms(
    decay: Decay = 0.9,
    eps: NotNegative = 1e-8,
    initial_scale: NotNegative = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """g / sqrt(v + eps) for each update g, or g / (sqrt(v) + eps) (Hinton, Tieleman, RMSProp, 2012).

    initial_scale: what v begins with. bias_correction: whether v is corrected for its start.
    """

    def init(params: PyTree) -> Any:
        nu = squares_like(params, initial_scale)
        return ScaleByRmsWithCountState(no_count(), nu) if bias_correction else ScaleByRmsState(nu)

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.rmsprop", updates, state.nu)
        nu = mean_of_squares(updates, state.nu, decay)
        if not bias_correction:
            return tree.map(lambda g, v: _inverse_root(v, eps, eps_in_sqrt) * g, updates, nu), ScaleByRmsState(nu)
        count = next_count(state.count)
        scaled = tree.map(lambda g, v: _inverse_root(corrected(v, decay, count), eps, eps_in_sqrt) * g, updates, nu)
        return scaled, ScaleByRmsWithCountState(count, nu)

    return GradientTransformation(init, update)


def scale_by_stddev(
    decay: Decay = 0.9,
    eps: NotNegative = 1e-8,
    initial_scale: NotNegative = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """As `scale_by_rms`, by the variance v - |m|**2 instead of v (Graves, Generating sequences, 2013)."""

    def init(params: PyTree) -> Any:
        mu, nu = zeros_like(params), squares_like(params, initial_scale)
        return ScaleByRStdDevWithCountState(no_count(), mu, nu) if bias_correction else ScaleByRStdDevState(mu, nu)

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.rmsprop", updates, state.mu)
        mu, nu = mean_of(updates, state.mu, decay), mean_of_squares(updates, state.nu, decay)
        means, squares, after = mu, nu, ScaleByRStdDevState(mu, nu)
        if bias_correction:
            count = next_count(state.count)
            means, squares = (tree.map(lambda x: corrected(x, decay, count), x) for x in (mu, nu))
            after = ScaleByRStdDevWithCountState(count, mu, nu)  # type: ignore[assignment]
        return tree.map(lambda g, m, v: _inverse_root(v - square(m), eps, eps_in_sqrt) * g, updates, means, squares), after

    return GradientTransformation(init, update)


def scale_by_rss(initial_accumulator_value: NotNegative = 0.1, eps: NotNegative = 1e-7) -> GradientTransformation:
    """g / sqrt(s + eps) for each update g, with s the sum of all squares so far (Duchi, Hazan and Singer, Adagrad, 2011).

    initial_accumulator_value: what s begins with. An element that never had a gradient stays.
    """

    def update(updates: PyTree, state: ScaleByRssState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.adagrad", updates, state.sum_of_squares)
        sums = tree.map(lambda g, s: square(g) + s, updates, state.sum_of_squares)
        scaled = tree.map(lambda g, s: jnp.where(s > 0, 1 / jnp.sqrt(jnp.where(s > 0, s, 1.0) + eps), 0.0) * g, updates, sums)
        return scaled, ScaleByRssState(sums)

    return GradientTransformation(lambda params: ScaleByRssState(squares_like(params, initial_accumulator_value)), update)


def scale_by_adadelta(rho: Decay = 0.9, eps: NotNegative = 1e-6) -> GradientTransformation:
    """g * sqrt(x + eps) / sqrt(v + eps) for each update g, x being the running mean of steps' squares (Zeiler, Adadelta, 2012)."""

    def update(updates: PyTree, state: ScaleByAdaDeltaState, params: PyTree = None) -> tuple[PyTree, Any]:
        check_like("optim.adadelta", updates, state.e_g)
        e_g = mean_of_squares(updates, state.e_g, rho)
        steps = tree.map(lambda g, v, x: jnp.sqrt(x + eps) / jnp.sqrt(v + eps) * g, updates, e_g, state.e_x)
        return steps, ScaleByAdaDeltaState(e_g, mean_of_squares(steps, state.e_x, rho))

    return GradientTransformation(lambda params: ScaleByAdaDeltaState(squares_like(params), squares_like(params)), update)


def scale_by_sign() -> GradientTransformation:
    """The sign of each element (Bernstein et al., signSGD, 2018)."""
    return GradientTransformation(lambda params: (), lambda updates, state, params=None: (tree.map(jnp.sign, updates), state))
