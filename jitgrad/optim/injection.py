"""Optimizers whose numbers can be changed while they run: `inject_hyperparams` puts them into the state."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.promotion import default_float

from .leaves import next_count, no_count
from .transformation import GradientTransformation, GradientTransformationExtraArgs, PyTree, with_extra_args_support


class InjectHyperparamsState(NamedTuple):
    """count: updates so far, int32; hyperparams: a dict of numbers by the names of arguments; inner_state: the optimizer's."""

    count: Any
    hyperparams: dict[str, Any]
    inner_state: Any


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: Any = None,
) -> Callable[..., GradientTransformationExtraArgs]:
    """A function with the arguments of `inner_factory`, which makes its optimizer with all numbers among them in the state, as
    `state.hyperparams`: there they may be changed between updates, and compiled programs stay the same.

    Functions among the arguments are schedules of the count of updates, whose present values are in the state, too; those named by
    `static_args` are left as they are, and so are bools, strings and None. hyperparam_dtype: the element type of the numbers, by
    default the largest of the params.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import optim
    >>> opt = inject_hyperparams(optim.sgd)(learning_rate=0.1)
    >>> state = opt.init(jnp.array([1.0]))
    >>> state = state._replace(hyperparams={"learning_rate": jnp.array(0.5)})
    >>> print(opt.update(jnp.array([2.0]), state)[0])
    [-1.]
    """
    signature = inspect.signature(inner_factory)
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    if unknown := static - set(signature.parameters):
        raise ArgumentError(
            f"optim.inject_hyperparams: static_args must be arguments of the factory, which has no {', '.join(sorted(unknown))}. "
            f"It has {', '.join(signature.parameters)}."
        )

    @functools.wraps(inner_factory)
    def make(*args: Any, **kwargs: Any) -> GradientTransformationExtraArgs:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        schedules = {n: x for n, x in given.items() if n not in static and callable(x)}
        numbers = {n: x for n, x in given.items() if n not in static and _is_number(x)}
        others = {n: x for n, x in given.items() if n not in schedules and n not in numbers}

        def at(count: Any, hyperparams: dict[str, Any], dtype: Any) -> dict[str, Any]:
            found = {**hyperparams, **{n: schedule(count) for n, schedule in schedules.items()}}
            return {n: _of_type(x, dtype) for n, x in found.items()}

        def inner(hyperparams: dict[str, Any]) -> GradientTransformationExtraArgs:
            return with_extra_args_support(inner_factory(**others, **hyperparams))

        def init(params: PyTree) -> InjectHyperparamsState:
            hyperparams = at(no_count(), numbers, hyperparam_dtype or _largest(params))
            return InjectHyperparamsState(no_count(), hyperparams, inner(hyperparams).init(params))

        def update(updates: PyTree, state: InjectHyperparamsState, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
            hyperparams = at(state.count, state.hyperparams, hyperparam_dtype or _largest(updates))
            updates, inner_state = inner(hyperparams).update(updates, state.inner_state, params, **extra)
            return updates, InjectHyperparamsState(next_count(state.count), hyperparams, inner_state)

        return GradientTransformationExtraArgs(init, update)

    return make


def _is_number(x: Any) -> bool:
    return isinstance(x, (int, float, np.number, np.ndarray, Array)) and not isinstance(x, bool)


def _largest(params: PyTree) -> Any:
    """The largest real type of floats in a tree."""
    types = [jnp.real(jnp.asarray(x)).dtype for x in tree.leaves(params)]
    floats = [t for t in types if jnp.issubdtype(t, jnp.floating)]
    return jnp.result_type(*floats) if floats else default_float().numpy


def _of_type(x: Any, dtype: Any) -> Array:
    """A number as an Array, a float in the given type."""
    value = jnp.asarray(x, dtype) if isinstance(x, float) else jnp.asarray(x)
    return value.astype(dtype) if jnp.issubdtype(value.dtype, jnp.floating) else value
