"""Libraries and programs written for jax, run on jitgrad under jax's name, give jax's numbers. Extra `test-peers`.

Both sides run in processes of their own (run.py), at the same time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RUN = Path(__file__).with_name("run.py")
MODULES = {"optimizers": ["jax", "optax"], "samplers": ["jax", "blackjax", "optax"], "examples": ["jax", "sklearn"]}


def started(which: str, module: str) -> subprocess.Popen[str]:
    settings = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen([sys.executable, str(RUN), which, module], stdout=subprocess.PIPE, text=True, env=settings)


def difference(ours: dict, theirs: dict) -> str:
    """What is wrong with our answer, "" if nothing is."""
    if "error" in ours:
        return ours["error"]
    if [leaf[1] for leaf in ours["numbers"]] != [leaf[1] for leaf in theirs["numbers"]]:
        return f"shapes {[leaf[1] for leaf in ours['numbers']]}, wanted {[leaf[1] for leaf in theirs['numbers']]}"
    for (kind, _, given), (wanted_kind, _, wanted) in zip(ours["numbers"], theirs["numbers"], strict=True):
        if np.dtype(kind).kind != np.dtype(wanted_kind).kind:
            return f"{kind}, wanted {wanted_kind}"
        if not np.allclose(given, wanted, rtol=1e-5, atol=1e-6, equal_nan=True):
            return f"{given[:5]}, wanted {wanted[:5]}"
    return ""


@pytest.mark.parametrize("module", MODULES)
def test_programs_for_jax_give_its_numbers(module):
    for name in MODULES[module]:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed (extra test-peers)")
    processes = [started(which, module) for which in ("jitgrad", "jax")]
    ours, theirs = ({(row := json.loads(line))["name"]: row for line in p.communicate()[0].splitlines()} for p in processes)
    assert [p.returncode for p in processes] == [0, 0] and ours.keys() == theirs.keys()
    assert not {name: row["error"] for name, row in theirs.items() if "error" in row}
    wrong = {name: difference(ours[name], theirs[name]) for name in theirs}
    assert not {name: text for name, text in wrong.items() if text}
