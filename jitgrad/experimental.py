"""What jax keeps in jax.experimental, where it is here under a name of its own."""

from .callbacks import io_callback

__all__ = ["io_callback"]
