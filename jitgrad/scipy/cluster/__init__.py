"""Clusters, by jax.scipy.cluster's name: the module `vq`."""

from jitgrad.publishing import public as _public

from . import vq

__all__ = ["vq"]

_public(vq.__name__, replays=True)
_public(__name__)
