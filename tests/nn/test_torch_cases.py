"""Layers give PyTorch's results and gradients: all of them where it is installed (extra test-peers), else by stored numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from .torch_cases import CASES, NUMBERS, digest, our_numbers, their_numbers

STORED = json.loads(NUMBERS.read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_the_stored_numbers_of_torch(name):
    found = our_numbers(CASES[name], STORED[name]["parameters"])
    np.testing.assert_allclose([digest(x) for x in found], STORED[name]["numbers"], rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_a_layer_gives_what_torch_gives(name, dtype):
    torch = pytest.importorskip("torch")
    want, shapes = their_numbers(torch, CASES[name], dtype)
    found = our_numbers(CASES[name], shapes, dtype)
    assert len(found) == len(want)
    for a, b in zip(found, want, strict=True):
        assert a.shape == b.shape and a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=(1e-9 if dtype == "float64" else 1e-4) * max(np.abs(b).max(), 0.1))
    if dtype == "float64":
        np.testing.assert_allclose([digest(x) for x in want], STORED[name]["numbers"], rtol=1e-9, atol=1e-9)
