"""Every function of scipy.fft, signal, integrate, ndimage and cluster on random calls: SciPy, eager, compiled and batched agree,
and derivatives are those of finite differences. Of scipy.special: test_every_special.py; of scipy.linalg: tests/linear_algebra.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy

from tests.every_call import cases, derivatives_agree, eager_compiled_and_batched_agree
from tests.numpy.drawn_calls import Call, Draw
from tests.numpy.function_table import Row

MODULES = ("fft", "signal", "integrate", "ndimage", "cluster.vq", "interpolate", "optimize", "sparse.linalg")
LENGTHS = (1, 2, 3, 5, 8, 12, 17, 19, 31)
"""Primes that a transform has a step for, and others; powers of two; one."""


def found(where: Any, name: str) -> Any:
    for part in name.split("."):
        where = importlib.import_module(f"{where.__name__}.{part}") if not hasattr(where, part) else getattr(where, part)
    return where


def row(name: str, draw: Callable[[Draw], Call], types: str = "fc", smooth: bool = True, **more: Any) -> Row:
    """A function of SciPy's name; words behind it say which calls the row has."""
    path = name.split()[0]
    ours = found(importlib.import_module("jitgrad.scipy"), path)
    settings = dict(reference=found(scipy, path), ours=ours, edges="", zeros=False, floats=True, loose=10.0) | more
    return Row(name, draw, types.replace("f", "w"), smooth, holomorphic=smooth and "c" in types, **settings)


