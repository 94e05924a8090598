"""The array library beside jax, under jit: `python benchmarks/array_library.py [--python PEERS] [NAME ...]`.

Ten million elements each of einsum, sort, argsort, top_k, cumsum, histogram, gather and scatter-add; factorisations of a batch and
of one large matrix; Fourier transforms; a Kalman filter and a Gaussian process's likelihood with its gradient. float32, two
threads. Each library runs in processes of its own, several a case, which all take turns. A first call traces, compiles and runs;
what the first program of all loads is no part of it. Figures are medians over processes, of first calls and of the steady calls'
medians. What is found is compared with jitgrad's; of factors that are not unique, what they are the factors of. jax may be in
another Python. Exit status 1 where results differ or jitgrad is behind.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LIBRARIES = ("jitgrad", "jax")
SECONDS, THREADS, MANY = 0.3, 2, 10_000_000
Arrays = list[Any]


@dataclass(frozen=True)
class Case:
    """What is computed of which arrays. comparable: what of the results is compared, where not all of them.

    tolerance: of differences, relative to the largest element.
    """

    arrays: Callable[[np.random.Generator], Arrays]
    function: Callable[[Any], Callable[..., Any]]
    comparable: Callable[..., Arrays] = lambda *results: list(results)
    tolerance: float = 1e-5


def normal(*shape: int) -> Callable[[np.random.Generator], Arrays]:
    return lambda random: [random.standard_normal(shape, np.float32)]


def normals(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], Arrays]:
    return lambda random: [random.standard_normal(shape, np.float32) for shape in shapes]


def waves(*shape: int) -> Callable[[np.random.Generator], Arrays]:
    return lambda random: [(random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)]


def places(rows: int, width: tuple[int, ...], count: int) -> Callable[[np.random.Generator], Arrays]:
    """Numbers, and as many random rows of an array as there are rows."""
    return lambda random: [
        random.standard_normal((rows, *width), np.float32), random.integers(0, rows, count, np.int32)
    ]  # fmt: skip


def updates(rows: int, width: tuple[int, ...], count: int) -> Callable[[np.random.Generator], Arrays]:
    return lambda random: [
        np.zeros((rows, *width), np.float32), random.integers(0, rows, count, np.int32),
        random.standard_normal((count, *width), np.float32),
    ]  # fmt: skip


def positive(*shape: int) -> Callable[[np.random.Generator], Arrays]:
    """Symmetric matrices whose eigenvalues are between about 1 and 5."""

    def arrays(random: np.random.Generator) -> Arrays:
        x = random.standard_normal(shape, np.float32)
        return [x @ x.swapaxes(-1, -2) / shape[-1] + np.eye(shape[-1], dtype=np.float32)]

    return arrays


def symmetric(*shape: int) -> Callable[[np.random.Generator], Arrays]:
    def arrays(random: np.random.Generator) -> Arrays:
        x = random.standard_normal(shape, np.float32)
        return [x + x.swapaxes(-1, -2)]

    return arrays


def systems(random: np.random.Generator) -> Arrays:
    return [*positive(1000, 32, 32)(random), random.standard_normal((1000, 32, 32), np.float32)]


def of_eigh(w: np.ndarray, v: np.ndarray) -> Arrays:
    return [w, (v * w[..., None, :]) @ v.swapaxes(-1, -2)]


def of_svd(u: np.ndarray, s: np.ndarray, vt: np.ndarray) -> Arrays:
    return [s, (u * s[..., None, :]) @ vt]


def of_qr(q: np.ndarray, r: np.ndarray) -> Arrays:
    return [np.abs(r), q @ r]


STATES, SEEN, STEPS, POINTS = 6, 3, 200, 500


def kalman_arrays(random: np.random.Generator) -> Arrays:
    """The transition, what is seen of a state, both noises' covariances, and observations."""
    transition = 0.95 * np.linalg.qr(random.standard_normal((STATES, STATES)))[0]
    seen = random.standard_normal((SEEN, STATES))
    return [
        np.asarray(a, np.float32)
        for a in (transition, seen, 0.1 * np.eye(STATES), 0.5 * np.eye(SEEN), random.standard_normal((STEPS, SEEN)))
    ]


