"""Ctrl-C in the middle of a native loop: the loop ends, KeyboardInterrupt is raised, and the process goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
import os, signal, threading
import jitgrad, jitgrad.numpy as jnp, numpy as np
from jitgrad import lax
forever = lambda body, x: lax.while_loop(lambda s: jnp.sum(s) < 1e9, body, x)
f = {call}
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    f()
    print("it ended by itself")
except KeyboardInterrupt:
    print("interrupted")
print(jitgrad.jit(lambda x: lax.fori_loop(0, 10, lambda i, s: s + i, x))(1.0))
"""
CALLS = {
    "a small loop": "lambda: jitgrad.jit(lambda x: forever(jnp.sin, x))(1.0)",
    "a loop of kernels": "lambda: jitgrad.jit(lambda x: forever(lambda s: jnp.sin(s @ s), x))(np.ones((50, 50)))",
    "a long scan": "lambda: jitgrad.jit(lambda x: lax.scan(lambda c, _: (jnp.sin(c), None), x, None, length=10**10)[0])(1.0)",
    "rows": "lambda: jitgrad.jit(jitgrad.vmap(lambda x: forever(jnp.sin, x)))(np.ones(1000))",
    "a loop that keeps a tape": "lambda: jitgrad.jit(jitgrad.grad(lambda x: forever(lambda s: jnp.sin(s) + 1e-3, x)))(1.0)",
    "an eager loop": "lambda: forever(jnp.sin, 1.0)",
    "loops inside loops": (
        "lambda: jitgrad.jit(lambda x: lax.fori_loop(0, 10**9, lambda i, c: "
        "lax.fori_loop(0, 10**6, lambda j, c: jnp.sin(c @ c), c), x))(np.ones((20, 20)))"
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_ctrl_c_stops(what):
    paths = [str(ROOT), str(ROOT / "compiler"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    script = SCRIPT.format(call=CALLS[what])
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "interrupted\n46.0\n"
