"""What the Array API standard 2024.12 asks for besides elementwise functions, whose special cases have a file of their own."""

from __future__ import annotations

import array as buffers

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

NAMES = """
e inf nan newaxis pi arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like
tril triu zeros zeros_like astype can_cast finfo iinfo isdtype result_type bool int8 int16 int32 int64 uint8 uint16
uint32 uint64 float32 float64 complex64 complex128 abs acos acosh add asin asinh atan atan2 atanh bitwise_and
bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide
equal exp expm1 floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p log2
log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter not_equal
positive pow real reciprocal remainder round sign signbit sin sinh square sqrt subtract tan tanh trunc take
take_along_axis __array_namespace_info__ __array_api_version__ matmul matrix_transpose tensordot vecdot broadcast_arrays
broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack argmax argmin
count_nonzero nonzero searchsorted where unique_all unique_counts unique_inverse unique_values argsort sort
cumulative_prod cumulative_sum max mean min prod std sum var all any diff broadcast_shapes isin
""".split()
METHODS = """
__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__ __eq__ __float__
__floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__
__ne__ __neg__ __or__ __pos__ __pow__ __radd__ __rfloordiv__ __rlshift__ __rmatmul__ __rpow__ __rshift__ __sub__
__truediv__ __xor__ to_device dtype device mT ndim shape size T
""".split()


def test_every_name_of_the_standard_is_there():
    assert [n for n in NAMES if not hasattr(jnp, n)] == []
    assert [n for n in METHODS if not hasattr(jnp.ones((1, 1)), n)] == []
    assert jnp.__array_api_version__ == "2024.12"


def test_arrays_name_their_namespace():
    x = jnp.ones(1)
    for version in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        assert x.__array_namespace__(api_version=version) is jnp
    with pytest.raises(errors.ArgumentError, match="api_version must be one of"):
        x.__array_namespace__(api_version="2019.12")


def test_the_namespace_tells_of_itself():
    info = jnp.__array_namespace_info__()
    assert info.capabilities() == {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}
    assert info.default_device() == info.devices()[0] == jnp.ones(1).device
    assert info.default_dtypes(device="cpu") == {
        "real floating": jnp.zeros(1).dtype, "complex floating": np.complex64, "integral": jnp.arange(1).dtype,
        "indexing": jnp.argmax(jnp.ones(1)).dtype,
    }  # fmt: skip
    assert len(info.dtypes()) == 13 and info.dtypes()["float64"] == jnp.float64
    assert set(info.dtypes(kind="signed integer")) == {"int8", "int16", "int32", "int64"}
    assert set(info.dtypes(kind=("bool", "real floating"))) == {"bool", "float32", "float64"}
    assert set(info.dtypes(kind="numeric")) | {"bool"} == set(info.dtypes())
    for dtype in info.dtypes(kind="integral").values():
        assert jnp.isdtype(dtype, "integral")
    with pytest.raises(errors.ArgumentError, match="kinds of element types"):
        info.dtypes(kind="floats")
    with jitgrad.enable_x64(False):
        assert "float64" not in info.dtypes() and info.default_dtypes()["integral"] == np.int32


def test_unique_functions_name_their_results():
    x = jnp.array([[3, 1], [3, 2]])
    everything = jnp.unique_all(x)
    assert everything.values.tolist() == jnp.unique_values(x).tolist() == [1, 2, 3]
    assert everything.counts.tolist() == jnp.unique_counts(x).counts.tolist() == [1, 1, 2]
    assert everything.inverse_indices.tolist() == jnp.unique_inverse(x).inverse_indices.tolist() == [[2, 0], [2, 1]]
    assert jnp.unique_inverse(x).values[everything.inverse_indices].tolist() == x.tolist()
    assert x.reshape(-1)[everything.indices].tolist() == [1, 2, 3]
    nan = jnp.unique_counts(jnp.array([np.nan, 1.0, np.nan]))
    assert nan.counts.tolist() == [1, 1, 1]  # each NaN is a value of its own
    assert jitgrad.jit(lambda x: jnp.unique_counts(x, size=4, fill_value=9))(x).counts.tolist() == [1, 1, 2, 0]


