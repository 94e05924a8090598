"""Elements kept in memory after their first epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import elements as parts
from .streams import closing_of


class Cache:
    """What a dataset gave in the first iteration that reached its end; those that are left before it keep nothing."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        self.make = make
        self.kept: list[Any] | None = None

    def elements(self, epoch: int) -> Iterator[Any]:
        if self.kept is None:
            kept = []
            source = self.make()
            with closing_of(source):
                for element in source:
                    kept.append(element)
                    yield parts.copy(element)
            self.kept = kept
        else:
            for element in self.kept:
                yield parts.copy(element)
