"""Integrals of sampled functions, by jax.scipy.integrate's name. Differential equations: `experimental.ode`."""

from jitgrad.numpy import trapezoid
from jitgrad.publishing import public as _public

__all__ = ["trapezoid"]

_public(__name__, replays=True)
