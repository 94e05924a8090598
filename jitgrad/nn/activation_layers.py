"""Activations as layers: ReLU() is nn.relu. One factory makes them; PReLU alone has a parameter."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import new_class
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.normalization import log_softmax, softmax
from jitgrad.ranges import Real, Size

from . import activations
from .module import Module


def _activation(name: str, function: Callable[..., Any], **options: Any) -> type[Module]:
    """The class of layers that call a function of an array; their arguments, by place or name, are these options of it."""
    theirs = inspect.signature(function).parameters
    signature = inspect.Signature([theirs[n].replace(default=d) for n, d in options.items()])

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for option, value in bound.arguments.items():
            setattr(self, option, value)

    def __call__(self: Any, x: Any) -> Any:
        return function(x, **{option: getattr(self, option) for option in options})

    given = ", ".join(f"{n}={d!r}" for n, d in options.items())
    doc = f"`nn.{function.__name__}` as a layer{f', with the options {given}' if options else ''}."
    members = {"__init__": __init__, "__call__": __call__, "__doc__": doc, "__module__": __name__, "__signature__": signature}
    return new_class(name, (Module,), exec_body=lambda namespace: namespace.update(members))


ReLU = _activation("ReLU", activations.relu)
ReLU6 = _activation("ReLU6", activations.relu6)
LeakyReLU = _activation("LeakyReLU", activations.leaky_relu, negative_slope=0.01)
ELU = _activation("ELU", activations.elu, alpha=1.0)
CELU = _activation("CELU", activations.celu, alpha=1.0)
SELU = _activation("SELU", activations.selu)
GELU = _activation("GELU", activations.gelu, approximate=False)
SiLU = _activation("SiLU", activations.silu)
Mish = _activation("Mish", activations.mish)
Sigmoid = _activation("Sigmoid", activations.sigmoid)
LogSigmoid = _activation("LogSigmoid", activations.log_sigmoid)
Tanh = _activation("Tanh", jnp.tanh)
Softplus = _activation("Softplus", activations.softplus)
Softsign = _activation("Softsign", activations.soft_sign)
Hardtanh = _activation("Hardtanh", activations.hard_tanh)
Hardsigmoid = _activation("Hardsigmoid", activations.hard_sigmoid)
Hardswish = _activation("Hardswish", activations.hard_swish)
Hardshrink = _activation("Hardshrink", activations.hard_shrink, lambd=0.5)
Softshrink = _activation("Softshrink", activations.soft_shrink, lambd=0.5)
Tanhshrink = _activation("Tanhshrink", activations.tanh_shrink)
Softmin = _activation("Softmin", activations.softmin, axis=-1)
GLU = _activation("GLU", activations.glu, axis=-1)
Softmax = _activation("Softmax", softmax, axis=-1)
LogSoftmax = _activation("LogSoftmax", log_softmax, axis=-1)


class Threshold(Module):
    """`nn.threshold` as a layer: x where it is above a threshold, else a value.

    >>> print(Threshold(0.5, 20.0)(jnp.array([0.1, 3.0])))
    [20.  3.]
    """

    def __init__(self, threshold: Real, value: Real) -> None:
        self.threshold, self.value = threshold, value

    def __call__(self, x: Any) -> Array:
        return activations.threshold(x, self.threshold, self.value)


class PReLU(Module):
    """x where it is positive, else weight * x. weight is learned: one number, or one a feature (num_parameters), the last axis.

    >>> print(PReLU()(jnp.array([-2.0, 3.0])))
    [-0.5  3. ]
    """

    weight: Array

    def __init__(self, num_parameters: Size = 1, init: Real = 0.25, *, dtype: Any = None) -> None:
        self.weight = jnp.full((num_parameters,), init, dtype)

    def __call__(self, x: Any) -> Array:
        value = jnp.asarray(x)
        if self.weight.size > 1 and (not value.ndim or value.shape[-1] != self.weight.size):
            self.refuse_input(f"[..., {self.weight.size}]", value)
        return jnp.where(value > 0, value, self.weight * value)
