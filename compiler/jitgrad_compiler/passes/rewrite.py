"""What passes that walk a Graph once share: a map from its variables to new atoms, and the new equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Source, Var


class Rewriter:
    """New equations, and for each old variable what stands for it now."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.atoms: dict[Var, Atom] = {v: v for v in graph.inputs}
        self.eqns: list[Eqn] = []

    def read(self, a: Atom) -> Atom:
        return a if isinstance(a, Literal) else self.atoms[a]

    def emit(self, op: str, inputs: Sequence[Atom], params: Mapping[str, Any], source: Source) -> Var:
        """A new one-output equation; the variable it defines."""
        (type,) = OPS[op].types([a.type for a in inputs], params)
        out = Var(type)
        self.eqns.append(Eqn(OPS[op], inputs, params, [out], source))
        return out

    def keep(self, e: Eqn, inputs: Sequence[Atom]) -> None:
        """The equation with its operands renamed."""
        same = len(inputs) == len(e.inputs) and all(map(is_, inputs, e.inputs))
        self.eqns.append(e if same else Eqn(e.op, inputs, e.params, e.outputs, e.source))
        self.atoms.update((v, v) for v in e.outputs)

    def finish(self) -> Graph:
        """The new graph; the old one where it has the same equations and outputs, so that a pass can see that nothing changed."""
        old, outputs = self.graph, [self.read(a) for a in self.graph.outputs]
        same = len(self.eqns) == len(old.eqns) and all(map(is_, self.eqns, old.eqns)) and all(map(is_, outputs, old.outputs))
        return old if same else Graph(old.inputs, self.eqns, outputs)
