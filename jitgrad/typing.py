"""Types for annotations, by jax.typing's names; `isinstance` takes both.

>>> from jitgrad.typing import ArrayLike
>>> isinstance(1.0, ArrayLike), isinstance([1.0], ArrayLike)
(True, False)
"""

from __future__ import annotations

import numpy as np

from .array import Array

ArrayLike = Array | np.ndarray | np.bool_ | np.number | bool | int | float | complex
"""What functions take for an array: an Array, a NumPy array or scalar, a Python number; no list."""
DTypeLike = str | type | np.dtype
"""What stands for an element type: its name, a NumPy or Python type, a NumPy dtype."""

__all__ = ["ArrayLike", "DTypeLike"]
