"""Programs drawn at random, of which it is known how exactly they can be computed.

Floats in them are small whole numbers, and a bound is kept for every value, so sums and products are exact in any order and a
compiled program has to agree with the interpreter to the last bit. A value that comes from a transcendental function is marked
as rounded: it is compared with a tolerance, and nothing that jumps (a comparison, a sort, an index) is done to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jitgrad_compiler.ir import OPS, ArrayType, Eqn, Graph, Literal, Var
from jitgrad_compiler.ir.types import BOOL, F32, F64, I32, I64, U8, DType, Shape

from .agreement import assert_same

DTYPES = (F32, F32, F64, I32, U8, BOOL)
LARGEST = 2.0**22
"""Whole numbers up to here, and sums of two of them, are exact in float32."""
TOLERANCE = {F32: 3e-5, F64: 1e-12}


@dataclass(frozen=True)
class Known:
    """A value of the program: no element is larger than `bound`; `rounded` says that it is not exact."""

    var: Var
    bound: float
    rounded: bool = False

    @property
    def shape(self) -> Shape:
        return self.var.type.shape

    @property
    def dtype(self) -> DType:
        return self.var.type.dtype


@dataclass
class Program:
    """A graph, operands for it, and which of its outputs are rounded to what size."""

    graph: Graph
    arrays: list[np.ndarray]
    outputs: list[Known]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows a program that fails."""
        printer.text(f"a program\n{self.graph}")

    def check(self, got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> None:
        for k, g, w in zip(self.outputs, got, want, strict=True):
            if k.rounded:
                assert g.dtype == w.dtype
                np.testing.assert_allclose(g, w, rtol=TOLERANCE[k.dtype], atol=TOLERANCE[k.dtype] * max(k.bound, 1))
            else:
                assert_same(g, w, zeros=False)


class Drawing:
    """A program while it is drawn."""

    def __init__(self, draw: st.DrawFn, sizes: Sequence[int]) -> None:
        self.draw, self.sizes = draw, sizes
        self.rng = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.inputs: list[Var] = []
        self.arrays: list[np.ndarray] = []
        self.eqns: list[Eqn] = []
        self.values: list[Known] = []

    # -- choices

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[self.draw(st.integers(0, len(options) - 1))]

    def yes(self) -> bool:
        return bool(self.draw(st.booleans()))

    def shape(self) -> Shape:
        return tuple(self.one_of(self.sizes) for _ in range(self.draw(st.integers(0, 3))))

    def some_axes(self, rank: int) -> tuple[int, ...]:
        return tuple(i for i in range(rank) if self.yes())

    def pick(self, condition: Callable[[Known], bool] = lambda k: True) -> Known | None:
        """A value that a condition holds of, late ones more likely."""
        found = [k for k in self.values if condition(k)]
        if not found:
            return None
        return found[max(len(found) - 1 - self.draw(st.integers(0, 5)), 0)]

    # -- values

    def fresh(self, type: ArrayType, low: int = -3, high: int = 3) -> Known:
        """A new input."""
        var = Var(type)
        self.inputs.append(var)
        low = 0 if type.dtype in (BOOL, U8) else low
        self.arrays.append(
            np.asarray(self.rng.integers(low, (1 if type.dtype == BOOL else high) + 1, type.shape)).astype(type.dtype.numpy)
        )
        self.values.append(Known(var, max(abs(low), abs(high))))
        return self.values[-1]

    def of_type(self, shape: Shape, dtype: DType, exact: bool = False) -> Known:
        """A value of this type: one there is, or a new input."""
        found = self.pick(lambda k: k.shape == shape and k.dtype == dtype and not (exact and k.rounded))
        return found if found is not None and self.draw(st.integers(0, 3)) else self.fresh(ArrayType(shape, dtype))

    def add(self, op: str, operands: Sequence[Known | Literal], bound: float, rounded: bool | None = None, **params: Any) -> Known:
        """An equation; its first output."""
        atoms = [a if isinstance(a, Literal) else a.var for a in operands]
        outputs = [Var(t) for t in OPS[op].types([a.type for a in atoms], params)]
        self.eqns.append(Eqn(OPS[op], atoms, params, outputs))
        spoiled = any(isinstance(a, Known) and a.rounded and a.dtype.is_float for a in operands)
        for v in outputs:
            self.values.append(Known(v, bound, (spoiled if rounded is None else rounded) and v.type.dtype.is_float))
        return self.values[-len(outputs)]

    def finish(self) -> Program:
        outputs = self.values[-1:] + [k for k in self.values[:-1] if self.draw(st.integers(0, 4)) == 0]
        return Program(Graph(self.inputs, self.eqns, [k.var for k in outputs]), self.arrays, outputs)


def literal(number: float, dtype: DType) -> Literal:
    return Literal(dtype.numpy.type(number), dtype)


# -- steps: each adds an equation or two to what there is, or nothing where nothing fits


def exact_unary(d: Drawing) -> None:
    x = d.pick(lambda k: k.dtype != BOOL)
    if x is not None:
        names = ["neg", "abs", "sign"] if not x.rounded else ["neg", "abs"]
        d.add(d.one_of(names), [x], x.bound)


def transcendental(d: Drawing) -> None:
    x = d.pick(lambda k: k.dtype.is_float)
    if x is None:
        return
    if x.bound > 8:
        x = d.add("min", [d.add("max", [x, literal(-4, x.dtype)], x.bound), literal(4, x.dtype)], 4)
    name = d.one_of(["exp", "tanh", "sin", "logistic", "sqrt", "log1p"])
    if name in ("sqrt", "log1p"):
        x = d.add("abs", [x], x.bound)
        x = d.add("add", [x, literal(1, x.dtype)], x.bound + 1)
    d.add(name, [x], math.exp(8) if name == "exp" else 8, rounded=True)


def binary(d: Drawing) -> None:
    x = d.pick(lambda k: k.dtype != BOOL)
    if x is None:
        return
    y: Known | Literal = (
        literal(d.draw(st.integers(0, 3)), x.dtype) if d.draw(st.integers(0, 3)) == 0 else d.of_type(x.shape, x.dtype)
    )
    size = 3 if isinstance(y, Literal) else y.bound
    name = d.one_of(["add", "sub", "mul", "max", "min"])
    bound = {"add": x.bound + size, "sub": x.bound + size, "mul": x.bound * size}.get(name, max(x.bound, size))
    if x.dtype.is_integer or bound < LARGEST:
        d.add(name, [x, y] if d.yes() else [y, x], min(bound, LARGEST))


def compare(d: Drawing) -> None:
    x = d.pick(lambda k: not k.rounded and k.dtype != BOOL)
    if x is not None:
        d.add(d.one_of(["lt", "le", "eq", "ne", "gt", "ge"]), [x, d.of_type(x.shape, x.dtype, exact=True)], 1)


def choose(d: Drawing) -> None:
    x = d.pick()
    if x is not None:
        y = d.of_type(x.shape, x.dtype)
        d.add("select", [d.of_type(x.shape, BOOL), x, y], max(x.bound, y.bound))


def convert(d: Drawing) -> None:
    x = d.pick(lambda k: not k.rounded)
    if x is not None:
        dtype = d.one_of([F32, F64, I32, U8, BOOL])
        d.add("convert_element_type", [x], x.bound if dtype.is_float else 255, dtype=dtype)


def broadcast(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) < 4 and k.var.type.size < 3000)
    if x is None:
        return
    shape, dims = [], []
    for n in x.shape:
        if len(shape) < 4 and d.draw(st.integers(0, 3)) == 0:
            shape.append(d.one_of(d.sizes))
        dims.append(len(shape))
        shape.append(d.one_of(d.sizes) if n == 1 and d.yes() else n)
    if len(shape) < 4 and d.yes():
        shape.append(d.one_of(d.sizes))
    d.add("broadcast", [x], x.bound, shape=tuple(shape), dims=tuple(dims))


