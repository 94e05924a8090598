"""Type-check a user's file against the installed package, away from the sources."""

import subprocess
import sys
import tempfile
from pathlib import Path

USER = """
import jitgrad
import jitgrad.numpy as jnp
from jitgrad import Array, grad, jit

def loss(x: Array) -> Array:
    return jnp.sum(x * x)

gradient = grad(loss)(jnp.ones(3))
compiled = jit(loss)
shape: tuple[int, ...] = jnp.zeros((2, 3)).shape
"""

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "user.py").write_text(USER)
    sys.exit(subprocess.run([sys.executable, "-m", "mypy", "--follow-imports=silent", "user.py"], cwd=folder).returncode)
