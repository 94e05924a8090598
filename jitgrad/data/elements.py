"""What a dataset gives: an array, a number, a string, or a tuple or dict of such. Here they are read, stacked and picked from.

A tuple or a dict has parts; all else is one part, which NumPy makes an array of. A list is one part: an array in Python's spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitgrad.config import config
from jitgrad.errors import ArgumentError, DTypeError, ShapeError


def map_parts(f: Callable[..., Any], element: Any, *others: Any, path: str = "") -> Any:
    """f of every part's path, the part, and those of `others`, in the structure of the element."""
    if isinstance(element, tuple):
        parts = [
            map_parts(f, part, *(_part(path, other, i, element) for other in others), path=f"{path}[{i}]")
            for i, part in enumerate(element)
        ]
        return type(element)(*parts) if hasattr(element, "_fields") else tuple(parts)
    if isinstance(element, dict):
        return {
            key: map_parts(f, part, *(_part(path, other, key, element) for other in others), path=f"{path}[{key!r}]")
            for key, part in element.items()
        }
    for other in others:
        if isinstance(other, (tuple, dict)):
            raise _built_otherwise(path, element, other)
    return f(path, element, *others)


def _part(path: str, other: Any, key: Any, like: Any) -> Any:
    """A part of another element, which must be built as `like` is."""
    if not isinstance(other, type(like)) or len(other) != len(like) or (isinstance(like, dict) and key not in other):
        raise _built_otherwise(path, like, other)
    return other[key]


def _built_otherwise(path: str, like: Any, other: Any) -> ShapeError:
    return ShapeError(f"elements of one dataset must be built alike, got {_built(like)} and {_built(other)}{_at(path)}")


def _built(element: Any) -> str:
    if isinstance(element, dict):
        return f"a dict of {', '.join(map(repr, element))}"
    return f"a tuple of {len(element)}" if isinstance(element, tuple) else f"a {type(element).__name__}"


def as_numbers(where: str, value: Any) -> np.ndarray:
    """One part as a NumPy array. Floats of Python have config.default_float, as arrays that are made of them have everywhere.

    Raises DTypeError for what is no array of numbers or strings.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            f"{where}: no array can be made of this {type(value).__name__}: {error}. Parts of different shapes go into a tuple"
        ) from None
    if array.dtype == object:
        raise DTypeError(
            f"{where}: expected numbers or strings, got a {type(value).__name__} that NumPy reads as Python objects. Make it an "
            "array with an element type: numpy.asarray(x, dtype='float32'), or dtype=str"
        )
    if array.dtype == np.float64 and _is_pythons(value):
        return array.astype(config.default_float)
    return array


def _is_pythons(value: Any) -> bool:
    """Whether a number, or all in a list, are Python's."""
    return all(map(_is_pythons, value)) if isinstance(value, (list, tuple)) else type(value) in (bool, int, float)


def stack(where: str, elements: Sequence[Any]) -> Any:
    """Elements as one: each part has a new first axis, of the elements.

    Raises ShapeError, which names the element, where shapes differ.
    """

    def join(path: str, *parts: Any) -> np.ndarray:
        arrays = [as_numbers(where + path, part) for part in parts]
        for i, array in enumerate(arrays):
            if array.shape != arrays[0].shape:
                raise ShapeError(
                    f"{where}: elements of a batch must have one shape, got {arrays[0].shape} and, {i} elements later, "
                    f"{array.shape}{_at(path)}. Give them one by .map(...), which may pad, cut or resize, in front of .batch(...)"
                )
        return np.stack(arrays)

    return map_parts(join, elements[0], *elements[1:])


def pick(element: Any, rows: Any) -> Any:
    """Of each part the rows, by a range (of step 1) or an array of positions, in memory of their own."""
    if isinstance(rows, range):
        return map_parts(lambda _, part: np.array(part[rows.start : rows.stop]), element)
    return map_parts(lambda _, part: np.asarray(part[rows]), element)


def pick_one(element: Any, row: int) -> Any:
    """Of each part one row, in memory of its own; of parts with one axis it is a NumPy scalar or a str."""
    return copy(map_parts(lambda _, part: part[row], element))


def concatenate(batches: Sequence[Any]) -> Any:
    """Batches, one behind the other."""
    return map_parts(lambda _, *parts: np.concatenate(parts), batches[0], *batches[1:])


def copy(element: Any) -> Any:
    """The element with arrays of its own, so that who writes into them changes no one else's."""
    return map_parts(lambda _, part: part.copy() if isinstance(part, np.ndarray) else part, element)


def common_length(where: str, element: Any) -> int:
    """How many rows every part has.

    Raises ShapeError where that differs or a part is one number, ArgumentError where there are none.
    """
    lengths: dict[str, int] = {}

    def measure(path: str, part: Any) -> None:
        if getattr(part, "ndim", 1) == 0:
            raise ShapeError(f"{where}: expected arrays with a first axis of examples, got the single number {part}{_at(path)}")
        lengths[path] = len(part)

    map_parts(measure, element)
    if not lengths:
        raise ArgumentError(f"{where}: expected at least one array")
    (first, length), *others = lengths.items()
    for path, other in others:
        if other != length:
            raise ShapeError(
                f"{where}: arrays of one dataset must have equally many examples along their first axis, got {length}{_at(first)} "
                f"and {other}{_at(path)}"
            )
    if not length:
        raise ArgumentError(f"{where}: the dataset is empty: its arrays have no rows")
    return length


def _at(path: str) -> str:
    return f" at {path}" if path else ""


class Noted:
    """An error inside gets a note with the number of the element that it was raised for."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, Exception):
            error.add_note(f"data: this was raised for element {self.number} of a dataset")


def call(f: Callable[..., Any], element: Any, *more: Any) -> Any:
    """f of an element: the parts of a tuple are its arguments."""
    arguments = (*element, *more) if type(element) is tuple else (element, *more)
    try:
        return f(*arguments)
    except TypeError as error:
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # of the call itself
            error.add_note(
                f"data: the function was called with {len(arguments)} arguments: the parts of a tuple, and a random generator "
                "where there is a seed"
            )
        raise