def kalman(lib: Any) -> Callable[..., Any]:
    """The means after each step, and the logarithm of the likelihood."""
    xp, linalg = lib.numpy, lib.numpy.linalg

    def run(transition: Any, seen: Any, noise: Any, error: Any, observations: Any) -> Any:
        def step(state: Any, y: Any) -> Any:
            mean, covariance = state
            mean, covariance = transition @ mean, transition @ covariance @ transition.T + noise
            innovation, spread = y - seen @ mean, seen @ covariance @ seen.T + error
            gain = linalg.solve(spread, seen @ covariance).T
            likelihood = -0.5 * (innovation @ linalg.solve(spread, innovation) + linalg.slogdet(spread)[1])
            mean, covariance = mean + gain @ innovation, covariance - gain @ seen @ covariance
            return (mean, covariance), (mean, likelihood)

        _, (means, likelihoods) = lib.lax.scan(step, (xp.zeros(STATES), xp.eye(STATES)), observations)
        return means, xp.sum(likelihoods)

    return run


def kalman_gradient(lib: Any) -> Callable[..., Any]:
    return lib.value_and_grad(lambda *a: kalman(lib)(*a)[1], argnums=(0, 1, 2, 3))


def process_arrays(random: np.random.Generator) -> Arrays:
    """Points of a line, values there, and the logarithms of length, amplitude and noise."""
    x = np.sort(random.uniform(-3, 3, POINTS)).astype(np.float32)
    return [np.array([-0.5, 0.1, -1.5], np.float32), x, (np.sin(3 * x) + 0.2 * random.standard_normal(POINTS)).astype(np.float32)]


def process(lib: Any) -> Callable[..., Any]:
    """The likelihood of a Gaussian process and its gradient by the kernel's parameters (Rasmussen and Williams, algorithm 2.1)."""
    xp, linalg = lib.numpy, lib.scipy.linalg

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        length, amplitude, noise = xp.exp(parameters)
        covariance = amplitude**2 * xp.exp(-0.5 * ((x[:, None] - x[None, :]) / length) ** 2) + noise**2 * xp.eye(POINTS)
        root = xp.linalg.cholesky(covariance)
        z = linalg.solve_triangular(root, y, lower=True)
        return 0.5 * z @ z + xp.sum(xp.log(xp.diagonal(root)))

    return lib.value_and_grad(loss)


def einsum(pattern: str) -> Callable[[Any], Callable[..., Any]]:
    return lambda lib: lambda *a: lib.numpy.einsum(pattern, *a)


def added(lib: Any) -> Callable[..., Any]:
    return lambda x, at, values: x.at[at].add(values)


def rows_of(lib: Any) -> Callable[..., Any]:
    return lambda x, at: x[at]


