"""Probability distributions by jax.scipy.stats' names: `norm.logpdf(x, loc, scale)`, `poisson.pmf(k, mu)`. Parameters broadcast.

>>> from jitgrad.scipy import stats
>>> print(stats.norm.cdf(0.0), stats.expon.logpdf(2.0, scale=2.0))
0.5 -1.6931472
"""

from .continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    gamma,
    gennorm,
    gumbel_l,
    gumbel_r,
    laplace,
    logistic,
    norm,
    pareto,
    t,
    truncnorm,
    uniform,
    wrapcauchy,
)
from .discrete import bernoulli, betabinom, binom, dirichlet, geom, multinomial, nbinom, poisson

__all__ = [
    "bernoulli", "beta", "betabinom", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma", "gennorm", "geom", "gumbel_l",
    "gumbel_r", "laplace", "logistic", "multinomial", "nbinom", "norm", "pareto", "poisson", "t", "truncnorm", "uniform",
    "wrapcauchy",
]  # fmt: skip
