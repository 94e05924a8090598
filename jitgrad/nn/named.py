"""Activations and initializers by the names that Keras has for them: what a layer takes as a string."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.errors import ArgumentError
from jitgrad.normalization import log_softmax, softmax

from . import activations, initializers
from .initializers import Initializer

ACTIVATIONS: dict[str, Callable[[Any], Any] | None] = {
    "linear": None,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "exponential": jnp.exp,
    "gelu": partial(activations.gelu, approximate=False),
    "leaky_relu": partial(activations.leaky_relu, negative_slope=0.2),
    "softsign": activations.soft_sign,
    "tanh": jnp.tanh,
    **{
        name: getattr(activations, name)
        for name in (
            "celu elu glu hard_sigmoid hard_silu hard_swish hard_tanh log_sigmoid mish relu relu6 selu sigmoid silu softplus "
            "sparse_plus sparse_sigmoid squareplus swish"
        ).split()
    },
}


def _uniform(key: Any, shape: Any, dtype: Any = None) -> Any:
    return random.uniform(key, shape, dtype, -0.05, 0.05)


INITIALIZERS: dict[str, Initializer] = {
    "zeros": initializers.zeros,
    "ones": initializers.ones,
    "random_normal": initializers.normal(0.05),
    "random_uniform": _uniform,
    "zero": initializers.zeros,
    "one": initializers.ones,
    "normal": initializers.normal(0.05),
    "uniform": _uniform,
    "truncated_normal": initializers.truncated_normal(0.05),
    "orthogonal": initializers.orthogonal(),
    "identity": lambda key, shape, dtype=None: jnp.eye(shape[0], shape[1], dtype=dtype),
    **{
        f"{scheme}_{distribution}": getattr(initializers, f"{scheme}_{distribution}")()
        for scheme in ("glorot", "he", "lecun")
        for distribution in ("uniform", "normal")
    },
}


def found(where: str, what: str, name: str, table: Mapping[str, Any]) -> Any:
    """What a table has under a name. Raises ArgumentError, which tells the near names, where it has none."""
    if name in table:
        return table[name]
    lower = {n.lower(): n for n in table}
    near = [lower[n] for n in get_close_matches(name.lower(), lower, 3, 0.5)]
    shown = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are {', '.join(map(repr, table))}."
    raise ArgumentError(f"{where}: there is no {what} {name!r}. {shown}")


def named(where: str, what: str, given: Any, table: Mapping[str, Any]) -> Any:
    """What a name in a table stands for, or a function as it is."""
    if isinstance(given, str):
        return found(where, what, given, table)
    if isinstance(given, type) or not callable(given):
        kind = f"the class {given.__name__}: make one of it, {given.__name__}()" if isinstance(given, type) else repr(given)
        raise ArgumentError(f"{where}: {what} must be a name or a function, got {kind}.")
    return given


def activation_arg(where: str, given: Any) -> Callable[[Any], Any] | None:
    """An activation by name, or a function or layer; None for none."""
    return None if given is None else named(where, "activation", given, ACTIVATIONS)


def initializer_arg(where: str, what: str, given: Any) -> Initializer:
    """An initializer by name, or a function of a key, a shape and a type."""
    found: Initializer = named(where, what, given, INITIALIZERS)
    return found
