"""A task function that does one matrix of a batch after the other: where a matrix lies, calls of LAPACK, moves of elements.

LAPACK's matrices are column by column in memory, ours row by row: what it is given is the transpose. Routines are chosen so that
this is what they want, and transposed in memory alone where there is none. Complex numbers are pairs of real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from ....ir.graph import OPS, Literal, Var
from ....ir.types import F32, F64, I8, I32, I64, DType
from ....kernels.kernel import Kernel
from ....ops.factorization import ROUTINES, of_pairs
from ...emitter import Emitter
from ...llvm_text import LLVM_TYPES, Module, Reg
from ...memory_operations import copy_bytes
from ...order import VECTOR_BYTES
from ...scipy_routines import routine
from ..partition import Partition, partition
from ..phases import TASK_ARGUMENTS, Emitted, Phase, Pointers, Scratch

Argument = Reg | int | float | str

ENTER, LEAVE = "jitgrad_blas_enter", "jitgrad_blas_leave"
"""What tasks call around their calls of BLAS, to keep it to one thread: cpu/machine/blas_threads.py."""


class Matrices:
    """What the routine of an op reads and writes of one matrix, inside `each`."""

    inputs: list[Reg]
    """Where the operands of this matrix start, and its results."""
    outputs: list[Reg]

    def __init__(self, module: Module, name: str, kernel: Kernel, pointers: Pointers, scratch: Scratch) -> None:
        eqn = kernel.eqns[0]
        self.module, self.name, self._pointers, self._scratch = module, name, pointers, scratch
        self.params = dict(eqn.params)
        paired = eqn.op is of_pairs
        self.op = OPS[self.params.pop("of")] if paired else eqn.op
        self.complex = bool(paired and self.params.pop("complex_operands"))
        """Whether the operands are complex, in pairs."""
        found = ROUTINES[self.op]
        self.operands = [a for a in eqn.inputs if isinstance(a, Var)]
        assert not any(isinstance(a, Literal) for a in eqn.inputs)
        self.results = list(eqn.outputs)
        types = [a.type for a in self.operands]
        lead = types[0].rank - found.ranks[0] - self.complex
        self.count = math.prod(types[0].shape[:lead])
        self.dtype: DType = types[0].dtype
        self.shapes = [self._core(v, lead) for v in self.operands]
        self.result_shapes = [self._core(v, lead, paired and not self.complex) for v in self.results]
        self._lead = lead
        self._scratch_bytes = 0
        n = max([n for s in self.shapes for n in s], default=1)
        most = module.tuning.most_tasks if self.count * n**3 >= module.tuning.matrices.serial_work else 1
        self.parts: Partition = partition(self.count, most)
        self.e = Emitter(module, name, TASK_ARGUMENTS)

    def _core(self, v: Var, lead: int, made_complex: bool = False) -> tuple[int, ...]:
        """The shape of one matrix, without the pairs' axis."""
        shape: tuple[int, ...] = v.type.shape[lead:]
        return shape[:-1] if (self.complex or made_complex) and v.type.dtype.is_float else shape

    @property
    def parts_of_number(self) -> int:
        """Real numbers in an element of the operands."""
        return 2 if self.complex else 1

    @property
    def letter(self) -> str:
        """Of the routines for the element type."""
        return {"s": "c", "d": "z"}[self.real_letter] if self.complex else self.real_letter

    @property
    def real_letter(self) -> str:
        """Of those for the type of its parts."""
        return {F32: "s", F64: "d"}[self.dtype]

    def nbytes(self, count: int) -> int:
        """Of so many elements."""
        return count * self.dtype.nbytes * self.parts_of_number

    @contextmanager
    def each(self, calls: bool = True) -> Iterator[None]:
        """The body is done for each matrix of a task, with BLAS on one thread where it calls that."""
        e = self.e
        args, begin, end = e.args
        found = self._pointers(e, args, [*self.operands, *self.results])
        self._base = self._scratch(e, args)
        for name in (ENTER, LEAVE) if calls else ():
            self.module.declare(name, "void", [])
        if calls:
            e.call(ENTER, None)
        with e.loop(begin, end) as self._task:
            low, high = self.parts.bounds(e, self._task)
            with e.loop(low, high) as matrix:

                def at(v: Var) -> Reg:
                    return e.offset(found[v], e.mul(matrix, math.prod(v.type.shape[self._lead :])), v.type.dtype)

                self.inputs, self.outputs = [at(v) for v in self.operands], [at(v) for v in self.results]
                yield
        if calls:
            e.call(LEAVE, None)
        e.finish()

    @contextmanager
    def each_run(self) -> Iterator[tuple[Reg, Reg]]:
        """The body is done for each run of units of the one matrix, from its first unit to behind its last."""
        e = self.e
        args, begin, end = e.args
        found = self._pointers(e, args, [*self.operands, *self.results])
        self._base = self._scratch(e, args)
        self.inputs, self.outputs = [found[v] for v in self.operands], [found[v] for v in self.results]
        for name in (ENTER, LEAVE):
            self.module.declare(name, "void", [])
        e.call(ENTER, None)
        with e.loop(begin, end) as task:
            yield self.parts.bounds(e, task)
        e.call(LEAVE, None)
        e.finish()

    def lent(self, start: int) -> Reg:
        """A place in scratch memory, so many bytes behind its start."""
        return self.e.offset(self._base, start, I8)

    def integer(self, value: Reg) -> Reg:
        """Where an integer is that routines read."""
        slot = self.e.alloca(I32)
        self.e.set(slot, self.e.convert(value, I32))
        return slot

    def emitted(self) -> Emitted:
        return Emitted([Phase(self.name, self.parts.tasks)], self._scratch_bytes)

    def scratch(self, nbytes: int) -> Reg:
        """Memory of this task's own."""
        nbytes = -(-max(nbytes, 1) // 64) * 64
        start, self._scratch_bytes = self._scratch_bytes, self._scratch_bytes + self.parts.tasks * nbytes
        return self.e.offset(self.e.offset(self._base, start, I8), self.e.mul(self._task, nbytes), I8)

    def numbers(self, count: int) -> Reg:
        """Scratch memory for so many elements."""
        return self.scratch(self.nbytes(count))

    # -- routines

    def call(self, name: str, *arguments: Argument, library: str = "lapack", letter: str | None = None) -> None:
        """A routine by its name without the letter of its type, which comes in front. Arguments are what they point to."""
        self._call(name, None, arguments, library, letter)

    def value(self, name: str, *arguments: Argument, library: str = "lapack") -> Reg:
        """What a function of real numbers gives, by its name without the letter of its type."""
        found = self._call(name, self.dtype, arguments, library, self.real_letter)
        assert found is not None
        return found

    def _call(self, name: str, result: DType | None, arguments: Sequence[Argument], library: str, letter: str | None) -> Reg | None:
        symbol = routine(library, (self.letter if letter is None else letter) + name)
        pointers = [a if isinstance(a, Reg) else self._constant(a) for a in arguments]
        self.module.declare(symbol, "void" if result is None else LLVM_TYPES[result], ["ptr"] * len(pointers))
        return self.e.call(symbol, result, *pointers)

    def blas(self, name: str, *arguments: Argument) -> None:
        self.call(name, *arguments, library="blas")

    def _constant(self, value: Argument) -> Reg:
        if isinstance(value, str):
            return self.module.table(f"letter.{value}", [ord(value)], I8)
        if isinstance(value, float):
            table = [value, 0.0] if self.complex else [value]
            return self.module.table(f"number.{self.dtype}.{value}.{len(table)}", table, self.dtype)
        assert isinstance(value, int)
        return self.module.table(f"integer.{value}".replace("-", "minus"), [value], I32)

    def info(self) -> Reg:
        """Where a routine says how it ended."""
        return self.e.alloca(I32)

    def failed(self, info: Reg) -> Reg:
        return self.e.compare("ne", self.e.get(info, I32), 0)

    # -- moves of elements

    def move(self, target: Reg, target_at: Reg, source: Reg, source_at: Reg, conjugate: bool = False) -> None:
        """One element to another place."""
        e, parts = self.e, self.parts_of_number
        for part in range(parts):
            value = e.load(e.offset(source, e.add(e.mul(source_at, parts), part), self.dtype), self.dtype)
            value = e.neg(value) if conjugate and part else value
            e.store(e.offset(target, e.add(e.mul(target_at, parts), part), self.dtype), value)

    def copy(self, target: Reg, source: Reg, count: int) -> None:
        copy_bytes(self.e, target, source, self.nbytes(count))

    def at(self, matrix: Reg, place: Reg) -> Reg:
        """Where the element of a place lies."""
        return self.e.offset(matrix, self.e.mul(place, self.parts_of_number), self.dtype)

    def unit(self, target: Reg, rows: int, columns: int) -> None:
        """Ones on the diagonal, else zeros."""
        self.fill(target, rows * columns * self.parts_of_number, 0.0)
        with self.e.loop(0, min(rows, columns)) as i:
            self.e.store(self.at(target, self.e.mul(i, columns + 1)), self.e.const(1.0, self.dtype))

    def fill_integers(self, target: Reg, count: int, value: int) -> None:
        with self.e.loop(0, count) as i:
            self.e.store(self.e.offset(target, i, I32), self.e.const(value, I32))

    def turn(
        self, target: Reg, source: Reg, rows: int, columns: int, conjugate: bool = False, source_width: int | None = None
    ) -> None:
        """target [columns, rows] = the transpose of source [rows, columns], or its conjugate; source's rows may be wider."""
        self._turn(target, source, rows, 0, columns, conjugate, columns if source_width is None else source_width)

    def turn_columns(
        self, target: Reg, source: Reg, rows: int, columns: int, low: Reg, high: Reg, order: Reg | None = None
    ) -> None:
        """The same of some columns of source, which are rows of target; `order` has the numbers of source's rows, from 1 on."""
        self._turn(target, source, rows, low, high, False, columns, order)

    def _turn(
        self, target: Reg, source: Reg, rows: int, low: Reg | int, high: Reg | int, conjugate: bool, width: int,
        order: Reg | None = None,
    ) -> None:  # fmt: skip
        e, side = self.e, self.module.tuning.matrices.turned
        with e.loop(0, rows, side) as first:
            last = e.least(e.add(first, side), rows)
            with e.loop(low, high) as j, e.loop(first, last) as i:
                row = i if order is None else self.listed(order, i)
                self.move(target, e.add(e.mul(j, rows), i), source, e.add(e.mul(row, width), j), conjugate)

    def listed(self, numbers: Reg, at: Reg) -> Reg:
        """A number from 0 on, of some that LAPACK counts from 1 on."""
        return self.e.sub(self.e.convert(self.e.load(self.e.offset(numbers, at, I32), I32), I64), 1)

    def fill(self, target: Reg, count: int, value: float, dtype: DType | None = None) -> None:
        """So many real numbers of one value."""
        dtype = dtype or self.dtype
        self._fill(target, self.e.const(0, I64), self.e.const(count, I64), value, dtype)

    def vectors(self, low: Reg, high: Reg, body: Callable[[Reg, Reg, int], None], dtype: DType | None = None) -> None:
        """The body for runs of real numbers as long as a vector: (the first one, the mask of those that there are, the length)."""
        e, width = self.e, VECTOR_BYTES // (dtype or self.dtype).nbytes
        with e.loop(low, high, width) as i:
            body(i, e.lanes_below(e.sub(high, i), width), width)

    def _fill(self, target: Reg, low: Reg, high: Reg, value: float, dtype: DType) -> None:
        e = self.e

        def put(i: Reg, mask: Reg, width: int) -> None:
            e.store(e.offset(target, i, dtype), e.const(value, dtype, width), mask)

        self.vectors(low, high, put, dtype)

    def spoil(self, results: Sequence[int] | None = None) -> None:
        """NaN in all results, or in those of these numbers."""
        for n in range(len(self.results)) if results is None else results:
            v = self.results[n]
            if v.type.dtype.is_float:
                self.fill(self.outputs[n], math.prod(v.type.shape[self._lead :]), math.nan, v.type.dtype)

    def clear_triangle(self, matrix: Reg, n: int, columns: int, above: bool) -> None:
        """Zeros strictly above the diagonal of n rows, or strictly below."""
        e, parts = self.e, self.parts_of_number
        with e.loop(0, n) as i:
            row = e.offset(matrix, e.mul(i, columns * parts), self.dtype)
            behind = e.least(e.add(i, 1) if above else i, columns)
            low, high = (behind, e.const(columns, I64)) if above else (e.const(0, I64), behind)
            self._fill(row, e.mul(low, parts), e.mul(high, parts), 0.0, self.dtype)

    def finite(self, source: Reg, count: int) -> Reg:
        """Whether all of so many elements are."""
        e, dtype, width = self.e, self.dtype, VECTOR_BYTES // self.dtype.nbytes
        zero = e.alloca(dtype, width)
        e.set(zero, e.const(0.0, dtype, width))

        def take(i: Reg, mask: Reg, width: int) -> None:
            x = e.select(mask, e.load(e.offset(source, i, dtype), dtype, width, mask), e.const(0.0, dtype, width))
            e.set(zero, e.add(e.get(zero, dtype, width), e.sub(x, x)))

        self.vectors(e.const(0, I64), e.const(count * self.parts_of_number, I64), take)
        return e.compare("eq", e.fold(e.add, e.get(zero, dtype, width)), 0.0)

    def spoil_unless_finite(self, source: Reg, count: int, results: Sequence[int] | None = None) -> None:
        """NaN in results of an operand with a NaN or an infinity, which routines pass on here and drop there."""
        with self.e.when(self.e.not_(self.finite(source, count)), unlikely=True):
            self.spoil(results)

    def scaling(self, source: Reg, count: int) -> tuple[Reg, Reg]:
        """What so many elements are to be multiplied by, so that their squares neither over- nor underflow; whether it is not 1."""
        e, dtype, width = self.e, self.dtype, VECTOR_BYTES // self.dtype.nbytes
        found, nothing = e.alloca(dtype, width), e.const(0.0, dtype, width)
        e.set(found, nothing)

        def take(i: Reg, mask: Reg, width: int) -> None:
            size = e.abs(e.select(mask, e.load(e.offset(source, i, dtype), dtype, width, mask), nothing))
            before = e.get(found, dtype, width)
            e.set(found, e.select(e.compare("gt", size, before), size, before))

        self.vectors(e.const(0, I64), e.const(count * self.parts_of_number, I64), take)
        largest = e.fold(lambda x, y: e.select(e.compare("gt", x, y), x, y), e.get(found, dtype, width))
        info = np.finfo(dtype.numpy)
        smallest = 2 * math.sqrt(float(info.tiny)) / float(info.eps)
        low, high = (e.const(x, dtype) for x in (smallest, 1 / smallest))
        small = e.and_(e.compare("lt", largest, low), e.compare("gt", largest, 0.0))
        wanted = e.select(small, low, e.select(e.compare("gt", largest, high), high, largest))
        scaled = e.compare("ne", wanted, largest)
        return e.select(scaled, e.div(wanted, largest), e.const(1.0, dtype)), scaled

    def scale(self, matrix: Reg, count: int, factor: Reg, back: bool = False) -> None:
        """So many elements times the factor, or divided by it."""
        e = self.e
        with e.loop(0, count * self.parts_of_number) as i:
            place = e.offset(matrix, i, self.dtype)
            e.store(place, (e.div if back else e.mul)(e.load(place, self.dtype), factor))
