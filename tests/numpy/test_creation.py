"""Making arrays, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError, DTypeError, NumberRangeError
from jitgrad.numpy import creation

CASES = [
    "array([[1, 2], [3, 4]])",
    "array([1.5, 2])",
    "array([True, 2])",
    "array([x, y])",
    "array([[v, v], [v, v]])",
    "array([v[0], 2.0])",
    "array(3)",
    "array([])",
    "array(x, dtype=float32)",
    "array(x, ndmin=4)",
    "array((1, 2, 3))",
    "asarray(x)",
    "zeros((2, 3), dtype=int)",
    "ones(3)",
    "zeros(())",
    "full((2, 3), 1.5)",
    "full((2, 4), v)",
    "full(3, True)",
    "zeros_like(x)",
    "ones_like(i)",
    "full_like(x, 2)",
    "full_like(i, 2.7)",
    "zeros_like(x, shape=(2,))",
    "empty_like(x, dtype=int) :: zeros((3, 4), int)",
    "arange(5)",
    "arange(2, 9, 3)",
    "arange(9, 2, -2)",
    "arange(0.0, 1.0, 0.25)",
    "arange(5.0)",
    "arange(3, dtype=float32)",
    "arange(5, 2)",
    "linspace(0, 1, 5)",
    "linspace(1.0, 5.0, 4, endpoint=False)",
    "linspace(v, v + 1, 3)",
    "linspace(v, 2.0, 3, axis=1)",
    "linspace(0, 10, 4, dtype=int)",
    "linspace(0, 1, 1)",
    "linspace(2, 3, 0)",
    "linspace(0.0, 1.0, 5, retstep=True)",
    "logspace(0, 2, 5)",
    "logspace(0, 2, 5, base=2)",
    "geomspace(1, 100, 5)",
    "geomspace(1, 100, 1)",
    "geomspace(-1.0, -8.0, 4)",
    "meshgrid(v, w)",
    'meshgrid(v, w, indexing="ij")',
    "meshgrid(v, w, sparse=True)",
    "meshgrid(v, w, v[:2])",
    "indices((2, 3))",
    "indices((2, 3), sparse=True)",
    "fromfunction(lambda a, b: a + b, (3, 4), dtype=int)",
    "linspace(0, 37, 38, dtype=int)",
    "linspace(-5, 5, 8, dtype=int)",
    "linspace(7.3, -7.3, 9, dtype=int)",
    "linspace(0.0, 97.0, 98)",
    "linspace(array([0, 3]), 10, 4, dtype=int)",
    "linspace(0, 1, 1, endpoint=False)",
]


@pytest.mark.parametrize("case", CASES)
def test_creation_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ((2**63, 2**63 + 3, None, "uint64"), np.arange(2**63, 2**63 + 3, dtype=np.uint64)),
        ((np.uint64(2**63), np.uint64(2**63 + 3)), np.arange(2**63, 2**63 + 3, dtype=np.uint64)),
        ((2**63 - 3, 2**63 - 1), np.arange(2**63 - 3, 2**63 - 1)),
        ((-(2**63), 2**63 - 1, 2**62), -(2**63) + 2**62 * np.arange(4)),
        ((0, -9007199254740994, -9007199254740993, "int64"), np.array([0, -9007199254740993])),
        ((0, 1, np.inf), np.zeros(1)),
        ((0, 1, -np.inf), np.zeros(0)),
        ((0.0, 1.0, 0.1, "float64"), np.arange(0.0, 1.0, 0.1)),
    ],
)
def test_arange_counts_exactly_to_the_ends_of_the_types(bounds: tuple[Any, ...], wanted: np.ndarray) -> None:
    for got in (jnp.arange(*bounds), jitgrad.jit(lambda: jnp.arange(*bounds))()):
        np.testing.assert_array_equal(got, wanted)
    assert jnp.arange(*bounds).dtype.kind == wanted.dtype.kind


def test_arange_without_an_end_is_refused() -> None:
    for bounds in ((0, np.inf), (0.0, np.nan), (0, 1, np.nan)):
        with pytest.raises(ArgumentError, match="number of steps"):
            jnp.arange(*bounds)


def test_linspace_counts_whole_numbers_whole() -> None:
    for n in range(1, 300):
        np.testing.assert_array_equal(jnp.linspace(0, n, n + 1, dtype="int32"), np.arange(n + 1))
        np.testing.assert_array_equal(jnp.linspace(0.0, n, n + 1, dtype="float64"), np.arange(n + 1))
    np.testing.assert_array_equal(jnp.linspace(-(2**62), 2**62, 5, dtype="int64"), np.arange(-2, 3) * 2**61)
    np.testing.assert_array_equal(jnp.linspace(-1e308, 1e308, 3, dtype="float64"), [-1e308, 0.0, 1e308])


def test_the_step_of_no_steps_is_nan() -> None:
    points, step = jnp.linspace(jnp.zeros(2), jnp.ones(2), 0, retstep=True)
    assert points.shape == (0, 2) and step.shape == () and np.isnan(step)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint64", "int64"])
@pytest.mark.parametrize(
    "bounds", [(90, 300, 30), (90.0, 300.0, 30.0), (5, -50, -5), (0.7, 9, 1.4), (2.5, 6), (0, 1, 0.3), (7, 8, 1)]
)
def test_arange_of_an_integer_type_takes_whole_steps_and_wraps_as_in_numpy(bounds: tuple[Any, ...], dtype: str) -> None:
    if dtype[0] == "u" and bounds[0] == 5:
        bounds = (5, -50, -3)
    for got in (jnp.arange(*bounds, dtype=dtype), jitgrad.jit(lambda: jnp.arange(*bounds, dtype=dtype))()):
        np.testing.assert_array_equal(got, np.arange(*bounds, dtype=dtype))
        assert got.dtype == dtype


def test_arange_refuses_numbers_that_the_type_does_not_hold() -> None:
    bounds: tuple[Any, ...]
    for dtype, bounds in (
        ("uint8", (-3, 3)), ("uint8", (-3.0, 3.0)), ("uint8", (256, 259)), ("int8", (0, 1e3, 300)), ("uint32", (-1, -4, -1)),
        ("int32", (0, 2**40, 2**39)), ("int64", (1.5, 1e20, 4e19)), (None, (np.uint8(250), 260)), (None, (np.uint8(5), -1, -1)),
    ):  # fmt: skip
        for make in (jnp.arange, lambda *bounds, dtype: jitgrad.jit(lambda: jnp.arange(*bounds, dtype=dtype))()):
            with pytest.raises(NumberRangeError, match=r"arange: -?\d+ does not fit in u?int\d+, which goes from"):
                make(*bounds, dtype=dtype)
    with pytest.raises(DTypeError, match="bool has two numbers, and 3"):
        jnp.arange(3, dtype=bool)
    np.testing.assert_array_equal(jnp.arange(2, dtype=bool), [False, True])
    assert jnp.arange(True).dtype == np.int64
    assert jnp.arange(2**64, 2**64 + 9000, 4096, dtype="float64").tolist() == [2.0**64, 2.0**64 + 4096, 2.0**64 + 8192]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32", "int32", "int64", "uint64"])
@pytest.mark.parametrize("bounds", [(-300, 70000, 5), (-300.0, 70000.0, 5), (-3e10, 3e10, 4), (-(2**62), 2**62, 3)])
@pytest.mark.parametrize("function", [jnp.linspace, lambda low, high, n, dtype: jnp.linspace(high, low, n, dtype=dtype)[::-1]])
def test_linspace_to_integers_holds_numbers_to_the_ends_of_the_type(function: Any, bounds: tuple[Any, ...], dtype: str) -> None:
    info = np.iinfo(dtype)
    wanted = [int(max(min(np.floor(v), info.max), info.min)) for v in np.linspace(*bounds)]
    for got in (function(*bounds, dtype=dtype), jitgrad.jit(lambda: function(*bounds, dtype=dtype))()):
        assert [int(v) for v in got] == wanted


def test_linspace_to_integers_and_bools_goes_through_float64() -> None:
    np.testing.assert_array_equal(jnp.linspace(0.0, 2.0**31 - 2, 3, dtype="int32"), [0, 2**30 - 1, 2**31 - 2])
    np.testing.assert_array_equal(jnp.linspace(0, 1, 3, dtype=bool), [False, True, True])


@pytest.mark.parametrize("make", [jnp.array, jnp.asarray, lambda data, dtype: jitgrad.jit(lambda: jnp.array(data, dtype))()])
@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([300.0], "uint8"),
        (300.0, "uint8"),
        ([1.5, -1.0], "uint8"),
        ([[1.0, np.inf]], "int8"),
        (np.nan, "int32"),
        ([1e30, 1], "int64"),
    ],
)
def test_floats_that_an_integer_type_does_not_hold_are_refused(make: Any, data: Any, dtype: str) -> None:
    with pytest.raises(NumberRangeError, match=r"does not fit in u?int|is no number that int"):
        make(data, dtype)
    np.testing.assert_array_equal(make([255.9, -0.9], "uint8"), [255, 0])


PLAIN = [
    1.5, -0.0, True, 3, 1j, [1.0, 2.0], [1, 2], [True, False], [1, 2.5], [[1, 2], [3, 4]], [[True, 1.0]], [1j, 2], [], [[]],
    [[1], [2, 3]], [1e300], [2**70], [2**63], [2**53 + 1], 2**24 + 1, [float("nan"), float("inf")], [300, -1], (1, 2), [(1, 2)],
    [None], "a", [2**70, 1.0], np.array([1.0, 2.0]), np.array([[1, 2], [3, 4]], np.int32).T, np.array([1.0, 2.0], ">f4"),
    np.float64(2.5), np.array(3), np.ma.masked_array([1.0], [True]), np.array(["a"]), [np.float32(1)], np.zeros((0, 2)),
]  # fmt: skip
TYPES = [None, "float32", np.float64, int, "int32", "uint8", bool, "complex64", complex, "bfloat16", "bad"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("make", [jnp.array, jnp.asarray])
def test_plain_data_become_what_other_data_do(make, dtype, monkeypatch):
    """Each as an array by NumPy alone, and with a look at everything."""

    def outcome(data):
        try:
            made = make(data, dtype)
        except Exception as error:
            return type(error), str(error)
        return made.dtype, made.weak_type, made.shape, np.asarray(made).tobytes()

    for data in [*PLAIN, *[jnp.array(x) for x in (1.5, [1, 2], [[1.0, 2.0]])]]:
        variants = [data, [jnp.array(data), jnp.array(data)]] if isinstance(data, float) else [data]
        for given in variants:
            found = outcome(given)
            with monkeypatch.context() as m:
                m.setattr(creation, "of_plain", lambda *_: None)
                assert found == outcome(given), (given, dtype)


def test_plain_data_follow_the_settings():
    with jitgrad.enable_x64(False):
        assert jnp.array([1, 2]).dtype == np.int32 and jnp.asarray(np.array([1.0])).dtype == np.float32
    jitgrad.config.update("default_float", "float64")
    try:
        assert jnp.array([1.0]).dtype == np.float64 and jnp.array([1j]).dtype == np.complex128
    finally:
        jitgrad.config.update("default_float", "float32")
    source = np.array([1.0, 2.0])
    made = jnp.asarray(source)
    source[0] = 5.0
    assert made.tolist() == [1.0, 2.0]
