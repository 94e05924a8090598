"""Functions by jax.scipy's names."""

from . import linalg, special

__all__ = ["linalg", "special", "stats"]
