"""PyTorch's parameters of a module: which tensors they are, by which names, and how they become ours and ours become them.

Attributes have the names that they have in PyTorch's module, and layers of a Sequential have numbers. A layer whose parameters
PyTorch names or lays out otherwise has a method `torch_layout()`, which gives a dict of names to `Tensor`s. A model of which files
are published with other names has a method `torch_state(state)`, which gives their tensors by these names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from jitgrad import tree
from jitgrad.array import from_numpy
from jitgrad.errors import ArgumentError, NotAnArrayError, ShapeError
from jitgrad.tree_keys import key_of, path_text
from jitgrad.tree_registration import Held

from .containers import Sequential
from .module import Module
from .sizes import check_built

M = TypeVar("M", bound=Module)
MOST_SHOWN = 5


@dataclass(frozen=True)
class Tensor:
    """A tensor of PyTorch: arrays of ours side by side along an axis. turned: its first two axes are our last two, in the other
    order, as [out, in, *kernel] is for our [*kernel, in, out].
    """

    parts: tuple[Any, ...]
    axis: int = 0
    turned: bool = False

    def theirs(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """The tensor that consists of these arrays."""
        laid = [np.moveaxis(a, (-1, -2), (0, 1)) if self.turned else a for a in arrays]
        return laid[0] if len(laid) == 1 else np.concatenate(laid, self.axis)

    def ours(self, tensor: np.ndarray, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The arrays that the tensor consists of; `arrays` are of their shapes."""
        pieces = [tensor]
        if len(arrays) > 1:
            sizes = [self.theirs([a]).shape[self.axis] for a in arrays]
            pieces = np.split(tensor, np.cumsum(sizes)[:-1], self.axis)
        return [np.moveaxis(p, (0, 1), (-1, -2)) if self.turned else p for p in pieces]


Layout = dict[str, Tensor]


def plain(*parts: Any, axis: int = 0) -> Tensor:
    """A tensor that is laid out as ours, or several of ours side by side along an axis."""
    return Tensor(parts, axis)


def turned(*parts: Any) -> Tensor:
    """A tensor [out, in, *kernel] of our [*kernel, in, out], or of several, one behind the other along its first axis."""
    return Tensor(parts, turned=True)


class Leaf:
    """Stands for a leaf of a module, by its number."""

    def __init__(self, number: int) -> None:
        self.number = number


def numbered(module: M) -> M:
    """A module whose leaves are their numbers, as `Leaf`s: what its attributes say of them is where they belong."""
    structure = tree.structure(module)
    made: M = tree.unflatten(structure, map(Leaf, range(structure.num_leaves)))
    return made


def children(x: Any, path: str) -> Iterator[tuple[str, Any]]:
    """What a container holds, with PyTorch's names for their places: those of attributes, and numbers in a Sequential."""
    registration = tree.registration(type(x))
    if registration is None:
        return
    items, _, entries = tree.flatten_one_level(x)
    for item, entry in zip(items, entries, strict=True):
        if isinstance(x, Sequential | Held):
            yield path, item
        else:
            name = path_text((key_of(registration.kind, type(x), entry),), simple=True)
            yield f"{path}.{name}" if path else name, item


def torch_layout(module: Any) -> Layout:
    """The tensors that PyTorch has of a module; their parts are numbers of the module's leaves.

    Raises ArgumentError for a leaf that would be in none.
    """
    found: Layout = {}
    _collect(numbered(module), "", found)
    by_number = {name: Tensor(tuple(p.number for p in t.parts), t.axis, t.turned) for name, t in found.items()}
    placed = {number for tensor in by_number.values() for number in tensor.parts}
    if left := [path_text(path) for number, (path, _) in enumerate(tree.leaves_with_path(module)) if number not in placed]:
        raise ArgumentError(f"{type(module).__name__}: PyTorch has no name for {_some(left)}")
    return by_number


def _collect(x: Any, path: str, found: Layout) -> None:
    """Note the tensors of a part of a module whose leaves are `Leaf`s."""
    if isinstance(x, Leaf):
        found[path] = plain(x)
    elif hasattr(type(x), "torch_layout"):
        for name, tensor in x.torch_layout().items():
            if any(p is not None for p in tensor.parts):  # a layer without bias has none
                found[f"{path}.{name}" if path else name] = tensor
    else:
        for place, item in children(x, path):
            _collect(item, place, found)


