"""Initial values of weights by Keras' names and arguments: each makes a function of a key, a shape and a type, as
`jitgrad.nn.initializers` has them. seed: an initializer that has one gives the same values each time, whatever the key.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import random
from jitgrad.nn import initializers
from jitgrad.nn.initializers import Initializer
from jitgrad.nn.named import initializer_arg
from jitgrad.publishing import public as _public


def _seeded(init: Initializer, seed: int | None) -> Initializer:
    """An initializer, which draws from its own key where there is a seed."""
    if seed is None:
        return init
    return functools.wraps(init)(lambda key, shape, dtype=None: init(random.key(seed), shape, dtype))


def Zeros() -> Initializer:
    """All 0."""
    return initializers.zeros


def Ones() -> Initializer:
    """All 1."""
    return initializers.ones


def Constant(value: Any = 0.0) -> Initializer:
    """All of this value."""
    return initializers.constant(value)


def Identity(gain: float = 1.0) -> Initializer:
    """gain times the identity matrix."""
    return lambda key, shape, dtype=None: gain * jnp.eye(shape[0], shape[1], dtype=dtype)


def RandomNormal(mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> Initializer:
    """Normal draws.

    >>> import jitgrad
    >>> RandomNormal(stddev=0.1)(jitgrad.random.key(0), (2, 3)).shape
    (2, 3)
    """
    return _seeded(lambda key, shape, dtype=None: mean + stddev * random.normal(key, shape, dtype), seed)


def RandomUniform(minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> Initializer:
    """Uniform draws of [minval, maxval)."""
    return _seeded(lambda key, shape, dtype=None: random.uniform(key, shape, dtype, minval, maxval), seed)


def TruncatedNormal(mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> Initializer:
    """Normal draws within two standard deviations."""
    return _seeded(lambda key, shape, dtype=None: mean + initializers.truncated_normal(stddev)(key, shape, dtype), seed)


def VarianceScaling(
    scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
) -> Initializer:
    """Draws of variance scale / n, n being the number of inputs, of outputs, or their mean."""
    plain = {"untruncated_normal": "normal"}
    return _seeded(initializers.variance_scaling(scale, mode, plain.get(distribution, distribution)), seed)


def Orthogonal(gain: float = 1.0, seed: int | None = None) -> Initializer:
    """gain times a matrix of orthonormal columns or rows."""
    return _seeded(initializers.orthogonal(gain), seed)


def _scheme(name: str, scheme: Callable[[], Initializer]) -> Callable[..., Initializer]:
    def make(seed: int | None = None) -> Initializer:
        return _seeded(scheme(), seed)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"`nn.initializers.{scheme.__name__}`."
    return make


GlorotUniform = _scheme("GlorotUniform", initializers.glorot_uniform)
GlorotNormal = _scheme("GlorotNormal", initializers.glorot_normal)
HeUniform = _scheme("HeUniform", initializers.he_uniform)
HeNormal = _scheme("HeNormal", initializers.he_normal)
LecunUniform = _scheme("LecunUniform", initializers.lecun_uniform)
LecunNormal = _scheme("LecunNormal", initializers.lecun_normal)

glorot_uniform, glorot_normal, he_uniform, he_normal = GlorotUniform, GlorotNormal, HeUniform, HeNormal
lecun_uniform, lecun_normal, orthogonal = LecunUniform, LecunNormal, Orthogonal


def get(initializer: Any) -> Initializer:
    """An initializer by name, or a function of a key, a shape and a type."""
    return initializer_arg("train.initializers", "initializer", initializer)


__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal", "LecunUniform", "Ones",
    "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "get", "glorot_normal",
    "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "orthogonal",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
