"""Geometry, by jax.scipy.spatial's name: the module `transform`."""

from jitgrad.publishing import public as _public

from . import transform

__all__ = ["transform"]

_public(transform.__name__)
_public(__name__)
