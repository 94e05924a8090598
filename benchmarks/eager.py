"""Eager calls on small arrays beside NumPy's and SciPy's, in one run: python benchmarks/eager.py [word ...]

Each call is timed in turns with the same one, of eager_calls.py, on the same operands, by the CPU time of this process; the median
of the rounds counts. The bound is 3 x NumPy's time and 2 us more. Calls above it are marked. Nothing of this may compile a program,
but for random draws, which come last: those of elements by themselves are made by a few programs for all shapes.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.special
import scipy.stats
from eager_calls import DRAWS, EXPRESSIONS, OTHERS

import jitgrad.numpy as jnp
from jitgrad import lax, nn, random
from jitgrad.scipy import fft, integrate, linalg, ndimage, signal, special, stats

CALLS = 300
ROUNDS = 7


def pairs(listed: str) -> list[tuple[str, str]]:
    """Each call, and the same one of NumPy's or SciPy's."""
    calls = [e.strip().split(" ~ ") for line in listed.strip().splitlines() for e in line.split(";")]
    return [(call[0], call[-1]) for call in calls]


def operands(array: Callable[[Any], Any]) -> dict[str, Any]:
    """The operands by name, as arrays of one library, but for `v` and `f`, which are NumPy's for both."""
    x = np.array([0.5, -1.5, 2.5, 0.25], np.float32)
    values = {
        "x": x, "y": x[::-1].copy(), "p": np.abs(x), "s": np.sort(x), "b": x > 0, "m": np.outer(x, x).astype(np.float32),
        "i": np.array([0, 2, 1, 3]), "j": np.array([3, 1, 2, 1]), "c": (x + 1j * x).astype(np.complex64), "q": x / 4,
        "k": np.eye(4, dtype=np.float32) * 3 + np.float32(0.5), "t": np.ones((2, 3, 3), np.float32),
        "w": np.ones((1, 4, 4, 1), np.float32), "z": (x > 0).astype(np.float32),
        "n": np.arange(4), "a": np.arange(4, dtype=np.int32),
    }  # fmt: skip
    numpys = {"v": np.array([1.0, 2.0, 3.0, 4.0], np.float32), "f": np.float32(2)}
    return {name: array(v) for name, v in values.items()} | numpys


def names() -> dict[str, Any]:
    """What jitgrad's calls name."""
    modules = {"np": jnp, "lax": lax, "nn": nn, "losses": nn.losses, "special": special, "la": linalg, "sf": fft, "sg": signal}
    others = {"st": stats, "trapezoid": integrate.trapezoid, "map_coordinates": ndimage.map_coordinates, "random": random}
    return {**modules, **others, "key": random.key(0), **operands(jnp.array)}


def numpys_names() -> dict[str, Any]:
    """What NumPy's and SciPy's name."""
    modules = {"np": np, "special": scipy.special, "la": scipy.linalg, "sf": scipy.fft, "sg": scipy.signal, "st": scipy.stats}
    others = {"trapezoid": scipy.integrate.trapezoid, "map_coordinates": scipy.ndimage.map_coordinates}
    drawn = {"rng": np.random.default_rng(0), "seed": np.random.SeedSequence(0), "chances": np.array([0.1, 0.2, 0.3, 0.4])}
    return {**modules, **others, **drawn, **operands(np.array)}


def seconds(code: Any, names: dict[str, Any]) -> float:
    """CPU time of one evaluation."""
    start = time.process_time()
    for _ in range(CALLS):
        eval(code, names)
    return (time.process_time() - start) / CALLS


def measured(text: str, same: str) -> tuple[float, str, float, float]:
    """By how much a call is above the bound, the call, and the microseconds of both."""
    mine, theirs = (compile(t, t, "eval") for t in (text, same))
    ours, others = names(), numpys_names()
    for _ in range(3):  # types are learnt at the first call, operations written down at the second
        eval(mine, ours), eval(theirs, others)
    times = [(seconds(mine, ours), seconds(theirs, others)) for _ in range(ROUNDS)]
    own, numpys = (float(np.median([t[k] for t in times])) * 1e6 for k in (0, 1))
    return own - (3 * numpys + 2), text, own, numpys


def report(listed: str, words: list[str], what: str) -> None:
    with np.errstate(all="ignore"):
        rows = [measured(*pair) for pair in pairs(listed) if not words or any(w in pair[0] for w in words)]
    print(f"{what:34} {'us':>8} {'NumPy us':>9} {'bound us':>9}")
    for excess, text, mine, numpys in sorted(rows, reverse=True):
        print(f"{text:34} {mine:8.2f} {numpys:9.2f} {3 * numpys + 2:9.2f} {'above' if excess > 0 else ''}")
    over = sum(r[0] > 0 for r in rows)
    compiled = "a program was compiled" if "llvmlite" in sys.modules else "nothing compiled"
    print(f"{what}: {len(rows) - over} of {len(rows)} within 3 x NumPy + 2 us; {compiled}\n")


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    report(EXPRESSIONS, words, "jitgrad.numpy")
    report(OTHERS, words, "other modules")
    report(DRAWS, words, "random draws")


if __name__ == "__main__":
    main(sys.argv[1:])
