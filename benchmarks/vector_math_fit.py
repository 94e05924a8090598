"""Fits the polynomials of the vector math and prints them as the source of `vector_math/coefficients.py`.

Run as `python benchmarks/vector_math_fit.py > compiler/jitgrad_compiler/targets/vector_math/coefficients.py`. Every row of
`fits` says which function is approximated, on which interval, by how many coefficients and in which error; the fit is Remez'
exchange algorithm in 80 digits (Remez 1934; the presentation followed is Muller, Elementary Functions, 3rd edition, 3.5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np

from jitgrad_compiler.ir.types import F32, F64

mp.mp.dps = 80
INVERSE_PI_DIGITS = 420
Function = Callable[[Any], Any]
HALF_LN2, QUARTER_PI = mp.log(2) / 2 * mp.mpf("1.0001"), mp.pi / 4 * mp.mpf("1.002")


def remez(function: Function, weight: Function, low: float, high: float, count: int) -> list[Any]:
    """The polynomial of `count` coefficients whose largest |weight * (polynomial - function)| on [low, high] is least."""
    low, high = mp.mpf(low), mp.mpf(high)
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mp.mpf("0.5")) / (24 * count)) for i in range(24 * count)]
    values, weights = [function(t) for t in grid], [abs(weight(t)) for t in grid]
    points = [round(24 * count * (i + 0.5) / (count + 1)) for i in range(count + 1)]
    for _ in range(12):
        rows = [[grid[p] ** j for j in range(count)] + [(-1) ** i / weights[p]] for i, p in enumerate(points)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([values[p] for p in points]))
        coefficients = [solution[j] for j in range(count)]
        errors = [w * (mp.polyval(coefficients[::-1], t) - v) for t, v, w in zip(grid, values, weights, strict=True)]
        extrema = alternating_extrema(errors, count + 1)
        if extrema is None or extrema == points:
            break
        points = extrema
    return coefficients


def fit(function: Function, weight: Function, low: float, high: float, count: int, type: str, exact: bool = False) -> list[Any]:
    """The minimax polynomial with its coefficients rounded to the type, those of t**0 and t**1 only if not exact.

    For float32, where that costs much, each coefficient is rounded before those of higher powers are fitted to what is left, by
    Lawson's iteratively reweighted least squares (Lawson 1961), for which float64 is accurate enough.
    """
    if type == F64:
        coefficients = remez(function, weight, low, high, count)
        kept = 2 if exact else 0
        return [*coefficients[:kept], *map(float, coefficients[kept:])]
    middle, half = (mp.mpf(low) + high) / 2, (mp.mpf(high) - low) / 2
    grid = [middle - half * mp.cos(mp.pi * (i + mp.mpf("0.5")) / 400) for i in range(400)]
    points = np.array([float(t) for t in grid])
    rest, weights = np.array([float(function(t)) for t in grid]), np.array([float(abs(weight(t))) for t in grid])
    result: list[float] = []
    for power in range(count):
        basis = np.stack([points**j for j in range(power, count)], axis=1) * weights[:, None]
        share = np.full(400, 1 / 400)
        best, best_error = None, np.inf
        for _ in range(200):
            root = np.sqrt(share)
            solution = np.linalg.lstsq(basis * root[:, None], rest * weights * root, rcond=None)[0]
            errors = abs(basis @ solution - rest * weights)
            if errors.max() < best_error:
                best, best_error = solution[0], errors.max()
            if best_error < 1e-14:  # far below what the type tells apart
                break
            share = share * errors
            share /= share.sum()
        result.append(best if exact and power == 0 else rounded(best, type))
        rest = rest - result[-1] * points**power
    return result


def rounded(value: Any, type: str) -> float:
    return float(value) if type == F64 else float(struct.unpack("<f", struct.pack("<f", float(value)))[0])


def alternating_extrema(errors: list[Any], count: int) -> list[int] | None:
    """Where the error is largest in each run of one sign; the outermost smaller ones dropped until `count` are left."""
    extrema: list[int] = []
    for i, error in enumerate(errors):
        if extrema and (error > 0) == (errors[extrema[-1]] > 0):
            if abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = i
        else:
            extrema.append(i)
    while len(extrema) > count:
        extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
    return extrema if len(extrema) == count else None


def pieces(function: Function, step: float, count: int, type: str) -> list[list[float]]:
    """Sixteen polynomials in t = x - i * step, |t| <= step / 2, of an odd function near x around 0.

    Row j holds the j-th coefficient of each. In float32 the first polynomial is for f(t) - t instead, and leaves a small relative
    error; in float64 all are for f(t) - t, and the first two rows hold the constant term as a sum of two.
    """
    half = mp.mpf(step) / 2 * mp.mpf("1.0005")
    result: list[list[float]] = []
    for i in range(16):
        center = mp.mpf(step) * i
        if i == 0:
            flat, weight = guarded(lambda t: function(t) / t - 1), guarded(lambda t: t / function(t))
            zeros = [0.0] if type == F32 else [0.0, 0.0]
            result.append(zeros + fit(flat, weight, 0, half, count - 1, type))
            continue
        constant, slope, *others = fit(
            lambda t, c=center: function(c + t), lambda t, c=center: 1 / function(c + t), -half, half, count, type, type == F64
        )
        if type == F64:
            result.append([float(constant), float(constant - float(constant)), float(slope - 1), *others])
        else:
            result.append([constant, slope, *others])
    return [list(column) for column in zip(*result, strict=True)]


def octave_pieces(function: Function, offset: float, last: float, count: int, type: str) -> list[list[float]]:
    """Polynomials in t = x - center for 0 <= x <= last, a piece for each quarter of an octave of x + offset.

    A piece's number is the lowest four bits of x + offset's bit pattern without all but the first two bits of its fraction. The
    first row has the centers, the next two the constant term as a sum of two.
    """
    result = [[0.0] * (count + 2)] * 16
    exponent = int(mp.floor(mp.log(offset, 2)))
    bias = 127 if type == F32 else 1023
    while 2.0**exponent < last + offset:
        for quarter in range(4):
            low = max(2.0**exponent * (1 + quarter / 4) - offset, 0.0)
            end = min(2.0**exponent * (1 + (quarter + 1) / 4) - offset, last)
            if low < end:
                center = rounded((low + end) / 2, type)
                scaled = (lambda t, c=center: function(c + t)), (lambda t, c=center: 1 / function(c + t))
                slack = mp.mpf(2) ** -22 * (end + offset)  # of the rounding of x + offset
                bounds = max(low - slack, mp.mpf(0)) - center, end + slack - center
                constant, slope, *others = fit(*scaled, *bounds, count, type, exact=True)
                high = rounded(constant, type)
                result[(exponent + bias) % 4 * 4 + quarter] = [center, high, rounded(constant - high, type), float(slope), *others]
        exponent += 1
    return [list(column) for column in zip(*result, strict=True)]


def guarded(function: Function) -> Function:
    """The function, whose formula is 0 / 0 at 0, moved a little away from there."""
    return lambda t: function(t if abs(t) > mp.mpf("1e-9") else mp.mpf("1e-9"))


def in_square(function: Function) -> Function:
    """An even function of r as a function of r squared."""
    return guarded(lambda t: function(mp.sqrt(t)))


def odd_tail(function: Function) -> tuple[Function, Function]:
    """(f(r) - r) / r**3 as a function of r squared, and the weight that makes its error relative to f."""
    return in_square(lambda r: (function(r) - r) / r**3), in_square(lambda r: r**3 / function(r))


Row = tuple[str, str, tuple[Function, Function], Any, Any, dict[str, int]]


def fits() -> list[Row]:
    """Name, comment, (function, weight), interval, and how many coefficients in each type."""
    return [
        ("EXPM1", "(exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2, relative to expm1(r)",
         (guarded(lambda r: (mp.expm1(r) - r) / r**2), guarded(lambda r: r**2 / mp.expm1(r))),
         -HALF_LN2, HALF_LN2, {F32: 5, F64: 10}),
        ("EXPM1_STEP", "(exp(r) - 1 - r) / r**2 for |r| <= log(2) / 32, relative to r",
         (guarded(lambda r: (mp.expm1(r) - r) / r**2), lambda r: r), -HALF_LN2 / 16, HALF_LN2 / 16, {F32: 4, F64: 7}),
        ("EXP2", "(2**r - 1) / r for |r| <= 1 / 2, relative to 2**r",
         (guarded(lambda r: (mp.mpf(2) ** r - 1) / r), guarded(lambda r: r / mp.mpf(2) ** r)), -0.5, 0.5, {F32: 6, F64: 11}),
        ("LOG1P", "(log(1 + r) - r) / r**2 for -1/4 <= r <= 1/2, relative to log(1 + r)",
         (guarded(lambda r: (mp.log1p(r) - r) / r**2), guarded(lambda r: r**2 / mp.log1p(r))), -0.25, 0.5, {F32: 9}),
        ("LOG1P_STEP", "(log(1 + r) - r) / r**2 for |r| <= 1/20, relative to r",
         (guarded(lambda r: (mp.log1p(r) - r) / r**2), lambda r: r), -0.05, 0.05, {F32: 7, F64: 12}),
        ("ATANH", "(2 atanh(s) - 2 s) / s**3 in s**2 for |s| <= 1/5, relative to 2 atanh(s)",
         (in_square(lambda s: 2 * (mp.atanh(s) - s) / s**3), in_square(lambda s: s**3 / (2 * mp.atanh(s)))), 0, 0.04, {F64: 8}),
        ("LOG2_TAIL", "(2 atanh(s) - 2 s - 2/3 s**3) / (log(2) s**5) in s**2 for |s| <= 1/5, relative to 2 atanh(s) / log(2)",
         (in_square(lambda s: 2 * (mp.atanh(s) - s - s**3 / 3) / s**5 / mp.log(2)),
          in_square(lambda s: s**5 * mp.log(2) / (2 * mp.atanh(s)))), 0, 0.04, {F32: 4, F64: 9}),
        ("SIN", "(sin(r) - r) / r**3 in r**2 for |r| <= pi / 4, relative to sin(r)",
         odd_tail(mp.sin), 0, QUARTER_PI**2, {F32: 3, F64: 6}),
        ("COS", "(cos(r) - 1 + r**2 / 2) / r**4 in r**2 for |r| <= pi / 4, relative to cos(r)",
         (in_square(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4), in_square(lambda r: r**4 / mp.cos(r))),
         0, QUARTER_PI**2, {F32: 3, F64: 6}),
        ("TAN", "(tan(r) - r) / r**3 in r**2 for |r| <= pi / 4, relative to tan(r)",
         odd_tail(mp.tan), 0, QUARTER_PI**2, {F32: 7, F64: 15}),
        ("ASIN", "(asin(r) - r) / r**3 in r**2 for |r| <= 1 / 2, relative to asin(r)",
         odd_tail(mp.asin), 0, 0.25, {F32: 5, F64: 12}),
        ("SINH", "(sinh(r) - r) / r**3 in r**2 for |r| <= 1, relative to sinh(r)", odd_tail(mp.sinh), 0, 1, {F32: 4, F64: 8}),
        ("INVERSE_CBRT", "r**(-1/3) for 3/8 <= r <= 3, a first guess",
         (lambda r: mp.cbrt(1 / r), mp.cbrt), 0.375, 3, {F32: 6, F64: 6}),
    ]  # fmt: skip


def piecewise_fits() -> list[tuple[str, str, Function, dict[str, tuple[float, int]]]]:
    """Name, comment, function, and in each type the step from piece to piece and how many coefficients a piece has."""
    return [
        ("ERF", "erf(x) for x up to where it rounds to 1", mp.erf, {F32: (33 / 128, 6), F64: (49 / 128, 13)}),
        ("TANH", "tanh(x) for x up to where it rounds to 1", mp.tanh, {F32: (75 / 128, 8)}),
        ("ATAN", "atan(x) for 0 <= x <= 1", mp.atan, {F32: (17 / 256, 5), F64: (17 / 256, 10)}),
    ]


def octave_fits() -> list[tuple[str, str, Function, dict[str, tuple[float, float, int]]]]:
    """Name, comment, function, and in each type the offset, the end of the interval and how many coefficients a piece has."""
    return [
        ("ERFCX", "exp(x**2) erfc(x) up to where erfc(x) rounds to 0", lambda x: mp.exp(x * x) * mp.erfc(x),
         {F32: (1.0, 10.1, 7), F64: (2.0, 27.3, 15)}),
        ("ERF_INV", "erf_inv(x) / x as a function of w = -log(1 - x**2) up to that of the largest x < 1", erf_inv_ratio,
         {F32: (2.0, 15.95, 7), F64: (3.0, 36.1, 14)}),
    ]  # fmt: skip


def erf_inv_ratio(w: Any) -> Any:
    """erf_inv(x) / x for x = sqrt(1 - exp(-w)), by Newton's method on the logarithm of erfc, which has all digits near 1."""
    if w < mp.mpf("1e-12"):
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    complement = mp.exp(-w) / (1 + x)
    result = mp.sqrt(w) if w > 1 else x * mp.sqrt(mp.pi) / 2
    for _ in range(60):
        value = mp.erfc(result)
        step = (value - complement) / (2 / mp.sqrt(mp.pi) * mp.exp(-result * result))
        if w > 1:
            step = mp.log(value / complement) * value / (2 / mp.sqrt(mp.pi) * mp.exp(-result * result))
        result += step
        if abs(step) < mp.mpf("1e-45"):
            break
    return result / x


