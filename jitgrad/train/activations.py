"""Activations by Keras' names, the functions of jitgrad.nn; `get` finds one by its name."""

from collections.abc import Callable
from typing import Any

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


def get(activation: Any) -> Callable[[Any], Any]:
    """An activation by name, a function as it is; None is `linear`."""
    return activation_arg("train.activations", activation) or linear


celu, elu, exponential, hard_sigmoid, hard_silu, log_sigmoid = (
    nn.celu, nn.elu, ACTIVATIONS["exponential"], nn.hard_sigmoid, nn.hard_silu, nn.log_sigmoid,
)  # fmt: skip
hard_swish, log_softmax, mish, relu, relu6, selu, sigmoid = (
    nn.hard_swish, nn.log_softmax, nn.mish, nn.relu, nn.relu6, nn.selu, nn.sigmoid,
)  # fmt: skip
silu, softmax, softplus, softsign, swish, tanh = nn.silu, nn.softmax, nn.softplus, nn.soft_sign, nn.swish, nn.tanh

__all__ = [
    "celu", "elu", "exponential", "gelu", "get", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "linear", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh",
]  # fmt: skip

_public(__name__)
