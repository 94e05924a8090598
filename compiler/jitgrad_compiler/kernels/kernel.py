"""The records that fusion makes and targets read: a Kernel's loops, reductions and stores. They print as pseudo-code.

kernel softmax (rows 2048, inner 1000)
  for i in 2048:
    for j in 1000:
      m = max over j: z[1000*i + j]
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..ir.graph import Eqn, Graph, Var, nested_graphs, print_graph, variable_names
from ..ir.types import DType
from .affine import Affine, Axis
from .expression import Apply, Index, Inside, Load, Node, runtime_atoms, walk

if TYPE_CHECKING:
    from .program import KernelProgram


@dataclass(eq=False)
class Reduction:
    """`result` = `operand` combined over `axes`. `index` is where in the result an iteration's share goes."""

    name: str
    combine: str
    operand: Node
    axes: frozenset[Axis]
    result: Var
    index: tuple[Affine, ...]
    dtype: DType
    stage: int = 0
    inside: bool = False
    stored: bool = False
    position: Axis | None = None
    """The axis whose index is the result, for argmax and argmin."""


@dataclass(eq=False)
class Store:
    """`node` written to `target` at `offset`."""

    target: Var
    offset: Affine
    node: Node


@dataclass(eq=False)
class Contraction:
    """The contraction of a contract kernel: how the operands' elements are computed at (batch, row, column, depth)."""

    batch: Axis
    row: Axis
    column: Axis
    depth: Axis
    left: Node
    right: Node
    dtype: DType
    digits: tuple[tuple[int, ...], ...]
    """Of row, column and depth: the sizes of the axes that were joined into it, the last one counting fastest."""
    reduced: bool = False
    """Whether operands of float32 may be rounded to TF32."""


@dataclass(eq=False)
class Kernel:
    """One fused loop nest. `kind` says how it runs: 'loops', 'contract', or the name of an op with a kernel of its own."""

    kind: str
    axes: tuple[Axis, ...]
    inner: frozenset[Axis]
    """The axes of a row: reduced over by reductions whose results this kernel goes on to use."""
    reductions: list[Reduction]
    stores: list[Store]
    eqns: tuple[Eqn, ...]
    contraction: Contraction | None = None
    inputs: tuple[Var, ...] = ()
    results: tuple[Var, ...] = ()
    """What an op with a kernel of its own writes."""
    registers: Graph | None = None
    """What control flow does in registers, where it does."""
    programs: tuple[KernelProgram, ...] = ()
    """The bodies of control flow that is done by kernels."""
    names: dict[Var, str] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[Var, ...]:
        return (*[r.result for r in self.reductions if r.stored], *[s.target for s in self.stores], *self.results)

    @property
    def fused(self) -> tuple[str, ...]:
        """The names of the ops that this kernel does."""
        return tuple(e.op.name for e in self.eqns)

    @property
    def bytes_read(self) -> int:
        return sum(v.type.nbytes for v in self.inputs)

    @property
    def bytes_written(self) -> int:
        return sum(v.type.nbytes for v in self.outputs)

    @property
    def sources(self) -> tuple[Any, ...]:
        """The user's lines that this kernel was made from."""
        return tuple(dict.fromkeys(e.source for e in self.eqns if e.source))

    @property
    def text(self) -> str:
        """The kernel as pseudo-code."""
        return str(self)

    def roots(self) -> list[Node]:
        return [*[r.operand for r in self.reductions], *[s.node for s in self.stores]]

    def __str__(self) -> str:
        return "\n".join(_spell(self))

    def __getstate__(self) -> dict[str, Any]:
        """Nodes come first, operands before what reads them: pickle, which recurses, could not follow a long expression."""
        c = self.contraction
        return {"nodes": walk([*([] if c is None else [c.left, c.right]), *self.roots()]), **self.__dict__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({key: value for key, value in state.items() if key != "nodes"})

    __repr__ = __str__


def _spell(k: Kernel) -> Iterator[str]:
    fresh = variable_names()
    names = dict(k.names)

    def name(v: Var) -> str:
        if v not in names:
            names[v] = next(fresh)
        return names[v]

    loops = ", ".join(f"{a.name} in {a.extent}" for a in k.axes)
    inputs = ", ".join(f"{name(v)}:{v.type}" for v in k.inputs)
    outputs = ", ".join(f"{name(v)}:{v.type}" for v in k.outputs)
    yield f"kernel {k.kind} ({inputs}) -> ({outputs})"
    if k.kind not in ("loops", "contract"):
        yield f"  {' '.join(k.fused)}"
        for e in k.eqns:
            for key, value in e.params.items():
                for g in nested_graphs({key: value}):
                    yield f"  {key}: {print_graph(g, sources=False, indent='  ').lstrip()}"
        return
    temporaries: dict[int, str] = {}
    counter = iter(range(1, 1_000_000))

    def spell(node: Node) -> str:
        if id(node) in temporaries:
            return temporaries[id(node)]
        if isinstance(node, Load):
            guard = f" if {spell(node.guard)}" if node.guard is not None else ""
            return f"{name(node.source)}[{_index(node.offset)}]{guard}"
        if isinstance(node, Apply):
            extra = "".join(f", {key}={value}" for key, value in node.params.items())
            return f"{node.op.name}({', '.join(map(spell, node.args))}{extra})"
        if isinstance(node, (Index, Inside)):
            return str(node).replace(str(node.index), _index(node.index))
        return str(node)

    def _index(index: Affine) -> str:
        text = str(index)
        for inner in sorted((atom.node for atom in runtime_atoms(index)), key=lambda n: -len(str(n))):
            text = text.replace(f"[{inner}]", f"[{spell(inner)}]")
        return text

    if k.contraction is not None:
        c = k.contraction
        yield f"  for {loops}:"
        yield f"    dot = sum over {c.depth.name} in {c.depth.extent}: {spell(c.left)} * {spell(c.right)}{' in TF32' * c.reduced}"
    else:
        yield f"  for {loops}:" if loops else "  once:"
    uses: dict[int, int] = {}
    for read in [*k.roots(), *[a for node in walk(k.roots()) for a in node.args]]:
        uses[id(read)] = uses.get(id(read), 0) + 1
    last = max([n.stage for n in k.roots()], default=0)
    for stage in range(last + 1):
        roots: list[Reduction | Store] = [r for r in k.reductions if r.operand.stage == stage]
        roots += [s for s in k.stores if s.node.stage == stage]
        for target in roots:
            root = target.operand if isinstance(target, Reduction) else target.node
            for n in walk([root]):
                shared = isinstance(n, Apply) and uses.get(id(n), 0) > 1 and id(n) not in temporaries
                if shared:
                    text = spell(n)
                    temporaries[id(n)] = f"t{next(counter)}"
                    yield f"    {temporaries[id(n)]} = {text}"
            if isinstance(target, Reduction):
                over = ", ".join(a.name for a in k.axes if a in target.axes)
                tail = "" if not target.stored else f" -> {name(target.result)}"
                yield f"    {target.name} = {target.combine} over {over}: {spell(root)}{tail}"
            else:
                yield f"    {name(target.target)}[{_index(target.offset)}] = {spell(root)}"