def load_torch(module: M, state: Mapping[str, Any], *, strict: bool = True, prefix: str = "") -> M:
    """A copy of a module with the parameters in a state dict of PyTorch: names, such as "layers.0.weight", to arrays or tensors.

    Attributes must have the names that they have in PyTorch's module; layers of a Sequential have numbers. Elements keep the types
    that they have in `module`. strict=False: parameters that `state` lacks stay as they are, and what it has besides is left out.
    prefix: only names that begin so are looked at, and without it. `jitgrad.io.load_torch` takes a file.

    Raises ArgumentError for names that `state` lacks and that have no place, all of them, but for the counts of batches that
    momentum=None alone needs; ShapeError for parameters of other shapes.

    >>> import numpy as np
    >>> from jitgrad import nn
    >>> layer = load_torch(nn.Linear(3, 2), {"weight": np.ones((2, 3)), "bias": np.zeros(2)})
    >>> print(layer(np.ones(3)))
    [3. 3.]
    """
    return loaded("nn.load_torch", module, state, strict, prefix)


def check_module(where: str, module: Any) -> None:
    """Raise ArgumentError for what is no module, and for one whose layers have no input sizes yet."""
    if not isinstance(module, Module):
        advice = " Give its .module." if isinstance(getattr(module, "module", None), Module) else ""
        raise ArgumentError(f"{where}: takes a module of jitgrad.nn, got {type(module).__name__}.{advice}")
    check_built(where, module)


def loaded(where: str, module: M, state: Mapping[str, Any], strict: bool, prefix: str) -> M:
    """`load_torch`, for `where`."""
    check_module(where, module)
    if not isinstance(state, Mapping):
        raise ArgumentError(
            f"{where}: the state must be a dict of names to arrays, model.state_dict() for example, got {type(state).__name__}. "
            "jitgrad.io.load_torch reads safetensors files."
        )
    given = {name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)}
    if hasattr(type(module), "torch_state"):
        given = module.torch_state(given)
    leaves, structure = tree.flatten(module)
    layout = torch_layout(module)
    shapes = [np.broadcast_to(np.zeros((), np.int8), np.shape(x)) for x in leaves]  # without memory
    wanted = {name: tensor.theirs([shapes[n] for n in tensor.parts]).shape for name, tensor in layout.items()}
    _check(where, module, {name: _shape(where, name, x) for name, x in given.items()}, wanted, strict)
    for name, tensor in layout.items():
        if name in given:
            pieces = tensor.ours(as_numpy(given[name]), [shapes[n] for n in tensor.parts])
            for number, piece in zip(tensor.parts, pieces, strict=True):
                leaves[number] = from_numpy(np.array(piece, order="C")).astype(leaves[number].dtype)
    out: M = tree.unflatten(structure, leaves)
    return out


def _shape(where: str, name: str, x: Any) -> tuple[int, ...]:
    if not hasattr(x, "shape"):
        raise NotAnArrayError(f"{where}: {name!r} must be an array or a tensor, got {type(x).__name__}")
    return tuple(x.shape)


def _check(
    where: str, module: Module, given: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]], strict: bool
) -> None:
    """Raise an error that tells all names and shapes of a state that do not fit."""
    missing = [f"{n!r}" for n in wanted if n not in given]
    unknown = [f"{n!r}" for n in given if n not in wanted and n.split(".")[-1] != "num_batches_tracked"]
    others = [
        f"{n!r} must have shape {shape}, but the state's has {given[n]}"
        for n, shape in wanted.items()
        if given.get(n, shape) != shape
    ]
    parts = []
    if strict or len(missing) == len(wanted):
        parts += [f"the state has no {_some(missing)}"] if missing else []
        parts += [f"{type(module).__name__} has no place for {_some(unknown)}"] if unknown else []
    text = "; ".join([*parts, *([_some(others)] if others else [])])
    if parts:
        raise ArgumentError(f"{where}: {text}")
    if others:
        raise ShapeError(f"{where}: {text}")


def _some(items: Sequence[str]) -> str:
    more = f", and {len(items) - MOST_SHOWN} more" if len(items) > MOST_SHOWN else ""
    return ", ".join(items[:MOST_SHOWN]) + more


def as_numpy(x: Any) -> np.ndarray:
    """An array or a tensor of PyTorch in NumPy; small floats of PyTorch, which NumPy has no names for, as float32."""
    if not hasattr(x, "detach"):
        return np.asarray(x)
    tensor = x.detach().cpu()
    try:
        return np.asarray(tensor.numpy())
    except TypeError:
        return np.asarray(tensor.float().numpy())


def torch_tensors(where: str, module: Module, prefix: str = "") -> dict[str, np.ndarray]:
    """A module's arrays as PyTorch names and lays them out."""
    check_module(where, module)
    leaves = tree.leaves(module)
    return {
        prefix + name: tensor.theirs([np.asarray(leaves[n]) for n in tensor.parts]) for name, tensor in torch_layout(module).items()
    }
