"""Functions by jax.scipy's names."""

from . import special

__all__ = ["special", "stats"]
