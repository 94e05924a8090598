"""Layers of several inputs, given as a list: sums, products, means, one beside the other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import new_class
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array

from .base import Layer


def _merge(name: str, what: str, join: Callable[[list[Array]], Any], count: int | None = None) -> type[Layer]:
    def call(self: Any, inputs: Any) -> Any:
        values = [jnp.asarray(x) for x in inputs] if isinstance(inputs, (list, tuple)) else []
        if len(values) < 2 or (count is not None and len(values) != count):
            wanted = "two arrays or more" if count is None else f"{count} arrays"
            self.refuse_input(f"a list of {wanted}", jnp.asarray(inputs) if not values else values[0])
        return join(values)

    body = {"call": call, "__doc__": f"The {what} of a list of arrays, element by element.", "__module__": __name__}
    made: type[Layer] = new_class(name, (Layer,), exec_body=lambda namespace: namespace.update(body))
    return made


Add = _merge("Add", "sum", lambda xs: functools.reduce(jnp.add, xs))
Subtract = _merge("Subtract", "difference", lambda xs: xs[0] - xs[1], 2)
Multiply = _merge("Multiply", "product", lambda xs: functools.reduce(jnp.multiply, xs))
Average = _merge("Average", "mean", lambda xs: functools.reduce(jnp.add, xs) / len(xs))
Maximum = _merge("Maximum", "largest number", lambda xs: functools.reduce(jnp.maximum, xs))
Minimum = _merge("Minimum", "smallest number", lambda xs: functools.reduce(jnp.minimum, xs))


class Concatenate(Layer):
    """A list of arrays one behind the other along an axis.

    >>> Concatenate()([jnp.ones((2, 3)), jnp.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1, **options: Any) -> None:
        self.take(options)
        self.axis = axis

    def call(self, inputs: Any) -> Array:
        return jnp.concatenate([jnp.asarray(x) for x in inputs], axis=self.axis)


class Dot(Layer):
    """The sum of products of two arrays along an axis of each, for each example. normalize: of vectors of length 1."""

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        self.take(options)
        self.axes = (axes, axes) if isinstance(axes, int) else tuple(axes)
        self.normalize = bool(normalize)

    def call(self, inputs: Any) -> Array:
        a, b = (jnp.moveaxis(jnp.asarray(x), axis, -1) for x, axis in zip(inputs, self.axes, strict=True))
        if self.normalize:
            a, b = (x / jnp.sqrt(jnp.maximum(jnp.sum(x * x, axis=-1, keepdims=True), 1e-12)) for x in (a, b))
        rows = a.reshape(a.shape[0], -1, a.shape[-1]) @ jnp.swapaxes(b.reshape(b.shape[0], -1, b.shape[-1]), 1, 2)
        return rows.reshape(a.shape[0], *(a.shape[1:-1] + b.shape[1:-1] or (1,)))


def _function(made: Any) -> Callable[..., Any]:
    def merge(inputs: Any, **options: Any) -> Any:
        return made(**options)(inputs)

    merge.__name__ = merge.__qualname__ = made.__name__.lower()
    merge.__doc__ = f"`{made.__name__}()` of a list of arrays."
    return merge


add, subtract, multiply, average, maximum, minimum, concatenate = map(
    _function, (Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate)
)
