"""Example operands for every op of the registry: what `test_ops_registry.py` and its neighbours are driven by.

An elementwise op's examples follow from its traits; every other op has rows in `EXAMPLES`. A new op that has neither makes
`test_every_op_has_examples` fail.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jitgrad_compiler.ir import OPS, ArrayType, Eqn, Graph, Var, parse
from jitgrad_compiler.ir.graph import Op
from jitgrad_compiler.ir.types import (
    BOOL,
    COMPLEX,
    DTYPES,
    F32,
    F64,
    FLOATS,
    I8,
    I32,
    I64,
    INTEGERS,
    U8,
    DType,
    Shape,
    float_info,
)
from jitgrad_compiler.ops.define import ACCEPTS
from jitgrad_compiler.ops.effects import HostFunction
from jitgrad_compiler.ops.windows import placed

from . import loop_examples

REAL = (BOOL, *INTEGERS, *FLOATS)


@dataclass(frozen=True)
class Data:
    """An operand of the element type that is under test."""

    shape: Shape


@dataclass(frozen=True)
class Matrix(Data):
    """The same, small but for its diagonal, which grows: a matrix that has an inverse, its eigenvalues apart and positive."""


@dataclass(frozen=True)
class Offset(Data):
    """The same, all numbers large."""


@dataclass(frozen=True)
class Other:
    """An operand whose element type is fixed. Integers are drawn from low to below high."""

    shape: Shape
    dtype: DType = I64
    low: int = 0
    high: int = 2


Operand = Data | Other


@dataclass(frozen=True)
class Example:
    """One equation: an op, its operands, its params."""

    op: str
    operands: tuple[Operand, ...]
    params: dict[str, Any] = field(default_factory=dict)

    def types(self, dtype: DType) -> list[ArrayType]:
        return [ArrayType(o.shape, dtype if isinstance(o, Data) else o.dtype) for o in self.operands]

    def graph(self, dtype: DType) -> Graph:
        op = OPS[self.op]
        inputs = [Var(t) for t in self.types(dtype)]
        outputs = [Var(t) for t in op.types([v.type for v in inputs], self.params)]
        return Graph(inputs, [Eqn(op, inputs, self.params, outputs)], outputs)

    def arrays(self, dtype: DType, rng: np.random.Generator) -> list[np.ndarray]:
        """Operands inside the op's domain, all floats at least a small distance from one another."""
        domain = OPS[self.op].samples.domain
        out = []
        for o in self.operands:
            if isinstance(o, Other) and o.dtype.is_integer:
                out.append(rng.integers(o.low, o.high, o.shape).astype(o.dtype.numpy))
            else:
                drawn = draw(ArrayType(o.shape, dtype if isinstance(o, Data) else o.dtype), rng, domain)
                out.append(dominated(drawn) if isinstance(o, Matrix) else drawn + 9 if isinstance(o, Offset) else drawn)
        if OPS[self.op].samples.integer_first:
            out[0] = np.round(out[0])
        return out

    def __str__(self) -> str:
        return f"{self.op} of {', '.join(map(str, self.types('x')))} {self.params or ''}"


def dominated(x: np.ndarray) -> np.ndarray:
    diagonal = np.zeros(x.shape[-2:])
    np.fill_diagonal(diagonal, 2 + np.arange(min(x.shape[-2:])))
    return (x * 0.1 + diagonal).astype(x.dtype)


def draw(type: ArrayType, rng: np.random.Generator, domain: tuple[float, float] | None = None) -> np.ndarray:
    """Numbers of a type: all of an integer's values, floats and complex numbers of moderate size and no two of them close."""
    low, high = domain or (-3, 3)
    target = type.dtype.numpy
    if type.dtype == BOOL:
        return rng.integers(0, 2, type.shape).astype(bool)
    if type.dtype.is_integer:
        if domain is not None:
            return rng.integers(int(low), int(high) + 1, type.shape).astype(target)
        info = np.iinfo(target)
        return rng.integers(info.min, info.max, type.shape, target, endpoint=True)

    def spread() -> np.ndarray:
        grid = low + (high - low) * (np.arange(type.size) + rng.uniform(0.2, 0.8, type.size)) / max(type.size, 1)
        return rng.permutation(grid).reshape(type.shape)

    return (spread() + 1j * spread() if type.dtype.is_complex else spread()).astype(target)


