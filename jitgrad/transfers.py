"""Pytrees into the memory of the device, out of it, and waiting for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import tree
from .array import Array
from .devices import as_device
from .tracing import array_leaves


def device_put(x: Any, device: Any = None, *, src: Any = None, donate: bool = False, may_alias: bool | None = None) -> Any:
    """A pytree's leaves as Arrays; NumPy's memory is copied, Arrays are taken as they are.

    device: None, or what names the processor, the one device there is. src, donate, may_alias: accepted for likeness with jax.

    Raises:
        ArgumentError: another device.
        NotAnArrayError: a leaf that is no array or number, named by its path.

    >>> device_put({"a": 1.5})
    {'a': Array(1.5, dtype=float32)}
    """
    for leaf in tree.leaves(device):
        as_device("device_put", leaf)
    leaves, treedef = array_leaves("device_put", x, "the value")
    return tree.unflatten(treedef, leaves)


def placed(where: str, x: Array, device: Any) -> Array:
    """What a function that takes `device` has made, on that device; where it is for None."""
    if device is not None:
        as_device(where, device)
    return x


def device_get(x: Any) -> Any:
    """A pytree with NumPy arrays in place of Arrays; other leaves stay as they are.

    >>> import jitgrad.numpy as jnp
    >>> device_get({"a": jnp.ones(2), "n": 3})
    {'a': array([1., 1.], dtype=float32), 'n': 3}
    """
    return tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, Array) else leaf, x)


def block_until_ready(x: Any) -> Any:
    """x; results are always complete when a call returns, so nothing is waited for."""
    return x
