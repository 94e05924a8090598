"""Random numbers by jax.random's names: every function is pure, and takes a key that says which numbers it draws.

A key serves one draw; `split` makes new ones. The numbers depend on the key, the shape, the type and the parameters alone, never on
the machine or on threads, and for equal types they are jax's: equal integers, and floats within 2 units in the last place of those
of jax's functions (of which erf_inv, log1p and log near 1 are themselves off by up to 1e-5 in float32, 1e-13 in float64).

Types that are not given are those of jax with 64-bit types, int64 and uint64, but floats are of `config.default_float`, float32. A
Python number for a probability counts as float64, as in jax. docs/differences-from-jax.md says where numbers differ on purpose.

Draws are compiled, in eager code too, so a jitted function draws the same bits. Floats may differ in the last places inside a loop
of scalars, where a product that is read by one sum is rounded with it, and where a draw adds up or factorises what it has drawn, as
`dirichlet`, `ball`, `multivariate_normal` and `orthogonal` do: eager code does that by NumPy, for few elements.

Reading map: keys.py, reuse.py, programs.py, splitting.py, bits.py, distributions.py, gamma.py, counts.py, vectors.py, selection.py.

>>> import jitgrad
>>> key, subkey = jitgrad.random.split(jitgrad.random.key(0))
>>> jitgrad.random.normal(subkey, (2, 3)).shape
(2, 3)
"""

from jitgrad.publishing import public as _public

from .bits import bits, randint, uniform
from .counts import bernoulli, binomial, geometric, multinomial, poisson, rademacher
from .distributions import (
    cauchy,
    double_sided_maxwell,
    exponential,
    gumbel,
    laplace,
    logistic,
    lognormal,
    maxwell,
    normal,
    pareto,
    rayleigh,
    triangular,
    truncated_normal,
    wald,
    weibull_min,
)
from .gamma import ball, beta, chisquare, dirichlet, f, gamma, generalized_normal, loggamma, t
from .generator import seed
from .keys import KeyArray, PRNGKey, clone, key, key_data, key_dtype, key_impl, wrap_key_data
from .selection import categorical, choice, permutation
from .splitting import fold_in, split
from .vectors import multivariate_normal, orthogonal

__all__ = [
    "KeyArray", "PRNGKey", "ball", "bernoulli", "beta", "binomial", "bits", "categorical", "cauchy", "chisquare", "choice",
    "clone", "dirichlet", "double_sided_maxwell", "exponential", "f", "fold_in", "gamma", "generalized_normal", "geometric",
    "gumbel", "key", "key_data", "key_dtype", "key_impl", "laplace", "loggamma", "logistic", "lognormal", "maxwell", "multinomial",
    "multivariate_normal", "normal", "orthogonal", "pareto", "permutation", "poisson", "rademacher", "randint", "rayleigh",
    "seed", "split", "t", "triangular", "truncated_normal", "uniform", "wald", "weibull_min", "wrap_key_data",
]  # fmt: skip

_public(__name__)
