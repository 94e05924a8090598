"""A compiled program's own memory figure (arena and outputs) against what the process grows by during a second call.

Free blocks are given back to the system between calls (cap 0), so that the second call takes what it needs anew. Linux only: reads
VmRSS and VmHWM. Exit status 1 where a program above 16 MiB is off by more than 15 %.
"""

from __future__ import annotations

import gc
import subprocess
import sys

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.runtime.buffers import set_free_bytes_cap

LEAST_BYTES, TOLERANCE = 16 << 20, 0.15


def attention(q, k, v):
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * 0.125
    weights = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
    return jnp.sum(jnp.einsum("bhqk,bhkd->bhqd", weights, v) ** 2)


def normalise(x, g, b):
    m = jnp.mean(x, axis=-1, keepdims=True)
    v = jnp.mean((x - m) ** 2, axis=-1, keepdims=True)
    return jnp.sum(((x - m) / jnp.sqrt(v + 1e-5) * g + b) ** 2)


def recurrent(w, v, b, xs):
    def cell(state, x):
        h, s = state
        i, f, o, u = jnp.split(x @ w + h @ v + b, 4, axis=1)
        s = jitgrad.nn.sigmoid(f) * s + jitgrad.nn.sigmoid(i) * jnp.tanh(u)
        h = jitgrad.nn.sigmoid(o) * jnp.tanh(s)
        return (h, s), h

    zero = jnp.zeros((xs.shape[1], v.shape[0]))
    return jnp.mean(jitgrad.lax.scan(cell, (zero, zero), xs)[1] ** 2)


PROGRAMS = {
    "attention_grad": (jitgrad.value_and_grad(attention, argnums=(0, 1, 2)), [(4, 8, 256, 64)] * 3),
    "layernorm_grad": (jitgrad.value_and_grad(normalise, argnums=(0, 1, 2)), [(8192, 768), (768,), (768,)]),
    "gelu_grad": (jitgrad.value_and_grad(lambda x: jnp.mean(0.5 * x * (1 + jnp.tanh(0.8 * (x + 0.04 * x**3))))), [(8_000_000,)]),
    "lstm_grad": (jitgrad.value_and_grad(recurrent, argnums=(0, 1, 2)), [(128, 512), (128, 512), (512,), (200, 64, 128)]),
    "matmul_chain": (lambda a, b: jnp.tanh(a @ b) @ b, [(2048, 2048)] * 2),
}  # fmt: skip


def status(key: str) -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def measure(name: str) -> None:
    f, shapes = PROGRAMS[name]
    set_free_bytes_cap(0)
    random = np.random.default_rng(0)
    args = [jnp.asarray(random.standard_normal(s).astype(np.float32)) for s in shapes]
    program = jitgrad.jit(f).lower(*args).compile()
    figures = program.memory_analysis()
    stated = figures.temp_size_in_bytes + figures.output_size_in_bytes
    del random
    program(*args)
    gc.collect()
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before = status("VmRSS")
    program(*args)
    grown = status("VmHWM") - before
    off = grown / stated - 1
    print(f"{name:16s} stated {stated / 2**20:8.1f} MiB   grown {grown / 2**20:8.1f} MiB   {off:+.1%}", flush=True)
    sys.exit(stated > LEAST_BYTES and abs(off) > TOLERANCE)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    sys.exit(max([subprocess.run([sys.executable, __file__, name]).returncode for name in PROGRAMS]))
