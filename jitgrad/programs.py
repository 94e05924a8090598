"""The programs of jitted functions: one for each signature, found again by every `jit` of the same function.

In: a traced function, and leaves. Out: results as the function gives them. jit.py decides when a program is run.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad_compiler.ir.types import TapeType

from . import backend, placement, tree
from .array import DONATED, Array, memory_device
from .config import config
from .nan_checks import check_program
from .tracing import Traced


class Entry:
    """One signature's program: the traced Graph, and once it has run on concrete arrays its executable."""

    def __init__(self, traced: Traced, name: str, donated: Sequence[int]) -> None:
        self.traced, self.name, self.donated = traced, name, tuple(donated)
        assert traced.build is not None
        self.build = traced.build
        self.types = traced.graph.output_types
        self.weak = traced.out_weak
        self.some_weak = any(traced.out_weak)
        # Values of their own: those that the function closed over may be donated to another one.
        self.constants = [v if v.owner else Array(v.type, None, v.ref, v.weak) for v in traced.captured]
        self.executable: Any = None
        self.constant_addresses: list[int] = []
        self.kept: list[Any] = []
        self.gpus: placement.Elsewhere | None = None

    def prepare(self) -> Any:
        executable = backend.compile_graph(self.traced.graph, self.donated)
        pairs = [backend.runtime().address_of(v.data()) for v in self.constants]
        self.constant_addresses = [address for address, _ in pairs]
        self.kept = [array for _, array in pairs]
        self.executable = executable  # last: other threads look at it
        return executable

    def run(self, leaves: list[Any]) -> Any:
        """The results for these leaves, Arrays or NumPy arrays, whose memory is borrowed while the program runs."""
        if self.gpus is not None:
            outs = self.gpus.again(leaves)
            if outs is not None:
                return self.wrap(outs)
        if config.default_device is not None:
            return self._elsewhere(leaves)
        executable = self.executable
        if executable is None:
            if any(memory_device(v.ref) for v in self.constants):
                return self._elsewhere(leaves)
            executable = self.prepare()
        addresses, kept = [], []
        for x in leaves:
            try:
                addresses.append(x.ref.address)
            except AttributeError:
                if type(x) is Array and memory_device(x.ref) is not None:
                    return self._elsewhere(leaves)
                memory = backend.runtime().Borrowed(x.data() if type(x) is Array else x)
                if type(x) is Array and type(x.ref) is np.ndarray:
                    x.ref = memory  # the address is known from now on
                addresses.append(memory.address)
                kept.append(memory)
        donors = self._donors(leaves, addresses, kept) if self.donated else ()
        outs = executable.run(addresses + self.constant_addresses if self.constant_addresses else addresses, donors)
        return self.wrap(outs)

    def _elsewhere(self, leaves: list[Any]) -> Any:
        """The results on the GPU that the arrays lie on, or that is the default."""
        device = placement.common(f"jit of {self.name}", [*leaves, *self.constants])
        if self.gpus is None:
            self.gpus = placement.Elsewhere(self.traced.graph, self.name, self.donated, self.constants)
        donors = self._device_donors(leaves) if self.donated else ()
        outs = self.gpus.run(device, leaves, donors)
        for n in self.donated:
            if type(leaves[n]) is Array:
                leaves[n].ref = DONATED
        return self.wrap(outs)

    def _device_donors(self, leaves: list[Any]) -> list[Any]:
        """As `_donors`; memory that two arguments share, or that another library lends, is never taken."""
        donors: list[Any] = [None] * (len(leaves) + len(self.constants))
        pointers = [getattr(x.ref, "pointer", None) for x in leaves if type(x) is Array]
        for n in self.donated:
            x = leaves[n]
            if type(x) is not Array or x.ref is DONATED:
                continue
            if memory_device(x.ref) is not None and x.ref.owned and pointers.count(x.ref.pointer) == 1:
                donors[n] = x.ref if sys.getrefcount(x.ref.buffer) <= 2 and sys.getrefcount(x.ref) <= 2 else None
        return donors

    def _donors(self, leaves: list[Any], addresses: Sequence[int], kept: list[Any]) -> list[Any]:
        """The memory of donated arrays, which become unusable; memory that somebody else holds, or another argument, is not taken
        and only kept until the program has run.
        """
        donors: list[Any] = [None] * (len(leaves) + len(self.constants))
        repeated = len(set(addresses)) < len(addresses)
        for n in self.donated:
            x = leaves[n]
            if type(x) is not Array or x.ref is DONATED:
                continue
            if hasattr(x.ref, "buffer") and not (repeated and addresses.count(x.ref.address) > 1):
                alone = sys.getrefcount(x.ref.buffer) <= 2 and sys.getrefcount(x.ref) <= 2
                donors[n] = x.ref if alone else None
            kept.append(x.ref)
            x.ref = DONATED
        return donors

    def wrap(self, outs: list[Any]) -> Any:
        arrays = [Array(t, None, ref) for t, ref in zip(self.types, outs)]  # noqa: B905
        if self.some_weak:
            for a, w in zip(arrays, self.weak, strict=True):
                a.weak = w
        return self.build(iter(arrays))


class TapedEntry(Entry):
    """A program that takes or gives tapes, as a loop's derivative does that goes into a jitted function or comes out of one."""

    def run(self, leaves: list[Any]) -> Any:
        operands = [*leaves, *self.constants]
        if config.default_device is not None or any(memory_device(x.ref) for x in operands if type(x) is Array):
            return self._elsewhere(leaves)
        arrays = [x.data() if isinstance(x, Array) else x for x in operands]
        for n in self.donated:
            if type(leaves[n]) is Array:
                leaves[n].ref = DONATED
        return self.wrap(backend.runtime().run_graph(self.traced.graph, arrays))


class CheckedEntry(TapedEntry):
    """A program whose results are looked at for NaNs or infinities (nan_checks.py). It takes nothing that is donated, for it may
    run again.
    """

    def __init__(self, traced: Traced, name: str) -> None:
        super().__init__(traced, name, ())

    def run(self, leaves: list[Any]) -> Any:
        results = super().run(leaves)
        operands = [x.data() if isinstance(x, Array) else x for x in [*leaves, *self.constants]]
        check_program(self.name, self.traced.graph, operands, [x.data() for x in tree.leaves(results)])
        return results


def entry_for(traced: Traced, name: str, donated: Sequence[int], checked: bool = False) -> Entry:
    """The program of a function that was traced; `checked`: for NaNs or infinities."""
    if checked:
        return CheckedEntry(traced, name)
    taped = any(isinstance(t, TapeType) for t in (*traced.graph.input_types, *traced.graph.output_types))
    return (TapedEntry if taped else Entry)(traced, name, donated)


class _Programs:
    """What a function's `jit`s have made: for each set of options a table of Entries by signature."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = weakref.ref(function)
        self.tables: dict[Any, dict[Any, Entry]] = {}

    def __reduce__(self) -> Any:  # of functions that are pickled by value
        return (_nothing, ())


def _nothing() -> None:
    """What is left of programs in another process."""


PLACE = "__jitgrad_programs__"


def programs_of(f: Callable[..., Any], options: Any) -> dict[Any, Entry]:
    """The programs that a `jit` of f with these options has made. They live with the function, as an attribute of it, so what they
    refer to may refer to the function. Other callables share nothing: what they are may change.
    """
    if type(f) is not FunctionType:
        return {}
    held = f.__dict__.get(PLACE)
    if held is None or held.function() is not f:  # functools.wraps copies attributes to other functions
        held = f.__dict__[PLACE] = _Programs(f)
    return held.tables.setdefault(options, {})
