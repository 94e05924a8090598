"""Held parts of a pytree: leaves that derivatives with respect to it leave out and that optimizers keep as they are.

`nn.Module` holds its buffers (running statistics) and frozen parameters this way. Next on the path: differentiation.py, which takes
derivatives with respect to the leaves that are `Open`, and optim/transformation.py, whose optimizers see no other ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import tree
from .tree_registration import Held

ABSENT = Held(None)
"""What stands in a gradient where its argument holds something: a container without leaves."""


class Open:
    """The structure of a pytree as far as it is not held: how it is made again of values for its other leaves."""

    __slots__ = ("held", "num_leaves", "treedef")

    def __init__(self, treedef: tree.PyTreeDef, held: Sequence[tuple[int, Held]] = ()) -> None:
        self.treedef, self.held = treedef, held
        self.num_leaves: int = treedef.num_leaves - len(held)

    def unflatten(self, values: Sequence[Any]) -> Any:
        """The tree of these values and of what it holds."""
        return tree.unflatten(self.treedef, self._among(values, self.held))

    def gradient(self, values: Sequence[Any]) -> Any:
        """The tree of these values, without what it holds: of the structure of `trainable`."""
        return tree.unflatten(self.treedef, self._among(values, [(n, ABSENT) for n, _ in self.held]))

    @staticmethod
    def _among(values: Sequence[Any], held: Sequence[tuple[int, Held]]) -> Sequence[Any]:
        if not held:
            return values
        items = list(values)
        for place, x in held:  # in the order of their places
            items.insert(place, x)
        return items


def open_leaves(x: Any) -> tuple[list[Any], Open]:
    """The leaves of a tree that are not held, and how the tree is made of them."""
    leaves, treedef = tree.flatten(x, tree.is_held)
    held = [(n, leaf) for n, leaf in enumerate(leaves) if type(leaf) is Held]
    return [leaf for leaf in leaves if type(leaf) is not Held] if held else leaves, Open(treedef, held)


def trainable(x: Any) -> Any:
    """A pytree without what it holds (buffers, frozen parameters): of the structure of gradients with respect to it.

    Where it holds nothing it is given back as it is.

    >>> trainable({"w": 1.0, "count": Held(3)})
    {'w': 1.0, 'count': Held(None)}
    """
    leaves, opened = open_leaves(x)
    return opened.gradient(leaves) if opened.held else x


__all__ = ["Held", "trainable"]
