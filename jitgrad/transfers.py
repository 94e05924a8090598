"""Pytrees into the memory of devices, out of it, and waiting for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import state

from . import tree
from .array import Array, memory_device
from .config import config
from .devices import CPU, Device, as_device
from .errors import ArgumentError
from .tracing import array_leaves


def device_put(x: Any, device: Any = None, *, src: Any = None, donate: bool = False, may_alias: bool | None = None) -> Any:
    """A pytree's leaves as Arrays in the memory of a device; NumPy's memory is copied, Arrays that lie there are taken as they are.

    device: "cpu", "cuda", "cuda:1", a Device or a sharding on one, or a pytree of them of x's structure; None: where Arrays are,
        and the default device for everything else. src, donate, may_alias: accepted for likeness with jax.

    Raises:
        ArgumentError: what is no device.
        DriverError: a GPU that is not there; OutOfDeviceMemory: one that has no memory left.
        NotAnArrayError: a leaf that is no array or number, named by its path.

    >>> device_put({"a": 1.5}, "cpu")
    {'a': Array(1.5, dtype=float32)}
    """
    named = tree.leaves(device) or [None]
    leaves, treedef = array_leaves("device_put", x, "the value", borrow=all(as_device("device_put", d) != CPU for d in named))
    if len(named) not in (1, len(leaves)):
        raise ArgumentError(f"device_put: one device, or one for each of the {len(leaves)} leaves, got {len(named)}")
    where = named * len(leaves) if len(named) == 1 else named
    return tree.unflatten(treedef, [placed("device_put", leaf, d) for leaf, d in zip(leaves, where, strict=True)])


def placed(where: str, x: Array, device: Any) -> Array:
    """What a function that takes `device` has made, on that device; for None where it is, or on a default that is no processor."""
    if device is None and (config.default_device is None or x.device != CPU or x.owner is not None):
        return x
    wanted = as_device(where, device)
    if wanted == CPU and x.owner is None and x.device == CPU:
        return x
    from .placement import moved

    found = moved(where, x, wanted)
    if device is None:
        found.ref.lie_by_default()
    return found


def beside(x: Array, *others: Any) -> Array:
    """What no op has computed of arrays, their zeros or their number for example, where an op's result would lie: on the GPU that
    one of them lies on, or the default device. As it is where it is traced.
    """
    if x.owner is not None or state.staging is not None:
        return x
    return placed("", x, home(*others))


def home(*others: Any) -> Device | None:
    """Where an op's result would lie: on the GPU that the arrays lie on which are on one; None: on the default device.

    Raises ArgumentError where they were put on several.
    """
    found: Device | None = None
    for a in others:
        known = a.concrete() if isinstance(a, Array) else None
        here = None if known is None else memory_device(known.ref)
        if found is None:
            found = here
        elif here is not None and here != found:
            from .placement import common

            return common("", [k for a in others if isinstance(a, Array) and (k := a.concrete()) is not None])
    return found


def device_get(x: Any) -> Any:
    """A pytree with NumPy arrays in place of Arrays; other leaves stay as they are.

    >>> import jitgrad.numpy as jnp
    >>> device_get({"a": jnp.ones(2), "n": 3})
    {'a': array([1., 1.], dtype=float32), 'n': 3}
    """
    return tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, Array) else leaf, x)


def block_until_ready(x: Any) -> Any:
    """x, once all its Arrays' elements are there. On the processor they always are."""
    for leaf in tree.leaves(x):
        if isinstance(leaf, Array):
            leaf.block_until_ready()
    return x
