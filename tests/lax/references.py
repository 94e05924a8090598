"""What jitgrad.lax's functions do, said with NumPy: a line or two each, for those that NumPy and SciPy have under no name."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special

from jitgrad import lax
from tests.test_convolution import summed
from tests.test_lax import windows as gather_windows
from tests.test_windowed_reductions import windows as reduction_windows

Array = np.ndarray
JOINED: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
FOLDS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lax.add, lambda a, b: 0 + (a + b)), "mul": (lax.mul, lambda a, b: (b * a) * 1), "max": (lax.max, lambda a, b: lax.neg(
        lax.neg(lax.max(a, b)))), "min": (lax.min, lambda a, b: lax.select(lax.le(a, b), a, b)),
}  # fmt: skip
"""Functions that join two elements: that of an op, and one that is several."""


def quotient(x: Array, y: Any) -> Array:
    """Integers are divided towards zero; by zero the result is -1, all bits."""
    if np.asarray(x).dtype.kind not in "iu":
        return np.divide(x, y)
    x, y = np.broadcast_arrays(x, np.asarray(y, x.dtype))
    whole = [
        -1 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        for a, b in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    ]
    return _wrapped(whole, x.dtype).reshape(x.shape)


def remainder(x: Array, y: Any) -> Array:
    """With the sign of x; of integers by zero it is x."""
    if np.asarray(x).dtype.kind not in "iu":
        return np.fmod(x, y)
    x, y = np.broadcast_arrays(x, np.asarray(y, x.dtype))
    return np.where(y == 0, x, np.fmod(x, np.where(y == 0, 1, y)).astype(x.dtype))


def _wrapped(numbers: list[int], dtype: Any) -> Array:
    """Integers of any size as those of a type that have the same last bits."""
    bits = 8 * dtype.itemsize
    return np.array([n % 2**bits for n in numbers], "uint64").astype(f"uint{bits}").astype(dtype)


def upper_half(x: Array, y: Any) -> Array:
    x, y = np.broadcast_arrays(x, np.asarray(y, x.dtype))
    bits = 8 * x.dtype.itemsize
    whole = [(int(a) * int(b)) >> bits for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    return _wrapped(whole, x.dtype).reshape(x.shape)


def shifted(f: Callable[[Array, Array], Array], logical: bool, beyond: Callable[[Array], Any]) -> Callable[[Array, Array], Array]:
    """A shift; by as many bits as there are or more, or by fewer than none, all bits are shifted out."""

    def reference(x: Array, y: Array) -> Array:
        bits = 8 * x.dtype.itemsize
        inside = (y >= 0) & (y < bits)
        unsigned = x.astype(f"uint{bits}") if logical else x
        out = f(unsigned, np.where(inside, y, 0).astype(unsigned.dtype)).astype(x.dtype)
        return np.where(inside, out, beyond(x)).astype(x.dtype)

    return reference


def leading_zeros(x: Array) -> Array:
    bits = 8 * x.dtype.itemsize
    counted = [bits - int(n).bit_length() for n in x.astype(f"uint{bits}").ravel()]
    return np.array(counted, x.dtype).reshape(x.shape)


def ones(x: Array) -> Array:
    return np.array([int(n).bit_count() for n in x.astype(f"uint{8 * x.dtype.itemsize}").ravel()], x.dtype).reshape(x.shape)


def round_away(x: Array) -> Array:
    return np.copysign(np.trunc(np.abs(x) + (np.abs(x) % 1 >= 0.5)), x)


def whole_power(x: Array, n: int) -> Array:
    return np.power(x, n) if n >= 0 else np.asarray(1 / np.power(x, -n), x.dtype)


def raised(x: Array, y: Array) -> Array:
    """Of whole exponents of an integer type, exactly so."""
    return np.power(x, y.astype(x.dtype)) if x.dtype.kind in "fc" and y.dtype.kind in "iu" else np.power(x, y)


def converted(x: Array, dtype: Any) -> Array:
    """Floats to integers towards zero, those that are too large to the largest, NaN to 0; of complex numbers the real part."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu" or x.dtype.kind in "biu":
        return (x != 0 if kind.kind == "b" else x.real if kind.kind != "c" else x).astype(dtype)
    ends = np.iinfo(kind)
    numbers = [0 if math.isnan(v) else ends.min if v < ends.min else ends.max if v > ends.max else int(v) for v in x.real.ravel()]
    return np.array(numbers, kind).reshape(x.shape)


