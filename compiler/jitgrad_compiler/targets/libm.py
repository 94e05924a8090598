"""The functions of libm, defined by our vector math at one lane and by LLVM's own instructions, so that code needs no libm and
compiles for any target.

`libm_function` writes one by its name in Python's `math`. `define` does what Numba's code calls: the text of a module that declares
`exp`, `llvm.log.f32`, `numba_frexp` and the like comes in; the same text goes out with those declarations replaced by private
functions of the same meaning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

from ..ir.types import DTYPES, F32, F64, I32, DType
from .emitter import Emitter
from .llvm_text import LLVM_TYPES, PTR, Module, Reg, int_type

Body = Callable[..., Reg]
_MANTISSA = {F32: 23, F64: 52}
_BIAS = {F32: 127, F64: 1023}


class MissingFunctionError(Exception):
    """A function of libm that has no definition here; the message names it."""


class _Definition(NamedTuple):
    arguments: tuple[DType | str, ...]  # element types, 'T' for the function's own float type
    body: Body


def _vector_math(name: str) -> Body:
    def body(e: Emitter, *args: Reg) -> Reg:
        function = getattr(e.vector_math, name, None)
        if function is None:
            raise MissingFunctionError(f"{name} is not among the functions that kernels have")
        result: Reg = function(*args)
        return result

    return body


def _instruction(name: str) -> Body:
    return lambda e, *args: e.intrinsic(name, *args)


def ldexp(e: Emitter, x: Reg, exponent: Reg) -> Reg:
    """x * 2**exponent, rounded once: scaled in three steps, of which only the last can leave the normal numbers."""
    bias, mantissa = _BIAS[x.type], _MANTISSA[x.type]
    # Downwards by 2**-(bias - 1) * 2**(mantissa + 1) at a time, so that what is about to be rounded still has all its bits.
    down = bias - 1 - (mantissa + 1)
    for _ in range(2):
        high, low = e.compare("gt", exponent, bias), e.compare("lt", exponent, 1 - bias)
        x = e.select(high, e.mul(x, 2.0**bias), e.select(low, e.mul(x, 2.0**-down), x))
        exponent = e.select(high, e.sub(exponent, bias), e.select(low, e.add(exponent, down), exponent))
    exponent = e.select(e.compare("gt", exponent, bias), bias, e.select(e.compare("lt", exponent, 1 - bias), 1 - bias, exponent))
    bits = e.shl(e.convert(e.add(exponent, bias), int_type(x.type)), mantissa)
    return e.mul(x, e.bitcast(bits, x.type))


def frexp(e: Emitter, x: Reg, exponent: Reg) -> Reg:
    """x as m * 2**k with 0.5 <= |m| < 1, k stored as an i32; zeros, infinities and NaN are m with k = 0."""
    bias, mantissa, bits_type = _BIAS[x.type], _MANTISSA[x.type], int_type(x.type)
    subnormal = e.compare("lt", e.abs(x), 2.0 ** (1 - bias))
    scaled = e.select(subnormal, e.mul(x, 2.0 ** (mantissa + 1)), x)
    bits = e.bitcast(scaled, bits_type)
    field = e.and_(e.shr(bits, mantissa), 2 * bias + 1)
    k = e.sub(e.convert(field, I32), e.select(subnormal, e.const(bias - 1 + mantissa + 1, I32), bias - 1))
    m = e.bitcast(e.or_(e.and_(bits, ~((2 * bias + 1) << mantissa)), (bias - 1) << mantissa), x.type)
    special = e.or_(e.compare("eq", x, 0.0), e.compare("eq", field, 2 * bias + 1))
    e.store(exponent, e.select(special, 0, k))
    return e.select(special, x, m)


def hypot(e: Emitter, x: Reg, y: Reg) -> Reg:
    """sqrt(x^2 + y^2) without the squares' overflow; inf if one is infinite, NaN or not, as in C99's Annex F."""
    x, y = e.abs(x), e.abs(y)
    x_larger = e.compare("gt", x, y)
    large, small = e.select(x_larger, x, y), e.select(x_larger, y, x)
    ratio = e.select(e.compare("eq", large, small), e.const(1.0, x.type), e.div(small, large))  # 1 also of two zeros
    length = e.mul(large, e.sqrt(e.fma(ratio, ratio, 1.0)))
    infinite = e.or_(e.compare("eq", x, math.inf), e.compare("eq", y, math.inf))
    return e.select(infinite, e.const(math.inf, x.type), length)


def exp10(e: Emitter, x: Reg) -> Reg:
    return _vector_math("pow")(e, e.const(10.0, x.type), x)


# Functions that LLVM makes of others (of pow(2, x) and pow(10, x)) stand here beside those that Python's math has.
_VECTOR_MATH = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "cbrt",
)  # fmt: skip
# What every target has an instruction for: LLVM's names for these may stay.
_INSTRUCTIONS = ("sqrt", "floor", "ceil", "trunc", "fabs", "rint")
_DEFINITIONS = (
    {name: _Definition(("T",), _vector_math(name)) for name in _VECTOR_MATH}
    | {name: _Definition(("T", "T"), _vector_math(name)) for name in ("pow", "atan2")}
    | {name: _Definition(("T",), _instruction(name)) for name in _INSTRUCTIONS}
    | {
        "copysign": _Definition(("T", "T"), _instruction("copysign")),
        "hypot": _Definition(("T", "T"), hypot),
        "exp10": _Definition(("T",), exp10),
        "ldexp": _Definition(("T", I32), ldexp),
        "frexp": _Definition(("T", PTR), frexp),
    }
)


def _meaning(symbol: str) -> tuple[str, DType] | None:
    """The name above and the float type of a symbol: `expf` and `llvm.exp.f32` are exp in f32; None if it is not libm's."""
    if match := re.fullmatch(r"llvm\.(\w+)\.(f32|f64)(\.i32)?", symbol):
        known = match[1] in _DEFINITIONS and match[1] not in (*_INSTRUCTIONS, "copysign")
        return (match[1], DTYPES[match[2]]) if known else None
    name = symbol.removeprefix("numba_")
    if name in _DEFINITIONS:
        return name, F64
    return (name[:-1], F32) if name.endswith("f") and name[:-1] in _DEFINITIONS else None


