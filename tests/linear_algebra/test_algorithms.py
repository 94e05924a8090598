"""Which algorithm finds factors: what there is may be asked for by jax's names. What is refused is in tests/lax/misuses.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import jit
from jitgrad.lax import linalg

S = jnp.array([[2.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("function", "option"),
    [
        *[
            (linalg.svd, {"algorithm": a})
            for a in (None, *[linalg.SvdAlgorithm[n] for n in ("DEFAULT", "QR", "DIVIDE_AND_CONQUER")])
        ],
        *[(linalg.eigh, {"implementation": i}) for i in (None, linalg.EighImplementation.QR)],
        *[(linalg.eig, {"implementation": i, "use_magma": False}) for i in (None, linalg.EigImplementation.LAPACK)],
        *[(linalg.qr, {"use_magma": m}) for m in (None, False)],
    ],
)
def test_lapacks_algorithms_are_what_there_is(function: Any, option: dict[str, Any]) -> None:
    for found, plain in zip(function(S, **option), function(S), strict=True):
        np.testing.assert_array_equal(found, plain)
    for found, plain in zip(jit(lambda x: function(x, **option))(S), jit(function)(S), strict=True):
        np.testing.assert_array_equal(found, plain)
