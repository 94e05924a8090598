"""What jax keeps in jax.experimental, where it is here under a name of its own."""

from .callbacks import io_callback
from .config import enable_x64

__all__ = ["enable_x64", "io_callback"]
