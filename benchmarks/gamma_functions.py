"""The accuracy of the compiled lgamma, digamma, polygamma and zeta against mpmath, as a table.

    python benchmarks/gamma_functions.py > benchmarks/results/gamma_functions.md
    python benchmarks/gamma_functions.py --coefficients      the polynomials of jitgrad_compiler/ops/gamma_series.py

What is measured is the machine code of a kernel with the function inlined at 8 lanes, not the Python code.
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

from jitgrad_compiler.ir.types import F32, F64, I64
from jitgrad_compiler.ops import gamma_functions
from jitgrad_compiler.targets.cpu.machine.native import compile_ir
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module
from jitgrad_compiler.targets.numba_scalar import call_scalar, link, scalar_function

LANES = 8
ZERO_TOLERANCE = {F32: 1e-6, F64: 1e-15}


HEADER = """\
# Accuracy of the gamma family

Compiled kernels against mpmath with 60 to 120 digits.
`python benchmarks/gamma_functions.py > benchmarks/results/gamma_functions.md` prints this table.

Columns: the largest error in ulp; the same over the points whose absolute error is above 1e-15 (f64) or 1e-6 (f32), because close
to a zero the ulp shrinks; the largest absolute error where the result is under 1.

| function | type | range of the last argument | points | ulp | ulp, absolute error above | absolute error, result under 1 |
| --- | --- | --- | --- | --- | --- | --- |"""


def compiled(function: Callable[..., float], arity: int, type: str) -> Callable[..., np.ndarray]:
    """The function on arrays of `type`, as a kernel of 8 lanes."""
    code = scalar_function(function, (type,) * arity, type, computed_in=F64)
    module = Module()
    names = [f"x{i}" for i in range(arity)]
    e = Emitter(module, "run", [(n, "ptr") for n in [*names, "out"]] + [("count", I64)])
    *inputs, output, count = e.args
    with e.loop(0, count, LANES) as i:
        e.store(e.offset(output, i, type), call_scalar(e, code, *[e.load(e.offset(x, i, type), type, LANES) for x in inputs]))
    e.finish()
    native = compile_ir(link(module.text(), module.linked))
    entry = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(native.address("run"))

    def run(*arrays: np.ndarray) -> np.ndarray:
        size = -(-len(arrays[0]) // LANES) * LANES
        padded = [np.concatenate([a, np.ones(size - len(a))]).astype(type.numpy) for a in arrays]
        out = np.empty(size, type.numpy)
        entry(*[a.ctypes.data for a in (*padded, out)], size)
        return out[: len(arrays[0])]

    run.native = native  # type: ignore[attr-defined]  # keeps the code loaded
    return run


def reference_lgamma(x: float) -> Any:
    with mp.workdps(60):
        exact = mp.mpf(x)
        if abs(exact) < 100:
            return mp.log(abs(mp.gamma(exact)))
        if exact > 0:
            return mp.loggamma(exact)
        return mp.log(mp.pi / abs(exact * mp.sinpi(exact))) - mp.loggamma(-exact)


def reference_digamma(x: float) -> Any:
    with mp.workdps(60):
        exact = mp.mpf(x)
        if exact > 0:
            return mp.digamma(exact)
        return mp.digamma(1 - exact) - mp.pi * mp.cospi(exact) / mp.sinpi(exact)


def reference_zeta(s: float, q: float) -> Any:
    with mp.workdps(120):  # mpmath's zeta is accurate to that many digits behind the point, not of the result
        return mp.zeta(mp.mpf(s), mp.mpf(q))


def reference_polygamma(n: float, x: float) -> Any:
    return (-1) ** (int(n) + 1) * mp.factorial(n) * reference_zeta(n + 1, x)


class Row(NamedTuple):
    """Points of one range, and what the worst of them shows."""

    range: str
    points: tuple[np.ndarray, ...]


def one_argument_rows(type: str, random: np.random.Generator, count: int) -> list[Row]:
    """All exponents of both signs, the region where the formulas change, and close to poles and zeros."""
    low, high, last = (-149, 127, 22.9) if type == F32 else (-1074, 1023, 51.9)
    share = count // 10
    whole = random.integers(1, 12, 2 * share)
    near = -whole + random.choice([-1, 1], 2 * share) * 10 ** random.uniform(-15 if type == F64 else -6, -0.3, 2 * share)
    rows = {
        "2^-1074 to 2^1024" if type == F64 else "2^-149 to 2^128": 2 ** random.uniform(low, high + 1, 2 * share),
        "0.5 to 3": random.uniform(0.5, 3, share),
        "0 to 40": random.uniform(0, 40, share),
        "-2^52 to -2^-60" if type == F64 else "-2^23 to -2^-60": -(2 ** random.uniform(-60, last, 2 * share)),
        "-12 to 0": random.uniform(-12, 0, 2 * share),
        "near -1 to -11": near,
    }
    return [Row(name, (points.astype(type.numpy).astype(np.float64),)) for name, points in rows.items()]


def two_argument_rows(orders: Callable[[int], np.ndarray], type: str, random: np.random.Generator, count: int) -> list[Row]:
    scales = {"0.01 to 3": (-6.6, 1.6), "3 to 100": (1.6, 6.6)}
    rows = []
    for name, log in scales.items():
        points = orders(count // 2), 2 ** random.uniform(*log, count // 2)
        rows.append(Row(name, tuple(p.astype(type.numpy).astype(np.float64) for p in points)))
    return rows


@np.errstate(over="ignore")  # float32 results that are infinite
def measure(run: Callable[..., np.ndarray], reference: Callable[..., Any], row: Row, type: str) -> str:
    """The table's last four columns."""
    mp.mp.dps = 120
    worst_ulp, worst_beside, worst_near_zero = 0.0, 0.0, 0.0
    least = 2.0 ** (-149 if type == F32 else -1074)
    digits = 24 if type == F32 else 53
    for value, *point in zip(run(*row.points).tolist(), *(p.tolist() for p in row.points), strict=True):
        if point[-1] < 0 and point[-1] == math.floor(point[-1]):
            assert not math.isfinite(value), (point, value)
            continue
        exact = reference(*point)
        rounded = np.asarray(float(exact)).astype(type.numpy).item()
        if not (math.isfinite(rounded) and math.isfinite(value)):
            assert rounded == value, (point, value, rounded)
            continue
        error = float(abs(mp.mpf(value) - exact))
        ulp = max(math.ldexp(1.0, math.frexp(rounded)[1] - digits), least) if rounded else least
        worst_ulp = max(worst_ulp, error / ulp)
        if error > ZERO_TOLERANCE[type]:
            worst_beside = max(worst_beside, error / ulp)
        if abs(rounded) < 1:
            worst_near_zero = max(worst_near_zero, error)
    return f"{len(row.points[0])} | {worst_ulp:.2f} | {worst_beside:.2f} | {worst_near_zero:.1e}"


