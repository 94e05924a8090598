"""Images of other sizes, by jax.image's names: each axis is contracted with a matrix of weights, by a kernel of interpolation.

>>> import jitgrad.numpy as jnp
>>> from jitgrad import image
>>> print(image.resize(jnp.array([1.0, 3.0]), (4,), "linear"))
[1.  1.5 2.5 3. ]
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import jitgrad.numpy as jnp

from .array import Array, as_value
from .errors import ArgumentError, ShapeError
from .operands import axis_number, inexact_arg, shape_arg, strong
from .precision import Precision, PrecisionLike, check_precision
from .publishing import public as _public


class ResizeMethod(enum.Enum):
    """How elements between those of an image are found.

    NEAREST: the nearest element. LINEAR: on the line between two. CUBIC: Keys' cubic, of four elements (a = -0.5). LANCZOS3,
    LANCZOS5: a windowed sinc of 6 and 10. CUBIC_PYTORCH: CUBIC with antialias, without it as PyTorch's (a = -0.75, edges repeated).
    AREA: the mean over the area that an element covers.
    """

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The method of a name. Raises ArgumentError for any other.

        >>> ResizeMethod.from_string("bilinear")
        <ResizeMethod.LINEAR: 1>
        """
        if s not in _NAMES:
            raise ArgumentError(f"image: method must be a ResizeMethod or one of {', '.join(map(repr, _NAMES))}, got {s!r}")
        return _NAMES[s]


_NAMES = {
    "nearest": ResizeMethod.NEAREST,
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), ResizeMethod.LINEAR),
    "lanczos3": ResizeMethod.LANCZOS3, "lanczos5": ResizeMethod.LANCZOS5,
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), ResizeMethod.CUBIC),
    **dict.fromkeys(("cubic-pytorch", "bicubic-pytorch"), ResizeMethod.CUBIC_PYTORCH),
    "area": ResizeMethod.AREA,
}  # fmt: skip


# -- kernels: what an element weighs, of its distance x >= 0; by NumPy or, where scales are traced, by jitgrad.numpy (xp)


def _triangle(xp: Any, x: Any) -> Any:
    return xp.maximum(0, 1 - x)


def _cubic(a: float) -> Callable[[Any, Any], Any]:
    """Cubic convolution (Keys, 1981, IEEE Trans. ASSP 29, equation 4, whose a is a parameter here)."""

    def kernel(xp: Any, x: Any) -> Any:
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return xp.where(x < 1, near, xp.where(x < 2, far, 0.0))

    return kernel


def _lanczos(radius: int) -> Callable[[Any, Any], Any]:
    """sinc(x) sinc(x / radius) up to the radius (Duchon, 1979)."""

    def kernel(xp: Any, x: Any) -> Any:
        some = xp.where(x == 0, 1.0, x)
        value = radius * xp.sin(np.pi * some) * xp.sin(np.pi * some / radius) / (np.pi * some) ** 2
        return xp.where(x == 0, 1.0, xp.where(x > radius, 0.0, value))

    return kernel


_KERNELS: dict[ResizeMethod, Callable[[Any, Any], Any]] = {
    ResizeMethod.LINEAR: _triangle, ResizeMethod.CUBIC: _cubic(-0.5), ResizeMethod.CUBIC_PYTORCH: _cubic(-0.75),
    ResizeMethod.LANCZOS3: _lanczos(3), ResizeMethod.LANCZOS5: _lanczos(5),
}  # fmt: skip
_REACH = 2
"""How far beyond the image's edge PyTorch's cubic reads."""
_NEGLIGIBLE = 1000 * float(np.finfo(np.float32).eps)
"""Sums of weights that are not divided by: there is nothing of the image."""


def _weights(
    xp: Any, n: int, count: int, scale: Any, translation: Any, method: ResizeMethod, antialias: bool, dtype: Any
) -> Any:  # fmt: skip
    """[n elements of the image, count of the result]: what each weighs."""
    step = 1 / scale
    places = xp.arange(count, dtype=dtype)
    at = (places + 0.5) * step - translation * step - 0.5
    repeated = method is ResizeMethod.CUBIC_PYTORCH
    reach = _REACH if repeated else 0
    elements = xp.arange(-reach, n + reach, dtype=dtype)
    if method is ResizeMethod.AREA:
        start = (places - translation) * step
        inside = xp.minimum(start + step, elements[:, None] + 1) - xp.maximum(start, elements[:, None])
        weights = xp.maximum(0, inside)
    else:
        width = xp.maximum(step, 1) if antialias else 1
        weights = _KERNELS[method](xp, xp.abs(at - elements[:, None]) / width)
    if repeated:
        edges = np.clip(np.arange(-reach, n + reach), 0, n - 1) == np.arange(n)[:, None]
        weights = xp.asarray(edges, dtype) @ weights
    total = xp.sum(weights, axis=0)
    known = xp.abs(total) > _NEGLIGIBLE
    weights = xp.where(known, weights / xp.where(known, total, 1), 0)
    return weights if repeated else xp.where((at >= -0.5) & (at <= n - 0.5), weights, 0)


