"""Random calls of products, norms, transforms, polynomials and of functions of samples: see drawn_calls.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .drawn_calls import Call, Draw


def finite_beside_complex(draw: Callable[[Draw], Call]) -> Callable[[Draw], Call]:
    """Where an operand is complex all are finite: what BLAS makes of infinities then, NaN or infinite, follows from its order."""

    def finite(d: Draw) -> Call:
        call = draw(d)
        if any(x.dtype.kind == "c" for x in call.operands):
            for x in call.operands:
                x[~np.isfinite(x)] = 1
        return call

    return finite


def matrices(*letters: str, least: tuple[int, int] = (0, 0)) -> Callable[[Draw], Call]:
    """Operands with such last axes, and others in front that broadcast."""

    @finite_beside_complex
    def draw(d: Draw) -> Call:
        sizes = {letter: d.number(0, 4) for letter in "mnk"}
        lead = d.shape(most=2)
        fronts = [tuple(d.one_of(n, n, 1) for n in lead)[d.one_of(0, 0, min(1, len(lead))) :] for _ in letters]
        fronts = [() if len(w) == 1 and w in "v" else front for w, front in zip(letters, fronts, strict=True)]
        return Call([d.array(f + tuple(sizes[c] for c in w)) for f, w in zip(fronts, letters, strict=True)])

    return draw


@finite_beside_complex
def dotted(d: Draw) -> Call:
    n = d.number(0, 4)
    a, b = d.shape(most=2), d.shape(most=1)
    return Call([d.array(a + (n,)), d.array(d.one_of((n,), b + (n, d.number(0, 3)), ()))])


@finite_beside_complex
def inner(d: Draw) -> Call:
    n = d.number(0, 4)
    return Call([d.array(d.one_of(d.shape(most=2) + (n,), ())), d.array(d.shape(most=2) + (n,))])


@finite_beside_complex
def contracted(d: Draw) -> Call:
    shared = d.shape(most=2)
    a, b, k = d.shape(most=2), d.shape(most=2), len(shared)
    axes = d.one_of(k, (list(range(len(a), len(a) + k)), list(range(k))))
    return Call([d.array(a + shared), d.array(shared + b)], [axes])


def differences(d: Draw) -> Call:
    shape = d.shape(least=1)
    return Call([d.array(shape)], keywords={"n": d.number(0, 3), "axis": d.axis(shape, none=False)})


def sloped(d: Draw) -> Call:
    shape = d.shape(least=1, size=2)
    axis = d.axis(shape, none=False)
    if d.flag():
        return Call([d.array(shape)])
    return Call([d.array(shape)], [d.one_of(0.5, np.cumsum(d.random.uniform(0.5, 1, shape[axis])))], {"axis": axis})


def integrated(d: Draw) -> Call:
    shape = d.shape(least=1)
    axis = d.axis(shape, none=False)
    return Call([d.array(shape)], keywords={"axis": axis, **d.one_of({"dx": 0.5}, {"x": np.sort(d.random.random(shape[axis]))})})


def divided(d: Draw) -> Call:
    n = d.number(1, 3)
    return Call([d.array((d.number(n, 5),), 0.5, 3), d.array((n,), 0.5, 3)])


def fitted(d: Draw) -> Call:
    n = d.number(3, 6)
    return Call([np.arange(n, dtype="float64"), d.array((n,), dtype=d.apart or "float64")], [d.number(0, 2)])


@finite_beside_complex
def summed(d: Draw) -> Call:
    sizes = {letter: d.number(0, 3) for letter in "ijkl"}
    terms = ["".join(d.random.permutation(list("ijkl"))[: d.number(0, 3)]) for _ in range(d.number(1, 3))]
    present = sorted(set("".join(terms)))
    out = "".join(d.random.permutation(present)[: d.number(0, len(present))]) if present else ""
    spec = ",".join(terms) + "->" + out
    return Call([d.array(tuple(sizes[c] for c in term)) for term in terms], how=lambda f, *xs: f(spec, *xs))


def summed_over_axes(d: Draw) -> Call:
    shape = d.shape(least=1)
    axes = tuple(d.random.permutation(len(shape))[: d.number(1, len(shape))].tolist())
    return Call([d.array(shape)], how=lambda f, x: f(lambda part, axis: part.sum(axis), x, axes))


def rooted(d: Draw) -> Call:
    return Call([d.array((d.number(1, 5),), 0.5, 3)], how=lambda roots, p: np.sort_complex(np.asarray(roots(p)) + 0j).round(12))


def several_bins(d: Draw) -> Call:
    n = d.number(0, 6)
    weights = d.one_of(None, d.random.random(n))
    return Call(
        [d.array((n,)), d.array((n,))],
        keywords={"bins": d.one_of(3, [2, 4]), "range": d.one_of([[-1, 2], [-3, 3]], [[0, 1], [0, 2]]), "weights": weights},
    )


def normed(d: Draw) -> Call:
    shape = d.shape(least=1, size=1)
    return Call(
        [d.array(shape)],
        keywords={"axis": d.axis(shape, none=len(shape) == 1), "keepdims": d.flag(), "ord": d.one_of(2, 1, 3, np.inf, -np.inf)},
    )


def matrix_normed(d: Draw) -> Call:
    return Call(
        [d.array(d.shape(least=2, size=1))], keywords={"keepdims": d.flag(), "ord": d.one_of("fro", 1, -1, np.inf, -np.inf)}
    )


def tensor_inverted(d: Draw) -> Call:
    a, b = d.number(1, 2), d.number(1, 3)
    x = np.eye(a * b) * 4 + d.array((a * b, a * b), -1, 1, d.apart or "float64")
    return Call([x.reshape((a, b, b, a) if d.flag() else (a, b, a * b))])


def tensor_solved(d: Draw) -> Call:
    a = tensor_inverted(d).operands[0]
    return Call([a, d.array(a.shape[:2], dtype=a.dtype)])


def slid(d: Draw) -> Call:
    return Call([d.array((d.number(1, 6),)), d.array((d.number(1, 6),))], keywords={"mode": d.one_of("full", "same", "valid")})


def interpolated(d: Draw) -> Call:
    n = d.number(1, 5)
    knots = np.cumsum(d.random.uniform(0.3, 1, n)) - 1
    keywords = d.one_of({}, {"left": -2.0, "right": 3.0}, {"left": 1.0})
    dtype = d.apart or "float64"
    return Call([d.array(d.shape(), -2, 3, dtype), knots, d.array((n,), dtype=dtype)], keywords=keywords)


def searched(d: Draw) -> Call:
    dtype = d.dtype()
    return Call(
        [np.sort(d.array((d.number(0, 6),), dtype=dtype)), d.array(d.shape(), dtype=dtype)],
        keywords={"side": d.one_of("left", "right")},
    )


def binned(d: Draw) -> Call:
    bins = np.sort(d.array((d.number(1, 5),)))
    return Call([d.array(d.shape()), bins if d.flag() else bins[::-1].copy()], keywords={"right": d.flag()})


def covaried(d: Draw) -> Call:
    shape = (d.number(1, 4), d.number(2, 5))
    keywords = {"rowvar": d.flag()} if min(shape) > 1 else {}
    return Call([d.array(shape)], keywords=keywords)


def crossed(d: Draw) -> Call:
    lead = d.shape(most=2)
    return Call([d.array(lead + (3,)), d.array(lead[d.one_of(0, min(1, len(lead))) :] + (3,))])


def polynomials(d: Draw) -> Call:
    return Call([d.array((d.number(1, 4),)), d.array((d.number(1, 4),))])


def counted(d: Draw) -> Call:
    x = d.array((d.number(0, 8),), 0, 5)
    return Call([x], keywords=d.one_of({}, {"weights": d.random.random(x.shape)}, {"minlength": 4}))


def histogrammed(d: Draw) -> Call:
    x = d.array(d.shape())
    keywords = d.one_of(
        {}, {"bins": 4}, {"bins": np.array([-2, 0, 0.5, 2])}, {"range": (-1, 2)}, {"bins": 3, "weights": d.random.random(x.shape)}
    )
    return Call([x], keywords=keywords)


def spaced(d: Draw) -> Call:
    shapes = d.broadcast(2)
    keywords = {"num": d.number(0, 6), "endpoint": d.flag(), "axis": d.one_of(0, -1)}
    return Call([d.array(shapes[0], 0.5, 2), d.array(shapes[1], 2.5, 4)], keywords=keywords)


def transformed(real: bool = False) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least=1, size=1)
        keywords = {"axis": d.axis(shape, none=False), "norm": d.one_of(None, "ortho", "forward")}
        return Call([d.array(shape)], keywords={**keywords, "n": d.one_of(None, d.number(1, 6))})

    return draw


def transformed_over_axes(least: int) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least=least, size=1)
        axes = tuple(d.random.permutation(len(shape))[: max(least, d.number(1, len(shape)))].tolist())
        axes = axes[:2] if least == 2 else axes
        sizes = d.one_of(None, tuple(d.number(1, 5) for _ in axes))
        return Call([d.array(shape)], keywords={"s": sizes, "axes": axes, "norm": d.one_of(None, "ortho", "forward")})

    return draw
