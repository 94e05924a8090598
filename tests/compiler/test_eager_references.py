"""References of ops that have a shorter way for what is common."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad_compiler  # noqa: F401
from jitgrad_compiler.ir.graph import OPS


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64"])
def test_elements_at_places_along_all_axes_are_those_at_the_nearest_edges(dtype: str) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    ends = np.iinfo(dtype)
    places = [p for p in (ends.min, -9, -1, 0, 1, 2, 3, 9, ends.max) if ends.min <= p <= ends.max]
    indices = np.stack(np.meshgrid(*[np.array(places, dtype)] * 3, indexing="ij"), -1)
    found = OPS["gather"].numpy(x, indices, axes=(0, 1, 2), batch=0, mode="clip")
    wanted = [[[x[held(i, 2), held(j, 3), held(k, 4)] for k in places] for j in places] for i in places]
    np.testing.assert_array_equal(found, wanted)


def held(place: int, size: int) -> int:
    return min(max(place, 0), size - 1)
