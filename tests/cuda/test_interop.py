"""A GPU's memory shared with other libraries. On the stand-in driver it is the host's, so NumPy can stand for the other library."""

import ctypes
import gc

import ml_dtypes
import numpy as np
import pytest

from jitgrad.errors import DriverError, DTypeError, ShapeError
from jitgrad_compiler.ir.types import BF16, DTYPES, F32, ArrayType, type_of
from jitgrad_compiler.runtime.cuda import devices
from jitgrad_compiler.runtime.cuda.bindings import NvidiaDriver
from jitgrad_compiler.runtime.cuda.dlpack_capsules import CODES
from jitgrad_compiler.runtime.cuda.interop import borrow, cuda_array_interface, dlpack, dlpack_device, is_on_gpu
from jitgrad_compiler.runtime.cuda.memory import from_host

from .nvidia import Cuda

pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
DEVICE_PLACE = {b"dltensor": 8, b"dltensor_versioned": 32 + 8}
"""Where a structure says what kind of device its memory is on."""


@pytest.fixture
def cuda():
    return Cuda()


@pytest.fixture
def device(cuda):
    devices.open_with(lambda number: NvidiaDriver(number, cuda), count=2)
    made = devices.device(0)
    cuda.calls.clear()
    yield made
    devices.open_with(None)


class OnTheHost:
    """Our capsule, said to be of the host's memory, which the stand-in's is."""

    def __init__(self, capsule):
        name = b"dltensor_versioned" if "versioned" in repr(capsule) else b"dltensor"
        ctypes.c_int32.from_address(pointer_of(capsule, name) + DEVICE_PLACE[name]).value = 1
        self.capsule = capsule

    def __dlpack__(self, **kwargs):
        return self.capsule

    def __dlpack_device__(self):
        return 1, 0


class OnTheDevice:
    """NumPy's array, said to be on the GPU."""

    def __init__(self, array, versioned=True):
        self.array, self.versioned, self.streams = array, versioned, []

    def __dlpack__(self, *, stream, **kwargs):
        if kwargs and not self.versioned:
            raise TypeError("max_version")
        self.streams.append(stream)
        return self.array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return 2, 0


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("dtype", [d for d in DTYPES.values() if d.numpy.kind in "biufc"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 2)])
def test_numpy_reads_what_a_capsule_says(device, dtype, shape, versioned):
    sent = np.arange(int(np.prod(shape)), dtype="f8").reshape(shape).astype(dtype.numpy)
    memory = from_host(device, sent)
    capsule = dlpack(memory, type_of(sent), max_version=(1, 0) if versioned else None)
    found = np.from_dlpack(OnTheHost(capsule))
    assert (found.dtype, found.shape) == (sent.dtype, shape)
    np.testing.assert_array_equal(found, sent)
    assert found.size == 0 or found.ctypes.data == memory.pointer
    assert not (versioned and found.size and found.flags.writeable)


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("version", [None, (1, 0)])
def test_memory_lives_until_the_other_library_lets_go_of_it(device, version, taken):
    memory = from_host(device, np.arange(100, dtype="f4"))
    capsule = dlpack(memory, ArrayType((100,), F32), max_version=version)
    used = device.memory.used()
    del memory
    assert device.memory.used() == used
    if taken:
        array = np.from_dlpack(OnTheHost(capsule))
        del capsule
        gc.collect()
        assert device.memory.used() == used and array[99] == 99
        del array
    else:
        del capsule
    gc.collect()
    assert device.memory.used() == 0


def test_the_readers_stream_waits_for_ours_and_the_block_for_the_reader(cuda, device):
    memory = from_host(device, np.ones(8, "f4"))
    cuda.calls.clear()
    capsule = dlpack(memory, ArrayType((8,), F32), stream=1)
    assert ("cuStreamWaitEvent", 1, 110, 0) in cuda.calls and ("cuEventRecord", 110, 80) in cuda.calls
    cuda.calls.clear()
    del memory, capsule
    assert ("cuEventRecord", 110, 1) in cuda.calls and ("cuStreamWaitEvent", 80, 110, 0) in cuda.calls
    assert "cuCtxSynchronize" not in cuda.names()


def test_behind_a_reader_on_a_stream_of_its_own_the_device_is_waited_for(cuda, device):
    for stream in (7, 2, -1):
        memory = from_host(device, np.ones(8, "f4"))
        capsule = dlpack(memory, ArrayType((8,), F32), stream=stream)
        cuda.calls.clear()
        del memory, capsule
        assert cuda.names() == ["cuCtxSynchronize"]


