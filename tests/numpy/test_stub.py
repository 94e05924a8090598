"""The stub of jitgrad.numpy is what tools/numpy_stub.py writes, and mypy finds users' mistakes by it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import jitgrad.numpy as jnp

ROOT = Path(__file__).parents[2]
PROGRAM = """
import numpy as np
import jitgrad
import jitgrad.numpy as jnp

def right(x: jitgrad.Array) -> jitgrad.Array:
    y = jnp.sum(jnp.sin(x) + np.ones(3), axis=(0, 1), keepdims=True) + jnp.add.reduce(x) + jnp.linalg.norm(x)
    return jnp.where(y > 0, y, 2.0).at[0].set(1.0).astype(jnp.float32)

def wrong(x: jitgrad.Array) -> None:
    jnp.sin("x")
    jnp.sum(x, axs=0)
    jnp.linspace(0, 1, num="many")
    jnp.add.reduce(x, keep=True)
    jnp.no_such_function(x)
"""
WRONG = ("arg-type", "call-arg", "arg-type", "call-arg", "attr-defined")


def _writer():
    spec = importlib.util.spec_from_file_location("numpy_stub", ROOT / "tools" / "numpy_stub.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stub_is_current():
    assert Path(jnp.__file__).with_suffix(".pyi").read_text() == _writer().text(), "run: python tools/numpy_stub.py"


def test_mypy_checks_users_code_by_the_stub(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--check-untyped-defs", "--show-error-codes", str(tmp_path / "program.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    first = PROGRAM.splitlines().index("def wrong(x: jitgrad.Array) -> None:") + 2
    wanted = [(first + k, code) for k, code in enumerate(WRONG)]
    assert [(int(line.split(":")[1]), line.rsplit("[", 1)[1].rstrip("]")) for line in found] == wanted, done.stdout
