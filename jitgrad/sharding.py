"""How arrays lie on devices, by jax.sharding's names: whole, on the one device there is.

>>> import jitgrad.numpy as jnp
>>> isinstance(jnp.ones(3).sharding, Sharding)
True
"""

from __future__ import annotations

from typing import Any, NoReturn

from .devices import Sharding, SingleDeviceSharding
from .errors import ArgumentError


class PartitionSpec(tuple[Any, ...]):
    """For each axis of an array the axis of a mesh that it is spread over, or None.

    >>> PartitionSpec("batch", None)
    PartitionSpec('batch', None)
    """

    def __new__(cls, *axes: Any) -> PartitionSpec:
        return super().__new__(cls, axes)

    def __repr__(self) -> str:
        return f"PartitionSpec{super().__repr__()}"


def _one_device(name: str) -> NoReturn:
    raise ArgumentError(f"{name}: arrays lie on one device and are not spread over several; leave it out, or use vmap")


class Mesh:
    """An arrangement of devices, of which there is none but the single one: making one raises ArgumentError."""

    def __init__(self, devices: Any, axis_names: Any, **kwargs: Any) -> None:
        _one_device("sharding.Mesh")


class NamedSharding(Sharding):
    """How an array is spread over a Mesh: making one raises ArgumentError."""

    def __init__(self, mesh: Any, spec: Any, **kwargs: Any) -> None:
        _one_device("sharding.NamedSharding")


def shard_map(f: Any = None, /, **kwargs: Any) -> NoReturn:
    """A function of the pieces of arrays on several devices; raises ArgumentError, as there is one device."""
    _one_device("shard_map")


__all__ = ["Mesh", "NamedSharding", "PartitionSpec", "Sharding", "SingleDeviceSharding", "shard_map"]
