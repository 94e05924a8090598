"""What streams do with their elements: functions from iterators to iterators, each of which keeps no more than it says.

A stage closes what it reads from when it ends or is left, so that files are closed and threads end at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any

from jitgrad.errors import ArgumentError

from . import elements as parts
from .seeds import generator

Elements = Iterator[Any]


def mapped(elements: Elements, f: Callable[..., Any], seed: int | None, epoch: int) -> Elements:
    """f of each; with a seed f gets a generator of random numbers, too, the element's own."""
    with closing_of(elements):
        for i, element in enumerate(elements):
            with parts.Noted(i):
                made = parts.call(f, element, *(() if seed is None else (generator(seed, epoch, i),)))
            yield made


def counted(elements: Elements, length: int) -> Elements:
    """The same. Raises ArgumentError where there are not `length` of them."""
    count = 0
    with closing_of(elements):
        for element in elements:
            count += 1
            if count > length:
                break
            yield element
    if count != length:
        raise ArgumentError(
            f"data: from_iterable: length={length} was promised, and there were {count if count < length else 'more'} elements"
        )


def filtered(elements: Elements, keep: Callable[..., Any]) -> Elements:
    with closing_of(elements):
        for i, element in enumerate(elements):
            with parts.Noted(i):
                kept = parts.call(keep, element)
            if kept:
                yield element


def shuffled(elements: Elements, size: int, seed: int, epoch: int) -> Elements:
    """In another order: a buffer of `size` elements is kept full, and a random one leaves it for each that comes."""
    random = generator(seed, epoch)
    with closing_of(elements):
        buffer = list(islice(elements, size))
        for element in elements:
            i = int(random.integers(size))
            buffer[i], element = element, buffer[i]
            yield element
        for i in random.permutation(len(buffer)):
            yield buffer[i]


def batched(elements: Elements, size: int, drop_remainder: bool) -> Elements:
    """Every `size` elements as one. Raises ArgumentError where there is not one batch."""
    count = 0
    with closing_of(elements):
        while taken := list(islice(elements, size)):
            if drop_remainder and len(taken) < size:
                break
            yield parts.stack("data: batch", taken)
            count += 1
    if not count:
        raise ArgumentError(
            f"data: batch({size}, drop_remainder={drop_remainder}): the dataset ended before there was one batch, after "
            f"{len(taken)} elements"
        )


def unbatched(elements: Elements) -> Elements:
    """The rows of each."""
    with closing_of(elements):
        for batch in elements:
            arrays = parts.map_parts(lambda path, part: parts.as_numbers("data: unbatch" + path, part), batch)
            for i in range(parts.common_length("data: unbatch", arrays)):
                yield parts.pick_one(arrays, i)


def taken(elements: Elements, count: int) -> Elements:
    with closing_of(elements):
        yield from islice(elements, count)


def skipped(elements: Elements, count: int) -> Elements:
    with closing_of(elements):
        yield from islice(elements, count, None)


def repeated(epochs: Iterable[Elements]) -> Elements:
    """One behind the other. Raises ArgumentError for one without elements, of which there may be no end."""
    for elements in epochs:
        empty = True
        with closing_of(elements):
            for element in elements:
                empty = False
                yield element
        if empty:
            raise ArgumentError("data: repeat: the dataset is empty")


def concatenated(makes: Iterable[Callable[[], Elements]]) -> Elements:
    """One behind the other, each made when it is its turn."""
    for make in makes:
        elements = make()
        with closing_of(elements):
            yield from elements


def zipped(streams: list[Elements]) -> Elements:
    """Tuples of one element of each, until one ends."""
    with ExitStack() as stack:
        for elements in streams:
            stack.enter_context(closing_of(elements))
        yield from zip(*streams, strict=False)


@contextmanager
def closing_of(elements: Any) -> Iterator[None]:
    """What the elements come from is closed at the end, where it can be: generators and files."""
    try:
        yield
    finally:
        if hasattr(elements, "close"):
            elements.close()
