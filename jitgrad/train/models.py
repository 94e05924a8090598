"""Keras' module of models: `Model` and `Sequential`."""

from jitgrad.publishing import public as _public

from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential"]

_public(__name__, arguments=True)
