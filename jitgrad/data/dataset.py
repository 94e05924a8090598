"""What every dataset can do. `Dataset` has the methods that users call; a `Stream` does them by the functions of streams.py.

A dataset knows how to give the elements of any epoch (`_elements`), and changes nothing of itself when it does: the numbers of
epochs are counted by the dataset that is iterated over. Datasets whose elements are known by number override the stages that can
keep it so: indexed.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from operator import index
from typing import Any

from jitgrad.devices import Device, as_device
from jitgrad.errors import ArgumentError, NotAFunctionError, ParametersError
from jitgrad.tracebacks import boundary_methods

from . import streams
from .augmentation import chain
from .caching import Cache
from .prefetching import prefetched_stream
from .seeds import check_seed


class Dataset:
    """Elements that can be gone through any number of times; `from_arrays`, `from_indexable`, `from_iterable` and readers make one.

    An element is an array, a number or a string, or a tuple or dict of such. Stages return new datasets, and do nothing before they
    are iterated over. Each iteration is another epoch: orders and random numbers differ from epoch to epoch, and are the same in
    every run for a seed.

    >>> from jitgrad import data
    >>> x, y = [[0.0], [1.0], [2.0], [3.0], [4.0]], [0, 1, 0, 1, 0]
    >>> train = data.from_arrays(x, y).shuffle(seed=0).batch(2)
    >>> len(train)
    3
    >>> [labels.shape for features, labels in train]
    [(2,), (2,), (1,)]
    """

    def __init__(self) -> None:
        self._epochs = count()

    def _elements(self, epoch: int) -> Iterator[Any]:
        """The elements of an epoch; it closes what it opened when it ends or is closed."""
        raise NotImplementedError

    def _count(self) -> int | None:
        """How many elements an epoch has, None where that is not known or it has no end."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        return self._elements(next(self._epochs))

    def epoch(self, number: int) -> Iterator[Any]:
        """The elements of an epoch by its number, from 0; iterations over the dataset count on as if this had not been.

        >>> from jitgrad import data
        >>> numbers = data.from_arrays([0, 1, 2, 3]).shuffle(seed=0)
        >>> first, second = list(numbers), list(numbers)
        >>> first == list(numbers.epoch(0)), second == list(numbers.epoch(1))
        (True, True)
        """
        return self._elements(size("data: epoch", number, least=0))

    def __len__(self) -> int:
        known = self._count()
        if known is None:
            raise ParametersError(
                "data: this dataset has no length: it is endless, or how many elements it has is known when they have been read"
            )
        return known

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        known = self._count()
        return f"<{type(self).__name__} of {'an unknown number of' if known is None else known} elements>"

    def map(self, f: Callable[..., Any], *, seed: int | None = None) -> Dataset:
        """f of each element; the parts of a tuple are f's arguments. Behind `batch` it is called once a batch, which is faster.

        With a seed f gets one more argument, a `numpy.random.Generator` of the element's own: its numbers depend on the seed, the
        epoch and the element's place, and on nothing else.

        >>> from jitgrad import data
        >>> pairs = data.from_arrays([1.0, 2.0], [0, 1])
        >>> [(float(x), int(y)) for x, y in pairs.map(lambda x, y: (x * 10, y))]
        [(10.0, 0), (20.0, 1)]
        >>> noisy = pairs.batch(2).map(lambda x, y, random: (x + random.normal(size=x.shape), y), seed=0)
        """
        _check_function("data: map", f)
        return self._mapped(f, None if seed is None else check_seed("data: map", seed))

    def augment(self, *steps: Callable[..., Any], seed: int | None = None) -> Dataset:
        """Images through random changes, others in every epoch: those of augmentation.py, or functions f(images, generator).

        An element is a batch of images, or a tuple whose first part is one: it goes through the steps, the rest stays.

        >>> import numpy as np
        >>> from jitgrad import data
        >>> images, labels = np.zeros((100, 32, 32, 3), np.uint8), np.zeros(100, int)
        >>> train = data.from_arrays(images, labels).shuffle(seed=0).batch(50)
        >>> train = train.augment(data.RandomFlip(), data.RandomCrop(padding=4), data.Normalize([0.5] * 3, [0.25] * 3), seed=0)
        >>> [x.dtype.name for x, y in train]
        ['float32', 'float32']
        """
        if not steps:
            raise ParametersError("data: augment: expected steps, such as data.RandomFlip(), got none")
        for step in steps:
            _check_function("data: augment", step)
        return self._mapped(chain(steps), check_seed("data: augment", seed))

    def filter(self, keep: Callable[..., Any]) -> Dataset:
        """The elements of which keep is true; the parts of a tuple are its arguments. How many that are is not known before.

        >>> from jitgrad import data
        >>> [int(n) for n in data.from_arrays([1, 2, 3, 4]).filter(lambda n: n % 2 == 0)]
        [2, 4]
        """
        _check_function("data: filter", keep)
        return Stream(lambda epoch: streams.filtered(self._elements(epoch), keep), None)

    def batch(self, batch_size: int, *, drop_remainder: bool = False) -> Dataset:
        """Every `batch_size` elements as one: each part gets a new first axis. The last batch is smaller, or left out.

        Arrays are cut and picked from whole, so this is the fast way to go through them; put `map` behind it where you can.

        Raises ArgumentError where there would be no batch, ShapeError for elements of different shapes.

        >>> from jitgrad import data
        >>> [batch.tolist() for batch in data.from_arrays([1, 2, 3, 4, 5]).batch(2)]
        [[1, 2], [3, 4], [5]]
        """
        return self._batched(size("data: batch", batch_size), drop_remainder)

    def unbatch(self) -> Dataset:
        """The rows of each element, one by one; the opposite of `batch`.

        >>> from jitgrad import data
        >>> [int(n) for n in data.from_arrays([[1, 2], [3, 4]]).unbatch()]
        [1, 2, 3, 4]
        """
        return Stream(lambda epoch: streams.unbatched(self._elements(epoch)), None)

    def shuffle(self, buffer_size: int | None = None, *, seed: int | None = None, reshuffle_each_iteration: bool = True) -> Dataset:
        """The elements in a random order, another one in every epoch unless `reshuffle_each_iteration` is False.

        What is known by number, as arrays are, is shuffled as a whole, whatever the buffer's size: each order is equally likely.
        A stream is shuffled through a buffer, whose size must be given: a random element of the buffer goes out when one comes in.

        seed: equal seeds give equal orders; None takes one from the generator that `jitgrad.random.seed` sets.

        >>> from jitgrad import data
        >>> numbers = data.from_arrays([0, 1, 2, 3, 4]).shuffle(seed=1)
        >>> first, second = [int(n) for n in numbers], [int(n) for n in numbers]
        >>> sorted(first) == sorted(second) == [0, 1, 2, 3, 4], first == second
        (True, False)
        """
        buffer = None if buffer_size is None else size("data: shuffle", buffer_size)
        return self._shuffled(buffer, check_seed("data: shuffle", seed), reshuffle_each_iteration)

    def take(self, number: int) -> Dataset:
        """The first elements, or all where there are fewer.

        >>> from jitgrad import data
        >>> [int(n) for n in data.from_arrays([1, 2, 3, 4]).take(3)]
        [1, 2, 3]
        """
        return self._taken(size("data: take", number, least=0))

    def skip(self, number: int) -> Dataset:
        """All but the first elements.

        >>> from jitgrad import data
        >>> [int(n) for n in data.from_arrays([1, 2, 3, 4]).skip(3)]
        [4]
        """
        return self._skipped(size("data: skip", number, least=0))

    def repeat(self, times: int | None = None) -> Dataset:
        """The elements of several epochs, one behind the other; without end where `times` is not given.

        >>> from jitgrad import data
        >>> [int(n) for n in data.from_arrays([1, 2]).repeat(2)]
        [1, 2, 1, 2]
        """
        return self._repeated(None if times is None else size("data: repeat", times))

    def cache(self) -> Dataset:
        """The elements as they are in the first epoch, kept in memory once they were made. Random stages belong behind it.

        >>> from jitgrad import data
        >>> slow = data.from_arrays([1, 2]).map(lambda n: print("computed", n) or n).cache()
        >>> list(slow) == list(slow)
        computed 1
        computed 2
        True
        """
        return Stream(Cache(lambda: self._elements(0)).elements, self._count())

    def prefetch(self, number: int = 2, *, threads: int = 1, device: Any = None) -> Dataset:
        """The same elements, of which up to `number` are made ahead by threads, while others are worked with.

        An error of a thread is raised where the element was to come. Threads end when an iteration ends or is left. Several work on
        elements that are known by number: batches of images that are decoded. A stream is gone through by one.

        device: "cuda", for one. Elements come as Arrays on it, brought there while programs work with those before.

        >>> from jitgrad import data
        >>> [batch.tolist() for batch in data.from_arrays([1, 2, 3]).batch(2).prefetch()]
        [[1, 2], [3]]
        """
        where = None if device is None else as_device("data: prefetch", device)
        return self._prefetched(size("data: prefetch", number), size("data: prefetch: threads", threads), where)

    def to_arrays(self) -> Any:
        """All elements of the first epoch, stacked: arrays with a first axis of elements, in the structure of an element.

        >>> from jitgrad import data
        >>> data.from_arrays([1, 2, 3]).map(lambda n: 2 * n).to_arrays()
        array([2, 4, 6])
        """
        return next(iter(self._batched(self._count() or 2**62, False)._elements(0)))

    def _mapped(self, f: Callable[..., Any], seed: int | None) -> Dataset:
        return Stream(lambda epoch: streams.mapped(self._elements(epoch), f, seed, epoch), self._count())

    def _batched(self, batch_size: int, drop_remainder: bool) -> Dataset:
        known = self._count()
        return Stream(
            lambda epoch: streams.batched(self._elements(epoch), batch_size, drop_remainder),
            None if known is None else batches_of(known, batch_size, drop_remainder),
        )

    def _shuffled(self, buffer: int | None, seed: int, every_epoch: bool) -> Dataset:
        if buffer is None:
            raise ArgumentError(
                "data: shuffle: a stream has no numbered elements, so it is shuffled through a buffer. Say how many may be "
                "in it: .shuffle(10_000, seed=0)"
            )
        return Stream(
            lambda epoch: streams.shuffled(self._elements(epoch), buffer, seed, epoch if every_epoch else 0), self._count()
        )

    def _taken(self, number: int) -> Dataset:
        known = self._count()
        return Stream(lambda epoch: streams.taken(self._elements(epoch), number), None if known is None else min(known, number))

    def _skipped(self, number: int) -> Dataset:
        known = self._count()
        return Stream(
            lambda epoch: streams.skipped(self._elements(epoch), number), None if known is None else max(known - number, 0)
        )

    def _prefetched(self, number: int, threads: int, device: Device | None) -> Dataset:
        if threads > 1:
            raise ArgumentError(
                f"data: prefetch: the elements of a stream are made one after the other, by one thread, got threads={threads}. "
                "Read what has numbers by data.from_indexable, and put filter and repeat behind prefetch"
            )
        return Stream(lambda epoch: prefetched_stream(self._elements(epoch), number, device), self._count())

    def _repeated(self, times: int | None) -> Dataset:
        known = self._count()
        return Stream(
            lambda epoch: streams.repeated(
                self._elements(n) for n in (count(epoch << 32) if times is None else range(epoch * times, (epoch + 1) * times))
            ),
            None if known is None or times is None else known * times,
        )