def step_tables() -> list[tuple[str, str, list[Callable[[str], list[Any]]]]]:
    """Name, comment and rows of sixteen values that are no polynomials."""
    inverses = [mp.mpf(int(mp.nint(32 / (1 + mp.mpf(j) / 15)))) / 32 for j in range(16)]
    return [
        ("EXP2_STEPS", "2**(j / 16), in two parts", in_parts([mp.mpf(2) ** (mp.mpf(j) / 16) for j in range(16)])),
        ("LOG_STEPS", "1 / c in five bits for c near 1 + j / 15, then log(c), in two parts",
         [lambda type: inverses, *in_parts([-mp.log(c) for c in inverses])]),
    ]  # fmt: skip


def in_parts(values: list[Any]) -> list[Callable[[str], list[Any]]]:
    """The values rounded to a type, and what the rounding took."""
    return [
        lambda type: [rounded(v, type) for v in values],
        lambda type: [rounded(v - rounded(v, type), type) for v in values],
    ]


def literal(value: Any, type: str) -> str:
    """The shortest decimal that reads back as the value rounded to the type."""
    if type == F64:
        return repr(float(value))
    single = rounded(value, type)
    texts = (f"{single:.{digits}g}" for digits in range(1, 18))
    return next(text for text in texts if rounded(text, type) == single)


