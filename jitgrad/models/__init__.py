"""Models that people know by name, as modules of `jitgrad.nn`.

>>> from jitgrad import models
>>> models.GPT(vocab_size=50, context=8, width=16, layers=2, heads=2)([[3, 1, 4]]).shape
(1, 3, 50)
"""

from jitgrad.publishing import public as _public

from .gpt import GPT

__all__ = ["GPT"]

_public(__name__)
