"""The polynomials of jitgrad_compiler/ops/special_series.py, as text, and the accuracy of jitgrad.scipy.special beside SciPy's.

    python benchmarks/special_functions.py [NAME...]      the polynomials
    python benchmarks/special_functions.py --accuracy > benchmarks/results/special_functions.md

Each polynomial interpolates a function of z in [-1, 1] at Chebyshev's nodes in 50 digits, with the least degree whose relative
error is under 2**-56.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import scipy.special

from jitgrad import jit
from jitgrad.scipy import special

Real = Any
Function = Callable[[Real], Real]
LEAST = 2.0**-56


def between(low: Real, high: Real) -> Function:
    """z to what grows linearly from low to high."""
    middle, half = (mp.mpf(low) + high) / 2, (mp.mpf(high) - low) / 2
    return lambda z: middle + half * z


def above(low: Real) -> Function:
    """z to what is at least low: 2 low / (z + 1)."""
    return lambda z: 2 * mp.mpf(low) / (z + 1)


def sine_parts(x: Real) -> tuple[Real, Real]:
    """The auxiliary functions f and g of the sine and cosine integrals (NIST DLMF 6.2.17, 6.2.18)."""
    with mp.workdps(70):
        cosine, sine = mp.ci(x), mp.si(x) - mp.pi / 2
        return cosine * mp.sin(x) - sine * mp.cos(x), -cosine * mp.cos(x) - sine * mp.sin(x)


def fresnel_parts(x: Real) -> tuple[Real, Real]:
    """The auxiliary functions f and g of Fresnel's integrals (NIST DLMF 7.2.10, 7.2.11)."""
    with mp.workdps(70):
        cosine, sine, angle = mp.mpf(0.5) - mp.fresnelc(x), mp.mpf(0.5) - mp.fresnels(x), mp.pi * x * x / 2
        return sine * mp.cos(angle) - cosine * mp.sin(angle), cosine * mp.cos(angle) + sine * mp.sin(angle)


def dawson(x: Real) -> Real:
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def expi_over_root(x: Real) -> Real:
    root = mp.findroot(mp.ei, 0.3725)
    return (mp.ei(x) - mp.log(x / root)) / (x - root)


def scaled_erfcx(z: Real) -> Real:
    x = mp.mpf("3.75") * (1 + z) / (1 - z)
    return (1 + 2 * x) * mp.erfc(x) * mp.exp(x * x)


POLYNOMIALS: dict[str, tuple[str, Function]] = {}


def row(name: str, doc: str, function: Function, argument: Function = lambda z: z) -> None:
    POLYNOMIALS[name] = doc, lambda z: function(argument(z))


for order in (0, 1):
    row(f"i{order}_tail", f"sqrt(x) exp(-x) I_{order}(x) at z = 16 / x - 1, for x >= 8.",
        lambda x, n=order: mp.sqrt(x) * mp.exp(-x) * mp.besseli(n, x), above(8))  # fmt: skip
for low, high, z in ((1, 2, "2 x - 3"), (2, 4, "x - 3"), (4, 10, "(x - 7) / 3")):
    row(f"exp1_to_{high}", f"x exp(x) E_1(x) at z = {z}, for x from {low} to {high}.",
        lambda x: x * mp.exp(x) * mp.e1(x), between(low, high))  # fmt: skip
row("exp1_tail", "x exp(x) E_1(x) at z = 20 / x - 1, for x >= 10.", lambda x: x * mp.exp(x) * mp.e1(x), above(10))
row("expi_over_root", "(Ei(x) - log(x / r)) / (x - r) of the root r at z = x / 3 - 1, for x from 0 to 6.",
    expi_over_root, between(0, 6))  # fmt: skip
for low, high, z in ((6, 12, "x / 3 - 3"), (12, 24, "x / 6 - 3"), (24, 48, "x / 12 - 3")):
    row(f"expi_to_{high}", f"x exp(-x) Ei(x) at z = {z}, for x from {low} to {high}.",
        lambda x: x * mp.exp(-x) * mp.ei(x), between(low, high))  # fmt: skip
