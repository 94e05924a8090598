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
np.array([1, 2, 3]); np.array([[1.0, 2.0], [3.0, 4.0]]); np.array(2.0); np.asarray(3); np.zeros((2, 3), dtype=int)
np.ones(3, "float64"); np.zeros((100, 100)); np.arange(0.0, 1.0, 0.25); np.arange(1000); x * 3; 2.0 * x; 1 - x; x + v; v + x
x * f; x > 0; x <= y; x != y; ~b; b | b; i ^ j; i >> 1; divmod(x, p); x @ x; m @ m; x ** 0.5; x ** -1; float(x[0]); x.tolist()
x.item(0); len(x); bool(b.any()); list(x); x.sum(); x.mean(); x.std(); x.min(); x.max(); x.prod(); x.all(); x.any(); x.flatten()
x.copy(); x.round(); x.clip(-1.0, 1.0); x.sort(); x.argsort(); m.transpose(); m.transpose(1, 0); m.swapaxes(0, 1); m.trace()
m.diagonal(); x.take(i); x.repeat(2); x.astype("int64"); i.astype("float32"); x.nonzero(); x.var(); m.min(0); m.prod(1)
m.cumsum(1); m.argmin(1); c.conj(); c.real; c.imag; m[1]; m[-1]; m[1:, 1:]; m[..., 0]; m[m > 0]; m[b]; x[-1]; x[i[0]]; m[1, :]
x[:-1]; x[::2]; m[:, None]; m[i, 1]; np.angle(c); np.around(x, 1); np.arcsin(q); np.arccos(q); np.arctan(x); np.arcsinh(x)
np.sinh(x); np.cosh(x); np.cos(x); np.tan(x); np.exp2(x); np.expm1(x); np.log1p(p); np.log2(p); np.log10(p); np.cbrt(x)
np.reciprocal(x); np.rint(x); np.trunc(x); np.ceil(x); np.fix(x); np.fabs(x); np.positive(x); np.negative(x); np.sinc(x)
np.deg2rad(x); np.rad2deg(x); np.isfinite(x); np.isinf(x); np.isneginf(x); np.iscomplex(c); np.invert(i); np.bitwise_or(i, j)
np.bitwise_xor(i, j); np.bitwise_count(i); np.right_shift(i, j); np.fmax(x, y); np.fmin(x, y); np.fmod(x, p)
np.float_power(p, x); np.divmod(x, p); np.logical_not(b); np.logical_or(b, b); np.logical_xor(b, b); np.greater(x, y)
np.not_equal(x, y); np.logaddexp2(x, y); np.i0(x); np.spacing(x); np.imag(c); np.mod(x, p); np.true_divide(x, y)
np.minimum(x, 0.0); np.minimum(x, y); np.sqrt(2.0); np.exp(1.0); np.sum(x, keepdims=True); np.mean(x, axis=0, keepdims=True)
np.sum(m, axis=(0, 1)); np.sum(m, axis=-1); np.nanmin(x); np.nanprod(x); np.nanstd(x); np.nanvar(x); np.nanmedian(x)
np.nanargmax(x); np.nancumsum(x); np.nanquantile(x, 0.3); np.percentile(x, 30.0); np.quantile(m, 0.3, axis=0)
np.median(m, axis=1); np.average(x, weights=p); np.std(x); np.var(x, ddof=1); np.cumsum(m, axis=1); np.cumulative_sum(x)
np.max(x, initial=0.0); np.any(b, axis=0); np.all(m, axis=1); np.partition(x, 2); np.argpartition(x, 2); np.lexsort((x, y))
np.sort(m, axis=0); np.argwhere(b); np.flatnonzero(b); np.unique(i, return_counts=True); np.unique(i); np.union1d(i, j)
np.setdiff1d(i, j); np.setxor1d(i, j); np.extract(b, x); np.compress(b, x); np.searchsorted(s, 0.3); np.count_nonzero(m, axis=0)
np.trim_zeros(x); np.atleast_1d(x); np.atleast_3d(x); np.column_stack([x, y]); np.dstack([x, y]); np.concatenate([m, m], axis=1)
np.stack([x, y], axis=1); np.array_split(x, 3); np.hsplit(m, 2); np.vsplit(m, 2); np.block([[m, m], [m, m]])
np.broadcast_arrays(x, m); np.delete(x, 1); np.insert(x, 1, 9.0); np.resize(x, (2, 3)); np.rot90(m); np.fliplr(m); np.flipud(m)
np.roll(m, 1, axis=0); np.rollaxis(m, 1); np.tile(x, (2, 2)); np.repeat(m, 2, axis=1); np.pad(m, ((1, 1), (0, 0)))
np.squeeze(m); np.permute_dims(m, (1, 0)); np.matrix_transpose(m); np.diagonal(m); np.diagflat(x); np.unstack(m)
np.ravel_multi_index((i, i), (4, 4)); np.unravel_index(i, (4, 4)); np.tril_indices(4); np.triu_indices(4); np.diag_indices(4)
np.indices((2, 2)); np.tri(4); np.vander(x); np.ix_(i, j); np.empty(4); np.empty_like(x); np.ones_like(x)
np.logspace(0.0, 1.0, 5); np.geomspace(1.0, 9.0, 5); np.linspace(0.0, 1.0, 50); np.packbits(b)
np.fromfunction(lambda a, b: a + b, (2, 2)); np.where(x > 0, x, 0.0); np.where(b); np.clip(x, 0, 1); np.choose(i % 2, [x, y])
np.select([b, ~b], [x, y]); np.isin(x, y); np.digitize(x, s, right=True); np.histogram(x, bins=s); np.histogram2d(x, y, 2)
np.bincount(i, minlength=8); np.bincount(i, p); np.interp(0.3, s, y); np.correlate(x, y); np.convolve(x, y, "same")
np.ediff1d(x); np.diff(m, axis=0); np.trapezoid(y, x); np.gradient(m); np.linalg.norm(x); np.linalg.norm(m, axis=1)
np.linalg.inv(k); np.linalg.solve(k, x); np.linalg.det(k); np.linalg.slogdet(k); np.linalg.cholesky(k); np.linalg.qr(k)
np.linalg.svd(k); np.linalg.eigh(k); np.linalg.eigvalsh(k); np.linalg.eig(k); np.linalg.pinv(k); np.linalg.matrix_power(k, 3)
np.linalg.matrix_rank(k); np.linalg.lstsq(k, x)[0]; np.linalg.multi_dot([m, m, m]); np.fft.fft(x); np.fft.ifft(x)
np.fft.rfft(x); np.fft.irfft(x); np.fft.fft2(m); np.fft.fftfreq(8); np.fft.fftshift(x); np.poly(x); np.polyfit(x, y, 1)
np.polyadd(x, y); np.polymul(x, y); np.polyder(x); np.polyint(x); np.roots(x); np.vecdot(x, y); np.matvec(m, x)
np.einsum("i,i", x, y); np.einsum("ij->j", m); np.einsum("bij,bjk->bik", t, t); np.matmul(t, t); np.tensordot(m, m, 1)
np.hamming(8); np.hanning(8); np.kaiser(8, 2.0); np.array_equiv(x, y); np.isrealobj(x); np.iscomplexobj(x); np.isscalar(x)
np.promote_types("int32", "float32"); np.apply_along_axis(np.sum, 0, m); np.vectorize(lambda a: a + 1)(x); np.ptp(m, axis=0)
x + 1; 1 + x; x - 0.5; 2 / x; x / 2; i * 2; i + 1.5; 2 ** x; x ** 3; i ** 2; -i; i - j; i == 1; i < j; x >= 0.5; b & True
3 // i; 7 % p; x // 2; x % 2.0; divmod(x, 2.0); x @ y; c + 1; c * 2.0; c / c; c * 1j; x * 1j; x + i; x * b; i * x; b * 2; b + b
x < i; m[::-1]; m[:, ::2]; m[0, :]; m[None, :, None]; m[..., None, 0]; m[i, :]; m[:, i]; m[1, i]; m[i, 1:3]; m[b, 0]; t[0]
t[:, 0, :]; t[..., 0]; m[(0, 1)]; x[()]; m[0][1]; m[i][:, j]; m[:2, i]; m[1:3, 1:3]; x[b]; m[i[:, None], j[None]]; m[-1, -1]
x[1:]; x[2]; m[:]; m[...]; m.mean(0); m.std(1); m.var(0); m.sum(-1); m.sum((0, 1)); m.max(); m.min(); m.any(); m.all(0)
m.argmax(1); m.argmin(); m.cumsum(0); m.cumprod(1); m.prod(); m.squeeze(); m.flatten(); m.reshape(2, 8); m.reshape((2, -1))
m.round(1); m.clip(0.0, 1.0); m.dot(m); m.sum(0, keepdims=True); m.sum(axis=1); m.mean(axis=(0, 1)); m.sort(0); m.argsort(1)
m.take(i, 0); m.repeat(2, 0); m.diagonal(1); m.tolist(); int(i[0]); float(x.sum()); complex(x[0]); m.item(3); m.view("int32")
m.conj(); x.std(ddof=1); bool(x[0] > 0); x.mean().item(); np.zeros((3, 3)); np.zeros(3, int); np.ones((2, 2), "int32")
np.full((2, 2), 1); np.full((2, 2), 1.5); np.full((2,), 7, "int32"); np.arange(5.0); np.arange(1, 9, 2)
np.arange(10, dtype="float32"); np.linspace(0.0, 1.0, 11); np.linspace(0, 1, 5, endpoint=False); np.eye(3, 4); np.eye(3, k=1)
np.array([[1, 2], [3, 4]]); np.array([True, False]); np.array([1.0, 2.0], dtype="float64"); np.array(x); np.array([x, y])
np.array([1j]); np.asarray([1.0, 2.0, 3.0]); np.asarray(v); np.array(v); np.zeros_like(m); np.ones_like(i); np.full_like(i, 3)
np.empty((2, 2)); np.tri(3); np.diag(x, 1); np.array([1, 2.5]); np.zeros(()); np.asarray(1.5); np.float32(1.5); np.int32(3)
np.float64(x); np.bool_(True); np.arange(0); np.linspace(x, y, 3); np.sin(1.0); np.exp(2); np.maximum(x, 0); np.maximum(0.0, x)
np.where(b, 1.0, 0.0); np.where(b, x, 0); np.where(x > 0, x, -x); np.clip(x, None, 1.0); np.clip(i, 0, 2); np.add(x, 1.0)
np.power(x, 2); np.power(2.0, x); np.multiply(x, 2); np.abs(i); np.sign(i); np.square(i); np.sqrt(i); np.exp(i); np.mean(i)
np.sum(i); np.sum(b); np.mean(b); np.sum(x, dtype="float64"); np.sum(c); np.mean(c); np.prod(i); np.cumsum(i); np.var(c)
np.max(i); np.any(x); np.all(i); np.argsort(i); np.sort(i); np.sort(x)[::-1]; np.argsort(-x); np.dot(x, m); np.dot(m, x)
np.matmul(m, x); np.matmul(x, m); np.einsum("ij,ij->i", m, m); np.einsum("ii", m); np.einsum("ij->ji", m)
np.einsum("i,j->ij", x, y); np.tensordot(x, y, 0); np.outer(i, j); np.kron(m, m); np.trace(m, 1); np.inner(m, m)
np.linalg.norm(m); np.linalg.norm(x, 1); np.linalg.norm(x, np.inf); np.linalg.matrix_norm(m); np.linalg.vector_norm(x)
np.linalg.cond(k); np.linalg.eigvals(k); np.linalg.svdvals(k); np.linalg.inv(t + np.eye(3)); np.linalg.matrix_transpose(m)
np.linalg.diagonal(m); np.linalg.outer(x, y); np.linalg.tensorsolve(k, x); np.fft.fft(c); np.fft.ifft(c); np.fft.rfft(m)
np.fft.irfft(c); np.fft.fftn(m); np.fft.ifft2(m); np.fft.hfft(c); np.fft.rfftfreq(8); np.fft.ifftshift(x); np.fft.rfft2(m)
np.fft.fft(x, 8); np.fft.fft(m, axis=0); np.stack([x, y], 0); np.stack((x, y), axis=-1); np.concatenate((x, y))
np.concatenate([x, x, x]); np.hstack((m, m)); np.vstack((m, m)); np.split(m, 2, axis=1); np.array_split(m, 3)
np.squeeze(m[:1], 0); np.expand_dims(m, -1); np.expand_dims(m, (0, 1)); np.moveaxis(t, 0, -1); np.transpose(t, (1, 0, 2))
np.reshape(m, -1); np.flip(m, 1); np.flip(m, (0, 1)); np.roll(m, (1, 1), (0, 1)); np.rot90(m, 2); np.tile(m, 2); np.repeat(x, i)
np.broadcast_to(x, (2, 4)); np.tril(m, -1); np.triu(m, 1); np.meshgrid(x, y, indexing="ij"); np.pad(m, 1)
np.pad(x, (1, 2), constant_values=1.0); np.pad(x, 1, "edge"); np.pad(m, 1, "reflect"); np.delete(x, i[:1])
np.insert(m, 0, 1.0, axis=0); np.append(m, m, axis=0); np.take(m, 1, axis=0); np.take(x, 1); np.swapaxes(t, 0, 2); np.ravel(t)
np.copy(x); np.atleast_3d(m); np.block([x, y]); np.diagflat(x, 1); np.argmax(x); np.argmin(x); np.nanargmin(x)
np.nansum(m, axis=0); np.nanmax(m, 1); np.nanmean(m, 0); np.nanpercentile(x, 30.0); np.percentile(m, 50.0, axis=0); np.median(m)
np.average(m, axis=0); np.average(m, axis=0, weights=p); np.cov(x, y); np.corrcoef(x, y); np.histogram(i, 3)
np.histogram(x, 5, (-2.0, 2.0)); np.digitize(0.3, s); np.unique(x, return_inverse=True); np.unique(x, return_index=True)
np.unique(m); np.count_nonzero(m); np.diff(x, 2); np.diff(m); np.gradient(x, 0.5); np.trapezoid(m); np.cumulative_prod(x)
np.interp(x, s, y, left=0.0); np.convolve(x, y, "valid"); np.correlate(x, y, "full"); np.polyval(y, 2.0); np.vander(x, 3)
np.allclose(x, x); np.isclose(x, y, atol=1.0); np.array_equal(m, m); np.iscomplexobj(c); np.nan_to_num(x, nan=1.0); np.unwrap(m)
np.angle(c, deg=True); np.rint(m); np.floor_divide(i, 2); np.bitwise_not(i); np.logical_not(x); np.logical_and(x, y)
np.isposinf(x); np.fmax(x, 0.0); np.hypot(x, 1.0); np.arctan2(x, 1.0); np.copysign(x, -1.0); np.heaviside(x, 0.5)
np.ldexp(x, 2); np.deg2rad(m); np.square(m); np.cbrt(m); np.tril_indices(4, 1); np.triu_indices_from(m); np.diag_indices_from(m)
np.nonzero(m); np.argwhere(m); np.where(m > 0); np.bincount(i, p, 8); np.select([b, ~b], [x, y], 1.0); np.choose(i % 2, [i, j])
np.take_along_axis(m, i[None], 1); np.apply_over_axes(np.sum, m, 0); np.blackman(8); np.bartlett(8); np.result_type(x, 1.0)
np.broadcast_shapes((2, 1), (1, 3)); np.shape(m)
"""


def expressions() -> list[str]:
    return [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split(";")]


def operands(array: Callable[[Any], Any]) -> dict[str, Any]:
    """The operands by name, as arrays of one library, but for `v` and `f`, which are NumPy's for both."""
    x = np.array([0.5, -1.5, 2.5, 0.25], np.float32)
    values = {
        "x": x, "y": x[::-1].copy(), "p": np.abs(x), "s": np.sort(x), "b": x > 0, "m": np.outer(x, x).astype(np.float32),
        "i": np.array([0, 2, 1, 3]), "j": np.array([3, 1, 2, 1]), "c": (x + 1j * x).astype(np.complex64), "q": x / 4,
        "k": np.eye(4, dtype=np.float32) * 3 + np.float32(0.5), "t": np.ones((2, 3, 3), np.float32),
    }  # fmt: skip
    numpys = {"v": np.array([1.0, 2.0, 3.0, 4.0], np.float32), "f": np.float32(2)}
    return {name: array(v) for name, v in values.items()} | numpys


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
            for _ in range(3):  # types are learnt at the first call, operations written down at the second
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
