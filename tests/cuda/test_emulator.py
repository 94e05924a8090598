"""The emulator of the thread grid: right kernels give right results in any order, wrong ones an error that says where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitgrad_compiler.ir.types import F32, I32, I64
from jitgrad_compiler.targets.cuda.device import PRIMITIVES, THREADS, Threads
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Reg

from . import emulator
from .emulator import KernelFault, Order
from .engine import ORDERS
from .kernels import Body, block_sums, global_number, kernel, neighbours, rounds, scale
from .primitives import EMULATED

At = Callable[[int], Reg]


def run(body: Body, blocks: int, arrays: list[np.ndarray], **options: object) -> None:
    table = np.array([a.ctypes.data for a in arrays], np.uint64)
    emulator.launch(emulator.load(kernel(body)), "kernel", blocks, [table.ctypes.data], **options)  # type: ignore[arg-type]


def floats(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal(count).astype(np.float32)


def aligned(x: np.ndarray) -> np.ndarray:
    """A copy at an address that is a multiple of 64."""
    room = np.empty(x.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    made = room[start : start + x.nbytes].view(x.dtype)
    made[:] = x
    return made


def test_every_primitive_has_its_row() -> None:
    assert EMULATED.keys() == PRIMITIVES.keys()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_kernel_without_barriers_runs_once_for_every_thread(order: Order) -> None:
    x, y = aligned(floats(3 * THREADS * 4)), aligned(np.zeros(3 * THREADS * 4, np.float32))
    run(scale, 3, [x, y], order=order)
    assert np.array_equal(y, 2 * x)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("blocks", [1, 5])
def test_blocks_sum_by_shuffles_and_shared_memory(order: Order, blocks: int) -> None:
    x, y = floats(blocks * THREADS), np.zeros(blocks, np.float32)
    run(block_sums(), blocks, [x, y], shared_bytes=32, order=order)
    assert np.allclose(y, x.reshape(blocks, THREADS).sum(1), atol=1e-4)


def test_a_missing_barrier_shows_as_nan_in_some_order() -> None:
    x, y, results = floats(THREADS), np.zeros(1, np.float32), []
    for order in ORDERS:
        run(block_sums(barriers=False), 1, [x, y], shared_bytes=32, order=order)
        results.append(y[0])
    assert np.isnan(results).any()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_shuffles_carry_64_bits_and_ballots_all_lanes(order: Order) -> None:
    n = 2 * THREADS
    random = np.random.default_rng(0)
    x, pick = random.integers(0, 2**64, n, np.uint64), random.integers(0, 32, n).astype(np.int32)
    below, picked, bits, other = np.zeros_like(x), np.zeros_like(x), np.zeros(n, np.uint32), np.zeros(n, np.uint8)
    run(neighbours, 2, [x, below, picked, pick, bits, other], order=order)
    warps, lanes = x.reshape(-1, 32), np.arange(32)
    assert np.array_equal(below.reshape(-1, 32), warps[:, np.where(lanes < 2, lanes, lanes - 2)])
    assert np.array_equal(picked.reshape(-1, 32), np.take_along_axis(warps, pick.reshape(-1, 32), 1))
    odd = (warps & np.uint64(1)).astype(np.uint64)
    assert np.array_equal(bits.reshape(-1, 32), np.repeat((odd << lanes.astype(np.uint64)).sum(1)[:, None], 32, 1))
    assert np.array_equal(other.reshape(-1, 32), odd[:, lanes ^ 1])


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_all_blocks_meet_at_a_grid_barrier(order: Order) -> None:
    x = floats(4 * THREADS)
    a, b, counter = x.copy(), np.zeros_like(x), np.zeros(1, np.uint32)
    run(rounds, 4, [a, b, counter], cooperative=True, order=order)
    assert np.array_equal(b, np.roll(x, -3))
    assert counter[0] == 1 << 31  # as after three turns on a GPU


def test_threads_that_miss_a_barrier_are_named() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("ne", t.thread(), 77)):
            t.barrier()

    with pytest.raises(
        KernelFault, match="has returned, while 255 threads of the block wait for it in `call void @gpu.barrier"
    ) as found:
        run(body, 3, [np.zeros(1)])
    assert (found.value.kernel, found.value.block, found.value.thread) == ("kernel", 0, 77)


def test_lanes_that_miss_a_shuffle_are_named() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("lt", e.and_(t.thread(), 31), 31)):
            t.from_lane(e.convert(t.thread(), I32), 1)

    with pytest.raises(KernelFault, match="has returned, while 31 threads of the warp wait for it in .*gpu.shuffle.xor"):
        run(body, 1, [np.zeros(1)])


def test_blocks_that_miss_a_grid_barrier_are_named() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("lt", t.block(), 3)):
            t.grid_barrier(at(0))

    with pytest.raises(KernelFault, match="block 3, thread 0: it has returned, while 768 threads of the grid") as found:
        run(body, 4, [np.zeros(1, np.int64)], cooperative=True)
    assert found.value.block == 3


def test_two_barriers_that_wait_for_each_other_are_told() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("lt", t.thread(), 16)):
            t.barrier()
        t.warp_barrier()
        t.barrier()

    with pytest.raises(KernelFault, match="it waits in `call void @gpu.warp.barrier.*while 240 threads of the block"):
        run(body, 1, [np.zeros(1)])


def test_a_shuffle_under_a_divergent_branch_is_an_error() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        n = e.convert(t.thread(), I32)
        low = e.compare("lt", e.and_(t.thread(), 31), 16)
        with e.when(low):
            t.from_lane(n, 1)
        with e.when(e.not_(low)):
            t.from_lane(n, 2)

    with pytest.raises(KernelFault, match="it waits in .*i32 2.* while thread 0 of its warp waits in .*i32 1"):
        run(body, 1, [np.zeros(1)])


def test_a_grid_barrier_needs_a_cooperative_launch_and_a_zeroed_counter() -> None:
    arrays = [floats(512), floats(512), np.zeros(1, np.uint32)]
    with pytest.raises(KernelFault, match="not cooperative"):
        run(rounds, 2, arrays)
    arrays[2][0] = 3
    with pytest.raises(KernelFault, match="not zeroed"):
        run(rounds, 2, arrays, cooperative=True)


def test_a_block_has_no_more_shared_memory_than_the_gpu_and_the_function() -> None:
    arrays = [floats(256), floats(1)]
    with pytest.raises(KernelFault, match="a block has 232448 at most"):
        run(block_sums(), 1, arrays, shared_bytes=(227 << 10) + 16, lent_bytes=1 << 20)
    with pytest.raises(KernelFault, match="it was lent 16"):
        run(block_sums(), 1, arrays, shared_bytes=32, lent_bytes=16)


@pytest.mark.parametrize(("offset", "message"), [(0, "behind the end"), (1 << 10, "by the 32 bytes of shared memory")])
def test_writes_behind_shared_memory_are_errors(offset: int, message: str) -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("eq", global_number(e, t), 300)):
            e.store(e.offset(t.shared(), 8 + offset // 4, F32), e.const(1.0, F32))

    with pytest.raises(KernelFault, match=message) as found:
        run(body, 2, [np.zeros(1)], shared_bytes=32)
    assert found.value.block == 1


def test_touching_no_memory_is_an_error_and_the_next_launch_is_fine() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        with e.when(e.compare("eq", global_number(e, t), 299)):
            e.store(e.offset(at(0), 2, F32), e.const(1.0, F32))
        t.barrier()

    table = np.array([8], np.uint64)
    for _ in range(2):
        with pytest.raises(KernelFault, match="kernel kernel, block 1, thread 43: it touches address 0x10"):
            emulator.launch(emulator.load(kernel(body)), "kernel", 2, [table.ctypes.data])
    test_all_blocks_meet_at_a_grid_barrier(Order())


def test_pointers_outside_device_memory_are_errors() -> None:
    x = aligned(floats(1024))
    with pytest.raises(KernelFault, match="gpu.pointer found 0x.*which is no device memory"):
        run(scale, 1, [x, x], memory=(1 << 12, 1 << 13))


def test_endless_recursion_and_loops_are_errors() -> None:
    deep = kernel(lambda e, t, at: e.line("call void @deeper(ptr null)"))
    deep += """
