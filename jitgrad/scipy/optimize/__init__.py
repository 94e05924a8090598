"""Minima of functions of many variables, by jax.scipy.optimize's names.

Reading map: minimization.py (what users call), quasi_newton.py (the methods), searching.py (how far to go in a direction).
"""

from jitgrad.publishing import public as _public

from .minimization import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]

_public(__name__)
