"""Products with several constants made products with one: (x * 10) * 0.5 is x * 5, one rounding and one wait less.

For code whose speed is the length of its longest chain: the steps of loops that run in registers. The result may differ in the last
place, so constants are joined only where they and their product are far from the ends of the type's range.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..ir.graph import Atom, Eqn, Graph, Literal, Var, map_graphs
from ..ir.types import FLOATS, NUMPY
from .rewrite import Rewriter
from .simplify import remove_dead

LARGEST = 2.0**60


@lru_cache(maxsize=512)
def join_scales(graph: Graph) -> Graph:
    """The pass; nested graphs too."""
    rewriter = Rewriter(graph)
    scaled: dict[Atom, tuple[Atom, Literal]] = {}
    for e in graph.eqns:
        inputs = [rewriter.read(a) for a in e.inputs]
        if any(e.graphs):
            e = Eqn(e.op, e.inputs, map_graphs(e.params, join_scales), e.outputs, e.source)
        if e.op.name == "mul" and e.outputs[0].type.dtype in FLOATS:
            found = _by_constant(inputs)
            if found is not None:
                base: Atom
                base, constant = found
                inner = scaled.get(base)
                joined = None if inner is None else _product(constant, inner[1])
                if inner is not None and joined is not None:
                    base, constant = inner[0], joined
                inputs = [base, constant]
                scaled[e.outputs[0]] = (base, constant)
        rewriter.keep(e, inputs)
    return remove_dead(rewriter.finish())


def _by_constant(inputs: list[Atom]) -> tuple[Var, Literal] | None:
    for a, b in (inputs, inputs[::-1]):
        if isinstance(a, Var) and isinstance(b, Literal):
            return a, b
    return None


def _product(a: Literal, b: Literal) -> Literal | None:
    dtype = a.type.dtype
    with np.errstate(all="ignore"):
        value = NUMPY[dtype].type(np.multiply(a.value, b.value))
    fits = all(1 / LARGEST < abs(float(v)) < LARGEST for v in (a.value, b.value, value))
    return Literal(value, dtype) if fits else None
