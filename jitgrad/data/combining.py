"""Several datasets as one."""

from __future__ import annotations

from functools import partial

from jitgrad.errors import ParametersError

from . import streams
from .dataset import Dataset, Stream
from .indexed import Concatenated, Indexed, Zipped


def zip(*datasets: Dataset) -> Dataset:
    """Tuples of one element of each dataset, as many as the shortest has.

    >>> from jitgrad import data
    >>> [(int(a), int(b)) for a, b in data.zip(data.from_arrays([1, 2, 3]), data.from_arrays([4, 5]))]
    [(1, 4), (2, 5)]
    """
    indexed, counts = _checked("data.zip", datasets)
    if indexed:
        return Zipped(indexed)
    return Stream(lambda epoch: streams.zipped([d._elements(epoch) for d in datasets]), min(counts) if counts else None)


def concatenate(*datasets: Dataset) -> Dataset:
    """The elements of each dataset, one dataset behind the other.

    >>> from jitgrad import data
    >>> both = data.concatenate(data.from_arrays([1, 2, 3]), data.from_arrays([4, 5]))
    >>> [int(n) for n in both], [int(n) for n in sorted(both.shuffle(seed=0))]
    ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    """
    indexed, counts = _checked("data.concatenate", datasets)
    if indexed and counts:
        return Concatenated(indexed)
    return Stream(
        lambda epoch: streams.concatenated(partial(d._elements, epoch) for d in datasets), sum(counts) if counts else None
    )


def _checked(where: str, datasets: tuple[Dataset, ...]) -> tuple[list[Indexed], list[int]]:
    """The datasets, if all have numbered elements, and how many each has, if that is known of all; else empty lists."""
    if not datasets or not all(isinstance(d, Dataset) for d in datasets):
        raise ParametersError(f"{where}: expected datasets, got {', '.join(type(d).__name__ for d in datasets) or 'nothing'}")
    indexed = [d for d in datasets if isinstance(d, Indexed)]
    counts = [n for d in datasets if (n := d._count()) is not None]
    return indexed if len(indexed) == len(datasets) else [], counts if len(counts) == len(datasets) else []