CASES = {
    "einsum ij,j->i": Case(normals((10_000, 1000), (1000,)), einsum("ij,j->i")),
    "einsum ij,ij->": Case(normals((10_000, 1000), (10_000, 1000)), einsum("ij,ij->")),
    "einsum i,j->ij": Case(normals((10_000,), (1000,)), einsum("i,j->ij")),
    "einsum bij,bjk->bik": Case(normals((1000, 100, 100), (1000, 100, 100)), einsum("bij,bjk->bik")),
    "einsum ijk,jil->kl": Case(normals((100, 100, 1000), (100, 100, 50)), einsum("ijk,jil->kl")),
    "einsum ijk->kji": Case(normal(100, 200, 500), einsum("ijk->kji")),
    "sort": Case(normal(MANY), lambda lib: lib.numpy.sort),
    "sort of rows": Case(normal(10_000, 1000), lambda lib: lib.numpy.sort),
    "sort of columns": Case(normal(1000, 10_000), lambda lib: lambda x: lib.numpy.sort(x, axis=0)),
    "argsort": Case(normal(MANY), lambda lib: lib.numpy.argsort),
    "argsort of rows": Case(normal(10_000, 1000), lambda lib: lib.numpy.argsort),
    "top_k, 100": Case(normal(MANY), lambda lib: lambda x: lib.lax.top_k(x, 100)),
    "top_k of rows, 10": Case(normal(10_000, 1000), lambda lib: lambda x: lib.lax.top_k(x, 10)),
    "cumsum": Case(normal(MANY), lambda lib: lib.numpy.cumsum, tolerance=1e-3),
    "cumsum of rows": Case(normal(10_000, 1000), lambda lib: lambda x: lib.numpy.cumsum(x, axis=1)),
    "cumsum of columns": Case(normal(10_000, 1000), lambda lib: lambda x: lib.numpy.cumsum(x, axis=0), tolerance=1e-4),
    "histogram, 10 bins": Case(normal(MANY), lambda lib: lambda x: lib.numpy.histogram(x), tolerance=1e-4),
    "histogram, 1000 bins": Case(normal(MANY), lambda lib: lambda x: lib.numpy.histogram(x, 1000, (-4.0, 4.0)), tolerance=1e-2),
    "gather": Case(places(MANY, (), MANY), rows_of),
    "gather of rows": Case(places(100_000, (100,), 100_000), rows_of),
    "gather along an axis": Case(
        lambda random: [random.standard_normal((10_000, 1000), np.float32), random.integers(0, 1000, (10_000, 1000), np.int32)],
        lambda lib: lambda x, at: lib.numpy.take_along_axis(x, at, axis=1),
    ),
    "scatter-add": Case(updates(1_000_000, (), MANY), added),
    "scatter-add to as many": Case(updates(MANY, (), MANY), added),
    "scatter-add of rows": Case(updates(10_000, (100,), 100_000), added),
    "cholesky, 1000 of 32": Case(positive(1000, 32, 32), lambda lib: lib.numpy.linalg.cholesky),
    "solve, 1000 of 32": Case(systems, lambda lib: lib.numpy.linalg.solve),
    "solve, 1000 of 32, vectors": Case(
        lambda random: [a[..., :1] if n else a for n, a in enumerate(systems(random))], lambda lib: lib.numpy.linalg.solve
    ),
    "eigh, 1000 of 32": Case(symmetric(1000, 32, 32), lambda lib: lib.numpy.linalg.eigh, of_eigh),
    "svd, 1000 of 32": Case(normal(1000, 32, 32), lambda lib: lambda x: lib.numpy.linalg.svd(x, full_matrices=False), of_svd),
    "cholesky of 1000": Case(positive(1000, 1000), lambda lib: lib.numpy.linalg.cholesky),
    "qr of 1000": Case(normal(1000, 1000), lambda lib: lib.numpy.linalg.qr, of_qr, 1e-4),
    "eigh of 1000": Case(symmetric(1000, 1000), lambda lib: lib.numpy.linalg.eigh, of_eigh),
    "fft of 2^20": Case(waves(1 << 20), lambda lib: lib.numpy.fft.fft),
    "fft of 1000 x 1024": Case(waves(1000, 1024), lambda lib: lib.numpy.fft.fft),
    "rfft of 2^20": Case(normal(1 << 20), lambda lib: lib.numpy.fft.rfft),
    "fft2 of 1000 x 1024": Case(waves(1000, 1024), lambda lib: lib.numpy.fft.fft2),
    "Kalman filter": Case(kalman_arrays, kalman),
    "Kalman filter, gradient": Case(kalman_arrays, kalman_gradient, lambda value, grads: [value, *grads], 1e-3),
    "Gaussian process": Case(process_arrays, process, tolerance=1e-3),
}


