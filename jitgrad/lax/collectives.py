"""jax.lax's parallel operators: what one example asks of all examples along an axis that `vmap(axis_name=)` names.

Each is a pytree function of the op of its name in the compiler's ops/collectives.py, or made of these. They raise UnboundAxisError,
a NameError, for a name that no vmap around them has given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad import axes, tree
from jitgrad.array import Array, as_value, from_numpy
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.numpy import arithmetic
from jitgrad.numpy.manipulation import moveaxis
from jitgrad.operands import array_arg
from jitgrad_compiler.ir.types import BOOL, I32

from .arguments import axis_arg, integer_arg, integers_arg, items, permutation_arg

AxisName = Hashable | Sequence[Hashable]
Groups = Sequence[Sequence[int]] | None


def _axes(where: str, axis_name: AxisName, groups: Groups = None) -> list[axes.Axis]:
    if groups is not None:
        raise ArgumentError(f"{where}: axis_index_groups is not there under vmap; reshape the axis into two and name both")
    names = axis_name if isinstance(axis_name, (tuple, list)) else (axis_name,)
    return [axes.named(where, name) for name in names]


def _one_axis(where: str, axis_name: AxisName, groups: Groups = None) -> axes.Axis:
    found = _axes(where, axis_name, groups)
    if len(found) != 1:
        raise ArgumentError(f"{where}: goes along one named axis, got {axis_name!r}")
    return found[0]


def _bind(name: str, x: Array, axis: axes.Axis, *tables: Array) -> Array:
    return ops.op(name, x, axis.number, *tables, size=axis.size)  # type: ignore[arg-type]


def _gathered(x: Array, along: list[axes.Axis]) -> Array:
    """Every example's x along one new first axis, the first name's numbers changing slowest."""
    shape = x.type.shape
    for axis in reversed(along):
        x = _bind("all_gather", x, axis)
    return ops.reshape(x, (int(np.prod([a.size for a in along])), *shape))


def psum(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The sum of every example's x along the named axes; bools are counted as int32. psum(1, name) is the axis' size, an int.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: x / psum(x, "i"), axis_name="i")(jnp.array([1.0, 3.0])))
    [0.25 0.75]
    """
    along = _axes("lax.psum", axis_name, axis_index_groups)

    def one(leaf: Any) -> Any:
        if type(leaf) in (bool, int, float, complex):
            return leaf * int(np.prod([a.size for a in along]))
        value = array_arg("lax.psum", leaf)
        value = ops.convert(value, I32) if value.type.dtype == BOOL else value
        for axis in along:
            value = _bind("psum", value, axis)
        return value

    return tree.map(one, x)


def pmean(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
    """The mean of every example's x along the named axes.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: x - pmean(x, "i"), axis_name="i")(jnp.array([1.0, 3.0])))
    [-1.  1.]
    """
    count = psum(1, axis_name, axis_index_groups=axis_index_groups)
    return tree.map(lambda v: arithmetic.divide(v, count), psum(x, axis_name))


def _extreme(name: str, reduction: str, adjective: str, result: str) -> Callable[..., Any]:
    where = f"lax.{name}"

    def collective(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None) -> Any:
        along = _axes(where, axis_name, axis_index_groups)
        return tree.map(lambda leaf: ops.op(reduction, _gathered(array_arg(where, leaf), along), axes=(0,)), x)

    collective.__name__ = collective.__qualname__ = name
    collective.__doc__ = (
        f"The {adjective} of every example's x along the named axes, element by element.\n\n"
        ">>> import jitgrad, jitgrad.numpy as jnp\n>>> from jitgrad.lax import " + name + "\n"
        f'>>> print(jitgrad.vmap(lambda x: {name}(x, "i"), axis_name="i")(jnp.array([1.0, 3.0])))\n{result}'
    )
    return collective


pmax = _extreme("pmax", "reduce_max", "largest", "[3. 3.]")
pmin = _extreme("pmin", "reduce_min", "smallest", "[1. 1.]")


def _axis_of(where: str, name: str, x: Array, axis: int, rank: int | None = None) -> int:
    return axis_arg(where, name, axis, x.type.rank if rank is None else rank)


def _merged(x: Array, axis: int) -> Array:
    """x with this axis and the next one made one."""
    shape = x.type.shape
    return ops.reshape(x, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))


