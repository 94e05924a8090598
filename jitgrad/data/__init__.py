"""Data for training: datasets of arrays, records and streams, and readers of the usual files.

Reading map: dataset.py (what every dataset can do), indexed.py (those whose elements have numbers: arrays and records), streams.py
(those that can only be gone through), sources.py (where they come from). For arrays there are splitting.py, standardizing.py and
categories.py, for images augmentation.py, for tokens windows.py. Readers: idx.py, cifar.py, tables.py (CSV),
folders.py (images), sound.py (WAV), text.py.

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
from .cifar import read_cifar10, read_cifar100
from .combining import concatenate, zip
from .dataset import Dataset
from .folders import image_folder, read_image
from .idx import read_idx, read_mnist
from .sound import read_wav, resample
from .sources import from_arrays, from_indexable, from_iterable
from .splitting import train_test_split
from .standardizing import Standardizer
from .tables import Table, read_csv, stream_csv
from .text import BytePairs, Characters, pad_sequences, read_text
from .windows import random_windows, windows

__all__ = [
    "BytePairs", "Characters", "ColorJitter", "Dataset", "Normalize", "RandomCrop", "RandomFlip", "RandomRotation",
    "Standardizer", "Table", "concatenate", "from_arrays", "from_indexable", "from_iterable", "image_folder", "one_hot",
    "pad_sequences", "random_windows", "read_cifar10", "read_cifar100", "read_csv", "read_idx", "read_image", "read_mnist",
    "read_text", "read_wav", "resample", "stream_csv", "to_categorical", "train_test_split", "windows", "zip",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
