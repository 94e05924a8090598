"""The arrays of a Model, and their files: what `Model` has beside training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.held import trainable


class Weights(ABC):
    """The part of a Model that looks at its arrays, changes them, and writes them to files."""

    module: Any
    _module: Any

    @property
    def _name(self) -> str:
        return f"train.{type(self).__name__}"

    @abstractmethod
    def get_state(self) -> dict[str, Any]:
        """What `save` writes."""

    @abstractmethod
    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `load` has read."""

    def count_params(self) -> int:
        """How many numbers the parameters have, buffers included, as Keras counts."""
        return sum(int(np.prod(x.shape)) for x in tree.leaves(self._module))

    def get_weights(self) -> list[np.ndarray]:
        """All arrays of the module, parameters and buffers, in its order."""
        return [np.array(x) for x in tree.leaves(self._module)]

    @property
    def weights(self) -> list[Any]:
        """The arrays that `get_weights` gives, which are values: `set_weights` sets others."""
        return tree.leaves(self._module)

    @property
    def trainable_weights(self) -> list[Any]:
        """The parameters that are trained."""
        return tree.leaves(trainable(self._module))

    trainable_variables = trainable_weights
    variables = weights

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Put arrays in the places of those that `get_weights` gives; shapes must agree."""
        leaves, structure = tree.flatten(self._module)
        if len(weights) != len(leaves):
            raise ArgumentError(f"{self._name}.set_weights: the model has {len(leaves)} arrays, got {len(weights)}")
        for number, (old, new) in enumerate(zip(leaves, weights, strict=True)):
            if old.shape != np.shape(new):
                raise ArgumentError(
                    f"{self._name}.set_weights: array {number} must be {list(old.shape)}, got {list(np.shape(new))}"
                )
        self._module = tree.unflatten(structure, [jnp.asarray(n, o.dtype) for o, n in zip(leaves, weights, strict=True)])

    def save_weights(self, path: Any) -> None:
        """Write the module's arrays to a safetensors file (`jitgrad.io`)."""
        from jitgrad import io

        io.save(path, self._module)

    def load_weights(self, path: Any) -> None:
        """Read what `save_weights` has written, for a model of the same structure."""
        from jitgrad import io

        self._module = io.load(path, like=self._module)

    def save(self, path: Any) -> None:
        """Write all of the training's state, the optimizer's and the keys included, to a safetensors file: `load` goes on from
        it."""
        from jitgrad import io

        io.save(path, self.get_state())

    def load(self, path: Any) -> None:
        """Go on from what `save` has written, in a model of the same structure, compiled with an optimizer of the same kind."""
        from jitgrad import io

        self.set_state(io.load(path, like=self.get_state()))