def narrowed(x: Array, exponent: int, mantissa: int) -> Array:
    """To the nearest number of so many bits, half to even; what is too large is infinite, too small zero."""
    fraction, power = np.frexp(x.astype(np.float64))
    scale = np.exp2(float(mantissa + 1))
    out = np.ldexp(np.rint(fraction * scale) / scale, power)
    largest, least = np.exp2(2.0 ** (exponent - 1)), np.exp2(2.0 - 2 ** (exponent - 1))
    out = np.where(np.abs(out) >= largest, np.copysign(np.inf, x), np.where(np.abs(out) < least, np.copysign(0.0, x), out))
    return np.where(np.isfinite(x), out, x).astype(x.dtype)


def chosen(which: Array, *cases: Array) -> Array:
    return np.choose(which.astype(int), cases) if cases[0].size else cases[0]


def folded(name: str) -> Callable[[Array, Sequence[int]], Array]:
    """Over axes, in the operand's type; over none it is the operand, where NumPy's sum adds 0 and a zero loses its sign."""

    def reference(x: Array, axes: Sequence[int]) -> Array:
        found = np.asarray(getattr(np, name)(x, axis=tuple(axes))) if axes else x
        return found.astype(x.dtype if name not in ("all", "any") else bool)

    return reference


def reduced_from(name: str) -> Callable[[Array, Sequence[int]], Array]:
    """Maxima and minima, which begin with the number below or above all others."""

    def reference(x: Array, axes: Sequence[int]) -> Array:
        return getattr(np, name)(x, axis=tuple(axes), initial=_start(name, None, x.dtype)).astype(x.dtype)

    return reference


def index_of(f: Any) -> Callable[..., Array]:
    return lambda x, axis, dtype: f(x, axis).astype(dtype)


def exclusive_or(x: Array, axes: Sequence[int]) -> Array:
    return np.bitwise_xor.reduce(x, axis=tuple(axes), dtype=x.dtype) if x.ndim else x


def cumulated(f: Any) -> Callable[..., Array]:
    def reference(x: Array, axis: int, reverse: bool) -> Array:
        turned = np.flip(x, axis) if reverse else x
        out = f.accumulate(turned, axis=axis, dtype=x.dtype) if x.shape[axis] else x
        return np.flip(out, axis) if reverse else out

    return reference


def cumulated_exponentials(x: Array, axis: int, reverse: bool) -> Array:
    turned = np.flip(x, axis) if reverse else x
    out = np.cumsum(np.exp(turned), axis, dtype=x.dtype)
    return np.flip(out, axis) if reverse else out


def exponentials_of_logarithms(x: Any, axis: int, reverse: bool) -> Any:
    """`cumlogsumexp` of complex numbers but for the branch of its logarithm."""
    return lax.exp(lax.cumlogsumexp(x, axis, reverse))


def reduced(x: Array, start: Any, name: str, axes: Sequence[int], _: bool) -> Array:
    return JOINED[name].reduce(x, axis=tuple(axes), dtype=x.dtype, initial=start)


def reduced_by(x: Any, start: Any, name: str, axes: Sequence[int], several: bool) -> Any:
    return lax.reduce(x, start, FOLDS[name][several], axes)


def largest_of_pairs(x: Any, places: Any, axes: Sequence[int]) -> Any:
    """The largest element of each, and the least of the numbers that stand beside it."""

    def join(a: Any, b: Any) -> Any:
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
        return [lax.select(first, p, q) for p, q in zip(a, b, strict=True)]

    return lax.reduce([x, places], [np.asarray(-np.inf, x.dtype), np.int32(2**30)], join, axes)


def largest_by_numpy(x: Array, places: Array, axes: Sequence[int]) -> Any:
    best = np.max(x, axis=tuple(axes), keepdims=True, initial=-np.inf)
    where = np.min(np.where(x == best, places, 2**30), axis=tuple(axes), initial=2**30)
    return [best.reshape(where.shape), where.astype(np.int32)]


def spread(x: Array, shape: Sequence[int], places: Sequence[int]) -> Array:
    return np.broadcast_to(x.reshape([x.shape[places.index(i)] if i in places else 1 for i in range(len(shape))]), shape)


