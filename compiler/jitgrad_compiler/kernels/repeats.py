"""What readers of a value do again, rather than to have it stored: layout ops and cheap arithmetic, each for a reason of its own.

`inlined` values belong to no kernel: whoever reads them computes them. Of others a kernel may ask whether to do them `again`. What
is behind a barrier is never computed by the kernel that makes the barrier's operand. Next on the path: cluster.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..ir.graph import Eqn, Graph, Var
from ..ir.storage import small
from ..ir.types import ArrayType
from ..ops.arithmetic import convert_element_type
from ..ops.indexing import gather
from ..ops.layout import broadcast_op, reshape_op
from .pull import is_small_reduction
from .tuning import Fusion

if TYPE_CHECKING:
    from .cluster import Cluster

MOST_INLINED = 60
"""Layout ops one inside another that a reader does again; pulling through them recurses."""
RESHAPE_DEPTH = 8
"""What a reshape counts there whose index needs division: such indices, one inside another, grow by a factor each time."""
CHOICE_COST = 2.0
"""Of doing a piece of a concatenation or a pad again; free ones, one inside another, would be done again 2**n times."""


def is_mixing(reshape: Eqn) -> bool:
    """Whether a reshape does more than to add and remove axes of size 1."""
    before, after = reshape.inputs[0].type.shape, reshape.params["shape"]
    return [n for n in before if n != 1] != [n for n in after if n != 1]


def widens(e: Eqn) -> bool:
    """Whether an equation reads a storage type as the one it is computed in: a shift or so, and less to read than its result."""
    source, made = e.inputs[0].type.dtype if e.inputs else None, e.outputs[0].type.dtype if e.outputs else None
    return e.op is convert_element_type and source is not None and source.is_storage and made is source.computed


class Repeats:
    """What may be computed again in one Graph. `owner` says which kernel makes a value, and is filled while kernels are cut."""

    def __init__(self, graph: Graph, tuning: Fusion, owner: Mapping[Var, Cluster], again: frozenset[Var] = frozenset()) -> None:
        self.graph, self.tuning, self.owner, self.everywhere = graph, tuning, owner, again
        self.definitions: dict[Var, Eqn] = {v: e for e in graph.eqns for v in e.outputs}
        self.stored = {a for a in graph.outputs if isinstance(a, Var)}
        self.inlined: set[Var] = set()
        self.cut_off: set[Var] = set()
        """Results of layout ops that are stored after all: too many stand one inside another, or each is read too often."""
        self.behind: dict[Var, list[Var]] = {}
        """For each barrier the values in memory that it stands for."""
        self.uses: dict[Var, int] = {}
        for e in graph.eqns:
            for a in e.inputs:
                if isinstance(a, Var):
                    self.uses[a] = self.uses.get(a, 0) + 1
        self.spread: set[Var] = set()
        """Short rows that are read over and over by something far larger: what is done again there is done many times."""
        self._chains: dict[Var, tuple[float, frozenset[Var]]] = {}
        self._followed: dict[Var, list[Var]] = {}
        """For a value that is in chains the values whose chains go on from its own."""
        self._find_spread()
        self._find_inlined()
        self._find_barriers()

    def _find_spread(self) -> None:
        for e in self.graph.eqns:
            v = e.inputs[0] if e.op is broadcast_op else None
            reads = isinstance(v, Var) and self._is_spread(v.type, e.outputs[0].type, e.params["dims"])
            while reads and isinstance(v, Var):
                self.spread.add(v)
                d = self.definitions.get(v)
                v = d.inputs[0] if d is not None and d.op is reshape_op and not is_mixing(d) else None

    def _is_spread(self, source: ArrayType, made: ArrayType, dims: tuple[int, ...]) -> bool:
        """Whether a broadcast reads a short row along its innermost axes for each of many places in the axes before them."""
        own = {d for d, n in zip(dims, source.shape, strict=True) if n != 1}
        axes = [a for a in reversed(range(made.rank)) if made.shape[a] != 1]
        row = list(itertools.takewhile(own.__contains__, axes))
        places = itertools.takewhile(lambda a: a not in own, axes[len(row) :])
        short = math.prod(made.shape[a] for a in row) * source.dtype.nbytes <= self.tuning.spread_bytes
        often = math.prod(made.shape[a] for a in places) >= self.tuning.spread_ratio
        return bool(row) and short and often and made.size >= self.tuning.spread_elements

    def _find_inlined(self) -> None:
        leaves: dict[Var, dict[Var, None]] = {v: {v: None} for v in self.graph.inputs}
        cost: dict[Var, float] = {}
        depth: dict[Var, int] = {}
        for e in self.graph.eqns:
            below: dict[Var, None] = {}
            total = e.op.traits.cost
            for a in e.inputs:
                if isinstance(a, Var):
                    below |= leaves[a]
                    total += cost.get(a, 0.0)
            inline = e.op.traits.free or widens(e) and not self._keeps_wide(e) or not self.everywhere.isdisjoint(e.outputs)
            if not inline and e.op.kind == "elementwise" or is_small_reduction(e):
                factor = math.prod(e.inputs[0].type.shape) // max(e.outputs[0].type.size, 1) if is_small_reduction(e) else 1
                total *= max(factor, 1)
                small = sum(v.type.nbytes for v in below) * self.tuning.inlined_ratio <= e.outputs[0].type.nbytes
                large = e.outputs[0].type.nbytes >= self.tuning.inlined_bytes
                inline = total <= self.tuning.repeat_cost and small and large
            above = max((depth.get(a, 0) for a in e.inputs if isinstance(a, Var)), default=0)
            deep = above + (RESHAPE_DEPTH if e.op is reshape_op and is_mixing(e) else 1)
            gathered = e.op is reshape_op and is_mixing(e) and e.outputs[0] in self.spread and e.inputs[0] in self.inlined
            if inline and (deep > MOST_INLINED or gathered):
                inline = False
                self.cut_off.update(e.outputs)
                self.stored.update(e.outputs)
            for v in e.outputs:
                # arithmetic in a kernel that is read elsewhere in it is done again there, with the layout ops below it
                depth[v] = deep if inline else above if e.op.kind == "elementwise" else 0
                leaves[v] = below if inline else {v: None}
                if not e.op.traits.free:
                    cost[v] = total if inline else 0.0
                else:
                    cost[v] = cost.get(e.inputs[0], 0.0) if e.inputs and isinstance(e.inputs[0], Var) else 0.0
                if inline:
                    self.inlined.add(v)

    def _keeps_wide(self, e: Eqn) -> bool:
        """Whether what an equation widens is small and was rounded by the program itself, so that it is stored wide."""
        (x,) = e.inputs
        before = self.definitions.get(x) if isinstance(x, Var) else None
        return before is not None and before.op is convert_element_type and small(x.type)

    def _find_barriers(self) -> None:
        for e in self.graph.eqns:
            if e.op.traits.in_memory:
                self.stored.update(e.outputs)
            if not e.op.traits.barrier:
                continue
            seen = [a for a in e.inputs if isinstance(a, Var)]
            for v in seen:
                if v in self.inlined:
                    seen += [a for a in self.definitions[v].inputs if isinstance(a, Var) and a not in seen]
            self.behind[e.outputs[0]] = found = [v for v in seen if v not in self.inlined]
            self.stored.update(v for v in found if v in self.definitions)

    def writes_again(self, e: Eqn) -> bool:
        """Whether an equation is the last of what is computed again, to be stored."""
        return self.everywhere.isdisjoint(e.outputs) and not self.everywhere.isdisjoint(a for a in e.inputs if isinstance(a, Var))

    def read_again(self, e: Eqn) -> set[Var]:
        """What lies in memory, as large as what an equation goes over, and is read for what it computes again."""
        stack = [a for a in e.inputs if isinstance(a, Var) and a in self.everywhere]
        size = max((a.type.size for a in stack), default=0)
        seen = set(stack)
        found: set[Var] = set()
        while stack:
            v = stack.pop()
            found.update(a for a in self.behind.get(v, ()) if a.type.size >= size)
            fresh = [a for a in self.definitions[v].inputs if isinstance(a, Var) and a in self.everywhere and a not in seen]
            seen.update(fresh)
            stack += fresh
        return found

    def store(self, values: Iterable[Var]) -> None:
        """These values are written to memory, whoever makes them."""
        fresh = set(values) - self.stored
        if fresh:
            self.stored |= fresh
            self.forget(fresh)

    def forget(self, values: Iterable[Var]) -> None:
        """Where these values are made or kept has changed, and with it what those behind them are computed from."""
        stack = list(values)
        while stack:
            v = stack.pop()
            if self._chains.pop(v, None) is not None:
                stack += self._followed.pop(v, ())

    def again(self, var: Var) -> bool:
        """Whether another kernel does better to compute a value again than to have it stored: cheap, from operands no larger."""
        if var not in self.owner or self.owner[var].contraction is not None or var in self.stored:
            return False
        cost, leaves = self._chain(var)
        if cost > self.tuning.repeat_large_cost or var in leaves:
            return False
        return bool(sum(v.type.nbytes for v in leaves) <= 2 * var.type.nbytes + self.tuning.repeat_bytes)

    def _chain(self, var: Var) -> tuple[float, frozenset[Var]]:
        """The cost of computing a value from values in memory, and those values. What is found on the way is kept until it
        changes.
        """
        stack = [var]
        while stack:
            v = stack[-1]
            if v in self._chains:
                stack.pop()
                continue
            e = self._definition(v)
            missing = [] if e is None else [a for a in e.inputs if isinstance(a, Var) and a not in self._chains]
            if missing:
                stack += missing
            else:
                self._chains[v] = (0.0, frozenset((v,))) if e is None else self._chained(v, e)
                for a in () if e is None else e.inputs:
                    if isinstance(a, Var):
                        self._followed.setdefault(a, []).append(v)
        return self._chains[var]

    def _definition(self, var: Var) -> Eqn | None:
        """The equation to do again for a value; None where it is read from memory."""
        e = self.definitions.get(var)
        if e is None or var in self.stored or e.op.traits.cost > self.tuning.repeat_op_cost or e.op is gather:
            return None
        return e if var in self.inlined or self._in_kernel(var) else None

    def _in_kernel(self, var: Var) -> bool:
        owner = self.owner.get(var)
        return owner is not None and var in owner.members and owner.contraction is None

    def _chained(self, var: Var, e: Eqn) -> tuple[float, frozenset[Var]]:
        choices = CHOICE_COST * (len(e.inputs) - 1) if e.op.kind == "layout" and e.inputs else 0.0
        cost = e.op.traits.cost if e.op.kind == "elementwise" else choices
        most = self.tuning.spread_cost if var in self.spread else self.tuning.repeat_large_cost
        leaves: frozenset[Var] = frozenset()
        for a in dict.fromkeys(e.inputs):
            if isinstance(a, Var):
                more, below = self._chains[a]
                cost += more
                leaves |= below
            if cost > most:
                return (0.0, frozenset((var,))) if self._in_kernel(var) else (cost, leaves)
        return cost, leaves
