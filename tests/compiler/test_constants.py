"""Numbers known while code is written: NaN, infinities and signed zeros as constants give what they give as arrays."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import jit, lax, nn
from jitgrad_compiler.ir import OPS
from jitgrad_compiler.ir.builder import bind, literal
from jitgrad_compiler.ir.types import F32

NAN = np.float32(np.nan)
X = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.5, -3.5, 1e-40, 3e38, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], np.float32)
CONSTANTS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0, 0.5)


def assert_same_numbers(found, wanted, signs=True):
    np.testing.assert_array_equal(found, wanted)
    if signs:
        number = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found)[number], np.signbit(wanted)[number])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "rem", "max", "min"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_constant_operand_gives_what_an_array_of_it_gives(name, side):
    def with_constants(x):
        numbers = [literal(c, F32) for c in CONSTANTS]
        return [bind(OPS[name], *((x, c) if side == 0 else (c, x))) for c in numbers]

    for found, constant in zip(jit(with_constants)(X), CONSTANTS, strict=True):
        full = np.full_like(X, constant)
        with np.errstate(all="ignore"):
            wanted = OPS[name].numpy(*((X, full) if side == 0 else (full, X)))
        assert_same_numbers(np.asarray(found), wanted, signs=name not in ("max", "min"))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jnp.maximum(x, NAN),
        lambda x: jnp.minimum(NAN, x),
        lambda x: jnp.clip(x, NAN, 5.0),
        lambda x: jnp.clip(x, 0.0, NAN),
        lambda x: lax.clamp(NAN, x, np.float32(1)),
        lambda x: jnp.maximum(x.astype("float64"), np.nan),
        lambda x: nn.relu(jnp.minimum(x, NAN)),
        lambda x: lax.fori_loop(0, 3, lambda i, c: jnp.minimum(c, NAN), x),
        lambda x: jnp.full(3, jnp.max(x, initial=NAN)),
    ],
)
def test_a_nan_constant_wins(f):
    assert np.isnan(jit(f)(X[3:])).all()


def test_fmax_and_fmin_pass_over_a_nan_constant():
    np.testing.assert_array_equal(jit(lambda x: jnp.fmax(x, NAN))(X), X)
    np.testing.assert_array_equal(jit(lambda x: jnp.fmin(NAN, x))(X), X)


def test_identities_of_algebra_hold_where_they_are_exact_alone():
    found = jit(lambda x: (x + 0.0, x - 0.0, x + -0.0, 0.0 - x, x * 0.0, x - x, 0.0 / x, x / 1.0, x * -1.0, x**0, x / 4.0))(X)
    with np.errstate(all="ignore"):
        wanted = (X + 0, X - 0, X + np.float32(-0.0), 0 - X, X * 0, X - X, 0 / X, X / 1, X * -1, X**0, X / 4)
    for a, b in zip(found, wanted, strict=True):
        assert_same_numbers(np.asarray(a), b)
