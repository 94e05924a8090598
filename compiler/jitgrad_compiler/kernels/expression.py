"""What a kernel computes for one element: a graph of nodes over loads, constants and loop indices. Equal nodes are one object.

A node knows the axes it varies along, so emission can put it in the outermost loop that has them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..ir.graph import Op, Var
from ..ir.types import BOOL, DType
from .affine import Affine, Axis, Div, Mod, Runtime


class Node:
    """Base: `axes` it varies along, `dtype`, the nodes it reads (`args`), and what it costs to do again, in simple operations."""

    __slots__ = ("args", "axes", "cost", "dtype", "stage")

    def __init__(self, dtype: DType, axes: frozenset[Axis], args: tuple[Node, ...], own_cost: float) -> None:
        self.dtype, self.axes, self.args = dtype, axes, args
        self.cost: float = own_cost + sum(a.cost for a in args)
        self.stage: int = max((a.stage for a in args), default=0)


class Const(Node):
    """A number."""

    __slots__ = ("value",)

    def __init__(self, value: Any, dtype: DType) -> None:
        super().__init__(dtype, frozenset(), (), 0)
        self.value = value

    def __str__(self) -> str:
        return str(self.value)


class Load(Node):
    """An element of a stored value; where a guard is given and does not hold, zero, and memory is not touched."""

    __slots__ = ("guard", "offset", "source")

    def __init__(self, source: Var, offset: Affine, guard: Node | None) -> None:
        runtime = tuple(a.node for a in runtime_atoms(offset))
        args = runtime if guard is None else (*runtime, guard)
        axes = offset.axes if guard is None else offset.axes | guard.axes
        super().__init__(source.type.dtype, axes, args, 1)
        self.source, self.offset, self.guard = source, offset, guard

    def __str__(self) -> str:
        return f"{{{id(self.source)}}}[{self.offset}]"


class Apply(Node):
    """An elementwise op of nodes."""

    __slots__ = ("op", "params")

    def __init__(self, op: Op, params: Mapping[str, Any], args: tuple[Node, ...], dtype: DType) -> None:
        axes: frozenset[Axis] = frozenset().union(*[a.axes for a in args]) if args else frozenset()
        super().__init__(dtype, axes, args, op.traits.cost)
        self.op, self.params = op, params

    def __str__(self) -> str:
        extra = "".join(f", {k}={v}" for k, v in self.params.items())
        return f"{self.op.name}({', '.join(map(str, self.args))}{extra})"


class Index(Node):
    """An index expression as a number."""

    __slots__ = ("index",)

    def __init__(self, index: Affine, dtype: DType) -> None:
        super().__init__(dtype, index.axes, tuple(a.node for a in runtime_atoms(index)), 1)
        self.index = index

    def __str__(self) -> str:
        return f"({self.index})"


class Inside(Node):
    """Whether low <= index < high, and index is a multiple of `step`."""

    __slots__ = ("high", "index", "low", "step")

    def __init__(self, index: Affine, low: int | None, high: int | None, step: int = 1) -> None:
        super().__init__(BOOL, index.axes, tuple(a.node for a in runtime_atoms(index)), 1)
        self.index, self.low, self.high, self.step = index, low, high, step

    def __str__(self) -> str:
        low = "" if self.low is None else f"{self.low} <= "
        high = "" if self.high is None else f" < {self.high}"
        return f"({low}{self.index}{high}{f' by {self.step}' if self.step > 1 else ''})"


class Reduced(Node):
    """The result of a reduction that an earlier stage of this kernel made, at this row."""

    __slots__ = ("reduction",)

    def __init__(self, reduction: Any, axes: frozenset[Axis]) -> None:
        super().__init__(reduction.dtype, axes, (), 0)
        self.reduction = reduction
        self.stage = reduction.stage + 1

    def __str__(self) -> str:
        return self.reduction.name  # type: ignore[no-any-return]


class Contracted(Node):
    """The finished element of this kernel's contraction."""

    __slots__ = ()

    def __init__(self, dtype: DType, axes: frozenset[Axis]) -> None:
        super().__init__(dtype, axes, (), 0)

    def __str__(self) -> str:
        return "dot"


def reading(index: Affine, nodes: Mapping[int, Node]) -> Affine:
    """An index whose runtime parts are other nodes, by the ids of those that they are now."""
    if not runtime_atoms(index):
        return index
    terms: dict[Any, int] = {}
    for atom, factor in index.terms.items():
        if isinstance(atom, Runtime):
            atom = atom._replace(node=nodes[id(atom.node)])
        elif isinstance(atom, (Div, Mod)):
            atom = type(atom)(reading(atom.of, nodes), atom.by)
        terms[atom] = terms.get(atom, 0) + factor  # two runtime parts may be one node now
    return Affine(index.constant, terms)


def runtime_atoms(index: Affine) -> list[Any]:
    found: list[Any] = []
    for atom in index.terms:
        if hasattr(atom, "node"):
            found.append(atom)
        elif hasattr(atom, "of"):
            found += runtime_atoms(atom.of)
    return found


def walk(roots: Sequence[Node], known: Collection[int] = ()) -> list[Node]:
    """Every node below the roots once, operands before what reads them; none that is `known`, by its id, nor what only it reads."""
    seen: set[int] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen and id(node) not in known:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(a, False) for a in node.args]
    return order
