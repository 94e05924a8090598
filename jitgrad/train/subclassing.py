"""Models that are classes with a method `call`, as Keras has them: the module that such a class stands for.

class Net(Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(64, activation="relu"), layers.Dense(10)

    def call(self, x):
        return self.out(self.hidden(x))
"""

from __future__ import annotations

import types
from types import new_class
from typing import Any

from jitgrad.errors import ArgumentError

from .layers.base import Layer

ABSENT = ("train_step", "test_step", "predict_step", "compute_loss")
"""What Keras lets a model change of its training."""


def module_class(model: type, base: type) -> type[Layer] | None:
    """The class of modules whose calls are those of a subclass of `base`, with its methods; None where it has no method `call`."""
    classes = [c for c in model.__mro__ if issubclass(c, base) and c is not base]
    members: dict[str, Any] = {}
    for c in reversed(classes):
        members |= {n: f for n, f in vars(c).items() if isinstance(f, (types.FunctionType, property)) and not n.startswith("__")}
    for name in ABSENT:
        if name in members:
            raise ArgumentError(
                f"train.{model.__name__}: a model's {name} can't be changed. compile takes any loss, and a loop of one's own is "
                "jitgrad.value_and_grad of a function of the module with an optimizer's update."
            )
    if "call" not in members:
        return None
    made: type[Layer] = new_class(model.__name__, (Layer,), exec_body=lambda namespace: namespace.update(members))
    return made