row("expi_tail", "x exp(-x) Ei(x) at z = 96 / x - 1, for x >= 48.", lambda x: x * mp.exp(-x) * mp.ei(x), above(48))
for part, scale in (("f", 1), ("g", 2)):
    row(f"sici_{part}_to_8", f"x^{scale} {part}(x) at z = x / 2 - 3, for x from 4 to 8.",
        lambda x, n=scale: x**n * sine_parts(x)[n - 1], between(4, 8))  # fmt: skip
    row(f"sici_{part}_tail", f"x^{scale} {part}(x) at z = 128 / x^2 - 1, for x >= 8.",
        lambda w, n=scale: mp.sqrt(w) ** n * sine_parts(mp.sqrt(w))[n - 1], above(64))  # fmt: skip
for part, n in (("f", 1), ("g", 2)):
    row(f"fresnel_{part}_to_24", f"pi^{n} x^{2 * n - 1} {part}(x) at z = (x - 2) / 0.4, for x from 1.6 to 2.4.",
        lambda x, n=n: mp.pi**n * x ** (2 * n - 1) * fresnel_parts(x)[n - 1], between(mp.mpf("1.6"), mp.mpf("2.4")))  # fmt: skip
    row(f"fresnel_{part}_tail", f"pi^{n} x^{2 * n - 1} {part}(x) at z = 2 (2.4 / x)^4 - 1, for x >= 2.4.",
        lambda w, n=n: mp.pi**n * mp.root(w, 4) ** (2 * n - 1) * fresnel_parts(mp.root(w, 4))[n - 1],
        above(mp.mpf("2.4") ** 4))  # fmt: skip
row("dilogarithm_part", "Li_2(w) / w at z = 4 w - 1, for w from 0 to 1/2.", lambda w: mp.polylog(2, w) / w, between(0, mp.mpf(0.5)))
row("erfcx_scaled", "(1 + 2 x) erfcx(x) at z = (x - 3.75) / (x + 3.75), for x >= 0.", scaled_erfcx)
row("dawsn_to_1", "D(x) / x at z = 2 x^2 - 1, for x from 0 to 1.", lambda y: dawson(mp.sqrt(y)) / mp.sqrt(y), between(0, 1))
for low, high, z in ((1, 2, "2 x - 3"), (2, 4, "x - 3"), (4, 7, "(x - 5.5) / 1.5")):
    row(f"dawsn_to_{high}", f"x D(x) at z = {z}, for x from {low} to {high}.", lambda x: x * dawson(x), between(low, high))
row("dawsn_tail", "x D(x) at z = 98 / x^2 - 1, for x >= 7.", lambda y: mp.sqrt(y) * dawson(mp.sqrt(y)), above(49))


def interpolated(f: Function, degree: int) -> list[Real]:
    """The coefficients of the powers of z of the polynomial that is f at Chebyshev's nodes."""
    n = degree + 1
    values = [f(mp.cospi(mp.mpf(2 * k + 1) / (2 * n))) for k in range(n)]
    series = [2 * sum(v * mp.cospi(mp.mpf(j * (2 * k + 1)) / (2 * n)) for k, v in enumerate(values)) / n for j in range(n)]
    series[0] /= 2
    powers, before, current = [mp.mpf(0)] * n, [mp.mpf(0)] * n, [mp.mpf(1)] + [mp.mpf(0)] * (n - 1)
    for j, c in enumerate(series):
        powers = [p + c * t for p, t in zip(powers, current, strict=True)]
        shifted = [mp.mpf(0), *current[:-1]]
        following = shifted if j == 0 else [2 * s - b for s, b in zip(shifted, before, strict=True)]
        before, current = current, following
    return powers


def fitted(f: Function) -> list[float]:
    points = [mp.mpf(k) / 37 - 1 for k in range(1, 74, 3)]
    exact = [f(z) for z in points]
    for degree in range(8, 40):
        powers = interpolated(f, degree)
        if all(abs(mp.polyval(powers[::-1], z) / v - 1) < LEAST for z, v in zip(points, exact, strict=True)):
            return [float(c) for c in powers]
    raise ValueError("no polynomial of this degree will do")


def printed(name: str, doc: str, coefficients: list[float]) -> str:
    lines, line = [], "       "
    for c in coefficients:
        text = f" {c!r},"
        if len(line) + len(text) > 132:
            lines, line = [*lines, line], "       "
        line += text
    body = "\n".join([*lines, line])
    return f'{name} = polynomial(\n    "{name}",\n    "{doc}",\n    [\n{body}\n    ],\n)  # fmt: skip'


