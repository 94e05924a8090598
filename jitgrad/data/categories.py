"""Labels as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError

from . import elements as parts
from .dataset import size


def one_hot(labels: Any, num_classes: int | None = None, dtype: Any = None) -> np.ndarray:
    """Labels [...], integers from 0, as vectors [..., num_classes] of 0 with a 1 at the label.

    num_classes is 1 more than the largest label where it is not given; dtype is `config.default_float`.
    A NumPy array, of labels that are all checked; in a model, under jit, use `jitgrad.nn.one_hot`.

    Raises DTypeError for labels that are no integers, ArgumentError for one that is negative or not below num_classes.

    >>> from jitgrad import data
    >>> data.one_hot([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    array = parts.as_numbers("data.one_hot", labels)
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise DTypeError(
            f"data.one_hot: labels must be integers, got {array.dtype}; numpy.unique(labels, return_inverse=True) numbers them"
        )
    if not array.size and num_classes is None:
        raise ArgumentError("data.one_hot: without labels the number of classes is not known; give num_classes=")
    classes = int(array.max()) + 1 if num_classes is None else size("data.one_hot: num_classes", num_classes)
    wrong = (array < 0) | (array >= classes)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = ", ".join(map(str, place))
        raise ArgumentError(f"data.one_hot: labels of {classes} classes are 0 to {classes - 1}, got {array[place]} at index {at}")
    made = np.zeros((array.size, classes), config.default_float if dtype is None else dtype)
    made[np.arange(array.size), array.ravel().astype(np.int64)] = 1
    return made.reshape(*array.shape, classes)


def to_categorical(labels: Any, num_classes: int | None = None) -> np.ndarray:
    """Keras' name for `one_hot`; as there, a last axis of size 1 of the labels is taken away first.

    >>> from jitgrad import data
    >>> data.to_categorical([[0], [2]]).shape
    (2, 3)
    """
    array = parts.as_numbers("data.to_categorical", labels)
    return one_hot(array[..., 0] if array.ndim > 1 and array.shape[-1] == 1 else array, num_classes)
