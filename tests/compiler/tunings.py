"""Tunings of machines that there are not: what this one's are, halved, doubled, or changed in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from jitgrad_compiler.kernels.tuning import Tuning

Section = TypeVar("Section")


def scaled(record: Section, by: float) -> Section:
    """The record with every number in it so many times as large; counts stay at least 1."""

    def of(x: Any) -> Any:
        if is_dataclass(x):
            return scaled(x, by)
        if isinstance(x, tuple):
            return tuple(map(of, x))
        return max(int(x * by), 1) if isinstance(x, int) else x * by

    return replace(record, **{f.name: of(getattr(record, f.name)) for f in fields(record)})  # type: ignore[type-var, arg-type]


HALVED, DOUBLED = scaled(Tuning(), 0.5), scaled(Tuning(), 2)


def names(section: str) -> Iterator[str]:
    """The fields of a section, '' for the record's own."""
    record = getattr(Tuning(), section) if section else Tuning()
    yield from (f.name for f in fields(record) if not is_dataclass(getattr(record, f.name)))


def changed(section: str, name: str, change: Callable[[Any], Any]) -> Tuning:
    """The Tuning with one field changed."""
    if not section:
        return replace(Tuning(), **{name: change(getattr(Tuning(), name))})
    inner = getattr(Tuning(), section)
    return replace(Tuning(), **{section: replace(inner, **{name: change(getattr(inner, name))})})