define internal void @deeper(ptr %p) noinline {
  %room = alloca [100 x i64]
  store volatile ptr %p, ptr %room
  call void @deeper(ptr %room)
  ret void
}"""
    with pytest.raises(KernelFault, match="stack has no room left"):
        emulator.launch(emulator.load(deep), "kernel", 1, [0])

    def endless(e: Emitter, t: Threads, at: At) -> None:
        e.branch("again")
        e.label("again")
        value = e.op(f"load atomic i32, ptr {e.args[0].text} acquire, align 4", I32)
        e.branch_if(e.compare("eq", value, 0), "again", "over")
        e.label("over")

    flag = np.zeros(1, np.int32)
    with pytest.raises(KernelFault, match="takes too long"):
        emulator.launch(emulator.load(kernel(endless)), "kernel", 1, [flag.ctypes.data], seconds=0.05)


def test_dividing_an_integer_by_zero_is_an_error() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        e.store(e.args[0], e.div(t.thread(), e.load(e.args[0], I64)))

    zero = np.zeros(1, np.int64)
    text = kernel(body)
    if emulator.native.fingerprint().find("x86_64") >= 0:  # other processors give zero
        with pytest.raises(KernelFault, match="block 0, thread 0: it divides"):
            emulator.launch(emulator.load(text), "kernel", 1, [zero.ctypes.data])


def test_a_primitive_without_a_row_is_named() -> None:
    text = "declare void @gpu.unheard.of()\ndefine ptx_kernel void @k(ptr %t) {\n  call void @gpu.unheard.of()\n  ret void\n}\n"
    with pytest.raises(NotImplementedError, match="no row for gpu.unheard.of"):
        emulator.KernelModule(text)


def test_a_function_of_the_host_is_named() -> None:
    text = "declare ptr @malloc(i64)\ndefine ptx_kernel void @k(ptr %t) {\n  %m = call ptr @malloc(i64 8)\n  ret void\n}\n"
    with pytest.raises(KernelFault, match="kernel k: its module calls malloc, which no GPU has"):
        emulator.KernelModule(text)


@pytest.mark.parametrize("offset", [4, 8])
def test_an_address_that_is_not_aligned_is_an_error(offset: int) -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        e.op(f"load <4 x float>, ptr {e.offset(at(0), offset // 4, F32).text}, align {2 * offset}", F32, 4)

    with pytest.raises(KernelFault, match="kernel kernel, block 0, thread 0: .*not so aligned as the load or store says"):
        run(body, 1, [aligned(floats(64))])
