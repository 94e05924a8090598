"""Products with several constants made products with one: (x * 10) * 5 is x * 50, one rounding and one wait less.

For code whose speed is the length of its longest chain: the steps of loops that run in registers. The result may differ in the last
place, but it overflows and underflows where the written one does. Factors that are all at least one in size, or all at most one,
see to that themselves. Where a large one comes first, x is compared beside the chain: what is beyond the range on its way is
infinite. A small one in front of a large one, which may lose digits on its way, stays as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Var, map_graphs, remembered
from ..ir.types import NAMES
from ..ops.arithmetic import add, mul, sub
from .rewrite import Rewriter
from .simplify import remove_dead


class _Scaled(NamedTuple):
    """A value times constants one after another: their product, and the least and the largest size of it on the way."""

    base: Var
    factor: Any
    least: Any
    largest: Any

    def times(self, constant: Any) -> _Scaled | None:
        """With one more constant; None where that cannot be one product."""
        with np.errstate(all="ignore"):
            factor = self.factor * constant
        size = abs(factor)
        joined = _Scaled(self.base, factor, min(self.least, size), max(self.largest, size))
        ordinary = np.isfinite(factor) and size >= np.finfo(factor.dtype).tiny
        return joined if ordinary and joined.least >= min(size, 1) else None

    @property
    def limit(self) -> Any:
        """The largest base that is not beyond the range on its way, where the result may be in range all the same; else None."""
        if not self.largest > max(abs(self.factor), 1):
            return None
        largest = np.finfo(self.factor.dtype).max
        with np.errstate(over="ignore"):
            limit = largest / self.largest
            while np.isinf(limit * self.largest):
                limit = np.nextafter(limit, limit.dtype.type(0))
        return limit


@remembered
def join_scales(graph: Graph) -> Graph:
    """The pass; nested graphs too."""
    return _Joiner(graph).run()


class _Joiner(Rewriter):
    def run(self) -> Graph:
        self.scaled: dict[Atom, _Scaled] = {}
        self.chosen: dict[Atom, tuple[Var, Var, Var]] = {}
        """Of products that are compared for: whether they are infinite, and what they are if so and if not."""
        self.uses: dict[Atom, int] = {}
        for a in [*[a for e in self.graph.eqns for a in e.inputs], *self.graph.outputs]:
            self.uses[a] = self.uses.get(a, 0) + 1
        for e in self.graph.eqns:
            inputs = [self.read(a) for a in e.inputs]
            if e.op is mul and e.outputs[0].type.dtype.is_float:
                self._product(e, inputs)
            elif e.op in (add, sub) and any(a in self.chosen and self.uses[a] == 1 for a in inputs):
                self._sum(e, inputs)
            else:
                self.keep(Eqn(e.op, e.inputs, map_graphs(e.params, join_scales), e.outputs, e.source), inputs)
        return remove_dead(self.finish())

    def _product(self, e: Eqn, inputs: list[Atom]) -> None:
        base, constant = inputs if isinstance(inputs[1], Literal) else inputs[::-1]
        if isinstance(base, Literal) or not isinstance(constant, Literal):
            return self.keep(e, inputs)
        known = self.scaled.get(base)
        number: Any = constant.value
        scaled = known and known.times(number) or _Scaled(base, number, abs(number), abs(number))
        self.scaled[e.outputs[0]] = scaled
        base, factor, limit = scaled.base, scaled.factor, scaled.limit
        if limit is None:
            return self.keep(e, [base, _literal(factor)])
        over = self.emit("gt", [self.emit("abs", [base], {}, e.source), _literal(limit)], {}, e.source)
        infinite = self.emit("mul", [base, _literal(np.copysign(factor.dtype.type(np.inf), factor))], {}, e.source)
        product = self.emit("mul", [base, _literal(factor)], {}, e.source)
        self.chosen[e.outputs[0]] = over, infinite, product
        self._choose(e, over, infinite, product)

    def _sum(self, e: Eqn, inputs: list[Atom]) -> None:
        """Both of what the product may be, each with the other operand, so that neither waits to be chosen."""
        place = 0 if inputs[0] in self.chosen and self.uses[inputs[0]] == 1 else 1
        over, *pair = self.chosen[inputs[place]]
        infinite, product = (
            self.emit(e.op.name, [v if n == place else a for n, a in enumerate(inputs)], {}, e.source) for v in pair
        )
        self._choose(e, over, infinite, product)

    def _choose(self, e: Eqn, over: Var, infinite: Var, product: Var) -> None:
        choice = [over, infinite, product]
        self.keep(Eqn(OPS["select"], choice, {}, e.outputs, e.source), choice)


def _literal(value: Any) -> Literal:
    return Literal(value, NAMES[value.dtype])