def libm_function(module: Module, name: str, type: DType) -> str:
    """The symbol of a function of libm in a float type, by its name in Python's `math`; it is written where it is first asked for.

    Raises:
        MissingFunctionError: Kernels do not have it.
    """
    if name not in _DEFINITIONS:
        raise MissingFunctionError(f"{name} is not among the functions that kernels have")
    symbol = f"libm.{name}.{type}"
    if module.first_use(symbol):
        _emit(module, symbol, name, type)
    return symbol


def define(text: str, module: Module) -> str:
    """The text together with what `module` holds already and with a definition of each function of libm it declares."""
    for symbol in re.findall(r"^declare [^@]*@([\w.]+)\(", text, re.MULTILINE):
        if meaning := _meaning(symbol):
            ours = f"libm.{symbol}"
            text = re.sub(rf"^declare [^@]*@{re.escape(symbol)}\(.*\n", "", text, flags=re.MULTILINE)
            text = text.replace(f"@{symbol}(", f"@{ours}(")
            _emit(module, ours, *meaning)
    present = set(re.findall(r"^(?:declare|define) [^@]*@([\w.$]+)\(", "\n".join([text, *module.functions]), re.MULTILINE))
    declarations = [line for name, line in module.declarations.items() if name not in present]
    return "\n".join([text, *module.tables.values(), *declarations, *module.functions]) + "\n"


def _emit(module: Module, ours: str, name: str, type: DType) -> None:
    types = [t if isinstance(t, DType) else type for t in _DEFINITIONS[name].arguments]
    e = Emitter(module, ours, [(f"a{i}", t) for i, t in enumerate(types)], LLVM_TYPES[type], internal=True)
    e.finish(_DEFINITIONS[name].body(e, *e.args))
