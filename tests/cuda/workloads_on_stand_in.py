"""Run by hand: the workloads of a benchmark's file, made small, by the stand-in of a GPU, against the processor.

usage: python -m tests.cuda.workloads_on_stand_in FOLDER [NAME ...]

FOLDER has run.py, whose `bundle` gives workloads their names, and workloads.py, whose WORKLOADS are made by functions of a bundle.
Sizes are made small in the source's text (SMALLER). Prints a line a workload; the exit code is the number of those that failed.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

import jitgrad
from jitgrad.testing.gpu.checks import PLACE, agree

from .running import stand_ins

SMALLER = (
    ("1_000_000", "1500"), ("4_000_000", "5000"), ("8_000_000", "9000"), ("10_000, 100)", "200, 100)"), ("u32(10_000)", "u32(200)"),
    ("2048", "40"), ("f32(4096, 768)", "f32(40, 768)"), ("(4, 8, 256, 64)", "(1, 2, 65, 64)"), ("f32(1024, 3)", "f32(60, 3)"),
    ("128, 32, 64\n", "32, 4, 6\n"), ("length=100_000", "length=300"), ("length=10_000", "length=200"), ("100_000)", "700)"),
    ("f32(256)", "f32(40)"), ("f32(16, 64, 56, 56), f32(64, 64, 3", "f32(1, 16, 12, 12), f32(16, 16, 3"),
    ("R.integers(0, 10, 64)", "R.integers(0, 10, 2)"), ("f32(64, 1, 28, 28)", "f32(2, 1, 28, 28)"),
    ("R.integers(0, 10, 32)", "R.integers(0, 10, 2)"), ("f32(32, 3, 32, 32)", "f32(2, 3, 8, 8)"),
    ("((64, 1), (128, 2), (256, 2), (512, 2))", "((16, 1), (24, 2))"), ("cin = [], 64", "cin = [], 16"),
    ("f32(64, 3, 3, 3", "f32(16, 3, 3, 3"), ("onp.ones(64, onp.float32), onp.zeros(64", "onp.ones(16, onp.float32), onp.zeros(16"),
    ("f32(512, 10", "f32(24, 10"), ("256, 8, 128, 8, 1000", "32, 4, 17, 2, 50"), ("range(4)]}", "range(2)]}"),
    ("[784, 512, 512, 10], 128", "[60, 48, 32, 10], 20"),
)  # fmt: skip


def _module(path: Path, changes: tuple[tuple[str, str], ...] = ()) -> Any:
    text = path.read_text()
    for large, small in changes:
        if large not in text:
            print(f"{path.name} has no {large!r}", file=sys.stderr)
        text = text.replace(large, small)
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def _runs(names: Any, workloads: Any, name: str, device: str) -> list[np.ndarray]:
    """What a workload gives, twice, with all its arrays on a device."""
    workloads.R = np.random.default_rng(0)
    f, args = workloads.WORKLOADS[name](names)
    with jitgrad.default_device(device):
        args = [jitgrad.tree.map(names.np.asarray, a) for a in args]
        jitted = jitgrad.jit(f)
        for _ in range(2):
            found = jitgrad.block_until_ready(jitted(*args))
    PLACE.device = device
    PLACE.assert_here(found)
    return [np.asarray(leaf) for leaf in jitgrad.tree.leaves(found)]


def main(folder: Path, wanted: list[str]) -> int:
    names = _module(folder / "run.py").bundle("jitgrad")
    workloads = _module(folder / "workloads.py", SMALLER)
    failed = 0
    for name in wanted or workloads.WORKLOADS:
        expected = _runs(names, workloads, name, "cpu")
        try:
            with stand_ins(memory_bytes=8 << 30) as (driver,):
                apart = agree(_runs(names, workloads, name, "cuda"), expected, scale=100)
                driver.check_balanced(1 << 20)
            said = f"within {apart:.2g} of the tolerance"
        except Exception as error:  # the others are of interest, too
            failed += 1
            said = f"{type(error).__name__}: {error}"
        print(f"{name}: {said}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
