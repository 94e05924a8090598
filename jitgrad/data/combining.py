"""Several datasets as one."""

from __future__ import annotations

from jitgrad.errors import ParametersError

from . import streams
from .dataset import Dataset, Stream
from .indexed import Indexed, Zipped


def zip(*datasets: Dataset) -> Dataset:
    """Tuples of one element of each dataset, as many as the shortest has.

    >>> from jitgrad import data
    >>> [(int(a), int(b)) for a, b in data.zip(data.from_arrays([1, 2, 3]), data.from_arrays([4, 5]))]
    [(1, 4), (2, 5)]
    """
    if not datasets or not all(isinstance(d, Dataset) for d in datasets):
        raise ParametersError(f"data.zip: expected datasets, got {', '.join(type(d).__name__ for d in datasets) or 'nothing'}")
    indexed = [d for d in datasets if isinstance(d, Indexed)]
    if len(indexed) == len(datasets):
        return Zipped(indexed)
    counts = [d._count() for d in datasets]
    known = [n for n in counts if n is not None]
    return Stream(
        lambda epoch: streams.zipped([d._elements(epoch) for d in datasets]), min(known) if len(known) == len(counts) else None
    )