def reshaped(x: Array, shape: Sequence[int], order: Sequence[int] | None) -> Array:
    return (x if order is None else x.transpose(order)).reshape(shape)


def collapsed(x: Array, start: int, stop: int | None) -> Array:
    lo, hi, _ = slice(start, stop).indices(x.ndim)
    return x.reshape((*x.shape[:lo], math.prod(x.shape[lo:hi]), *x.shape[hi:]))


def padded(x: Array, value: Array, config: Sequence[tuple[int, int, int]]) -> Array:
    for axis, (low, high, between) in enumerate(config):
        x = np.moveaxis(x, axis, 0)
        apart = np.full((len(x) + max(len(x) - 1, 0) * between, *x.shape[1:]), value)
        apart[:: between + 1] = x
        around = [np.full((max(n, 0), *x.shape[1:]), value) for n in (low, high)]
        whole = np.concatenate([around[0], apart, around[1]])
        x = np.moveaxis(whole[max(-low, 0) : len(whole) - max(-high, 0)], 0, axis).astype(x.dtype)
    return x


def _held(at: Any, size: int, whole: int) -> int:
    """A start that is counted from the end where negative, and moved so that the window is inside."""
    number = int(at)
    return min(max(number + whole if number < 0 else number, 0), whole - size)


def window(x: Array, starts: Sequence[Any], sizes: Sequence[int]) -> Array:
    return x[tuple(slice(s := _held(at, n, whole), s + n) for at, n, whole in zip(starts, sizes, x.shape, strict=True))]


def window_along(x: Array, at: Any, size: int, axis: int) -> Array:
    s = _held(at, size, x.shape[axis])
    return np.take(x, np.arange(s, s + size), axis)


def element(x: Array, at: Any, axis: int, keep: bool) -> Array:
    out = window_along(x, at, 1, axis)
    return out if keep else out.squeeze(axis)


def replaced(x: Array, part: Array, starts: Sequence[Any]) -> Array:
    out = x.copy()
    out[tuple(slice(s := _held(at, n, whole), s + n) for at, n, whole in zip(starts, part.shape, x.shape, strict=True))] = part
    return out


def replaced_along(x: Array, part: Array, at: Any, axis: int) -> Array:
    part = np.expand_dims(part, axis) if part.ndim < x.ndim else part
    return replaced(x, part, [at if i == axis % x.ndim else 0 for i in range(x.ndim)])


def points(x: Array, at: Sequence[Array], axes: Sequence[int]) -> Array:
    return np.moveaxis(x, axes, range(len(axes)))[tuple(at)]


def sorted_together(xs: Sequence[Array], axis: int, num_keys: int) -> list[Array]:
    if 0 in xs[0].shape:
        return list(xs)
    order = np.lexsort([x + 0 if x.dtype.kind in "fc" else x for x in xs[:num_keys][::-1]], axis=axis)
    return [np.take_along_axis(x, order, axis) for x in xs]


def largest(x: Array, k: int, axis: int) -> list[Array]:
    """Of equal elements the first, NaN before all."""
    order = np.argsort(np.flip(x, axis), axis, kind="stable")
    places = (x.shape[axis] - 1 - np.flip(order, axis)).take(np.arange(k), axis)
    return [np.take_along_axis(x, places, axis), places.astype(np.int32)]


def smallest(x: Array, k: int, axis: int) -> list[Array]:
    places = np.argsort(x, axis, kind="stable").take(np.arange(k), axis)
    return [np.take_along_axis(x, places, axis), places.astype(np.int32)]


def multiplied(x: Array, y: Array, numbers: Any) -> Array:
    (shared_x, shared_y), (batch_x, batch_y) = numbers
    letters = iter("abcdefghijklmnop")
    of_x, of_y = [""] * x.ndim, [""] * y.ndim
    for a, b in zip([*batch_x, *shared_x], [*batch_y, *shared_y], strict=True):
        of_x[a] = of_y[b] = next(letters)
    free_x, free_y = ([i for i, letter in enumerate(of) if not letter] for of in (of_x, of_y))
    for of, free in ((of_x, free_x), (of_y, free_y)):
        for i in free:
            of[i] = next(letters)
    out = [of_x[i] for i in (*batch_x, *free_x)] + [of_y[i] for i in free_y]
    return np.einsum(f"{''.join(of_x)},{''.join(of_y)}->{''.join(out)}", x, y)


