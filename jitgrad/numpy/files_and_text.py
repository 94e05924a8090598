"""Arrays in files, from buffers and iterables, and as text, by NumPy's functions; and functions done along axes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from jitgrad.array import CUDA, CUDA_MANAGED, Array
from jitgrad.errors import ArgumentError, FileFormatError, MissingFileError, NotAnArrayError, ShapeError
from jitgrad.operands import ArrayLike, array_arg, axis_number, size_arg
from jitgrad.sharing import borrowed
from jitgrad.transfers import placed
from jitgrad.vectorization import vmap

from .creation import array, asarray
from .elementwise import named
from .manipulation import concatenate, expand_dims, moveaxis


def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    """An array of the bytes of a buffer, copied: `count` elements (-1: all) behind `offset` bytes. Raises what NumPy's raises.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.frombuffer(b"ab", "uint8"))
    [97 98]
    """
    return array(np.frombuffer(buffer, dtype, count, offset))


def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1) -> Array:
    """An array of an iterable's numbers, of the first `count` (-1: of all).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fromiter(range(3), "int32"))
    [0 1 2]
    """
    return array(np.fromiter(iter, dtype, count))


def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """An array of the numbers in a text, which stand between `sep`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fromstring("1 2", "int32", sep=" "))
    [1 2]
    """
    return array(np.fromstring(string, dtype, count, sep=sep))


def fromfile(file: Any, dtype: Any = float, count: int = -1, sep: str = "", offset: int = 0) -> Array:
    """An array of a file's bytes, or with `sep` of the numbers in its text, as numpy.fromfile reads them.

    >>> import os, jitgrad.numpy as jnp
    >>> print(jnp.fromfile(os.devnull, "int32"))
    []
    """
    return array(np.fromfile(file, dtype, count, sep, offset))


class NpzArrays(Mapping[str, Array]):
    """The arrays of an .npz file by name, each read when it is asked for. `close` it, or use it in a `with`."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.files: list[str] = list(file.files)

    def __getitem__(self, name: str) -> Array:
        if name not in self._file:
            raise KeyError(f"load: the file has no array {name!r}; it has {', '.join(map(repr, self.files)) or 'none'}")
        with _read("load", f"the array {name!r} of the .npz file"):
            found = self._file[name]
        return _loaded(found)

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __enter__(self) -> NpzArrays:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _never_pickled(where: str, allow_pickle: bool) -> None:
    if allow_pickle:
        raise ArgumentError(
            f"{where}: pickled objects are neither written nor read, because reading them runs what is in the file; leave "
            "allow_pickle=True out. jitgrad.io.save keeps trees of arrays."
        )


def load(file: Any, mmap_mode: str | None = None, allow_pickle: bool = False) -> Array | NpzArrays:
    """The array of an .npy file, or the arrays of an .npz file by name, as numpy.save and numpy.savez write them.

    mmap_mode: for likeness with NumPy; the elements are read at once. Raises ArgumentError for allow_pickle=True, MissingFileError,
    and FileFormatError for a file that holds pickled objects, is damaged or of another kind.

    >>> import io, jitgrad.numpy as jnp
    >>> file = io.BytesIO()
    >>> jnp.savez(file, a=jnp.arange(2))
    >>> _ = file.seek(0)
    >>> print(jnp.load(file)["a"])
    [0 1]
    """
    _never_pickled("load", allow_pickle)
    with _read("load", repr(str(file)) if isinstance(file, (str, os.PathLike)) else "the file"):
        found = np.load(file, allow_pickle=False)
    return _loaded(found) if isinstance(found, np.ndarray) else NpzArrays(found)


def _loaded(found: np.ndarray) -> Array:
    """NumPy's files have no name for bfloat16, so that it comes back as two bytes without a meaning."""
    return array(found.view("bfloat16") if found.dtype == "V2" else found)


