"""Programs for GPUs, run by the stand-in and its emulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import jitgrad
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.runtime.cuda import devices
from jitgrad_compiler.runtime.cuda.executable import compile_for
from jitgrad_compiler.runtime.cuda.memory import from_host

from .standin import StandIn


@contextmanager
def stand_ins(count: int = 1, **options: Any) -> Iterator[list[StandIn]]:
    """The GPUs of this process are stand-ins inside this block, which ends with what they found."""
    made: dict[int, StandIn] = {}

    def factory(number: int) -> StandIn:
        return made.setdefault(number, StandIn(device=number, **options))

    devices.open_with(factory, count)
    try:
        yield [factory(n) for n in range(count)]
    finally:
        devices.open_with(None)


def run_on_gpu(graph: Graph, arrays: Sequence[Any], tuning: Tuning | None = None) -> list[np.ndarray]:
    """The graph's outputs for NumPy arrays, by its program for the first GPU."""
    device = devices.device(0)
    program = compile_for(device, graph, tuning=tuning)
    outs = program.run([from_host(device, a) for a in arrays])
    return [m.array(t) for m, t in zip(outs, graph.output_types, strict=True)]


def on_gpu(array: Any) -> Any:
    return jitgrad.device_put(array, "cuda")


class Asked:
    """What the driver was asked inside the block."""

    def __init__(self, driver: StandIn) -> None:
        self.driver = driver

    def __enter__(self) -> Asked:
        self.before = self.driver.counts.copy()
        return self

    def __exit__(self, *error: object) -> None:
        self.counts = self.driver.counts - self.before
