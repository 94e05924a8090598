"""Batches on their way to the GPU that a model lies on: the next one is brought there while the last one is computed with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jitgrad import placement, tree
from jitgrad.arrivals import Arrival, send
from jitgrad.devices import CPU, Device

from .steps import Batch

_Item = tuple[Batch, Callable[[], Batch]]


def device_of(model: Any) -> Device:
    """The device that a model's arrays lie on, or will."""
    return placement.common(f"{model._name}.fit", tree.leaves(model.module))


class Arriving:
    """Batches of NumPy arrays, each with a function that gives it where the model lies.

    `look_ahead` is called when the device has been asked for all that is done with a batch, and the processor would wait. An error
    of the next batch is raised in its turn.
    """

    def __init__(self, where: str, model: Any, batches: Iterator[Batch]) -> None:
        self._where, self._model, self._batches = where, model, batches
        self._next: _Item | None = None
        self._failed: Exception | None = None

    def __iter__(self) -> Iterator[_Item]:
        return self

    def __next__(self) -> _Item:
        found, failed = self._next, self._failed
        self._next = self._failed = None
        if failed is not None:
            raise failed
        return self._taken() if found is None else found

    def look_ahead(self) -> None:
        if device_of(self._model) == CPU:
            return
        try:
            self._next = self._taken()
        except Exception as error:  # StopIteration, too
            self._failed = error

    def _taken(self) -> _Item:
        batch, device = next(self._batches), device_of(self._model)
        if device == CPU:
            return batch, lambda: batch
        arrival: Arrival = send(self._where, batch, device)
        return batch, arrival.taken
