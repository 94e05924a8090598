"""`Sequential`: a Model of layers one after another, which may be added one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad import nn
from jitgrad.errors import ArgumentError
from jitgrad.tracebacks import boundary_methods

from .layers.base import Layer
from .model import Model
from .symbolic import UNKNOWN, Symbolic


class Layers(Layer, nn.Sequential):
    """The module of a `Sequential`: nn.Sequential with what Keras' layers have, `training=` and `trainable`."""

    def __init__(self, layers: Sequence[Any], name: str | None = None) -> None:
        nn.Sequential.__init__(self, layers)
        if name is not None:
            self.name = name


Layers.__name__ = "Sequential"  # what messages call it


class Sequential(Model):
    """A Model of layers one after another: modules and functions, a list or one by one. `Input(shape)` in front of them, or
    input_shape of the first one, says the shape of an example, so that they are built at once. Layers of `train.layers` are the
    model's own, as in Keras: they get their parameters with it, are trained with it, and are frozen where `trainable` of them is
    set.

    >>> from jitgrad import nn, train
    >>> model = train.Sequential([nn.Dense(10, activation="relu"), nn.Dense(1)], input_shape=(4,))
    >>> model.count_params()
    61
    """

    def __init__(self, *layers: Any, input_shape: Sequence[int] | None = None, key: Any = None, name: str | None = None) -> None:
        given = list(layers[0]) if len(layers) == 1 and isinstance(layers[0], (list, tuple)) else list(layers)
        self._shape = _batch_shape(given) if input_shape is None else (1, *input_shape)
        super().__init__(Layers([_module(x) for x in given if type(x) is not Symbolic], name), key=key, name=name)
        self._shared = any(isinstance(x, (Model, Layer)) for x in given)
        if self._shape is not None and self._module.layers:
            self.build(self._shape)

    def add(self, layer: Any) -> None:
        """Put a layer behind the others. Not after training has begun: the optimizer's state is that of the layers before."""
        if self._optimizer_state is not None:
            raise ArgumentError(f"{self._name}.add: the model is being trained already. Make a new one with all layers.")
        self._shape = self._shape if self._module.layers or self._shape else _batch_shape([layer])
        if type(layer) is not Symbolic:
            self._module, self._inputs = Layers([*self._module.layers, _module(layer)], self.name), None
            self._shared = self._shared or isinstance(layer, (Model, Layer))
        if self._shape is not None and self._module.layers:
            self.build(self._shape)


def _module(layer: Any) -> Any:
    """A layer; of a Model, its module, which both of them train."""
    return layer.as_layer() if isinstance(layer, Model) else layer


def _batch_shape(layers: Sequence[Any]) -> Any:
    """The shape of a batch, where the first of some layers knows it."""
    first = layers[0] if layers else None
    if type(first) is Symbolic:
        return (1, *(UNKNOWN[0] if n is None else n for n in first.shape[1:]))
    if isinstance(first, Model):
        return first._inputs[0].shape if first._inputs else None
    shape = getattr(first, "input_shape", None) if isinstance(first, Layer) else None
    return None if shape is None else (1, *(UNKNOWN[0] if n is None else n for n in shape))


boundary_methods(Sequential, plain=("__init__", "__setattr__", "__getattr__"))
