"""A Graph in which some values are computed a second time by those who read them late: what recompute.py decides on, written out.

What is kept is read through barriers, so that nobody takes the second time for the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..ir.graph import Atom, Eqn, Graph, Var
from ..ops.checkpointing import barrier
from ..ops.contraction import dot_general


class Copies:
    """What is computed again by the kernels before the fullest moment, or by those behind it."""

    def __init__(self, home: Mapping[Var, int], pulled: Mapping[Var, Eqn]) -> None:
        self.home = home
        self.wanted: set[Var] = set()
        self.kept: set[Var] = set()
        """What is in memory for that."""
        self.definitions = dict(pulled)
        self.made: dict[Var, Var] = {}
        self.barriers: dict[Var, Var] = {}
        self._known: dict[tuple[Var, int], bool] = {}

    def want(self, values: Iterable[Var], definitions: Mapping[Var, Eqn]) -> None:
        """These values are to be computed again; the equations are those to do so, down to what is kept."""
        self.wanted.update(values)
        self.definitions.update(definitions)

    def is_again(self, a: Atom, reader: int) -> bool:
        """Whether a kernel computes a value again, or on the way from one that it does."""
        if not isinstance(a, Var) or self.home.get(a) == reader:
            return False
        if a in self.wanted:
            return True
        key = (a, reader)
        if key not in self._known:
            e = self.definitions.get(a)
            self._known[key] = e is not None and any(self.is_again(x, reader) for x in e.inputs)
        return self._known[key]

    def copy(self, a: Var, reader: int, eqns: list[Eqn]) -> Var:
        """The value computed again; what that needs goes to `eqns`."""
        if a not in self.made:
            e = self.definitions[a]
            inputs = [self._operand(x, reader, eqns) if isinstance(x, Var) else x for x in e.inputs]
            self.made[a] = Var(a.type)
            eqns.append(Eqn(e.op, inputs, e.params, [self.made[a]], e.source))
        return self.made[a]

    def _operand(self, a: Var, reader: int, eqns: list[Eqn]) -> Var:
        if self.home.get(a) == reader:
            return a
        if a in self.definitions:
            return self.copy(a, reader, eqns)
        if a not in self.barriers:
            self.barriers[a] = Var(a.type)
            eqns.append(Eqn(barrier, [a], {}, [self.barriers[a]], None))
        return self.barriers[a]


class Twice:
    """The writing of one Graph.

    Args:
        graph: as it is.
        home: the kernel of an equation, by its results.
        fullest: the last kernel that counts as early.
        pulled: equations of no kernel, by their results.
    """

    def __init__(self, graph: Graph, home: Mapping[Var, int], fullest: int, pulled: Mapping[Var, Eqn]) -> None:
        self.graph, self.home, self.fullest = graph, home, fullest
        self.early, self.late, self.stored = Copies(home, pulled), Copies(home, pulled), Copies(home, {})
        self.waits: dict[int, int] = {}
        self.eqns: list[Eqn] = []

    def store(self, v: Var, readers: Iterable[int], behind: int) -> None:
        """These contractions read a value as it lies: it is written again behind an equation, and they come then."""
        self.stored.wanted.add(v)
        for n in readers:
            self.waits[n] = max(behind, self.waits.get(n, 0))

    def written(self) -> tuple[Graph, frozenset[Var]] | None:
        """The Graph, and what all readers compute; None where nothing was wanted."""
        if not (self.early.wanted or self.late.wanted):
            return None
        self.stored.definitions = self.late.definitions
        waiting: dict[int, list[Eqn]] = {}
        for n, e in enumerate(self.graph.eqns):
            reader = self.home.get(e.outputs[0]) if e.outputs else None
            behind = self.waits.get(reader, -1) if reader is not None and e.op is dot_general else -1
            if behind > n:
                waiting.setdefault(behind, []).append(e)
            else:
                self._write(e, reader)
            for late in waiting.pop(n, ()):
                self._write(late, self.home[late.outputs[0]])
        inline = [v for c in (self.early, self.late, self.stored) for made in (c.made, c.barriers) for v in made.values()]
        again = frozenset(inline) - {self.stored.made[v] for v in self.stored.wanted if v in self.stored.made}
        return Graph(self.graph.inputs, _needed(self.eqns, self.graph.outputs), self.graph.outputs), again

    def _write(self, e: Eqn, reader: int | None) -> None:
        """An equation, its operands computed again where its kernel is to do so."""
        if reader is not None:
            copies = self.early if reader <= self.fullest else self.stored if e.op is dot_general else self.late
            if any(copies.is_again(a, reader) for a in e.inputs):
                inputs = [
                    copies.copy(a, reader, self.eqns) if isinstance(a, Var) and copies.is_again(a, reader) else a for a in e.inputs
                ]
                e = Eqn(e.op, inputs, e.params, e.outputs, e.source)
        self.eqns.append(e)


def _needed(eqns: list[Eqn], outputs: Iterable[Atom]) -> list[Eqn]:
    needed = {a for a in outputs if isinstance(a, Var)}
    found: list[Eqn] = []
    for e in reversed(eqns):
        if e.has_effect or not needed.isdisjoint(e.outputs):
            needed.update(a for a in e.inputs if isinstance(a, Var))
            found.append(e)
    return found[::-1]