@pytest.mark.parametrize(
    "index",
    [True, False, np.True_, np.array(False), (True, 0), (0, True), (slice(1), True), (None, True, ...), (True, False), (..., True)],
    ids=str,
)
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 0)], ids=str)
def test_bool_scalars_are_indices_as_in_numpy(shape, index):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    try:
        wanted = x[index]
    except IndexError:
        return
    ours = tuple(jnp.array(i) if isinstance(i, np.ndarray) else i for i in index) if isinstance(index, tuple) else index
    for given in (ours, jnp.array(index) if isinstance(index, np.ndarray) else ours):
        got = jnp.array(x)[given]
        assert got.shape == wanted.shape and got.tolist() == wanted.tolist()
        assert jitgrad.jit(lambda x: x[given])(x).shape == wanted.shape  # noqa: B023


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 3), ()], ids=str)
def test_masks_without_true_elements_select_nothing(shape):
    x = np.zeros(shape)
    for mask in [np.zeros(shape[:k], bool) for k in range(len(shape) + 1)]:
        got = jnp.array(x)[jnp.array(mask)]
        assert got.shape == x[mask].shape
        changed = jnp.array(x).at[jnp.array(mask)].set(1.0)
        assert changed.tolist() == x.tolist()


def test_functions_that_need_an_order_refuse_complex_numbers():
    z = jnp.array([1 + 2j, 3 - 1j])
    for f in (jnp.max, jnp.min, jnp.argmax, jnp.argmin, jnp.floor, jnp.ceil, jnp.trunc, jnp.signbit):
        with pytest.raises(errors.DTypeError, match=f.__name__):
            f(z)
    for f in (
        jnp.maximum,
        jnp.minimum,
        jnp.less,
        jnp.greater_equal,
        jnp.remainder,
        jnp.floor_divide,
        jnp.atan2,
        jnp.hypot,
        jnp.copysign,
    ):
        with pytest.raises(errors.DTypeError):
            f(z, z)


@pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
def test_statistics_of_nothing_and_of_nan(run):
    nothing = jnp.zeros((0,))
    assert run(jnp.sum)(nothing) == 0 and run(jnp.prod)(nothing) == 1
    assert run(jnp.all)(nothing) and not run(jnp.any)(nothing)
    assert np.isnan(run(jnp.mean)(nothing)) and np.isnan(run(jnp.var)(nothing)) and np.isnan(run(jnp.std)(nothing))
    assert run(lambda x: jnp.sum(x, axis=1))(jnp.zeros((2, 0))).tolist() == [0, 0]
    some = jnp.array([1.0, np.nan])
    for f in (jnp.max, jnp.min, jnp.mean, jnp.prod, jnp.std, jnp.sum, jnp.var):
        assert np.isnan(run(f)(some))
    assert np.isnan(run(lambda x: jnp.var(x, correction=2))(jnp.ones(2)))
    for f in (jnp.max, jnp.min):
        with pytest.raises(errors.ShapeError, match="empty"):
            run(f)(nothing)
    assert run(jnp.any)(some) and run(jnp.all)(some)  # NaN is true


def test_sums_of_narrow_types_are_wide_enough():
    for dtype, wide in (("int8", "int64"), ("uint8", "uint64"), ("int32", "int64"), ("bool", "int64"), ("float32", "float32")):
        for f in (jnp.sum, jnp.prod, lambda x: jnp.cumulative_sum(x), lambda x: jnp.cumulative_prod(x)):
            assert f(jnp.ones(2, dtype)).dtype == wide
    assert jnp.cumulative_sum(jnp.ones((2, 2)), axis=1, include_initial=True).tolist() == [[0, 1, 2], [0, 1, 2]]
    with pytest.raises(errors.ArgumentError, match="axis is needed"):
        jnp.cumulative_sum(jnp.ones((2, 2)))


