"""The numbers in tests/reference_numbers/ are what the libraries installed here give. Extra `test-peers`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("reference_numbers.py")
STORED = Path(__file__).parents[1] / "reference_numbers"
NEEDS = {"optimizers": "optax", "torch_optimizers": "torch", "losses": "torch", "metrics": "sklearn"}


def rows(table, path=""):
    """A table of tables as one, by paths."""
    if not isinstance(table, dict):
        return {path: table}
    return {k: v for key, x in table.items() for k, v in rows(x, f"{path}/{key}").items()}


@pytest.mark.parametrize("name", NEEDS)
def test_the_stored_numbers_are_those_of_the_library(name, tmp_path):
    if importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed (extra test-peers)")
    settings = {**os.environ, "JAX_PLATFORMS": "cpu", "REFERENCE_NUMBERS": str(tmp_path)}
    subprocess.run([sys.executable, str(PROGRAM), name], check=True, env=settings)
    now, before = (rows(json.loads((folder / f"{name}.json").read_text())) for folder in (tmp_path, STORED))
    assert now.keys() == before.keys()
    for key in now:
        np.testing.assert_allclose(now[key], before[key], rtol=1e-9, atol=1e-10, err_msg=key)
