"""Making arrays: from data, of one number, of indices. NumPy's memory is copied.

Ranges are in ranges.py, masks of matrices in matrices.py. Types not given are default_float for floats and int64 for integers.
`device` is a Device, a sharding or a name, as jitgrad.device_put takes, or None: where arrays are by default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad.array import Array, as_value, from_numpy, narrow
from jitgrad.array_ops import Shape, broadcast, broadcast_right, concatenate, constant, convert, fill, iota, reshape
from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError, NotAFunctionError, NotAnArrayError, NumberRangeError, ShapeError
from jitgrad.operands import (
    ArrayLike,
    array_arg,
    broadcasts_to,
    common_dtype,
    one_of,
    promote_all,
    shape_arg,
    size_arg,
    stored,
    strong,
)
from jitgrad.promotion import WEAK, default_float, dtype_name, strong_dtype
from jitgrad.transfers import beside, placed
from jitgrad_compiler.ir.builder import state
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ir.types import I64, DType

from .elementwise import example, named
from .plain_data import of_plain

ORDERS = (None, "K", "C", "A", "F")
"""What NumPy takes as an order in memory; here elements always lie in rows, as by C."""


def _is_buffer(data: Any) -> bool:
    """Whether it is an array of Python's module of that name, which is not imported: a script may lie beside a file array.py."""
    return type(data).__module__ == "array" and type(data).__name__ == "array"


def array(
    object: Any, dtype: Any = None, copy: bool | None = True, order: str | None = "K", ndmin: int = 0, *, device: Any = None
) -> Array:
    """An array of numbers, nested lists, NumPy arrays, jitgrad arrays, or anything with `__array__`. The elements are copied,
    but for an Array given with copy=False.

    Without `dtype`, Python floats give default_float and Python ints int64; NumPy arrays keep their type; lists promote.
    `ndmin` puts axes of size 1 in front. Raises ShapeError for ragged lists, NotAnArrayError for what is no number.

    >>> import jitgrad.numpy as jnp
    >>> jnp.array([[1, 2], [3, 4.5]])
    Array([[1. , 2. ],
           [3. , 4.5]], dtype=float32)
    """
    if order == "K" and ndmin == 0 and device is config.default_device is None and copy:
        if type(object) is Array and dtype is None and type(object.ref) is np.ndarray and not object.weak:
            return object.copy()
        if (plain := of_plain(object, dtype)) is not None:
            return plain
    one_of("array", "order", order, ORDERS)
    out = _copied(copy, object, _from_data("array", object, None if dtype is None else dtype_name(dtype)))
    missing = size_arg("array", ndmin, "ndmin is an integer") - out.type.rank
    return placed("array", reshape(out, (1,) * missing + out.type.shape) if missing > 0 else out, device)


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None, device: Any = None) -> Array:
    """As `array`; a jitgrad array of the wanted type comes back as it is.

    Raises ArgumentError for copy=False of something that must be copied.

    >>> import jitgrad.numpy as jnp
    >>> jnp.asarray(2.5)
    Array(2.5, dtype=float32)
    """
    if order is device is copy is config.default_device is None:
        if type(a) is Array and not a.weak:
            return a if dtype is None else convert(a, dtype_name(dtype))
        if (plain := of_plain(a, dtype)) is not None:
            return plain
    if copy is False and not isinstance(a, Array):
        raise ArgumentError(f"asarray: a {type(a).__name__} must be copied, but copy=False was given")
    one_of("asarray", "order", order, ORDERS)
    made = _copied(copy, a, _from_data("asarray", a, None if dtype is None else dtype_name(dtype)))
    return placed("asarray", made, device)


def _copied(copy: bool | None, data: Any, made: Array) -> Array:
    """What was made of data, in memory of its own where a copy is wanted and none was made."""
    return made.copy() if copy and isinstance(data, Array) and made.ref is data.ref else made


def _from_data(where: str, data: Any, dtype: DType | None) -> Array:
    if isinstance(data, (list, tuple)):
        return _from_list(where, data, dtype)
    if isinstance(data, (np.ndarray, np.generic)):
        owned = from_numpy(np.array(data, order="C") if dtype else narrow(np.array(data, order="C")))
        return owned if dtype is None else convert(owned, dtype)
    if isinstance(data, (memoryview, bytearray)) or _is_buffer(data):
        return _from_data(where, np.asarray(data), dtype)
    value = as_value(data, where)
    if dtype is not None and dtype.is_integer and isinstance(data, float):
        _check_range(where, [data], dtype)
    if value.owner is None and isinstance(value.ref, np.generic):  # an array by itself, not a constant of programs
        number = strong(value) if dtype is None else convert(value, dtype)
        return Array(number.type, None, np.array(number.ref))
    return strong(value) if dtype is None else convert(value, dtype)