boundary_methods(Dataset, plain=[name for name in vars(Dataset) if name.startswith("__")])


class Stream(Dataset):
    """A dataset that is known by what gives the elements of an epoch, and how many these are, if that is known."""

    def __init__(self, elements: Callable[[int], Iterator[Any]], known: int | None) -> None:
        super().__init__()
        self._made, self._known = elements, known

    def _elements(self, epoch: int) -> Iterator[Any]:
        return self._made(epoch)

    def _count(self) -> int | None:
        return self._known


def _check_function(where: str, f: Any) -> None:
    if not callable(f):
        raise NotAFunctionError(f"{where}: expected a function, got {f!r}")


def size(where: str, number: Any, least: int = 1) -> int:
    """A size or another number. Raises ParametersError for what is no integer, ArgumentError for one that is too small."""
    try:
        found = index(number)
    except TypeError:
        raise ParametersError(f"{where}: expected an integer, got {number!r}") from None
    if isinstance(number, bool) or found < least:
        raise ArgumentError(f"{where}: expected an integer, {least} or more, got {number!r}")
    return found


def batches_of(known: int, batch_size: int, drop_remainder: bool) -> int:
    """How many batches that many elements make. Raises ArgumentError where there is none."""
    if not known or (drop_remainder and known < batch_size):
        raise ArgumentError(
            f"data: batch({batch_size}, drop_remainder={drop_remainder}): {known} elements make no batch"
            + (". Take a smaller batch, or keep the remainder" if known else ": the dataset is empty")
        )
    return known // batch_size if drop_remainder else -(-known // batch_size)
