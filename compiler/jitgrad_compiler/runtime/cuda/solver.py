"""Linear algebra by cuSOLVER and cuBLAS, on the device and its stream: the ops of ops/column_routines.py, and triangular_solve.

Results are copies of the operands that routines overwrite. Batches are done by a call where the libraries have one for many small
matrices, else by a call for each. Sources: https://docs.nvidia.com/cuda/cusolver/ and https://docs.nvidia.com/cuda/cublas/.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.graph import OPS, Eqn, Rules
from ...ir.types import F32, F64, I32, DType
from ...ops.factorization import ROUTINES, complex_type, of_pairs
from .libraries import Libraries, spelled
from .memory import Buffer

if TYPE_CHECKING:
    from .devices import Device

TOGETHER = 256
"""The longest side of matrices that are worth a function for many at once; those for one are made for large ones."""
_LETTERS = {"f32": "S", "f64": "D", "c64": "C", "c128": "Z"}
_CUDA_TYPES = {"S": 0, "D": 1, "C": 4, "Z": 5}
"""cudaDataType_t: CUDA_R_32F, CUDA_R_64F, CUDA_C_32F, CUDA_C_64F."""
LOWER, UPPER = 0, 1
LEFT, RIGHT = 0, 1
NO_TRANSPOSE, TRANSPOSE = 0, 1
VALUES, VECTORS = 0, 1


class Call:
    """An equation that is to be done: where its operands and results lie, of how many matrices of which shapes."""

    def __init__(self, device: Device, libraries: Libraries, eqn: Eqn, addresses: Sequence[int]) -> None:
        self.device, self._libraries, self.ask = device, libraries, libraries.ask
        self.params = dict(eqn.params)
        paired = eqn.op is of_pairs
        self.op = OPS[self.params.pop("of")] if paired else eqn.op
        is_complex = bool(paired and self.params.pop("complex_operands"))
        self.inputs, self.outputs = addresses[: len(eqn.inputs)], addresses[len(eqn.inputs) :]
        routine = ROUTINES[self.op]
        types = [*[a.type for a in eqn.inputs], *[v.type for v in eqn.outputs]]
        lead = types[0].rank - routine.ranks[0] - is_complex
        self.count = math.prod(types[0].shape[:lead])
        dtype: DType = types[0].dtype
        assert dtype in (F32, F64), dtype
        self.letter = _LETTERS[str(complex_type(dtype) if is_complex else dtype)]
        self.nbytes = dtype.nbytes * (2 if is_complex else 1)
        """Of an element."""
        self.steps = [t.nbytes // self.count for t in types]
        """Of each operand and result the bytes of one matrix."""
        whole = [t.shape[lead:] for t in types[: len(eqn.inputs)]]
        self.shapes = [s[:-1] if is_complex and t.dtype.is_float else s for s, t in zip(whole, types, strict=False)]
        self._kept: list[Buffer] = []

    @property
    def handle(self) -> int:
        return self._libraries.solver

    @property
    def blas(self) -> int:
        return self._libraries.blas

    @property
    def parameters(self) -> int:
        return self._libraries.parameters

    @property
    def jacobi(self) -> int:
        return self._libraries.jacobi

    def has(self, function: str) -> bool:
        return self._libraries.has(spelled(function, self.letter))

    def together(self) -> bool:
        """Whether matrices are small, and several."""
        return self.count > 1 and int(max(self.shapes[0])) <= TOGETHER

    def do(self, function: str, *arguments: int) -> None:
        self.ask(function, *arguments, letter=self.letter)

    def copy(self, out: int, source: int) -> None:
        """A result as an operand is."""
        self.device.driver.copy(self.outputs[out], self.inputs[source], self.steps[source] * self.count)

    def memory(self, nbytes: int) -> int:
        """Memory of the device for the time of the call. What is asked of the stream later may have it again."""
        self._kept.append(self.device.memory.allocate(max(nbytes, 1)))
        return self._kept[-1].pointer

    def size(self, function: str, *arguments: int, behind: Sequence[int] = ()) -> int:
        """The elements of the memory that a function wants to work in, by its `_bufferSize`."""
        found = ctypes.c_int(0)
        self.do(f"{function}_bufferSize", *arguments, ctypes.addressof(found), *behind)
        return found.value

    def room(self, elements: int) -> int:
        return self.memory(elements * self.nbytes)

    def info(self) -> int:
        """Where how it went is of no interest."""
        return self.memory(I32.nbytes)

    def each(self) -> list[tuple[list[int], list[int]]]:
        """Of every matrix where operands and results lie."""
        ins, outs = self.steps[: len(self.inputs)], self.steps[len(self.inputs) :]
        return [
            (
                [a + n * step for a, step in zip(self.inputs, ins, strict=True)],
                [a + n * step for a, step in zip(self.outputs, outs, strict=True)],
            )
            for n in range(self.count)
        ]

    def pointers(self, number: int) -> int:
        """Of an operand, or of a result behind those, the addresses of all matrices, on the device."""
        start, step = (*self.inputs, *self.outputs)[number], self.steps[number]
        words = np.arange(self.count, dtype=np.int64) * step + start
        there = self.memory(words.nbytes)
        self.device.driver.upload(there, words.ctypes.data, words.nbytes)
        return there

    def number(self, value: float) -> Any:
        """A number of the element type, of the host."""
        parts = (value, 0.0)
        return ((ctypes.c_float if self.letter in "SC" else ctypes.c_double) * 2)(*parts)


DONE: Rules[Callable[[Call], None]] = Rules("a routine of cuSOLVER's or cuBLAS's")


@DONE.of("column_potrf")
def _potrf(c: Call) -> None:
    n = c.shapes[0][0]
    c.copy(0, 0)
    if c.together():
        c.do("cusolverDn{t}potrfBatched", c.handle, UPPER, n, c.pointers(1), n, c.outputs[1], c.count)
        return
    size = c.size("cusolverDn{t}potrf", c.handle, UPPER, n, c.outputs[0], n)
    room = c.room(size)
    for _, (matrix, info) in c.each():
        c.do("cusolverDn{t}potrf", c.handle, UPPER, n, matrix, n, room, size, info)


@DONE.of("column_getrf")
def _getrf(c: Call) -> None:
    columns, rows = c.shapes[0]
    c.copy(0, 0)
    if c.together() and rows == columns:
        c.do("cublas{t}getrfBatched", c.blas, rows, c.pointers(1), rows, c.outputs[1], c.outputs[2], c.count)
        return
    room = c.room(c.size("cusolverDn{t}getrf", c.handle, rows, columns, c.outputs[0], rows))
    for _, (matrix, pivots, info) in c.each():
        c.do("cusolverDn{t}getrf", c.handle, rows, columns, matrix, rows, room, pivots, info)


@DONE.of("column_getrs")
def _getrs(c: Call) -> None:
    columns, n = c.shapes[2]
    how = TRANSPOSE if c.params["transpose"] else NO_TRANSPOSE
    c.copy(0, 2)
    if c.together():
        info = ctypes.c_int(0)
        factors, b, pivots = c.pointers(0), c.pointers(3), c.inputs[1]
        c.do("cublas{t}getrsBatched", c.blas, how, n, columns, factors, n, pivots, b, n, ctypes.addressof(info), c.count)
        return
    info_there = c.info()
    for (factors, pivots, _), (b,) in c.each():
        c.do("cusolverDn{t}getrs", c.handle, how, n, columns, factors, n, pivots, b, n, info_there)


@DONE.of("triangular_solve")
def _triangular_solve(c: Call) -> None:
    """X A = B of what the library sees, the transposes, where we have A X = B."""
    rows, columns = c.shapes[1]
    n, p = c.shapes[0][0], c.params
    side, uplo = RIGHT if p["left"] else LEFT, UPPER if p["lower"] else LOWER
    how = TRANSPOSE if p["transpose"] else NO_TRANSPOSE
    one = c.number(1.0)
    first = (c.blas, side, uplo, how, int(p["unit_diagonal"]), columns, rows, ctypes.addressof(one))
    c.copy(0, 1)
    if c.together():
        c.do("cublas{t}trsmBatched", *first, c.pointers(0), n, c.pointers(2), columns, c.count)
        return
    for (a, _), (x,) in c.each():
        c.do("cublas{t}trsm_v2", *first, a, n, x, columns)


@DONE.of("column_geqrf")
def _geqrf(c: Call) -> None:
    columns, rows = c.shapes[0]
    c.copy(0, 0)
    size = c.size("cusolverDn{t}geqrf", c.handle, rows, columns, c.outputs[0], rows)
    room, info = c.room(size), c.info()
    for _, (matrix, taus) in c.each():
        c.do("cusolverDn{t}geqrf", c.handle, rows, columns, matrix, rows, taus, room, size, info)


@DONE.of("column_orgqr")
def _orgqr(c: Call) -> None:
    (columns, rows), (count,) = c.shapes
    c.copy(0, 0)
    size = c.size("cusolverDn{t}{or}gqr", c.handle, rows, columns, count, c.outputs[0], rows, c.inputs[1])
    room, info = c.room(size), c.info()
    for (_, taus), (matrix,) in c.each():
        c.do("cusolverDn{t}{or}gqr", c.handle, rows, columns, count, matrix, rows, taus, room, size, info)


@DONE.of("column_syevd")
def _syevd(c: Call) -> None:
    n, vectors = c.shapes[0][0], bool(c.params["vectors"])
    job = VECTORS if vectors else VALUES
    values, info = c.outputs[0], c.outputs[-1]
    if vectors:
        c.copy(1, 0)
        matrices = c.outputs[1]
    else:
        matrices = c.memory(c.steps[0] * c.count)
        c.device.driver.copy(matrices, c.inputs[0], c.steps[0] * c.count)
    if c.count > 1 and c.has("cusolverDnXsyevBatched"):
        _syev_batched(c, job, n, matrices, values, info)
        return
    size = c.size("cusolverDn{t}{sy}evd", c.handle, job, UPPER, n, matrices, n, values)
    room = c.room(size)
    for number, (_, outs) in enumerate(c.each()):
        matrix = matrices + number * c.steps[0]
        c.do("cusolverDn{t}{sy}evd", c.handle, job, UPPER, n, matrix, n, outs[0], room, size, outs[-1])


def _syev_batched(c: Call, job: int, n: int, matrices: int, values: int, info: int) -> None:
    kind = _CUDA_TYPES[c.letter]
    real = _CUDA_TYPES[{"C": "S", "Z": "D"}.get(c.letter, c.letter)]
    first = (c.handle, c.parameters, job, UPPER, n, kind, matrices, n, real, values, kind)
    there, here = ctypes.c_size_t(0), ctypes.c_size_t(0)
    c.do("cusolverDnXsyevBatched_bufferSize", *first, ctypes.addressof(there), ctypes.addressof(here), c.count)
    room, on_host = c.memory(there.value), (ctypes.c_byte * max(here.value, 1))()
    host = ctypes.addressof(on_host) if here.value else 0
    c.do("cusolverDnXsyevBatched", *first, room, there.value, host, here.value, info, c.count)
    if here.value:
        c.device.driver.release(partial(len, on_host))  # which keeps it until the work is done


@DONE.of("column_gesvd")
def _gesvd(c: Call) -> None:
    (columns, rows), vectors = c.shapes[0], bool(c.params["vectors"])
    left, right = (ord("A" if c.params["full"] else "S"), ord("S")) if vectors else (ord("N"), ord("N"))
    size = c.size("cusolverDn{t}gesvd", c.handle, rows, columns)
    room, rest = c.room(size), c.room(columns)
    spoiled = c.memory(c.steps[0])
    for (at,), outs in c.each():
        u, vh = outs[1:3] if vectors else (0, 0)
        c.device.driver.copy(spoiled, at, c.steps[0])
        c.do(
            "cusolverDn{t}gesvd", c.handle, left, right, rows, columns, spoiled, rows, outs[0], u, rows, vh, columns, room, size,
            rest, outs[-1],
        )  # fmt: skip


@DONE.of("column_gesvdj")
def _gesvdj(c: Call) -> None:
    columns, rows = c.shapes[0]
    s, u, v, info = c.outputs
    spoiled = c.memory(c.steps[0] * c.count)
    c.device.driver.copy(spoiled, c.inputs[0], c.steps[0] * c.count)
    first = (c.handle, VECTORS, rows, columns, spoiled, rows, s, u, rows, v, columns)
    size = c.size("cusolverDn{t}gesvdjBatched", *first, behind=(c.jacobi, c.count))
    c.do("cusolverDn{t}gesvdjBatched", *first, c.room(size), size, info, c.jacobi, c.count)


class Solver:
    """Does equations on one device, one at a time: a handle is one thread's."""

    def __init__(self, device: Device, libraries: Libraries) -> None:
        self._device, self._libraries, self._lock = device, libraries, threading.Lock()

    def run(self, eqn: Eqn, addresses: Sequence[int]) -> None:
        """Ask for an equation, whose operands and results lie at these addresses."""
        with self._lock:
            call = Call(self._device, self._libraries, eqn, addresses)
            DONE[call.op](call)
