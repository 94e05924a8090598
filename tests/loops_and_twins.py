"""Functions with loops and branches, each with a twin that does the same by Python's own loops: what drives test_control_flow.py.

A twin needs concrete numbers, so it runs outside jit and vmap; its derivatives are those of eager arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import lax, tree


@dataclass
class Case:
    """`f` and `twin` take `args`, float64 arrays all."""

    f: Callable[..., Any]
    twin: Callable[..., Any]
    args: tuple[Any, ...]

    def __post_init__(self) -> None:
        self.args = tuple(map(jnp.asarray, self.args))  # NumPy's own arithmetic makes weak scalars of arrays without axes


def _numbers(*shape: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(sum(shape) + len(shape)).uniform(-1, 1, shape))


def _stacked(rows: list[Any]) -> Any:
    return jnp.stack(rows) if rows else jnp.zeros((0,))


# -- scan


def _oscillator(c: Any, x: Any, w: Any) -> Any:
    speed = c["v"] - 0.1 * w * jnp.sin(c["x"]) + x
    return {"x": c["x"] + 0.1 * speed, "v": speed}, (c["x"] * w, [speed**2])


def scanned(reverse: bool = False, unroll: int | bool = 1) -> Case:
    def f(w: Any, start: Any, xs: Any) -> Any:
        return lax.scan(lambda c, x: _oscillator(c, x, w), {"x": start, "v": w}, xs, reverse=reverse, unroll=unroll)

    def twin(w: Any, start: Any, xs: Any) -> Any:
        c, rows = {"x": start, "v": w}, [None] * len(xs)
        for i in reversed(range(len(xs))) if reverse else range(len(xs)):
            c, rows[i] = _oscillator(c, xs[i], w)
        return c, (_stacked([r[0] for r in rows]), [_stacked([r[1][0] for r in rows])])

    return Case(f, twin, (_numbers(2), _numbers(2), _numbers(5, 2)))


def _powers(w: Any, x: Any) -> Any:
    return lax.scan(lambda c, _: (jnp.tanh(c * w), c), x, None, length=4)


def _powers_twin(w: Any, x: Any) -> Any:
    rows = []
    for _ in range(4):
        rows.append(x)
        x = jnp.tanh(x * w)
    return x, _stacked(rows)


def _large_scan(a: Any, h: Any, xs: Any) -> Any:
    return lax.scan(lambda h, x: (jnp.tanh(a @ h + x), h.sum()), h, xs)


def _large_scan_twin(a: Any, h: Any, xs: Any) -> Any:
    rows = []
    for x in xs:
        rows.append(h.sum())
        h = jnp.tanh(a @ h + x)
    return h, _stacked(rows)


# -- while_loop, fori_loop


def newton(a: Any, x: Any = 1.0, checkpoint: Any = None) -> Any:
    return lax.while_loop(
        lambda x: jnp.abs(x * x - a) > 1e-12 * a, lambda x: 0.5 * (x + a / x), jnp.asarray(x, "float64"), checkpoint=checkpoint
    )


def newton_twin(a: Any, x: Any = 1.0) -> Any:
    x = jnp.asarray(x, "float64")
    while abs(x * x - a) > 1e-12 * a:
        x = 0.5 * (x + a / x)
    return x


def _spiral(p: Any, checkpoint: Any = None) -> Callable[..., Any]:
    def f(w: Any, x: Any) -> Any:
        def step(s: Any) -> Any:
            return {"n": s["n"] + 1, "x": (1.2 + 0.1 * jnp.sin(w)) * s["x"] + 0.2}

        return p.while_loop(lambda s: jnp.sum(s["x"] ** 2) < 9.0, step, {"n": 0, "x": x}, checkpoint=checkpoint)["x"]

    return f


class Python:
    """lax's loops and branches by Python's own."""

    @staticmethod
    def while_loop(cond: Any, body: Any, s: Any, checkpoint: Any = None) -> Any:
        while cond(s):
            s = body(s)
        return s

    @staticmethod
    def fori_loop(lower: Any, upper: Any, body: Any, s: Any) -> Any:
        for i in range(int(lower), int(upper)):
            s = body(i, s)
        return s

    @staticmethod
    def cond(pred: Any, one: Any, other: Any, *operands: Any) -> Any:
        return one(*operands) if pred else other(*operands)

    @staticmethod
    def switch(index: Any, branches: Any, *operands: Any) -> Any:
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)

    @staticmethod
    def scan(f: Any, c: Any, xs: Any, reverse: bool = False) -> Any:
        rows = [None] * len(xs)
        for i in reversed(range(len(xs))) if reverse else range(len(xs)):
            c, rows[i] = f(c, xs[i])
        return c, None if rows[:1] == [None] else _stacked(rows)

    @staticmethod
    def map(f: Any, xs: Any, batch_size: Any = None) -> Any:
        return _stacked([f(x) for x in xs])


def _known_bounds(p: Any) -> Callable[..., Any]:
    return lambda w, x: p.fori_loop(2, 6, lambda i, v: jnp.sin(v * w) + i * v * 0.1, x)


def _computed_bounds(p: Any) -> Callable[..., Any]:
    def f(w: Any, x: Any) -> Any:
        last = jnp.sum(w > -2).astype(int) + jnp.sum(x > 0).astype(int)  # known only where numbers are
        return p.fori_loop(0, last, lambda i, v: jnp.sin(v * w) + i * v * 0.1, x)

    return f


def _large_while(p: Any) -> Callable[..., Any]:
    def f(a: Any, h: Any) -> Any:
        return p.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, jnp.tanh(a @ s[1]) + 0.1 * s[0]), (0, h))[1]

    return f


# -- cond, switch


def _chosen(p: Any) -> Callable[..., Any]:
    def f(x: Any, y: Any) -> Any:
        a = p.cond(x[0] > y[0], lambda u, v: {"a": jnp.sin(u) * v, "b": 1.0}, lambda u, v: {"a": u + v**2, "b": u[1] * v[0]}, x, y)
        return a["a"] * p.cond(jnp.sum(y), lambda: x, lambda: jnp.cos(y)) + a["b"]

    return f


def _switched(p: Any) -> Callable[..., Any]:
    def f(x: Any, y: Any) -> Any:
        branches = [lambda u: jnp.sin(u) * y, lambda u: y**2, lambda u: jnp.ones(2, "float64"), lambda u: u * 3.0]
        return sum(p.switch(jnp.floor(4 * x[i]).astype(int), branches, x) for i in range(2))

    return f


# -- nested


def _nested(p: Any) -> Callable[..., Any]:
    """A scan whose steps do a while_loop whose steps have a cond that reads what is two levels up."""

    def f(w: Any, xs: Any) -> Any:
        def outer(c: Any, x: Any) -> Any:
            def inner(s: Any) -> Any:
                i, v = s
                return i + 1, p.cond(v > x, lambda v: jnp.sin(v * w) + c * x, lambda v: jnp.cos(v) * w + i * 0.1, v)

            end = p.while_loop(lambda s: (s[0] < 3) & (jnp.abs(s[1]) < 2.5 + w), inner, (0, c))[1]
            return end * 0.5 + x, end * c

        last, ys = p.scan(outer, w * 0.3, xs)
        return last, ys

    return f


def _loops_in_branches(p: Any) -> Callable[..., Any]:
    def f(w: Any, x: Any) -> Any:
        def root(v: Any) -> Any:
            return p.while_loop(lambda s: jnp.abs(s * s - v) > 1e-9, lambda s: 0.5 * (s + v / s), v)

        def sums(v: Any) -> Any:
            return p.scan(lambda c, u: (c * jnp.sin(u) + w, c), v, jnp.stack([v, w, v * w]))[0]

        return p.cond(x > 0, root, sums, x * x + 1) + p.switch((x > 0.5).astype(int), [sums, root], w * w + 0.5)

    return f


def _while_in_while(p: Any) -> Callable[..., Any]:
    def f(w: Any, x: Any) -> Any:
        def outer(s: Any) -> Any:
            i, v = s
            return i + 1, p.while_loop(lambda u: u[0] < i, lambda u: (u[0] + 1, jnp.sin(u[1] * w) + v), (0, v))[1]

        return p.while_loop(lambda s: s[0] < 4, outer, (0, x))[1]

    return f


# -- map, associative_scan


def _mapped(p: Any, batch_size: int | None = None) -> Callable[..., Any]:
    return lambda w, xs: p.map(lambda x: jnp.sin(x @ w) * x, xs, batch_size=batch_size)


def _linear(left: Any, right: Any) -> Any:
    return left[0] * right[0], left[1] * right[0] + right[1]


def _prefixes_twin(a: Any, b: Any) -> Any:
    c, rows = (a[0], b[0]), [(a[0], b[0])]
    for x in zip(a[1:], b[1:], strict=True):
        c = _linear(c, x)
        rows.append(c)
    return _stacked([r[0] for r in rows]), _stacked([r[1] for r in rows])


def _pair(make: Callable[..., Any], *args: np.ndarray, **options: Any) -> Case:
    return Case(make(lax, **options), make(Python), args)


CASES: dict[str, Case] = {
    "scan": scanned(), "scan in reverse": scanned(True),
    "scan of a length": Case(_powers, _powers_twin, (_numbers(2), _numbers(2))),
    "scan of large state": Case(_large_scan, _large_scan_twin, (_numbers(20, 20) / 4, _numbers(20), _numbers(3, 20))),
    "newton": Case(newton, newton_twin, (np.asarray(7.0),)), "while over a tree": _pair(_spiral, _numbers(2), _numbers(2)),
    **{f"while, checkpoint={n}": _pair(_spiral, _numbers(2), _numbers(2), checkpoint=n) for n in (1, 2, "auto")},
    "while of large state": _pair(_large_while, _numbers(20, 20) / 4, _numbers(20)),
    "fori of known bounds": _pair(_known_bounds, _numbers(3), _numbers(3)),
    "fori of computed bounds": _pair(_computed_bounds, _numbers(3), _numbers(3)),
    "cond": _pair(_chosen, _numbers(2), _numbers(2) + 1.5), "switch": _pair(_switched, _numbers(2), _numbers(2) + 1.5),
    "cond in while in scan": _pair(_nested, np.asarray(0.7), _numbers(3)),
    "loops in branches": _pair(_loops_in_branches, np.asarray(0.7), np.asarray(0.6)),
    "loops in the other branches": _pair(_loops_in_branches, np.asarray(0.7), np.asarray(-0.6)),
    "while in while": _pair(_while_in_while, np.asarray(0.7), np.asarray(0.6)),
    "map": _pair(_mapped, _numbers(2), _numbers(5, 2)), "map in batches": _pair(_mapped, _numbers(2), _numbers(5, 2), batch_size=2),
    "associative_scan": Case(lambda a, b: lax.associative_scan(_linear, (a, b)), _prefixes_twin, (_numbers(5), _numbers(5))),
}  # fmt: skip


def total(f: Callable[..., Any]) -> Callable[..., Any]:
    """The sum over f's results of a function that is not linear."""
    return lambda *args: sum(jnp.sum(jnp.sin(y)) for y in tree.leaves(f(*args)))


def arrays(items: Any) -> list[np.ndarray]:
    return [np.asarray(x) for x in tree.leaves(items)]


def agree(got: Any, want: Any, tolerance: float = 1e-11) -> None:
    for g, w in zip(arrays(got), arrays(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)
