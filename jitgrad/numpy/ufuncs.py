"""The methods of NumPy's ufuncs for functions of the same names: `jnp.add.reduce`, `.accumulate`, `.reduceat`, `.outer`, `.at`.

`add_methods` puts them on the functions, as attributes, so that a call of the function itself costs nothing more. Folds of what is
associative halve the axis again and again; others go element by element, in a loop of jitgrad.lax.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy
from jitgrad.array_ops import broadcast_right, constant, convert, flat, iota, op, reshape, select, slice_axis
from jitgrad.errors import ArgumentError, DTypeError, ParametersError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axes_tuple, axis_number, no_out, not_in_place
from jitgrad.tracebacks import boundary
from jitgrad_compiler.ir.types import BOOL

from . import reductions
from .creation import array
from .indexing import getitem, scatter, take_places, value_of
from .manipulation import concatenate, moveaxis
from .updates import Loops
from .vectorized import vectorize

ASSOCIATIVE = (
    "add", "multiply", "maximum", "minimum", "fmax", "fmin", "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor",
    "bitwise_and", "bitwise_or", "bitwise_xor", "hypot", "gcd", "lcm",
)  # fmt: skip
REDUCE: dict[str, Callable[..., Array]] = {
    "add": reductions.sum, "multiply": reductions.prod, "maximum": reductions.max, "minimum": reductions.min,
}  # fmt: skip
"""Ours, which take `axis`, `keepdims`, `initial` and `where`, and add where NumPy adds, in 64 bits for integers."""
ACCUMULATE: dict[str, Callable[..., Array]] = {
    "add": reductions.cumsum, "multiply": reductions.cumprod,
    "maximum": lambda x, axis: op("cummax", x, axis=axis, reverse=False),
    "minimum": lambda x, axis: op("cummin", x, axis=axis, reverse=False),
}  # fmt: skip
SCATTERS = {"add": "add", "multiply": "mul", "maximum": "max", "minimum": "min"}


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, FunctionType) and hasattr(instance, "ufunc")


class ufunc(metaclass=_Kind):  # noqa: N801  (NumPy's name)
    """The class of functions that have the methods of NumPy's ufuncs: `isinstance(jnp.add, jnp.ufunc)`. Called, it makes one of a
    function of scalars, as `frompyfunc` does.

    All have `nin`, `nout`, `nargs`, `identity` and `at`; those of two arguments also `reduce`, `accumulate`, `reduceat`, `outer`.

    >>> import jitgrad.numpy as jnp
    >>> isinstance(jnp.add, jnp.ufunc), jnp.add.nin, jnp.add.identity
    (True, 2, 0)
    """

    def __new__(cls, func: Callable[..., Any], /, nin: int, nout: int, *, name: str | None = None, identity: Any = None) -> Any:
        return _made(func, nin, nout, name or _name_of(func), identity)


def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> Callable[..., Any]:
    """A function of `nin` scalars with `nout` results, done to each element of arrays, with NumPy's ufuncs' methods.

    Its results are arrays of the types that it gives, not of objects. identity: what folds of nothing give. Raises ParametersError
    for counts that are no positive integers.

    >>> import jitgrad.numpy as jnp
    >>> join = jnp.frompyfunc(lambda x, y: 10 * x + y, nin=2, nout=1)
    >>> print(join(jnp.array([1, 2]), 3), join.reduce(jnp.array([1, 2, 3])))
    [13 23] 123
    """
    return _made(func, nin, nout, _name_of(func), identity)


def _name_of(func: Any) -> str:
    return str(getattr(func, "__name__", "function"))


def _made(func: Callable[..., Any], nin: int, nout: int, name: str, identity: Any) -> Any:
    if not callable(func) or operator.index(nin) < 1 or operator.index(nout) < 1:
        raise ParametersError(f"frompyfunc: takes a function and two counts of at least 1, got {func!r}, {nin!r}, {nout!r}")
    over = vectorize(func)

    @functools.wraps(func, updated=())
    def function(*args: ArrayLike) -> Any:
        if len(args) != nin:
            raise ParametersError(f"{name}: takes {nin} arguments, got {len(args)}")
        return over(*args)

    return add_methods(function, Methods(name, function, nin, nout, identity))


def add_methods(function: Any, methods: Methods) -> Any:
    """The function, with the methods and the counts of NumPy's ufuncs as attributes."""
    function.ufunc = methods
    function.nin, function.nout, function.nargs = methods.nin, methods.nout, methods.nin + methods.nout
    function.identity = methods.identity
    names = ("reduce", "accumulate", "reduceat", "outer", "at") if (methods.nin, methods.nout) == (2, 1) else ("at",)
    for name in names if methods.nout == 1 else ():
        setattr(function, name, boundary(getattr(Methods, name)).__get__(methods))
    return function


