"""Draws in pieces of a few sizes, so that eager code compiles nothing for a new shape.

A piece is a program that makes so many elements, from the one on whose number it is told; there is one for each of a few `SIZES`, a
sampler and its types. A draw whose elements are each made by itself is some of these, side by side in one block of memory, of which
the last may make more than were asked for. Elements that depend on one another, as those of an order do, are one piece, which is
told how many of them there are. Next on the path: `bits.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from jitgrad import array_ops as ops
from jitgrad import backend
from jitgrad.array import Array, from_numpy, memory_device
from jitgrad.config import config
from jitgrad.jit import jit
from jitgrad.operands import broadcasts_to
from jitgrad.programs import Entry
from jitgrad_compiler.ir.builder import state
from jitgrad_compiler.ir.types import ArrayType

from .keys import Stream, to_words

SIZES = (16, 256, 4096, 1 << 16, 1 << 20)
"""Of pieces, in elements."""
WHOLE = (16, 64, 256, 1024, 4096)
"""Sizes of small pieces that are a whole draw."""
STEPS = 8
"""Parts of a power of two, of which the sizes of larger ones are some."""
MOST = 1 << 32
"""Elements of a draw at most: a longer one, which hardly fits into memory, is a program of its own. So is one of several of the
largest pieces on another device, where joining them would take three times the memory.
"""

Sampler = Callable[..., Any]


class Piece:
    """The program that makes so many elements of a draw, at a place: the number of the first of them, and of how many of all."""

    def __init__(self, sampler: Sampler, where: str, size: int, static: tuple[Any, ...]) -> None:
        def program(key: Array, place: Array, *parameters: Array) -> Any:
            first, total = (ops.reshape(ops.slice_axis(place, 0, i, i + 1), ()) for i in (0, 1))
            return sampler(Stream(to_words(key), first, total, size), *parameters, (size,), *static)

        program.__name__ = program.__qualname__ = f"random.{where}"
        self.jitted = jit(program)
        self.entry: Entry | None = None

    def compiled(self, operands: Sequence[Array]) -> Entry:
        """The program for such operands, ready to run on the processor."""
        if self.entry is None:
            entry = self.jitted.program(*operands)
            entry.prepare()
            self.entry = entry  # last: other threads look at it
        return self.entry


@lru_cache(maxsize=4096)
def _piece(sampler: Sampler, where: str, size: int, static: tuple[Any, ...], settings: Any, kinds: tuple[Any, ...]) -> Piece:
    return Piece(sampler, where, size, static)


def cut(count: int) -> list[tuple[int, int]]:
    """(its first element, its size) of each piece of a draw of `count` elements. A piece makes more than are left where that costs
    less than another call would, or no more than a third.
    """
    found, first = [], 0
    while first < count:
        left, size = count - first, SIZES[0]
        for n in SIZES[1:]:
            if left >= n // 4 * 3 or n == SIZES[1] and left > n // 4:
                size = n
        found.append((first, size))
        first += size
    return found


def padded(count: int) -> int:
    """The size of the one piece that a draw of `count` elements is, where these depend on one another."""
    for size in WHOLE:
        if count <= size:
            return size
    step = (1 << (count - 1).bit_length()) // STEPS
    return -(-count // step) * step


class Plan:
    """How a draw of one shape is made of pieces; its programs are compiled when it is made first."""

    def __init__(self, pieces: Sequence[Piece], places: Sequence[tuple[int, int]], shape: tuple[int, ...]) -> None:
        self.pieces, self.places, self.shape = pieces, places, shape
        count = math.prod(shape)
        self.operands = [from_numpy(np.array((first, count), np.uint64)) for first, _ in places]
        self.steps: list[Any] = []

    def compile(self, key: Array, parameters: Sequence[Array]) -> None:
        """Find out where the pieces' elements go, and what writes them there."""
        steps, runtime = [], backend.runtime()
        self.allocate, self.held = runtime.allocate, runtime.Held
        for piece, place, (first, size) in zip(self.pieces, self.operands, self.places, strict=True):
            entry = piece.compiled([key, place, *[_share(v, first, size) for v in parameters]])
            (made,) = entry.types
            apart = made.nbytes // size
            steps.append((entry.executable.run_into, first, size, _held(place).address, entry.constant_addresses, first * apart))
        self.type, self.nbytes = ArrayType((*self.shape, *made.shape[1:]), made.dtype), (first + size) * apart
        self.steps = steps  # last: other threads look at it

    def run(self, key: Array, parameters: Sequence[Array]) -> Array:
        """The draw on the processor."""
        if not self.steps:
            self.compile(key, parameters)
        memory = self.allocate(self.nbytes)
        word, place = _held(key).address, memory.address
        for run, first, size, number, constants, offset in self.steps:
            if parameters:
                kept: list[Any] = []
                run((word, number, *[_address(v, first, size, kept) for v in parameters], *constants), (place + offset,))
            else:
                run((word, number, *constants), (place + offset,))
        return Array(self.type, None, self.held(place, memory))

    def run_elsewhere(self, key: Array, parameters: Sequence[Array]) -> Array:
        """The draw on the device where its operands lie."""
        made = [
            piece.jitted(key, place, *[_share(v, first, size) for v in parameters])
            for piece, place, (first, size) in zip(self.pieces, self.operands, self.places, strict=True)
        ]
        whole = ops.concatenate(made, 0)
        return ops.reshape(ops.slice_axis(whole, 0, 0, math.prod(self.shape)), (*self.shape, *whole.type.shape[1:]))


