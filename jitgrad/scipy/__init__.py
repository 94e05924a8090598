"""Functions by jax.scipy's names."""

from jitgrad.publishing import public as _public

from . import linalg, special

_LATER = ("cluster", "fft", "integrate", "interpolate", "ndimage", "optimize", "signal", "sparse", "spatial", "stats")

__all__ = [
    "cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial", "special",
    "stats",
]  # fmt: skip

for _module in (linalg, special):
    _public(_module.__name__, replays=True)
_public(__name__, later=_LATER)
