"""Where datasets come from: arrays, objects with `__len__` and `__getitem__`, and what can only be gone through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jitgrad.errors import ParametersError

from . import elements as parts
from . import streams
from .dataset import Dataset, Stream, size
from .indexed import Arrays, Indexed, Records


def from_arrays(*arrays: Any) -> Arrays:
    """A dataset of the rows of arrays in memory: an element is a row of each, as a tuple where there are several arrays.

    Arrays may be NumPy's (memory-mapped ones, too, which stay on disk), jitgrad's, lists, or tuples and dicts of such. They are not
    copied; batches are. Python's floats become `config.default_float`.

    Raises ShapeError for arrays of different lengths, ArgumentError for empty ones.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> images, labels = np.zeros((100, 28, 28), np.uint8), np.arange(100) % 10
    >>> for x, y in data.from_arrays(images, labels).shuffle(seed=0).batch(32, drop_remainder=True):
    ...     assert x.shape == (32, 28, 28) and y.shape == (32,)
    >>> data.from_arrays({"width": [1.0, 2.0], "height": [3.0, 4.0]})[1]
    {'width': np.float32(2.0), 'height': np.float32(4.0)}
    """
    given = arrays[0] if len(arrays) == 1 else arrays
    read = parts.map_parts(lambda path, part: parts.as_numbers("data.from_arrays" + path, part), given)
    return Arrays(read, parts.common_length("data.from_arrays", read))


def from_indexable(source: Any) -> Indexed:
    """A dataset of what `source[0]` to `source[len(source) - 1]` are: a map-style dataset as PyTorch's, or a list.

    An element is read when it is needed, so shuffling reads nothing. Tensors and Pillow's images become arrays in batches.

    Raises ParametersError where `__len__` or `__getitem__` is missing, ArgumentError for an empty source.

    >>> from jitgrad import data
    >>> class Squares:
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, i):
    ...         return float(i), i * i
    >>> [y.tolist() for x, y in data.from_indexable(Squares()).batch(2)]
    [[0, 1], [4, 9]]
    """
    if not hasattr(source, "__len__") or not hasattr(source, "__getitem__"):
        raise ParametersError(
            f"data.from_indexable: expected an object with __len__ and __getitem__, got {type(source).__name__}. What can only be "
            "gone through goes to data.from_iterable"
        )
    return Records(source.__getitem__, size("data.from_indexable: the dataset is empty", len(source)))


def from_iterable(source: Iterable[Any] | Callable[[], Iterable[Any]], *, length: int | None = None) -> Dataset:
    """A stream of the elements of an iterable, or of what a function returns: a generator function, which is called in each epoch.

    Only what stages keep is in memory. `length` says how many elements an epoch has, where that is known; another number is an
    error.

    Raises ParametersError for an iterator, which could be gone through once.

    >>> from jitgrad import data
    >>> def countdown():
    ...     for n in range(5, 0, -1):
    ...         yield n
    >>> numbers = data.from_iterable(countdown)
    >>> [batch.tolist() for batch in numbers.batch(2)]
    [[5, 4], [3, 2], [1]]
    >>> sorted(numbers.shuffle(3, seed=0))
    [1, 2, 3, 4, 5]
    """
    if not callable(source):
        if not hasattr(source, "__iter__"):
            raise ParametersError(
                f"data.from_iterable: expected an iterable, or a function that returns one, got {type(source).__name__}"
            )
        if iter(source) is source:
            raise ParametersError(
                f"data.from_iterable: this {type(source).__name__} can be gone through once, so that the second epoch would have "
                "no elements. Give the function that makes it: from_iterable(f), not from_iterable(f())"
            )
    known = None if length is None else size("data.from_iterable: length", length)

    def elements(epoch: int) -> Iterator[Any]:
        made = iter(source() if callable(source) else source)
        return made if known is None else streams.counted(made, known)

    return Stream(elements, known)
