"""fft: Fourier transforms along one axis.

    kind          operand                    result
    "complex"     complex, n                 complex, n:            scale * sum over j of exp(-+ 2 pi i j k / n) x[j]
    "to_complex"  real, n                    complex, n // 2 + 1:   the same for k up to n / 2
    "to_real"     complex, n // 2 + 1        real, n:               the inverse of what a real array's transform is

`inverse` turns with + instead of -: always for "to_real", never for "to_complex". The sums are those alone: what they are divided
by is in `scale`. Each is linear, and its own transpose or, but for factors 2, the other's.

fft_pairs is the same where complex numbers are pairs along a last axis of real arrays: what passes/complex_parts makes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..ir.builder import Value, literal
from ..ir.graph import BATCH, JVP, Op
from ..ir.types import F32, F64, I64, ArrayType
from .arithmetic import make_complex, op, where
from .define import check_dtypes, linear_jvp, zeros

KINDS = ("complex", "to_complex", "to_real")


def half(n: int) -> int:
    """How many numbers say all of the transform of n real ones."""
    return n // 2 + 1


def _check(name: str, x: ArrayType, shape: tuple[int, ...], kind: str, axis: int, n: int, inverse: bool) -> tuple[int, ...]:
    """The shape of the result."""
    if kind not in KINDS or kind == "to_complex" and inverse or kind == "to_real" and not inverse:
        raise ShapeError(f"{name}: kind must be one of {KINDS}, to_real inverse and to_complex not, got {kind!r}, {inverse=}")
    if not 0 <= axis < len(shape) or n < 1 or shape[axis] != (half(n) if kind == "to_real" else n):
        raise ShapeError(f"{name}: {kind} of {n} elements along axis {axis} does not fit {x}")
    length = half(n) if kind == "to_complex" else n
    return (*shape[:axis], length, *shape[axis + 1 :])


def _type(x: ArrayType, kind: str, axis: int, n: int, inverse: bool, scale: float) -> ArrayType:
    check_dtypes("fft", "float" if kind == "to_complex" else "complex", [x])
    if x.dtype.real not in (F32, F64):
        raise DTypeError(f"fft: takes float32, float64 and complex numbers of these, got {x}")
    shape = _check("fft", x, x.shape, kind, axis, n, inverse)
    dtype = x.dtype.real if kind == "to_real" else x.dtype.real.complex
    assert dtype is not None
    return ArrayType(shape, dtype)


def _numpy(x: Any, kind: str, axis: int, n: int, inverse: bool, scale: float) -> Any:
    x = np.asarray(x)
    if kind == "to_complex":
        return _scaled(np.fft.rfft(x, n, axis), scale)
    if kind == "to_real":
        return _scaled(np.fft.irfft(x, n, axis, norm="forward"), scale)
    return _scaled(np.fft.ifft(x, n, axis, norm="forward") if inverse else np.fft.fft(x, n, axis), scale)


def _scaled(x: Any, scale: float) -> Any:
    return x if scale == 1 else np.multiply(x, x.real.dtype.type(scale), out=x)


def _transpose(cts: Sequence[Value], operands: Sequence[Any], params: dict[str, Any]) -> Any:
    kind, n, axis = params["kind"], params["n"], params["axis"]
    if kind == "complex":
        return [op("fft", cts[0], **params)]
    if kind == "to_complex":
        once = _times(cts[0], axis, n, 0.5)
        return [op("fft", op("conj", once), **{**params, "kind": "to_real", "inverse": True})]
    found = op("fft", cts[0], **{**params, "kind": "to_complex", "inverse": False})
    return [op("conj", _times(found, axis, n, 2.0))]


def _times(x: Value, axis: int, n: int, factor: float) -> Value:
    """Times a factor all that stands for two elements of the whole transform: not the first, nor of an even n the last."""
    real = x.type.dtype.real
    place = op("iota", shape=x.type.shape, axis=axis, dtype=I64)
    lone = op("eq", op("rem", place * 2, literal(n, I64)), literal(0, I64))
    factors = where(lone, literal(1, real), literal(factor, real))
    return x * make_complex(factors, zeros(factors.type))


def _batch_of(name: str) -> Callable[..., Any]:
    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        return [op(name, args[0], **{**params, "axis": params["axis"] + 1})]

    return batch


fft = Op("fft", _type, _numpy, transpose=_transpose, batch=_batch_of("fft"), doc="A Fourier transform along one axis.")
JVP[fft] = linear_jvp(fft)


# -- with complex numbers as pairs

LARGEST_PRIME = 13
"""Of the lengths that kernels have."""
LONGEST_COLUMN = 2048
"""Elements of the longest transform that kernels do side by side, for as many rows or columns as a vector has lanes: two buffers
of them fill half of the second-level cache. Longer ones they do along the last axis alone.
"""
FEWEST_COLUMNS = 8
"""How many elements lie behind another axis that is not transposed: fewer would leave most of a vector idle."""


def largest_prime(n: int) -> int:
    """The largest prime factor."""
    largest, prime = 1, 2
    while prime * prime <= n:
        while n % prime == 0:
            largest, n = prime, n // prime
        prime += 1
    return max(largest, n)


def _pairs_type(x: ArrayType, kind: str, axis: int, n: int, inverse: bool, scale: float) -> ArrayType:
    check_dtypes("fft_pairs", "float", [x])
    pairs = kind != "to_complex"
    if x.dtype not in (F32, F64):
        raise DTypeError(f"fft_pairs: takes float32 and float64, got {x}")
    if pairs and x.shape[-1:] != (2,):
        raise ShapeError(f"fft_pairs: {kind} takes pairs along a last axis, got {x}")
    if largest_prime(n) > LARGEST_PRIME or kind != "complex" and n % 2:
        raise ShapeError(f"fft_pairs: there are no kernels for {kind} of {n} elements")
    shape = _check("fft_pairs", x, x.shape[:-1] if pairs else x.shape, kind, axis, n, inverse)
    return ArrayType(shape if kind == "to_real" else (*shape, 2), x.dtype)


def _pairs(x: Any, kind: str, axis: int, n: int, inverse: bool, scale: float) -> Any:
    x = np.ascontiguousarray(x)
    if kind != "to_complex":
        x = x.view(np.result_type(x.dtype, np.complex64))[..., 0]
    found = _numpy(x, kind, axis, n, inverse, scale)
    return found if kind == "to_real" else np.ascontiguousarray(found)[..., None].view(found.real.dtype)


fft_pairs = Op(
    "fft_pairs", _pairs_type, _pairs, no_derivative="it is made of fft once derivatives have been taken",
    doc="fft of real arrays, with complex numbers as pairs along a last axis; n has no prime factor above 13, and is even for real "
    "numbers.",
)  # fmt: skip
BATCH[fft_pairs] = _batch_of("fft_pairs")
