"""Eager calls on small arrays beside NumPy's, in one run: python benchmarks/eager.py [word ...]

Each call is timed in turns with NumPy's of the same name on the same operands, by the CPU time of this process; the median of the
rounds counts. The bound is 3 x NumPy's time and 2 us more. Calls above it are marked. Nothing of this may compile a program.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad.numpy as jnp

CALLS = 300
ROUNDS = 7

EXPRESSIONS = """
x + y; x * 2.0; -x; x / y; x ** 2; x // y; x % y; x @ m; x < y; x == y; abs(x); i + 1; i // 2; i % 3; i & j; i << 1
x[1]; x[1:3]; m[0]; m[:, 1]; m[1, 2]; x[i]; m[i]; m[i, j]; x[x > 0]; x[None]; x[..., None]; x[::-1]
m.T; m.reshape(-1); m.sum(); m.sum(0); m.mean(); m.max(1); m.astype("float64"); m.ravel(); x.dot(y); x.argmax(); x.cumsum()
np.sin(x); np.exp(x); np.log(p); np.sqrt(p); np.tanh(x); np.abs(x); np.sign(x); np.floor(x); np.round(x); np.isnan(x); np.square(x)
np.add(x, y); np.subtract(x, y); np.multiply(x, y); np.divide(x, y); np.maximum(x, y); np.power(p, y); np.arctan2(x, y)
np.logical_and(b, b); np.logaddexp(x, y); np.hypot(x, y); np.floor_divide(x, p); np.remainder(x, p); np.equal(x, y); np.less(x, y)
np.sum(m); np.sum(m, axis=0); np.prod(x); np.mean(m); np.mean(m, axis=1); np.var(m); np.std(m, axis=0); np.max(m); np.min(m, axis=1)
np.argmax(m); np.argmin(m, axis=0); np.all(b); np.any(b); np.cumsum(x); np.cumprod(x); np.median(x); np.quantile(x, 0.3)
np.count_nonzero(b); np.nansum(x); np.nanmean(x); np.nanmax(x); np.ptp(x); np.average(x); np.diff(x); np.trapezoid(x)
np.zeros(4); np.ones((4, 4)); np.full(4, 2.0); np.arange(4); np.linspace(0, 1, 5); np.eye(4); np.zeros_like(x); np.array([1.0, 2.0])
np.asarray(x); np.tril(m); np.triu(m); np.diag(x); np.diag(m); np.meshgrid(x, y); np.identity(3); np.full_like(x, 2.0)
np.reshape(m, (2, 8)); np.transpose(m); np.concatenate([x, y]); np.stack([x, y]); np.hstack([x, y]); np.vstack([x, y])
np.broadcast_to(x, (4, 4)); np.expand_dims(x, 0); np.squeeze(m[None]); np.swapaxes(m, 0, 1); np.moveaxis(m, 0, 1); np.flip(x)
np.roll(x, 1); np.tile(x, 2); np.repeat(x, 2); np.split(x, 2); np.ravel(m); np.pad(x, 1); np.append(x, y); np.atleast_2d(x)
np.where(b, x, y); np.clip(x, -1.0, 1.0); np.sort(x); np.argsort(x); np.searchsorted(s, x); np.nonzero(x); np.unique(x)
np.take(x, i); np.take_along_axis(x, i, 0); np.isin(i, j); np.intersect1d(i, j); np.bincount(i); np.histogram(x, 3)
np.digitize(x, s)
np.dot(x, y); np.dot(m, m); np.matmul(m, m); np.inner(x, y); np.outer(x, y); np.vdot(x, y); np.tensordot(m, m); np.kron(x, y)
np.einsum("ij,jk->ik", m, m); np.einsum("ij,j->i", m, x); np.cross(x[:3], y[:3]); np.trace(m); np.convolve(x, y); np.interp(x, s, y)
np.allclose(x, y); np.array_equal(x, y); np.isclose(x, y); np.real(c); np.conj(c); np.abs(c); c * c; np.exp(c); np.polyval(x, y)
np.cov(m); np.corrcoef(m); np.gradient(x); np.nan_to_num(x); np.select([b], [x]); np.piecewise(x, [b], [1.0]); np.unwrap(x)
np.result_type(x, i); np.shape(x); np.ndim(x); np.size(x); np.isreal(x); np.signbit(x); np.copysign(x, y); np.frexp(x); np.modf(x)
np.gcd(i, j); np.lcm(i, j); np.bitwise_and(i, j); np.left_shift(i, j); np.ldexp(x, i); np.nextafter(x, y); np.heaviside(x, y)
"""


def expressions() -> list[str]:
    return [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(";")]


def operands(array: Callable[[Any], Any]) -> dict[str, Any]:
    """The operands by name, as arrays of one library."""
    x = np.array([0.5, -1.5, 2.5, 0.25], np.float32)
    values = {
        "x": x, "y": x[::-1].copy(), "p": np.abs(x), "s": np.sort(x), "b": x > 0, "m": np.outer(x, x).astype(np.float32),
        "i": np.array([0, 2, 1, 3]), "j": np.array([3, 1, 2, 1]), "c": (x + 1j * x).astype(np.complex64),
    }  # fmt: skip
    return {name: array(v) for name, v in values.items()}


def seconds(code: Any, names: dict[str, Any]) -> float:
    """CPU time of one evaluation."""
    start = time.process_time()
    for _ in range(CALLS):
        eval(code, names)
    return (time.process_time() - start) / CALLS


def main(words: list[str]) -> None:
    chosen = [e for e in expressions() if not words or any(w in e for w in words)]
    rows = []
    for text in chosen:
        code = compile(text, text, "eval")
        ours, theirs = {"np": jnp, **operands(jnp.array)}, {"np": np, **operands(np.array)}
        with np.errstate(all="ignore"):
            eval(code, ours), eval(code, theirs)
            pairs = [(seconds(code, ours), seconds(code, theirs)) for _ in range(ROUNDS)]
        mine, numpys = (float(np.median([p[k] for p in pairs])) * 1e6 for k in (0, 1))
        rows.append((mine - (3 * numpys + 2), text, mine, numpys))
    print(f"{'call':34} {'us':>8} {'NumPy us':>9} {'bound us':>9}")
    for excess, text, mine, numpys in sorted(rows, reverse=True):
        print(f"{text:34} {mine:8.2f} {numpys:9.2f} {3 * numpys + 2:9.2f} {'above' if excess > 0 else ''}")
    over = sum(r[0] > 0 for r in rows)
    compiled = "llvmlite" in sys.modules
    print(
        f"{len(rows) - over} of {len(rows)} within 3 x NumPy + 2 us; {'a program was compiled' if compiled else 'nothing compiled'}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