def transformed(least: int = 0, odd: bool = False, whole: bool = False, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """Along one axis of any length, padded or cut to another."""

    def draw(d: Draw) -> Call:
        shape = [d.number(0, 2) for _ in range(d.number(0, 2))]
        at = d.number(0, len(shape))
        shape.insert(at, max(d.one_of(*LENGTHS), least))
        axis = d.one_of(at, at - len(shape))
        n = d.one_of(None, shape[at] + 1, max(shape[at] - 1, least, 1), *(max(k, least) for k in (1, 7)))
        keywords = {"axis": axis, "n": n, "norm": d.one_of(None, "ortho", "forward", "backward")}
        return Call([d.array(tuple(shape))], keywords={**keywords, **{k: option(d) for k, option in given.items()}})

    return draw


def over_axes(least: int, name: str = "s", **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """Over some axes, in any order; two where least is 2."""

    def draw(d: Draw) -> Call:
        shape = tuple(d.one_of(2, 3, 4, 7) for _ in range(d.number(least, 3)))
        axes = d.random.permutation(len(shape))[: 2 if least == 2 else d.number(1, len(shape))].tolist()
        sizes = d.one_of(None, [max(d.number(1, 5), 2 if i == len(axes) - 1 else 1) for i in range(len(axes))])
        keywords = {name: sizes, "axes": axes, "norm": d.one_of(None, "ortho", "forward")}
        return Call([d.array(shape)], keywords={**keywords, **{k: option(d) for k, option in given.items()}})

    return draw


def cosine(name: str | None = None) -> Callable[[Draw], Call]:
    kinds: dict[str, Callable[[Draw], Any]] = {"type": lambda d: d.number(2, 4)}
    return transformed(2, **kinds) if name is None else over_axes(1, name, **kinds)


def shifted(d: Draw) -> Call:
    shape = d.shape(least=1)
    return Call([d.array(shape)], keywords={"axes": d.axis(shape)})


def convolved(axes: int | None = None, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """Of as many axes each; with "valid" one is at least as large as the other along all of them."""

    def draw(d: Draw) -> Call:
        rank = axes or d.number(1, 2)
        mode = d.one_of("full", "same", "valid")
        first, second = (tuple(d.number(1, 5) for _ in range(rank)) for _ in range(2))
        if mode == "valid":
            first, second = (tuple(f(pair) for pair in zip(first, second, strict=True)) for f in d.one_of((max, min), (min, max)))
        dtype = d.dtype()
        keywords = {"mode": mode, **{k: option(d) for k, option in given.items()}}
        return Call([d.array(first, dtype=dtype), d.array(second, dtype=dtype)], keywords=keywords)

    return draw


def without_trend(d: Draw) -> Call:
    shape = d.shape(least=1, size=2)
    axis = d.axis(shape, none=False)
    kind = d.one_of("linear", "constant")
    bp = d.one_of(0, 1, [1]) if kind == "linear" and shape[axis or 0] > 2 else 0
    return Call([d.array(shape)], keywords={"axis": axis, "type": kind, "bp": bp})


def segmented(signals: int = 1, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        lead, n = d.one_of((), (2,)), d.number(8, 30)
        nperseg = d.number(2, 8)
        keywords = {"fs": d.one_of(1.0, 2.5), "nperseg": nperseg, "noverlap": d.one_of(None, d.number(0, nperseg - 1))}
        keywords |= {"window": d.one_of("hann", "boxcar"), "detrend": d.one_of(False, "constant", "linear")}
        dtype = d.dtype()
        if dtype.kind == "c":
            keywords["return_onesided"] = False
        keywords |= {"nfft": d.one_of(None, nperseg + 3)}
        operands = [d.array((*lead, n), -1, 1, dtype) for _ in range(signals)]
        return Call(operands, keywords={**keywords, **{k: option(d) for k, option in given.items()}})

    return draw


def restored(d: Draw) -> Call:
    """Of windows that overlap by half."""
    return Call([d.array((5, d.number(3, 6)), -1, 1, "complex128")], keywords={"nperseg": 8, "noverlap": 4, "boundary": d.flag()})


def integrated(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    steps = d.one_of({"dx": 0.5}, {"x": np.sort(d.random.random(shape[axis or 0]))})
    return Call([d.array(shape)], keywords={"axis": axis, **steps})


def mapped(d: Draw) -> Call:
    """Apart from the places where an interpolation has a kink, or a mode a jump."""
    shape = tuple(d.number(2, 5) for _ in range(d.number(1, 3)))
    count = d.shape(least=1, most=2)
    places = d.random.integers(-2, 5, (len(shape), *count)) + d.random.uniform(0.1, 0.4, (len(shape), *count))
    mode = d.one_of("constant", "nearest", "wrap", "mirror", "reflect")
    x = d.array(shape, dtype=d.apart or "float64")
    order = d.number(0, 1)
    inside = mode != "wrap"  # ours wraps as jax does, one further than SciPy
    if mode == "constant":  # ours rounds first, as jax does, and then asks what is inside
        places = np.where(places > np.array(shape).reshape(-1, *[1] * len(count)) - 1, 9.0, places)
    places = places if inside else places % (np.array(shape).reshape(-1, *[1] * len(count)) - 1)
    return Call([x, places], keywords={"order": order, "mode": mode, "cval": 0.5})


def quantised(d: Draw) -> Call:
    dtype, k = d.dtype(), d.number(1, 3)
    return Call([d.array((d.number(1, 6), k), dtype=dtype), d.array((d.number(1, 4), k), dtype=dtype)])


ROWS = [
    row("fft.fft", transformed(), types="ifc"),
    row("fft.ifft", transformed(), types="fc"),
    row("fft.rfft", transformed(), types="f"),
    row("fft.ihfft", transformed(), types="f"),
    row("fft.irfft", transformed(2)),
    row("fft.hfft", transformed(2)),
    *[row(f"fft.{name}", over_axes(2)) for name in ("fft2", "ifft2", "irfft2")],
    row("fft.rfft2", over_axes(2), types="f"),
    *[row(f"fft.{name}", over_axes(1)) for name in ("fftn", "ifftn", "irfftn")],
    row("fft.rfftn", over_axes(1), types="f"),
    *[row(f"fft.{name}", cosine()) for name in ("dct", "idct")],
    *[row(f"fft.{name}", cosine("s")) for name in ("dctn", "idctn")],
    *[row(f"fft.{name}", shifted, types="ifc") for name in ("fftshift", "ifftshift")],
    *[row(f"fft.{name}", lambda d: Call([], (d.number(1, 9), 0.5)), types="f", smooth=False) for name in ("fftfreq", "rfftfreq")],
    *[
        row(f"signal.{name}", convolved(method=lambda d: d.one_of("auto", "direct", "fft")), types="ifc")
        for name in ("convolve", "correlate")
    ],
    row("signal.fftconvolve", convolved(), types="ifc"),
    *[
        row(f"signal.{name}", convolved(2, boundary=lambda d: d.one_of("fill", "wrap", "symm"), fillvalue=lambda d: d.one_of(0, 2)))
        for name in ("convolve2d", "correlate2d")
    ],
    row("signal.detrend", without_trend),
    row("signal.stft", segmented(padded=Draw.flag, boundary=lambda d: d.one_of(None, "zeros", "even", "odd", "constant"))),
    row("signal.welch", segmented(scaling=lambda d: d.one_of("density", "spectrum"), average=lambda d: d.one_of("mean", "median")),
        types="f"),
    row("signal.csd", segmented(2, scaling=lambda d: d.one_of("density", "spectrum"))),
    row("signal.istft", restored),
    row("integrate.trapezoid", integrated, types="ifc"),
    row("ndimage.map_coordinates", mapped, types="f"),
    row("cluster.vq.vq", quantised, types="f", smooth=False),
]  # fmt: skip
ELSEWHERE = {
    "takes a function or makes one: test_every_statistic.py": (
        "interpolate.RegularGridInterpolator optimize.OptimizeResults optimize.minimize sparse.linalg.bicgstab sparse.linalg.cg "
        "sparse.linalg.gmres"
    ),
}


@cases(ROWS)
def test_scipy_eager_compiled_and_batched_agree(row: Row) -> None:
    eager_compiled_and_batched_agree(row)


@cases([row for row in ROWS if row.smooth])
def test_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "float64")


@cases([row for row in ROWS if row.holomorphic])
def test_complex_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "complex128")


@pytest.mark.parametrize("module", MODULES)
def test_every_function_has_a_row_or_a_reason(module: str) -> None:
    public = {f"{module}.{name}" for name in importlib.import_module(f"jitgrad.scipy.{module}").__all__}
    words = {row.names.split()[0] for row in ROWS} | {name for names in ELSEWHERE.values() for name in names.split()}
    assert public <= words, sorted(public - words)
