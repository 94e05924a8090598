"""The lines of a CSV file as cells, a block at a time, with the numbers of the lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from jitgrad.errors import ArgumentError, BadRecordError

from .columns import CellError, Kind, Reading, kind_named, read_cells
from .files import Name, opened

CELLS = 200_000
"""About so many are text at a time."""

Line = tuple[int, list[str]]
Block = tuple[tuple[int, ...], list[tuple[str, ...]]]
"""The numbers of some lines, and each column's cells in them."""


@dataclass(frozen=True)
class Source:
    """A CSV file and how it is to be read; `where` is the function that users call."""

    where: str
    path: Name
    header: bool | Sequence[str]
    missing: Sequence[str]
    delimiter: str
    encoding: str

    def lines(self) -> Iterator[Line]:
        """The cells of each line that has some, the header's included, and the number of the line on which they begin."""
        with opened(self.where, self.path) as file:
            text = io.TextIOWrapper(file, self.encoding, newline="")
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    raise BadRecordError(f"{self.where}: {self.path}, line {line}: {error}") from None
                except UnicodeDecodeError as error:
                    raise BadRecordError(
                        f"{self.where}: {self.path}, at or behind line {line}: not {self.encoding} ({error.reason}). Say which "
                        "encoding it has: encoding='latin-1', for example"
                    ) from None
                if cells:
                    yield line, cells

    def names(self) -> list[str]:
        """The columns' names. Raises BadRecordError or ArgumentError where there can't be such."""
        lines = self.lines()
        _, first = next(lines, (0, None))
        lines.close()  # type: ignore[attr-defined]
        if first is None:
            raise BadRecordError(f"{self.where}: {self.path} is empty")
        if len(first) == 1 and (other := [c for c in ";\t|," if c in first[0]]):
            raise ArgumentError(
                f"{self.where}: with the delimiter {self.delimiter!r} the first line of {self.path} is one cell, "
                f"{first[0][:60]!r}. Try delimiter={other[0]!r}"
            )
        if isinstance(self.header, bool):
            if self.header and read_cells(first, None, ()).kind in (Kind.INTEGER, Kind.FLOAT):
                raise ArgumentError(
                    f"{self.where}: the first line of {self.path} is of numbers, so it seems to be a record and no header. Write "
                    "header=False, or header=[names]"
                )
            names = [cell.strip() if self.header else "" for cell in first]
        else:
            names = list(self.header)
        if len(names) != len(first):
            raise ArgumentError(f"{self.where}: header has {len(names)} names, of the {len(first)} columns of {self.path}")
        names = [name or f"column{i}" for i, name in enumerate(names)]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise BadRecordError(f"{self.where}: {self.path} has two columns {twice[0]!r}; name them by header=, and skip the line")
        return names

    def kinds(self, names: Sequence[str], types: Mapping[str, Any] | None) -> list[Kind | None]:
        """The columns' kinds, as far as they are told."""
        told = {name: kind_named(self.where, name, given) for name, given in (types or {}).items()}
        unknown = [name for name in told if name not in names]
        if unknown:
            raise ArgumentError(
                f"{self.where}: types= speaks of column {unknown[0]!r}, which {self.path} has not; it has {', '.join(names)}"
            )
        return [told.get(name) for name in names]

    def blocks(self, columns: int) -> Iterator[Block]:
        """The records, some thousand at a time. Raises BadRecordError for one of another number of cells."""
        lines = islice(self.lines(), 1 if self.header is True else 0, None)
        for first in lines:
            block = [first, *islice(lines, max(0, CELLS // columns - 1))]
            for line, cells in block:
                if len(cells) != columns:
                    raise BadRecordError(
                        f"{self.where}: {self.path}, line {line}: {len(cells)} cells, where the first line has {columns}"
                    )
            numbers, rows = zip(*block, strict=True)
            yield numbers, list(zip(*rows, strict=True))

    def read(self, block: Block, names: Sequence[str], i: int, kind: Kind | None) -> Reading:
        """Column i of a block."""
        numbers, columns = block
        try:
            return read_cells(columns[i], kind, self.missing)
        except CellError as error:
            line, cell = numbers[error.number], columns[i][error.number]
            assert kind is not None
            raise BadRecordError(
                f"{self.where}: {self.path}, line {line}, column {names[i]!r}: expected {kind.value}, got {cell!r}"
            ) from None