def _contracted(x: Array, weights: dict[int, Any]) -> Array:
    """x times a matrix along each of these axes, those that shrink it most first."""
    for axis, w in sorted(weights.items(), key=lambda item: item[1].shape[1] / max(item[1].shape[0], 1)):
        x = jnp.moveaxis(jnp.tensordot(x, jnp.asarray(w, x.dtype), (axis, 0)), -1, axis)
    return x


def _arguments(
    where: str, image: Any, shape: Any, method: str | ResizeMethod, antialias: bool, precision: Any
) -> tuple[Array, tuple[int, ...], ResizeMethod]:
    check_precision(where, precision)
    x, sizes = strong(as_value(image, where)), shape_arg(where, shape)
    if len(sizes) != x.ndim:
        raise ShapeError(f"{where}: shape must have a size for each of the image's {x.ndim} axes, got {sizes} for {x.shape}")
    found = ResizeMethod.from_string(method) if not isinstance(method, ResizeMethod) else method
    if found is ResizeMethod.CUBIC_PYTORCH and antialias:
        found = ResizeMethod.CUBIC
    return x, sizes, found


def resize(
    image: Any,
    shape: Sequence[int],
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: PrecisionLike = Precision.HIGHEST,
) -> Array:
    """An image of another shape: axes whose sizes differ are interpolated.

    shape: a size for each axis, those of batch and channels included. method: a ResizeMethod or its name: "nearest", "linear" (also
    "bilinear", "trilinear", "triangle"), "cubic" ("bicubic", "tricubic"), "lanczos3", "lanczos5", "cubic-pytorch", "area".
    antialias: where an axis shrinks, kernels are as much wider. Elements are squares, whose middle is at i + 0.5.

    The result has the image's type with "nearest", and floats with others. Raises ShapeError for a shape of other axes, and for an
    axis without elements that should have some, ArgumentError for a name that is no method.

    >>> import jitgrad.numpy as jnp
    >>> resize(jnp.ones((2, 8, 8, 3)), (2, 5, 16, 3), "bicubic").shape
    (2, 5, 16, 3)
    """
    where = "image.resize"
    x, sizes, found = _arguments(where, image, shape, method, antialias, precision)
    axes = [a for a in range(x.ndim) if x.shape[a] != sizes[a]]
    if any(x.shape[a] == 0 for a in axes):
        raise ShapeError(f"{where}: an axis without elements can't be resized, got an image of shape {x.shape}")
    if found is ResizeMethod.NEAREST:
        for a in axes:
            nearest = (2 * np.arange(sizes[a]) + 1) * x.shape[a] // (2 * sizes[a]) if sizes[a] else np.zeros(0, int)
            x = jnp.take(x, nearest, axis=a)
        return x
    x = inexact_arg(where, x)
    weights = {
        a: _weights(np, x.shape[a], sizes[a], sizes[a] / x.shape[a] or 1.0, 0.0, found, antialias, np.float64) for a in axes
    }  # fmt: skip
    return _contracted(x, weights)


def scale_and_translate(
    image: Any,
    shape: Sequence[int],
    spatial_dims: Sequence[int],
    scale: Any,
    translation: Any,
    method: str | ResizeMethod,
    antialias: bool = True,
    precision: PrecisionLike = Precision.HIGHEST,
) -> Array:
    """An image scaled and moved along some axes: what is at x comes to x * scale + translation; zeros where nothing comes to.

    shape: the result's. spatial_dims: the axes; scale and translation: [number of axes], which have derivatives. method, antialias:
    as `resize`'s, but for "nearest". Raises ShapeError for other shapes, ArgumentError for other methods and for "nearest".

    >>> import jitgrad.numpy as jnp
    >>> print(scale_and_translate(jnp.array([1.0, 2.0, 3.0]), (3,), (0,), jnp.ones(1), jnp.array([0.5]), "linear"))
    [1.  1.5 2.5]
    """
    where = "image.scale_and_translate"
    x, sizes, found = _arguments(where, image, shape, method, antialias, precision)
    if found is ResizeMethod.NEAREST:
        raise ArgumentError(f"{where}: method 'nearest' is none of weights; use image.resize, or 'linear' here")
    x = inexact_arg(where, x)
    axes = [axis_number(where, a, x.ndim) for a in spatial_dims]
    scales, moves = (inexact_arg(where, v) for v in (scale, translation))
    if scales.shape != (len(axes),) or moves.shape != (len(axes),) or len(set(axes)) != len(axes):
        raise ShapeError(
            f"{where}: scale and translation must have a number for each of the axes {tuple(spatial_dims)}, got shapes "
            f"{scales.shape} and {moves.shape}"
        )
    others = [a for a in range(x.ndim) if a not in axes and x.shape[a] != sizes[a]]
    if others:
        raise ShapeError(
            f"{where}: axis {others[0]} is none of spatial_dims, so its size must stay {x.shape[others[0]]}, got {sizes}"
        )
    dtype = jnp.result_type(scales, moves)
    weights = {
        a: _weights(jnp, x.shape[a], sizes[a], scales[i], moves[i], found, antialias, dtype) for i, a in enumerate(axes)
    }  # fmt: skip
    return _contracted(x, weights)


__all__ = ["ResizeMethod", "resize", "scale_and_translate"]

_public(__name__, replays=True, arguments=True)