def reshape(d: Drawing) -> None:
    x = d.pick()
    if x is None:
        return
    left, shape = x.var.type.size, []
    while left > 1 and len(shape) < 3:
        factor = d.one_of([f for f in range(1, left + 1) if left % f == 0][:12])
        shape.append(factor)
        left //= factor
    d.add("reshape", [x], x.bound, shape=tuple([*shape, left] if left != 1 or d.yes() else shape))


def transpose(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 1)
    if x is not None:
        d.add("transpose", [x], x.bound, permutation=tuple(d.draw(st.permutations(range(len(x.shape))))))


def reverse(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0)
    if x is not None:
        d.add("reverse", [x], x.bound, axes=d.some_axes(len(x.shape)))


def slice_(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0)
    if x is None:
        return
    start = tuple(d.draw(st.integers(0, min(n, 3))) for n in x.shape)
    limit = tuple(d.draw(st.integers(a, n)) for a, n in zip(start, x.shape, strict=True))
    d.add("slice", [x], x.bound, start=start, limit=limit, strides=tuple(d.draw(st.integers(1, 3)) for _ in x.shape))


def pad(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0)
    if x is None:
        return
    padding = []
    for n in x.shape:
        low, interior = d.draw(st.integers(-1 if n > 1 else 0, 3)), d.draw(st.integers(0, 1))
        padding.append((low, d.draw(st.integers(-1 if n > 2 else 0, 2)), interior))
    d.add("pad", [x, literal(1, x.dtype)], max(x.bound, 1), padding=tuple(padding))