def reach(low: float, high: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(low, high, POINTS)


def powers(low: float, high: float, sign: float = 1.0) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: sign * 10 ** rng.uniform(low, high, POINTS)


POINTS = 100
AREA = (powers(-2, 2.5), powers(-2, 2.5))
ACCURACY: tuple[tuple[str, Any, Function, tuple[Any, ...], str], ...] = (
    ("gamma", None, mp.gamma, (reach(-170, 170),), "-170 to 170"),
    ("exp1", None, mp.e1, (powers(-3, 2.8),), "1e-3 to 600"),
    ("expi", None, mp.ei, (powers(-3, 2.8),), "1e-3 to 600"),
    ("spence", None, lambda x: mp.re(mp.polylog(2, 1 - x)), (powers(-3, 3),), "1e-3 to 1e3"),
    ("dawsn", None, dawson, (reach(-30, 30),), "-30 to 30"),
    ("erfcx", None, lambda x: mp.exp(x * x) * mp.erfc(x), (reach(-25, 50),), "-25 to 50"),
    ("i0", None, lambda x: mp.besseli(0, x), (reach(-600, 600),), "-600 to 600"),
    ("i1e", None, lambda x: mp.besseli(1, x) * mp.exp(-abs(x)), (reach(-600, 600),), "-600 to 600"),
    ("sici", 0, mp.si, (reach(-60, 60),), "Si, -60 to 60"),
    ("fresnel", 0, mp.fresnels, (reach(-60, 60),), "S, -60 to 60"),
    ("gammainc", None, lambda a, x: mp.gammainc(a, 0, x, regularized=True), AREA, "a, x from 0.01 to 300"),
    ("gammaincc", None, lambda a, x: mp.gammainc(a, x, mp.inf, regularized=True), AREA, "a, x from 0.01 to 300"),
    ("betainc", None, lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True), (powers(-2, 2), powers(-2, 2), reach(0, 1)),
     "a, b from 0.01 to 100"),
    ("hyp1f1", None, mp.hyp1f1, (reach(0.01, 9), reach(0.01, 9), reach(-90, 90)), "a, b under 9, |x| under 90"),
    ("hyp2f1", None, lambda *p: mp.re(mp.hyp2f1(*p)), (reach(0.01, 6), reach(0.01, 6), reach(0.01, 6), reach(-1, 1)),
     "a, b, c under 6, |x| under 1"),
    ("hyp2f1", None, lambda *p: mp.re(mp.hyp2f1(*p)), (reach(0.01, 6), reach(0.01, 6), reach(0.01, 6), powers(0, 6, -1)),
     "a, b, c under 6, x from -1e6 to -1"),
)  # fmt: skip


def worst(found: np.ndarray, exact: list[Real]) -> float:
    """The largest relative error where numbers are in range."""
    return max(float(abs(f / e - 1)) for f, e in zip(found.tolist(), exact, strict=True) if 1e-280 < abs(e) < 1e300)


def accuracy() -> None:
    rng = np.random.default_rng(0)
    print("# Accuracy of jitgrad.scipy.special\n")
    print("Largest relative errors in float64 at 100 random points, against mpmath with 50 digits:")
    print("of compiled functions, and of SciPy's. `python benchmarks/special_functions.py --accuracy` prints this table.\n")
    print("| function | arguments | compiled | SciPy |\n| --- | --- | --- | --- |")
    for name, part, exact, draws, where in ACCURACY:
        points = [draw(rng) for draw in draws]
        with np.errstate(all="ignore"):
            ours, theirs = jit(getattr(special, name))(*points), getattr(scipy.special, name)(*points)
        if part is not None:
            ours, theirs = ours[part], theirs[part]
        with mp.workdps(50):
            wanted = [exact(*map(mp.mpf, p)) for p in zip(*[v.tolist() for v in points], strict=True)]
            print(f"| {name} | {where} | {worst(np.asarray(ours), wanted):.1e} | {worst(theirs, wanted):.1e} |")


if __name__ == "__main__" and sys.argv[1:] == ["--accuracy"]:
    accuracy()
elif __name__ == "__main__":
    with mp.workdps(50):
        for name, (doc, function) in POLYNOMIALS.items():
            if not sys.argv[1:] or name in sys.argv[1:]:
                print(printed(name, doc, fitted(function)))
