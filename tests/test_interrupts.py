"""Ctrl-C in the middle of a native loop: the loop ends, KeyboardInterrupt is raised, and the process goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax

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


# What a run that fails leaves behind


class Stop(Exception):
    pass


def fail_after(count, error):
    def look(i):
        if i >= count:
            raise error()

    return look


def saved(look, length):
    """Loops that keep something of every step, each of some megabytes."""

    def body(state):
        jitgrad.debug.callback(look, state[0])
        return state[0] + 1, jnp.sin(state[1]) * state[1]

    def alone(x):
        return lax.while_loop(lambda s: s[0] < length, body, (0, x))[1].sum()

    def twice(x):
        y = lax.while_loop(lambda s: s[0] < length // 2, body, (0, x))[1]
        return lax.while_loop(lambda s: s[0] < length, body, (length // 2, y))[1].sum()

    def nested(x):
        return lax.fori_loop(0, 2, lambda i, y: lax.while_loop(lambda s: s[0] < length, body, (0, y))[1], x).sum()

    def branch(x):
        return lax.cond(x.sum() > -1, lambda y: alone(y), lambda y: y.sum(), x)

    return {"alone": alone, "twice": twice, "nested": nested, "branch": branch}


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


RUNS = {
    "vjp of jit": lambda f: (lambda g: lambda x: jitgrad.vjp(g, x))(jitgrad.jit(f)),
    "jit of grad": lambda f: jitgrad.jit(jitgrad.grad(f)),
    "eager grad": lambda f: jitgrad.grad(f),
}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("loop", ["alone", "twice", "nested", "branch"])
@pytest.mark.parametrize("size", [4, 1 << 17], ids=["registers", "blocks"])
def test_a_run_that_fails_keeps_nothing_of_its_steps(size, loop, run, error):
    length = 40 if size > 100 else 3000
    f = saved(fail_after(length - 5, error), length)[loop]
    g = RUNS[run](f)
    x = jnp.ones(size) * 0.5

    def fails(times):
        for _ in range(times):
            with pytest.raises(error):
                g(x)

    fails(2)
    before = resident()
    fails(4)
    assert resident() - before < 25  # a run keeps 15 MB of steps or more where x is large


def test_runs_that_fail_on_several_threads_keep_nothing():
    f = saved(fail_after(30, Stop), 40)["alone"]
    g = jitgrad.jit(jitgrad.grad(f))
    x = jnp.ones(1 << 17) * 0.5
    raised = []

    def work():
        for _ in range(4):
            try:
                g(x)
            except Stop:
                raised.append(1)

    def together():
        threads = [threading.Thread(target=work) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    together()
    before = resident()
    together()
    assert len(raised) == 24
    assert resident() - before < 60  # all twelve together keep 180 MB of steps
