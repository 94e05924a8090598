"""Layers that take their size from their first input: `Sized`, their base, and `build`, which gives every layer of a model its own.

A layer without a size has an `Unbuilt` (unbuilt.py) in place of parameters. `nn.apply` calls a copy that may assign to itself, so
there the first call creates them. `build` follows such a call without computing anything, takes down which layer found which size,
and then creates their parameters outside, as the constructors with these sizes would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import jitgrad.numpy as jnp
from jitgrad import random, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.operands import size_arg
from jitgrad.promotion import default_float
from jitgrad.tracing import ShapeDtypeStruct, eval_shape
from jitgrad_compiler.ir.builder import state

from . import calls
from .module import Module, put_last, set_run
from .parts import is_module, modules, shown
from .unbuilt import ADVICE, NAME, Unbuilt, is_unbuilt

M = TypeVar("M", bound=Module)


MOST_LAYERS = 10_000
"""A stack of more is a mistake: making it would take minutes, and nothing would compile it."""


def layer_count(where: str, name: str, n: Any, least: int = 1) -> int:
    """How many layers a stack has."""
    count = size_arg(where, n, f"{name} must be an integer")
    if count < least:
        raise ArgumentError(f"{where}: {name} must be at least {least}, got {n}")
    if count > MOST_LAYERS:
        raise ArgumentError(f"{where}: {name} must be at most {MOST_LAYERS:,}, got {n}")
    return count


class Sized(Module):
    """A layer whose parameters need the size of its input. Its constructor ends with `self.start(size, key, *options)`, where the
    size may be None; `create(size, key, *options)` makes the parameters. Its call begins with `self.sized(x)`.
    """

    def create(self, size: Any, key: Any, *options: Any) -> None:
        """Assign the parameters. key: None for one of the generator that `random.seed` sets."""
        raise NotImplementedError

    def start(self, size: Any, key: Any, *options: Any) -> None:
        """Create the parameters, or put it off where the size is None."""
        if size is None:
            setattr(self, NAME, Unbuilt(type(self).__name__, key, options))
        else:
            self.create(size, key, *options)

    def created(self) -> None:
        """Called when the parameters of a layer are there that had no size before."""

    def sized(self, x: Any, axis: int = -1) -> Array:
        """The input as an Array, whose size along an axis is the layer's from here on, if it had none."""
        value = jnp.asarray(x)
        if is_unbuilt(self):
            if not -value.ndim <= axis < value.ndim:
                self.refuse_input(f"an array that has an axis {axis}, which gives the layer its size", value)
            self.found(value.shape[axis])
        return value

    def found(self, size: Any) -> None:
        """Create the parameters in the first call, for the size that its input has."""
        run = self._run
        if run is None or run.staging is not state.staging:
            inside = "" if run is None else " Its first call can't stand inside a transform (jit, vmap, scan) within nn.apply."
            raise ArgumentError(f"{calls.located(self)} {ADVICE}{inside}")
        if run.found is not None:
            run.found(self, size)
        unbuilt: Unbuilt = vars(self)[NAME]
        complete(self, size, calls.next_key(self) if unbuilt.key is None and run.key is not None else unbuilt.key)


def complete(layer: Sized, size: Any, key: Any) -> None:
    """Let a layer create its parameters, at the place among its attributes where its constructor would have."""
    names = list(vars(layer))
    after = names[names.index(NAME) + 1 :]
    unbuilt = vars(layer)[NAME]
    delattr(layer, NAME)
    layer.create(size, key, *unbuilt.options)
    put_last(layer, after)
    layer.created()


def build(module: M, *inputs: Any, key: Any = None, dtype: Any = None) -> M:
    """The module with the parameters of all layers that have no input size yet: sizes are those that the layers meet in
    `module(*inputs)`.

    inputs: for each argument of the call an example of a batch, an array or a `ShapeDtypeStruct`; or its shape, the batch's axis
    included, of elements of `dtype` (config.default_float by default). Nothing of the call is computed, and running statistics stay
    as they are. key: from which layers that have none of their own draw their initial values, each with its number in the order
    of calls folded in; by default keys are those of the generator that `random.seed` sets. What is made is what the layers with
    sizes would have drawn from these keys. A module whose layers all have their sizes is given back as it is.

    Raises ArgumentError where a layer is not called, ShapeError where one is called for inputs of different sizes.

    >>> import jitgrad
    >>> from jitgrad import nn
    >>> model = nn.Sequential(nn.Linear(None, 8), nn.ReLU(), nn.Linear(None, 2))
    >>> model = nn.build(model, (1, 4), key=jitgrad.random.key(0))
    >>> model.layers[0].weight.shape, model.layers[2].weight.shape
    ((4, 8), (8, 2))
    """
    if not is_module(module):
        raise ArgumentError(f"nn.build: the first argument must be a Module, got {type(module).__name__}.")
    if not unbuilt_paths(module):
        return module
    if not inputs:
        raise ArgumentError(
            "nn.build: give an example of the input, or its shape with the batch's axis: nn.build(model, (1, 28, 28, 1))."
        )
    found = _sizes(module, [stand_in("nn.build", x, dtype) for x in inputs])
    copy: M = tree.map(lambda x: x, module)
    places = dict(modules(copy))
    drawn = 0
    for path, size in found:
        if path not in places:  # of a layer that another one has created
            places = dict(modules(copy))
        layer: Any = places[path]
        given = vars(layer)[NAME].key
        if given is None and key is not None:
            given, drawn = random.fold_in(key, drawn), drawn + 1
        complete(layer, size, given)
    left = unbuilt_paths(copy)
    if left:
        raise ArgumentError(
            f"nn.build: {type(module).__name__} does not call {', '.join(left)} for this input, so there is no telling its input "
            "size. Give it the size."
        )
    return copy


def _sizes(module: Module, inputs: Sequence[Any]) -> list[tuple[str, Any]]:
    """Where the layers are that have no sizes, in the order of their calls, and the sizes that their inputs have."""
    found: list[tuple[str, Any]] = []

    def called(*xs: Any) -> Any:
        copy = tree.map(lambda x: x, module)
        paths = {id(m): path for path, m in modules(copy)}

        def record(layer: Any, size: Any) -> None:
            if id(layer) not in paths:  # one that another layer has created
                paths.update({id(m): path for path, m in modules(copy)})
            found.append((paths[id(layer)], size))

        set_run(copy, calls.Run(False, random.key(0), state.staging, record))
        return copy(*xs)

    eval_shape(called, *inputs)
    return found


def stand_in(where: str, x: Any, dtype: Any) -> Any:
    """An example of an input, of which a shape alone may be given."""
    if isinstance(x, (tuple, list)) and all(isinstance(n, int) for n in x):
        return ShapeDtypeStruct(tuple(x), default_float().numpy if dtype is None else dtype)
    if isinstance(x, int):
        raise ArgumentError(f"{where}: a shape has the batch's axis, too: give (1, {x}), got {x}.")
    return x


def unbuilt_paths(module: Any) -> list[str]:
    """The layers without input sizes in a module or a pytree of modules, by path and class."""
    found = [(shown(path), m) for path, m in modules(module) if is_unbuilt(m)]
    return [f"{path} ({type(m).__name__})" if path else type(m).__name__ for path, m in found]


def check_built(where: str, module: Any) -> None:
    """Raise ArgumentError where a layer in a module or a pytree of modules has no input size yet."""
    if left := unbuilt_paths(module):
        raise ArgumentError(f"{where}: {', '.join(left)} {ADVICE}")
