"""jax.ad_checkpoint's names; checkpointing.py has the functions.

>>> from jitgrad.ad_checkpoint import checkpoint_name
>>> print(checkpoint_name(2.0, "two"))
2.0
"""

from . import checkpoint_policies
from .checkpointing import checkpoint, checkpoint_name, remat

__all__ = ["checkpoint", "checkpoint_name", "checkpoint_policies", "remat"]
