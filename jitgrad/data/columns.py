"""Cells of text as an array: integers, floats, bools or text, by a type that is given or the first that goes with all cells."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
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

EXACT = 1 << 53
"""Integers up to this are floats, too."""

LEADING_ZERO = re.compile(r"\n[ \t]*[+-]?0\d")
LONG_INTEGER = re.compile(r"\n[ \t]*([+-]?\d{16,})(?![\d.eE])")
"""In cells that are joined by ends of lines, behind one. They begin with one character, for which Python searches fast."""


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
    if kind is Kind.BOOL:
        bools = _bools(cells, TOLD_BOOLS, missing)
        if None in bools:
            raise CellError(bools.index(None))
        return Reading(kind, np.array(bools), len(cells))
    if not any(map(_is_number, missing)) and (found := _numbers(cells, kind)):  # most often: nothing is missing
        return Reading(*found, len(cells))
    present = [i for i, cell in enumerate(cells) if cell.strip() not in missing]
    if not present:
        return Reading(None, None, len(cells))
    found = _numbers([cells[i] for i in present], kind)
    if found and len(present) == len(cells):
        return Reading(*found, len(cells))
    if found and is_exact(found[1]):
        spread = np.full(len(cells), np.nan)
        spread[present] = found[1]
        return Reading(found[0], spread, len(cells))
    if kind is not None:
        raise CellError(next((i for i in present if not _numbers([cells[i]], kind)), present[0]))
    bools = _bools(cells, BOOLS, missing)
    if None not in bools:
        return Reading(Kind.BOOL, np.array(bools), len(cells))
    return Reading(Kind.TEXT, _text(cells, missing), len(cells))


def _numbers(cells: Sequence[str], kind: Kind | None) -> tuple[Kind, np.ndarray] | None:
    """The cells as integers or floats, if they are such; where the kind is not told, only those that lose no digits."""
    text = "\n" + "\n".join(cells)
    if "_" in text or (kind is None and LEADING_ZERO.search(text)):  # Python reads 1_0 as 10, which no table means
        return None
    ways: list[tuple[Kind, Callable[[str], Any], type]] = [(Kind.INTEGER, int, np.int64), (Kind.FLOAT, float, np.float64)]
    for way, convert, dtype in ways:
        if kind in (None, way):
            if kind is None and way is Kind.FLOAT and any(abs(int(n)) > EXACT for n in LONG_INTEGER.findall(text)):
                return None
            try:
                return way, np.array(list(map(convert, cells)), dtype)
            except OverflowError:
                return None
            except ValueError:
                pass
    return None


def _bools(cells: Sequence[str], names: Mapping[str, bool], missing: Collection[str]) -> list[bool | None]:
    return [None if cell.strip() in missing else names.get(cell.strip().lower()) for cell in cells]


def _text(cells: Sequence[str], missing: Collection[str]) -> np.ndarray:
    return np.array(["" if cell.strip() in missing else cell for cell in cells], np.dtypes.StringDType())


def is_exact(values: np.ndarray) -> bool:
    """Whether all are numbers that float64 has."""
    return values.dtype.kind != "i" or not values.size or max(-int(values.min()), int(values.max())) <= EXACT


def common_kind(readings: Sequence[Reading]) -> Kind:
    """The kind of a column, of whose parts these are. Where they differ it is that of floats, if no digits are lost, or text, as it
    is for bools of which some are missing.
    """
    kinds = {r.kind for r in readings if r.kind is not None} or {Kind.FLOAT}
    if kinds == {Kind.BOOL}:
        return Kind.TEXT if any(r.kind is None for r in readings) else Kind.BOOL
    if not kinds <= {Kind.INTEGER, Kind.FLOAT}:
        return Kind.TEXT
    integers = all(r.values is not None and r.values.dtype.kind == "i" for r in readings)
    if not integers and not all(r.values is None or is_exact(r.values) for r in readings):
        return Kind.TEXT
    return kinds.pop() if len(kinds) == 1 else Kind.FLOAT


def join(readings: Sequence[Reading], kind: Kind) -> np.ndarray:
    """The column, of parts that go with its kind."""
    if kind is Kind.TEXT:
        empty: Any = ["" for _ in range(max(r.count for r in readings))]
        nothing = np.array(empty, np.dtypes.StringDType())
    else:
        nothing = np.full(max(r.count for r in readings), np.nan)
    return np.concatenate([nothing[: r.count] if r.values is None else r.values for r in readings])
