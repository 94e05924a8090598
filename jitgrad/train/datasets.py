"""Keras' data sets, from files that lie here: nothing is downloaded. `mnist.load_data()` reads the file that Keras keeps in
~/.keras/datasets, or the set's own files in a folder.

>>> from jitgrad.train import datasets
>>> (x_train, y_train), (x_test, y_test) = datasets.mnist.load_data("mnist.npz")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad.data import read_cifar10, read_cifar100, read_mnist
from jitgrad.errors import MissingFileError
from jitgrad.publishing import public as _public

HOME = os.path.join("~", ".keras", "datasets")
Pair = tuple[np.ndarray, np.ndarray]


class _Set:
    """A data set: what its files are called, and who reads a folder of them."""

    def __init__(self, name: str, names: tuple[str, ...], read: Callable[..., Pair], column: bool = False) -> None:
        self.name, self.names, self.read, self.column = name, names, read, column

    def load_data(self, path: Any = None) -> tuple[Pair, Pair]:
        """The images and labels of training, and those of the test: NumPy arrays.

        path: an .npz file as Keras has it, or a folder with the set's own files; a path that is not there is looked for in
        ~/.keras/datasets. Raises MissingFileError.
        """
        given = self.names if path is None else (os.fspath(path),)
        found = next((p for name in given for p in (name, os.path.expanduser(os.path.join(HOME, name))) if os.path.exists(p)), None)
        if found is None:
            raise MissingFileError(
                f"train.datasets.{self.name}: there is no {' or '.join(given)} here or in {HOME}, and nothing is downloaded. Give "
                f"the path of an .npz file as Keras has it, or of a folder with the set's files, for data.{self.read.__name__}."
            )
        if os.path.isfile(found):
            with np.load(found) as file:
                parts = [file[n] for n in ("x_train", "y_train", "x_test", "y_test")]
            return (parts[0], parts[1]), (parts[2], parts[3])
        pairs = [self.read(found, train=train) for train in (True, False)]
        (x, y), (x_test, y_test) = ((x, y[:, None]) if self.column else (x, y) for x, y in pairs)
        return (x, y), (x_test, y_test)


mnist = _Set("mnist", ("mnist.npz", "mnist"), read_mnist)
fashion_mnist = _Set("fashion_mnist", ("fashion-mnist", "fashion_mnist"), read_mnist)
cifar10 = _Set("cifar10", ("cifar-10-batches-bin",), read_cifar10, column=True)
cifar100 = _Set("cifar100", ("cifar-100-binary",), read_cifar100, column=True)

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]

_public(__name__, arguments=True)
