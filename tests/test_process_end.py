"""A process that ends while daemon threads still compile, trace and run: it ends as if they were not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

START = """
import atexit, threading
threads, begun = [], threading.Semaphore(0)

def look():  # registered before jitgrad is imported, so called after it has ended the other threads
    for t in threads:
        t.join()
    print("all have ended")

atexit.register(look)
import jitgrad, jitgrad.numpy as jnp
from jitgrad import lax, tree
from jitgrad_compiler import ending

def start(work, *args):
    threads.append(threading.Thread(target=work, args=args, daemon=True))
    threads[-1].start()
"""


def ended(script: str) -> str:
    """What a process prints that runs the script; it must end without an error or a word on stderr."""
    paths = [str(ROOT), str(ROOT / "compiler"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-c", START + script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_thread_inside_a_pytree_is_waited_for_and_does_not_come_in_again():
    script = """
def is_leaf(x):
    begun.release()
    while ending._ender is None:
        pass
    return False

def work():
    print(tree.leaves([1, (2, 3)], is_leaf))
    print(tree.leaves([4]))

start(work)
begun.acquire()
"""
    assert ended(script) == "[1, 2, 3]\nall have ended\n"


WORK = {
    "compiles": """
    n = 0
    while True:
        n += 1
        jitgrad.jit(lambda x: jnp.sin(x * n) + n)(jnp.ones(5))
        begun.release()
""",
    "differentiates pytrees": """
    while True:
        jitgrad.grad(lambda p: jnp.sum(p["a"] * p["b"][0]))({"a": jnp.ones(3), "b": [jnp.ones(3)]})
        begun.release()
""",
    "runs a loop": """
    begun.release()
    jitgrad.jit(lambda x: lax.while_loop(lambda s: s < 2, jnp.sin, x))(1.0)
""",
    "runs a loop of kernels": """
    begun.release()
    jitgrad.jit(lambda x: lax.while_loop(lambda s: jnp.sum(s) < 1e9, lambda s: jnp.sin(s @ s), x))(jnp.ones((50, 50)))
""",
    "runs rows": """
    begun.release()
    jitgrad.jit(jitgrad.vmap(lambda x: lax.while_loop(lambda s: s < 2, jnp.sin, x)))(jnp.ones(1000))
""",
    "calls back from a loop": """
    def step(x):
        jitgrad.debug.callback(lambda x: begun.release(), x)
        return jnp.sin(x)

    jitgrad.jit(lambda x: lax.while_loop(lambda s: s < 2, step, x))(1.0)
""",
    "calls back again and again": """
    f = jitgrad.jit(lambda x: jitgrad.pure_callback(lambda x: x + 1, x, x))
    while True:
        f(jnp.float32(1))
        begun.release()
""",
    "runs several threads": """
    f, x = jitgrad.jit(lambda x: jnp.sin(x)), jnp.ones(1_000_000)
    while True:
        tree.map(f, [x])
        begun.release()
""",
}


@pytest.mark.parametrize("what", WORK)
def test_a_thread_ends_with_the_process_in_silence(what):
    script = f"""
def work():
{WORK[what]}

start(work)
start(work)
for _ in range(4 if "while True" in {WORK[what]!r} else 2):
    begun.acquire()
"""
    assert ended(script) == "all have ended\n"


def test_the_thread_that_ends_the_process_still_compiles_and_calls_back():
    script = """
def last():
    f = jitgrad.jit(lambda x: lax.fori_loop(0, 3, lambda i, s: (jitgrad.debug.callback(print, i), s + i)[1], x))
    print(f(jnp.float32(1)), tree.leaves({"a": 1}))

atexit.unregister(ending._end)
atexit.register(last)
atexit.register(ending._end)
"""
    assert ended(script) == "0\n1\n2\n4.0 [1]\nall have ended\n"
