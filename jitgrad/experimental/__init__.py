"""What jax keeps in jax.experimental, where it is here under a name of its own, and `ode`."""

from jitgrad.callbacks import io_callback
from jitgrad.config import enable_x64
from jitgrad.publishing import public as _public

__all__ = ["enable_x64", "io_callback", "ode"]

_public(__name__, later=("ode",))