def _leaves(items: Any) -> Any:
    for x in items:
        if isinstance(x, (list, tuple)):
            yield from _leaves(x)
        else:
            yield x


def _with_places(items: Any, place: str = "") -> Any:
    for n, x in enumerate(items):
        if isinstance(x, (list, tuple)):
            yield from _with_places(x, f"{place}[{n}]")
        else:
            yield f"{place}[{n}]", x


def _from_list(where: str, items: Sequence[Any], dtype: DType | None) -> Array:
    if (plain := of_plain(items, dtype)) is not None:
        return plain
    leaves = list(_leaves(items))
    kinds = set(map(type, leaves))
    if kinds <= WEAK.keys():
        found = strong_dtype(*promote_all(tuple({WEAK[k] for k in kinds}), default_float())) if kinds else default_float()
        _check_range(where, leaves, dtype or found)
        return from_numpy(_numpy_array(where, items, dtype or found))
    try:
        values = [as_value(x, where) for x in leaves]
    except NotAnArrayError:
        for place, x in _with_places(items):
            as_value(x, f"{where}: item {place} of the list", borrow=True)
        raise
    wanted = dtype or strong_dtype(*common_dtype(values))
    _check_range(where, leaves, wanted)
    if all(v.owner is None for v in values) and state.staging is None:
        return beside(from_numpy(_numpy_array(where, _to_numpy(items), wanted)), *values)
    parts = [_from_data(where, x, wanted) for x in items]
    if any(p.type.shape != parts[0].type.shape for p in parts):
        raise ShapeError(f"{where}: a list's items must have one shape, got {', '.join(str(p.type.shape) for p in parts)}")
    return concatenate([reshape(p, (1, *p.type.shape)) for p in parts], 0)


def _check_range(where: str, leaves: list[Any], dtype: DType) -> None:
    """Raise NumberRangeError where a number of Python's does not fit in the integer type that it becomes."""
    numbers = [x for x in leaves if isinstance(x, (int, float, np.int64))] if dtype.is_integer else []
    for x in [x for x in numbers if isinstance(x, float)]:
        if not math.isfinite(x):
            raise NumberRangeError(f"{where}: {x} is no number that {dtype.numpy} has. Replace it first, with jnp.nan_to_num say.")
    for number in (min(numbers), max(numbers)) if numbers else ():
        constant(int(number), dtype)


def _to_numpy(items: Any) -> Any:
    return [_to_numpy(x) if isinstance(x, (list, tuple)) else np.asarray(x) for x in items]


def _numpy_array(where: str, items: Any, dtype: DType) -> np.ndarray:
    try:
        made = np.array(items)
    except ValueError:
        raise ShapeError(f"{where}: the nested lists are ragged: items of one list differ in length or shape") from None
    if made.dtype == object:
        raise NotAnArrayError(f"{where}: the list holds numbers that no element type can, such as ints beyond 64 bits")
    with np.errstate(all="ignore"):
        return np.asarray(OPS["convert_element_type"].numpy(made, dtype=dtype))


def zeros(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of zeros, of default_float by default. Raises ArgumentError for a negative size.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.zeros((2, 2), int))
    [[0 0]
     [0 0]]
    """
    return _constant("zeros", shape, dtype, 0, device)


def ones(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of ones, of default_float by default.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.ones(3))
    [1. 1. 1.]
    """
    return _constant("ones", shape, dtype, 1, device)


def empty(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of zeros: memory is never left unset.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.empty(2))
    [0. 0.]
    """
    return _constant("empty", shape, dtype, 0, device)


def full(shape: Any, fill_value: ArrayLike, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of `fill_value`, broadcast to the shape; of its type by default.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.full((2, 2), 7))
    [[7 7]
     [7 7]]
    """
    made = _filled("full", shape_arg("full", shape), fill_value, None if dtype is None else dtype_name(dtype))
    return placed("full", made, device)


def _filled(where: str, shape: Shape, fill_value: ArrayLike, dtype: DType | None, *others: Any) -> Array:
    value = as_value(fill_value, where)
    value = strong(value) if dtype is None else stored(where, value, dtype)
    if value.owner is None and isinstance(value.ref, np.generic):
        return fill(shape, value.ref, value.type.dtype, *others)
    if not broadcasts_to(value.type.shape, shape):
        raise ShapeError(f"{where}: a fill_value of shape {value.type.shape} does not broadcast to shape {shape}")
    return broadcast_right(value, shape)


def _constant(name: str, shape: Any, dtype: Any, number: int, device: Any) -> Array:
    if isinstance(dtype, (int, np.integer)):
        raise DTypeError(f"{name}({shape}, {dtype}): {dtype} is no element type. A shape is one tuple: {name}(({shape}, {dtype})).")
    return placed(name, fill(shape_arg(name, shape), number, float_or(dtype)), device)


