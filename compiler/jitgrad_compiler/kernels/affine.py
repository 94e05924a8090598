"""Index arithmetic: sums of loop axes with constant factors, with division and remainder where a reshape needs them.

`Affine` keeps itself simple: (8*i + j) // 8 is i where 0 <= j < 8, and 8*(v // 8) + v % 8 is v. So most reshapes leave no trace in
a kernel, and what a load's offset is along the vector axis can be read off its factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Axis:
    """A loop of a kernel, from 0 to below its extent."""

    __slots__ = ("extent", "name")

    def __init__(self, name: str, extent: int) -> None:
        self.name, self.extent = name, extent

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Div:
    """Floor division; a class of its own, as Mod is, so that the two are never equal."""

    of: Affine
    by: int


@dataclass(frozen=True)
class Mod:
    of: Affine
    by: int


class Runtime(NamedTuple):
    """An integer that the kernel computes, between the bounds."""

    node: Any
    low: int
    high: int


Atom = Axis | Div | Mod | Runtime


def _atom_range(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, Axis):
        return 0, max(atom.extent - 1, 0)
    if isinstance(atom, Runtime):
        return atom.low, atom.high
    low, high = atom.of.range
    return (low // atom.by, high // atom.by) if isinstance(atom, Div) else (0, atom.by - 1)


class Affine:
    """constant + sum of factor * atom. Immutable; equal ones are equal as dict keys."""

    __slots__ = ("_hash", "_range", "constant", "terms")

    def __init__(self, constant: int, terms: Mapping[Atom, int] | None = None) -> None:
        self.constant = constant
        self.terms: dict[Atom, int] = {a: c for a, c in terms.items() if c} if terms else {}
        self._hash: int | None = None
        self._range: tuple[int, int] | None = None

    def __reduce__(self) -> tuple[type[Affine], tuple[int, dict[Atom, int]]]:
        return Affine, (self.constant, self.terms)  # the hash is of this process

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.constant, frozenset(self.terms.items())))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and self.constant == other.constant and self.terms == other.terms

    @property
    def range(self) -> tuple[int, int]:
        """Bounds of the value over all iterations."""
        if self._range is None:
            low = high = self.constant
            for atom, factor in self.terms.items():
                a, b = _atom_range(atom)
                low += min(a * factor, b * factor)
                high += max(a * factor, b * factor)
            self._range = (low, high)
        return self._range

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms) if other else self
        if not other.terms:
            return Affine(self.constant + other.constant, self.terms) if other.constant else self
        if not self.terms:
            return other + self.constant
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            terms[atom] = terms.get(atom, 0) + factor
        return _merged(self.constant + other.constant, terms)

    def __mul__(self, factor: int) -> Affine:
        if factor == 1:
            return self
        return Affine(self.constant * factor, {a: c * factor for a, c in self.terms.items()})

    def _parts(self, by: int) -> tuple[Affine, Affine]:
        """(quotient, rest) with self == by * quotient + rest, as much in the quotient as the factors allow."""
        whole = {a: c // by for a, c in self.terms.items() if c % by == 0 or c > by}
        rest = {a: c % by if c > by else c for a, c in self.terms.items() if c % by}
        return Affine(self.constant // by, whole), Affine(self.constant % by, rest)

    def __floordiv__(self, by: int) -> Affine:
        if by == 1:
            return self
        quotient, rest = self._parts(by)
        low, high = rest.range
        if 0 <= low and high < by:
            return quotient
        return quotient + Affine(0, {Div(rest, by): 1})

    def __mod__(self, by: int) -> Affine:
        if by == 1:
            return Affine(0)
        rest = self._parts(by)[1]
        low, high = rest.range
        if 0 <= low and high < by:
            return rest
        return Affine(0, {Mod(rest, by): 1})

    def factor(self, axis: Axis, lanes: int = 1) -> int | None:
        """The constant factor of an axis; None where the axis is inside a division, a remainder or a runtime index.

        With `lanes`: the factor from a multiple of so many on, for so many. Divisions by multiples of `lanes` have one there.
        """
        total = 0
        for atom, factor in self.terms.items():
            if atom is axis:
                total += factor
            elif axis in axes_of_atom(atom):
                if isinstance(atom, (Axis, Runtime)) or lanes == 1:
                    return None
                step = atom.of.factor(axis, lanes)
                if step == 0:
                    continue
                if step != 1 or atom.by % lanes or not atom.of.is_multiple(axis, lanes):
                    return None
                total += factor if isinstance(atom, Mod) else 0
        return total

    def is_multiple(self, axis: Axis, lanes: int) -> bool:
        """Whether the value is a multiple of `lanes` wherever the axis is one."""
        return self.constant % lanes == 0 and all(
            atom is axis
            or factor % lanes == 0
            or (isinstance(atom, Mod) and atom.by % lanes == 0 and atom.of.is_multiple(axis, lanes))
            for atom, factor in self.terms.items()
        )

    @property
    def axes(self) -> frozenset[Axis]:
        found: frozenset[Axis] = frozenset()
        for atom in self.terms:
            found |= axes_of_atom(atom)
        return found

    def substitute(self, replacement: Mapping[Axis, Affine]) -> Affine:
        """Axes replaced by other index expressions."""
        out = Affine(self.constant)
        for atom, factor in self.terms.items():
            out = out + _substituted(atom, replacement) * factor
        return out

    def __str__(self) -> str:
        parts = []
        for atom, factor in self.terms.items():
            text = spell_atom(atom)
            parts.append(text if factor == 1 else f"{factor}*{text}")
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")

    __repr__ = __str__


def _substituted(atom: Atom, replacement: Mapping[Axis, Affine]) -> Affine:
    if isinstance(atom, Axis):
        return replacement.get(atom) or Affine(0, {atom: 1})
    if isinstance(atom, Div):
        return atom.of.substitute(replacement) // atom.by
    if isinstance(atom, Mod):
        return atom.of.substitute(replacement) % atom.by
    return Affine(0, {atom: 1})


def _merged(constant: int, terms: dict[Atom, int]) -> Affine:
    """by * (v // by) + v % by becomes v."""
    for atom, factor in list(terms.items()):
        if isinstance(atom, Mod):
            partner = Div(atom.of, atom.by)
            if factor and terms.get(partner) == factor * atom.by:
                del terms[atom], terms[partner]
                return Affine(constant, terms) + atom.of * factor
    return Affine(constant, terms)


def axes_of_atom(atom: Atom) -> frozenset[Axis]:
    if isinstance(atom, Axis):
        return frozenset((atom,))
    if isinstance(atom, Runtime):
        return atom.node.axes  # type: ignore[no-any-return]
    return atom.of.axes


def spell_atom(atom: Atom) -> str:
    if isinstance(atom, Axis):
        return atom.name
    if isinstance(atom, Runtime):
        return f"[{atom.node}]"
    inner = f"({atom.of})" if len(atom.of.terms) > 1 or atom.of.constant else str(atom.of)
    return f"({inner} {'//' if isinstance(atom, Div) else '%'} {atom.by})"


def axis_index(axis: Axis) -> Affine:
    return Affine(0, {axis: 1}) if axis.extent != 1 else Affine(0)


def linear(index: Iterable[Affine], shape: Iterable[int]) -> Affine:
    """The row-major offset of an index in an array of a shape."""
    offset = Affine(0)
    for i, n in zip(index, shape, strict=True):
        offset = offset * n + i
    return offset


def split(offset: Affine, shape: tuple[int, ...]) -> tuple[Affine, ...]:
    """The index that has a row-major offset in an array of a shape."""
    index = []
    for n in reversed(shape[1:]):
        index.append(offset % n)
        offset = offset // n
    if shape:
        index.append(offset if shape[0] != 1 else Affine(0))
    return tuple(reversed(index))
