"""Cells of text as an array: integers, floats, bools or text, by a type that is given or the first that goes with all cells."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from jitgrad.errors import ParametersError

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")


class Kind(Enum):
    """What a column holds."""

    INTEGER = "an integer"
    FLOAT = "a number"
    BOOL = "true or false"
    TEXT = "text"


BOOLS = {"true": True, "false": False}
TOLD_BOOLS = {**BOOLS, "t": True, "f": False, "yes": True, "no": False, "1": True, "0": False}
"""Those of a column that is said to be one of bools."""

LEADING_ZERO = re.compile(r"\n[ \t]*[+-]?0\d")
"""In cells that are joined by ends of lines, behind one. It begins with one character, for which Python searches fast."""


@dataclass(frozen=True)
class Reading:
    """Some cells of a column, as an array of a kind; None and None where all are missing. Of integers with holes it has floats."""

    kind: Kind | None
    values: np.ndarray | None
    count: int


class CellError(ValueError):
    """A cell, by its number, that is not of its column's kind."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def kind_named(where: str, name: str, given: Any) -> Kind:
    """The kind that a user's type means."""
    try:
        letter = np.dtype(given).kind
    except TypeError:
        letter = ""
    kinds = {"i": Kind.INTEGER, "u": Kind.INTEGER, "f": Kind.FLOAT, "b": Kind.BOOL, "U": Kind.TEXT, "T": Kind.TEXT}
    if letter not in kinds:
        raise ParametersError(f"{where}: types are int, float, bool or str, got {given!r} for column {name!r}")
    return kinds[letter]


def _is_number(cell: str) -> bool:
    try:
        return not math.isnan(float(cell))
    except ValueError:
        return False


def read_cells(cells: Sequence[str], kind: Kind | None, missing: Collection[str]) -> Reading:
    """The cells as an array of a kind, or of the first that goes with all. Raises CellError for one that does not go with it."""
    if kind is Kind.TEXT:
        return Reading(kind, _text(cells, missing), len(cells))
    if kind is not Kind.BOOL and not any(map(_is_number, missing)):
        found = _numbers(cells, kind)
        if found is not None:
            return found
    present = [i for i, cell in enumerate(cells) if cell.strip() not in missing]
    if not present and kind is not Kind.BOOL:
        return Reading(None, None, len(cells))
    if kind is not Kind.BOOL:
        inner = _numbers([cells[i] for i in present], kind)
        if inner is not None and len(present) == len(cells):
            return inner
        if inner is not None and inner.values is not None:
            spread = np.full(len(cells), np.nan)
            spread[present] = inner.values
            return Reading(inner.kind, spread, len(cells))
    if kind in (None, Kind.BOOL):
        known = BOOLS if kind is None else TOLD_BOOLS
        bools = [None if cell.strip() in missing else known.get(cell.strip().lower()) for cell in cells]
        if None not in bools:
            return Reading(Kind.BOOL, np.array(bools), len(cells))
        if kind is Kind.BOOL:
            raise CellError(bools.index(None))
    if kind is None:
        return Reading(Kind.TEXT, _text(cells, missing), len(cells))
    raise CellError(next(i for i in present if _numbers([cells[i]], kind) is None))


def _numbers(cells: Sequence[str], kind: Kind | None) -> Reading | None:
    """The cells as integers or floats, if they are such; where the kind is not told, only those that lose no digits."""
    text = "\n" + "\n".join(cells)
    if "_" in text or (kind is None and LEADING_ZERO.search(text)):  # Python reads 1_0 as 10, which no table means
        return None
    ways: list[tuple[Kind, Callable[[str], Any], type]] = [(Kind.INTEGER, int, np.int64), (Kind.FLOAT, float, np.float64)]
    for way, convert, dtype in ways:
        if kind in (None, way):
            try:
                return Reading(way, np.array(list(map(convert, cells)), dtype), len(cells))
            except OverflowError:
                return None
            except ValueError:
                pass
    return None


def _text(cells: Sequence[str], missing: Collection[str]) -> np.ndarray:
    return np.array(["" if cell.strip() in missing else cell for cell in cells], np.dtypes.StringDType())


def common_kind(readings: Sequence[Reading]) -> Kind:
    """The kind of a column, of whose parts these are. Where they differ it is one of text, or of floats."""
    kinds = {r.kind for r in readings if r.kind is not None} or {Kind.FLOAT}
    if len(kinds) == 1:
        return kinds.pop()
    return Kind.FLOAT if kinds == {Kind.INTEGER, Kind.FLOAT} else Kind.TEXT


def join(readings: Sequence[Reading], kind: Kind) -> np.ndarray:
    """The column, of parts that go with its kind."""
    if kind is Kind.TEXT:
        empty: Any = ["" for _ in range(max(r.count for r in readings))]
        nothing = np.array(empty, np.dtypes.StringDType())
    else:
        nothing = np.full(max(r.count for r in readings), np.nan)
    return np.concatenate([nothing[: r.count] if r.values is None else r.values for r in readings])
