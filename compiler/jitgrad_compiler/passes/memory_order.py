"""Values that follow from a convolution kept in the order of axes in which it makes them, features last.

Programs that put features first have a transpose before each convolution and one behind it. An elementwise op of transposed values
is the transposed op of the values themselves, so the transposes move down the program, meet the next one and are gone; what is
left moves elements once, where a value enters or leaves the program. `turned` holds what has not been transposed yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..ir.graph import OPS, Atom, Eqn, Graph, Literal, Rules, Var
from ..ops.convolution import convolve
from ..ops.layout import reshape_op, transpose_op
from ..ops.windows import reduce_window_max, reduce_window_min, window_place, window_put, window_take
from .planes import product_of_planes
from .window_writer import Writer

Order = tuple[int, ...]


def keep_order_in_memory(graph: Graph) -> Graph:
    if not any(e.op is convolve for e in graph.eqns):
        return graph
    r = _Turner(graph)
    for e in graph.eqns:
        r.rewrite(e)
    return r.finish()


class _Turner(Writer):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.turned: dict[Var, tuple[Var, Order]] = {}
        """Old variables that are transposes of new ones, by a permutation, and are only made where somebody needs them so."""
        self.convolved: set[Var] = set()
        """Results of convolutions, with or without their axes of one element."""

    def read(self, a: Atom) -> Atom:
        if isinstance(a, Var) and a not in self.atoms:
            x, order = self.turned[a]
            self.atoms[a] = self.emit("transpose", [x], {"permutation": order}, None)
        return super().read(a)

    def rewrite(self, e: Eqn) -> None:
        rule = _TURNING.get(e.op)
        first = next((a for a in e.inputs if isinstance(a, Var) and a in self.turned), None)
        if rule is not None and first is not None and rule(self, e, *self.turned[first]):
            return
        inputs = [self.read(a) for a in e.inputs]
        if e.op is transpose_op and inputs[0] in self.convolved:
            self.turned[e.outputs[0]] = (inputs[0], e.params["permutation"])
            return
        self.keep(e, inputs)
        same = e.op is reshape_op and inputs[0] in self.convolved and _only_ones(e)
        if same or e.op is convolve and not _in_order(self, e, inputs):
            self.convolved.add(e.outputs[0])

    def back(self, a: Atom, order: Order) -> Atom:
        """An operand in the order of axes of what is not transposed; a scalar, which has no order, as it is."""
        if isinstance(a, Literal) or not a.type.shape:
            return self.read(a)
        x, own = self.turned.get(a, (None, ()))
        if x is not None and own == order:
            return x
        return self.emit("transpose", [self.read(a)], {"permutation": inverse(order)}, None)

    def made(self, e: Eqn, inputs: Sequence[Atom], params: dict[str, Any], order: Order) -> bool:
        """The equation of what is not transposed; its result still has to be."""
        out = self.emit(e.op.name, inputs, params, e.source)
        if order == tuple(range(len(order))):
            self.atoms[e.outputs[0]] = out
        else:
            self.turned[e.outputs[0]] = (out, order)
        return True


def _in_order(r: Writer, e: Eqn, inputs: Sequence[Atom]) -> bool:
    """Whether a convolution keeps its array's order in memory: one of groups that have one result each, or of planes."""
    shape = e.outputs[0].type.shape
    return bool(shape[0] > 1 and shape[-1] == 1) or product_of_planes(r, *inputs, **e.params)


def inverse(order: Order) -> Order:
    return tuple(order.index(i) for i in range(len(order)))


def _only_ones(e: Eqn) -> bool:
    """Whether a reshape only adds and removes axes of one element."""
    return [n for n in e.inputs[0].type.shape if n != 1] == [n for n in e.params["shape"] if n != 1]


Rule = Callable[[_Turner, Eqn, Var, Order], bool]

_TURNING: Rules[Rule] = Rules("keeping the order in memory")
"""rule(turner, equation, what its first transposed operand is a transpose of, the permutation) -> whether it was done so."""


@_TURNING.of(*(op for op in OPS.values() if op.kind == "elementwise" and not op.traits.barrier))
def _elementwise(r: _Turner, e: Eqn, x: Var, order: Order) -> bool:
    return r.made(e, [r.back(a, order) for a in e.inputs], dict(e.params), order)


@_TURNING.of(*(op for op in OPS.values() if op.kind == "reduce"))
def _reduce(r: _Turner, e: Eqn, x: Var, order: Order) -> bool:
    left = [order[a] for a in range(len(order)) if a not in e.params["axes"]]
    return r.made(e, [x], {"axes": tuple(sorted(order[a] for a in e.params["axes"]))}, tuple(sorted(left).index(a) for a in left))


@_TURNING.of("transpose")
def _transpose(r: _Turner, e: Eqn, x: Var, order: Order) -> bool:
    both = tuple(order[a] for a in e.params["permutation"])
    if both == tuple(range(len(both))):
        r.atoms[e.outputs[0]] = x
    else:
        r.turned[e.outputs[0]] = (x, both)
    return True


def _by_axis(*names: str) -> Rule:
    """An op with params that have an entry for each axis, on operands that all have the axes of its result."""

    def rule(r: _Turner, e: Eqn, x: Var, order: Order) -> bool:
        at = inverse(order)
        params = {k: tuple(v[a] for a in at) if k in names else v for k, v in e.params.items()}
        return r.made(e, [r.back(a, order) for a in e.inputs], params, order)

    return rule


_TURNING["pad"] = _by_axis("padding")
_TURNING["slice"] = _by_axis("start", "limit", "strides")
_TURNING.of(reduce_window_max, reduce_window_min, window_place, window_take, window_put)(
    _by_axis("shape", "sizes", "strides", "dilation")
)
