"""Measures the error of the vector math; writes benchmarks/results/vector_math_f32.md and vector_math_f64.md.

    PYTHONPATH=compiler python benchmarks/vector_math.py [f32] [f64] [--functions exp log ...] [--sparse N]

float32 functions of one argument are run over all 2**32 bit patterns against NumPy's and SciPy's float64 functions; those of two
arguments over a billion pairs. float64 functions are run over a million points each against the 80-bit functions of the C
library. References are compared with mpmath first. An error is |result - exact| in units of the last place of the type at the
exact value; results that are zero, infinite or NaN on either side must be what the reference rounds to, zeros with their sign.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import pathlib
import platform
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np
from vector_math_driver import compiled
from vector_math_references import EDGES, FUNCTIONS, REFERENCES, check_reference

from jitgrad_compiler.ir.types import F32, F64
from jitgrad_compiler.targets.cpu.machine.native import host_features

RESULTS = pathlib.Path(__file__).parent / "results"
CHUNK = 1 << 18
PAIRS = 1 << 30
POINTS = 1 << 20
FRACTION_BITS, LEAST_EXPONENT = {F32: 23, F64: 52}, {F32: -126, F64: -1022}
MOST, LEAST = float(np.finfo(np.float32).max), float(np.finfo(np.float32).smallest_subnormal)
TYPES: dict[str, Any] = {F32: np.float32, F64: np.float64}
WIDTHS = {F32: 16, F64: 8}


class Tally(NamedTuple):
    """What is known of one function so far."""

    worst: float = 0.0
    where: tuple[float, ...] = ()
    failures: int = 0
    failure: str = ""
    count: int = 0

    def merged(self, other: Tally) -> Tally:
        worst = other if other.worst > self.worst else self
        failure = self.failure or other.failure
        return Tally(worst.worst, worst.where, self.failures + other.failures, failure, self.count + other.count)


def errors(result: np.ndarray, exact: np.ndarray, type: str) -> tuple[np.ndarray, np.ndarray]:
    """(errors in ulp, which special values are wrong)."""
    rounded = exact.astype(TYPES[type])
    special = ~np.isfinite(rounded) | (rounded == 0) | ~np.isfinite(result)
    right = np.where(np.isnan(rounded), np.isnan(result), (result == rounded) & (np.signbit(result) == np.signbit(rounded)))
    # Where the exact value lies next to overflow or to zero, the neighbour is an error of an ulp, not a failure.
    most = np.finfo(TYPES[type]).max
    least = np.finfo(TYPES[type]).smallest_subnormal
    near = np.isinf(rounded) & np.isfinite(exact) & (np.abs(result) == most) & (np.signbit(result) == np.signbit(rounded))
    near |= np.isinf(result) & (np.abs(rounded) == most) & (np.signbit(result) == np.signbit(rounded))
    near |= (rounded == 0) & (exact != 0) & (np.abs(result) == least)
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(exact)[1] - 1, LEAST_EXPONENT[type])
        unit = np.ldexp(np.ones_like(exact), exponent - FRACTION_BITS[type])
        distance = np.where(special, 0, np.abs(result.astype(exact.dtype) - exact) / unit)
    return distance, special & ~right & ~near


@numba.njit(nogil=True)
def worst_of_singles(result: np.ndarray, exact: np.ndarray) -> tuple[float, int, int, int]:
    """As `errors`, for float32 against float64 in one pass: (largest error, where, how many are wrong, the first of them)."""
    largest, where, wrong, first = -1.0, 0, 0, -1
    for i in range(result.size):
        value, double = np.float64(result[i]), exact[i]
        rounded = np.float64(np.float32(double))
        if np.isfinite(rounded) and rounded != 0 and np.isfinite(value):
            exponent = max(math.frexp(double)[1] - 1, -126)
            error = abs(value - double) * math.ldexp(1.0, 23 - exponent)
            if error > largest:
                largest, where = error, i
        elif np.isnan(rounded):
            wrong, first = (wrong, first) if np.isnan(value) else (wrong + 1, i if first < 0 else first)
        elif value != rounded or np.signbit(value) != np.signbit(rounded):
            near = np.isinf(rounded) and np.isfinite(double) and value == math.copysign(MOST, rounded)
            near |= np.isinf(value) and rounded == math.copysign(MOST, value)
            near |= rounded == 0 and double != 0 and abs(value) == LEAST
            if not near:
                wrong, first = wrong + 1, i if first < 0 else first
    return largest, where, wrong, first


def measure(name: str, type: str, function: Callable[..., np.ndarray], operands: tuple[np.ndarray, ...]) -> Tally:
    wide: Any = np.float64 if type == F32 else np.longdouble
    result = function(*operands)
    with np.errstate(all="ignore"):
        exact = REFERENCES[type][name](*(x.astype(wide) for x in operands))
        if type == F32:
            largest, at, failures, first = worst_of_singles(result, exact)
        else:
            distance, wrong = errors(result, exact, type)
            at, failures, first = int(distance.argmax()), int(wrong.sum()), int(wrong.argmax())
            largest = float(distance[at])
    failure = ""
    if failures:
        failure = f"{name}({', '.join(repr(float(x[first])) for x in operands)}) = {float(result[first])!r}, not {exact[first]!r}"
    return Tally(largest, tuple(float(x[at]) for x in operands), failures, failure, result.size)


def exhaustive(sparse: int) -> Iterator[tuple[np.ndarray]]:
    """All float32, or every `sparse`-th."""
    step = CHUNK * sparse
    for start in range(0, 1 << 32, step):
        yield ((np.arange(start, start + step, sparse, dtype=np.uint64)).astype(np.uint32).view(np.float32),)


def random_bits(generator: np.random.Generator, type: str, size: int) -> np.ndarray:
    integers = {F32: np.uint32, F64: np.uint64}[type]
    return generator.integers(0, np.iinfo(integers).max, size, dtype=integers, endpoint=True).view(TYPES[type])


def cancelling(generator: np.random.Generator, type: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with exp(x) + exp(y) near 1: half of them as near as can be, the others up to a quarter of y away."""
    real, wide = TYPES[type], np.float64 if type == F32 else np.longdouble
    least = {F32: -149, F64: -1074}[type]
    powers = np.where(generator.random(size) < 0.5, generator.uniform(least, 0, size), generator.uniform(-8, -0.4, size))
    x = -np.exp2(powers).astype(real)
    with np.errstate(all="ignore"):
        y = np.log(-np.expm1(x.astype(wide))).astype(real)
        nearest = np.where(generator.random(size) < 0.5, -FRACTION_BITS[type], -8)  # where most of what is not exact still cancels
        away = np.where(generator.random(size) < 0.5, 0, np.exp2(generator.uniform(nearest, -2)))
        y = (y * (1 + away * generator.choice([-1, 1], size))).astype(real)
    swapped = generator.random(size) < 0.5
    return np.where(swapped, y, x), np.where(swapped, x, y)


