"""Adam and its kin as Keras computes them. Optax's divide by sqrt(v / (1 - b2**t)) + epsilon; Keras' Adam by sqrt(v) + epsilon, and
puts both corrections into the rate, as the end of section 2 of Kingma and Ba has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.optim import GradientTransformation
from jitgrad.optim.leaves import mean_of, mean_of_squares, next_count, no_count, one_minus_power, squares_like, zeros_like

PyTree = Any


class MomentsState(NamedTuple):
    """count: updates so far; mean, square: running moments of gradients; more: what else an optimizer remembers."""

    count: Any
    mean: PyTree
    square: PyTree
    more: Any


def _by_moments(
    options: Any,
    first: Callable[[PyTree], Any],
    second: Callable[[PyTree, PyTree], PyTree],
    step: Callable[[Any, PyTree, PyTree, PyTree, Any], tuple[PyTree, Any]],
) -> GradientTransformation:
    """first(params) is `more` before the first update; second(gradients, square) the next `square`; step(t, gradients, mean,
    square, more) gives what is taken from the params, and the next `more`."""

    def init(params: PyTree) -> MomentsState:
        return MomentsState(no_count(), zeros_like(params), squares_like(params), first(params))

    def update(updates: PyTree, state: MomentsState, params: PyTree = None) -> tuple[PyTree, MomentsState]:
        count = next_count(state.count)
        mean, square = mean_of(updates, state.mean, options.beta_1), second(updates, state.square)
        taken, more = step(count, updates, mean, square, state.more)
        return tree.map(lambda u, g: (-u).astype(jnp.asarray(g).dtype), taken, updates), MomentsState(count, mean, square, more)

    return GradientTransformation(init, update)


def _type(rate: Any) -> Any:
    return jnp.asarray(rate).dtype


def adam(rate: Any, o: Any) -> GradientTransformation:
    def step(t: Array, g: PyTree, m: PyTree, v: PyTree, largest: Any) -> tuple[PyTree, Any]:
        alpha = rate * jnp.sqrt(one_minus_power(o.beta_2, t, _type(rate))) / one_minus_power(o.beta_1, t, _type(rate))
        if o.amsgrad:
            v = largest = tree.map(jnp.maximum, largest, v)
        return tree.map(lambda m, v: alpha * m / (jnp.sqrt(v) + o.epsilon), m, v), largest

    return _by_moments(o, squares_like if o.amsgrad else lambda _: None, lambda g, v: mean_of_squares(g, v, o.beta_2), step)


def adamax(rate: Any, o: Any) -> GradientTransformation:
    def step(t: Array, g: PyTree, m: PyTree, u: PyTree, more: Any) -> tuple[PyTree, Any]:
        alpha = rate / one_minus_power(o.beta_1, t, _type(rate))
        return tree.map(lambda m, u: alpha * m / (u + o.epsilon), m, u), more

    def second(g: PyTree, u: PyTree) -> PyTree:
        return tree.map(lambda g, u: jnp.maximum(o.beta_2 * u, jnp.abs(g)), g, u)

    return _by_moments(o, lambda _: None, second, step)


def nadam(rate: Any, o: Any) -> GradientTransformation:
    def momentum(t: Array) -> Array:
        return o.beta_1 * (1 - 0.5 * 0.96 ** t.astype("float64"))

    def step(t: Array, g: PyTree, m: PyTree, v: PyTree, product: Any) -> tuple[PyTree, Any]:
        now, after = momentum(t), momentum(t + 1)
        product = product * now
        of_mean = (rate * after / (1 - product * after)).astype(_type(rate))
        of_gradient = (rate * (1 - now) / (1 - product)).astype(_type(rate))
        correction = one_minus_power(o.beta_2, t, _type(rate))
        return tree.map(lambda g, m, v: (of_mean * m + of_gradient * g) / (jnp.sqrt(v / correction) + o.epsilon), g, m, v), product

    return _by_moments(o, lambda _: jnp.float64(1), lambda g, v: mean_of_squares(g, v, o.beta_2), step)
