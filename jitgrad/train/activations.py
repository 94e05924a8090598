"""Activations by Keras' names, the functions of jitgrad.nn; `get` finds one by its name."""

from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import nn
from jitgrad.nn.named import ACTIVATIONS, activation_arg
from jitgrad.publishing import public as _public


def linear(x: Any) -> Any:
    """x as it is."""
    return x


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution's probability below it; approximate: by tanh."""
    return nn.gelu(x, approximate=approximate)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where it is positive, else negative_slope * x."""
    return nn.leaky_relu(x, negative_slope)


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """x from the threshold on, at most max_value; below the threshold negative_slope * (x - threshold).

    >>> print(relu(jnp.array([-2.0, 1.0, 9.0]), negative_slope=0.5, max_value=6.0))
    [-1.  1.  6.]
    """
    if max_value is None and not negative_slope and not threshold:
        return nn.relu(x)
    x = jnp.asarray(x)
    kept = x if max_value is None else jnp.minimum(x, max_value)
    return jnp.where(x >= threshold, kept, negative_slope * (x - threshold))


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where it is farther from 0 than the threshold, else 0."""
    return nn.hard_shrink(x, threshold)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by the threshold; 0 where it is nearer."""
    return nn.soft_shrink(x, threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above the threshold, else default_value."""
    return nn.threshold(x, threshold, default_value)


def get(activation: Any) -> Callable[[Any], Any]:
    """An activation by name, a function as it is; None is `linear`."""
    return activation_arg("train.activations", activation) or linear


celu, elu, exponential, hard_sigmoid, hard_silu, log_sigmoid = (
    nn.celu, nn.elu, ACTIVATIONS["exponential"], nn.hard_sigmoid, nn.hard_silu, nn.log_sigmoid,
)  # fmt: skip
hard_swish, log_softmax, mish, relu6, selu, sigmoid = (
    nn.hard_swish, nn.log_softmax, nn.mish, nn.relu6, nn.selu, nn.sigmoid,
)  # fmt: skip
silu, softmax, softplus, softsign, swish, tanh = nn.silu, nn.softmax, nn.softplus, nn.soft_sign, nn.swish, nn.tanh
glu, hard_tanh, sparse_plus, sparse_sigmoid, squareplus, tanh_shrink = (
    nn.glu, nn.hard_tanh, nn.sparse_plus, nn.sparse_sigmoid, nn.squareplus, nn.tanh_shrink,
)  # fmt: skip

__all__ = [
    "celu", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip

_public(__name__, arguments=True)
