"""Square matrix products on two threads, jitgrad against OpenBLAS: `python benchmarks/gemm.py [--f64]`.

Both run in one process, in turns of some blocks of calls, with a pause before each block, so that neither pool spins while the
other is measured; a ratio is the median of those of the rounds, which lie close in time. Exit status 1 where the geometric mean
of the ratios is below 1, or any of them below 0.9.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import scipy.linalg.blas
import threadpoolctl

import jitgrad
import jitgrad.numpy as jnp

SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
ROUNDS = 8
BLOCK_SECONDS = 0.06
PAUSE_SECONDS = 0.2  # an idle OpenBLAS worker was seen to take the other core from us for up to 100 ms after its last call
LEAST_MEAN, LEAST_RATIO = 1.0, 0.9


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    raw = np.empty(int(np.prod(shape)) * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + raw.size - 64].view(dtype).reshape(shape)


def jitgrad_call(a: np.ndarray, b: np.ndarray) -> Callable[[], object]:
    """C = A B as a user writes it; every call returns a new array."""
    multiply = jitgrad.jit(lambda x, y: x @ y)
    x, y = jnp.asarray(a), jnp.asarray(b)
    return lambda: multiply(x, y)


def blas_call(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Callable[[], object]:
    """The same product as C' = B' A' of column-major matrices, which is how BLAS takes it without copies."""
    gemm = scipy.linalg.blas.sgemm if a.itemsize == 4 else scipy.linalg.blas.dgemm
    return lambda: gemm(1.0, b.T, a.T, 0.0, c.T, overwrite_c=1)


def block(call: Callable[[], object], seconds: float) -> list[float]:
    """Times of single calls, after a pause and a call that wakes the threads."""
    time.sleep(PAUSE_SECONDS)
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def compare(size: int, dtype: np.dtype) -> float:
    """Print both speeds and return their ratio."""
    random = np.random.default_rng(size)
    a, b, theirs = (aligned((size, size), dtype) for _ in range(3))
    a[...], b[...] = random.standard_normal((2, size, size))
    calls = jitgrad_call(a, b), blas_call(a, b, theirs)
    medians = np.array([[np.median(block(call, BLOCK_SECONDS)) for call in calls] for _ in range(ROUNDS)])
    tolerance = 40 * np.finfo(dtype).eps * size**0.5
    if not np.allclose(calls[0](), theirs, rtol=0, atol=tolerance * float(np.abs(theirs).max())):
        raise AssertionError(f"gemm: results differ at size {size}")
    speeds = 2e-9 * size**3 / np.median(medians, axis=0)
    ratio = float(np.median(medians[:, 1] / medians[:, 0]))
    print(f"{size:6d}  {speeds[0]:8.1f}  {speeds[1]:8.1f}  {ratio:6.3f}", flush=True)
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--f64", action="store_true", help="float64 instead of float32")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    jitgrad.config.num_threads = options.threads
    with threadpoolctl.threadpool_limits(options.threads):
        print(f"{'size':>6}  {'GF/s':>8}  {'OpenBLAS':>8}  {'ratio':>6}")
        ratios = [compare(size, np.dtype(np.float64 if options.f64 else np.float32)) for size in SIZES]
    mean = float(np.exp(np.mean(np.log(ratios))))
    print(f"geometric mean {mean:.3f} (at least {LEAST_MEAN}), least {min(ratios):.3f} (at least {LEAST_RATIO})")
    return int(mean < LEAST_MEAN or min(ratios) < LEAST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
