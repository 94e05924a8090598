"""Datasets whose elements are known by number: arrays, records of a file or folder, and what stages make of them.

They give one element (`_get`) or the rows of many as a batch (`_gather`), for any epoch. A stage asks the one before it, so that
`from_arrays(x, y).shuffle().batch(n)` is one indexing of each array a batch. What has no numbers any more is a `Stream`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jitgrad.devices import Device
from jitgrad.errors import ArgumentError, IndexingError, ParametersError

from . import elements as parts
from .dataset import Dataset, Stream, batches_of
from .prefetching import END, prefetched
from .seeds import generator

Positions = range | np.ndarray

MOST, ENDLESS = 1 << 62, 1 << 40
"""A dataset without end has about MOST elements; one with more than ENDLESS counts as such."""


class Indexed(Dataset):
    """A dataset of a known number of elements, each of which can be asked for: `dataset[i]` is that of the first epoch."""

    def _get(self, epoch: int, i: int) -> Any:
        """Element number i of an epoch."""
        raise NotImplementedError

    def _gather(self, epoch: int, positions: Positions) -> Any:
        """The elements at these positions, as one batch."""
        return parts.stack("data: batch", [self._get(epoch, int(i)) for i in positions])

    def _size(self) -> int:
        raise NotImplementedError

    def _count(self) -> int | None:
        return None if self._size() > ENDLESS else self._size()

    def _elements(self, epoch: int) -> Iterator[Any]:
        return (self._get(epoch, i) for i in range(self._size()))

    def __getitem__(self, i: Any) -> Any:
        try:
            number = range(self._size())[i]
        except IndexError:
            raise IndexingError(f"data: element {i} of a dataset of {self._size()}") from None
        except TypeError:
            number = None
        if not isinstance(number, int):
            raise ParametersError(
                f"data: the elements of a dataset have integers as numbers, got {i!r}; .skip and .take give a part"
            )
        return self._get(0, number)

    def _mapped(self, f: Callable[..., Any], seed: int | None) -> Dataset:
        return Mapped(self, f, seed)

    def _batched(self, batch_size: int, drop_remainder: bool) -> Dataset:
        return Batched(self, batch_size, batches_of(self._size(), batch_size, drop_remainder))

    def _shuffled(self, buffer: int | None, seed: int, every_epoch: bool) -> Dataset:
        if self._count() is not None:
            return Shuffled(self, seed, every_epoch)
        if buffer is None:
            raise ArgumentError("data: shuffle: an endless dataset has no order as a whole. Put shuffle in front of repeat")
        return super()._shuffled(buffer, seed, every_epoch)

    def _taken(self, number: int) -> Dataset:
        return Selected(self, range(self._size())[:number])

    def _skipped(self, number: int) -> Dataset:
        return Selected(self, range(self._size())[number:])

    def _prefetched(self, number: int, threads: int, device: Device | None) -> Dataset:
        def elements(epoch: int) -> Iterator[Any]:
            last = self._size()
            return prefetched(lambda i: self._get(epoch, i) if i < last else END, max(number, threads), threads, device)

        return Stream(elements, self._size())

    def _repeated(self, times: int | None) -> Dataset:
        if not self._size():
            raise ArgumentError("data: repeat: the dataset is empty")
        return Repeated(self, MOST // self._size() if times is None else times)

    def cache(self) -> Dataset:
        if self._count() is None:
            raise ArgumentError("data: cache: an endless dataset would fill the memory. Put cache in front of repeat")
        return Cached(self)

    def to_arrays(self) -> Any:
        if self._count() is None:
            raise ArgumentError("data: to_arrays: the dataset is endless; .take(n) of it is not")
        return super().to_arrays()


class Arrays(Indexed):
    """The rows of arrays that all have equally many. A batch of neighbours is cut out, another one picked."""

    def __init__(self, arrays: Any, rows: int) -> None:
        super().__init__()
        self.arrays, self._rows = arrays, rows

    def _size(self) -> int:
        return self._rows

    def _get(self, epoch: int, i: int) -> Any:
        return parts.pick_one(self.arrays, i)

    def _gather(self, epoch: int, positions: Positions) -> Any:
        return parts.pick(self.arrays, positions)


class Records(Indexed):
    """What `get` gives for the numbers 0 to size - 1; an error tells the number."""

    def __init__(self, get: Callable[[int], Any], number: int) -> None:
        super().__init__()
        self._read, self._number = get, number

    def _size(self) -> int:
        return self._number

    def _get(self, epoch: int, i: int) -> Any:
        with parts.Noted(i):
            return self._read(i)


class Stage(Indexed):
    """A dataset made of another one."""

    def __init__(self, inner: Indexed) -> None:
        super().__init__()
        self._inner = inner

    def _size(self) -> int:
        return self._inner._size()


class Selected(Stage):
    """The elements at some positions, the same ones in every epoch."""

    def __init__(self, inner: Indexed, positions: Positions) -> None:
        super().__init__(inner)
        self._positions = positions

    def _size(self) -> int:
        return len(self._positions)

    def _get(self, epoch: int, i: int) -> Any:
        return self._inner._get(epoch, int(self._positions[i]))

    def _gather(self, epoch: int, positions: Positions) -> Any:
        return self._inner._gather(epoch, _at(self._positions, positions))


class Shuffled(Stage):
    """A permutation of the elements. Those of two epochs are kept: of one that is gone through, and another that is looked into."""

    def __init__(self, inner: Indexed, seed: int, every_epoch: bool) -> None:
        super().__init__(inner)
        self._every_epoch = every_epoch
        self._orders = functools.lru_cache(2)(lambda epoch: generator(seed, epoch).permutation(inner._size()))

    def _order(self, epoch: int) -> np.ndarray:
        return self._orders(epoch if self._every_epoch else 0)

    def _get(self, epoch: int, i: int) -> Any:
        return self._inner._get(epoch, int(self._order(epoch)[i]))

    def _gather(self, epoch: int, positions: Positions) -> Any:
        return self._inner._gather(epoch, _at(self._order(epoch), positions))


class Repeated(Stage):
    """Several epochs of a dataset as one."""

    def __init__(self, inner: Indexed, times: int) -> None:
        super().__init__(inner)
        self._times = times

    def _size(self) -> int:
        return self._inner._size() * self._times

    def _get(self, epoch: int, i: int) -> Any:
        inner_epoch, i = divmod(i, self._inner._size())
        return self._inner._get(epoch * self._times + inner_epoch, i)

    def _gather(self, epoch: int, positions: Positions) -> Any:
        """In runs of one epoch."""
        epochs, inner = np.divmod(np.asarray(positions), self._inner._size())
        runs = np.split(np.arange(len(epochs)), np.flatnonzero(np.diff(epochs)) + 1)
        return parts.concatenate([self._inner._gather(epoch * self._times + int(epochs[run[0]]), inner[run]) for run in runs])


class Mapped(Stage):
    """f of each element."""

    def __init__(self, inner: Indexed, f: Callable[..., Any], seed: int | None) -> None:
        super().__init__(inner)
        self._f, self._seed = f, seed

    def _get(self, epoch: int, i: int) -> Any:
        element = self._inner._get(epoch, i)
        with parts.Noted(i):
            return parts.call(self._f, element, *(() if self._seed is None else (generator(self._seed, epoch, i),)))


class Batched(Stage):
    """Neighbours, as one element."""

    def __init__(self, inner: Indexed, batch_size: int, number: int) -> None:
        super().__init__(inner)
        self._batch_size, self._number = batch_size, number

    def _size(self) -> int:
        return self._number

    def _get(self, epoch: int, i: int) -> Any:
        start = i * self._batch_size
        return self._inner._gather(epoch, range(start, min(start + self._batch_size, self._inner._size())))


class Zipped(Indexed):
    """Tuples of one element of each dataset."""

    def __init__(self, inner: Sequence[Indexed]) -> None:
        super().__init__()
        self._inner = inner

    def _size(self) -> int:
        return min(d._size() for d in self._inner)

    def _get(self, epoch: int, i: int) -> Any:
        return tuple(d._get(epoch, i) for d in self._inner)

    def _gather(self, epoch: int, positions: Positions) -> Any:
        return tuple(d._gather(epoch, positions) for d in self._inner)


class Concatenated(Indexed):
    """The elements of several datasets, one behind the other."""

    def __init__(self, inner: Sequence[Indexed]) -> None:
        super().__init__()
        self._inner = inner
        self._starts = np.cumsum([0, *(d._size() for d in inner)])

    def _size(self) -> int:
        return int(self._starts[-1])

    def _get(self, epoch: int, i: int) -> Any:
        which = int(np.searchsorted(self._starts, i, "right")) - 1
        return self._inner[which]._get(epoch, i - int(self._starts[which]))

    def _gather(self, epoch: int, positions: Positions) -> Any:
        """Of each dataset its share, then all in the order that was asked for."""
        wanted = np.asarray(positions)
        which = np.searchsorted(self._starts, wanted, "right") - 1
        order = np.argsort(which, kind="stable")
        shares = [self._inner[d]._gather(epoch, wanted[which == d] - self._starts[d]) for d in np.unique(which).tolist()]
        return parts.pick(parts.concatenate(shares), np.argsort(order)) if len(shares) > 1 else shares[0]


class Cached(Stage):
    """The elements of the first epoch, each kept from when it was first asked for."""

    def __init__(self, inner: Indexed) -> None:
        super().__init__(inner)
        self._kept: dict[int, Any] = {}

    def _get(self, epoch: int, i: int) -> Any:
        if i not in self._kept:
            self._kept[i] = self._inner._get(0, i)
        return parts.copy(self._kept[i])


def _at(order: Positions, positions: Positions) -> Positions:
    """An order's entries at these positions; a range where both are."""
    if isinstance(positions, range):
        return order[positions.start : positions.stop]
    return np.asarray(order)[positions]