def grouped(x: Array, y: Array, sizes: Array) -> Array:
    """Each row by the matrix of its group."""
    out = np.zeros((len(x), y.shape[2]), x.dtype)
    for i, group in enumerate(np.repeat(np.arange(len(sizes)), sizes)[: len(x)]):
        out[i] = x[i] @ y[group]
    return out


def grouped_in_general(x: Array, y: Array, sizes: Array, numbers: Any) -> Array:
    """The sum over groups, or all of their results, of products with what is in each group alone."""
    (ragged,), of_groups = numbers.lhs_ragged_dimensions, tuple(numbers.rhs_group_dimensions)
    (shared_x, shared_y), (batch_x, batch_y) = numbers.dot_dimension_numbers
    group = np.repeat(np.arange(len(sizes)), sizes)[: x.shape[ragged]]
    group = np.pad(group, (0, x.shape[ragged] - len(group)), constant_values=-1)
    group = group.reshape([-1 if i == ragged else 1 for i in range(x.ndim)])
    apart = [np.where(group == i, x, 0) for i in range(len(sizes))]
    if not of_groups:
        return np.stack([multiplied(part, y, numbers.dot_dimension_numbers) for part in apart])
    moved = np.moveaxis(y, of_groups[0], 0)
    shared, batch = ([a - (a > of_groups[0]) for a in axes] for axes in (shared_y, batch_y))
    parts = [multiplied(part, m, ((shared_x, shared), (batch_x, batch))) for part, m in zip(apart, moved, strict=True)]
    return np.sum(parts, 0, dtype=x.dtype)


def applied(x: Array, starts: Array, f: Any, numbers: Any, *, update_shape: Any, mode: Any) -> Array:
    return scattered(lambda old, _: f(old))(x, starts, np.zeros(update_shape), numbers, mode=mode)


def gathered(x: Array, starts: Array, numbers: Any, sizes: Any, *, mode: Any, fill_value: Any = None) -> Array:
    every = list(gather_windows(x.shape, starts, numbers, sizes))
    batch = iter(starts.shape[:-1])
    absent = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
    of_window = iter(n for i, n in enumerate(sizes) if i not in absent)
    rank = starts.ndim - 1 + x.ndim - len(absent)
    out = np.zeros([next(of_window) if i in numbers.offset_dims else next(batch) for i in range(rank)], x.dtype)
    for position, at, fits, _ in every:
        out[position] = x[at] if fits or mode == "clip" else _filled(x.dtype, fill_value)
    return out


def _filled(dtype: Any, value: Any) -> Any:
    if value is not None or dtype.kind not in "iu":
        return value if value is not None else True if dtype.kind == "b" else np.nan
    return np.iinfo(dtype).min or np.iinfo(dtype).max


def scattered(join: Callable[[Any, Any], Any]) -> Callable[..., Array]:
    def reference(x: Array, starts: Array, updates: Array, numbers: Any, *, mode: Any) -> Array:
        out, dims = x.copy(), lax.GatherDimensionNumbers(*numbers)
        absent = (*dims.collapsed_slice_dims, *dims.operand_batching_dims)
        window = iter(updates.shape[d] for d in dims.offset_dims)
        sizes = [1 if i in absent else next(window) for i in range(x.ndim)]
        for position, at, fits, _ in gather_windows(x.shape, starts, dims, sizes):
            if fits or mode == "clip":
                out[at] = join(out[at], updates[position])
        return out

    return reference


def _start(name: str, given: Any, dtype: Any) -> Any:
    ends = np.iinfo(dtype) if dtype.kind in "iu" else None
    if given is not None:
        return dtype.type(given)
    if dtype.kind == "b":
        return np.bool_(name == "min")
    return dtype.type((ends.min if ends else -np.inf) if name == "max" else (ends.max if ends else np.inf))


def windowed(x: Array, name: str, start: Any, _: bool, sizes: Any, strides: Any, padding: Any, *dilations: Any) -> Array:
    if isinstance(padding, str):
        spans = [(n - 1) * d + 1 for n, d in zip(sizes, dilations[1], strict=True)]
        padding = pads(x.shape, spans, strides, padding)
    found = reduction_windows(x, sizes, strides, padding, *dilations)
    out = np.empty(found.shape, x.dtype)
    for place in np.ndindex(*found.shape):
        out[place] = functools.reduce(JOINED[name], found[place], _start(name, start, x.dtype))
    return out


