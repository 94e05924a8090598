"""Modules of modules: Sequential, Residual; and those that do one thing to their input: Lambda, Flatten, Identity."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

from .module import Module

Layer = Callable[..., Any]


class Sequential(Module):
    """Layers one after another: modules, or functions of an array. The list of layers may also be given as one argument.

    `layers` is their tuple; `model[i]` is one of them, `model[i:j]` a Sequential of some.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> model = Sequential(nn.Linear(3, 4), jnp.tanh, nn.Linear(4, 2))
    >>> model(jnp.ones((5, 3))).shape
    (5, 2)
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Any) -> None:
        given = tuple(layers[0]) if len(layers) == 1 and isinstance(layers[0], (list, tuple)) else layers
        for i, layer in enumerate(given):
            if isinstance(layer, type) or not callable(layer):
                what = (
                    f"the class {layer.__name__}: make a layer of it, {layer.__name__}(...)"
                    if isinstance(layer, type)
                    else repr(layer)
                )
                raise ArgumentError(f"nn.Sequential: layers are modules or functions, but layer {i} is {what}")
        self.layers = given

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)


class Residual(Module):
    """x + layer(x); with `shortcut`, a layer for x where shapes differ, shortcut(x) + layer(x).

    >>> print(Residual(lambda x: 2 * x)(jnp.array([1.0, 2.0])))
    [3. 6.]
    """

    def __init__(self, layer: Layer, shortcut: Layer | None = None) -> None:
        self.layer, self.shortcut = layer, shortcut

    def __call__(self, x: Any) -> Array:
        straight = jnp.asarray(x if self.shortcut is None else self.shortcut(x))
        changed = jnp.asarray(self.layer(x))
        if straight.shape != changed.shape:
            self.refuse_input(f"of the shape that the layer gives, {list(changed.shape)}, or have a shortcut to it", straight)
        return straight + changed


class Lambda(Module):
    """A function as a layer. Arrays that it closes over are constants, no parameters.

    >>> print(Lambda(jnp.sort)(jnp.array([2.0, 1.0])))
    [1. 2.]
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Identity(Module):
    """x as it is.

    >>> Identity()(3)
    3
    """

    def __call__(self, x: Any) -> Any:
        return x


class Flatten(Module):
    """The axes from start_axis to end_axis, both included, as one: by default all but the first, which is the batch's.

    >>> Flatten()(jnp.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        self.start_axis, self.end_axis = start_axis, end_axis

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        rank = value.ndim
        start, end = (axis + rank if axis < 0 else axis for axis in (self.start_axis, self.end_axis))
        if not 0 <= start <= end < rank:
            self.refuse_input(f"of a rank that has the axes {self.start_axis} to {self.end_axis}", value)
        shape = value.shape
        return jnp.reshape(value, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))
