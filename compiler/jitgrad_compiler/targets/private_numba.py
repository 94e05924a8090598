"""The one gate to what is private in Numba: its compiler as a function from Python functions and types to LLVM IR.

Used by numba_scalar.py. Numba is imported at the first call: that takes half a second.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from types import FunctionType
from typing import Any, NamedTuple

from ..errors import incompatible

_FLAGS = {"error_model": "numpy", "no_compile": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_ARGUMENTS = ("typingctx", "targetctx", "func", "args", "return_type", "flags", "locals")


def numba(module: str = "") -> Any:
    """Numba, or a module of it. Only programs that use a scalar function pay for it."""
    return importlib.import_module(f"numba.{module}" if module else "numba")


class _Parts(NamedTuple):
    compile: Any
    flags: Any
    target: Any
    lock: Any


@functools.cache
def _parts() -> _Parts:
    """What is used of Numba's compiler."""
    compile = _private(numba("core"), "compiler.compile_extra")
    taken = tuple(inspect.signature(compile).parameters)[: len(_ARGUMENTS)]
    if taken != _ARGUMENTS:
        raise incompatible("numba", f"numba.core.compiler.compile_extra takes {', '.join(taken)}, and not {', '.join(_ARGUMENTS)}")
    flags = _private(numba("core"), "compiler.Flags")()
    for name, value in _FLAGS.items():
        if not hasattr(flags, name):
            raise incompatible("numba", f"numba.core.compiler.Flags has no {name}")
        setattr(flags, name, value)
    target = _private(numba("core.registry"), "cpu_target")
    _private(target, "typing_context")
    _private(target, "target_context.with_aot_codegen")
    return _Parts(compile, flags, target, _private(numba("core.compiler_lock"), "global_compiler_lock"))


def _private(start: Any, path: str) -> Any:
    """What stands at a path of names from a module of Numba, or one of its objects, on."""
    value = start
    for name in path.split("."):
        if not hasattr(value, name):
            raise incompatible("numba", f"{getattr(start, '__name__', None) or type(start).__name__}.{path} is missing")
        value = getattr(value, name)
    return value


def llvm_ir(function: FunctionType, argument_types: tuple[str, ...], result_type: str) -> tuple[str, str]:
    """The symbol and the IR of a function, by Numba's names of types, with all that it calls. Made by Numba's ahead-of-time code
    generator: no address is in it.

    The symbol is a function `i32 (result*, exception*, arguments...)`, which gives 0 unless it raises.

    Raises:
        numba.errors.NumbaError: Numba cannot type the function.
        PackageVersionError: Numba's compiler is not as expected.
    """
    parts, types = _parts(), numba("core").types
    *arguments, result = [getattr(types, t) for t in (*argument_types, result_type)]
    context = parts.target.target_context.with_aot_codegen("jitgrad")
    with parts.lock:
        made = parts.compile(parts.target.typing_context, context, function, tuple(arguments), result, parts.flags.copy(), {})
        _private(made, "library.finalize")()
        symbol, text = _private(made, "fndesc.llvm_func_name"), _private(made, "library.get_llvm_str")()
    _check_convention(symbol, text, len(arguments))
    return symbol, text


def _check_convention(symbol: str, text: str, arguments: int) -> None:
    defined = re.search(rf"^define [^@\n]*?(\w+) @\"?{re.escape(symbol)}\"?\(([^\n]*)\)", text, re.MULTILINE)
    if defined is None:
        raise incompatible("numba", f"the IR of compile_extra does not define the function {symbol!r} that its descriptor names")
    given = defined[2].count("%")
    if defined[1] != "i32" or given != arguments + 2:
        raise incompatible(
            "numba",
            f"a compiled function of {arguments} arguments gives {defined[1]} and takes {given} values, not i32 (the status) and "
            f"{arguments + 2} (places for the result and an exception, then the arguments)",
        )