def concatenate(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0)
    if x is None:
        return
    axis = d.draw(st.integers(0, len(x.shape) - 1))
    others = [
        x if d.yes() else d.of_type((*x.shape[:axis], d.one_of(d.sizes), *x.shape[axis + 1 :]), x.dtype)
        for _ in range(d.draw(st.integers(1, 2)))
    ]
    d.add("concatenate", [x, *others], max(x.bound, *[k.bound for k in others]), axis=axis)


def reduce(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and k.var.type.size > 0)
    if x is None:
        return
    axes = d.some_axes(len(x.shape)) or (d.draw(st.integers(0, len(x.shape) - 1)),)
    count = math.prod(x.shape[a] for a in axes)
    name = d.one_of(
        ["reduce_and", "reduce_or", "reduce_max"] if x.dtype == BOOL else ["reduce_sum", "reduce_sum", "reduce_max", "reduce_min"]
    )
    if x.dtype.is_integer or x.bound * count < LARGEST or name != "reduce_sum":
        d.add(name, [x], min(x.bound * count, LARGEST) if name == "reduce_sum" else x.bound, axes=axes)


def normalize(d: Drawing) -> None:
    """A reduction, and its result beside what it was made of: what softmax and layer norm do."""
    x = d.pick(lambda k: len(k.shape) > 0 and k.dtype != BOOL and k.var.type.size > 0 and k.bound < 1e4)
    if x is None:
        return
    axes = (len(x.shape) - 1,) if d.yes() else d.some_axes(len(x.shape))
    r = d.add(d.one_of(["reduce_max", "reduce_min"]), [x], x.bound, axes=axes)
    back = d.add("broadcast", [r], x.bound, shape=x.shape, dims=tuple(i for i in range(len(x.shape)) if i not in axes))
    d.add("sub", [x, back], 2 * x.bound)


def argument(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and not k.rounded and k.var.type.size > 0)
    if x is not None:
        axis = d.draw(st.integers(0, len(x.shape) - 1))
        d.add(d.one_of(["argmax", "argmin"]), [x], x.shape[axis], axis=axis, dtype=d.one_of([I32, I64]))


def contract(d: Drawing) -> None:
    x = d.pick(lambda k: 0 < len(k.shape) < 4 and k.dtype != BOOL and k.bound < 200)
    if x is None:
        return
    rank = len(x.shape)
    roles = [d.one_of("bcf") for _ in range(rank)]
    batch, contracted = ([i for i in range(rank) if roles[i] == r] for r in "bc")
    order = list(d.draw(st.permutations([*batch, *contracted])))
    shape = [x.shape[i] for i in order]
    if len(shape) < 3 and d.yes():
        shape.append(d.one_of(d.sizes))
    y = d.of_type(tuple(shape), x.dtype)
    bound = x.bound * y.bound * math.prod(x.shape[i] for i in contracted)
    if x.dtype.is_integer or bound < LARGEST:
        where = (tuple(contracted), tuple(map(order.index, contracted))), (tuple(batch), tuple(map(order.index, batch)))
        d.add("dot_general", [x, y], min(bound, LARGEST), dims=where)


def indices_for(d: Drawing, shape: Shape) -> Known:
    """Indices that are an input, sometimes outside; or computed."""
    return d.of_type(shape, I32, exact=True)


