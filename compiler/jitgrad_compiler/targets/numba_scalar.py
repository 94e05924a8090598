"""Plain Python functions of numbers, compiled to LLVM functions that kernels call and LLVM inlines: those of float64 numbers in a
small language by `scalar_translation.py`, all others by Numba.

A Python function and the types of its arguments come in, the text of an LLVM module that defines `double @name(double)` goes
out (`scalar_function`). A kernel calls it lane by lane (`call_scalar`), and its module is linked with the pieces it calls
(`link`) before it is optimised. What libm would have computed is our own vector math at one lane (`libm.py`, next on the
path), so a piece needs nothing from outside and compiles for every target, CUDA included.

Numba's part ends at LLVM IR: its status code and exception slot are checked here to be dead and are gone after inlining.
Nothing of the process or of the host's CPU is in the text.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from ..ending import whole
from ..errors import JitgradError
from ..ir.types import BOOL, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType
from .emitter import Emitter
from .libm import MissingFunctionError, define
from .llvm_text import LLVM_TYPES, PTR, Module, Reg
from .private_numba import llvm_ir, numba
from .scalar_translation import Untranslatable, translate

_NUMBA_TYPES = {
    BOOL: "boolean", I8: "int8", I16: "int16", I32: "int32", I64: "int64", U8: "uint8", U16: "uint16",
    U32: "uint32", U64: "uint64", F32: "float32", F64: "float64",
}  # fmt: skip
_RAISES = "jitgrad.raises"
_Types = tuple[tuple[DType, ...], tuple[DType, ...]]
"""The types that kernels pass, and those that the function takes."""


class ScalarFunctionError(JitgradError, TypeError):
    """A Python function that can't become code inside a kernel: Numba can't type it, or it can raise or allocate."""


class ScalarCode(NamedTuple):
    """A scalar function as LLVM text: `text` defines `name`, which takes and returns the types named."""

    name: str
    argument_types: tuple[DType, ...]
    result_type: DType
    text: str


def scalar_function(
    function: Callable[..., Any], argument_types: tuple[DType, ...], result_type: DType, computed_in: DType | None = None
) -> ScalarCode:
    """Compile `function` for arguments of these element types ('f32', 'f64', 'i32', 'bool', ...).

    Types inside follow Numba: a float32 times a Python float is a float64. With `computed_in` the arguments are converted
    to that type first, and the result is rounded once at the end. Plain Python functions that `function` calls by name
    are compiled with it. Floats divide as in NumPy: 1.0 / 0.0 is inf.

    Raises ScalarFunctionError where Numba can't type the function, or where it can raise, allocate or call itself.
    """
    name = scalar_name(function, argument_types, result_type, computed_in)
    if name not in _compiled:
        _compiled[name] = _compile(function, name, argument_types, result_type, computed_in)
    return _compiled[name]


_compiled: dict[str, ScalarCode] = {}


def scalar_name(
    function: Callable[..., Any], argument_types: tuple[DType, ...], result_type: DType, computed_in: DType | None = None
) -> str:
    """The LLVM name of the function: a hash of its bytecode, of all it refers to and of the types.

    It is the same in every process of one Python version, and needs no Numba, so it serves as a key of caches.
    """
    signature = f"{','.join(argument_types)}->{result_type} in {computed_in}"
    content = "\n".join([sys.version.split()[0], signature, *_fingerprint(_plain(function), (), {})])
    return f"scalar.{_plain(function).__name__.strip('<>')}.{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def call_scalar(e: Emitter, code: ScalarCode, *args: Reg) -> Reg:
    """`code` applied to each lane. Scalars beside vectors are splatted; types must be those the code was compiled for."""
    if tuple(a.type for a in args) != code.argument_types:
        raise ScalarFunctionError(f"{code.name} takes {code.argument_types}, got {tuple(a.type for a in args)}")
    e.module.linked[code.name] = code.text
    e.module.declare(code.name, LLVM_TYPES[code.result_type], [LLVM_TYPES[t] for t in code.argument_types])
    width = max(a.width for a in args)
    if width == 1:
        return _called(e, code, args)
    # A loop over lanes in memory, not one call a lane: the function's body is inlined once, whatever the width.
    slots = []
    for arg in args:
        slots.append(e.alloca(_memory_type(arg.type), width))
        e.store(slots[-1], e.splat(arg, width))
    result = e.alloca(_memory_type(code.result_type), width)
    with e.loop(0, width) as lane:
        scalars = [e.load(e.offset(slot, lane, arg.type), arg.type) for slot, arg in zip(slots, args, strict=True)]
        e.store(e.offset(result, lane, code.result_type), _called(e, code, scalars))
    return e.load(result, code.result_type, width)


@whole
def link(module_text: str, pieces: Mapping[str, str]) -> str:
    """The text of a module with its pieces (`Module.linked`) linked in, each private to it: what `compile_ir` takes."""
    if not pieces:
        return module_text
    context = llvm.create_context()  # LLVM frees types and constants with their context alone
    with llvm.parse_assembly(module_text, context) as module:
        for name, text in pieces.items():
            module.link_in(llvm.parse_assembly(text, context))
            module.get_function(name).linkage = "internal"
        return str(module)


def _called(e: Emitter, code: ScalarCode, args: Any) -> Reg:
    result = e.call(code.name, code.result_type, *args)
    assert result is not None
    return result


def _memory_type(type: DType) -> DType:
    return U8 if type == BOOL else type


# -- what a function is made of: its hash, and the functions it calls


def _plain(function: Callable[..., Any]) -> FunctionType:
    """The Python function under a Numba dispatcher, or itself."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise ScalarFunctionError(f"a scalar function must be a plain Python function, got {function!r}")
    return plain


