"""Fourier transforms over several axes, as ops along one axis each: what numpy/fft.py, lax/fourier.py and scipy/fft.py are made of.

Sums are divided by nothing: what they are multiplied by is `scale`, which the last transform along an axis takes along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import constant, convert, op, pad_axis, slice_axis
from jitgrad.errors import DTypeError
from jitgrad.operands import inexact_arg, is_complex
from jitgrad_compiler.ir.types import F32, DType, complex_of

Axes = Sequence[int]


def float_or_complex(where: str, x: Any) -> Array:
    """An operand in the precision that transforms have: float32 where it has less."""
    value = inexact_arg(where, x)
    return convert(value, F32) if value.type.dtype.is_storage else value


def real(where: str, x: Any) -> Array:
    """An operand of real numbers; raises DTypeError for complex ones."""
    if is_complex(as_value(x, where)):
        raise DTypeError(
            f"{where}: takes real numbers, got {as_value(x, where).dtype}. Take jnp.real of them, or transform them by fft or fftn."
        )
    return float_or_complex(where, x)


def as_complex(x: Array) -> Array:
    dtype: DType = x.type.dtype
    return x if dtype.is_complex else convert(x, complex_of(dtype))


def resized(x: Array, axis: int, n: int) -> Array:
    """The first n elements along an axis, zeros behind those that there are."""
    size = x.type.shape[axis]
    if n <= size:
        return slice_axis(x, axis, 0, n)
    return pad_axis(x, axis, 0, n - size, constant(0, x.type.dtype))


def of_complex(x: Array, axes: Axes, inverse: bool, scale: float = 1.0) -> Array:
    """A complex array transformed along axes, the last one first."""
    for number, axis in enumerate(reversed(axes), 1):
        of_all = scale if number == len(axes) else 1.0
        x = op("fft", x, kind="complex", axis=axis, n=x.type.shape[axis], inverse=inverse, scale=of_all)
    return x


def of_real(x: Array, axes: Axes, scale: float = 1.0) -> Array:
    """A real array transformed along axes, along the last one to what is not said by symmetry."""
    *others, last = axes
    found = op(
        "fft", x, kind="to_complex", axis=last, n=x.type.shape[last], inverse=False, scale=1.0 if others else scale
    )  # fmt: skip
    return of_complex(found, others, False, scale)


def to_real(x: Array, axes: Axes, n: int, scale: float = 1.0) -> Array:
    """The other way, with + in the exponents: along the last axis n numbers of what symmetry says."""
    *others, last = axes
    return op("fft", of_complex(x, others, True), kind="to_real", axis=last, n=n, inverse=True, scale=scale)