def float_or(dtype: Any) -> DType:
    """The element type given, or default_float."""
    return default_float() if dtype is None else dtype_name(dtype)


def like_of(where: str, a: Any, shape: Any, dtype: Any) -> tuple[Shape, DType]:
    """Those of an array, or of what else has a shape and a dtype (a ShapeDtypeStruct), where no others are given."""
    if not isinstance(a, Array) and hasattr(a, "shape") and hasattr(a, "dtype"):
        known, kind = tuple(a.shape), a.dtype
    else:
        value = as_value(a, where)
        known, kind = value.type.shape, strong_dtype(value.type.dtype, value.weak)
    return known if shape is None else shape_arg(where, shape), dtype_name(kind if dtype is None else dtype)


def _like(name: str, number: int, word: str) -> Any:
    def function(a: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
        sizes, kind = like_of(name, a, shape, dtype)
        return placed(name, fill(sizes, number, kind, a), device)

    return named(
        function, name,
        f"""{word} of a's shape and type, each of which may be given instead.

    {example(name, f"jnp.array([5, 6]) -> [{number} {number}]")}
    """,
    )  # fmt: skip


zeros_like = _like("zeros_like", 0, "Zeros")
ones_like = _like("ones_like", 1, "Ones")


def empty_like(prototype: Any, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """Zeros of prototype's shape and type, each of which may be given instead: memory is never left unset.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.empty_like(jnp.array([1, 2])))
    [0 0]
    """
    sizes, kind = like_of("empty_like", prototype, shape, dtype)
    return placed("empty_like", fill(sizes, 0, kind, prototype), device)


def full_like(a: Any, fill_value: ArrayLike, dtype: Any = None, shape: Any = None, *, device: Any = None) -> Array:
    """`fill_value` in a's shape and type, each of which may be given instead.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.full_like(jnp.array([5, 6]), 2))
    [2 2]
    """
    sizes, kind = like_of("full_like", a, shape, dtype)
    return placed("full_like", beside(_filled("full_like", sizes, fill_value, kind, a), a, fill_value), device)


def meshgrid(*xi: ArrayLike, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Array]:
    """Arrays of coordinates of the grid that vectors span.

    With "ij" the i-th varies along axis i, with "xy" the first two swap axes.
    With `sparse` all other axes have size 1. Raises ArgumentError for another indexing, ShapeError for what is no vector.

    >>> import jitgrad.numpy as jnp
    >>> x, y = jnp.meshgrid(jnp.arange(3), jnp.arange(2))
    >>> print(x)
    [[0 1 2]
     [0 1 2]]
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    vectors = [array_arg("meshgrid", x) for x in xi]
    if any(v.type.rank > 1 for v in vectors):
        raise ShapeError(f"meshgrid: needs vectors, got shapes {', '.join(str(v.type.shape) for v in vectors)}")
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(axes) > 1:
        axes[:2] = [1, 0]
    vectors = [reshape(v, (v.type.size,)) for v in vectors]
    sizes = {a: v.type.size for a, v in zip(axes, vectors, strict=True)}
    shape = tuple(sizes[a] for a in range(len(axes)))
    if sparse:
        return [reshape(v, tuple(n if i == a else 1 for i, n in enumerate(shape))) for a, v in zip(axes, vectors, strict=True)]
    return [broadcast(v, shape, (a,)) for a, v in zip(axes, vectors, strict=True)]


def indices(dimensions: Sequence[int], dtype: Any = None, sparse: bool = False) -> Any:
    """The indices of a grid: [axes, *dimensions], int64 by default; with `sparse` a tuple of arrays that broadcast.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.indices((2, 2))[0])
    [[0 0]
     [1 1]]
    """
    shape = shape_arg("indices", dimensions)
    kind = I64 if dtype is None else dtype_name(dtype)
    if sparse:
        return tuple(iota(tuple(n if i == a else 1 for i, n in enumerate(shape)), a, kind) for a in range(len(shape)))
    if not shape:
        return fill((0,), 0, kind)
    return concatenate([reshape(iota(shape, a, kind), (1, *shape)) for a in range(len(shape))], 0)


def fromfunction(function: Any, shape: Any, *, dtype: Any = float, **kwargs: Any) -> Array:
    """function(i, j, ...) of the index arrays of a shape, in `dtype`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.fromfunction(lambda i, j: i * 10 + j, (2, 2), dtype=int))
    [[ 0  1]
     [10 11]]
    """
    if not callable(function):
        raise NotAFunctionError(f"fromfunction: needs a function of index arrays, got {function!r}")
    sizes = shape_arg("fromfunction", shape)
    kind = dtype_name(dtype)
    out: Array = function(*[iota(sizes, a, kind) for a in range(len(sizes))], **kwargs)
    return out
