"""Layers that change images [batch, height, width, channels]: sizes, crops, and random changes in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import image, random
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.ranges import Real, Size
from jitgrad.vectorization import vmap

from .base import Layer


class _OfImages(Layer):
    """A layer of images, of a batch or one alone."""

    def call(self, inputs: Any) -> Array:
        x = jnp.asarray(inputs)
        if x.ndim not in (3, 4):
            self.refuse_input("[batch, height, width, channels] or [height, width, channels]", x)
        if x.dtype.kind != "f":
            x = x.astype(float)
        return self.changed(x) if x.ndim == 4 else self.changed(x[None])[0]

    def changed(self, x: Array) -> Array:
        raise NotImplementedError


class Resizing(_OfImages):
    """Images of another height and width. interpolation: "bilinear", "nearest", or another method of `image.resize`."""

    def __init__(self, height: Size, width: Size, interpolation: str = "bilinear", **options: Any) -> None:
        self.take(options)
        self.height, self.width, self.interpolation = height, width, interpolation

    def changed(self, x: Array) -> Array:
        shape = (x.shape[0], self.height, self.width, x.shape[3])
        return image.resize(x, shape, self.interpolation, antialias=False)


class CenterCrop(_OfImages):
    """The middle of images, of this height and width."""

    def __init__(self, height: Size, width: Size, **options: Any) -> None:
        self.take(options)
        self.height, self.width = height, width

    def changed(self, x: Array) -> Array:
        spare = x.shape[1] - self.height, x.shape[2] - self.width
        if min(spare) < 0:
            self.refuse_input(f"of at least {self.height} by {self.width}", x)
        top, left = (n // 2 for n in spare)
        return x[:, top : top + self.height, left : left + self.width]


class RandomCrop(CenterCrop):
    """In training a part of each image of this height and width, where a draw puts it; else the middle."""

    def __init__(self, height: Size, width: Size, seed: int | None = None, **options: Any) -> None:
        super().__init__(height, width, **options)

    def changed(self, x: Array) -> Array:
        middle = super().changed(x)
        if not self.training:
            return middle
        tops, lefts = random.split(self.next_key())
        top = random.randint(tops, (x.shape[0],), 0, x.shape[1] - self.height + 1)
        left = random.randint(lefts, (x.shape[0],), 0, x.shape[2] - self.width + 1)
        rows, columns = top[:, None] + jnp.arange(self.height), left[:, None] + jnp.arange(self.width)
        return vmap(lambda one, r, c: one[r[:, None], c[None, :]])(x, rows, columns)


class RandomFlip(_OfImages):
    """In training each image turned over or not, by a draw: "horizontal" (left to right), "vertical", or both."""

    def __init__(self, mode: str = "horizontal_and_vertical", seed: int | None = None, **options: Any) -> None:
        self.take(options)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ArgumentError(f"{self.where}: mode must be 'horizontal', 'vertical' or 'horizontal_and_vertical', got {mode!r}")
        self.mode = mode

    def changed(self, x: Array) -> Array:
        if not self.training:
            return x
        for name, axis in (("vertical", 1), ("horizontal", 2)):
            if name in self.mode:
                turned = random.bernoulli(self.next_key(), 0.5, (x.shape[0], 1, 1, 1))
                x = jnp.where(turned, jnp.flip(x, axis), x)
        return x


def _range(where: str, name: str, given: Any) -> tuple[float, float]:
    """From minus a number to it, or from the first to the second of two."""
    low, high = given if isinstance(given, (tuple, list)) else (-abs(given), abs(given))
    if low > high:
        raise ArgumentError(f"{where}: {name} must be a number or a pair of a smaller and a larger one, got {given!r}")
    return float(low), float(high)


_FILLS = ("reflect", "wrap", "constant", "nearest")


class _RandomMap(_OfImages):
    """In training each image seen through a random linear map about its middle, between places by the four nearest."""

    draws: ClassVar[int]

    def set_fill(self, fill_mode: str, fill_value: Real) -> None:
        if fill_mode not in _FILLS:
            raise ArgumentError(f"{self.where}: fill_mode must be one of {', '.join(map(repr, _FILLS))}, got {fill_mode!r}")
        self.fill_mode, self.fill_value = fill_mode, fill_value

    def ranges(self) -> list[tuple[float, float]]:
        raise NotImplementedError

    def source(self, drawn: list[Array], y: Array, x: Array, height: int, width: int) -> tuple[Array, Array]:
        """Where the numbers at places (y, x) from the middle come from."""
        raise NotImplementedError

    def changed(self, x: Array) -> Array:
        if not self.training:
            return x
        batch, height, width, _ = x.shape
        drawn = [random.uniform(self.next_key(), (batch, 1, 1), x.dtype, low, high) for low, high in self.ranges()]
        middle = (height - 1) / 2, (width - 1) / 2
        down = jnp.arange(height, dtype=x.dtype)[:, None] - middle[0]
        across = jnp.arange(width, dtype=x.dtype)[None, :] - middle[1]
        rows, columns = self.source(drawn, down, across, height, width)
        shape = (batch, height, width)
        return self._sampled(x, jnp.broadcast_to(rows + middle[0], shape), jnp.broadcast_to(columns + middle[1], shape))

    def _sampled(self, x: Array, rows: Array, columns: Array) -> Array:
        top, left = jnp.floor(rows), jnp.floor(columns)
        total: Any = 0
        for dy in (0, 1):
            for dx in (0, 1):
                share = (1 - jnp.abs(rows - top - dy)) * (1 - jnp.abs(columns - left - dx))
                total = total + share[..., None] * self._at(x, (top + dy).astype("int32"), (left + dx).astype("int32"))
        return total

    def _at(self, x: Array, rows: Array, columns: Array) -> Array:
        places, inside = [], jnp.asarray(True)
        for index, size in ((rows, x.shape[1]), (columns, x.shape[2])):
            inside = inside & (index >= 0) & (index < size)
            if self.fill_mode == "reflect":
                turn = index % (2 * size)
                index = jnp.minimum(turn, 2 * size - 1 - turn)
            places.append(index % size if self.fill_mode == "wrap" else jnp.clip(index, 0, size - 1))
        found = vmap(lambda one, r, c: one[r, c])(x, *places)
        return jnp.where(inside[..., None], found, self.fill_value) if self.fill_mode == "constant" else found


class RandomRotation(_RandomMap):
    """In training each image turned by a draw of `factor` of a full turn, from minus it to it, or of a range. fill_mode: what is
    beyond the borders: "reflect", "wrap", "nearest" or "constant", of fill_value.
    """

    def __init__(
        self, factor: Real | Sequence[Real], fill_mode: str = "reflect", interpolation: str = "bilinear", seed: int | None = None,
        fill_value: Real = 0.0, **options: Any,
    ) -> None:  # fmt: skip
        self.take(options)
        self.factor = _range(self.where, "factor", factor)
        self.set_fill(fill_mode, fill_value)

    def ranges(self) -> list[tuple[float, float]]:
        return [self.factor]

    def source(self, drawn: list[Array], y: Array, x: Array, height: int, width: int) -> tuple[Array, Array]:
        cos, sin = jnp.cos(2 * math.pi * drawn[0]), jnp.sin(2 * math.pi * drawn[0])
        return cos * y + sin * x, cos * x - sin * y


class RandomTranslation(_RandomMap):
    """In training each image moved by a draw of these parts of its height and width."""

    def __init__(
        self, height_factor: Any, width_factor: Real | Sequence[Real], fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: Real = 0.0, **options: Any,
    ) -> None:  # fmt: skip
        self.take(options)
        self.factors = _range(self.where, "height_factor", height_factor), _range(self.where, "width_factor", width_factor)
        self.set_fill(fill_mode, fill_value)

    def ranges(self) -> list[tuple[float, float]]:
        return list(self.factors)

    def source(self, drawn: list[Array], y: Array, x: Array, height: int, width: int) -> tuple[Array, Array]:
        return y - height * drawn[0], x - width * drawn[1]


class RandomZoom(_RandomMap):
    """In training each image made smaller (draws above 0) or larger (below 0) by these parts, without width_factor by one part."""

    def __init__(
        self, height_factor: Real | Sequence[Real], width_factor: Real | Sequence[Real] | None = None,
        fill_mode: str = "reflect", interpolation: str = "bilinear", seed: int | None = None, fill_value: Real = 0.0,
        **options: Any,
    ) -> None:  # fmt: skip
        self.take(options)
        factors = [_range(self.where, "height_factor", height_factor)]
        self.factors = tuple(factors if width_factor is None else [*factors, _range(self.where, "width_factor", width_factor)])
        self.set_fill(fill_mode, fill_value)

    def ranges(self) -> list[tuple[float, float]]:
        return list(self.factors)

    def source(self, drawn: list[Array], y: Array, x: Array, height: int, width: int) -> tuple[Array, Array]:
        return y * (1 + drawn[0]), x * (1 + drawn[-1])


class RandomContrast(_OfImages):
    """In training (x - mean) * f + mean of each channel of each image, f drawn from 1 - factor to 1 + factor."""

    def __init__(self, factor: Real | Sequence[Real], seed: int | None = None, **options: Any) -> None:
        self.take(options)
        self.factor = _range(self.where, "factor", factor)

    def changed(self, x: Array) -> Array:
        if not self.training:
            return x
        mean = jnp.mean(x, axis=(1, 2), keepdims=True)
        factor = 1 + random.uniform(self.next_key(), (x.shape[0], 1, 1, 1), x.dtype, *self.factor)
        return (x - mean) * factor + mean
