"""Numbers in a range, for annotations of what users call: annotated.py and construction.py hold arguments to them, in the words of
suggestions/arguments.py. What traced numbers are is not known, and so they are taken.
"""

from __future__ import annotations

import numpy as np

from .array import Array

Number = float | Array | np.ndarray | np.number
"""Finite."""
Real = float
"""A single one, finite."""
Amount = float
"""A single one, finite, 0 or more."""
Steps = float
"""A single one, positive and finite."""
NotNegative = Number
Positive = Number
Fraction = Number
"""From 0 to 1."""
Part = float
"""A single one, from 0 to 1."""
Decay = Number
"""From 0 to less than 1."""
Size = int
"""1 or more."""
Count = int
"""0 or more."""