def near_interesting(generator: np.random.Generator, name: str, type: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of which a good part lies where the function is neither zero nor infinite nor trivial."""
    real = TYPES[type]
    if name == "pow":  # results over all exponents, also from bases next to 1
        spread = np.where(generator.random(size) < 0.5, 1.0, 1e-4)
        base = np.exp2(generator.uniform(-126, 126, size) * spread**2).astype(real)
        top = 1100 if type == F64 else 150
        with np.errstate(all="ignore"):
            power = (generator.uniform(-top, top, size) / np.log2(base.astype(np.float64))).astype(real)
        whole = generator.random(size) < 0.1
        power = np.where(whole, np.round(power), power).astype(real)
        return np.where(whole & (generator.random(size) < 0.5), -base, base).astype(real), power
    if name == "logaddexp":
        x, y = cancelling(generator, type, size // 4)
        rest = generator.normal(0, 4, size - x.size).astype(real)
        return np.concatenate([x, rest]), np.concatenate([y, (rest + generator.normal(0, 4, rest.size)).astype(real)])
    x = random_bits(generator, type, size)
    with np.errstate(all="ignore"):
        return x, (x * np.exp2(generator.uniform(-14, 14, size)) * np.sign(generator.random(size) - 0.5)).astype(real)


def pairs(name: str, type: str, total: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    edges = EDGES[type]
    grid = np.meshgrid(edges, edges)
    padding = -grid[0].size % 16
    x, y = (np.concatenate([g.ravel(), np.ones(padding, g.dtype)]) for g in grid)
    yield x, y
    for seed in range(max(total // CHUNK, 2)):
        generator = np.random.default_rng(seed)
        if seed % 2:
            yield near_interesting(generator, name, type, CHUNK)
        else:
            yield random_bits(generator, type, CHUNK), random_bits(generator, type, CHUNK)


def points(total: int) -> Iterator[tuple[np.ndarray]]:
    """float64 of all exponents, and as many where most of what is interesting happens."""
    generator = np.random.default_rng(0)
    edges = EDGES[F64]
    yield (np.concatenate([edges, np.ones(-edges.size % 16)]),)
    yield (random_bits(generator, F64, total // 2),)
    yield (np.exp2(generator.uniform(-12, 12, total // 4)) * np.sign(generator.random(total // 4) - 0.5),)
    yield (generator.uniform(-2, 2, total // 4),)


def sample(name: str, arity: int, type: str) -> tuple[np.ndarray, ...]:
    """Two thousand points to check the reference at."""
    generator = np.random.default_rng(1)
    if arity == 2:
        return near_interesting(generator, name, type, 2000)
    real = TYPES[type]
    return (np.concatenate([random_bits(generator, type, 1000), (np.exp2(generator.uniform(-12, 7, 1000))).astype(real)]),)


def task(job: tuple[str, int, str, int]) -> Tally:
    name, arity, type, sparse = job
    os.nice(10)
    function = compiled(name, arity, type, WIDTHS[type], host_features())
    if arity == 2:
        source: Iterator[Any] = pairs(name, type, (PAIRS if type == F32 else POINTS) // sparse)
    else:
        source = exhaustive(sparse) if type == F32 else points(max(POINTS // sparse, 64))
    tally = Tally()
    for operands in source:
        tally = tally.merged(measure(name, type, function, operands))
    return tally


def rows(type: str, names: list[str], sparse: int) -> dict[str, str]:
    """A line of the report for each function."""
    jobs = [(name, arity, type, sparse) for name, arity in FUNCTIONS.items() if name in names]
    # Workers are forked anew for each function, so that compiled code does not pile up.
    result = {}
    with multiprocessing.Pool(2, maxtasksperchild=1) as pool:
        for job, tally in zip(jobs, pool.imap(task, jobs), strict=True):
            where = ", ".join(repr(x) if type == F64 else f"{x:.9g}" for x in tally.where)
            trust = check_reference(job[0], type, sample(job[0], job[1], type))
            wrong = str(tally.failures) + (f": {tally.failure}" if tally.failures else "")
            result[job[0]] = f"| {job[0]} | {tally.count} | {tally.worst:.3f} | {where} | {wrong} | {trust:.2g} |"
            print(result[job[0]], flush=True)
    return result


def write_report(type: str, new: dict[str, str]) -> None:
    """Functions that were not measured keep the line that they have."""
    path = RESULTS / f"vector_math_{type}.md"
    old = path.read_text().splitlines() if path.exists() else []
    lines = {line.split("|")[1].strip(): line for line in old if line.startswith("| ")} | new
    table = "\n".join([*HEAD, *(lines[name] for name in FUNCTIONS if name in lines)])
    machine = f"Made by benchmarks/vector_math.py; {llvm.get_host_cpu_name()}, Python {platform.python_version()}."
    path.write_text(f"# Errors of the vector math in {type}\n\n{INTRODUCTION[type]}\n{NOTES}\n\n{table}\n\n{machine}\n")


INTRODUCTION = {
    F32: """Functions of one argument over all 2**32 bit patterns, those of two over a billion pairs (half of them random bits,
half drawn where the function is not trivial) and all pairs of edge cases, against float64.""",
    F64: """A million points or pairs each (half of them random bits, half drawn where the function is not trivial) and all edge
cases, against the 80-bit functions of the C library.""",
}
HEAD = (
    "| function | checked | largest error, ulp | at | wrong special values | reference's error against mpmath, ulp |",
    "| --- | ---: | ---: | --- | ---: | ---: |",
)
NOTES = """\
A quarter of the pairs that are drawn for logaddexp lie next to exp(x) + exp(y) = 1, where its reference is of long double and,
where that has too few digits, of mpmath. A search of its own, of 287 million float32 pairs whose result is 2**-6 to 2**-3 of the
larger argument, found 1.558 ulp at (-0.0309648737, -3.4745948)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("types", nargs="*", default=[F32, F64])
    parser.add_argument("--functions", nargs="*", default=list(FUNCTIONS))
    parser.add_argument("--sparse", type=int, default=1, help="look at one in so many; nothing is written")
    arguments = parser.parse_args()
    for type in arguments.types:
        new = rows(type, arguments.functions, arguments.sparse)
        if arguments.sparse == 1:
            write_report(type, new)


if __name__ == "__main__":
    main()