def written(values: list[Any], type: str, indent: str) -> list[str]:
    """Literals in lines of at most 132 characters."""
    lines, line = [], indent
    for text in (literal(v, type) + "," for v in values):
        if len(line) + len(text) + 1 > 130:
            lines.append(line.rstrip())
            line = indent
        line += text + " "
    return [*lines, line.rstrip()]


def print_rows(type: str, parameter: float, rows: list[list[float]]) -> None:
    print(f'    "{type}": ({parameter!r}, (')
    for row in rows:
        first, *others = written(row, type, " " * 9)
        print("\n".join([f"        ({first[9:]}", *others]).rstrip(",") + "),")
    print("    )),")


def main() -> None:
    print('"""Coefficients of the vector math, lowest power first, made by benchmarks/vector_math_fit.py. Not edited by hand."""')
    print("\n# fmt: off")
    for name, comment, (function, weight), low, high, counts in fits():
        print(f"\n# {comment}\n{name} = {{")
        for type, count in counts.items():
            print(f'    "{type}": (')
            print("\n".join(written(fit(function, weight, low, high, count, type), type, "        ")))
            print("    ),")
        print("}")
    for name, comment, rows in step_tables():
        print(f"\n# {comment}\n{name} = {{")
        for type in (F32, F64):
            print(f'    "{type}": (')
            for row in rows:
                first, *others = written(row(type), type, " " * 9)
                print("\n".join([f"        ({first[9:]}", *others]).rstrip(",") + "),")
            print("    ),")
        print("}")
    print("\n# The bits of 1 / pi in words of 32, behind 33 zero bits")
    with mp.workdps(INVERSE_PI_DIGITS):
        bits = int(mp.floor(mp.ldexp(1 / mp.pi, 40 * 32 - 33)))
    words = [f"0x{bits >> 32 * (39 - i) & 0xFFFFFFFF:08x}," for i in range(40)]
    print("INVERSE_PI = (", *("    " + " ".join(words[i : i + 10]) for i in range(0, 40, 10)), ")", sep="\n")
    for name, comment, function, bounds in octave_fits():
        print(
            f"\n# {comment},\n# in quarters of octaves: offset, centers, then row by row the j-th coefficients of all pieces\n"
            f"{name} = {{"
        )
        for type, (offset, last, count) in bounds.items():
            print_rows(type, offset, octave_pieces(function, offset, last, count, type))
        print("}")
    for name, comment, function, sizes in piecewise_fits():
        print(f"\n# {comment}, in sixteen pieces: step, then row by row the j-th coefficients of all pieces\n{name} = {{")
        for type, (step, count) in sizes.items():
            print_rows(type, step, pieces(function, step, count, type))
        print("}")


if __name__ == "__main__":
    main()
