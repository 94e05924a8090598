"""What is better computed twice than kept in memory.

A training step keeps what its backward half reads. Much of that is elementwise work on fewer values: for an activation of a product
of matrices the product will do. Which values to keep is a minimum cut between those that can't be computed again (products, sums,
gathers) and those that are read later, where each weighs its bytes; PyTorch's functorch has found residuals so since 2022. It is
made in two places: at a program's fullest moment, of all that is made before and read behind it, and behind each contraction whose
epilogue makes several values. Next on the path: least_cut.py, written_twice.py, and fuse.py once more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..ir.graph import Eqn, Graph, Var
from ..ir.types import ArrayType
from .expression import Load, walk
from .kernel import Kernel
from .least_cut import least_cut
from .tuning import Fusion
from .written_twice import Twice


def recompute(graph: Graph, kernels: Sequence[Kernel], tuning: Fusion) -> tuple[Graph, frozenset[Var]] | None:
    """The Graph with what is computed a second time, and these values; None where that saves nothing to speak of.

    Args:
        graph: what was cut.
        kernels: into these, which run in this order.
        tuning: of fusion.
    """
    lives = Lives(graph, kernels)
    if lives.most < tuning.recompute_from:
        return None
    chains = _Chains(graph, lives, tuning)
    twice = Twice(graph, lives.home, lives.fullest, {v: chain.eqn for v, chain in chains.pulled.items()})
    _at_the_fullest(graph, lives, chains, twice, tuning)
    lie: set[Var] = set()
    behind: dict[Var, float] = {}
    for n in reversed(range(len(kernels))):
        if kernels[n].kind == "contract" and len(kernels[n].outputs) > 1:
            _behind(n, lives, chains, lie, twice, behind)
        lie.update(_as_they_lie(kernels[n]))
    return twice.written()


class Lives:
    """When the values of a program are made and read, and its fullest moment."""

    def __init__(self, graph: Graph, kernels: Sequence[Kernel]) -> None:
        self.kernels = kernels
        self.made = {v: n for n, k in enumerate(kernels) for v in k.outputs}
        self.last = {v: n for n, k in enumerate(kernels) for v in k.inputs}
        self.home = {v: n for n, k in enumerate(kernels) for e in k.eqns for v in e.outputs}
        """The kernel of an equation, by its results."""
        self.ends = {a for a in (*graph.inputs, *graph.outputs) if isinstance(a, Var)}
        change = [0] * (len(kernels) + 1)
        for v, n in self.made.items():
            if v not in self.ends:
                change[n] += v.type.nbytes
                change[self.last.get(v, n) + 1] -= v.type.nbytes
        alive = self.most = self.fullest = 0
        for n, more in enumerate(change):
            alive += more
            if alive > self.most:
                self.most, self.fullest = alive, n


def _as_they_lie(k: Kernel) -> Iterable[Var]:
    """What a kernel reads that it does not compute on the way."""
    if k.kind == "loops":
        return ()
    if k.contraction is None:
        return k.inputs
    return [n.source for n in walk([k.contraction.left, k.contraction.right]) if isinstance(n, Load)]


@dataclass
class _Chain:
    """How a value is computed again."""

    eqn: Eqn
    costs: Mapping[int, float]
    """Of the equations to be done for it, by their ids."""

    @property
    def cost(self) -> float:
        return sum(self.costs.values())


class _Chains:
    """What can be computed again at little cost."""

    def __init__(self, graph: Graph, lives: Lives, tuning: Fusion) -> None:
        self.lives, self.tuning = lives, tuning
        self.pulled: dict[Var, _Chain] = {}
        """What belongs to no kernel."""
        self.early: dict[Var, _Chain] = {}
        """That, and what is computed before the fullest moment or at it."""
        for e in graph.eqns:
            home = lives.home.get(e.outputs[0]) if e.outputs else None
            if home is None:
                self._add(e, self.pulled)
            if home is None or home <= lives.fullest:
                self._add(e, self.early)

    def of_kernel(self, n: int) -> dict[Var, _Chain]:
        """What a kernel computes."""
        found: dict[Var, _Chain] = {}
        for e in self.lives.kernels[n].eqns:
            self._add(e, found)
        return found

    def _add(self, e: Eqn, found: dict[Var, _Chain]) -> None:
        facts = e.op.traits
        free = facts.free and not facts.barrier
        if len(e.outputs) != 1 or not all(isinstance(a.type, ArrayType) for a in (*e.inputs, *e.outputs)):
            return
        large = e.outputs[0].type.nbytes >= self.tuning.recompute_least
        dear = facts.scalar is not None or facts.barrier or facts.in_memory or facts.effect
        if not free and (e.op.kind != "elementwise" or dear or not large):
            return
        costs = {id(e): 0.0 if free else facts.cost}
        for a in e.inputs:
            below = (found.get(a) or self.pulled.get(a)) if isinstance(a, Var) and a not in self.lives.ends else None
            costs.update(below.costs if below is not None else {})
        chain = _Chain(e, costs)
        if chain.cost <= self.tuning.recompute_cost:
            found[e.outputs[0]] = chain


def _at_the_fullest(graph: Graph, lives: Lives, chains: _Chains, twice: Twice, tuning: Fusion) -> None:
    """Of what is alive at the fullest moment."""
    late = lives.kernels[lives.fullest + 1 :]
    read = dict.fromkeys(v for k in late for v in k.inputs if lives.made.get(v, len(lives.kernels)) <= lives.fullest)
    readers: dict[Var, list[int]] = {}
    for n, k in enumerate(late, lives.fullest + 1):
        for v in _as_they_lie(k):
            readers.setdefault(v, []).append(n)
    hosts = _Hosts(graph, lives, chains, read, tuning)
    found = {v: hosts.find(v, readers[v]) for v in read if v in readers and v in chains.early and v not in lives.ends}
    there = {*lives.ends, *(v for v in read if v not in chains.early), *(v for v in readers if found.get(v) is None)}
    again = {v: chain.eqn for v, chain in chains.early.items() if v not in there}
    sinks = [v for v in read if v in again]
    kept = least_cut(sinks, again.get, there)
    twice.late.want([v for v in sinks if v not in kept], {v: e for v, e in again.items() if v not in kept})
    twice.late.kept.update(kept | there)
    for v, host in found.items():
        if host is not None and v not in kept:
            twice.store(v, readers[v], host)


class _Hosts:
    """Kernels that can write a value again on their way, where contractions read it as it lies: they compute most of it anyway."""

    def __init__(self, graph: Graph, lives: Lives, chains: _Chains, read: Mapping[Var, None], tuning: Fusion) -> None:
        self.lives, self.chains, self.tuning = lives, chains, tuning
        place = {v: n for n, e in enumerate(graph.eqns) for v in e.outputs}
        self.ends = [max((place[v] for e in k.eqns for v in e.outputs), default=0) for k in lives.kernels]
        """Behind which equation of the program a kernel is complete."""
        self.used: dict[Var, int] = {}
        """By which equation a value is first read."""
        for n, e in enumerate(graph.eqns):
            for a in e.inputs:
                if isinstance(a, Var):
                    self.used.setdefault(a, n)
        self.costs: dict[int, dict[int, float]] = {}
        """What kernels would compute again."""
        self.by_equation: dict[int, list[int]] = {}
        for n in range(lives.fullest + 1, len(lives.kernels)):
            mine = [chains.early[v].costs for v in lives.kernels[n].inputs if v in read and v in chains.early]
            self.costs[n] = {e: cost for costs in mine for e, cost in costs.items()}
            for eqn in self.costs[n]:
                self.by_equation.setdefault(eqn, []).append(n)

    def find(self, v: Var, readers: Sequence[int]) -> int | None:
        """The equation of the program behind which such a kernel has written it; None where there is none in time."""
        costs = self.chains.early[v].costs
        best: tuple[float, int] | None = None
        for n in dict.fromkeys(n for e in costs for n in self.by_equation.get(e, ())):
            k, end = self.lives.kernels[n], self.ends[n]
            more = sum(cost for e, cost in costs.items() if e not in self.costs[n])
            fits = k.kind in ("loops", "contract") and any(a.type.shape == v.type.shape for e in k.eqns for a in e.outputs)
            if fits and more <= self.tuning.recompute_beside and all(self._waits(self.lives.kernels[r], end) for r in readers):
                best = min(best or (more, end), (more, end))
        return None if best is None else best[1]

    def _waits(self, reader: Kernel, end: int) -> bool:
        """Whether a kernel is a contraction that can come behind an equation."""
        return reader.kind == "contract" and self.used.get(reader.eqns[0].outputs[0], end + 1) > end


def _behind(n: int, lives: Lives, chains: _Chains, lie: set[Var], twice: Twice, behind: dict[Var, float]) -> None:
    """Of what a contraction's epilogue makes; `lie` is what kernels behind it read as it lies, `behind` what it costs to compute
    again what is made of a value. So a sum of many products, as residual networks have, is kept every few terms.
    """
    kernel = lives.kernels[n]
    own = chains.of_kernel(n)
    read = [v for v in kernel.outputs if v in lives.last]
    end = max((lives.last[v] for v in read), default=n)
    costs = {v: chain.cost + behind.get(v, 0.0) for v, chain in own.items()}
    here = {v for v in kernel.inputs if lives.last[v] >= end} | {v for v in read if v in lie or v not in own}
    here.update(v for v, cost in costs.items() if cost > chains.tuning.recompute_cost)
    late = n > lives.fullest  # whoever reads what is wanted there computes it anyway

    def again(v: Var) -> Eqn | None:
        chain = None if v in here or v in lives.ends else own.get(v) or chains.pulled.get(v)
        return chain.eqn if chain is not None else twice.late.definitions.get(v) if late else None

    sinks = [v for v in read if again(v) is not None]
    if len(sinks) < 2:
        return
    kept = least_cut(sinks, again, _Any(here, lives.ends, *((twice.late.wanted, twice.late.kept) if late else ())))
    for v in sinks:
        if v not in kept:
            for a in kernel.inputs:
                behind[a] = max(behind.get(a, 0.0), costs.get(v, 0.0) + chains.tuning.recompute_read)
    where = twice.late if late else twice.early
    definitions = {v: e for v in own if v not in kept and (e := again(v)) is not None}
    where.want([v for v in sinks if v not in kept], definitions)


class _Any:
    """What is in some of these; a program's are not copied for each of its kernels."""

    def __init__(self, *parts: Container[Var]) -> None:
        self._parts = parts

    def __contains__(self, v: object) -> bool:
        return any(v in part for part in self._parts)
