"""Convolutions with both gradients beside jax, PyTorch and torch.compile: `python benchmarks/convolutions.py [PYTHON ...]`.

Depthwise, 1x1 and strided ones, features first and last, float32 on two threads. Each library runs in processes of its own, in
turns; those that are not installed here may be in another PYTHON. A figure is the least of the medians of its processes: other work
on the machine makes times longer. Results are compared with jitgrad's. Exit status 1 where they differ, or jitgrad is behind.
`--only WORD` takes the cases whose names have the word, `--rounds N` more or fewer processes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

SECONDS, TOLERANCE = 1.0, 1e-4
KINDS = {"jitgrad": "jitgrad", "jax": "jax", "torch": "torch", "compiled": "torch.compile"}


class Case(NamedTuple):
    """A square convolution: images, their size, features in and out, the window's size and stride, and groups of features."""

    images: int
    size: int
    features: int
    results: int
    window: int
    stride: int
    groups: int = 1

    def arrays(self, last: bool) -> tuple[np.ndarray, np.ndarray]:
        """Images and kernel, features first, or last: OIHW or HWIO."""
        random = np.random.default_rng(0)
        x = random.standard_normal((self.images, self.features, self.size, self.size), np.float32)
        w = random.standard_normal((self.results, self.features // self.groups, self.window, self.window), np.float32)
        w *= np.float32(w[0].size ** -0.5)
        return (np.ascontiguousarray(x.transpose(0, 2, 3, 1)), np.ascontiguousarray(w.transpose(2, 3, 1, 0))) if last else (x, w)


CASES = {
    "depthwise 3x3, 32 x 32 features x 112 x 112": Case(32, 112, 32, 32, 3, 1, 32),
    "depthwise 3x3 stride 2, 16 x 96 x 112 x 112": Case(16, 112, 96, 96, 3, 2, 96),
    "1x1, 16 x 64 to 64 x 56 x 56": Case(16, 56, 64, 64, 1, 1),
    "1x1, 16 x 256 to 64 x 28 x 28": Case(16, 28, 256, 64, 1, 1),
    "3x3 stride 2, 16 x 64 to 128 x 56 x 56": Case(16, 56, 64, 128, 3, 2),
    "7x7 stride 2, 16 x 3 to 64 x 224 x 224": Case(16, 224, 3, 64, 7, 2),
    "3x3, 16 x 64 to 64 x 56 x 56": Case(16, 56, 64, 64, 3, 1),
    "3x3, 16 x 256 to 256 x 14 x 14": Case(16, 14, 256, 256, 3, 1),
}


def step_in_torch(case: Case, last: bool, compiled: bool) -> tuple[Callable[[], Any], Callable[[Any], list[np.ndarray]]]:
    import torch

    torch.set_num_threads(2)
    x, w = (torch.tensor(a) for a in case.arrays(False))
    if last:
        x, w = (a.to(memory_format=torch.channels_last) for a in (x, w))
    x.requires_grad_(True)
    w.requires_grad_(True)

    def step(x: Any, w: Any) -> Any:
        y = torch.nn.functional.conv2d(x, w, stride=case.stride, padding=case.window // 2, groups=case.groups)
        loss = (y**2).sum()
        return loss, *torch.autograd.grad(loss, (x, w))

    run = torch.compile(step) if compiled else step

    def arrays(out: Any) -> list[np.ndarray]:
        loss, gx, gw = (a.detach().numpy() for a in out)
        return [loss, gx.transpose(0, 2, 3, 1), gw.transpose(2, 3, 1, 0)] if last else [loss, gx, gw]

    return lambda: run(x, w), arrays


def step_in(library: str, case: Case, last: bool) -> tuple[Callable[[], Any], Callable[[Any], list[np.ndarray]]]:
    if library == "jax":
        import jax as lib
    else:
        import jitgrad as lib

        lib.config.update("num_threads", 2)
    half = case.window // 2
    names = ("NHWC", "HWIO", "NHWC") if last else ("NCHW", "OIHW", "NCHW")

    def loss(x: Any, w: Any) -> Any:
        y = lib.lax.conv_general_dilated(
            x, w, (case.stride,) * 2, ((half, half),) * 2, dimension_numbers=names, feature_group_count=case.groups
        )
        return lib.numpy.sum(y**2)

    x, w = map(lib.numpy.asarray, case.arrays(last))
    run = lib.jit(lib.value_and_grad(loss, argnums=(0, 1)))
    return lambda: lib.block_until_ready(run(x, w)), lambda out: [np.asarray(a) for a in (out[0], *out[1])]


def measure(kind: str, name: str, last: bool, target: str) -> None:
    """In a process of its own: the median goes out, the results into a file."""
    case = CASES[name]
    run, arrays = step_in_torch(case, last, kind == "compiled") if kind in ("torch", "compiled") else step_in(kind, case, last)
    for _ in range(2):
        out = run()
    np.savez(target, *arrays(out))
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(float(np.median(times)))


def median(kind: str, name: str, last: bool, target: str, pythons: list[str]) -> float | None:
    """By the first Python that has the library."""
    for python in pythons:
        command = [python, __file__, *pythons, "--measure", kind, name, "last" if last else "first", target]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "2"})
        if done.returncode == 0:
            return float(done.stdout.split()[-1])
    return None


def difference(ours: str, theirs: str) -> float:
    """The largest difference, as a part of the largest element."""
    with np.load(ours) as a, np.load(theirs) as b:
        return max(float(np.abs(a[k] - b[k]).max() / np.abs(b[k]).max()) for k in b.files)


def compare(name: str, last: bool, rounds: int, pythons: list[str]) -> bool:
    """Print a row; whether results are equal and nobody is faster."""
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: os.path.join(folder, f"{kind}.npz") for kind in KINDS}
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind in KINDS:
                if (found := median(kind, name, last, files[kind], pythons)) is not None:
                    times[kind].append(found)
        least = {kind: min(t) * 1e3 for kind, t in times.items() if t}
        apart = max((difference(files["jitgrad"], files[kind]) for kind in least if kind != "jitgrad"), default=0.0)
    ratio = min((t for kind, t in least.items() if kind != "jitgrad"), default=np.nan) / least["jitgrad"]
    cells = [f"{least[kind]:.1f}" if kind in least else "-" for kind in KINDS]
    print(f"| {name} | {'last' if last else 'first'} | {' | '.join(cells)} | {ratio:.2f} | {apart:.0e} |", flush=True)
    return apart <= TOLERANCE and not ratio < 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs="*", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=4, metavar=("KIND", "CASE", "FEATURES", "FILE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        kind, name, features, target = asked.measure
        measure(kind, name, features == "last", target)
        return 0
    print(f"| convolution | features | {', ms | '.join(KINDS.values())}, ms | ratio | apart |\n|{' --- |' * 8}")
    pythons = [sys.executable, *asked.pythons]
    cases = [(name, last) for name in CASES if asked.only in name for last in (False, True)]
    return 0 if all([compare(name, last, asked.rounds, pythons) for name, last in cases]) else 1


if __name__ == "__main__":
    sys.exit(main())