def gather(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and k.var.type.size > 0)
    if x is None:
        return
    batch = 1 if len(x.shape) > 1 and d.yes() else 0
    axes = tuple(a for a in range(batch, len(x.shape)) if d.yes()) or (len(x.shape) - 1,)
    outer = (*x.shape[:batch], *(d.one_of(d.sizes) for _ in range(d.draw(st.integers(0, 1)))))
    d.add("gather", [x, indices_for(d, (*outer, len(axes)))], x.bound, axes=axes, batch=batch, mode=d.one_of(["clip", "fill"]))


def scatter(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and k.dtype != BOOL and k.var.type.size > 0)
    if x is None:
        return
    batch = 1 if len(x.shape) > 1 and d.yes() else 0
    axes = tuple(a for a in range(batch, len(x.shape)) if d.yes()) or (len(x.shape) - 1,)
    outer = (*x.shape[:batch], *(d.one_of(d.sizes) for _ in range(d.draw(st.integers(0, 1)))))
    whole = tuple(n for i, n in enumerate(x.shape) if i >= batch and i not in axes)
    updates = d.of_type((*outer, *whole), x.dtype)
    bound = x.bound + updates.bound * max(updates.var.type.size, 1)
    if x.dtype.is_integer or bound < LARGEST:
        kind = d.one_of(["set", "add", "add", "max", "min"])
        d.add("scatter", [x, indices_for(d, (*outer, len(axes))), updates], min(bound, LARGEST), axes=axes, batch=batch, kind=kind)


def dynamic_slice(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) < 4)
    if x is not None:
        starts = [indices_for(d, ()) for _ in x.shape]
        d.add("dynamic_slice", [x, *starts], x.bound, sizes=tuple(d.draw(st.integers(min(n, 1), n)) for n in x.shape))


def dynamic_update_slice(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) < 4)
    if x is not None:
        update = d.of_type(tuple(d.draw(st.integers(min(n, 1), n)) for n in x.shape), x.dtype)
        d.add("dynamic_update_slice", [x, update, *[indices_for(d, ()) for _ in x.shape]], max(x.bound, update.bound))


def cumulative(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and k.dtype != BOOL)
    if x is None:
        return
    axis = d.draw(st.integers(0, len(x.shape) - 1))
    bound = x.bound * max(x.shape[axis], 1)
    if x.dtype.is_integer or bound < LARGEST:
        d.add(d.one_of(["cumsum", "cumsum", "cummax", "cummin"]), [x], min(bound, LARGEST), axis=axis, reverse=d.yes())


def sort(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0 and not k.rounded)
    if x is not None:
        others = [d.of_type(x.shape, d.one_of([F32, I32]))] if d.yes() else []
        bound = max(x.bound, *[k.bound for k in others], 0)
        d.add("sort", [x, *others], bound, rounded=any(k.rounded for k in others), axis=d.draw(st.integers(0, len(x.shape) - 1)))


def iota(d: Drawing) -> None:
    x = d.pick(lambda k: len(k.shape) > 0)
    if x is not None:
        axis = d.draw(st.integers(0, len(x.shape) - 1))
        d.add("iota", [], max(x.shape), shape=x.shape, axis=axis, dtype=d.one_of([F32, I32, F64]))


POINTWISE = (exact_unary, transcendental, binary, binary, compare, choose, convert)
MOVES = (broadcast, broadcast, reshape, transpose, slice_, pad, concatenate, reverse, iota)
REDUCTIONS = (reduce, reduce, normalize, argument, contract)
INDEXED = (gather, dynamic_slice, dynamic_update_slice)
LIBRARY = (scatter, cumulative, sort)
EVERY = (*POINTWISE, *POINTWISE, *MOVES, *REDUCTIONS, *INDEXED, *LIBRARY)


@st.composite
def programs(
    draw: st.DrawFn,
    steps: Sequence[Callable[[Drawing], None]] = EVERY,
    sizes: Sequence[int] = (1, 2, 3, 4, 5, 17),
    least: int = 3,
    most: int = 16,
) -> Program:
    d = Drawing(draw, sizes)
    shape = d.shape()
    for _ in range(draw(st.integers(1, 2))):
        d.fresh(ArrayType(shape, d.one_of(DTYPES)))
    for _ in range(draw(st.integers(least, most))):
        if d.values[-1].var.type.size > 20_000:
            break
        d.one_of(steps)(d)
    return d.finish()