def special_numbers(dtype: DType) -> np.ndarray:
    """The numbers at which an implementation goes wrong first."""
    target = dtype.numpy
    if dtype == BOOL:
        return np.array([False, True])
    if dtype.is_integer:
        info = np.iinfo(target)
        inside = [-7, -2, -1, 0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 100]
        return np.array(
            [info.min, info.min + 1, info.max // 2, info.max - 1, info.max, *[n for n in inside if n >= info.min]], target
        )
    info = float_info(target)
    positive = [
        0, info.smallest_subnormal, info.tiny / 4, info.tiny, 1e-9, 0.1, 0.5, 1 - info.epsneg, 1, 1 + info.eps, 1.5, 2, 2.5, 3, 4.5,
        10, 88.5, 1e4, 2.0**24 + 1, 1e15, info.max, np.inf,
    ]  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.array([*map(float, positive), *[float(-n) for n in positive], np.nan]).astype(target)
    return np.where(numbers == 0, np.zeros((), target), numbers)


def special_operands(op: Op, dtype: DType) -> list[np.ndarray]:
    """Every combination of special numbers, one array an operand."""
    numbers = special_numbers(dtype)
    types = elementwise_types(op, dtype, ())
    if len(types) == 1:
        return [numbers]
    data = [a.ravel() for a in np.meshgrid(numbers, numbers, indexing="ij")]
    if len(types) == 2:
        return data
    first = np.arange(data[0].size) % 3 == 0 if types[0].dtype == BOOL else np.resize(numbers[::-1], data[0].size)
    return [first, *data] if len(types) == 3 else [np.resize(numbers[1::2], data[0].size), first, *data]


def dtypes_of(op: Op) -> tuple[str, ...]:
    """The element types that an elementwise op takes."""
    return ACCEPTS[op.traits.accepts]


def elementwise_types(op: Op, dtype: DType, shape: Shape) -> list[ArrayType]:
    count = op.traits.arity
    return [ArrayType(shape, BOOL if op.name == "select" and i == 0 else dtype) for i in range(count)]


def elementwise_params(op: Op, dtype: DType) -> list[dict[str, Any]]:
    """The params to try: of conversions every target type, of integer powers several exponents."""
    if op.name == "convert_element_type":
        return [dict(dtype=to) for to in (REAL if not dtype.is_complex else (*REAL, *COMPLEX))]
    if op.name == "bitcast_convert_type":
        return [dict(dtype=to) for to in REAL if to != BOOL and to.nbytes == dtype.nbytes and dtype != BOOL]
    if op.name == "checkpoint_name":
        return [dict(name="a name")]
    if op.name == "integer_pow":
        return [dict(exponent=n) for n in (0, 1, 2, 3, 7, *((-1, -2) if dtype in (*FLOATS, *COMPLEX) else ()))]
    return [{}]


def elementwise_examples(op: Op, shape: Shape = (3, 2)) -> Iterator[Example]:
    operands: tuple[Operand, ...] = tuple(
        Other(shape, BOOL) if t.dtype == BOOL else Data(shape) for t in elementwise_types(op, F64, shape)
    )
    for params in elementwise_params(op, F64):
        yield Example(op.name, operands, params)


def orders_sums(name: str) -> bool:
    """Whether an op adds, or does functions, in an order and with roundings of its own."""
    return OPS[name].kind in ("reduce", "cumulative", "call", "matrices") or name in (
        "dot_general", "convolve", "tiled_convolve", "tiled_kernel", "fft", "fft_pairs", "fold", "window_put", "linear_recurrence",
        "scan", "while_loop", "switch", "rowwise", "tape_add",
    )  # fmt: skip


def errs_by_largest(name: str) -> bool:
    """Whether each result of an op is a sum of all kinds of sums, so that it errs as the largest does."""
    return name.startswith(("tiled", "fft", "attention"))


def has_derivative(example: Example) -> bool:
    """Whether an op has one, and of these shapes: vectors beside those that a matrix determines have none."""
    if OPS[example.op].no_derivative:
        return False
    if example.op not in ("qr", "qr_pivoted", "svd") or not example.params["full"]:
        return True
    *_, rows, columns = example.operands[0].shape
    return rows <= columns if example.op != "svd" else rows == columns or not example.params["vectors"]


TURNED = ("eigh", "eig", "svd", "schur", "of_pairs", "column_syevd", "column_gesvd", "column_gesvdj")
"""Ops some of whose results are vectors that may be turned."""


def unturned(name: str, x: np.ndarray) -> np.ndarray:
    """What vectors have in common that are turned, or come in another order, of ops whose results are such."""
    if name not in TURNED:
        return x
    sizes = np.abs(x)
    return np.sort(sizes, axis=-1) if name in ("eig", "of_pairs") else sizes


def runs(name: str) -> bool:
    """Whether an op can be done as it stands; of some only the transpose is known, others are gone when their batch is made."""
    return not OPS[name].traits.transpose_only and OPS[name].kind != "collective"


INSIDE = {"tape_add": "call"}
"""Ops that need others around them, and what the rows of `EXAMPLES` are for them."""


def examples(name: str) -> list[Example]:
    op = OPS[name]
    if op.kind == "elementwise":
        return list(elementwise_examples(op))
    return [Example(INSIDE.get(name, name), *row) for row in EXAMPLES[name]]


def accepted(example: Example) -> list[str]:
    """The element types, complex ones aside, that the op's type rule lets through."""
    found = []
    for dtype in REAL:
        try:
            example.graph(dtype)
        except TypeError:
            continue
        found.append(dtype)
    return found


def fourier(kind: str, axis: int, n: int, inverse: bool = False) -> dict[str, Any]:
    return dict(kind=kind, axis=axis, n=n, inverse=inverse, scale=0.5)


def _reductions() -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    shape = (3, 4, 5)
    every = [axes for n in range(4) for axes in itertools.combinations(range(3), n)]
    return [
        *[((Data(shape),), dict(axes=axes)) for axes in every], ((Data(()),), dict(axes=())), ((Data((1, 7)),), dict(axes=(0,))),
        ((Data((1000,)),), dict(axes=(0,))), ((Data((0, 3)),), dict(axes=(1,))), ((Data((40, 33)),), dict(axes=(0,))),
        ((Data((2, 600)),), dict(axes=(0,))), ((Data((20, 17)),), dict(axes=(1,))), ((Data((2, 9, 3, 4)),), dict(axes=(1, 3))),
    ]  # fmt: skip


def _empty_reductions() -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    return [*_reductions(), ((Data((3, 0)),), dict(axes=(1,))), ((Data((0,)),), dict(axes=(0,)))]


def _arguments() -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    shapes: Sequence[tuple[Shape, int]] = (
        ((7,), 0),
        ((3, 33), 1),
        ((33, 3), 0),
        ((2, 4, 5), 1),
        ((4, 1), 1),
        ((0, 3), 1),
        ((100,), 0),
    )
    return [((Data(shape),), dict(axis=axis, dtype=I64 if axis else I32)) for shape, axis in shapes]


def _cumulative() -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    shapes: Sequence[tuple[Shape, int]] = (
        ((7,), 0),
        ((3, 17), 1),
        ((5, 3), 0),
        ((2, 4, 3), 1),
        ((1, 1), 1),
        ((0, 3), 0),
        ((3, 0), 1),
    )
    return [((Data(shape),), dict(axis=axis, reverse=reverse)) for shape, axis in shapes for reverse in (False, True)]


def _windowed() -> list[tuple[tuple[Data], dict[str, Any]]]:
    """Windows that lie apart, side by side and over each other; with gaps; larger ones than are written out; and none at all."""
    rows = [
        ((9,), (3,), (1,), (1,)), ((10,), (2,), (2,), (1,)), ((11,), (2,), (4,), (2,)), ((12,), (3,), (2,), (2,)),
        ((4, 6, 3), (2, 2, 1), (2, 2, 1), (1, 1, 1)), ((2, 7, 8, 17), (1, 3, 3, 1), (1, 2, 1, 1), (1, 1, 2, 1)),
        ((9, 7), (6, 6), (1, 1), (1, 1)), ((8, 9), (7, 5), (7, 1), (1, 2)), ((3, 2), (4, 1), (1, 1), (1, 1)),
        ((0, 4), (1, 2), (1, 1), (1, 1)),
    ]  # fmt: skip
    return [((Data(shape),), dict(sizes=sizes, strides=strides, dilation=dilation)) for shape, sizes, strides, dilation in rows]


def _convolutions() -> list[tuple[tuple[Data, Data], dict[str, Any]]]:
    rows = [  # array, kernel, strides, padding, dilation of the array, of the kernel
        ((1, 2, 7, 3), (1, 3, 3, 4), (1,), ((0, 0),), (1,), (1,)),
        ((1, 2, 8, 3), (1, 3, 3, 4), (2,), ((1, 2),), (1,), (1,)),
        ((2, 2, 6, 5, 3), (2, 3, 2, 3, 2), (1, 2), ((1, 1), (0, 1)), (1, 1), (1, 1)),
        ((1, 1, 5, 6, 2), (1, 2, 3, 2, 3), (2, 1), ((2, -1), (1, 3)), (2, 3), (2, 1)),
        ((3, 2, 5, 1), (3, 3, 1, 1), (1,), ((1, 1),), (1,), (1,)),
        ((1, 2, 4, 4, 3, 2), (1, 2, 1, 3, 2, 17), (1, 2, 1), ((0, 1), (0, 0), (1, 1)), (1, 1, 1), (1, 1, 1)),
        ((1, 2, 6, 6, 16), (1, 1, 1, 16, 8), (2, 2), ((0, 0), (0, 0)), (1, 1), (1, 1)),
        ((1, 2, 3), (1, 3, 4), (), (), (), ()),
        ((1, 1, 4, 2), (1, 6, 2, 2), (1,), ((0, 1),), (1,), (1,)),
        ((1, 2, 4, 0), (1, 2, 0, 3), (1,), ((0, 0),), (1,), (1,)),
    ]
    return [
        ((Data(x), Data(w)), dict(strides=strides, padding=padding, x_dilation=of_x, w_dilation=of_w))
        for x, w, strides, padding, of_x, of_w in rows
    ]


def _scatters(dtype: DType = I64) -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    places: list[tuple[tuple[Operand, ...], dict[str, Any]]] = [
        ((Data((7,)), Other((4, 1), dtype, -2, 9), Data((4,))), dict(axes=(0,), batch=0)),
        ((Data((4, 5)), Other((3, 1), I32, 0, 4), Data((3, 5))), dict(axes=(0,), batch=0)),
        ((Data((4, 5)), Other((3, 1), dtype, 0, 6), Data((3, 4))), dict(axes=(1,), batch=0)),
        ((Data((4, 5)), Other((2, 3, 2), dtype, -1, 5), Data((2, 3))), dict(axes=(0, 1), batch=0)),
        ((Data((3, 4, 2)), Other((3, 2, 1), U8, 0, 4), Data((3, 2, 2))), dict(axes=(1,), batch=1)),
        ((Data((4,)), Other((1,), dtype, 0, 4), Data(())), dict(axes=(0,), batch=0)),
        ((Data((4,)), Other((0, 1), dtype, 0, 4), Data((0,))), dict(axes=(0,), batch=0)),
    ]
    return [(operands, {**params, "kind": kind}) for operands, params in places for kind in ("set", "add", "mul", "min", "max")]


def _nested(rows: Sequence[loop_examples.Row]) -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
    """Rows whose operands are written as text: f64[3], or i64[2]:0:9 for integers from 0 to below 9."""
    made = []
    for text, params in rows:
        operands = []
        for word in text.split():
            name, *limits = word.split(":")
            dtype, dims = name[:-1].split("[")
            operands.append(Other(tuple(int(d) for d in dims.split(",") if d), DTYPES[dtype], *map(int, limits)))
        made.append((tuple(operands), params))
    return made


def _on_matrices() -> dict[str, list[tuple[tuple[Operand, ...], dict[str, Any]]]]:
    """One matrix and batches of them, without rows too."""
    square: list[Shape] = [(3, 3), (2, 4, 4), (0, 0), (2, 0, 0), (0, 2, 2), (1, 1)]
    wide: list[Shape] = [(3, 5), (2, 5, 3), (0, 2), (3, 0)]
    full: list[Shape] = [s for s in square if all(s)]
    pairs: list[tuple[Shape, Shape]] = [((3, 3), (3, 1)), ((2, 4, 4), (2, 4, 3)), ((0, 0), (0, 2)), ((3, 3), (3, 0))]
    switches = list(itertools.product((False, True), repeat=4))

    def systems(keys: tuple[str, ...]) -> list[tuple[tuple[Operand, ...], dict[str, Any]]]:
        every = itertools.product((False, True), repeat=len(keys))
        return [((Matrix(a), Data(b)), dict(zip(keys, values, strict=True))) for values in every for a, b in pairs]

    return {
        "cholesky": [((Matrix(s),), {}) for s in square],
        "triangular_solve": [
            (
                (Matrix(a), Data(b if left else (*b[:-2], b[-1], b[-2]))),
                dict(left=left, lower=lower, transpose=t, unit_diagonal=unit),
            )
            for left, lower, t, unit in switches for a, b in pairs
        ],
        "lu": [((Matrix(s),), {}) for s in (*square, *wide)],
        "solve": systems(("transpose",)),
        "solve_factored": [
            ((Matrix(a), Matrix(a), Other(a[:-1], I32, 0, 1), Data(b)), dict(transpose=t)) for t in (False, True) for a, b in pairs
        ],
        "hermitian_part": [((Matrix(s),), {}) for s in square],
        "inverse": [((Matrix(s),), {}) for s in square],
        "det": [((Matrix(s),), {}) for s in square],
        "slogdet": [((Matrix(s),), {}) for s in square],
        "qr": [((Matrix(s),), dict(full=full)) for s in (*square, *wide) for full in (False, True)],
        "qr_pivoted": [((Matrix(s),), dict(full=full)) for s in (*square, *wide, (5, 3)) for full in (False, True)],
        "geqrf": [((Matrix(s),), {}) for s in (*square, *wide)],
        "householder_product": [((Matrix(s), Data((*s[:-2], min(s[-2:])))), {}) for s in (*square, (2, 5, 3), (3, 0))],
        "hessenberg": [((Matrix(s),), {}) for s in square],
        "tridiagonal": [((Matrix(s),), dict(lower=lower)) for s in square for lower in (False, True)],
        "eigh": [((Matrix(s),), dict(vectors=vectors)) for s in square for vectors in (False, True)],
        "svd": [
            ((Matrix(s),), dict(full=full, vectors=vectors)) for s in (*square, *wide) for full, vectors, *_ in switches[::4]
        ],
        "eig": [((Matrix(s),), dict(left=left, right=right)) for s in square for left, right, *_ in switches[::4]],
        "schur": [((Matrix(s),), dict(vectors=vectors)) for s in square for vectors in (False, True)],
        "sylvester": [((Matrix(a), Matrix((*b[:-2], b[-1], b[-1])), Data(b)), {}) for a, b in pairs],
        "column_potrf": [((Matrix(s),), {}) for s in full],
        "column_getrf": [((Matrix(s),), {}) for s in (*full, (3, 5), (2, 5, 3))],
        "column_getrs": [
            ((Matrix(a), Other(a[:-1], I32, 1, 2), Data((*b[:-2], b[-1], b[-2]))), dict(transpose=t))
            for t in (False, True) for a, b in pairs[:2]
        ],
        "exchanged_order": [((Matrix((*b, n, 4)), Other((*b, 3), I32, 0, n)), {}) for b, n in (((), 3), ((2,), 5))],
        "column_geqrf": [((Matrix(s),), {}) for s in (*full, (3, 5), (2, 5, 3))],
        "column_orgqr": [((Matrix(s), Data((*s[:-2], s[-2]))), {}) for s in (*full, (3, 5))],
        "column_syevd": [((Matrix(s),), dict(vectors=vectors)) for s in full for vectors in (False, True)],
        "column_gesvd": [((Matrix(s),), dict(full=f, vectors=v)) for s in (*full, (3, 5)) for f, v, *_ in switches[::4]],
        "column_gesvdj": [((Matrix(s),), {}) for s in (*full, (2, 3, 5))],
        "sqrtm": [((Matrix((3, 3)),), {}), ((Matrix((2, 4, 4)),), {}), ((Matrix((0, 0)),), {})],
        "tridiagonal_solve": [
            (tuple([Data(b[:-1]), Offset(b[:-1]), Data(b[:-1]), Data(b)]), {}) for b in [(4, 2), (2, 3, 1), (1, 2), (0, 2)]
        ],
        "of_pairs": [
            ((Matrix((2, 3, 3, 2)),), dict(of="sqrtm", complex_operands=True)),
            ((Matrix((2, 3, 3)),), dict(of="eig", complex_operands=False, left=True, right=True)),
            ((Matrix((2, 3, 3, 2)),), dict(of="lu", complex_operands=True)),
            ((Matrix((3, 3, 2)), Data((3, 2, 2))), dict(of="solve", complex_operands=True, transpose=True)),
        ],
    }  # fmt: skip


_CALLED = parse(
    "graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = mul a b\n  d:f64[3] = exp c\n  e:f64[] = reduce_sum a [axes=(0,)]\n  return d e\n}"
)
_PRODUCT = parse(
    "graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = mul a b\n  d:f64[3] = sin c\n  e:i64[3] = convert_element_type c [dtype='i64']\n"
    "  return d e\n}"
)
_PRODUCT_RULE = parse(
    "graph(a:f64[3], b:f64[3], c:f64[3], d:f64[3]) {\n  e:f64[3] = mul a b\n  f:f64[3] = sin e\n"
    "  g:i64[3] = convert_element_type e [dtype='i64']\n  h:f64[3] = mul a d\n  i:f64[3] = mul b c\n  j:f64[3] = add h i\n"
    "  k:f64[3] = cos e\n  l:f64[3] = mul j k\n  return f g l\n}"
)
_PRODUCT_FORWARD = parse(
    "graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = mul a b\n  d:f64[3] = sin c\n  e:i64[3] = convert_element_type c [dtype='i64']\n"
    "  f:f64[3] = cos c\n  g:f64[3] = mul f b\n  return d e g\n}"
)
_PRODUCT_BACKWARD = parse("graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = mul a b\n  return c\n}")
_SCALED = parse("graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = exp a\n  d:f64[3] = mul c b\n  return d\n}")
_DIVIDED = parse("graph(a:f64[3], b:f64[3]) {\n  c:f64[3] = exp a\n  d:f64[3] = div b c\n  return d\n}")
_NO_BATCH = ((), ())
_HOST = HostFunction("an example", lambda x: [np.sin(x)])

_ATTENDED = parse("""\
graph(a:f64[1,3,1,2], b:f64[1,2,1,2], c:f64[1,2,1,2]) {
  d:f64[1,1,3,2] = dot_general a b [dims=(((3,), (3,)), ((0, 2), (0, 2)))]
  e:f64[1,1,3,2] = exp d
  f:f64[1,1,3,2] = dot_general e c [dims=(((3,), (1,)), ((0, 1), (0, 2)))]
  g:f64[1,3,1,2] = transpose f [permutation=(0, 2, 1, 3)]
  h:f64[1,3,1] = broadcast 1.0:f64 [dims=(), shape=(1, 3, 1)]
  return g h h
}""")
_LINEAR_IN_FIRST = parse(
    "graph(a:f64[3], b:f64[3], c:f64[3], d:f64[3], e:f64[3], f:f64[3], g:f64[3], h:f64[3]) {\n  i:f64[3] = mul a b\n  return i\n}"
)
_WEIGHTS = """\
  h:f32[1,1,3,2] = dot_general a b [dims=(((3,), (3,)), ((0, 2), (0, 2)))]
  i:f32[1,1,3,2] = mul h 0.25:f32
"""
_FORWARD = parse(f"""\
graph(a:f32[1,3,1,16], b:f32[1,2,1,16], c:f32[1,2,1,16]) {{
{_WEIGHTS}  j:f32[1,1,3] = reduce_max i [axes=(3,)]
  k:f32[1,1,3,2] = broadcast j [dims=(0, 1, 2), shape=(1, 1, 3, 2)]
  l:f32[1,1,3,2] = sub i k
  m:f32[1,1,3,2] = exp l
  n:f32[1,1,3] = reduce_sum m [axes=(3,)]
  o:f32[1,1,3,2] = broadcast n [dims=(0, 1, 2), shape=(1, 1, 3, 2)]
  p:f32[1,1,3,2] = div m o
  q:f32[1,1,3,16] = dot_general p c [dims=(((3,), (1,)), ((0, 1), (0, 2)))]
  r:f32[1,3,1,16] = transpose q [permutation=(0, 2, 1, 3)]
  s:f32[1,3,1] = transpose j [permutation=(0, 2, 1)]
  t:f32[1,3,1] = transpose n [permutation=(0, 2, 1)]
  return r s t
}}""")
_GRADIENT = parse(f"""\
graph(a:f32[1,3,1,16], b:f32[1,2,1,16], c:f32[1,2,1,16], d:f32[1,3,1,16], e:f32[1,3,1], f:f32[1,3,1], g:f32[1,3,1,16]) {{
{_WEIGHTS}  j:f32[1,1,3] = transpose e [permutation=(0, 2, 1)]
  k:f32[1,1,3,2] = broadcast j [dims=(0, 1, 2), shape=(1, 1, 3, 2)]
  l:f32[1,1,3,2] = sub i k
  m:f32[1,1,3,2] = exp l
  n:f32[1,1,3] = transpose f [permutation=(0, 2, 1)]
  o:f32[1,1,3,2] = broadcast n [dims=(0, 1, 2), shape=(1, 1, 3, 2)]
  p:f32[1,1,3,2] = div m o
  q:f32[1,1,2,16] = dot_general p g [dims=(((2,), (1,)), ((0, 1), (0, 2)))]
  r:f32[1,2,1,16] = transpose q [permutation=(0, 2, 1, 3)]
  s:f32[1,1,3,2] = dot_general g c [dims=(((3,), (3,)), ((0, 2), (0, 2)))]
  t:f32[1,3,1,16] = mul d g
  u:f32[1,3,1] = reduce_sum t [axes=(3,)]
  v:f32[1,1,3] = transpose u [permutation=(0, 2, 1)]
  w:f32[1,1,3,2] = broadcast v [dims=(0, 1, 2), shape=(1, 1, 3, 2)]
  x:f32[1,1,3,2] = sub s w
  y:f32[1,1,3,2] = mul p x
  z:f32[1,1,3,2] = mul y 0.25:f32
  aa:f32[1,1,3,16] = dot_general z b [dims=(((3,), (1,)), ((0, 1), (0, 2)))]
  ab:f32[1,3,1,16] = transpose aa [permutation=(0, 2, 1, 3)]
  ac:f32[1,1,2,16] = dot_general z a [dims=(((2,), (1,)), ((0, 1), (0, 2)))]
  ad:f32[1,2,1,16] = transpose ac [permutation=(0, 2, 1, 3)]
  return ab ad r
}}""")
_HEADS = dict(scale=0.25, left=None, right=None, names=("query", "key", "value"), lead=())
_QUERIES, _KEYS, _NOTES = Other((1, 3, 1, 16), F32), Other((1, 2, 1, 16), F32), Other((1, 3, 1), F32)

EXAMPLES: dict[str, list[tuple[tuple[Operand, ...], dict[str, Any]]]] = {
    **_on_matrices(),
    "call": [((Other((3,), F64), Other((3,), F64)), dict(graph=_CALLED, name="f"))],
    "callback": [((Other((3,), F64),), dict(callee=_HOST))],
    "io_callback": [((Other((3,), F64),), dict(callee=_HOST, results=(((3,), F64),)))],
    "pure_callback": [((Other((3,), F64),), dict(callee=_HOST, results=(((3,), F64),), method="sequential"))],
    "custom_jvp": [
        ((Other((3,), F64), Other((3,), F64)), dict(graph=_PRODUCT, rule=(_PRODUCT_RULE,), consts=0, name="f")),
    ],
    "custom_vjp": [
        ((Other((3,), F64), Other((3,), F64)),
         dict(graph=_PRODUCT, rule=(_PRODUCT_FORWARD, _PRODUCT_BACKWARD), consts=0, moving=(True, False), name="f")),
        ((Other((3,), F64), Other((3,), F64)),
         dict(graph=_PRODUCT, rule=(), consts=1, moving=(), name="f")),
    ],
    "custom_vmap": [((Other((3,), F64), Other((3,), F64)), dict(graph=_PRODUCT, batching=(), consts=0, name="f"))],
    "custom_linear": [
        ((Other((3,), F64), Other((3,), F64)), dict(backward=_PRODUCT_BACKWARD, known=1, active=(True,), name="f")),
    ],
    "psum": [((Other((3,), F32), Other((), I64)), dict(size=2))],
    "all_gather": [((Other((3,), F32), Other((), I64)), dict(size=2))],
    "all_to_all": [((Other((2, 3), F32), Other((), I64)), dict(size=2))],
    "ppermute": [((Other((3,), F32), Other((), I64), Other((2,), I64), Other((2,), I64)), dict(size=2))],
    "attention": [
        ((Other((1, 3, 1, 2), F64), Other((1, 2, 1, 2), F64), Other((1, 2, 1, 2), F64)), dict(_HEADS, graph=_ATTENDED)),
    ],
    "attention_linear": [
        ((Other((3,), F64),) * 8, dict(_HEADS, graph=_LINEAR_IN_FIRST, formula=_ATTENDED, active=(True,), backward=False)),
    ],
    "attention_forward": [((_QUERIES, _KEYS, _KEYS), dict(_HEADS, graph=_FORWARD))],
    "attention_gradient": [
        ((_QUERIES, _KEYS, _KEYS, _QUERIES, _NOTES, _NOTES, _QUERIES), dict(_HEADS, graph=_GRADIENT, active=(True, True, True))),
    ],
    "checkpoint": [
        ((Other((3,), F64), Other((3,), F64)), dict(graph=_CALLED, policy=("nothing",), prevent_cse=True, name="f")),
        ((Other((3,), F64), Other((3,), F64)), dict(graph=_CALLED, policy=("everything",), prevent_cse=False, name="f")),
    ],
    "linear_solve": [
        ((Other((3,), F64), Other((3,), F64)),
         dict(graph=_DIVIDED, matvec=_SCALED, vecmat=_SCALED, transposed=_DIVIDED, consts=1, name="f")),
    ],
    "scan": _nested(loop_examples.SCANS), "while_loop": _nested(loop_examples.WHILES), "switch": _nested(loop_examples.SWITCHES),
    "rowwise": _nested(loop_examples.ROWS), "tape_region": _nested(loop_examples.TAPE_REGION),
    "tape_add": _nested(loop_examples.CALLED),
    "dot_general": [
        ((Data((3, 4)), Data((4, 5))), dict(dims=(((1,), (0,)), _NO_BATCH))),
        ((Data((4, 3)), Data((5, 4))), dict(dims=(((0,), (1,)), _NO_BATCH))),
        ((Data((2, 3, 4)), Data((2, 4, 5))), dict(dims=(((2,), (1,)), ((0,), (0,))))),
        ((Data((3, 2, 4, 5)), Data((5, 6, 4, 2))), dict(dims=(((2, 3), (2, 0)), ((1,), (3,))))),
        ((Data((4,)), Data((4,))), dict(dims=(((0,), (0,)), _NO_BATCH))),
        ((Data((3, 4)), Data((4,))), dict(dims=(((1,), (0,)), _NO_BATCH))),
        ((Data((2, 3)), Data((4, 5))), dict(dims=(((), ()), _NO_BATCH))),
        ((Data((2, 3)), Data((2, 3))), dict(dims=(((), ()), ((0, 1), (0, 1))))),
        ((Data((3, 0)), Data((0, 5))), dict(dims=(((1,), (0,)), _NO_BATCH))),
        ((Data((0, 4)), Data((4, 5))), dict(dims=(((1,), (0,)), _NO_BATCH))),
        ((Data((33, 40)), Data((40, 17))), dict(dims=(((1,), (0,)), _NO_BATCH))),
    ],
    "windows": _windowed(), "reduce_window_max": _windowed(), "reduce_window_min": _windowed(),
    "window_place": [(operands, dict(params, largest=largest)) for operands, params in _windowed() for largest in (True, False)],
    "window_take": [
        ((x, Other(placed(x.shape, **params), I32, 0, math.prod(params["sizes"]))), params) for (x,), params in _windowed()
    ],
    "window_put": [
        ((Data(placed(x.shape, **params)), Other(placed(x.shape, **params), I32, 0, math.prod(params["sizes"]))),
         dict(params, shape=x.shape)) for (x,), params in _windowed()
    ],
    "fold": [
        ((Data((*placed(x.shape, **params), *params["sizes"])),), dict(params, shape=x.shape)) for (x,), params in _windowed()
    ],
    "convolve": _convolutions(),
    "tiled_convolve": [
        ((Data((2, 6, 10, 32)), Data((3, 3, 32, 64))), {}), ((Data((17, 6, 14, 64)), Data((3, 3, 64, 32))), {}),
    ],
    "tiled_kernel": [
        ((Data((2, 6, 10, 32)), Data((2, 4, 8, 64))), {}), ((Data((17, 6, 14, 64)), Data((17, 4, 12, 32))), {}),
    ],
    "iota": [((), dict(shape=shape, axis=axis, dtype=dtype)) for shape, axis, dtype in (
        ((5,), 0, I32), ((3, 40), 1, F32), ((3, 4), 0, U8), ((2, 3, 4), 1, F64), ((0, 2), 1, I64), ((300,), 0, I8),
    )],
    "gather": [
        ((Data((7,)), Other((4, 1), I64, -2, 9)), dict(axes=(0,), batch=0, mode="clip")),
        ((Data((7,)), Other((4, 1), I64, -2, 9)), dict(axes=(0,), batch=0, mode="fill")),
        ((Data((5, 20)), Other((3, 1), I32, 0, 5)), dict(axes=(0,), batch=0, mode="clip")),
        ((Data((5, 6)), Other((3, 1), U8, 0, 7)), dict(axes=(1,), batch=0, mode="fill")),
        ((Data((4, 5)), Other((2, 3, 2), I64, -1, 6)), dict(axes=(0, 1), batch=0, mode="fill")),
        ((Data((3, 4, 2)), Other((3, 2, 1), I64, -1, 5)), dict(axes=(1,), batch=1, mode="clip")),
        ((Data((300,)), Other((9, 1), I8, -128, 127)), dict(axes=(0,), batch=0, mode="clip")),
        ((Data((3, 4)), Other((2, 0), I64)), dict(axes=(), batch=0, mode="clip")),
        ((Data((4,)), Other((1,), I64, 0, 4)), dict(axes=(0,), batch=0, mode="clip")),
        ((Data((0,)), Other((3, 1), I64, 0, 4)), dict(axes=(0,), batch=0, mode="fill")),
        ((Data((4,)), Other((0, 1), I64, 0, 4)), dict(axes=(0,), batch=0, mode="clip")),
    ],
    "scatter": _scatters(),
    "dynamic_slice": [
        ((Data((7,)), Other((), I64, -2, 8)), dict(sizes=(4,))),
        ((Data((5, 20)), Other((), I64, 0, 4), Other((), I32, 0, 18)), dict(sizes=(2, 17))),
        ((Data((5, 3)), Other((), U8, 0, 9), Other((), I8, -1, 1)), dict(sizes=(5, 1))),
        ((Data(()),), dict(sizes=())), ((Data((4,)), Other((), I64)), dict(sizes=(0,))),
    ],
    "dynamic_update_slice": [
        ((Data((7,)), Data((4,)), Other((), I64, -2, 8)), {}),
        ((Data((5, 20)), Data((2, 17)), Other((), I64, 0, 4), Other((), I32, 0, 18)), {}),
        ((Data((5, 3)), Data((5, 1)), Other((), U8, 0, 9), Other((), I8, -1, 3)), {}),
        ((Data(()), Data(())), {}), ((Data((4,)), Data((0,)), Other((), I64)), {}),
    ],
    "broadcast": [
        ((Data((3,)),), dict(shape=(4, 3), dims=(1,))), ((Data((3,)),), dict(shape=(3, 17), dims=(0,))),
        ((Data((3, 1)),), dict(shape=(2, 3, 5), dims=(1, 2))), ((Data(()),), dict(shape=(33,), dims=())),
        ((Data((1,)),), dict(shape=(0,), dims=(0,))), ((Data((2, 3)),), dict(shape=(2, 3), dims=(0, 1))),
    ],
    "reshape": [
        ((Data((2, 3, 4)),), dict(shape=(6, 4))), ((Data((4, 6)),), dict(shape=(3, 8))), ((Data(()),), dict(shape=(1, 1))),
        ((Data((1,)),), dict(shape=())), ((Data((0, 3)),), dict(shape=(3, 0))), ((Data((33,)),), dict(shape=(3, 11))),
    ],
    "transpose": [
        ((Data((3, 5)),), dict(permutation=(1, 0))), ((Data((2, 3, 17)),), dict(permutation=(1, 0, 2))),
        ((Data((2, 3, 4, 5)),), dict(permutation=(3, 1, 0, 2))), ((Data(()),), dict(permutation=())),
        ((Data((0, 4)),), dict(permutation=(1, 0))),
    ],
    "reverse": [
        ((Data((33,)),), dict(axes=(0,))), ((Data((3, 4)),), dict(axes=(0,))), ((Data((3, 4, 2)),), dict(axes=(0, 2))),
        ((Data((3,)),), dict(axes=())), ((Data((0, 2)),), dict(axes=(0, 1))),
    ],
    "slice": [
        ((Data((40,)),), dict(start=(3,), limit=(36,), strides=(1,))),
        ((Data((5, 9)),), dict(start=(1, 0), limit=(5, 9), strides=(2, 3))),
        ((Data((4,)),), dict(start=(2,), limit=(2,), strides=(1,))),
        ((Data((4, 3)),), dict(start=(0, 0), limit=(4, 3), strides=(1, 1))),
    ],
    "pad": [
        ((Data((5,)), Data(())), dict(padding=((2, 1, 0),))), ((Data((5,)), Data(())), dict(padding=((-1, 2, 2),))),
        ((Data((3, 4)), Data(())), dict(padding=((1, -1, 1), (-2, 0, 0)))),
        ((Data((2, 17)), Data(())), dict(padding=((0, 0, 0), (0, 16, 0)))),
        ((Data((0,)), Data(())), dict(padding=((1, 2, 3),))), ((Data((3,)), Data(())), dict(padding=((-2, -1, 0),))),
        ((Data(()), Data(())), dict(padding=())), ((Data((6,)), Data(())), dict(padding=((-3, -2, 1),))),
    ],
    "concatenate": [
        ((Data((3,)), Data((4,))), dict(axis=0)), ((Data((2, 3)), Data((2, 20)), Data((2, 1))), dict(axis=1)),
        ((Data((2, 3)), Data((0, 3)), Data((1, 3))), dict(axis=0)), ((Data((2, 3)),), dict(axis=1)),
    ],
    "reduce_sum": _empty_reductions(), "reduce_prod": _empty_reductions(), "reduce_max": _reductions(), "reduce_min": _reductions(),
    "reduce_and": _empty_reductions(), "reduce_or": _empty_reductions(), "argmax": _arguments(), "argmin": _arguments(),
    "cumsum": _cumulative(), "cumprod": _cumulative(), "cummax": _cumulative(), "cummin": _cumulative(),
    "linear_recurrence": [((*operands, *operands), params) for operands, params in _cumulative()],
    "fft": [
        *[((Data(shape),), fourier("to_complex", axis, shape[axis])) for shape, axis in (((8,), 0), ((3, 7), 1), ((0, 4), 1))],
        ((Data((5, 9)),), fourier("complex", 0, 5)), ((Data((2, 6)),), fourier("complex", 1, 6, True)),
        ((Data((2, 5)),), fourier("to_real", 1, 8, True)), ((Data((4, 3)),), fourier("to_real", 0, 7, True)),
    ],
    "fft_pairs": [
        *[((Data((*shape, 2)),), fourier("complex", axis, shape[axis])) for shape, axis in (((1,), 0), ((12,), 0), ((3, 14), 1))],
        *[((Data((*shape, 2)),), fourier("complex", axis, shape[axis], True)) for shape, axis in (((18, 40), 1), ((0, 4), 1))],
        ((Data((2, 15, 9, 2)),), fourier("complex", 1, 15)), ((Data((3, 11, 2)),), fourier("complex", 1, 11)),
        ((Data((400, 2)),), fourier("complex", 0, 400, True)), ((Data((2, 26, 2)),), fourier("complex", 1, 26)),
        *[((Data(shape),), fourier("to_complex", axis, shape[axis])) for shape, axis in (((2,), 0), ((20, 12), 1), ((10, 17), 0))],
        *[((Data(shape),), fourier("to_real", axis, n, True)) for shape, axis, n in (((2, 2), 0, 2), ((3, 6, 2), 1, 10))],
        ((Data((2, 6, 9, 2)),), fourier("to_real", 1, 10, True)),
    ],
    "top_k": [
        ((Data((7,)),), dict(axis=0, k=7)), ((Data((3, 33)),), dict(axis=1, k=2)), ((Data((5, 3)),), dict(axis=0, k=4)),
        ((Data((2, 9, 2)),), dict(axis=1, k=1)), ((Other((300,), I8, 0, 40),), dict(axis=0, k=9)),
        ((Other((2, 700), I64, -99, 99),), dict(axis=1, k=70)),
        ((Data((0, 3)),), dict(axis=1, k=1)), ((Data((3, 4)),), dict(axis=1, k=0)),
    ],
    "sort": [
        ((Data((7,)),), dict(axis=0)), ((Data((3, 33)),), dict(axis=1)), ((Data((5, 3)),), dict(axis=0)),
        ((Data((2, 3, 2)),), dict(axis=1)), ((Data((9,)), Data((9,))), dict(axis=0)),
        ((Other((12,), I8, 0, 3), Data((12,)), Other((12,), I64, 0, 99)), dict(axis=0)), ((Data((0, 3)),), dict(axis=0)),
        ((Data((3, 0)),), dict(axis=1)),
    ],
}  # fmt: skip