@contextmanager
def _read(where: str, what: str) -> Iterator[None]:
    """Say of a file that NumPy cannot read what is the matter with it, without NumPy's advice to unpickle it."""
    try:
        yield
    except FileNotFoundError:
        raise MissingFileError(f"{where}: there is no file {what}") from None
    except Exception as error:
        if not isinstance(error, (ValueError, EOFError)) and type(error).__name__ != "BadZipFile":  # zipfile is slow to import
            raise
        if "Object arrays" in str(error):
            raise FileFormatError(f"{where}: {what} holds Python objects, whose reading would run what is in the file") from None
        reason = "" if "pickle" in str(error) else f": {error}"
        raise FileFormatError(f"{where}: {what} is damaged, or no file that numpy.save or numpy.savez wrote{reason}") from None


def save(file: Any, arr: ArrayLike, allow_pickle: bool = False) -> None:
    """Write an array to an .npy file, by name or open, as numpy.save does; see `load`. Raises ArgumentError for allow_pickle=True.

    >>> import io, jitgrad.numpy as jnp
    >>> jnp.save(io.BytesIO(), jnp.arange(2))
    """
    _never_pickled("save", allow_pickle)
    np.save(file, np.asarray(asarray(arr)), allow_pickle=False)


def _zipped(name: str, word: str) -> Callable[..., None]:
    def function(file: Any, *args: ArrayLike, allow_pickle: bool = False, **kwds: ArrayLike) -> None:
        _never_pickled(name, allow_pickle)
        given = {**{f"arr_{k}": v for k, v in enumerate(args)}, **kwds}
        if len(given) < len(args) + len(kwds):
            raise ArgumentError(f"{name}: a name is that of an array without one, arr_0, arr_1, ...; give another one")
        getattr(np, name)(file, **{k: np.asarray(asarray(v)) for k, v in given.items()}, allow_pickle=False)

    return named(
        function, name,
        f"""Write arrays to {word} .npz file, by their names or as arr_0, arr_1, ..., as numpy.{name} does; see `load`.

    Raises ArgumentError for allow_pickle=True, and for a name that is given twice.

    >>> import io, jitgrad.numpy as jnp
    >>> jnp.{name}(io.BytesIO(), jnp.arange(2), b=jnp.ones(3))
    """,
    )  # fmt: skip


savez = _zipped("savez", "an uncompressed")
savez_compressed = _zipped("savez_compressed", "a compressed")


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """Another library's array. On the processor it is copied: its owner may write to it. One on a GPU is the same memory, unless
    copy=True or where it does not begin at a multiple of 16 bytes: nobody may write to it as long as the result lives. Raises
    BufferError for copy=False, as the standard asks, where there is no other way.

    >>> import jitgrad.numpy as jnp, numpy as np
    >>> print(jnp.from_dlpack(np.arange(2)))
    [0 1]
    """
    if not hasattr(x, "__dlpack__"):
        raise NotAnArrayError(f"from_dlpack: needs an array that has __dlpack__, got {type(x).__name__}; jnp.asarray takes others")
    if not isinstance(x, Array) and x.__dlpack_device__()[0] in (CUDA, CUDA_MANAGED):
        return placed("from_dlpack", borrowed(x, copy), device)
    if copy is False:
        raise BufferError("from_dlpack: copy=False is not there: another library may write into its memory")
    return array(x if isinstance(x, Array) else np.from_dlpack(x), device=device)


def array_repr(
    arr: ArrayLike, max_line_width: float | None = None, precision: int | None = None, suppress_small: bool | None = None
) -> str:
    """The array as text that shows its type.

    >>> import jitgrad.numpy as jnp
    >>> jnp.array_repr(jnp.arange(2))
    'Array([0, 1], dtype=int64)'
    """
    with np.printoptions(**_options("array_repr", max_line_width, precision, suppress_small)):
        return repr(asarray(arr))


