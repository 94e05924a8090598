"""The named axes of the vmaps around the code that runs: what `vmap(axis_name=)` binds and lax/collectives.py reads."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from jitgrad_compiler.ir.builder import Value

from .errors import UnboundAxisError


class Axis(NamedTuple):
    """An axis of examples: how many there are, and the number of the one that the traced code stands for."""

    size: int
    number: Value


class _Bound(threading.local):
    axes: Mapping[Hashable, Axis] = {}


_bound = _Bound()


@contextmanager
def bound(name: Hashable, axis: Axis) -> Iterator[None]:
    """Inside, `name` means this axis; an inner one of the same name hides an outer one."""
    before = _bound.axes
    _bound.axes = {**before, name: axis}
    try:
        yield
    finally:
        _bound.axes = before


@contextmanager
def restored(axes: Mapping[Hashable, Axis]) -> Iterator[None]:
    """Inside, names mean what they meant when these axes were `current()`."""
    before = _bound.axes
    _bound.axes = axes
    try:
        yield
    finally:
        _bound.axes = before


def current() -> Mapping[Hashable, Axis]:
    return _bound.axes


def sizes() -> tuple[tuple[Hashable, int], ...]:
    """The names that are bound, with their sizes: a Graph that was traced among them is no good among others."""
    return tuple((name, axis.size) for name, axis in _bound.axes.items())


def named(where: str, name: Hashable) -> Axis:
    """The axis of a name. Raises UnboundAxisError, a NameError, where there is none."""
    axis = _bound.axes.get(name)
    if axis is None:
        known = ", ".join(f"{n!r} of size {a.size}" for n, a in _bound.axes.items()) or "none"
        raise UnboundAxisError(
            f"{where}: unbound axis name {name!r}; bound here: {known}. Give the axis its name with vmap(..., axis_name={name!r})."
        )
    return axis