def windowed_by(x: Any, name: str, start: Any, several: bool, *rest: Any) -> Any:
    return lax.reduce_window(x, _start(name, start, np.dtype(x.dtype)), FOLDS[name][several], *rest)


def pads(shape: Sequence[int], window: Sequence[int], strides: Sequence[int], name: str) -> list[tuple[int, int]]:
    """TensorFlow's rule: as many windows as n / stride, rounded up."""
    if name == "VALID":
        return [(0, 0)] * len(shape)
    whole = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(shape, window, strides, strict=True)]
    return [(w // 2, w - w // 2) if name == "SAME" else (w - w // 2, w // 2) for w in whole]


def convolved(
    x: Array, w: Array, strides: Any, padding: Any, lhs_dilation: Any, rhs_dilation: Any, specs: Any, groups: int, batches: int
) -> Array:
    letters = [c for c in specs[1] if c not in "OI"]
    x = x.transpose([specs[0].index(c) for c in ["N", "C", *letters]])
    w = w.transpose([specs[1].index(c) for c in ["O", "I", *letters]])
    parts = zip(np.split(x, batches, 0), np.split(w, batches, 0), strict=True)
    out = np.concatenate([summed(a, b, strides, padding, lhs_dilation, rhs_dilation, groups) for a, b in parts], 1)
    return out.transpose([["N", "C", *letters].index(c) for c in specs[2]])


def convolved_simply(x: Array, w: Array, strides: Any, padding: Any, lhs_dilation: Any = None, rhs_dilation: Any = None) -> Array:
    once = [1] * len(strides)
    apart, dilation = lhs_dilation or once, rhs_dilation or once
    if isinstance(padding, str):
        padding = pads(x.shape[2:], [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilation, strict=True)], strides, padding)
    return summed(x, w, strides, padding, apart, dilation)


def transposed(x: Array, w: Array, strides: Any, padding: Any, dilation: Any, transpose_kernel: bool) -> Array:
    """With pairs, lhs is padded by them; with a name, it is the transpose of the convolution with that padding."""
    rank = len(strides)
    space = tuple(range(rank))
    if transpose_kernel:
        w = np.flip(w, space).swapaxes(-1, -2)
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=False)]
    if isinstance(padding, str):
        name = padding
        sizes = [n * s if name == "SAME" else n * s + max(k - s, 0) for n, s, k in zip(x.shape[1:-1], strides, spans, strict=True)]
        padding = []
        for size, n, s, k in zip(sizes, x.shape[1:-1], strides, spans, strict=True):
            whole = size - ((n - 1) * s + 1) + k - 1  # what zeros are needed for that many results
            first = k - 1 if name == "VALID" or s > k - 1 else -(-whole // 2)
            padding.append((first, whole - first))
    moved = summed(np.moveaxis(x, -1, 1), np.moveaxis(w, (-1, -2), (0, 1)), [1] * rank, padding, strides, dilation)
    return np.moveaxis(moved, 1, -1)


def patches(x: Array, window: Sequence[int], strides: Any, padding: Any, rhs_dilation: Any) -> Array:
    """A convolution with kernels of a one at one place each, feature by feature."""
    kernels = np.eye(math.prod(window)).reshape(-1, 1, *window).astype(x.dtype)
    once = [1] * len(window)
    rows = [summed(x[:, i : i + 1], kernels, strides, padding, once, rhs_dilation or once) for i in range(x.shape[1])]
    return np.concatenate(rows, 1)


def convolved_locally(x: Array, w: Array, strides: Any, padding: Any, window: Sequence[int]) -> Array:
    return np.einsum("bfn,rfn->brn", patches(x, window, strides, [(0, 0)], None), w)


def gamma_slope(a: Array, x: Array) -> Array:
    """The derivative of P(a, x) by a, by the central difference of five points."""
    h = 1e-3
    p = [scipy.special.gammainc(a + k * h, x) for k in (-2, -1, 1, 2)]
    return (p[0] - 8 * p[1] + 8 * p[2] - p[3]) / (12 * h)


def gamma_draw_slope(a: Array, x: Array) -> Array:
    return -gamma_slope(a, x) / np.exp((a - 1) * np.log(x) - x - scipy.special.gammaln(a))
