"""`reduce_window`: a reduction of each window of an array. Sums, products, maxima and minima are ops; others are done in order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ShapeError
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.types import BOOL

from .arguments import arrays_arg, combination, initial_values, neutral
from .loops import scan
from .reductions import known_monoid
from .window_geometry import Counts, check_left, counts_arg, counts_or_ones, pads_arg, span


def reduce_window(
    operand: Any,
    init_value: Any,
    computation: Callable[[Any, Any], Any],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """The elements of each window of an array combined by an associative function of two scalars (or of two pytrees of scalars).

    operand, init_value: an array and a scalar of its type, or pytrees of them; arrays of one shape. init_value is combined with the
    elements of each window; where a window lies on padding, or between elements that base_dilation sets apart, there is none.
    window_dimensions, window_strides, base_dilation and window_dilation: a number for each axis. padding: "VALID", "SAME",
    "SAME_LOWER" (`padtype_to_pads`) or pairs of numbers of elements before and behind each axis.

    A computation that is lax.add, mul, max or min, by whatever name, is an op; the derivative of a maximum is that of the first of
    several largest elements. Any other is done to the window's elements one after another, row by row, beginning with init_value.

    Raises ShapeError for operands of several shapes, ArgumentError for a computation that returns another structure, and for
    windows that have not a number for each axis.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import lax
    >>> print(reduce_window(jnp.arange(6.0), 0.0, lax.add, (3,), (2,)))
    [3. 9.]
    >>> print(reduce_window(jnp.array([3.0, 1.0, 2.0]), -jnp.inf, lax.max, (3,), None, "SAME"))
    [3. 3. 2.]
    """
    where = "lax.reduce_window"
    leaves, treedef = tree.flatten(operand)
    tree.check_same_structure(where, operand, init_value, "init_value")
    arrays = arrays_arg(where, "operand", leaves)
    shape = arrays[0].type.shape
    if len({x.type.shape for x in arrays}) != 1:
        raise ShapeError(f"{where}: operands must have one shape, got {', '.join(str(x.type.shape) for x in arrays)}")
    starts = initial_values(where, "init_value", tree.leaves(init_value), arrays)
    sizes = counts_arg(where, "window_dimensions", window_dimensions, len(shape))
    strides = counts_or_ones(where, "window_strides", window_strides, len(shape))
    apart = counts_or_ones(where, "base_dilation", base_dilation, len(shape))
    dilation = counts_or_ones(where, "window_dilation", window_dilation, len(shape))
    pads = pads_arg(where, padding, shape, [span(n, d) for n, d in zip(sizes, dilation, strict=True)], strides)
    check_left(where, shape, apart, pads)

    combine = combination(where, treedef, arrays, computation)
    around = tuple((low, high, d - 1) for (low, high), d in zip(pads, apart, strict=True))
    of = {"sizes": sizes, "strides": strides, "dilation": dilation}
    name = known_monoid(combine, arrays)
    if name is not None and name in _REDUCED:
        unit = ops.constant(neutral(name, arrays[0].type.dtype), arrays[0].type.dtype)
        out = _REDUCED[name](_padded(arrays[0], unit, around), **of)
        if not _equal(starts[0], unit):
            out = ops.op(name, ops.broadcast(starts[0], out.type.shape, ()), out)
        return tree.unflatten(treedef, [out])
    return tree.unflatten(treedef, _in_order(combine, arrays, starts, around, **of))


def _padded(x: Array, value: Array, around: tuple[tuple[int, int, int], ...]) -> Array:
    return ops.op("pad", x, value, padding=around) if any(p != (0, 0, 0) for p in around) else x


def _by_reduction(name: str) -> Callable[..., Array]:
    """A reduction of all windows, which are an index map, along the axes of places in a window."""

    def reduced(x: Array, **of: Counts) -> Array:
        seen = ops.op("windows", x, **of)
        return ops.op(name, seen, axes=tuple(range(x.type.rank, seen.type.rank)))

    return reduced


def _by_op(name: str) -> Callable[..., Array]:
    return lambda x, **of: ops.op(name, x, **of)


_REDUCED: dict[str, Callable[..., Array]] = {
    "add": _by_reduction("reduce_sum"),
    "mul": _by_reduction("reduce_prod"),
    "max": _by_op("reduce_window_max"),
    "min": _by_op("reduce_window_min"),
}
"""What combines the elements of each window with an op."""


def _equal(start: Array, unit: Array) -> bool:
    """Whether a scalar is known to be the one that changes nothing."""
    number = start.concrete()
    return number is not None and bool(np.asarray(number)[()] == unit.data()[()])


def _in_order(
    combine: Callable[..., Any], arrays: list[Array], starts: list[Array], around: tuple[tuple[int, int, int], ...], **of: Counts
) -> list[Array]:
    """The windows' elements combined one after another, all windows side by side, without those that are padding."""
    shape, rank = arrays[0].type.shape, arrays[0].type.rank
    padded = [_padded(x, ops.constant(0, x.type.dtype), around) for x in arrays]
    inside = _padded(ops.fill(shape, True, BOOL), ops.constant(False, BOOL), around)
    places: Counts = ()
    rows = []
    for x in (inside, *padded):
        seen = ops.op("windows", x, **of)
        places = seen.type.shape[:rank]
        turned = ops.transpose(seen, (*range(rank, 2 * rank), *range(rank)))
        rows.append(ops.reshape(turned, (math.prod(of["sizes"]), math.prod(places))))
    each = vmap(combine)

    def step(held: list[Array], row: list[Array]) -> tuple[list[Array], None]:
        here, *elements = row
        return [ops.select(here, new, old) for new, old in zip(each(held, elements), held, strict=True)], None

    first = [ops.broadcast(s, (math.prod(places),), ()) for s in starts]
    out, _ = scan(step, first, rows)
    return [ops.reshape(x, places) for x in out]
