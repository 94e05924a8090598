"""x.at[index]: copies of an array with elements changed. What an index reads and writes is in `indexing.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad.array_ops import convert, fill, op
from jitgrad.errors import ImmutableArrayError, IndexingError, MissingNameError
from jitgrad.operands import ArrayLike
from jitgrad.tracebacks import boundary_methods
from jitgrad_compiler.ir.types import I64

from . import reductions
from .index_plan import Index, Points, columns, plan, with_axes_for_flags
from .indexing import READING, check_fill, getitem, mode_of, scatter, value_of
from .selection import where


class Updates:
    """`x.at[index]`: copies of x with elements changed. Values broadcast to the indexed shape and take x's type.

    Of several values for one element `set` keeps the last one; the other functions combine them all. mode: "drop" (the default)
    ignores indices outside, "clip" holds them inside. wrap_negative_indices: negative ones count from the end,
    or with False are outside.
    """

    __slots__ = ("array", "index")

    def __init__(self, array: Array, index: Index) -> None:
        self.array, self.index = array, index

    def set(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with values at the index."""
        return scatter(self.array, self.index, values, "set", mode, "", wrap_negative_indices)

    def add(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with values added at the index."""
        return scatter(self.array, self.index, values, "add", mode, "", wrap_negative_indices)

    def subtract(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with values subtracted at the index."""
        negative = -value_of(values, self.array.type.dtype, "at[].subtract")
        return scatter(self.array, self.index, negative, "add", mode, "subtract", wrap_negative_indices)

    def multiply(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with elements at the index multiplied by values."""
        return scatter(self.array, self.index, values, "mul", mode, "multiply", wrap_negative_indices)

    mul = multiply

    def divide(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with elements at the index divided by values; integer division of integers rounds towards zero."""
        ones = fill(self.array.type.shape, 1, self.array.type.dtype)
        return op(
            "div",
            convert(self.array, self.array.type.dtype),
            scatter(ones, self.index, values, "mul", mode, "divide", wrap_negative_indices),
        )

    def power(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with elements at the index raised to the power of values."""
        ones = fill(self.array.type.shape, 1, self.array.type.dtype)
        return self.array ** scatter(ones, self.index, values, "mul", mode, "power", wrap_negative_indices)

    def min(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with the smaller of element and value at the index."""
        return scatter(self.array, self.index, values, "min", mode, "", wrap_negative_indices)

    def max(
        self,
        values: ArrayLike,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with the larger of element and value at the index."""
        return scatter(self.array, self.index, values, "max", mode, "", wrap_negative_indices)

    def apply(
        self,
        func: Callable[[Array], Array],
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x with func(element) at the index, as often as it names the element; func works element by element."""
        return scatter(
            self.array,
            self.index,
            _applied(self.array, self.index, func, mode, wrap_negative_indices),
            "set",
            mode,
            "apply",
            wrap_negative_indices,
        )

    def get(
        self,
        *,
        indices_are_sorted: bool = False,
        unique_indices: bool = False,
        mode: Any = None,
        fill_value: ArrayLike | None = None,
        wrap_negative_indices: bool = True,
    ) -> Array:
        """x[index]; with mode "fill" the elements outside are fill_value (nan, or the least integer, by default)."""
        check_fill("at[].get", fill_value, mode, mode_of("at[].get", READING, mode) == "fill")
        return getitem(self.array, self.index, mode, fill_value, "at[].get", wrap_negative_indices)


def _in_place(name: str, method: str) -> Callable[[Updates, Any], Any]:
    def refuse(self: Updates, other: Any) -> Any:
        raise ImmutableArrayError(
            f"x.at[{self.index!r}] {name}= value: x.at changes nothing in place, and arrays never change. "
            f"Write x = x.at[{self.index!r}].{method}(value)."
        )

    return refuse


for _name, _sign, _method in (
    ("add", "+", "add"), ("sub", "-", "subtract"), ("mul", "*", "multiply"), ("truediv", "/", "divide"), ("pow", "**", "power"),
):  # fmt: skip
    setattr(Updates, f"__i{_name}__", _in_place(_sign, _method))


class Indexer:
    """`x.at`, to be indexed; see `Updates`.

    >>> import jitgrad.numpy as jnp
    >>> x = jnp.zeros(3)
    >>> print(x.at[1].set(5), x.at[jnp.array([0, 0])].add(1.0))
    [0. 5. 0.] [2. 0. 0.]
    """

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def __getitem__(self, index: Index) -> Updates:
        return Updates(self.array, index)

    def __setitem__(self, index: Index, value: Any) -> None:
        raise ImmutableArrayError(
            f"x.at[{index!r}] = value: x.at changes nothing in place, and arrays never change. "
            f"Write x = x.at[{index!r}].set(value)."
        )

    def __call__(self, *index: Any) -> Any:
        raise IndexingError("x.at(i): x.at takes its index in brackets. Write x.at[i].set(value).")

    def __delitem__(self, index: Index) -> None:
        raise ImmutableArrayError(f"del x.at[{index!r}]: arrays never change. Write x = jnp.delete(x, {index!r}, axis=0).")


class _NeedsIndex:
    """A method of `Updates`, asked for before the index: `x.at.set`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise MissingNameError(
            f"x.at.{self.name}: x.at takes its index first. Write x.at[i].{self.name}(...); x.at[...] are all elements."
        )


for _name in [n for n in vars(Updates) if not n.startswith("_") and n not in Updates.__slots__]:
    setattr(Indexer, _name, _NeedsIndex(_name))

for _class in (Updates, Indexer):
    boundary_methods(_class, plain=("__init__",))


Repeat = Callable[[Array, Callable[[Array, Array], Array], Array], Array]


class Loops:
    """Loops of jitgrad.lax, which is above this package and puts them here."""

    repeat: Repeat
    """repeat(count, step, x): step(count - 1, ...step(2, step(1, x))), for a traced count."""
    scan: Callable[..., Any]
    """lax.scan."""


def _applied(x: Array, index: Index, func: Callable[[Array], Array], mode: Any, wrap: bool) -> Array:
    """func of the elements at an index, of those that it names several times as often as that."""
    first = getitem(x, index, "clip", wrap=wrap)
    out = func(first)
    most = _most_often(x, index, mode, wrap)
    if most == 1:
        return out
    named = scatter(fill(x.type.shape, 0, I64), index, 1, "add", mode, "apply", wrap)
    counts = getitem(named, index, "clip", wrap=wrap)

    def again(k: ArrayLike, value: Array) -> Array:
        going = counts > k
        return where(going, func(where(going, value, first)), value)  # func is done to nothing that it would not be done to

    if most is not None:
        for k in range(1, most):
            out = again(k, out)
        return out
    return Loops.repeat(reductions.max(counts, initial=0), again, out)


def _most_often(x: Array, index: Index, mode: Any, wrap: bool) -> int | None:
    """How often an index names an element at most; None where that is traced."""
    index, shape = with_axes_for_flags(index, x.type.shape)
    axes = plan(index, shape, wrap).axes
    points = [e for e in axes if isinstance(e, Points)]
    if not points:
        return 1
    places = columns([e.indices for e in points], np.broadcast_shapes(*(e.indices.type.shape for e in points)))
    if places.type.size // places.type.shape[-1] < 2:
        return 1
    known = places.concrete()
    if known is None:
        return None
    rows = np.asarray(known).reshape(-1, places.type.shape[-1])
    if mode == "clip":
        rows = np.clip(rows, 0, np.array([n for e, n in zip(axes, shape, strict=True) if isinstance(e, Points)]) - 1)
    return int(np.unique(rows, axis=0, return_counts=True)[1].max())
