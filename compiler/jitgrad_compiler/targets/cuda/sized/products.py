"""Products of matrices of any size: the kernels of contract/, which are told where the operands' elements lie.

An operand is [batch, side, depth], in memory of any order in which elements along its side or its depth lie side by side. Tiles and
shares of depth are cut as contract/ cuts those of a program for the same sizes, so that results are equal to the bit. Products with
one row or one column are sums: sums.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ....ir.graph import Graph, Var
from ....ir.types import F32, I32, I64, ArrayType, DType
from ....kernels.affine import Axis
from ....kernels.kernel import Contraction, Kernel
from ....kernels.tuning import Gpu, Tuning
from ....ops.contraction import IN_FULL, REDUCED
from ...emitter import Emitter
from ...llvm_text import Reg
from ..contract.kernel import DEEP, ContractKernel, Cut, Extents, Operand, Place, Sizes, cut_for_fma
from ..contract.tensor_cores import NAMES, TensorCoreKernel, cut_for_tensor_cores, many, steps_of
from ..contract.warpgroups import WarpgroupKernel, cut_for_warpgroups, large
from ..expressions import ThreadExpressions
from ..phases import BlockFunction
from .kernel import SizedKernel, Writer, lowered, placed
from .places import Strided, row_major
from .sums import ANY

TOGETHER = 8
"""Elements that an operand's lines begin at multiples of, where a kernel may count on it."""
WORDS = (
    "batch", "rows", "columns", "depth", "shares", "share", "left_batch", "left_line", "right_batch", "right_line",
)  # fmt: skip
"""Arguments of every kernel: sizes; and of each operand by how many elements its matrices lie apart, and in these the lines of
elements that lie side by side.
"""


class Matrices(NamedTuple):
    """An operand as [batch, side, depth]: the sizes, and by how many elements its matrices and their lines lie apart."""

    batch: int
    side: int
    depth: int
    batch_apart: int
    line_apart: int
    along_depth: bool
    """Whether lines are of depth."""

    @property
    def whole(self) -> bool:
        """Whether lines begin and end at multiples of `TOGETHER`."""
        line = self.depth if self.along_depth else self.side
        return all(n % TOGETHER == 0 for n in (line, self.batch_apart, self.line_apart))

    @property
    def dense(self) -> bool:
        """Whether all elements lie side by side, matrix by matrix."""
        lines, line = (self.side, self.depth) if self.along_depth else (self.depth, self.side)
        return (lines == 1 or self.line_apart == line) and (self.batch == 1 or self.batch_apart == lines * line)


def matrices(shape: Sequence[int], batch: Sequence[int], side: Sequence[int], depth: Sequence[int]) -> Matrices | None:
    """An array with these axes of each kind; None where they do not lie in its memory as one each."""
    steps = row_major(shape)
    parts = [Strided(tuple(shape[a] for a in axes), tuple(steps[a] for a in axes)).merged() for axes in (batch, side, depth)]
    if any(len(p.sizes) > 1 for p in parts):
        return None
    (n, apart), (lines, line_apart), (deep, deep_apart) = [(p.sizes[0], p.strides[0]) for p in parts]
    if 1 not in (line_apart, deep_apart):
        return None
    along_depth = deep_apart == 1
    return Matrices(n, lines, deep, 0 if n == 1 else apart, line_apart if along_depth else deep_apart, along_depth)


class Lies(NamedTuple):
    """How an operand lies in memory: what lies side by side, and whether lines begin and end at multiples of `TOGETHER`."""

    along_depth: bool
    whole: bool


@dataclass(frozen=True)
class Kind:
    """Which kernel: what its code depends on."""

    dtype: DType
    reduced: bool
    """Whether float32 is rounded to TF32."""
    left: Lies
    right: Lies
    whole: bool
    """Whether the result's lines begin at multiples of `TOGETHER`."""
    rows: int
    columns: int
    """Of a tile."""
    way: str
    """A name in `WAYS`."""
    split: bool
    """Whether shares of the depth are summed apart."""
    deep: bool
    """Whether one running value does not add all of a share's depth."""
    index: DType
    """What counts the elements of one matrix: 32 bits leave a thread more registers."""


def divided(dtype: DType, reduced: bool, n: Extents, left: Lies, right: Lies, tuning: Gpu) -> tuple[Kind, Cut]:
    """How a product of these sizes is done; `reduced`: whether float32 may be rounded to TF32."""
    reduced, way = reduced and dtype == F32, "multiply-adds"
    in_parts = dtype not in NAMES and not reduced
    if (dtype in NAMES or reduced) and large(n.rows, n.columns, n.depth, tuning):
        way, cut = "warpgroups", cut_for_warpgroups(n, dtype, _copied(dtype, left, right), tuning)
    elif dtype.nbytes <= 4 and many(n.rows, n.columns, n.depth, tuning):
        way, cut = "tensor cores", cut_for_tensor_cores(n, steps_of(in_parts), tuning)
    else:
        cut = cut_for_fma(n, max(dtype.nbytes, 4), tuning)
    deep = min(cut.share, n.depth) > DEEP and (way == "multiply-adds" or in_parts)
    whole = n.columns % TOGETHER == 0
    index = I32 if max(n.rows, n.columns) * n.depth < 1 << 31 else I64
    return Kind(dtype, reduced, left, right, whole, cut.rows, cut.columns, way, cut.shares > 1, deep, index), cut


