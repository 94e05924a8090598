"""Copies and products that a thread goes on without: they are there where it waits, and what they read must stay until then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from jitgrad_compiler.ir.types import BOOL, F16, F32, U8
from jitgrad_compiler.targets.cuda.device import THREADS, Threads
from jitgrad_compiler.targets.cuda.warpgroups import Warpgroup, descriptor, shared_place
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Reg

from . import emulator
from .emulator import KernelFault
from .engine import ORDERS, Order
from .kernels import Body, kernel
from .test_emulator import aligned, floats

At = Callable[[int], Reg]
SHARED = 16 << 10
"""Bytes of a block: two tiles of four numbers a thread, or one of 128 lines that are multiplied."""


def run(body: Body, arrays: list[np.ndarray], threads: int = THREADS, order: Order | None = None) -> None:
    table = np.array([a.ctypes.data for a in arrays], np.uint64)
    module = emulator.load(kernel(body))
    emulator.launch(module, "kernel", 1, [table.ctypes.data], threads=threads, shared_bytes=SHARED, order=order)


def tiles(rounds: int = 3, ahead: bool = True, barrier: bool = True, groups: int = 1) -> Body:
    """Sums of each round's four numbers of the neighbouring thread, which come while those of the round before are added.

    Args:
        ahead: whether the tiles are two; the next round's is copied before this round's is read.
        barrier: whether threads meet before a tile is overwritten.
        groups: how many groups end before threads wait for all but the last.
    """

    def body(e: Emitter, t: Threads, at: At) -> None:
        thread, shared = t.thread(), t.shared()
        neighbour = e.and_(e.add(thread, 1), THREADS - 1)

        def place(number: Reg, n: int) -> Reg:
            return e.offset(shared, e.mul(e.add(number, THREADS * (n % 2 if ahead else 0)), 16), U8)

        def copy(n: int) -> None:
            source = e.offset(at(0), e.mul(e.add(thread, n * THREADS), 4), F32)
            t.copy(place(thread, n), source, e.const(n < rounds, BOOL))

        total = e.const(0, F32, 4)
        copy(0)
        t.end_copies()
        for n in range(rounds):
            copy(n + 1)
            for _ in range(groups):
                t.end_copies()
            t.wait_for_copies()
            t.barrier()
            total = e.add(total, e.load(place(neighbour, n), F32, 4, align=16))
            if barrier:
                t.barrier()
        for _ in range(2):
            t.end_copies()
        t.wait_for_copies()
        e.store(e.offset(at(1), e.mul(thread, 4), F32), total, align=16)

    return body


def summed(body: Body, order: Order) -> tuple[np.ndarray, np.ndarray]:
    """What the threads found, and what is right."""
    x, y = aligned(floats(3 * THREADS * 4)), aligned(np.zeros(THREADS * 4, np.float32))
    run(body, [x, y], order=order)
    return y.reshape(-1, 4), np.roll(x.reshape(3, -1, 4).sum(0), -1, 0)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_copies_that_are_waited_for_are_there(order: Order) -> None:
    found, want = summed(tiles(), order)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)


def test_copies_that_are_not_waited_for_are_not_there() -> None:
    """The last group is not waited for; with no group ended, that is the one that is read."""
    found, _ = summed(tiles(groups=0), ORDERS[0])
    assert np.isnan(found).all()


def test_a_tile_that_is_copied_to_before_all_have_read_it_is_lost_in_some_order() -> None:
    assert any(np.isnan(summed(tiles(barrier=False), order)[0]).any() for order in ORDERS)
    found, want = summed(tiles(ahead=False, groups=2), ORDERS[0])
    assert (found != want).all()


def test_a_copy_of_nothing_is_zeros_and_touches_no_source() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        place = e.offset(t.shared(), e.mul(t.thread(), 16), U8)
        t.copy(place, e.offset(at(0), 1 << 40, U8), e.const(False, BOOL))
        for _ in range(2):
            t.end_copies()
        t.wait_for_copies()
        e.store(e.offset(at(0), e.mul(t.thread(), 4), F32), e.load(place, F32, 4, align=16), align=16)

    x = aligned(floats(4 * THREADS))
    run(body, [x])
    assert not x.any()


def test_a_thread_must_not_return_before_its_copies_have_come() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        t.copy(e.offset(t.shared(), e.mul(t.thread(), 16), U8), at(0), e.compare("ge", t.thread(), 7))
        t.end_copies()
        with e.when(e.compare("ne", t.thread(), 7)):
            t.end_copies()
        t.wait_for_copies()

    with pytest.raises(KernelFault, match="thread 7: it returns while what it has copied or multiplied may still be on its way"):
        run(body, [aligned(floats(4))])


def test_what_a_copy_reads_must_stay_until_it_is_waited_for() -> None:
    def body(e: Emitter, t: Threads, at: At) -> None:
        source = e.offset(at(0), e.mul(t.thread(), 4), F32)
        t.copy(e.offset(t.shared(), e.mul(t.thread(), 16), U8), source, e.const(True, BOOL))
        e.store(source, e.const(2.0, F32))
        for _ in range(2):
            t.end_copies()
        t.wait_for_copies()

    with pytest.raises(KernelFault, match="what one of its copies or products reads was changed before it waited for that"):
        run(body, [aligned(floats(4 * THREADS))])


def product(changed: str = "", waits: bool = True) -> Body:
    """A tile of ones, 64 x 64, times itself, by one warpgroup; a number of it is `changed` "before" or "after" it is waited for."""

    def body(e: Emitter, t: Threads, at: At) -> None:
        thread, shared = t.thread(), t.shared()
        first = e.compare("eq", thread, 0)
        with e.loop(0, 64) as n:
            e.store(e.offset(shared, e.mul(e.add(e.mul(n, 128), thread), 2), U8), e.const(1, F16))
        t.publish()
        t.barrier()
        products = Warpgroup(e, t, "f16", 128)
        products.begin()
        tile = descriptor(e, shared_place(t, shared, 0), "k", 0)
        products.multiply(tile, tile, "kk")
        products.end()
        if changed == "before":
            with e.when(first):
                e.store(e.offset(shared, 24 * 128 + 16, U8), e.const(2, F16))
        if waits:
            products.wait()
        if changed == "after":
            t.barrier()
            with e.when(first):
                e.store(shared, e.const(2, F16))
        e.store(e.offset(at(0), thread, F32), products.sum(0))

    return body


def test_products_are_there_where_they_are_waited_for() -> None:
    out = np.zeros(128, np.float32)
    run(product("after"), [out], threads=128)
    assert (out == 16).all()


def test_a_warpgroup_must_wait_for_its_products() -> None:
    with pytest.raises(KernelFault, match="it returns while what it has copied or multiplied may still be on its way"):
        run(product(waits=False), [np.zeros(128, np.float32)], threads=128)


def test_what_is_multiplied_must_stay_until_that_is_waited_for() -> None:
    with pytest.raises(KernelFault, match="what one of its copies or products reads was changed"):
        run(product("before"), [np.zeros(128, np.float32)], threads=128)
