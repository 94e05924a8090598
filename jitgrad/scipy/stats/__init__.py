"""Probability distributions by jax.scipy.stats' names: `norm.logpdf(x, loc, scale)`, `poisson.pmf(k, mu)`. Parameters broadcast.

>>> from jitgrad.scipy import stats
>>> print(stats.norm.cdf(0.0), stats.expon.logpdf(2.0, scale=2.0))
0.5 -1.6931472
"""

from jitgrad.publishing import public as _public

from .circular import vonmises, wrapcauchy
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
)
from .discrete import bernoulli, betabinom, binom, geom, nbinom, poisson
from .kde import gaussian_kde
from .multivariate import dirichlet, multinomial, multivariate_normal
from .samples import mode, rankdata, sem

__all__ = [
    "bernoulli", "beta", "betabinom", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma", "gaussian_kde", "gennorm", "geom",
    "gumbel_l", "gumbel_r", "laplace", "logistic", "mode", "multinomial", "multivariate_normal", "nbinom", "norm", "pareto",
    "poisson", "rankdata", "sem", "t", "truncnorm", "uniform", "vonmises", "wrapcauchy",
]  # fmt: skip

_public(__name__, replays=True)