def _copied(dtype: DType, left: Lies, right: Lies) -> bool:
    """Whether operands lie in memory as in tiles of warpgroups."""
    return dtype in NAMES and left.whole and right.whole


def operand_types(kind: Kind) -> tuple[list[ArrayType], dict[str, Any]]:
    """The operands of a dot_general that stands for all sizes, and its params."""
    matrices = [ArrayType((ANY, ANY, ANY), kind.dtype)] * 2
    dims = ((1 + kind.left.along_depth,), (1 + kind.right.along_depth,)), ((0,), (0,))
    return matrices, {"dims": dims, "precision": REDUCED if kind.reduced else IN_FULL}


def emit_product(name: str, graph: Graph, kind: Kind, of_shares: bool, contracts: bool, tuning: Tuning) -> SizedKernel | None:
    """The kernel of such a graph; None where its product is none of contract/. Its arguments are the operands, the result (the
    shares' sums, where the depth is split) and `WORDS`; of the kernel that adds shares they are those sums, the result and `WORDS`.
    """
    program = lowered(graph, contracts, tuning, "contract")
    if program is None or len(program.kernels) != 1:
        return None
    return WAYS[kind.way](name, program.graph, program.kernels[0], kind, of_shares, contracts, tuning).written()


class _Function:
    """A kernel by itself, as contract/ writes functions of a block."""

    def __init__(self, w: Writer) -> None:
        self.w, self.e, self.threads, self.table = w, w.e, w.threads, w.e.args[0]
        self.block = w.threads.block()

    def finish(self, blocks: int, shared_bytes: int = 0) -> SizedKernel:
        self.w.shared_bytes = shared_bytes
        return self.w.finish()


class _Told(ContractKernel):
    """What a kernel of contract/ knows of its sizes, from its arguments."""

    def __init__(
        self, name: str, graph: Graph, kernel: Kernel, kind: Kind, of_shares: bool, contracts: bool, tuning: Tuning
    ) -> None:
        self.kind, self.of_shares = kind, of_shares
        pointers = ("sums", "target") if of_shares else ("left", "right", "sums" if kind.split else "target")
        self.w = Writer(name, pointers, WORDS, contracts, tuning)
        left, right = graph.inputs
        self.names = {left: "left", right: "right", **{v: "target" for v in graph.outputs if isinstance(v, Var)}}
        super().__init__(self.w.module, name, kernel, self._pointers, lambda e, table: self.w.pointer("sums"))
        self.split, self.deep = kind.split, kind.deep

    def written(self) -> SizedKernel:
        return self._add_shares() if self.of_shares else self._product()  # type: ignore[return-value]

    def _pointers(self, e: Emitter, table: Reg, variables: Sequence[Var]) -> dict[Var, Reg]:
        return {v: self.w.pointer(self.names[v]) for v in dict.fromkeys(variables)}

    def _begin(self, f: BlockFunction) -> Place:
        p, e = super()._begin(f), f.e
        for v, pointer in p.x.pointers.items():
            p.x.pointers[v] = e.offset(pointer, e.mul(p.batch, self.w.word(f"{self.names[v]}_batch")), v.type.dtype)
        return p

    def _function(self, number: int) -> _Function:  # type: ignore[override]
        return _Function(self.w)

    def _cut(self, t: Gpu) -> Cut:
        return Cut(self.kind.rows, self.kind.columns, 1, 1)

    def _blocks(self, rows: int, columns: int) -> int:
        return 0

    def _sizes(self, f: object) -> Sizes:
        return Sizes(*[self.w.word(n) for n in WORDS[:6]])

    def is_multiple(self, axis: Axis, by: int) -> bool:
        return axis is self.c.column and self.kind.whole and TOGETHER % by == 0

    def lies_together(self, operand: Operand, along: Axis, count: int) -> bool:
        return (self.kind.left if operand.is_left else self.kind.right).whole

    def locate(self, p: Place, operand: Operand, side: Reg, depth: Reg) -> None:
        e, name = self.w.e, "left" if operand.is_left else "right"
        line, number = (side, depth) if operand.along_depth else (depth, side)
        lines = self.w.word(f"{name}_line")
        line, number, lines = (e.convert(n, self.kind.index) for n in (line, number, lines))
        place = e.add(e.mul(line, lines), number)
        for node in operand.loads():
            placed(p.x, node, place)

    def locate_result(self, x: ThreadExpressions, number: Reg) -> None:
        for s in self.kernel.stores:
            x.scopes[-1]["scalar", s.offset] = number


class _ByFma(_Told):
    """By multiply-adds."""


class _OnTensorCores(_Told, TensorCoreKernel):
    """By tensor cores."""


class _ByWarpgroups(_Told, WarpgroupKernel):
    """By wgmma."""

    def _copied(self, c: Contraction) -> bool:
        return _copied(self.kind.dtype, self.kind.left, self.kind.right)


WAYS: dict[str, type[_Told]] = {"multiply-adds": _ByFma, "tensor cores": _OnTensorCores, "warpgroups": _ByWarpgroups}
