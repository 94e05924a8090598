"""Blocks of a GPU's memory that are used again, what an array holds of them, and the devices by number, on a stand-in driver."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from jitgrad.errors import DriverError, OutOfDeviceMemory
from jitgrad_compiler.ir.types import F32, ArrayType
from jitgrad_compiler.runtime.cuda import devices
from jitgrad_compiler.runtime.cuda.bindings import NvidiaDriver
from jitgrad_compiler.runtime.cuda.memory import empty, from_host, to_device

from .nvidia import Cuda


@pytest.fixture
def cuda():
    return Cuda()


@pytest.fixture
def device(cuda):
    devices.open_with(lambda number: NvidiaDriver(number, cuda), count=2)
    yield devices.device(0)
    devices.open_with(None)


def test_a_block_is_used_again_as_soon_as_it_is_let_go_of(cuda, device):
    first = empty(device, 1000)
    pointer = first.pointer
    del first
    again = empty(device, 1001)  # the same class of sizes
    assert again.pointer == pointer and cuda.names().count("cuMemAllocFromPoolAsync") == 1
    assert empty(device, 1000).pointer != pointer


def test_what_is_given_out_is_the_drivers_less_what_is_free(cuda, device):
    pool = device.memory
    held = [empty(device, n) for n in (0, 100, 10_000, 1 << 20)]
    used = pool.used()
    assert used == pool.taken >= 10_100 + (1 << 20) and pool.held == 0
    del held
    assert (pool.used(), pool.held) == (0, used)
    pool.shrink(0)
    assert (pool.used(), pool.held, pool.taken) == (0, 0, 0) and cuda.free == 1 << 30


def test_free_blocks_beyond_the_cap_go_back_to_the_driver(cuda, device):
    assert device.memory.cap == device.info.memory_bytes // 2
    device.memory.cap = 1 << 20
    held = [empty(device, 512 << 10) for _ in range(4)]
    del held
    assert device.memory.held <= 1 << 20 and (1 << 30) - cuda.free <= 1 << 20


def test_free_blocks_are_given_back_before_memory_is_said_to_be_out(cuda, device):
    cuda.free = 10 << 20
    small = [empty(device, 1 << 20) for _ in range(9)]
    del small
    assert empty(device, 9 << 20).nbytes == 9 << 20


def test_memory_that_is_out_is_told_with_who_holds_it_and_leaves_the_rest_usable(cuda, device):
    kept = from_host(device, np.arange(1 << 20, dtype="f4"))
    cuda.free = 1 << 20
    with pytest.raises(OutOfDeviceMemory) as info:
        empty(device, 1 << 30)
    message = str(info.value)
    for words in (
        "cuda:0 (Stub GPU)",
        "1073741824 bytes (1 GiB) were asked for",
        "1 MiB of 1 GiB are free",
        "4 MiB are in arrays",
        "1019 MiB",
    ):
        assert words in message
    np.testing.assert_array_equal(kept.array(ArrayType((1 << 20,), F32)), np.arange(1 << 20))
    assert empty(device, 1 << 19).pointer


def test_an_array_comes_to_the_host_once_and_cannot_be_written(cuda, device):
    sent = np.arange(12, dtype="f4").reshape(3, 4)
    memory = from_host(device, sent.T)
    type = ArrayType((4, 3), F32)
    found = memory.array(type)
    np.testing.assert_array_equal(found, sent.T)
    assert not found.flags.writeable and memory.array(type) is found
    assert cuda.names().count("cuMemcpyDtoHAsync") == 1
    assert memory.nbytes == 48 and not hasattr(memory, "address")


def test_arrays_are_copied_within_a_device_and_from_one_to_another(cuda, device):
    type, other = ArrayType((5,), F32), devices.device(1)
    memory = from_host(device, np.arange(5, dtype="f4"))
    assert to_device(device, memory, type) is memory
    there = to_device(other, memory, type)
    assert there.device is other and memory.copied().pointer != memory.pointer
    for made in (there, memory.copied()):
        np.testing.assert_array_equal(made.array(type), np.arange(5))


def test_a_device_is_opened_once_however_many_threads_ask(cuda):
    opened, start = [], threading.Barrier(4)

    def open_one(number):
        opened.append(number)
        return NvidiaDriver(number, cuda)

    devices.open_with(open_one, count=2)
    try:
        found = []

        def ask():
            start.wait()
            found.append(devices.device(1))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert opened == [1] and len(set(map(id, found))) == 1 and devices.count() == 2
    finally:
        devices.open_with(None)


def test_threads_take_and_give_blocks_at_once(cuda, device):
    def work(seed):
        rng = np.random.default_rng(seed)
        held = []
        for _ in range(200):
            held.append(empty(device, int(rng.integers(1, 5000))))
            if len(held) > 5:
                held.pop(int(rng.integers(0, 5)))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert device.memory.used() == 0
    device.memory.shrink(0)
    assert cuda.free == 1 << 30


def test_importing_and_work_on_the_processor_never_touch_cuda():
    script = """
import sys, jitgrad, jitgrad.numpy as jnp
jitgrad.jit(jnp.sin)(jnp.ones(3))
print([name for name in sys.modules if name == "cuda" or name.startswith(("cuda.", "jitgrad_compiler.runtime.cuda"))])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_device_without_a_driver_says_so(cuda):
    cuda.answers["cuInit"] = RuntimeError("Failed to dlopen libcuda.so")
    devices.open_with(lambda number: NvidiaDriver(number, cuda))
    try:
        with pytest.raises(DriverError, match="no NVIDIA driver"):
            devices.device(0)
        assert devices.device(0).number == 0  # a driver that was installed since is found
    finally:
        devices.open_with(None)
