"""Functions by jax.scipy.sparse's names: iterative solvers of linear systems."""

from jitgrad.publishing import public as _public

from . import linalg

__all__ = ["linalg"]

_public(__name__)