def test_a_capsule_on_request_has_a_copy_that_may_be_written(device):
    memory = from_host(device, np.ones(8, "f4"))
    found = np.from_dlpack(OnTheHost(dlpack(memory, ArrayType((8,), F32), max_version=(1, 0), copy=True)))
    assert found.flags.writeable and found.ctypes.data != memory.pointer
    found[:] = 2
    assert (memory.array(ArrayType((8,), F32)) == 1).all()


def test_types_without_a_name_in_numpy_have_codes(device):
    assert {str(t): CODES[t] for t in CODES if t.numpy.kind not in "biufc"} == {"bf16": (4, 16), "f8_e4m3": (10, 8)}
    memory = from_host(device, np.ones(8, ml_dtypes.bfloat16))
    assert "dltensor" in repr(dlpack(memory, ArrayType((8,), BF16)))
    with pytest.raises(AttributeError, match="from_dlpack"):
        cuda_array_interface(memory, ArrayType((8,), BF16))


def test_what_a_capsule_cannot_be_is_refused(device):
    memory, type = from_host(device, np.ones(8, "f4")), ArrayType((8,), F32)
    with pytest.raises(BufferError, match="move it there first"):
        dlpack(memory, type, dl_device=(1, 0))
    with pytest.raises(BufferError, match="stream 0 is ambiguous"):
        dlpack(memory, type, stream=0)
    assert dlpack_device(memory) == (2, 0)


def test_the_array_interface_has_address_type_and_stream(cuda, device):
    memory = from_host(device, np.ones((2, 4), "f4"))
    cuda.calls.clear()
    assert cuda_array_interface(memory, ArrayType((2, 4), F32)) == {
        "shape": (2, 4),
        "typestr": "<f4",
        "data": (memory.pointer, False),
        "strides": None,
        "stream": 80,
        "version": 3,
    }
    assert ("cuStreamWaitEvent", 1, 110, 0) in cuda.calls


@pytest.mark.parametrize("versioned", [False, True])
def test_another_librarys_memory_is_borrowed_where_it_lies(device, versioned):
    array = np.arange(12, dtype="f4").reshape(3, 4)
    x = OnTheDevice(array, versioned)
    memory, type = borrow(x)
    assert (memory.pointer, type, x.streams) == (array.ctypes.data, ArrayType((3, 4), F32), [80])
    np.testing.assert_array_equal(memory.array(type), array)
    np.testing.assert_array_equal(borrow(OnTheDevice(np.array(5.0), versioned))[0].array(ArrayType((), DTYPES["f64"])), 5)


class Owner(np.ndarray):
    """An array that tells when it is let go of."""

    alive = 0

    def __array_finalize__(self, base):
        Owner.alive += 1

    def __del__(self):
        Owner.alive -= 1


@pytest.mark.parametrize("protocol", ["dlpack", "interface"])
def test_what_was_borrowed_is_given_back_when_what_was_asked_has_run(cuda, device, protocol):
    Owner.alive = 0
    array = np.ones(4, "f4").view(Owner)
    if protocol == "dlpack":
        x = OnTheDevice(array)
    else:
        cuda.gives["cuPointerGetAttribute"] = 0
        x = type("Other", (), {})()
        x.array = array
        x.__cuda_array_interface__ = {
            "shape": (4,),
            "typestr": "<f4",
            "data": (array.ctypes.data, False),
            "version": 3,
            "stream": 9,
        }
    memory, _ = borrow(x)
    if protocol == "interface":
        assert ("cuEventRecord", 110, 9) in cuda.calls and ("cuStreamWaitEvent", 80, 110, 0) in cuda.calls
    del array, x
    gc.collect()
    assert Owner.alive
    cuda.answers["cuEventQuery"] = 600
    del memory
    gc.collect()
    assert Owner.alive
    device.driver.synchronize()
    gc.collect()
    assert not Owner.alive


def test_what_cannot_be_borrowed_is_refused_with_what_to_do(device):
    with pytest.raises(ShapeError, match="contiguous"):
        borrow(OnTheDevice(np.ones((3, 4), "f4").T))
    with pytest.raises(DriverError, match="on a device of kind 1"):
        borrow(np.ones(3))
    other = type(
        "Other", (), {"__cuda_array_interface__": {"shape": (2,), "typestr": "<M8[s]", "data": (0, False), "version": 3}}
    )()
    with pytest.raises(DTypeError, match="no type <M8"):
        borrow(other)
    assert is_on_gpu(other) and is_on_gpu(OnTheDevice(np.ones(1))) and not is_on_gpu(np.ones(1)) and not is_on_gpu(3)