def _rows(where: str, name: str, x: Array, axis: int, size: int, tiled: bool) -> Array:
    """x with one row for each example in front: the given axis itself, or with `tiled` blocks of it, which stay behind."""
    place, shape = _axis_of(where, name, x, axis), x.type.shape
    if shape[place] % size or not tiled and shape[place] != size:
        wanted = f"a multiple of {size}" if tiled else f"{size} (or tiled=True)"
        raise ShapeError(f"{where}: axis {axis} must have {wanted}, the number of examples, got shape {list(shape)}")
    if tiled:
        x = ops.reshape(x, (*shape[:place], size, shape[place] // size, *shape[place + 1 :]))
    return moveaxis(x, place, 0)


def all_gather(x: Any, axis_name: AxisName, *, axis_index_groups: Groups = None, axis: int = 0, tiled: bool = False) -> Any:
    """Every example's x, stacked along a new axis, or with `tiled` concatenated along an axis that is there.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: all_gather(x, "i") - x, axis_name="i")(jnp.array([1.0, 3.0])))
    [[ 0.  2.]
     [-2.  0.]]
    """
    along = _axes("lax.all_gather", axis_name, axis_index_groups)

    def one(leaf: Any) -> Array:
        value = array_arg("lax.all_gather", leaf)
        place = _axis_of("lax.all_gather", "axis", value, axis, value.type.rank + (not tiled))
        stacked = moveaxis(_gathered(value, along), 0, place)
        return _merged(stacked, place) if tiled else stacked

    return tree.map(one, x)


def all_to_all(
    x: Any, axis_name: AxisName, split_axis: int, concat_axis: int, *, axis_index_groups: Groups = None, tiled: bool = False
) -> Any:
    """x cut along split_axis, one piece for each example; what this one gets from all is stacked along a new axis at concat_axis,
    or with `tiled` concatenated along it.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: all_to_all(x, "i", 0, 0), axis_name="i")(jnp.array([[1, 2], [3, 4]])))
    [[1 3]
     [2 4]]
    """
    where = "lax.all_to_all"
    along = _one_axis(where, axis_name, axis_index_groups)

    def one(leaf: Any) -> Array:
        value = array_arg(where, leaf)
        place = _axis_of(where, "concat_axis", value, concat_axis)
        stacked = moveaxis(_bind("all_to_all", _rows(where, "split_axis", value, split_axis, along.size, tiled), along), 0, place)
        return _merged(stacked, place) if tiled else stacked

    return tree.map(one, x)


def psum_scatter(
    x: Any, axis_name: AxisName, *, scatter_dimension: int = 0, axis_index_groups: Groups = None, tiled: bool = False
) -> Any:
    """psum(x), of which every example keeps its part along scatter_dimension: its own row, or with `tiled` its block.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: psum_scatter(x, "i"), axis_name="i")(jnp.array([[1, 2], [3, 4]])))
    [4 6]
    """
    where = "lax.psum_scatter"
    along = _one_axis(where, axis_name, axis_index_groups)

    def one(leaf: Any) -> Array:
        rows = _rows(where, "scatter_dimension", array_arg(where, leaf), scatter_dimension, along.size, tiled)
        return ops.reduce_sum(_bind("all_to_all", rows, along), (0,))

    return tree.map(one, x)


def pswapaxes(x: Any, axis_name: AxisName, axis: int, *, axis_index_groups: Groups = None) -> Any:
    """The named axis and an axis of x exchanged.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: pswapaxes(x, "i", 0), axis_name="i")(jnp.array([[1, 2], [3, 4]])))
    [[1 3]
     [2 4]]
    """
    where = "lax.pswapaxes"
    along = _one_axis(where, axis_name, axis_index_groups)

    def one(leaf: Any) -> Array:
        value = array_arg(where, leaf)
        rows = _rows(where, "axis", value, axis, along.size, False)
        return moveaxis(_bind("all_to_all", rows, along), 0, _axis_of(where, "axis", value, axis))

    return tree.map(one, x)


def ppermute(x: Any, axis_name: AxisName, perm: Sequence[tuple[int, int]]) -> Any:
    """x sent from example to example along pairs (source, destination); who gets nothing has zeros.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: ppermute(x, "i", [(0, 1), (1, 2)]), axis_name="i")(jnp.array([1, 2, 3])))
    [0 1 2]
    """
    along = _one_axis("lax.ppermute", axis_name)
    what = "pairs (source, destination)"
    pairs = [integers_arg("lax.ppermute", "a pair of perm", pair, 2, "end") for pair in items("lax.ppermute", "perm", perm, what)]
    tables = np.full((2, along.size), -1)
    for source, destination in pairs:
        if not (0 <= source < along.size and 0 <= destination < along.size):
            raise ArgumentError(f"lax.ppermute: the pair {(source, destination)} is outside an axis of {along.size} examples")
        if tables[0, destination] >= 0 or tables[1, source] >= 0:
            raise ArgumentError(f"lax.ppermute: sources and destinations must each be there once, got {pairs}")
        tables[0, destination], tables[1, source] = source, destination
    sources, targets = from_numpy(tables[0]), from_numpy(tables[1])
    return tree.map(lambda leaf: _bind("ppermute", array_arg("lax.ppermute", leaf), along, sources, targets), x)


def pshuffle(x: Any, axis_name: AxisName, perm: Sequence[int]) -> Any:
    """The x of example perm[i], for the i-th example; perm is a permutation.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: pshuffle(x, "i", [2, 0, 1]), axis_name="i")(jnp.array([1, 2, 3])))
    [3 1 2]
    """
    along = _one_axis("lax.pshuffle", axis_name)
    order = permutation_arg("lax.pshuffle", "perm", perm, along.size)
    return ppermute(x, axis_name, [(source, n) for n, source in enumerate(order)])


def pbroadcast(x: Any, axis_name: AxisName, source: int) -> Any:
    """The x of one example, for all.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: pbroadcast(x, "i", 1), axis_name="i")(jnp.array([1, 2, 3])))
    [2 2 2]
    """
    along = _one_axis("lax.pbroadcast", axis_name)
    place = integer_arg("lax.pbroadcast", "source", source, 0, along.size - 1)
    return tree.map(lambda leaf: _gathered(array_arg("lax.pbroadcast", leaf), [along])[place], x)


def axis_index(axis_name: AxisName) -> Array:
    """The number of this example along the named axis, an int32; along several, the first name's changes slowest.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: x + axis_index("i"), axis_name="i")(jnp.zeros(3, "int32")))
    [0 1 2]
    """
    number: Any = 0
    for axis in _axes("lax.axis_index", axis_name):
        number = number * axis.size + axis.number
    return ops.convert(as_value(number), I32)


def axis_size(axis_name: AxisName) -> int:
    """How many examples there are along the named axes.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> print(jitgrad.vmap(lambda x: x / axis_size("i"), axis_name="i")(jnp.ones(2)))
    [0.5 0.5]
    """
    return int(psum(1, axis_name))


__all__ = [
    "all_gather", "all_to_all", "axis_index", "axis_size", "pbroadcast", "pmax", "pmean", "pmin", "ppermute", "pshuffle", "psum",
    "psum_scatter", "pswapaxes",
]  # fmt: skip
