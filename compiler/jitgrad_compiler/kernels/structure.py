"""A kernel's structure as text: all that its code depends on, and nothing of where its values lie or what they are called.

Kernels of equal structure are one piece of code, whichever programs they belong to. Operands are numbered as they stand in
`operands`, the user's functions as in `host_calls`, axes and nodes as they are met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..ir.graph import Eqn, Graph, Literal, Var, map_graphs, print_graph
from ..ir.types import ArrayType
from ..ops.effects import HostFunction, Results
from .affine import Affine, Axis, Div, Mod, Runtime
from .expression import Apply, Const, Contracted, Index, Inside, Load, Node, Reduced, walk
from .kernel import Kernel


def operands(kernel: Kernel) -> tuple[Var, ...]:
    """What a kernel reads and writes, each value once: what its table has the addresses of."""
    return tuple(dict.fromkeys([*kernel.inputs, *kernel.outputs]))


class HostCall(NamedTuple):
    """A function of the user's that a kernel calls, with operands and results of these types."""

    function: HostFunction
    types: tuple[ArrayType, ...]
    results: Results

    @staticmethod
    def of(e: Eqn) -> HostCall | None:
        callee = e.params.get("callee")
        if not isinstance(callee, HostFunction):
            return None
        return HostCall(callee, tuple(a.type for a in e.inputs), e.params.get("results", ()))


def host_calls(kernel: Kernel) -> tuple[HostCall, ...]:
    """What a kernel, or a program inside it, calls of the user's, each once."""
    return tuple(dict.fromkeys(_host_calls(kernel.eqns)))


def _host_calls(eqns: Iterable[Eqn]) -> Iterator[HostCall]:
    for e in eqns:
        call = HostCall.of(e)
        if call is not None:
            yield call
        for g in e.graphs:
            yield from _host_calls(g.eqns)


def structure(kernel: Kernel) -> str:
    return "\n".join(_Structure(kernel).lines())


class _Structure:
    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.numbers: dict[Any, int] = {}
        """Of operands, axes, and nodes by id."""

    def lines(self) -> Iterator[str]:
        k = self.kernel
        known = operands(k)
        self.numbers.update((v, n) for n, v in enumerate(known))
        self.numbers.update((a, n) for n, a in enumerate(k.axes))
        yield f"{k.kind} {len(k.inputs)} {' '.join(str(v.type) for v in known)}"
        yield f"{' '.join(str(a.extent) for a in k.axes)}; {self.axes(k.inner)}"
        if k.kind not in ("loops", "contract"):
            for e in k.eqns:
                yield f"{self.inputs_of(e.inputs)}; {self.inputs_of(e.outputs)}; registers {k.registers is not None}"
                yield _alone(self.numbered(e))
            return
        roots = k.roots()
        if k.contraction is not None:
            c = k.contraction
            roots = [c.left, c.right, *roots]
        for node in walk(roots):
            self.numbers[id(node)] = len(self.numbers)
            yield self.node(node)
        if k.contraction is not None:
            c = k.contraction
            ends = " ".join(map(self.axis, (c.batch, c.row, c.column, c.depth)))
            yield f"{ends} {self.numbers[id(c.left)]} {self.numbers[id(c.right)]} {c.dtype} {c.digits}{' reduced' * c.reduced}"
        for r in k.reductions:
            result = self.numbers[r.result] if r.stored else ""
            position = "" if r.position is None else self.axis(r.position)
            yield (
                f"{r.combine} {self.numbers[id(r.operand)]} over {self.axes(r.axes)} {position} in {r.dtype} {r.stage} {r.inside}"
                f" -> {result} {r.result.type} at {'; '.join(map(self.index, r.index))}"
            )
        for s in k.stores:
            yield f"{self.numbers[s.target]} [{self.index(s.offset)}] {self.numbers[id(s.node)]}"

    def numbered(self, e: Eqn) -> Eqn:
        """An equation with numbers in place of the user's functions."""
        calls = {call: n for n, call in enumerate(host_calls(self.kernel))}
        return _numbered(e, calls) if calls else e

    def axis(self, a: Axis) -> str:
        if a not in self.numbers:  # an axis of one element, which no loop of the kernel runs over
            self.numbers[a] = len(self.numbers)
        return f"{self.numbers[a]}" if a in self.kernel.axes else f"{self.numbers[a]}:{a.extent}"

    def axes(self, some: Iterable[Axis]) -> str:
        return ",".join(sorted(map(self.axis, some)))

    def inputs_of(self, atoms: Iterable[Any]) -> str:
        return " ".join("literal" if isinstance(a, Literal) else str(self.numbers[a]) for a in atoms)

    def index(self, index: Affine) -> str:
        return f"{index.constant} {' '.join(f'{factor}*{self.atom(atom)}' for atom, factor in index.terms.items())}"

    def atom(self, atom: Axis | Div | Mod | Runtime) -> str:
        if isinstance(atom, Axis):
            return self.axis(atom)
        if isinstance(atom, Runtime):
            return f"({self.numbers[id(atom.node)]} from {atom.low} to {atom.high})"
        return f"({self.index(atom.of)}{'/' if isinstance(atom, Div) else '%'}{atom.by})"

    def node(self, node: Node) -> str:
        args = " ".join(str(self.numbers[id(a)]) for a in node.args)
        return f"{type(node).__name__} {node.dtype} {node.stage} ({args}) {self.own(node)}"

    def own(self, node: Node) -> str:
        """What a node is beside its arguments."""
        if isinstance(node, Const):
            return f"{node.value.tobytes().hex()}"
        if isinstance(node, Load):
            return f"{self.numbers[node.source]} [{self.index(node.offset)}] {node.guard is not None}"
        if isinstance(node, Apply):
            return f"{node.op.name} {' '.join(f'{key}={value!r}' for key, value in sorted(node.params.items()))}"
        if isinstance(node, Index):
            return self.index(node.index)
        if isinstance(node, Inside):
            return f"{self.index(node.index)} {node.low} {node.high} {node.step}"
        if isinstance(node, Reduced):
            return str(next(n for n, r in enumerate(self.kernel.reductions) if r is node.reduction))
        assert isinstance(node, Contracted)
        return ""


def _numbered(e: Eqn, calls: dict[HostCall, int]) -> Eqn:
    params = map_graphs(e.params, lambda g: Graph(g.inputs, [_numbered(x, calls) for x in g.eqns], g.outputs))
    call = HostCall.of(e)
    if call is not None:
        params["callee"] = calls[call]
    return Eqn(e.op, e.inputs, params, e.outputs)


def _alone(e: Eqn) -> str:
    """An equation as a program of its own."""
    inputs = [a if isinstance(a, Literal) else Var(a.type) for a in e.inputs]
    outputs = [Var(v.type) for v in e.outputs]
    return print_graph(
        Graph([a for a in inputs if isinstance(a, Var)], [Eqn(e.op, inputs, e.params, outputs)], outputs), sources=False
    )
