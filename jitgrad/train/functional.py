"""Models that are put together by calling layers: `Input`, and `Functional`, the module of what lies between inputs and outputs.

inputs = Input(shape=(784,))
hidden = layers.Dense(64, activation="relu")(inputs)
model = Model(inputs, layers.Dense(10)(hidden))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.promotion import default_float
from jitgrad.tracing import ShapeDtypeStruct

from .layers.base import Layer
from .symbolic import UNKNOWN, Call, Symbolic, stand_in


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    name: str | None = None,
    batch_shape: Sequence[int | None] | None = None,
) -> Symbolic:
    """What a model begins with: a symbolic array of examples of this shape, None being an unknown size. dtype: config.default_float
    by default. In a Sequential it says the shape of the input.

    >>> Input(shape=(28, 28)).shape
    (None, 28, 28)
    """
    if batch_shape is not None:
        shape = batch_shape[1:]
    if shape is None:
        raise ArgumentError("train.Input: give the shape of an example: Input(shape=(28, 28, 1))")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    return Symbolic(Call(None, (), {}, name), 0, (batch_size, *sizes), default_float().numpy if dtype is None else dtype)


class _Place(NamedTuple):
    """Where a value of a functional model is: the number of the call, and which of its results."""

    call: int
    result: int


class _Step(NamedTuple):
    """A call: which layer, and its arguments, with places in them."""

    layer: int
    args: Any
    kwargs: Any


class Functional(Layer):
    """What lies between symbolic inputs and outputs, as a module: `layers`, each once however often it is called.

    inputs, outputs: a symbolic array, or lists, tuples or dicts of them. Called with as many arrays as there are inputs, one by one
    or as a list, or by their names. Raises ArgumentError where an output needs an input that is not given.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        given = list(inputs.values()) if isinstance(inputs, dict) else tree.leaves(inputs)
        for what, x in (*(("input", x) for x in given), *(("output", x) for x in tree.leaves(outputs))):
            if type(x) is not Symbolic:
                raise ArgumentError(f"train.Model: {what}s must be made of train.Input, got {type(x).__name__}")
        if name is not None:
            self.name = name
        known = {id(x.call): number for number, x in enumerate(given)}
        order: list[Call] = []
        for x in tree.leaves(outputs):
            _visit(x.call, known, order, len(given))
        modules = {id(call.module): call.module for call in order}
        places = {key: number for number, key in enumerate(modules)}
        self.input_names = tuple(inputs if isinstance(inputs, dict) else [x.call.name for x in given])
        self.input_shapes = tuple(x.shape[1:] for x in given)
        self.steps = tuple(
            _Step(places[id(call.module)], _placed(call.args, known), _placed(tuple(call.kwargs.items()), known)) for call in order
        )
        self.results = _placed(outputs, known)
        self.output_names = _names(outputs)
        self.layers = tuple(modules.values())

    def call(self, *args: Any, **named: Any) -> Any:
        values: list[Any] = [[x] for x in self._given(args, named)]
        for step in self.steps:
            kwargs = dict(_filled(step.kwargs, values))
            values.append(tree.leaves(self.layers[step.layer](*_filled(step.args, values), **kwargs)))
        return _filled(self.results, values)

    def _given(self, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        given: list[Any] = list(args)
        if len(args) == 1 and isinstance(args[0], dict):
            given, named = [], args[0]
        elif len(args) == 1 and isinstance(args[0], (list, tuple)):
            given = list(args[0])
        if named and not given and set(named) == set(self.input_names):
            given = [named[name] for name in self.input_names]
        elif named or len(given) != len(self.input_names):
            names = ", ".join("unnamed" if n is None else repr(n) for n in self.input_names)
            got = ", ".join(map(repr, named)) if named else str(len(given))
            raise ArgumentError(f"{self.where}: takes {len(self.input_names)} inputs ({names}), got {got}")
        for number, (x, wanted) in enumerate(zip(given, self.input_shapes, strict=True)):
            got_shape = jnp.shape(x)[1:]
            if len(got_shape) != len(wanted) or any(m not in (None, n) for n, m in zip(got_shape, wanted, strict=True)):
                name = self.input_names[number]
                raise ShapeError(
                    f"{self.where}: examples of input {number if name is None else repr(name)} must have the shape {wanted}, got "
                    f"{got_shape}"
                )
        return given


def _names(outputs: Any) -> tuple[str, ...]:
    """The names of outputs: those of a dict, or of the layers that give them, made distinct by numbers."""
    if isinstance(outputs, dict):
        return tuple(map(str, outputs))
    given = [getattr(x.call.module, "name", None) for x in tree.leaves(outputs)]
    found: list[str] = []
    for number, name in enumerate(given):
        distinct = name if name and given.count(name) == 1 else f"{name or 'output'}_{number}"
        while distinct in found or (distinct != name and distinct in given):
            distinct += f"_{number}"
        found.append(distinct)
    return tuple(found)


def examples(inputs: Any) -> tuple[ShapeDtypeStruct, ...]:
    """What stands for symbolic inputs where a model is built: one example of each."""
    given = [stand_in(x, UNKNOWN[0]) for x in (inputs.values() if isinstance(inputs, dict) else tree.leaves(inputs))]
    return tuple(ShapeDtypeStruct((1, *x.shape[1:]), x.dtype) for x in given)


def _visit(call: Call, known: dict[int, int], order: list[Call], inputs: int) -> None:
    """Put a call into the order, behind those that it needs; a stack of its own, as models are deep."""
    stack: list[tuple[Call, Iterator[Any]]] = []

    def enter(call: Call) -> None:
        if call.module is None:
            raise ArgumentError(
                f"train.Model: an output needs the input {call.name or 'that is not named'}, which is not among the model's inputs"
            )
        stack.append((call, iter([x.call for x in tree.leaves((call.args, call.kwargs)) if type(x) is Symbolic])))

    if id(call) not in known:
        enter(call)
    while stack:
        at, needs = stack[-1]
        below = next((c for c in needs if id(c) not in known), None)
        if below is not None:
            enter(below)
            continue
        stack.pop()
        if id(at) not in known:
            known[id(at)] = inputs + len(order)
            order.append(at)


def _placed(x: Any, known: dict[int, int]) -> Any:
    """Arguments with the places of symbolic arrays in them; lists become tuples, so that all of it is static."""
    if type(x) is Symbolic:
        return _Place(known[id(x.call)], x.number)
    if isinstance(x, (list, tuple)):
        return (type(x) is list, tuple(_placed(item, known) for item in x))
    if isinstance(x, dict):
        return (dict, tuple((name, _placed(item, known)) for name, item in x.items()))
    if hasattr(x, "shape"):
        raise ArgumentError("train.Model: an array among the arguments of a layer: make it an input, or the weight of a layer")
    return (None, x)


def _filled(x: Any, values: list[Any]) -> Any:
    if type(x) is _Place:
        return values[x.call][x.result]
    kind, content = x
    if kind is None:
        return content
    if kind is dict:
        return {name: _filled(item, values) for name, item in content}
    items = [_filled(item, values) for item in content]
    return items if kind else tuple(items)
