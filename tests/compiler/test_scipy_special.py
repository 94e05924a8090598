"""References of SciPy's functions, and the numbers that they are wrong for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import jitgrad_compiler  # noqa: F401
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.ops.scipy_special import FEW, mended, of_float64

MANY = FEW + 1
HARD = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-310,
    -1e-310,
    1e16,
    1e300,
    0.3725,
    1.0,
    1.0005,
    2.0,
    -1.0,
    -1.0001,
    0.5,
    -2.5,
    30.5,
    150.0,
]
UNARY = (
    "lgamma", "gamma", "digamma", "i0", "i1", "i0e", "i1e", "exp1", "expi", "sine_integral", "cosine_integral", "fresnel_sine",
    "fresnel_cosine", "spence", "erfcx", "dawsn",
)  # fmt: skip
BINARY = "zeta", "gammainc", "gammaincc", "gammaincinv", "owens_t", "wofz_real", "xlogy"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_one_number_has_the_value_that_it_has_among_many(name: str, dtype: type) -> None:
    op = OPS[name]
    columns = zip(*itertools.product(HARD, repeat=op.traits.arity), strict=True)
    with np.errstate(all="ignore"):
        operands = [np.array(column, dtype) for column in columns]
        many = op.numpy(*operands)
        ones = [op.numpy(*[x[i : i + 1] for x in operands]) for i in range(len(many))]
    assert many.dtype == dtype
    assert all(one.dtype == dtype and one.shape == (1,) for one in ones)
    np.testing.assert_array_equal(np.concatenate(ones), many)
    np.testing.assert_array_equal(np.signbit(np.concatenate(ones)), np.signbit(many))


@pytest.mark.parametrize("name", UNARY)
def test_the_ends_of_the_numbers_have_the_scalar_functions_values(name: str) -> None:
    ends = [v for v in HARD if v == 0 or not np.isfinite(v)]
    with np.errstate(all="ignore"):
        got = OPS[name].numpy(np.array(ends))
    wanted = np.array([OPS[name].traits.scalar(v) for v in ends])
    np.testing.assert_allclose(got, wanted, rtol=4e-16)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(wanted)[numbers])


halved = mended(lambda x, y: (x + y) / 2, lambda x, y: 100.0, lambda x, y: (x > 0) & (y > 0))


@pytest.mark.parametrize("count", [1, 2, FEW, MANY])
def test_numbers_that_a_function_is_wrong_for_are_done_one_by_one(count: int) -> None:
    x, y = np.full(count, 1, np.float32), np.full(count, 3, np.float32)
    np.testing.assert_array_equal(halved(x, y), np.full(count, 2, np.float32))
    x[-1] = -1
    got = halved(x, y)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [*[2] * (count - 1), 100])
    y[-1] = np.nan
    np.testing.assert_array_equal(halved(x, y), got)


def test_scalars_are_beside_every_number_of_an_array() -> None:
    x = np.array([1, 2, 3], np.float32)
    for two in (np.float32(2), np.array(2, np.float32)):
        np.testing.assert_array_equal(halved(x, two), [1.5, 2, 2.5])
        np.testing.assert_array_equal(halved(x, -two), [100, 100, 100])
        np.testing.assert_array_equal(halved(two, x), [1.5, 2, 2.5])


def test_arrays_of_every_rank_keep_their_shape() -> None:
    gammaln = OPS["lgamma"].numpy
    for shape in ((), (0,), (2, 3), (1, 1), (5, 5)):
        got = np.asarray(gammaln(np.full(shape, 3.0, np.float32)))
        assert got.shape == shape and got.dtype == np.float32
        np.testing.assert_array_equal(got, np.full(shape, np.log(2.0), np.float32))


def test_what_is_computed_in_float64_is_rounded_once() -> None:
    x, y = np.array([0.3, 0.7], np.float32), np.array([1.7, 1e-3], np.float32)
    xlogy = of_float64("xlogy")
    wide = (x.astype(np.float64) * np.log(y.astype(np.float64))).astype(np.float32)
    np.testing.assert_array_equal(xlogy(x, y), wide)
    np.testing.assert_array_equal(xlogy(x, y[0]), (x.astype(np.float64) * np.log(np.float64(y[0]))).astype(np.float32))


def test_a_number_stands_for_every_element_of_the_array_behind_it() -> None:
    x = np.array([0.5, 2.0, 0.0, np.nan, 40.0], np.float32)
    with np.errstate(all="ignore"):
        for name, n in (("expn", 2), ("polygamma", 1), ("bessel_j", 3), ("expn", -1), ("gammainc", np.inf)):
            for order in (np.float32(n), np.array(n, np.float32)):
                found = OPS[name].numpy(order, x)
                np.testing.assert_array_equal(found, OPS[name].numpy(np.full(5, n, np.float32), x))
                assert found.dtype == np.float32