@lru_cache(maxsize=512)
def _plan(
    sampler: Sampler,
    where: str,
    shape: tuple[int, ...],
    static: tuple[Any, ...],
    together: bool,
    settings: Any,
    kinds: tuple[Any, ...],
) -> Plan:
    count = math.prod(shape)
    places = [(0, padded(count))] if together else cut(max(count, 1))
    return Plan([_piece(sampler, where, size, static, settings, kinds) for _, size in places], places, shape)


def made_now(key: Array, parameters: Sequence[Array]) -> bool:
    """Whether a draw is made now, not traced, and need not be one program."""
    if state.staging is not None or key.owner is not None or config.disable_jit or config.debug_nans or config.debug_infs:
        return False
    for v in parameters:
        if v.owner is not None:
            return False
    return True


def in_pieces(key: Array, parameters: Sequence[Array], shape: tuple[int, ...]) -> bool:
    """Whether a draw is made now, and of parameters that are single numbers or have an element for each draw."""
    if not made_now(key, parameters):
        return False
    count = math.prod(shape)
    if count > SIZES[-1] and (count > MOST or not are_here(key, parameters)):
        return False
    for v in parameters:
        own = v.type.shape
        if own and own != shape and not broadcasts_to(own, shape):
            return False
    return True


def drawn(
    where: str,
    sampler: Sampler,
    key: Array,
    parameters: Sequence[Array],
    shape: tuple[int, ...],
    static: tuple[Any, ...],
    together: bool,
) -> Array:
    """A draw of elements that are each made by itself, or `together`, of parameters that `in_pieces` takes."""
    kinds: tuple[Any, ...] = ()
    if parameters:
        kinds = tuple([(v.type.dtype, not v.type.shape, v.weak) for v in parameters])
        parameters = [_flat(v, shape) if v.type.shape else v for v in parameters]
    plan = _plan(sampler, where, shape, static, together, config.traced, kinds)
    return plan.run(key, parameters) if are_here(key, parameters) else plan.run_elsewhere(key, parameters)


def are_here(key: Array, parameters: Sequence[Array]) -> bool:
    """Whether a draw is made on the processor."""
    if config.default_device is not None:
        return False
    for v in (key, *parameters):
        ref = v.ref
        if type(ref) is not np.ndarray and not hasattr(ref, "address") and memory_device(ref) is not None:
            return False
    return True


def _flat(x: Array, shape: tuple[int, ...]) -> Array:
    """A parameter's elements for all draws of a shape; one of any value where there are none, so that the types are known."""
    if x.type.shape == shape and len(shape) == 1 and shape[0]:
        return x
    return ops.flat(ops.broadcast_right(x, shape)) if math.prod(shape) else ops.fill((1,), 1, x.type.dtype)


def _held(x: Array) -> Any:
    """An Array's memory, whose address is known from now on."""
    ref = x.ref
    if not hasattr(ref, "address"):
        ref = x.ref = backend.runtime().Borrowed(x.data())
    return ref


def _address(x: Array, first: int, size: int, kept: list[Any]) -> int:
    """Where `_share` lies in memory, which x keeps alive, or what is added to `kept`."""
    shape = x.type.shape
    if not shape:
        return _held(x).address
    if first + size <= shape[0]:
        return _held(x).address + first * x.type.dtype.nbytes
    elements = x.data()
    some = np.empty(size, elements.dtype)
    some.fill(elements[-1])
    some[: shape[0] - first] = elements[first:]
    address, memory = backend.runtime().address_of(some)
    kept.append(memory)
    return address


def _share(x: Array, first: int, size: int) -> Array:
    """A parameter of a piece: its elements from `first` on, the last of all repeated where there are too few; or the number."""
    if not x.type.shape:
        return x
    some = ops.slice_axis(x, 0, first, min(first + size, x.type.shape[0]))
    missing = size - some.type.shape[0]
    if not missing:
        return some
    last = ops.reshape(ops.slice_axis(some, 0, some.type.shape[0] - 1, some.type.shape[0]), ())
    return ops.concatenate([some, ops.broadcast(last, (missing,), ())], 0)
