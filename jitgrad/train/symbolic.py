"""Arrays that are not there yet: what `Input` gives, and layers called with it. Each knows the call that it comes from, so that a
model can be made of the first and the last (functional.py).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from jitgrad import nn, random, tree
from jitgrad.errors import ArgumentError
from jitgrad.nn.calls import Run
from jitgrad.nn.module import set_run
from jitgrad.tracing import ShapeDtypeStruct, eval_shape
from jitgrad_compiler.ir.builder import state

Shape = tuple[int | None, ...]
UNKNOWN = (64, 67)
"""Two sizes that an unknown axis is given in turn: axes of results that differ are unknown, too."""


class Call:
    """A module called with symbolic arguments, among others; module is None for an input."""

    __slots__ = ("args", "kwargs", "module", "name")

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str | None = None) -> None:
        self.module, self.args, self.kwargs, self.name = module, args, kwargs, name


class Symbolic:
    """An array of a model that is being put together: shape, whose unknown sizes are None, and dtype. Arithmetic and indexing give
    others; other functions of arrays go into `layers.Lambda`.
    """

    __slots__ = ("call", "dtype", "number", "shape")

    def __init__(self, call: Call, number: int, shape: Shape, dtype: Any) -> None:
        self.call, self.number, self.shape, self.dtype = call, number, shape, np.dtype(dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"Symbolic(shape={self.shape}, dtype={self.dtype})"

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ArgumentError(
            f"train: a symbolic array of a model that is being put together {self.shape} has no numbers. It goes into layers of "
            "train.layers; functions of arrays are layers, too: layers.Lambda(function)(x)."
        )

    def __getitem__(self, index: Any) -> Any:
        return recorded(Operation(lambda x: x[index], "getitem"), (self,), {})

    def __neg__(self) -> Any:
        return recorded(Operation(operator.neg, "neg"), (self,), {})

    def __bool__(self) -> NoReturn:
        self.__array__()

    __iter__ = None
    __hash__ = object.__hash__


class Operation(nn.Module):
    """A function of arrays in a model that is put together by calls."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function, self.name = function, name

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)


def _binary(name: str, reverse: bool) -> Callable[[Any, Any], Any]:
    function = getattr(operator, name)

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, Symbolic):
            return recorded(Operation(function, name), (self, other), {})
        one = (lambda x: function(other, x)) if reverse else (lambda x: function(x, other))
        return recorded(Operation(one, name), (self,), {})

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    setattr(Symbolic, f"__{_name}__", _binary(_name, False))
    setattr(Symbolic, f"__r{_name}__", _binary(_name, True))


def is_symbolic(*given: Any) -> bool:
    """Whether there is a symbolic array among arguments, or in lists, tuples and dicts of them."""
    return any(type(x) is Symbolic for x in tree.leaves(given))


def recorded(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a module for symbolic arguments: symbolic arrays of the shapes that it will have."""
    call = Call(module, args, kwargs)
    found = [_shapes(module, args, kwargs, size) for size in UNKNOWN]
    leaves, structure = tree.flatten(found[0])
    made = [
        Symbolic(call, number, tuple(n if n == m else None for n, m in zip(a.shape, b.shape, strict=True)), a.dtype)
        for number, (a, b) in enumerate(zip(leaves, tree.leaves(found[1]), strict=True))
    ]
    return tree.unflatten(structure, made)


def stand_in(x: Symbolic, size: int) -> ShapeDtypeStruct:
    return ShapeDtypeStruct([size if n is None else n for n in x.shape], x.dtype)


def _shapes(module: Any, args: Sequence[Any], kwargs: dict[str, Any], size: int) -> Any:
    """What a call gives where unknown sizes are `size`; layers without input sizes stay as they are."""
    leaves, structure = tree.flatten((tuple(args), kwargs))
    places = [n for n, x in enumerate(leaves) if type(x) is Symbolic]

    def called(*values: Any) -> Any:
        filled = list(leaves)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        copy = tree.map(lambda x: x, module)
        set_run(copy, Run(False, random.key(0), state.staging))
        given, named = tree.unflatten(structure, filled)
        return copy(*given, **named)

    return eval_shape(called, *[stand_in(leaves[n], size) for n in places])
