"""What LLVM text is made of: registers with their types, how types and numbers are spelt, and the Module that functions, tables and
declarations are gathered in. Next on the path: `emitter.py`, which writes one function.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..ir.types import BOOL, DTYPES, F32, F64, DType, signed_integer, unsigned_integer
from ..kernels.tuning import Tuning

PTR = DType("ptr", "pointer", 64)
"""What a register holds that points to memory; no array has it."""
STORED = [d for d in DTYPES.values() if d.is_integer or d.is_storage]
"""What a register holds as an integer: integers, and floats that are computed in another type, by their bits."""
LLVM_TYPES = {BOOL: "i1", F32: "float", F64: "double", PTR: "ptr"} | {d: f"i{d.bits}" for d in STORED}
MANGLED = {BOOL: "i1", F32: "f32", F64: "f64", PTR: "p0"} | {d: f"i{d.bits}" for d in STORED}
Number = int | float | bool


class Reg(NamedTuple):
    """A value in a register: its LLVM spelling, its element type and how many lanes it has; and of a constant that is the same in
    all lanes which number it is.
    """

    text: str
    type: DType
    width: int = 1
    constant: Number | None = None

    @property
    def llvm(self) -> str:
        """The LLVM type, for example `<16 x float>`."""
        return llvm_type(self.type, self.width)

    @property
    def typed(self) -> str:
        """The LLVM spelling with its type in front, as an operand is written."""
        return f"{llvm_type(self.type, self.width)} {self.text}"


def llvm_type(type: DType, width: int = 1) -> str:
    scalar = LLVM_TYPES[type]
    return scalar if width == 1 else f"<{width} x {scalar}>"


def mangled(type: DType, width: int = 1) -> str:
    """How an intrinsic's name spells a type: `v16f32`."""
    return MANGLED[type] if width == 1 else f"v{width}{MANGLED[type]}"


def int_type(type: DType, signed: bool = True) -> DType:
    """The integer type as wide as `type`."""
    return signed_integer(type.bits) if signed else unsigned_integer(type.bits)


def in_type(value: Number, type: DType) -> Number:
    """The number as it is in an element type: floats rounded, integers wrapped."""
    if type == F32:
        return float(struct.unpack("<f", struct.pack("<f", value))[0]) if abs(value) <= 3.4028235677973366e38 else value
    if type == F64:
        return float(value)
    if type == BOOL:
        return bool(value)
    if type.is_storage:
        return float(np.array(value, type.numpy))
    bits = type.bits
    value = int(value) & ((1 << bits) - 1)
    return value - (1 << bits) if type.is_signed and value >> (bits - 1) else value


def spell(value: Number, type: DType) -> str:
    """LLVM's text of a number in the type: of a float the double that equals it, of an integer the one with a sign of its bits."""
    if type.is_storage:
        return str(int(np.array(value, type.numpy).view(unsigned_integer(type.bits).numpy)))
    if type.is_float:
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if type == BOOL:
        return "true" if value else "false"
    bits = type.bits
    return str(value - (1 << bits) if not type.is_signed and int(value) >> (bits - 1) else value)


class Module:
    """Functions, declarations and constant tables that go to LLVM together.

    `features` are LLVM's names of what the machine can do ("avx512f", "avx512dq", ...); the vector math writes single
    instructions where they allow it, with the same results. An empty set stands for any machine. `contracts` says whether register
    code may round less often than it is written: tasks/registers/products.py, passes/scales.py. `tuning` has the sizes that kernels
    are made by. `lent` says whether another module has a function that modules share. `lanes` is how many rows of a `rowwise`
    a vector has; 0: as many as suit the CPU. `lookups` says whether the vector math may look up coefficients, which registers of a
    CPU hold and a GPU must load.
    """

    def __init__(
        self,
        features: frozenset[str] = frozenset(),
        contracts: bool = True,
        tuning: Tuning | None = None,
        lent: Callable[[str], bool] = lambda name: False,
        lanes: int = 0,
        lookups: bool = True,
    ) -> None:
        self.lanes, self.lookups = lanes, lookups
        self.features, self.contracts, self.tuning, self._lent = features, contracts, tuning or Tuning(), lent
        self.functions: list[str] = []
        self.declarations: dict[str, str] = {}
        self.tables: dict[str, str] = {}
        self.linked: dict[str, str] = {}  # functions declared here -> text of the module that defines each: numba_scalar.link
        self.math_calls: dict[str, int] = {}  # how often each function of the vector math is asked for: vector_math/
        self.lends: list[str] = []
        self.borrows: list[str] = []
        """Functions that modules share: those that are here for all, and those of others that are called here."""
        self.beside: Module | None = None
        """A module of functions that this one borrows, which is compiled at the same time."""
        self._emitted: set[str] = set()

    def first_use(self, name: str) -> bool:
        """Whether a function that kernels share is asked for the first time, so that it is to be emitted."""
        new = name not in self._emitted
        self._emitted.add(name)
        return new

    def shares(self, name: str, arguments: Sequence[tuple[str, DType]]) -> bool:
        """Whether a function without a result that modules share is to be emitted here; one that another has is declared."""
        if not self.first_use(name):
            return False
        if self._lent(name):
            self.declare(name, "void", [llvm_type(type) for _, type in arguments])
            self.borrows.append(name)
            return False
        self.lends.append(name)
        return True

    def shares_beside(self, name: str, arguments: Sequence[tuple[str, DType]]) -> Module | None:
        """As `shares`: where the function is to be emitted, beside this module if one is, so that another thread compiles it."""
        if not self.shares(name, arguments):
            return None
        if self.beside is None:
            return self
        self.declare(name, "void", [llvm_type(type) for _, type in arguments])
        self.borrows.append(name)
        self.beside.lends.append(self.lends.pop())
        return self.beside

    def declare(self, name: str, result: str, args: Sequence[str]) -> None:
        if name not in self.declarations:
            self.declarations[name] = f"declare {result} @{name}({', '.join(args)})"

    def table(self, name: str, values: Sequence[Number], type: DType) -> Reg:
        """A constant array; the pointer to its first element. One name stands for one content."""
        if name not in self.tables:
            llvm = LLVM_TYPES[type]
            body = ", ".join(f"{llvm} {spell(in_type(v, type), type)}" for v in values)
            self.tables[name] = f"@{name} = internal unnamed_addr constant [{len(values)} x {llvm}] [{body}], align 64"
        return Reg(f"@{name}", PTR)

    def data(self, name: str, array: np.ndarray) -> Reg:
        """A constant array by its bytes, which LLVM reads far quicker than numbers; one name stands for one content."""
        if name not in self.tables:
            content = array.tobytes()
            self.tables[name] = (
                f'@{name} = internal unnamed_addr constant [{len(content)} x i8] c"\\{content.hex(chr(92))}", align 64'
            )
        return Reg(f"@{name}", PTR)

    @property
    def size(self) -> int:
        """About the length of its text."""
        return sum(map(len, self.functions))

    def text(self) -> str:
        return "\n".join([*self.tables.values(), *self.declarations.values(), *self.functions]) + "\n"
