"""Tables in text files: CSV, with a type for each column, and missing values.

Lines are read by Python's csv module, some thousand at a time (records.py), and each column of these becomes an array (columns.py).
So a table is in memory as numbers alone, and a stream of records holds one such block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitgrad.config import config
from jitgrad.errors import ArgumentError, BadRecordError, DTypeError

from .columns import MISSING, Kind, Reading, common_kind, join
from .dataset import Dataset, Stream
from .files import Name
from .records import Source


@dataclass(frozen=True)
class Table:
    """Columns of equally many rows: int64, float64 (NaN where a number is missing), bool, or text ("" where it is missing).

    `table["price"]` is a column, `len(table)` the number of rows. `read_csv` makes it.
    """

    columns: Mapping[str, np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the file's order."""
        return tuple(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise ArgumentError(f"data: there is no column {name!r} in the table; it has {', '.join(self.names)}")
        return self.columns[name]

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows: {', '.join(f'{n} ({_kind(c)})' for n, c in self.columns.items())}>"

    def drop(self, *names: str) -> Table:
        """The table without these columns."""
        return Table({n: c for n, c in self.columns.items() if n not in [name for name in names if self[name] is not None]})

    def drop_missing(self) -> Table:
        """The table without rows in which something is missing.

        >>> from jitgrad import data
        >>> import numpy as np
        >>> len(data.Table({"a": np.array([1.0, np.nan, 3.0])}).drop_missing())
        2
        """
        kept = ~np.any([missing(column) for column in self.columns.values()], axis=0)
        return Table({n: c[kept] for n, c in self.columns.items()})

    def fill(self, values: Mapping[str, Any]) -> Table:
        """The table with these values in place of what is missing: `table.fill({"age": numpy.nanmedian(table["age"])})`."""
        filled = dict(self.columns)
        for name, value in values.items():
            column = self[name].copy()
            column[missing(column)] = value
            filled[name] = column
        return Table(filled)

    def one_hot(self, *names: str) -> Table:
        """The table with columns "name=value" of 0 and 1, in alphabetical order, in place of columns of text or integers.

        >>> from jitgrad import data
        >>> import numpy as np
        >>> data.Table({"colour": np.array(["red", "blue"]), "size": np.array([1, 2])}).one_hot("colour").names
        ('colour=blue', 'colour=red', 'size')
        """
        made: dict[str, np.ndarray] = {}
        for name, column in self.columns.items():
            if name in names:
                made |= {f"{name}={value}": (column == value).astype(np.int64) for value in np.unique(column)}
            else:
                made[name] = column
        for name in names:
            self[name]
        return Table(made)

    def split(self, target: str, features: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """x [rows, features], of `config.default_float`, and y [rows], the target: what models are fitted to.

        features: names of columns, all but the target by default. A target of text becomes the numbers of its values in
        alphabetical order (`numpy.unique(table[target])`); integers and bools become int64, floats default_float.

        Raises DTypeError for features of text, ArgumentError for missing values, which name the column and the row.

        >>> from jitgrad import data
        >>> import numpy as np
        >>> x, y = data.Table({"a": np.array([1.0, 2.0]), "b": np.array([3, 4]), "kind": np.array(["no", "yes"])}).split("kind")
        >>> x.tolist(), y.tolist()
        ([[1.0, 3.0], [2.0, 4.0]], [0, 1])
        """
        chosen = [n for n in self.names if n != target] if features is None else list(features)
        if not chosen:
            raise ArgumentError(f"data: a table of the column {target!r} alone has no features")
        for name in (*chosen, target):
            holes = np.flatnonzero(missing(self[name]))
            if holes.size:
                raise ArgumentError(
                    f"data: column {name!r} has {holes.size} missing values, the first in row {holes[0]}. table.drop_missing() "
                    f"leaves such rows out, table.fill({{{name!r}: value}}) fills them"
                )
        x = np.empty((len(self), len(chosen)), config.default_float)
        for i, name in enumerate(chosen):
            if _kind(self[name]) == "text":
                raise DTypeError(
                    f"data: column {name!r} holds text, of which there are no features. table.one_hot({name!r}) makes columns of 0 "
                    f"and 1 of it, table.drop({name!r}) leaves it out"
                )
            x[:, i] = self[name]
        y = self[target]
        if _kind(y) == "text":
            return x, np.unique(y, return_inverse=True)[1].astype(np.int64)
        return x, y.astype(config.default_float if y.dtype.kind == "f" else np.int64)


def missing(column: np.ndarray) -> np.ndarray:
    """Where a column lacks a value."""
    if column.dtype.kind == "f":
        return np.isnan(column)
    return column == "" if _kind(column) == "text" else np.zeros(len(column), bool)


def _kind(column: np.ndarray) -> str:
    return {"f": "floats", "i": "integers", "b": "bools"}.get(column.dtype.kind, "text")


def read_csv(
    path: Name,
    *,
    header: bool | Sequence[str] = True,
    types: Mapping[str, type | str] | None = None,
    missing: Sequence[str] = MISSING,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> Table:
    """The table in a CSV file, compressed by gzip or not.

    header: whether the first line has the columns' names, or the names. Without any they are column0, column1, ...
    types: of columns by name, int, float, bool or str; the others' are found: integers, else floats, else bools (true, false), else
        text. What would lose digits is text: numbers with leading zeros, 007, integers above 64 bits, and those above 2**53 that
        are in a column with floats or missing values.
    missing: cells that stand for no value, blanks around them aside. A column of integers with such is one of floats, with NaN.

    Raises BadRecordError, which names the file and the line, for lines of another number of cells, cells that are not of their
    column's type, quotes without an end, and what is not of the encoding; ArgumentError for types of columns that are not there.

    >>> import tempfile
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("sepal,petal,species\\n5.1,1.4,setosa\\n7,NA,virginica\\n")
    ...     file.flush()
    ...     table = data.read_csv(file.name)
    >>> table
    <Table of 2 rows: sepal (floats), petal (floats), species (text)>
    >>> table["petal"]
    array([1.4, nan])
    """
    source = Source("data.read_csv", path, header, missing, delimiter, encoding)
    names = source.names()
    told = source.kinds(names, types)
    parts: list[list[Reading]] = [[] for _ in names]
    for block in source.blocks(len(names)):
        for i, kind in enumerate(told):
            parts[i].append(source.read(block, names, i, kind))
    if not parts[0]:
        raise BadRecordError(f"data.read_csv: {path} has no records" + (" behind its header" if header is True else ""))
    kinds = [common_kind(p) for p in parts]
    for name, kind, asked in zip(names, kinds, told, strict=True):
        if kind is Kind.TEXT and asked not in (None, kind):
            raise BadRecordError(
                f"data.read_csv: {path}, column {name!r}: integers above 2**53 and missing values together lose digits as numbers; "
                f"take types={{{name!r}: str}}"
            )
    late = [i for i, kind in enumerate(kinds) if kind is Kind.TEXT and any(p.kind not in (None, kind) for p in parts[i])]
    for i in late:  # text, parts of which looked like numbers
        parts[i] = []
    if late:
        for block in source.blocks(len(names)):
            for i in late:
                parts[i].append(source.read(block, names, i, Kind.TEXT))
    columns = {}
    for i, name in enumerate(names):
        columns[name] = join(parts[i], kinds[i])
        parts[i] = []
    return Table(columns)


def stream_csv(
    path: Name,
    *,
    target: str | None = None,
    header: bool | Sequence[str] = True,
    types: Mapping[str, type | str] | None = None,
    missing: Sequence[str] = MISSING,
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> Dataset:
    """The records of a CSV file as a stream, for files that are larger than memory: dicts by column.

    target: the name of a column; then elements are tuples (record without it, its value).
    Other arguments and errors are those of `read_csv`. A column's type that is not given is that of its first thousands of values;
    what does not go with it later is a BadRecordError that says so.

    >>> import tempfile
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("a,b,y\\n1,2.5,0\\n3,4.5,1\\n")
    ...     file.flush()
    ...     records = data.stream_csv(file.name, target="y").map(lambda r, y: (list(r.values()), y))
    ...     x, y = next(iter(records.batch(2)))
    >>> x.tolist(), y.tolist()
    ([[1.0, 2.5], [3.0, 4.5]], [0, 1])
    """
    source = Source("data.stream_csv", path, header, missing, delimiter, encoding)
    names = source.names()
    told = source.kinds(names, types)
    if target is not None and target not in names:
        raise ArgumentError(f"data.stream_csv: there is no column {target!r} in {path}; it has {', '.join(names)}")

    def elements(epoch: int) -> Iterator[Any]:
        kinds = list(told)
        for block in source.blocks(len(names)):
            read = [source.read(block, names, i, kind) for i, kind in enumerate(kinds)]
            kinds = [r.kind if kind is None else kind for r, kind in zip(read, kinds, strict=True)]
            for values in zip(*(join([r], kind or Kind.FLOAT) for r, kind in zip(read, kinds, strict=True)), strict=True):
                record = dict(zip(names, values, strict=True))
                if target is None:
                    yield record
                else:
                    label = record.pop(target)
                    yield record, label

    return Stream(elements, None)
