"""`load_torch`: a module with the parameters of PyTorch's module of the same architecture.

A layer whose parameters PyTorch names or lays out otherwise has a method `take_torch(take)`, which assigns them: `take(name)` is
PyTorch's parameter of that name. All others are taken as they are, by the names of attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError

from .containers import Sequential
from .module import Module
from .sizes import check_built

Take = Callable[[str], Array]
"""PyTorch's parameter of a name, within the module that is loaded."""


def load_torch(module: Module, state: Mapping[str, Any], *, strict: bool = True) -> Module:
    """A copy of a module with the parameters in a state dict of PyTorch: names, such as "layers.0.weight", to arrays or tensors.

    Attributes must have the names that they have in PyTorch's module; layers of a Sequential have numbers. Elements keep the types
    that they have in `module`. Raises ArgumentError for a name that `state` lacks or, with strict, that has no place, but for the
    counts of batches that momentum=None alone needs; ShapeError for a parameter of another shape.

    >>> import numpy as np
    >>> from jitgrad import nn
    >>> layer = load_torch(nn.Linear(3, 2), {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    >>> print(layer(np.ones(3)))
    [3. 3.]
    """
    check_built("nn.load_torch", module)
    copy = tree.map(lambda x: x, module)
    left = dict(state)

    def take(name: str) -> Array:
        if name not in left:
            raise ArgumentError(f"nn.load_torch: the state has no {name!r}. It has {', '.join(state) or 'nothing'}.")
        value = left.pop(name)
        return jnp.array(value.detach().cpu().numpy() if hasattr(value, "detach") else value)

    _load(copy, "", take)
    unknown = [name for name in left if name.split(".")[-1] != "num_batches_tracked"]
    if unknown and strict:
        raise ArgumentError(f"nn.load_torch: {type(module).__name__} has no place for {', '.join(map(repr, unknown))}")

    def checked(path: Any, old: Array, new: Array) -> Array:
        if old.shape != new.shape:
            raise ShapeError(f"nn.load_torch: {tree.path_text(path)} must have shape {old.shape}, but the state's has {new.shape}")
        return new.astype(old.dtype)

    loaded: Module = tree.map_with_path(checked, module, copy)
    return loaded


def _load(part: Any, prefix: str, take: Take) -> None:
    """Assign all parameters inside a module, list or dict."""
    if hasattr(type(part), "take_torch"):
        part.take_torch(lambda name: take(prefix + name))
        return
    parts = part.layers if isinstance(part, Sequential) else part
    items = vars(parts) if isinstance(parts, Module) else parts if isinstance(parts, dict) else dict(enumerate(parts))
    for name, value in list(items.items()):
        if isinstance(part, Module) and isinstance(value, Array):
            setattr(part, name, take(f"{prefix}{name}"))
        elif isinstance(value, (Module, list, tuple, dict)):
            _load(value, f"{prefix}{name}.", take)