def accuracy_table(count: int) -> None:
    print(HEADER)
    random = np.random.default_rng(0)

    def report(title: str, function: Callable[..., float], reference: Callable[..., Any], rows: list[Row], type: str) -> None:
        run = compiled(function, len(rows[0].points), type)
        for row in rows:
            print(f"| {title} | {type} | {row.range} | {measure(run, reference, row, type)} |", flush=True)

    for type in (F32, F64):
        report("lgamma", gamma_functions.lgamma, reference_lgamma, one_argument_rows(type, random, count), type)
        report("digamma", gamma_functions.digamma, reference_digamma, one_argument_rows(type, random, count), type)
        rows = two_argument_rows(lambda n: random.uniform(1.05, 30, n), type, random, count // 50)
        report("zeta, s from 1.05 to 30", gamma_functions.zeta, reference_zeta, rows, type)
        rows = two_argument_rows(lambda n: random.integers(1, 13, n).astype(float), type, random, count // 50)
        report("polygamma, n from 1 to 12", gamma_functions.polygamma, reference_polygamma, rows, type)


# -- how the polynomials of gamma_series.py are found


def interpolate(function: Callable[[Any], Any], low: float, high: float, degree: int) -> list[Any]:
    """Monomial coefficients, lowest first, of the polynomial through `function` at the interval's Chebyshev nodes."""
    count = degree + 1
    centre, half = mp.mpf(low + high) / 2, mp.mpf(high - low) / 2
    nodes = [centre + half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]
    divided = [function(x) for x in nodes]
    for order in range(1, count):
        for i in range(count - 1, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - order])
    coefficients = [divided[-1]]
    for i in range(count - 2, -1, -1):  # from Newton's form: multiply by (x - node), add the difference
        coefficients = [mp.mpf(0), *coefficients]
        for k in range(len(coefficients) - 1):
            coefficients[k] -= nodes[i] * coefficients[k + 1]
        coefficients[0] += divided[i]
    return coefficients


def relative_error(function: Callable[[Any], Any], coefficients: list[Any], low: float, high: float) -> float:
    points = [mp.mpf(low) + mp.mpf(high - low) * k / 400 + mp.mpf("1e-25") for k in range(401)]
    return max(float(abs(mp.polyval(coefficients[::-1], x) / function(x) - 1)) for x in points)


def print_coefficients() -> None:
    mp.mp.dps = 60
    root = mp.findroot(lambda t: mp.digamma(1 + t), 0.46)
    print("DIGAMMA_ROOT", float(root), float(root - mp.mpf(float(root))))
    functions: dict[str, tuple[Callable[[Any], Any], float, float]] = {
        "lgamma_near_one": (lambda z: mp.loggamma(1 + z) / z, -0.5, 0.5),
        "lgamma_near_two": (lambda z: mp.loggamma(2 + z) / z, -0.5, 0.5),
        "digamma_over_root": (lambda u: mp.digamma(u + 1.5) / (u + 0.5 - root), -0.5, 0.5),
        "cotangent_part": (lambda w: (1 / mp.sqrt(w) - mp.pi * mp.cot(mp.pi * mp.sqrt(w))) / mp.sqrt(w), 0, 0.25),
        "sine_part": (lambda w: mp.sinpi(mp.sqrt(w)) / mp.sqrt(w), 0, 0.25),
    }
    for name, (function, low, high) in functions.items():
        for degree in range(6, 40):
            coefficients = interpolate(function, low, high, degree)
            error = relative_error(function, coefficients, low, high)
            if error < 2**-57:
                print(name, f"degree {degree}, relative error {error:.1e}", *map(float, coefficients), sep="\n    ")
                break


if __name__ == "__main__":
    if "--coefficients" in sys.argv:
        print_coefficients()
    else:
        accuracy_table(100_000)
