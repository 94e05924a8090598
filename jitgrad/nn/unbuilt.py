"""What stands in a layer without an input size for the parameters that it does not have yet. Next on the path: sizes.py."""

from __future__ import annotations

from typing import Any, NoReturn

from jitgrad.errors import ArgumentError

NAME = "unbuilt"
"""The attribute of such a layer that is its `Unbuilt`."""


class Unbuilt:
    """The class's name, the key and the other arguments of the `create` that will make a layer's parameters.

    It is a leaf of pytrees that is no array: who needs the parameters as arrays, such as a gradient, an optimizer or a saved file,
    gets an error that says what to do.
    """

    __slots__ = ("key", "layer", "options")

    def __init__(self, layer: str, key: Any, options: tuple[Any, ...]) -> None:
        self.layer, self.key, self.options = layer, key, options

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ArgumentError(f"This {self.layer} {ADVICE}")

    def __repr__(self) -> str:
        return "<no input size yet>"


ADVICE = (
    "has no input size yet, and so no parameters: its first input would give it one. Build the model on an example of a batch, "
    "`model = nn.build(model, x)`, or give the layer its input size."
)


def is_unbuilt(module: Any) -> bool:
    """Whether a module is a layer that has no input size yet."""
    return NAME in vars(module)
