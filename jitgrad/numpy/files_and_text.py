"""Arrays in files, from buffers and iterables, and as text, by NumPy's functions; and functions done along axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number
from jitgrad.vectorization import vmap

from .creation import array, asarray
from .elementwise import named
from .manipulation import concatenate, expand_dims, moveaxis


def _reader(name: str, doc: str, example: str) -> Callable[..., Array]:
    function = getattr(np, name)

    def read(*args: Any, **kwargs: Any) -> Array:
        return array(function(*args, **kwargs))

    return named(read, name, f"{doc} Takes what numpy.{name} takes.\n\n    >>> import jitgrad.numpy as jnp\n    {example}\n    ")


frombuffer = _reader(
    "frombuffer", "An array of the bytes of a buffer, copied.", '>>> print(jnp.frombuffer(b"ab", "uint8"))\n    [97 98]'
)
fromiter = _reader("fromiter", "An array of an iterable's numbers.", '>>> print(jnp.fromiter(range(3), "int32"))\n    [0 1 2]')
fromstring = _reader(
    "fromstring", "An array of the numbers in a text.", '>>> print(jnp.fromstring("1 2", "int32", sep=" "))\n    [1 2]'
)
fromfile = _reader(
    "fromfile", "An array of a file's bytes or numbers.",
    '>>> import os\n    >>> print(jnp.fromfile(os.devnull, "int32"))\n    []',
)  # fmt: skip
load = _reader(
    "load", "The array of a file that numpy.save has written.",
    ">>> import io\n    >>> file = io.BytesIO()\n    >>> jnp.save(file, jnp.arange(2))\n    >>> _ = file.seek(0)\n"
    "    >>> print(jnp.load(file))\n    [0 1]",
)  # fmt: skip


def save(file: Any, arr: ArrayLike) -> None:
    """Write an array to a file, by name or open, as numpy.save does; see `load`.

    >>> import io, jitgrad.numpy as jnp
    >>> jnp.save(io.BytesIO(), jnp.arange(2))
    """
    np.save(file, np.asarray(asarray(arr)))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Another library's array, copied: its owner may write to it. Raises ArgumentError for copy=False.

    >>> import jitgrad.numpy as jnp, numpy as np
    >>> print(jnp.from_dlpack(np.arange(2)))
    [0 1]
    """
    if copy is False:
        raise ArgumentError("from_dlpack: copy=False is not there: another library may write into its memory")
    return array(np.from_dlpack(x))


def array_repr(arr: ArrayLike, max_line_width: int | None = None, precision: int | None = None, suppress_small: Any = None) -> str:
    """The array as text that shows its type.

    >>> import jitgrad.numpy as jnp
    >>> jnp.array_repr(jnp.arange(2))
    'Array([0, 1], dtype=int64)'
    """
    with np.printoptions(**_given(linewidth=max_line_width, precision=precision, suppress=suppress_small)):
        return repr(asarray(arr))


def array_str(a: ArrayLike, max_line_width: int | None = None, precision: int | None = None, suppress_small: Any = None) -> str:
    """The elements as text.

    >>> import jitgrad.numpy as jnp
    >>> jnp.array_str(jnp.array([1.0, 0.25]), precision=1)
    '[1.  0.2]'
    """
    with np.printoptions(**_given(linewidth=max_line_width, precision=precision, suppress=suppress_small)):
        return str(asarray(a))


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def iterable(y: Any) -> bool:
    """Whether y can be iterated over; an array without axes cannot.

    >>> import jitgrad.numpy as jnp
    >>> jnp.iterable(jnp.ones(2)), jnp.iterable(jnp.array(1.0))
    (True, False)
    """
    return y.ndim > 0 if isinstance(y, Array) else bool(np.iterable(y))


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: ArrayLike, *args: Any, **kwargs: Any) -> Array:
    """A function of vectors done to each vector along an axis; the axes of its result take that axis' place.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.apply_along_axis(jnp.sort, 1, jnp.array([[3, 1], [2, 4]])))
    [[1 3]
     [2 4]]
    """
    x = array_arg("apply_along_axis", arr)
    at = axis_number("apply_along_axis", axis, x.type.rank)
    f: Callable[..., Any] = lambda v: asarray(func1d(v, *args, **kwargs))
    for _ in range(x.type.rank - 1):
        f = vmap(f)
    out = f(moveaxis(x, at, -1))
    made = range(x.type.rank - 1, out.ndim)
    return moveaxis(out, tuple(made), tuple(at + k for k in range(len(made))))


def apply_over_axes(func: Callable[[Array, int], Any], a: ArrayLike, axes: int | Sequence[int]) -> Array:
    """`func(a, axis)` for one axis after the other; where it drops the axis, one of size 1 takes its place.

    Raises ShapeError for a function that gives another number of axes.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.apply_over_axes(jnp.sum, jnp.ones((2, 3)), [0, 1]))
    [[6.]]
    """
    x = array_arg("apply_over_axes", a)
    for axis in (axes,) if isinstance(axes, int) else axes:
        at = axis_number("apply_over_axes", axis, x.type.rank)
        out = asarray(func(x, at))
        x, rank = expand_dims(out, at) if out.ndim == x.ndim - 1 else out, x.ndim
        if x.ndim != rank:
            raise ShapeError(f"apply_over_axes: the function must keep or drop axis {axis}, got shape {list(out.shape)}")
    return x


class _Joined:
    """`jnp.r_` and `jnp.c_`: what stands in the brackets, numbers, vectors and ranges start:stop:step, as one array."""

    def __init__(self, numpy: Any, columns: bool) -> None:
        self._numpy, self._columns = numpy, columns

    def __getitem__(self, key: Any) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        if any(isinstance(p, str) for p in parts):
            raise ArgumentError("r_ and c_: texts that tell axes are not there; use concatenate or stack")
        arrays = [asarray(self._numpy[p]) if isinstance(p, slice) else asarray(p) for p in parts]
        arrays = [a.reshape(-1, 1) if self._columns and a.ndim < 2 else a.reshape(1) if a.ndim == 0 else a for a in arrays]
        return concatenate(arrays, -1 if self._columns else 0)


r_, c_ = _Joined(np.r_, False), _Joined(np.r_, True)
