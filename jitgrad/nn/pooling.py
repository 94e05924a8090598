"""Pools as functions: those of PyTorch's names, of the layers' arguments; and `max_pool`, `min_pool`, `avg_pool` of Flax's."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, inexact_arg

from . import pooling_layers
from .pooling_layers import highest, lowest
from .windows import each, padding_arg, pads_of


def _function(name: str, layer: Any) -> Callable[..., Any]:
    """A layer's work as a function of its input and the layer's arguments."""

    def function(x: Any, *args: Any, **options: Any) -> Any:
        return layer(*args, **options)(x)

    parameters = list(inspect.signature(layer.__init__).parameters.values())
    parameters[0] = inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`nn.{layer.__name__}` as a function: nn.{name}(x, ...) is nn.{layer.__name__}(...)(x)."
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return function


def _functions(name: str, layer: str) -> list[Any]:
    """Those for one, two and three axes of space."""
    return [_function(f"{name}{rank}d", getattr(pooling_layers, f"{layer}{rank}d")) for rank in (1, 2, 3)]


max_pool1d, max_pool2d, max_pool3d = _functions("max_pool", "MaxPool")
avg_pool1d, avg_pool2d, avg_pool3d = _functions("avg_pool", "AvgPool")
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = _functions("adaptive_max_pool", "AdaptiveMaxPool")
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = _functions("adaptive_avg_pool", "AdaptiveAvgPool")


def _reduced(
    where: str, x: Array, init: Any, computation: Callable[[Any, Any], Any], window_shape: Any, strides: Any, padding: Any
) -> Array:
    """Windows of the axes before the last one, reduced."""
    if not isinstance(window_shape, (tuple, list)):
        raise ArgumentError(f"{where}: window_shape must have a size for each axis of space, got {window_shape!r}")
    rank = len(window_shape)
    if x.ndim < rank + 1:
        raise ShapeError(
            f"{where}: x must be [..., *space, channels] with {rank} axes of space, as window_shape, got shape {x.shape}"
        )
    window = each(where, "window_shape", window_shape, rank)
    steps = (1,) * rank if strides is None else each(where, "strides", strides, rank)
    pads = pads_of(padding_arg(where, padding, rank), x.shape[-rank - 1 : -1], window, steps, (1,) * rank)
    outer = x.ndim - rank - 1
    return lax.reduce_window(
        x, init, computation, (1,) * outer + window + (1,), (1,) * outer + steps + (1,), ((0, 0),) * outer + tuple(pads) + ((0, 0),)
    )


def max_pool(x: Any, window_shape: Sequence[int], strides: Sequence[int] | None = None, padding: Any = "VALID") -> Array:
    """The largest element of each window of the axes before the last one, as Flax's: [..., *space, channels].

    window_shape: as many sizes as there are axes of space. strides: how far windows are apart, by default 1. padding: "VALID",
    "SAME", or what is left out around each axis, a pair each.

    >>> import jitgrad.numpy as jnp
    >>> max_pool(jnp.ones((4, 28, 28, 3)), (2, 2), strides=(2, 2)).shape
    (4, 14, 14, 3)
    """
    value = array_arg("nn.max_pool", x)
    return _reduced("nn.max_pool", value, lowest(value), lax.max, window_shape, strides, padding)


def min_pool(x: Any, window_shape: Sequence[int], strides: Sequence[int] | None = None, padding: Any = "VALID") -> Array:
    """The smallest element of each window, as `nn.max_pool` gives the largest.

    >>> import jitgrad.numpy as jnp
    >>> print(min_pool(jnp.array([[3.0], [1.0], [2.0]]), (2,))[:, 0])
    [1. 1.]
    """
    value = array_arg("nn.min_pool", x)
    return _reduced("nn.min_pool", value, highest(value), lax.min, window_shape, strides, padding)


def avg_pool(
    x: Any,
    window_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    padding: Any = "VALID",
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window, as `nn.max_pool` gives the largest element. count_include_pad: whether padding counts, as zeros.

    >>> import jitgrad.numpy as jnp
    >>> print(avg_pool(jnp.array([[3.0], [1.0], [2.0]]), (2,))[:, 0])
    [2.  1.5]
    """
    where = "nn.avg_pool"
    value = inexact_arg(where, x)
    total = _reduced(where, value, 0, lax.add, window_shape, strides, padding)
    if count_include_pad:
        return total / math.prod(window_shape)
    space = value.shape[-len(window_shape) - 1 : -1]
    return total / _reduced(where, jnp.ones((*space, 1), value.dtype), 0, lax.add, window_shape, strides, padding)
