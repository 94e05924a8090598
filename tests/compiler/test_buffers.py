"""Buffers: aligned memory that lives as long as anything refers to it, and is then used again."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from jitgrad_compiler.runtime import buffers
from jitgrad_compiler.runtime.buffers import allocate, block_size, free_bytes, set_free_bytes_cap, view
from jitgrad_compiler.runtime.private_numpy import borrow

SIZES = [0, 1, 63, 64, 65, 1000, 4096, 4097, 100_000, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 17_000_000]
F32 = np.dtype(np.float32)


@pytest.fixture(autouse=True)
def no_free_blocks() -> Iterator[None]:
    before = buffers.free_bytes_cap()
    set_free_bytes_cap(0)
    set_free_bytes_cap(256 << 20)
    yield
    set_free_bytes_cap(before)


@pytest.mark.parametrize("nbytes", SIZES)
def test_memory_is_aligned_and_all_of_it_can_be_written(nbytes: int) -> None:
    held = [allocate(nbytes) for _ in range(3)]
    for value, buffer in enumerate(held):
        assert buffer.address % 64 == 0
        assert buffer.nbytes == nbytes
        ctypes.memset(buffer.address, value, nbytes)
    for value, buffer in enumerate(held):
        assert (np.asarray(buffer) == value).all()


def test_blocks_waste_less_than_an_eighth_beyond_a_cache_line() -> None:
    for nbytes in [*range(5000), *SIZES, 123_456_789]:
        size = block_size(nbytes)
        assert max(nbytes, 1) <= size
        assert size - nbytes <= max(64, nbytes / 8)
        assert size % 64 == 0


@pytest.mark.parametrize("nbytes", SIZES)
def test_a_dead_buffer_is_used_again(nbytes: int) -> None:
    first = allocate(nbytes)
    address = first.address
    del first
    assert free_bytes() == block_size(nbytes)
    second = allocate(nbytes)
    assert second.address == address
    assert free_bytes() == 0


def test_a_near_size_uses_the_same_block() -> None:
    address = allocate(1_000_000).address
    assert allocate(1_000_100).address == address


def test_a_living_buffer_is_never_handed_out_again() -> None:
    held = [allocate(4096) for _ in range(100)]
    assert len({buffer.address for buffer in held}) == 100


def test_a_view_keeps_the_memory_alive() -> None:
    buffer = allocate(4096)
    address = buffer.address
    array = view(buffer, (4, 8), F32, 64)
    rows = array[1:].T.view(np.int32)
    del buffer, array
    gc.collect()
    assert allocate(4096).address != address
    del rows
    assert allocate(4096).address == address


def test_a_view_shows_what_lies_in_memory_and_is_read_only() -> None:
    buffer = allocate(4096)
    ctypes.memmove(buffer.address + 64, np.arange(32, dtype=F32).ctypes.data, 128)
    array = view(buffer, (4, 8), F32, 64)
    np.testing.assert_array_equal(array, np.arange(32, dtype=F32).reshape(4, 8))
    assert array.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True


def test_a_view_beyond_the_end_is_refused() -> None:
    with pytest.raises(TypeError, match="too small"):
        view(allocate(64), (17,), F32)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_views_of_scalars_and_empty_arrays_work(shape: tuple[int, ...]) -> None:
    array = view(allocate(F32.itemsize * int(np.prod(shape))), shape, F32)
    assert array.shape == shape
    assert array.dtype == F32


@pytest.mark.parametrize(
    "array",
    [np.arange(12.0), np.arange(12.0)[3:], np.arange(12.0).reshape(3, 4).T, np.ones(()), np.zeros(0), np.ones(3).view(np.matrix)],
    ids=["whole", "slice", "transpose", "scalar", "empty", "subclass"],
)  # fmt: skip
def test_a_borrowed_address_is_where_the_data_lies(array: np.ndarray) -> None:
    array.flags.writeable = False
    assert borrow(array) == array.ctypes.data


def test_free_memory_stays_below_its_cap() -> None:
    set_free_bytes_cap(10 << 20)
    held = [allocate(1 << 20) for _ in range(30)]
    del held
    assert 0 < free_bytes() <= 10 << 20
    set_free_bytes_cap(0)
    assert free_bytes() == 0
    assert allocate(1 << 20).nbytes == 1 << 20
    assert free_bytes() == 0


def test_sizes_of_the_past_make_room_for_those_in_use() -> None:
    set_free_bytes_cap(10 << 20)
    del_me = [allocate(1 << 20) for _ in range(10)]
    del del_me
    addresses = set()
    for _ in range(40):  # a loop that needs 8 MiB at a time
        held = [allocate(4 << 20) for _ in range(2)]
        addresses = {buffer.address for buffer in held}
        del held
    held = [allocate(4 << 20) for _ in range(2)]
    assert {buffer.address for buffer in held} == addresses


def test_an_impossible_request_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="no 1152921504606846976 bytes left"):
        allocate(1 << 60)
    with pytest.raises(ValueError, match="negative, got -1"):
        allocate(-1)
    with pytest.raises(ValueError, match="negative, got -1"):
        set_free_bytes_cap(-1)


def test_threads_never_share_a_block() -> None:
    set_free_bytes_cap(1 << 20)
    errors: list[str] = []

    def work(mark: int) -> None:
        for turn in range(3000):
            nbytes = 100 * (1 + turn % 50)
            held = [allocate(nbytes) for _ in range(3)]
            for buffer in held:
                ctypes.memset(buffer.address, mark, nbytes)
            if any((np.asarray(buffer) != mark).any() for buffer in held):
                errors.append(f"thread {mark} found foreign bytes at turn {turn}")

    workers = [threading.Thread(target=work, args=(mark,)) for mark in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    set_free_bytes_cap(0)
    assert free_bytes() == 0


def test_a_forked_child_has_memory_of_its_own() -> None:
    buffer = allocate(4 << 20)
    ctypes.memset(buffer.address, 1, buffer.nbytes)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            ctypes.memset(buffer.address, 2, buffer.nbytes)
            del buffer
            code = 0 if allocate(4 << 20).nbytes == 4 << 20 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (np.asarray(buffer) == 1).all()


def test_the_interpreter_ends_cleanly_with_living_buffers() -> None:
    code = (
        "import builtins\n"
        "import numpy as np\n"
        "from jitgrad_compiler.runtime import buffers\n"
        "keep = [buffers.allocate(n) for n in (100, 5000, 3 << 20)]\n"
        "builtins.array = buffers.view(buffers.allocate(4096), (10,), np.dtype('f4'))\n"
        "cycle = [buffers.allocate(100)]; cycle.append(cycle)\n"
        "buffers.keep = buffers.allocate(100)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stderr) == (0, "")
