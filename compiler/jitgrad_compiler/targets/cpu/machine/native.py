"""LLVM text in, machine code of this process out. Next on the path: `runtime/`, which calls the addresses.

The text is optimised by a short list of passes, compiled by a target machine of our own and linked by LLVM's ORC. Linking
goes through the relocatable object, so what a program runs is byte for byte what a cache can keep and load elsewhere.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import NamedTuple

import llvmlite.binding as llvm

from ....ending import whole
from ....kernels.tuning import Contraction, Tuning
from ...private_llvmlite import STRENGTH_REDUCTION, Task, emit_objects, without_strength_reduction
from ...private_llvmlite import lock as llvmlite_lock

# The kernels come with their vectors, accumulators and unrolling written out, so there is little left to do before code
# generation. Against the O3 pipeline (map, softmax, broadcast and gemm kernels, best of many runs) this list gives code of
# the same speed within 2 %, and takes 0.2 to 0.4 ms where O3 takes 3 to 12. Measured and left out for no gain: new_gvn
# (0.2 to 0.9 ms; instruction selection shares within a block), instruction_combine, simplify_cfg and loop_rotate.
# Without sroa, which turns the allocas of loop-carried values into registers, a gemm runs three times slower.
PASSES = ("always_inliner", "sroa")
CODEGEN_LEVEL = 2  # 1, 2 and 3 take the same time on our kernels; 0 takes a fifth to a half, and keeps nothing in registers

MOST_MACHINES = 8  # that compile at once; a first use of one takes a millisecond

_NO_SYMBOLS: Mapping[str, int] = MappingProxyType({})
_serial = itertools.count()
_lock = threading.RLock()


class LinkError(RuntimeError):
    """Machine code asks for a symbol that nobody gave, or lacks one that it should define."""


class NativeModule:
    """Machine code of this process. It is unloaded when the last reference to it goes."""

    __slots__ = ("_level", "_text", "_tracker", "exports", "lenders", "object")

    def __init__(
        self,
        tracker: llvm.ResourceTracker,
        exports: tuple[str, ...],
        data: bytes,
        text: str | None,
        level: int,
        lenders: tuple[NativeModule, ...],
    ) -> None:
        self._tracker = tracker
        self.lenders = lenders
        """The modules whose functions it calls."""
        self._text, self._level = text, level
        self.exports = exports
        self.object = data
        """The relocatable object: holds no address of this process."""

    def address(self, name: str) -> int:
        """Where an exported function starts."""
        if name not in self.exports:
            raise KeyError(f"address: the module exports {', '.join(self.exports) or 'nothing'}, not {name!r}")
        return int(self._tracker[name])

    @property
    def llvm_ir(self) -> str:
        """The optimised IR. Made anew at each call, so that a program which nobody inspects does not pay for it."""
        with _lock, _optimised(self.source) as module:
            return str(module)

    def assembly(self) -> str:
        """The assembly of this machine. Made anew at each call."""
        with _lock, _optimised(self.source) as module, without_strength_reduction():
            return str(_host().machine(self._level).emit_assembly(module))

    @property
    def source(self) -> str:
        """The text that was compiled."""
        if self._text is None:
            raise ValueError("a module loaded from an object has no IR; compile the program without the cache to see it")
        return self._text


@whole
def compile_ir(text: str, symbols: Mapping[str, int] = _NO_SYMBOLS, codegen_level: int = CODEGEN_LEVEL) -> NativeModule:
    """Compile and load LLVM IR.

    Args:
        text: a module in LLVM's text form. Every function it defines that is not `internal` is exported.
        symbols: addresses of functions that it declares and does not define. The C library's are known anyway.
        codegen_level: 0 to 3; 0 for code that computes nothing, where being compiled is most of what it costs.

    Raises:
        RuntimeError: the text is not valid IR (LLVM's own message says where).
        LinkError: a declared function is neither in `symbols` nor in the C library.
    """
    with _lock, _optimised(text) as module:
        with without_strength_reduction():
            data = _host().machine(codegen_level).emit_object(module)
        return _link(data, _exports(text), symbols, text, codegen_level)


class Source(NamedTuple):
    """A module's text, and the functions that it calls of others."""

    text: str
    borrows: Sequence[str] = ()


@whole
def compile_sources(
    sources: Sequence[Source],
    symbols: Mapping[str, int],
    lenders: Mapping[str, NativeModule],
    run: Callable[[int, int], None],
) -> list[NativeModule]:
    """Compile and load modules, several at once. What one borrows is a function of one before it, or of `lenders`.

    `run(args, tasks)` runs driver.py's OBJECTS on the thread pool.
    """
    with _lock:
        if len(sources) == 1:
            with _optimised(sources[0].text) as module, without_strength_reduction():
                objects = [_host().machine(CODEGEN_LEVEL).emit_object(module)]
        else:
            tasks = [_host().task(n) for n in range(min(_host().cores, len(sources)))]
            largest_first = sorted(range(len(sources)), key=lambda n: -len(sources[n].text))
            with without_strength_reduction():
                texts = [sources[n].text for n in largest_first]
                found = emit_objects(texts, tasks, _host().triple, _host().layout, _host().tuning, run)
            objects = [data for _, data in sorted(zip(largest_first, found, strict=True))]
        known, made = dict(lenders), []
        for source, data in zip(sources, objects, strict=True):
            lent = {name: known[name] for name in source.borrows}
            given = {**symbols, **{name: m.address(name) for name, m in lent.items()}}
            native = _link(data, _exports(source.text), given, source.text, lenders=tuple(dict.fromkeys(lent.values())))
            known.update(dict.fromkeys(native.exports, native))
            made.append(native)
        return made


@whole
def load_object(data: bytes, exports: Iterable[str], symbols: Mapping[str, int] = _NO_SYMBOLS) -> NativeModule:
    """Load what `NativeModule.object` held, in this process or another on a machine with the same `fingerprint()`."""
    with _lock:
        return _link(data, tuple(exports), symbols)


@functools.cache
def host_features() -> frozenset[str]:
    """LLVM's names of what this machine's processor can do: "avx512f", "fma", ..."""
    with _lock:
        return frozenset(f[1:] for f in _host().features.split(",") if f.startswith("+"))


@functools.cache
def host_tuning() -> Tuning:
    """The sizes that kernels of this machine are made by. Machines differ in what no bit of a result depends on."""
    return Tuning() if "avx512f" in host_features() else Tuning(contraction=Contraction(registers=8))


def fingerprint() -> str:
    """What machine code depends on beside the IR: objects are exchangeable where this string is equal."""
    with _lock:
        host = _host()
    version = ".".join(map(str, llvm.llvm_version_info))
    return f"llvm {version}; {host.triple}; {host.cpu}; {host.features}; O{CODEGEN_LEVEL}; {' '.join(PASSES)}; {STRENGTH_REDUCTION}"


class _Host:
    """This machine's compiler and linker; one a process."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.triple = llvm.get_process_triple()
        self.cpu = llvm.get_host_cpu_name()
        self.features = llvm.get_host_cpu_features().flatten()
        if self.triple.startswith("x86_64"):
            # LLVM tunes for 256-bit vectors on Intel's AVX-512 cores; our vectors are 64 bytes on purpose.
            self.features += ",-prefer-256-bit"
        self.cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_MACHINES)
        self.layout = str(self.machine(CODEGEN_LEVEL).target_data)
        self.tuning = llvm.create_pipeline_tuning_options(speed_level=0)
        # JITLink keeps the alignment of sections (a gemm's loop runs 8 % faster than through RuntimeDyld) and puts code,
        # constants and stubs for far functions within reach of the small model. Errors reach the caller, not stderr.
        self.linker = llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)

    @functools.cache  # noqa: B019 - the host lives as long as the process
    def machine(self, level: int, number: int = 0) -> llvm.TargetMachine:
        """A target machine, with which one thread works at a time. Position-independent code of the small model reads its constants
        relative to the instruction pointer: neither register nor instruction goes into addresses, as under the large model that
        llvmlite gives JITs.
        """
        return llvm.Target.from_triple(self.triple).create_target_machine(
            self.cpu, self.features, opt=level, reloc="pic", codemodel="small", jit=True
        )

    @functools.cache  # noqa: B019 - as above
    def passes(self, number: int = 0) -> llvm.ModulePassManager:
        """The passes, with which one thread works at a time."""
        passes = llvm.create_new_module_pass_manager()
        for name in PASSES:
            getattr(passes, f"add_{name}_pass")()
        return passes

    def task(self, number: int = 0) -> Task:
        """What one of several threads compiles with."""
        return Task(self.machine(CODEGEN_LEVEL, number), self.passes(number))


@functools.cache
def _host() -> _Host:
    return _Host()


_llvm_lock = llvmlite_lock()


def _before_fork() -> None:
    """A fork in the middle of a compilation on another thread would leave the child with a half-built module, and one while LLVM
    frees something, which happens outside our lock, with a lock that nobody releases.
    """
    _lock.acquire()
    _llvm_lock.__enter__()


def _after_fork() -> None:
    _llvm_lock.__exit__()
    _lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


@contextmanager
def _optimised(text: str) -> Iterator[llvm.ModuleRef]:
    """The module in a context of its own, as LLVM frees types and constants with their context alone. It ends before its context
    does; Python's collector, which would end both where an error's frames hold them, keeps to no order.
    """
    host = _host()
    with llvm.parse_assembly(text, llvm.create_context()) as module:
        module.triple = host.triple
        module.data_layout = host.layout
        module.verify()
        host.passes().run(module, llvm.create_pass_builder(host.machine(CODEGEN_LEVEL), host.tuning))
        yield module


_PRIVATE = "internal|private|linkonce|linkonce_odr|weak|weak_odr|available_externally"
_EXPORTED = re.compile(rf'^define (?!(?:{_PRIVATE}) )[^@]*@"?([^"(]+)', re.MULTILINE)


def _exports(text: str) -> tuple[str, ...]:
    """The functions that a module defines and others see."""
    return tuple(_EXPORTED.findall(text))


def _link(
    data: bytes,
    exports: tuple[str, ...],
    symbols: Mapping[str, int],
    text: str | None = None,
    level: int = CODEGEN_LEVEL,
    lenders: tuple[NativeModule, ...] = (),
) -> NativeModule:
    builder = llvm.JITLibraryBuilder().add_object_img(data)
    for name, address in symbols.items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    try:
        tracker = builder.link(_host().linker, f"jitgrad{next(_serial)}")
    except RuntimeError as error:
        # ORC prints which symbols it missed and raises without their names; every other failure it explains.
        undefined = _undefined(data) if "Failed to materialize" in str(error) else []
        missing = [name for name in undefined if name not in symbols and llvm.address_of_symbol(name) is None]
        reason = f"nobody gave the address of {', '.join(missing)}" if missing else str(error)
        raise LinkError(f"machine code could not be linked: {reason}") from error
    return NativeModule(tracker, exports, data, text, level, lenders)


def _undefined(data: bytes) -> list[str]:
    """The names that a whole ELF object leaves to the linker (System V ABI, "Symbol Table"); of other formats none is told."""
    if not data.startswith(b"\x7fELF\x02"):
        return []
    sections = {section.name(): section.data() for section in llvm.ObjectFileRef.from_data(data).sections()}
    names = sections[b".strtab"]
    undefined = []
    for start, _info, _other, section, _value, _size in struct.iter_unpack("<IBBHQQ", sections[b".symtab"]):
        if start and section == 0:
            undefined.append(names[start : names.index(b"\0", start)].decode())
    return undefined