def serve(library: str, name: str, path: str) -> None:
    """Do a case and tell the first call's time and, for every line of the input, the median of as many calls as fit."""
    case = CASES[name]
    lib: Any = __import__(library)
    if library == "jitgrad":
        lib.config.update("num_threads", THREADS)
    __import__(f"{library}.scipy.linalg")
    arrays = [lib.numpy.asarray(a) for a in case.arrays(np.random.default_rng(0))]
    lib.block_until_ready(lib.jit(lambda x: x * 2)(lib.numpy.ones(3)))
    jitted = lib.jit(case.function(lib))

    def timed() -> float:
        start = time.perf_counter()
        timed.results = lib.block_until_ready(jitted(*arrays))  # type: ignore[attr-defined]
        return time.perf_counter() - start

    first = timed()
    results = timed.results  # type: ignore[attr-defined]
    found = case.comparable(*(results if isinstance(results, (tuple, list)) else [results]))
    if library == "jitgrad" or path:
        np.savez(path, *(np.asarray(a) for leaf in found for a in lib.tree.leaves(leaf)))
    del results, found
    for _ in range(2):
        timed()
    print(json.dumps(first), flush=True)
    for _ in sys.stdin:
        times: list[float] = []
        while len(times) < 3 or sum(times) < SECONDS:
            times.append(timed())
        print(json.dumps(statistics.median(times)), flush=True)


def disagreement(mine: str, other: str) -> float:
    """The largest difference of two files of results, relative to the largest element of each."""
    with np.load(mine) as a, np.load(other) as b:
        assert len(a.files) == len(b.files)
        pairs = [(a[k].astype(np.complex128), b[k].astype(np.complex128)) for k in a.files]
    return max(float(np.abs(x - y).max() / max(np.abs(y).max(), 1e-30)) for x, y in pairs)


def measure(name: str, pythons: list[str], processes: int, rounds: int) -> tuple[dict[str, tuple[float, float]], float]:
    """The median first call and steady time of each library that there is, and by how much their results differ."""
    firsts: dict[str, list[float]] = {}
    steady: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {library: os.path.join(folder, library + ".npz") for library in LIBRARIES}
        for _ in range(processes):
            workers = {}
            for library in LIBRARIES:
                for python in pythons:
                    command = [python, __file__, "--serve", library, name, paths[library]]
                    worker = subprocess.Popen(
                        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                        env={**os.environ, "OMP_NUM_THREADS": str(THREADS), "OPENBLAS_NUM_THREADS": str(THREADS)},
                    )  # fmt: skip
                    if line := worker.stdout.readline():  # type: ignore[union-attr]
                        workers[library] = worker
                        firsts.setdefault(library, []).append(json.loads(line))
                        break
            for _ in range(rounds):
                for library, worker in workers.items():
                    print("go", file=worker.stdin, flush=True)
                    steady.setdefault(library, []).append(json.loads(worker.stdout.readline()))  # type: ignore[union-attr]
            for worker in workers.values():
                worker.stdin.close()  # type: ignore[union-attr]
                worker.wait()
        apart = disagreement(paths["jitgrad"], paths["jax"]) if len(firsts) == len(LIBRARIES) else 0.0
    return {k: (statistics.median(firsts[k]), statistics.median(steady[k])) for k in firsts}, apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="parts of the names of the cases to do; all by default")
    parser.add_argument("--python", action="append", default=[], help="another interpreter, for libraries that are not in this one")
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("| case | jitgrad, ms | jax, ms | jax / jitgrad | first: jitgrad, ms | jax, ms | jax / jitgrad | difference |")
    print(f"|{' --- |' * 8}")
    fine = True
    for name, case in CASES.items():
        if given.names and not any(part in name for part in given.names):
            continue
        found, apart = measure(name, [sys.executable, *given.python], given.processes, given.rounds)
        cells, behind = [], False
        for part in (1, 0):
            times = [found[k][part] * 1e3 if k in found else float("nan") for k in LIBRARIES]
            behind = behind or times[1] < times[0]
            cells += [f"{times[0]:.4g}", f"{times[1]:.4g}", f"{times[1] / times[0]:.2f}"]
        print(f"| {name} | {' | '.join(cells)} | {apart:.0e} |{'  behind' if behind else ''}", flush=True)
        fine = fine and not behind and apart <= case.tolerance
    return 0 if fine else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        sys.exit(main())
