"""Windows of signals: hanning, hamming, blackman, bartlett, kaiser; symmetric, in default_float."""

from __future__ import annotations

import math
from typing import Any

from jitgrad.array import Array
from jitgrad.array_ops import convert, fill, op
from jitgrad.operands import ArrayLike, inexact_arg, real_number_arg, size_arg
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import I64

from .elementwise import i0, named, sqrt


def _window(name: str, terms: tuple[float, ...], doc: str, sample: str) -> Any:
    """A sum of cosines: terms[k] * cos(2 pi k i / (M - 1)) with alternating signs."""

    def function(M: int) -> Array:
        M = size_arg(name, M, "M must be an integer")
        if M < 2:
            return fill((max(M, 0),), 1, inexact_arg(name, 0.0).type.dtype)
        angle = convert(op("iota", shape=(M,), axis=0, dtype=I64), inexact_arg(name, 0.0).type.dtype) * (2 * math.pi / (M - 1))
        out: Any = terms[0]
        for k, weight in enumerate(terms[1:], start=1):
            out = op("cos", angle * k if k > 1 else angle) * ((-1) ** k * weight) + out
        result: Array = out
        return result

    return named(
        function, name,
        f"""{doc} window of M points, in default_float.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(5).round(2))
    {sample}
    """,
    )  # fmt: skip


hanning = _window("hanning", (0.5, 0.5), "The Hann", "[0.  0.5 1.  0.5 0. ]")
hamming = _window("hamming", (0.54, 0.46), "The Hamming", "[0.08 0.54 1.   0.54 0.08]")
blackman = _window("blackman", (0.42, 0.5, 0.08), "The Blackman", "[-0.    0.34  1.    0.34 -0.  ]")


def bartlett(M: int) -> Array:
    """The triangular window of M points, 0 at both ends, in default_float.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.bartlett(5))
    [0.  0.5 1.  0.5 0. ]
    """
    M, dtype = size_arg("bartlett", M, "M must be an integer"), inexact_arg("bartlett", 0.0).type.dtype
    if M < 2:
        return fill((max(M, 0),), 1, dtype)
    place = convert(op("iota", shape=(M,), axis=0, dtype=I64), dtype)
    return 1 - abs(place * (2 / (M - 1)) - 1)


def kaiser(M: int, beta: ArrayLike) -> Array:
    """The Kaiser window of M points, i0(beta * sqrt(1 - t**2)) / i0(beta) for t from -1 to 1, in default_float.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.kaiser(5, 8.6).round(4))
    [0.0013 0.3404 1.     0.3404 0.0013]
    """
    M = size_arg("kaiser", M, "M must be an integer")
    shape = inexact_arg("kaiser", real_number_arg("kaiser", "beta", beta))
    if M < 2:
        return beside(fill((max(M, 0),), 1, shape.type.dtype), shape)
    half = (M - 1) / 2
    place = (convert(op("iota", shape=(M,), axis=0, dtype=I64), shape.type.dtype) - half) / half
    return i0(shape * sqrt(1 - place * place)) / i0(shape)
