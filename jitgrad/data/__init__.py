"""Data for training: datasets of arrays, records and streams, and readers of the usual files.

Reading map: dataset.py (what every dataset can do), indexed.py (those whose elements have numbers: arrays and records), streams.py
(those that can only be gone through), sources.py (where they come from). For arrays there are splitting.py, standardizing.py and
categories.py, for images augmentation.py, for tokens windows.py.

>>> from jitgrad import data
>>> train = data.from_arrays([[0.0], [1.0], [2.0]], [0, 1, 0]).shuffle(seed=0).batch(2)
>>> for epoch in range(2):
...     for x, y in train:
...         pass  # a step
>>> len(train), x.dtype, y.dtype
(2, dtype('float32'), dtype('int64'))
"""

from jitgrad.publishing import public as _public

from .augmentation import ColorJitter, Normalize, RandomCrop, RandomFlip, RandomRotation
from .categories import one_hot, to_categorical
from .combining import zip
from .dataset import Dataset
from .sources import from_arrays, from_indexable, from_iterable
from .splitting import train_test_split
from .standardizing import Standardizer
from .windows import random_windows, windows

__all__ = [
    "ColorJitter", "Dataset", "Normalize", "RandomCrop", "RandomFlip", "RandomRotation", "Standardizer", "from_arrays",
    "from_indexable", "from_iterable", "one_hot", "random_windows", "to_categorical", "train_test_split", "windows", "zip",
]  # fmt: skip

_public(__name__)