@dataclass(frozen=True, eq=False)
class Methods:
    """What the functions' attributes are bound to."""

    name: str
    function: Callable[..., Any]
    nin: int
    nout: int
    identity: Any

    def reduce(
        self,
        a: ArrayLike,
        axis: int | tuple[int, ...] | None = 0,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        """f(...f(f(a0, a1), a2)..., an) along an axis, several, or (None) all; with `initial` before a0, where `where` holds.

        Raises ShapeError for no elements without `initial` or an identity, ArgumentError for `where` without either.
        """
        where_called = f"{self.name}.reduce"
        no_out(where_called, out)
        x = array_arg(where_called, a, dtype)
        axes = axes_tuple(where_called, None if axis == 0 and not x.type.rank else axis, x.type.rank)
        ready = REDUCE.get(self.name)
        if ready is not None:
            return ready(x, axis=axes, keepdims=keepdims, initial=initial, where=where)
        x = self._of_result_type(where_called, x)
        start = self.identity if initial is None else initial
        if where is not None:
            if start is None:
                raise ArgumentError(f"{where_called}: where= needs initial=, because the function has no identity")
            keep = broadcast_right(convert(as_value(where, where_called), BOOL), x.type.shape)
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape))
        rows = self._in_front(x, axes)
        if not rows.type.shape[0] and start is None:
            raise ShapeError(f"{where_called}: there is nothing to fold in shape {x.type.shape}. Give initial=.")
        first = None if initial is None and where is None and rows.type.shape[0] else self._filled(start, x, rows.type.shape[1:])
        made = self._fold(rows, first, None if where is None else self._in_front(keep, axes))
        return reshape(made, kept if keepdims else tuple(n for i, n in enumerate(x.type.shape) if i not in axes))

    def accumulate(self, a: ArrayLike, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """All that `reduce` comes by along an axis: a0, f(a0, a1), f(f(a0, a1), a2), ..."""
        where = f"{self.name}.accumulate"
        no_out(where, out)
        x = array_arg(where, a, dtype)
        at = axis_number(where, axis, x.type.rank)
        ready = ACCUMULATE.get(self.name)
        if ready is not None:
            return ready(x, axis=at)
        rows = moveaxis(self._of_result_type(where, x), at, 0)
        n = rows.type.shape[0]
        if self.name in ASSOCIATIVE:
            step = 1
            while step < n:
                later = self.function(slice_axis(rows, 0, 0, n - step), slice_axis(rows, 0, step, n))
                rows = op("concatenate", slice_axis(rows, 0, 0, step), later, axis=0)
                step *= 2
        elif n > 1:
            first = slice_axis(rows, 0, 0, 1)
            step_by_step: Any = lambda c, v: (self.function(c, v),) * 2
            _, later = Loops.scan(step_by_step, reshape(first, first.type.shape[1:]), slice_axis(rows, 0, 1, n))
            rows = op("concatenate", first, later, axis=0)
        return moveaxis(rows, 0, at)

    def reduceat(self, a: ArrayLike, indices: ArrayLike, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """For each i the fold of a[indices[i] : indices[i + 1]] along an axis, the last one to the end; a[indices[i]] where that is
        nothing.

        Raises DTypeError unless the indices are integers, ShapeError unless they are a vector.
        """
        where = f"{self.name}.reduceat"
        no_out(where, out)
        x, starts = array_arg(where, a, dtype), array(indices) if isinstance(indices, (list, tuple)) else array_arg(where, indices)
        if not starts.type.dtype.is_integer:
            raise DTypeError(f"{where}: indices must be integers, got {starts.dtype}")
        if starts.type.rank != 1:
            raise ShapeError(f"{where}: indices must be a vector, got shape {starts.type.shape}")
        at = axis_number(where, axis, x.type.rank)
        wide = self.name in ("add", "multiply") and dtype is None
        x = moveaxis(convert(x, reductions.sum_dtype(x.type.dtype)) if wide else self._of_result_type(where, x), at, 0)
        n, m = x.type.shape[0], starts.type.shape[0]
        longest = n
        if starts.owner is None:
            known = np.asarray(starts.data()).astype(np.int64)
            ends = np.append(known[1:], n)
            starts, stops = from_numpy(known), from_numpy(np.where(ends <= known, known + 1, ends))
            longest = int(np.max(np.asarray(stops.data()) - known, initial=0))
        else:
            last = broadcast_right(constant(n, starts.type.dtype), (1,))
            following = op("concatenate", slice_axis(starts, 0, 1, m), last, axis=0) if m else starts
            stops = select(op("le", following, starts), starts + 1, following)
        made = take_places(x, starts, 0)  # the first of each, then what comes behind it, element by element
        if m and n > 1:
            spread = (m,) + (1,) * (x.type.rank - 1)

            def step(c: Array, k: Array) -> tuple[Array, None]:
                place = starts + convert(k, starts.type.dtype)
                going = broadcast_right(reshape(op("lt", place, stops), spread), c.type.shape)
                return select(going, self.function(c, take_places(x, op("min", place, place * 0 + (n - 1)), 0)), c), None

            if longest > 1:
                made, _ = Loops.scan(step, made, iota((longest - 1,), 0) + 1)
        return moveaxis(made, 0, at)

    def outer(self, a: ArrayLike, b: ArrayLike, /) -> Any:
        """f of each element of a with each of b: the axes of a, then those of b."""
        left, right = (as_value(array(v) if isinstance(v, (list, tuple)) else v, f"{self.name}.outer") for v in (a, b))
        return self.function(reshape(left, (*left.type.shape, *(1,) * right.type.rank)) if right.type.rank else left, right)

    def at(self, a: ArrayLike, indices: Any, b: ArrayLike | None = None, /, *, inplace: bool = True) -> Array:
        """A copy of `a` with f(element, value of b) at an index, one after the other where the index names an element repeatedly.

        Raises ImmutableArrayError unless inplace=False is given, because NumPy's changes its argument.
        """
        where = f"{self.name}.at"
        not_in_place(where, inplace)
        if (b is None) != (self.nin == 1):
            raise ParametersError(f"{where}: takes the array, an index{' and values' if self.nin == 2 else ' alone'}")
        x, indices = array_arg(where, a), array(indices) if isinstance(indices, list) else indices
        if self.nin == 1:
            applied: Array = x.at[indices].apply(lambda v: convert(self.function(v), x.type.dtype))
            return applied
        if self.name in SCATTERS:
            return scatter(x, indices, b, SCATTERS[self.name], None, where)
        if self.name == "subtract":
            return scatter(x, indices, -value_of(b, x.type.dtype, where), "add", None, where)
        places = getitem(reshape(iota((x.type.size,), 0), x.type.shape), indices)
        values = flat(broadcast_right(array_arg(where, array(b) if isinstance(b, (list, tuple)) else b), places.type.shape))

        def step(c: Array, one: tuple[Array, Array]) -> tuple[Array, None]:
            place, value = one
            made = convert(self.function(getitem(c, place), value), c.type.dtype)
            return scatter(c, place, made, "set", "promise_in_bounds"), None

        made, _ = Loops.scan(step, flat(x), (flat(places), values))
        return reshape(made, x.type.shape)

    def _of_result_type(self, where: str, x: Array) -> Array:
        """x in the type that the function gives, in which it can go on. Raises DTypeError where there is none."""
        empty = slice_axis(flat(x), 0, 0, 0)
        made = self.function(empty, empty)
        again = self.function(made, made)
        if again.type.dtype != made.type.dtype:
            raise DTypeError(f"{where}: results of type {made.dtype} are not folded, because those of them are {again.dtype}")
        return convert(x, made.type.dtype)

    @staticmethod
    def _in_front(x: Array, axes: tuple[int, ...]) -> Array:
        """The elements to fold along one axis, in front of the others."""
        others = tuple(i for i in range(x.type.rank) if i not in axes)
        moved = op("transpose", x, permutation=(*axes, *others)) if x.type.rank else x
        count = int(np.prod([x.type.shape[i] for i in axes], dtype=int))
        return reshape(moved, (count, *(x.type.shape[i] for i in others)))

    @staticmethod
    def _filled(number: Any, x: Array, shape: tuple[int, ...]) -> Array:
        return broadcast_right(convert(as_value(number, "initial"), x.type.dtype), shape)

    def _fold(self, rows: Array, first: Array | None, keep: Array | None) -> Array:
        """The rows, where they are to be kept, folded behind `first` (which there is where some are not)."""
        n = rows.type.shape[0]
        if self.name in ASSOCIATIVE and n:
            if keep is not None and first is not None:  # those without an identity give x for x and x
                left_out = first if self.identity is None else self._filled(self.identity, rows, first.type.shape)
                rows = select(keep, rows, broadcast_right(left_out, rows.type.shape))
            while n > 1:
                half = n // 2
                paired = self.function(slice_axis(rows, 0, 0, half), slice_axis(rows, 0, half, 2 * half))
                rows = paired if n == 2 * half else concatenate([paired, slice_axis(rows, 0, n - 1, n)], 0)
                n = rows.type.shape[0]
            made: Array = reshape(rows, rows.type.shape[1:])
            return made if first is None else self.function(first, made)
        if first is None:
            first, rows = reshape(slice_axis(rows, 0, 0, 1), rows.type.shape[1:]), slice_axis(rows, 0, 1, n)
        if not rows.type.shape[0]:
            return first

        def step(c: Array, one: Any) -> tuple[Array, None]:
            value, kept = one if keep is not None else (one, None)
            made = self.function(c, value)
            return (made if kept is None else select(kept, made, c)), None

        made, _ = Loops.scan(step, first, rows if keep is None else (rows, keep))
        return made


def of_numpy(function: Any) -> Any:
    """The function, with what NumPy's ufunc of its name has, if there is one."""
    theirs = getattr(np, function.__name__, None)
    if not isinstance(theirs, np.ufunc) or theirs.signature is not None:
        return function
    return add_methods(function, Methods(theirs.__name__, function, theirs.nin, theirs.nout, theirs.identity))
