"""Mixed precision: a module that computes in 16 bits, with parameters, running statistics and results in 32."""

from __future__ import annotations

from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad_compiler.ir.types import NAMES

from .module import Module
from .normalization_layers import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm
from .training import apply

NORMALIZATIONS = (BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RMSNorm)
"""Layers that go on computing in 32 bits: what they divide by is a small difference of large numbers."""


class MixedPrecision(Module):
    """`module`, computing in another element type: parameters and floating-point inputs are converted to `compute` at every call,
    and what it gives to `output`. Normalization layers compute in their parameters' own type, and give `compute`. Products of
    matrices and sums are float32's inside, as ever (Micikevicius et al., Mixed precision training, 2017).

    Parameters, gradients, what optimizers update, running statistics and what is saved are those of `module`, in their own types.
    Gradients in float16 may become 0, for which there is `optim.dynamic_loss_scale`; in bfloat16 they don't.

    module: a Module. compute: "bfloat16", "float16" or another floating-point type. output: that of the results.

    Raises ArgumentError for what is no Module, and for a type that is none of floating-point numbers.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> model = nn.MixedPrecision(nn.Linear(4, 2, key=jitgrad.random.key(0)))
    >>> print(model(jnp.ones((3, 4))).dtype, model.module.weight.dtype)
    float32 float32
    """

    def __init__(self, module: Any, compute: Any = "bfloat16", output: Any = "float32") -> None:
        if not isinstance(module, Module):
            raise ArgumentError(f"nn.MixedPrecision: the first argument must be a Module, got {type(module).__name__}")
        self.module = module
        self.compute, self.output = _floating("compute", compute), _floating("output", output)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = self.module
        narrow = tree.map(self._narrow, before, is_leaf=_is_normalization)
        args, kwargs = _converted((args, kwargs), self.compute)
        if not self.training:
            return _converted(narrow(*args, **kwargs), self.output)
        given = tree.leaves(narrow, is_leaf=_is_wrapped)
        key = None if self._run is None or self._run.key is None else self.next_key()
        out, after = apply(narrow, *args, train=True, key=key, **kwargs)
        found = tree.leaves(after, is_leaf=_is_wrapped)
        leaves, structure = tree.flatten(before, is_leaf=_is_normalization)
        if len(leaves) == len(given) == len(found):
            self.module = tree.unflatten(structure, map(_kept, leaves, given, found))
        else:  # layers have found their sizes
            self.module = tree.map(lambda x: x.layer if _is_wrapped(x) else x, after, is_leaf=_is_wrapped)
        return _converted(out, self.output)

    def _narrow(self, x: Any) -> Any:
        return _Wide(x, self.compute) if _is_normalization(x) else _converted(x, self.compute)


class _Wide(Module):
    """A layer that computes in its own type, among those that do in another."""

    def __init__(self, layer: Module, dtype: str) -> None:
        self.layer, self.dtype = layer, dtype

    def __call__(self, x: Any) -> Any:
        floats = [a.dtype for a in tree.leaves(self.layer) if isinstance(a, Array) and jnp.issubdtype(a.dtype, jnp.floating)]
        return self.layer(x.astype(floats[0] if floats else "float32")).astype(self.dtype)


def _is_normalization(x: Any) -> bool:
    return isinstance(x, NORMALIZATIONS)


def _is_wrapped(x: Any) -> bool:
    return isinstance(x, _Wide)


def _kept(old: Any, given: Any, found: Any) -> Any:
    """What stands in the module after a call: what it had, unless the call has assigned something else."""
    if _is_wrapped(found):
        return found.layer
    if found is given:
        return old
    return found.astype(old.dtype) if isinstance(old, Array) and isinstance(found, Array) else found


def _floating(name: str, dtype: Any) -> str:
    try:
        found = NAMES.get(np.dtype(jnp.dtype(dtype)))
    except TypeError:
        found = None
    if found is None or not found.is_float:
        raise ArgumentError(f"nn.MixedPrecision: {name} must be a type of floating-point numbers, got {dtype!r}")
    return str(found.numpy.name)


def _converted(x: Any, dtype: str) -> Any:
    """A pytree with its floating-point arrays in another type."""
    return tree.map(lambda a: jnp.asarray(a).astype(dtype) if _is_floating(a) else a, x)


def _is_floating(a: Any) -> bool:
    return isinstance(a, (Array, np.ndarray, np.floating)) and jnp.issubdtype(a.dtype, jnp.floating)


__all__ = ["MixedPrecision"]
