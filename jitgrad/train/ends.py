"""What goes into a Model and what comes out: their shapes, and the symbolic arrays that it was made of."""

from __future__ import annotations

from typing import Any

from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.tracing import eval_shape

from .steps import called


class Ends:
    """The part of a Model that looks at its inputs and outputs."""

    _module: Any
    _name: Any
    _ends: tuple[Any, Any] | None
    """The symbolic arrays that the model was made of."""
    _inputs: Any
    """Examples of the call's arguments, once they are known."""

    @property
    def input(self) -> Any:
        """The symbolic arrays that the model was made of, as they were given."""
        return self._made_of("input")[0]

    @property
    def output(self) -> Any:
        """The symbolic arrays that the model gives, as they were given."""
        return self._made_of("output")[1]

    @property
    def input_shape(self) -> Any:
        """The shape of a batch of inputs, in which None is a size that is not known; a tuple of them where there are several."""
        if self._ends is not None:
            return tree.map(lambda x: x.shape, self._ends[0])
        shapes = tuple((None, *x.shape[1:]) for x in self._known("input_shape"))
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """The shape of a batch of outputs, in which None is a size that is not known; tuples, lists or dicts of them where the
        outputs are such."""
        if self._ends is not None:
            return tree.map(lambda x: x.shape, self._ends[1])
        results = eval_shape(called, self._module, tuple(self._known("output_shape")))
        return tree.map(lambda x: (None, *x.shape[1:]), results)

    def _known(self, name: str) -> Any:
        if self._inputs is None:
            raise ArgumentError(f"{self._name}.{name}: it is not known before the model was built, or called on a batch")
        return self._inputs

    def _made_of(self, name: str) -> tuple[Any, Any]:
        if self._ends is None:
            raise ArgumentError(f"{self._name}.{name}: only models made of inputs and outputs have it, Model(inputs, outputs)")
        return self._ends
