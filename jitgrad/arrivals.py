"""Pytrees on their way to a GPU, which goes on with its programs meanwhile: `send`, in a thread that makes data, and `taken` where
they are used.
"""

from __future__ import annotations

from typing import Any

from . import placement, tree
from .array import Array
from .devices import CPU, Device
from .tracing import array_leaves


class Arrival:
    """A pytree whose leaves were sent to a device."""

    def __init__(self, where: str, x: Any, device: Device) -> None:
        leaves, self._treedef = array_leaves(where, x, "an element", borrow=device != CPU)
        self._landings: list[Any] = []
        self._leaves = [self._sent(where, leaf, device) for leaf in leaves]

    def _sent(self, where: str, x: Array, device: Device) -> Array:
        if device == CPU or x.device != CPU:
            return placement.moved(where, x, device)
        memory = placement.opened(device).uploads.send(x.data())
        self._landings.append(memory.buffer)
        return Array(x.type, None, memory, x.weak)

    def taken(self) -> Any:
        """The pytree of Arrays. What is asked of the device from here on runs when they are there."""
        for landing in self._landings:
            landing.land()
        return tree.unflatten(self._treedef, self._leaves)


def send(where: str, x: Any, device: Device) -> Arrival:
    """Bring a pytree's leaves to a device beside what runs there."""
    return Arrival(where, x, device)