def _where(function: FunctionType) -> str:
    return f"{function.__name__} ({function.__code__.co_filename}:{function.__code__.co_firstlineno})"


def _referred(function: FunctionType) -> dict[str, Any]:
    """The values of the outer names that a function mentions, builtins left out."""

    def names(code: CodeType) -> Iterator[str]:
        yield from code.co_names
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from names(constant)

    mentioned = {n: function.__globals__[n] for n in names(function.__code__) if n in function.__globals__}
    closure = function.__closure__ or ()
    return mentioned | {n: c.cell_contents for n, c in zip(function.__code__.co_freevars, closure, strict=True)}


def _fingerprint(function: FunctionType, callers: tuple[FunctionType, ...], met: dict[FunctionType, int]) -> Iterator[str]:
    """What a function and those that it calls are; each once, and where it is met again the number that it was met as."""
    if function in callers:
        raise ScalarFunctionError(f"{_where(function)} calls itself: a scalar function is inlined, so write it as a loop")
    if function in met:
        yield f"function {met[function]}"
        return
    met[function] = len(met)
    yield from _code_fingerprint(function.__code__)
    yield repr(function.__defaults__)
    for name, value in sorted(_referred(function).items()):
        if isinstance(value, ModuleType):
            constants = {n: getattr(value, n, None) for n in function.__code__.co_names}
            yield f"{name} {value.__name__} { {n: c for n, c in constants.items() if isinstance(c, int | float)} }"
        elif isinstance(value, FunctionType) or hasattr(value, "py_func"):
            yield name
            yield from _fingerprint(_plain(value), (*callers, function), met)
        elif isinstance(value, BuiltinFunctionType) or getattr(builtins, getattr(value, "__name__", ""), None) is value:
            yield f"{name} {getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        elif _is_constant(value):
            yield f"{name} {value!r}"
        else:
            raise ScalarFunctionError(
                f"{_where(function)} refers to {name!r}, a {type(value).__name__}: a scalar function may use numbers, "
                f"tuples of numbers, functions and modules from outside; pass anything else as an argument"
            )


def _code_fingerprint(code: CodeType) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_varnames} {code.co_names} {code.co_freevars} {code.co_argcount}"
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_fingerprint(constant)
        else:
            yield repr(sorted(constant) if isinstance(constant, frozenset) else constant)


