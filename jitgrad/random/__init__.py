"""Random numbers by jax.random's names: every function is pure, and takes a key that says which numbers it draws.

A key serves one draw; `split` makes new ones. The numbers depend on the key, the shape and the type alone, never on the machine, on
jit or on threads; they are not jax's. keys.py, bits.py, distributions.py and selection.py build on one another.

>>> import jitgrad
>>> key, subkey = jitgrad.random.split(jitgrad.random.key(0))
>>> jitgrad.random.normal(subkey, (2, 3)).shape
(2, 3)
"""

from .bits import bits, randint, uniform
from .distributions import (
    ball,
    bernoulli,
    cauchy,
    exponential,
    geometric,
    gumbel,
    laplace,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    rademacher,
    rayleigh,
    triangular,
    truncated_normal,
    weibull_min,
)
from .keys import KeyArray, PRNGKey, fold_in, key, key_data, split, wrap_key_data
from .selection import categorical, choice, permutation

__all__ = [
    "KeyArray", "PRNGKey", "ball", "bernoulli", "bits", "categorical", "cauchy", "choice", "exponential", "fold_in", "geometric",
    "gumbel", "key", "key_data", "laplace", "logistic", "lognormal", "maxwell", "normal", "pareto", "permutation", "rademacher",
    "randint", "rayleigh", "split", "triangular", "truncated_normal", "uniform", "weibull_min", "wrap_key_data",
]  # fmt: skip
