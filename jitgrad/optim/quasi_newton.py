"""L-BFGS: directions by an estimate of the inverse Hessian, kept as the last few steps. line_search.py says how far to go."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import lax, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

from .leaves import cast_like, choose, dot, needs_params, next_count, no_count, zeros_like
from .line_search import scale_by_zoom_linesearch
from .scaling import LearningRate, scale, scale_by_learning_rate
from .transformation import GradientTransformation, GradientTransformationExtraArgs, PyTree, check_like, identity, named_chain


class ScaleByLBFGSState(NamedTuple):
    """count: how many updates there have been, int32. params, updates: the last ones. diff_params_memory, diff_updates_memory: how
    they changed in the last steps, along a first axis; weights_memory: 1 over the products of the two.
    """

    count: Any
    params: PyTree
    updates: PyTree
    diff_params_memory: PyTree
    diff_updates_memory: PyTree
    weights_memory: Any


def _added(x: PyTree, factor: Array, y: PyTree) -> PyTree:
    return tree.map(lambda a, b: a + (factor * b).astype(a.dtype), x, y)


def scale_by_lbfgs(memory_size: int = 10, scale_init_precond: bool = True) -> GradientTransformation:
    """Updates times an estimate of the inverse Hessian, by the recursion of two loops (Nocedal, Updating quasi-Newton matrices with
    limited storage, 1980).

    memory_size: how many steps it is made of. scale_init_precond: begin with a multiple of the identity, by the last step, at first
    by the norm of the updates; False begins with the identity.
    """
    if memory_size < 1:
        raise ArgumentError(f"optim.scale_by_lbfgs: memory_size must be 1 or more, got {memory_size}")

    def init(params: PyTree) -> ScaleByLBFGSState:
        memory = tree.map(lambda p: jnp.zeros((memory_size, *jnp.shape(p)), jnp.asarray(p).dtype), params)
        weights = jnp.zeros(memory_size, dot(params, params).dtype)
        return ScaleByLBFGSState(no_count(), zeros_like(params), zeros_like(params), memory, memory, weights)

    def update(updates: PyTree, state: ScaleByLBFGSState, params: PyTree = None) -> tuple[PyTree, ScaleByLBFGSState]:
        params = needs_params("scale_by_lbfgs", params)
        check_like("optim.lbfgs", updates, state.updates)
        started = state.count > 0
        moved = choose(started, tree.map(jnp.subtract, params, state.params), zeros_like(params))
        turned = choose(started, tree.map(jnp.subtract, updates, state.updates), zeros_like(updates))
        product = dot(turned, moved)
        weight = jnp.where(product == 0, 0.0, 1.0 / jnp.where(product == 0, 1.0, product))
        last = (state.count - 1) % memory_size
        moves, turns, weights = tree.map(
            lambda memory, x: memory.at[last].set(x.astype(memory.dtype)),
            (state.diff_params_memory, state.diff_updates_memory, state.weights_memory),
            (moved, turned, weight),
        )
        first = jnp.ones((), weights.dtype)
        if scale_init_precond:
            size = dot(turned, turned)
            usual = jnp.where(size > 0, product / jnp.where(size > 0, size, 1.0), 1.0)
            first = jnp.where(started, usual, jnp.minimum(1.0, 1.0 / jnp.sqrt(dot(updates, updates))))
        order = (state.count % memory_size + jnp.arange(memory_size)) % memory_size

        def back(v: PyTree, n: Array) -> tuple[PyTree, Array]:
            move, turn = tree.map(lambda x: x[n], (moves, turns))
            alpha = weights[n] * dot(move, v)
            return _added(v, -alpha, turn), alpha

        def forth(v: PyTree, given: tuple[Array, Array]) -> tuple[PyTree, None]:
            n, alpha = given
            move, turn = tree.map(lambda x: x[n], (moves, turns))
            return _added(v, alpha - weights[n] * dot(turn, v), move), None

        direction, alphas = lax.scan(back, tree.map(jnp.asarray, updates), order, reverse=True)
        direction = tree.map(lambda v: (first * v).astype(v.dtype), direction)
        direction, _ = lax.scan(forth, direction, (order, alphas))
        kept = cast_like(params, state.params), cast_like(updates, state.updates)
        return direction, ScaleByLBFGSState(next_count(state.count), *kept, moves, turns, weights)

    return GradientTransformation(init, update)


@functools.cache
def _usual_search() -> GradientTransformationExtraArgs:
    return scale_by_zoom_linesearch(max_linesearch_steps=20, initial_guess_strategy="one")


USUAL = object()
"""The line search of `lbfgs` where none is named."""


def lbfgs(
    learning_rate: LearningRate | None = None, memory_size: int = 10, scale_init_precond: bool = True, linesearch: Any = USUAL
) -> GradientTransformationExtraArgs:
    """L-BFGS (Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989), for smooth functions without
    noise.

    `update(grad, state, params, value=value, grad=grad, value_fn=f)`; value and gradient come from the state by
    `value_and_grad_from_state`, and `optim.minimize` does all of it. learning_rate: times the direction. memory_size,
    scale_init_precond: as in `scale_by_lbfgs`. linesearch: a transformation, by default
    `scale_by_zoom_linesearch(20, initial_guess_strategy="one")`, or None for steps by learning_rate alone.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import optim
    >>> f, x = lambda x: jnp.sum((x - 3.0) ** 2), jnp.array([1.0])
    >>> opt = lbfgs()
    >>> state = opt.init(x)
    >>> for _ in range(3):
    ...     value, grad = optim.value_and_grad_from_state(f)(x, state=state)
    ...     updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f)
    ...     x = optim.apply_updates(x, updates)
    >>> print(x)
    [3.]
    """
    search = _usual_search() if linesearch is USUAL else identity() if linesearch is None else linesearch
    direction = scale_by_lbfgs(memory_size, scale_init_precond)
    return named_chain("lbfgs", direction, scale(-1.0) if learning_rate is None else scale_by_learning_rate(learning_rate), search)