def array_str(
    a: ArrayLike, max_line_width: float | None = None, precision: int | None = None, suppress_small: bool | None = None
) -> str:
    """The elements as text.

    >>> import jitgrad.numpy as jnp
    >>> jnp.array_str(jnp.array([1.0, 0.25]), precision=1)
    '[1.  0.2]'
    """
    with np.printoptions(**_options("array_str", max_line_width, precision, suppress_small)):
        return str(asarray(a))


def _options(where: str, width: Any, precision: Any, suppress_small: Any) -> dict[str, Any]:
    """NumPy's options of printing, of those that are given."""
    sizes = {"linewidth": ("max_line_width", width), "precision": ("precision", precision)}
    if isinstance(width, float) and width == np.inf:  # all in one line
        return {"linewidth": width, **_options(where, None, precision, suppress_small)}
    given = {n: size_arg(where, v, f"{name} must be an integer", 0) for n, (name, v) in sizes.items() if v is not None}
    return given if suppress_small is None else {**given, "suppress": bool(suppress_small)}


def set_printoptions(*args: Any, **kwargs: Any) -> None:
    """Set how arrays are printed, NumPy's and jitgrad's. Takes what numpy.set_printoptions takes.

    >>> import jitgrad.numpy as jnp
    >>> jnp.set_printoptions(precision=8)
    """
    np.set_printoptions(*args, **kwargs)


def get_printoptions() -> dict[str, Any]:
    """How arrays are printed: the options of `set_printoptions` by name.

    >>> import jitgrad.numpy as jnp
    >>> jnp.get_printoptions()["precision"]
    8
    """
    return dict(np.get_printoptions())


def printoptions(*args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
    """A block inside which arrays are printed by these options, those of `set_printoptions`.

    >>> import jitgrad.numpy as jnp
    >>> with jnp.printoptions(precision=2):
    ...     print(jnp.array([0.12345]))
    [0.12]
    """
    return np.printoptions(*args, **kwargs)


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
    """`jnp.r_` and `jnp.c_`: what stands in the brackets, numbers, vectors and ranges start:stop:step, as one array.

    A text in front tells otherwise: "axis", "axis,least axes" or "axis,least axes,place of the first own one", as NumPy has them,
    or "r" and "c": a row or a column with two axes of what is a vector. Raises ArgumentError for other texts.
    """

    def __init__(self, axis: int, least: int, place: int) -> None:
        self._axes = axis, least, place

    def __getitem__(self, key: Any) -> Array:
        parts = key if isinstance(key, tuple) else (key,)
        (axis, least, place), turned = self._axes, ""
        if parts and isinstance(parts[0], str):
            text, parts = parts[0], parts[1:]
            if text in ("r", "c"):
                turned = text
            elif re.fullmatch(r"\s*-?\d+\s*(,\s*-?\d+\s*){0,2}", text):
                axis, least, place = (*map(int, text.split(",")), *self._axes[text.count(",") + 1 :])
            else:
                raise ArgumentError(f"r_ and c_: the text in front must be r, c or up to three integers, got {text!r}")
        if any(isinstance(p, str) for p in parts):
            raise ArgumentError("r_ and c_: a text that tells axes must be the first of all")
        arrays = [_with_axes(asarray(np.r_[p]) if isinstance(p, slice) else asarray(p), least, place) for p in parts]
        joined = concatenate(arrays, axis)
        return joined if not turned or joined.ndim > 1 else joined.reshape((1, -1) if turned == "r" else (-1, 1))


def _with_axes(x: Array, least: int, place: int) -> Array:
    """x with so many axes at least, of its own the first at `place`; -1: the last."""
    more = least - x.ndim
    if more <= 0:
        return x
    if not -more <= place + 1 <= more + 1:
        raise ArgumentError(f"r_ and c_: the place of an array's first axis must be from {-more - 1} to {more}, got {place}")
    before = place % (more + 1)
    return x.reshape((1,) * before + x.shape + (1,) * (more - before))


r_, c_ = _Joined(0, 1, -1), _Joined(-1, 2, 0)