def _is_constant(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, tuple) and all(_is_constant(v) for v in value))


# -- Numba


@whole
def _compile(
    function: Callable[..., Any], name: str, argument_types: tuple[DType, ...], result_type: DType, computed_in: DType | None
) -> ScalarCode:
    inner_types = tuple(computed_in or t for t in argument_types)
    inner_result = computed_in or result_type
    plain = _plain(function)
    text = _translated(plain, name, (argument_types, inner_types), (result_type, inner_result))
    if text is None:
        text = _by_numba(plain, name, (argument_types, inner_types), (result_type, inner_result))
    with llvm.parse_assembly(text, llvm.create_context()) as parsed:
        _make_private(parsed, name)
        _optimize(parsed)
        parsed.get_function(name).linkage = "linkonce_odr"  # modules that are linked together may both bring it
        finished = str(parsed)
    _check(finished, text, plain)
    return ScalarCode(name, argument_types, result_type, _stable_names(_without_target(finished), name))


def _translated(function: FunctionType, name: str, argument_types: _Types, result_types: tuple[DType, DType]) -> str | None:
    """The text of a function of float64 numbers, where it is in the language of `scalar_translation.py`."""
    if any(t != F64 for t in (*argument_types[1], result_types[1])):
        return None
    module = Module()
    try:
        symbol, type = translate(function, module, len(argument_types[1]))
    except Untranslatable:
        return None
    e = _entry(module, name, argument_types[0], result_types[0])
    result = e.call(symbol, type, *[e.convert(a, F64) for a in e.args])
    assert result is not None
    e.finish(e.convert(e.convert(result, F64), result_types[0]))
    return module.text()


def _by_numba(function: FunctionType, name: str, argument_types: _Types, result_types: tuple[DType, DType]) -> str:
    symbol, text = _numba_ir(function, argument_types[1], result_types[1])
    module = Module()
    _emit_entry(module, name, symbol, argument_types, result_types)
    try:
        return define(_saturating(_without_target(text), module), module)
    except MissingFunctionError as error:
        raise ScalarFunctionError(f"{_where(function)}: {error}") from None


def _numba_ir(function: FunctionType, argument_types: tuple[DType, ...], result_type: DType) -> tuple[str, str]:
    """Numba's symbol and IR of the function and all it calls."""
    try:
        return llvm_ir(_with_compiled_callees(function), tuple(_NUMBA_TYPES[t] for t in argument_types), _NUMBA_TYPES[result_type])
    except numba("core").errors.NumbaError as error:
        raise ScalarFunctionError(
            f"{_where(function)} does not compile for {', '.join(argument_types)} -> {result_type}: "
            f"it must be a function of numbers that Numba can type, without lists, strings or other objects. "
            f"Numba says: {_summary(str(error))}"
        ) from error


def _summary(message: str) -> str:
    """What Numba's message says before it lists the candidates it tried."""
    return " ".join(message.partition("\nDuring:")[0].partition("\nThere are")[0].split())


@functools.cache
def _dispatcher(function: FunctionType) -> Any:
    return numba().njit(error_model="numpy")(_with_compiled_callees(function))


def _with_compiled_callees(function: FunctionType) -> FunctionType:
    """A copy whose outer names of plain Python functions stand for Numba's dispatchers of them."""
    callees = {n: _dispatcher(v) for n, v in _referred(function).items() if isinstance(v, FunctionType)}
    if not callees:
        return function
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = tuple(CellType(callees[n]) if n in callees else cell for n, cell in cells)
    copy = FunctionType(function.__code__, function.__globals__ | callees, function.__name__, function.__defaults__, closure)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


# -- from Numba's IR to ours