def test_python_numbers_stand_beside_arrays():
    for f in (
        jnp.add,
        jnp.multiply,
        jnp.maximum,
        jnp.hypot,
        jnp.atan2,
        jnp.pow,
        jnp.less,
        jnp.copysign,
        jnp.nextafter,
        jnp.logaddexp,
    ):
        x = jnp.array([1.5, 2.5], "float64")
        assert f(x, 2).tolist() == f(x, jnp.full_like(x, 2)).tolist()
        assert f(2, x).dtype == f(jnp.full_like(x, 2), x).dtype
    assert jnp.where(jnp.array([True, False]), 1.0, jnp.zeros(2, "float64")).dtype == "float64"
    assert jnp.clip(jnp.array([1, 5], "int8"), 2, None).dtype == "int8"
    with pytest.raises(errors.NumberRangeError):
        jnp.array([1], "uint8") + (-1)


def test_shapes_that_depend_on_data_take_a_size_in_programs():
    x = jnp.array([0, 3, 0, 5])
    functions = {
        "nonzero": lambda x, **k: jnp.nonzero(x, **k)[0], "flatnonzero": jnp.flatnonzero,
        "argwhere": jnp.argwhere, "unique_values": jnp.unique_values, "where": lambda x, **k: jnp.where(x, **k)[0],
        "compress": lambda x, **k: jnp.compress(x > 0, x, **k), "extract": lambda x, **k: jnp.extract(x > 0, x, **k),
    }  # fmt: skip
    for name, f in functions.items():
        plain = f(x)
        sized = jitgrad.jit(lambda x: f(x, size=3, fill_value=7))(x)  # noqa: B023
        assert sized.shape[0] == 3 and sized[: plain.shape[0]].tolist() == plain.tolist(), name
        if plain.shape[0] < 3:
            assert np.all(np.asarray(sized[plain.shape[0] :]) == 7), name
        with pytest.raises(errors.ConcretizationTypeError):
            jitgrad.jit(f)(x)
    assert jitgrad.jit(lambda n: jnp.repeat(x, n, total_repeat_length=5))(jnp.array([1, 2, 0, 1])).tolist() == [0, 3, 3, 5, 5]


def test_dlpack_says_where_arrays_are_and_what_cannot_be():
    x = jnp.arange(6.0).reshape(2, 3)
    assert x.__dlpack_device__() == (1, 0)
    for options in ({}, {"stream": None}, {"max_version": (1, 0)}, {"dl_device": (1, 0)}, {"copy": True}, {"copy": None}):
        x.__dlpack__(**options)
    for options in ({"copy": False}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            x.__dlpack__(**options)
    assert jnp.from_dlpack(x, device="cpu", copy=True).tolist() == x.tolist()
    with pytest.raises(BufferError):
        jnp.from_dlpack(np.ones(2), copy=False)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)], ids=str)
def test_arrays_go_to_numpy_and_back(dtype, shape):
    x = np.ones(shape, dtype)
    ours = jnp.from_dlpack(x)
    assert ours.dtype == dtype and ours.shape == shape
    theirs = np.from_dlpack(ours)
    assert theirs.dtype == dtype and theirs.shape == shape and (theirs == x).all()
    assert np.asarray(ours).dtype == dtype


def test_buffers_become_arrays():
    for buffer in (memoryview(b"ab"), bytearray(b"ab"), buffers.array("B", b"ab")):
        made = jnp.asarray(buffer)
        assert made.tolist() == [97, 98] and made.dtype == "uint8"
    assert jnp.asarray(buffers.array("d", [1.5]), dtype="float32").tolist() == [1.5]
    owner = bytearray(b"ab")
    made = jnp.asarray(owner)
    owner[0] = 0
    assert made.tolist() == [97, 98]
    view = jnp.arange(3).__buffer__(0)
    assert view.readonly and view.tolist() == [0, 1, 2]
