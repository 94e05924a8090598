"""Programs of complex numbers, beside jax on the same core: `python benchmarks/complex_numbers.py`, with jax installed.

Both run in one process on one core with one thread, in turns; a figure is the median of the ratios of neighbours.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

CORE = int(os.environ.get("CORE", "0"))
os.sched_setaffinity(0, {CORE})
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax  # noqa: E402
import jax.numpy  # noqa: E402
import numpy as np  # noqa: E402

import jitgrad  # noqa: E402
import jitgrad.numpy  # noqa: E402

jitgrad.config.update("num_threads", 1)
Programs = Callable[[Any, Any], Callable[..., Any]]
"""A program, written once for both libraries: of the library and its numpy."""


def matmul(lib: Any, xp: Any) -> Any:
    return lambda a, b: a @ b


def product(lib: Any, xp: Any) -> Any:
    return lambda a, b: a * b + a


def mandelbrot(lib: Any, xp: Any) -> Any:
    """How many of 100 steps each point of a grid stays inside."""

    def f(c: Any) -> Any:
        def body(i: Any, state: Any) -> Any:
            z, n = state
            inside = z.real * z.real + z.imag * z.imag < 4
            return xp.where(inside, z * z + c, z), n + inside

        return lib.lax.fori_loop(0, 100, body, (xp.zeros_like(c), xp.zeros(c.shape, xp.int32)))[1]

    return f


def mandelbrot_each(lib: Any, xp: Any) -> Any:
    """The same, each point by a while_loop of its own under vmap."""

    def one(c: Any) -> Any:
        def goes_on(state: Any) -> Any:
            z, n = state
            return (z.real * z.real + z.imag * z.imag < 4) & (n < 100)

        return lib.lax.while_loop(goes_on, lambda s: (s[0] * s[0] + c, s[1] + 1), (xp.zeros_like(c), 0))[1]

    return lib.vmap(one)


def fourier(lib: Any, xp: Any) -> Any:
    """The sum over n of a[n] exp(i k[m] x[n])."""
    return lambda k, x, a: xp.einsum("mn,n->m", xp.exp(1j * k[:, None] * x[None, :]), a)


QUBITS, LAYERS = 12, 4


def expectation(lib: Any, xp: Any) -> Any:
    """Layers of rotations of every qubit and controlled sign changes; the expectation of Z on the first qubit."""

    def gate(state: Any, matrix: Any, qubit: int) -> Any:
        return xp.moveaxis(xp.tensordot(matrix, state, axes=((1,), (qubit,))), 0, qubit)

    def rotation(a: Any, b: Any) -> Any:
        c, s, turn = xp.cos(a / 2), xp.sin(a / 2), xp.exp(0.5j * b)
        return xp.stack([xp.stack([c * xp.conj(turn), -s * xp.conj(turn)]), xp.stack([s * turn, c * turn])])

    signs = np.array([[1, 1], [1, -1]], np.float32)

    def f(angles: Any) -> Any:
        state = xp.zeros((2,) * QUBITS, xp.complex64).at[(0,) * QUBITS].set(1)
        for layer in range(LAYERS):
            for q in range(QUBITS):
                state = gate(state, rotation(angles[layer, q, 0], angles[layer, q, 1]), q)
            for q in range(0, QUBITS - 1, 2):
                state = state * signs.reshape([2 if n in (q, q + 1) else 1 for n in range(QUBITS)])
        sizes = xp.sum(xp.abs(state.reshape(2, -1)) ** 2, axis=1)
        return sizes[0] - sizes[1]

    return f


def gradient(lib: Any, xp: Any) -> Any:
    return lib.grad(expectation(lib, xp))


def operands() -> dict[str, tuple[Programs, tuple[Any, ...]]]:
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> Any:
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)

    grid = (np.linspace(-2, 0.5, 300)[None, :] + 1j * np.linspace(-1.2, 1.2, 200)[:, None]).astype(np.complex64)
    angles = rng.normal(size=(LAYERS, QUBITS, 2)).astype(np.float32)
    waves = rng.normal(size=500).astype(np.float32), rng.normal(size=2000).astype(np.float32), numbers(2000)
    return {
        "matmul of 512": (matmul, (numbers(512, 512), numbers(512, 512))),
        "a * b + a of a million": (product, (numbers(1000, 1000), numbers(1000, 1000))),
        "Mandelbrot, fori_loop": (mandelbrot, (grid,)),
        "Mandelbrot, while_loop under vmap": (mandelbrot_each, (grid.reshape(-1),)),
        "Fourier sum, 500 by 2000": (fourier, waves),
        f"circuit of {QUBITS} qubits": (expectation, (angles,)),
        f"circuit of {QUBITS} qubits, gradient": (gradient, (angles,)),
    }


def seconds(f: Callable[..., Any], args: Any) -> float:
    start = time.perf_counter()
    jax.block_until_ready(f(*args))
    return time.perf_counter() - start


def main() -> None:
    jitgrad.jit(lambda a: a * 2)(1.0)  # what the first program of all loads is no part of the first calls
    print(f"jitgrad, jax {jax.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}, one core, one thread\n")
    print("| program | jitgrad, ms | jax, ms | jax / jitgrad | first call, jax / jitgrad |")
    print("| --- | --- | --- | --- | --- |")
    for name, (program, args) in operands().items():
        if not all(word in name for word in sys.argv[1:]):
            continue
        ours, theirs = jitgrad.jit(program(jitgrad, jitgrad.numpy)), jax.jit(program(jax, jax.numpy))
        mine, other = [jitgrad.numpy.asarray(a) for a in args], [jax.numpy.asarray(a) for a in args]
        start = time.perf_counter()
        found = np.asarray(ours(*mine))
        first = time.perf_counter() - start
        start = time.perf_counter()
        wanted = np.asarray(theirs(*other))
        first = (time.perf_counter() - start) / first
        close = np.abs(found - wanted) <= 2e-3 * np.abs(wanted).mean()
        assert close.mean() > 0.99, f"{name}: {found} and {wanted}"  # an orbit beside the edge may leave a step later
        pairs = []
        stop = time.perf_counter() + 6
        while time.perf_counter() < stop and len(pairs) < 400 or len(pairs) < 5:
            pairs.append((seconds(ours, mine), seconds(theirs, other)))
        a, b = np.array(pairs).T
        print(
            f"| {name} | {np.median(a) * 1e3:.3f} | {np.median(b) * 1e3:.3f} | {np.median(b / a):.2f} | {first:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
