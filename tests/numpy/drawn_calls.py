"""Random calls of functions: `Draw` draws the parts, a Call holds them, and functions of one draw the calls of a family, here those
of functions of elements and of folds; of shapes in drawn_rearrangements.py, of products and others in drawn_products.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes  # noqa: F401, NumPy knows bfloat16 by its name then
import numpy as np
from hypothesis import strategies as st

TYPES = {"b": ["bool"], "i": ["int8", "int16", "int32", "int64"], "u": ["uint8", "uint16", "uint32", "uint64"],
         "f": ["float16", "bfloat16", "float32", "float64"], "c": ["complex64", "complex128"],
         "w": ["float32", "float64"]}  # fmt: skip
METHODS = (
    "linear lower higher nearest midpoint inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen "
    "weibull median_unbiased normal_unbiased"
).split()
EDGES = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0])
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """Operands, which may be traced, and what stands behind them. `listed` operands are passed as one list; `how` calls the
    function with them in its own way."""

    operands: Sequence[np.ndarray]
    rest: Sequence[Any] = ()
    keywords: dict[str, Any] = field(default_factory=dict)
    listed: bool = False
    how: Callable[..., Any] | None = None

    def __call__(self, f: Callable[..., Any], *operands: Any) -> Any:
        if self.how:
            return self.how(f, *operands)
        return f(*([list(operands)] if self.listed else operands), *self.rest, **self.keywords)


class Draw:
    """Random parts of a call. Where the drawn call is to be differentiated, `apart` is its type and values lie apart from each
    other; of the kinds in `edges` some are infinite, NaN or zeros of either sign, and integers the least and largest of their type.
    """

    def __init__(self, draw: Callable[[Any], Any], kinds: str, apart: str | None = None, edges: str = "") -> None:
        self.draw, self.kinds, self.apart = draw, kinds, apart
        self.edges = edges if not apart and draw(st.booleans()) else ""
        self.random = np.random.default_rng(draw(st.integers(0, 2**20)))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def one_of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def shape(self, least: int = 0, most: int = 3, size: int = 0) -> Shape:
        return tuple(self.draw(st.lists(st.integers(size, 4), min_size=least, max_size=most)))

    def dtype(self) -> np.dtype:
        return np.dtype(self.apart or self.one_of(*[t for kind in self.kinds for t in TYPES[kind]]))

    def array(self, shape: Shape, low: float = -3, high: float = 3, dtype: Any = None) -> np.ndarray:
        """Values between low and high (whole ones half of the time, for ties and zeros), or apart from each other."""
        dtype, count = np.dtype(dtype or self.dtype()), int(np.prod(shape))
        if self.apart and dtype.kind in "fc":
            grid = low + (high - low) * (self.random.permutation(count) + 0.45 + 0.06 * self.random.random(count)) / max(count, 1)
            values = grid + 1j * self.random.permutation(grid) if dtype.kind == "c" else grid
            return np.asarray(values, dtype).reshape(shape)
        values = self.random.uniform(low, high, shape)
        if dtype.kind == "c":
            values = values + 1j * self.random.uniform(low, high, shape)
        if dtype.kind == "b":
            values = self.random.random(shape) > 0.5
        if dtype.kind in "iu" or (dtype.kind != "b" and self.draw(st.booleans())):
            values = np.round(values)
            values = np.clip(values, np.ceil(low), np.floor(high)) if dtype.kind != "c" else values
        if dtype.kind == "u":
            values = np.abs(values)
        if ("f" if dtype.name == "bfloat16" else dtype.kind) in self.edges:
            values = self._with_edges(values)
        out = np.asarray(values).astype(dtype)
        if dtype.kind in "iu" and dtype.kind in self.edges:
            ends = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
            out = np.where(self.random.random(shape) < 0.2, self.random.choice(ends, shape), out)
        return out

    def _with_edges(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values)
        for part in (values.real, values.imag) if values.dtype.kind == "c" else (values,):
            part[...] = np.where(self.random.random(part.shape) < 0.3, self.random.choice(EDGES, part.shape), part)
        return values

    def broadcast(self, count: int) -> list[Shape]:
        """Shapes that broadcast with each other."""
        whole = self.shape()
        shapes = [tuple(self.one_of(n, n, 1) for n in whole)[self.one_of(0, 0, 0, min(1, len(whole))) :] for _ in range(count)]
        return shapes

    def axis(self, shape: Shape, none: bool = True) -> int | None:
        choices = [*range(-len(shape), len(shape)), *([None] if none or not shape else [])]
        return self.one_of(*choices)

    def axes(self, shape: Shape) -> int | Shape | None:
        """None, an axis, or several."""
        several = tuple(i - len(shape) * self.one_of(0, 1) for i in range(len(shape)) if self.draw(st.booleans()))
        return self.one_of(None, self.axis(shape), several)

    def flag(self) -> bool:
        return self.draw(st.booleans())


def elementwise(count: int, low: float = -3, high: float = 3) -> Callable[[Draw], Call]:
    """Operands that broadcast."""
    return lambda d: Call([d.array(shape, low, high) for shape in d.broadcast(count)])


def bits(d: Draw) -> Call:
    dtype = d.dtype()
    return Call([d.array(shape, 0, 6, dtype) for shape in d.broadcast(2)])


def reduction(size: int = 0, **options: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(size=size)
        keywords = {"axis": d.axes(shape), "keepdims": d.flag(), **{k: option(d) for k, option in options.items() if d.flag()}}
        return Call([d.array(shape)], keywords=keywords)

    return draw


def masked(size: int = 0, *, start: float | None = None) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        call = reduction(size)(d)
        keywords = dict(call.keywords)
        if d.flag():
            keywords["initial"] = 2 if start is None else start
            if d.flag():
                keywords["where"] = d.random.random(call.operands[0].shape) > 0.3
        return Call(call.operands, keywords=keywords)

    return draw


def along(size: int = 0, none: bool = True, least: int = 0, **options: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """A function of one axis."""

    def draw(d: Draw) -> Call:
        shape = d.shape(least=least, size=size)
        return Call([d.array(shape)], keywords={"axis": d.axis(shape, none), **{k: o(d) for k, o in options.items() if d.flag()}})

    return draw


def one(least: int = 0, most: int = 3, size: int = 0, low: float = -3, high: float = 3) -> Callable[[Draw], Call]:
    return lambda d: Call([d.array(d.shape(least, most, size), low, high)])


def begun(d: Draw) -> Call:
    """Of any size, since there is an initial number."""
    shape = d.shape()
    return Call([d.array(shape)], keywords={"axis": d.axes(shape), "initial": 1})


def deviated(d: Draw) -> Call:
    """Of at least two elements where one is left out: of one alone, NumPy has no result."""
    ddof = d.one_of(0, 1)
    shape = d.shape(least=1, size=1 + ddof)
    return Call([d.array(shape)], keywords={"axis": d.axis(shape), "keepdims": d.flag(), "ddof": ddof})


def with_nans(draw: Callable[[Draw], Call]) -> Callable[[Draw], Call]:
    def holed(d: Draw) -> Call:
        call = draw(d)
        x = call.operands[0]
        if x.dtype.kind in "fc" and not d.apart and x.ndim:
            x[d.random.random(x.shape) > 0.7] = np.nan
        return call

    return holed


def quantiles(d: Draw, scale: float = 1.0) -> Call:
    shape = d.shape(size=1)
    q = d.one_of(0.3, 0.0, 1.0, [0.25, 0.7])
    keywords = dict(axis=d.axes(shape), keepdims=d.flag())
    keywords["method"] = d.one_of("linear", *METHODS)
    return Call([d.array(shape)], [np.asarray(q) * scale], keywords)


def clipped(d: Draw) -> Call:
    low, high = d.one_of((-1, 1), (None, 1), (0, None), (1, -1))
    return Call([d.array(d.shape())], [low, high])


def averaged(d: Draw) -> Call:
    shape = d.shape(size=1)
    axis = d.axis(shape)
    weights = d.one_of(None, d.array(shape, 0.5, 2, "float64"))
    return Call([d.array(shape)], keywords={"axis": axis, "weights": weights})


def shifted(d: Draw) -> Call:
    dtype = d.dtype()
    shapes = d.broadcast(2)
    return Call([d.array(shapes[0], 0, 50, dtype), d.array(shapes[1], 0, 6, dtype)])


def scaled(d: Draw) -> Call:
    shapes = d.broadcast(2)
    return Call([d.array(shapes[0]), d.array(shapes[1], -3, 3, "int32")])


def powered(d: Draw) -> Call:
    shapes = d.broadcast(2)
    x, y = d.array(shapes[0], 0.3, 3), d.array(shapes[1], 0, 3)
    return Call([x, y])


def rounded(d: Draw) -> Call:
    return Call([d.array(d.shape(), -300, 300) if not d.apart else d.array(d.shape())], keywords={"decimals": d.number(-2, 3)})


def constant(*choices: Callable[[Draw], tuple[Any, ...]], **options: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """No operands: a creation function of such arguments."""
    return lambda d: Call([], d.one_of(*choices)(d), {k: option(d) for k, option in options.items() if d.flag()})


def size_of_one_axis(d: Draw) -> tuple[Any, ...]:
    return (d.number(0, 6),)
