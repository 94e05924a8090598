"""Arrays on a GPU and those of other libraries, on a stand-in whose memory NumPy can read."""

import ctypes
import gc

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.runtime.cuda import devices

from .standin import StandIn
from .test_interop import OnTheDevice, OnTheHost


@pytest.fixture
def driver():
    made = StandIn()
    made.stream = 80
    devices.open_with(lambda number: made)
    yield made
    devices.open_with(None)


def test_an_array_on_a_gpu_is_lent_without_a_copy(driver):
    x = jitgrad.device_put(np.arange(6, dtype="f4"), "cuda")
    assert x.__dlpack_device__() == (2, 0)
    found = np.from_dlpack(OnTheHost(x.__dlpack__(stream=1, max_version=(1, 0))))
    assert found.ctypes.data == x.ref.pointer and not found.flags.writeable
    np.testing.assert_array_equal(found, np.arange(6))
    interface = x.__cuda_array_interface__
    assert (interface["data"], interface["shape"], interface["stream"]) == ((x.ref.pointer, False), (6,), 80)


def test_an_array_on_a_gpu_is_copied_to_the_host_on_request(driver):
    x = jitgrad.device_put(np.arange(6, dtype="f4"), "cuda")
    np.testing.assert_array_equal(np.from_dlpack(x, device="cpu"), np.arange(6))


def test_an_array_on_the_processor_has_no_address_on_a_gpu():
    x = jnp.ones(3)
    assert not hasattr(x, "__cuda_array_interface__") and x.__dlpack_device__() == (1, 0)


def _on_device(driver, values):
    """Memory of another library's on the device: a NumPy array of what the stand-in has allocated."""
    address = driver.allocate(values.nbytes)
    there = np.frombuffer((ctypes.c_char * values.nbytes).from_address(address), values.dtype).reshape(values.shape)
    there[...] = values
    return there


@pytest.mark.parametrize("copy", [None, True])
def test_another_librarys_array_becomes_an_array_on_the_gpu(driver, copy):
    there = _on_device(driver, np.arange(12, dtype="f4").reshape(3, 4))
    x = jnp.from_dlpack(OnTheDevice(there), copy=copy)
    assert str(x.device) == "cuda:0" and (x.ref.pointer == there.ctypes.data) == (copy is None)
    y = jitgrad.jit(lambda x: jnp.sin(x).sum(0))(x) + x[0]
    assert str(y.device) == "cuda:0"
    np.testing.assert_allclose(y, np.sin(there).sum(0) + there[0], rtol=1e-6)


@pytest.mark.parametrize("first", [1, 2, 4])
def test_what_does_not_begin_at_a_multiple_of_16_bytes_is_copied(driver, first):
    there = _on_device(driver, np.arange(40_004, dtype="f4"))[first : 40_000 + first]
    x = jnp.from_dlpack(OnTheDevice(there))
    assert (x.ref.pointer == there.ctypes.data) == (first == 4) and x.ref.pointer % 16 == 0
    np.testing.assert_array_equal(jitgrad.jit(lambda x: x + 1)(x), there + 1)
    np.testing.assert_array_equal(x * 2, there * 2)
    if first < 4:
        with pytest.raises(BufferError, match="multiples of 16"):
            jnp.from_dlpack(OnTheDevice(there), copy=False)


def test_another_librarys_memory_is_never_donated(driver):
    there = _on_device(driver, np.arange(20_000, dtype="f4"))
    x = jnp.from_dlpack(OnTheDevice(there))
    y = jitgrad.jit(lambda x: x + 1, donate_argnums=0)(x)
    np.testing.assert_array_equal(y, np.arange(1, 20_001))
    np.testing.assert_array_equal(there, np.arange(20_000))
    with pytest.raises(jitgrad.errors.DonatedBufferError):
        x + 1


def test_functions_take_another_librarys_array_by_its_interface(driver):
    class Other:
        def __init__(self, array):
            interface = {"shape": array.shape, "typestr": "<f4", "data": (array.ctypes.data, False), "version": 3, "stream": 1}
            self.array, self.__cuda_array_interface__ = array, interface

    there = _on_device(driver, np.arange(5, dtype="f4"))
    x = jnp.asarray(Other(there))
    there[:] = 0  # an Array never changes
    np.testing.assert_array_equal(x, np.arange(5))
    np.testing.assert_array_equal(jnp.exp2(Other(_on_device(driver, np.arange(3, dtype="f4")))), [1, 2, 4])


def test_a_copy_lies_on_the_same_device(driver):
    x = jitgrad.device_put(np.arange(6, dtype="f4"), "cuda")
    y = x.copy()
    assert y.device == x.device and y.ref.pointer != x.ref.pointer
    del x
    gc.collect()
    np.testing.assert_array_equal(y, np.arange(6))