def _emit_entry(module: Module, name: str, symbol: str, argument_types: _Types, result_types: tuple[DType, DType]) -> None:
    """The function with a plain signature: converts, calls Numba's, traps a raised exception, converts back."""
    outer, inner = argument_types
    e = _entry(module, name, outer, result_types[0])
    args = [e.convert(a, t) for a, t in zip(e.args, inner, strict=True)]
    result, exception = e.alloca(_memory_type(result_types[1])), e.alloca(PTR)
    # Numba passes bools as bytes.
    typed = ", ".join(e.convert(a, _memory_type(a.type)).typed for a in args)
    status = e.op(f"call i32 @{symbol}({result.typed}, {exception.typed}, {typed})", I32)
    module.declare(_RAISES, "void", [])
    with e.when(e.compare("ne", status, 0), unlikely=True):
        e.call(_RAISES, None)
    e.finish(e.convert(e.load(result, result_types[1]), result_types[0]))


def _entry(module: Module, name: str, argument_types: tuple[DType, ...], result_type: DType) -> Emitter:
    return Emitter(module, name, [(f"x{i}", t) for i, t in enumerate(argument_types)], LLVM_TYPES[result_type])


def _without_target(text: str) -> str:
    return re.sub(r"^(target \w+|source_filename) = .*\n|^; ModuleID.*\n", "", text, flags=re.MULTILINE)


def _saturating(text: str, module: Module) -> str:
    """Conversions of floats to integers (math.floor) defined for every value, as the emitter's are: LLVM's own are not."""

    def call(match: re.Match[str]) -> str:
        sign, source, value, target = match.groups()
        name = f"llvm.fpto{sign}i.sat.{target}.{'f32' if source == 'float' else 'f64'}"
        module.declare(name, target, [source])
        return f"= call {target} @{name}({source} {value})"

    return re.sub(r"= fpto([su])i (float|double) ([^\s,]+) to (i\d+)", call, text)


def _make_private(module: llvm.ModuleRef, name: str) -> None:
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != name:
            value.linkage = "internal"
    module.get_function(name).add_function_attribute("alwaysinline")


def _optimize(module: llvm.ModuleRef) -> None:
    """LLVM's pipeline without its vectorisers: the same text on every machine, and dead error paths gone."""
    llvm.initialize_native_target()
    machine = llvm.Target.from_default_triple().create_target_machine()
    builder = llvm.create_pass_builder(machine, llvm.PipelineTuningOptions(speed_level=2))
    builder.getModulePassManager().run(module, builder)


def _check(finished: str, before: str, function: FunctionType) -> None:
    if f"call void @{_RAISES}" in finished:
        raise ScalarFunctionError(
            f"{_where(function)} can raise {'; '.join(_exceptions(before)) or 'an exception'}: "
            f"code inside a kernel can't raise, so return NaN or another value there"
        )
    declared = re.findall(r"^declare [^@]*@([\w.$]+)\(", finished, re.MULTILINE)
    outside = [s for s in declared if not s.startswith("llvm.") and s != _RAISES]
    if outside:
        raise ScalarFunctionError(
            f"{_where(function)} needs {', '.join(outside)} of Numba's runtime: a scalar function computes with numbers "
            f"alone, without arrays, lists, strings or Python objects"
        )


def _exceptions(text: str) -> list[str]:
    """What the exceptions in Numba's IR say: their class, arguments and line stand there as pickles."""
    found = []
    for escaped in re.findall(r"@\.const\.pickledata\.\w+ = [^\n]*? c\"([^\"]*)\"", text):
        data = re.sub(rb"\\([0-9A-F]{2}|\\)", lambda m: b"\\" if m[1] == b"\\" else bytes.fromhex(m[1].decode()), escaped.encode())
        kind, arguments, place = pickle.loads(data)
        line = f" ({place[1]}:{place[2]})" if place else ""
        found.append(f"{kind.__name__}({', '.join(map(repr, arguments or ()))}){line}")
    return found


def _stable_names(text: str, name: str) -> str:
    """The text with private functions and the blocks they were inlined to numbered: Numba's names differ from run to run."""
    numbers: dict[str, str] = {}
    return re.sub(r"(?<![\w.$])_ZN[\w$]+", lambda m: numbers.setdefault(m[0], f"{name}.{len(numbers)}"), text)
