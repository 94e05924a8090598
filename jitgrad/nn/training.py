"""`apply`: call a module in training, and get it back with what the call assigned, new running statistics for example.

It calls a copy whose modules know of the run (calls.py), so the module itself stays as it is, inside jit, grad and vmap, too.
"""

from __future__ import annotations

import types
from typing import Any

from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.random.keys import raw
from jitgrad_compiler.ir.builder import state

from .calls import Run
from .module import Module, set_run


def apply(module: Any, *args: Any, train: bool | None = None, key: Any = None, **kwargs: Any) -> Any:
    """What `module(*args, **kwargs)` gives, in training where `train` is True, and the module with what its call assigned.

    module: a Module, or a method of one, such as model.encode. In training BatchNorm takes the batch's statistics and updates its
    running ones, Dropout drops; without it, the default, the call is inference. key: for the layers that draw random numbers; each
    draw folds its number in the order of calls into the key. Inside the call of another `apply`, `train` is that one's by default.

    Raises ArgumentError for what is no Module, and where a layer draws random numbers and no key is given.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> key = jitgrad.random.key(0)
    >>> model = nn.Sequential(nn.Linear(4, 8, key=key), nn.ReLU())
    >>> y, model = nn.apply(model, jnp.ones((2, 4)), train=True, key=key)
    >>> y.shape
    (2, 8)
    """
    name = "__call__"
    if isinstance(module, types.MethodType):
        module, name = module.__self__, module.__name__
    if not isinstance(module, Module):
        raise ArgumentError(f"nn.apply: the first argument must be a Module or a method of one, got {type(module).__name__}.")
    if key is not None:
        raw("nn.apply", key)
    copy = tree.map(lambda x: x, module)
    set_run(copy, Run(module.training if train is None else bool(train), key, state.staging))
    out = getattr(copy, name)(*args, **kwargs)
    set_run(copy, None)
    return out, copy


__all__ = ["apply"]
