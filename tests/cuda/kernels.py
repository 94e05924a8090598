"""Small kernels, written by hand, for the tests of the emulator, of the stand-in and of the assembler."""

from __future__ import annotations

from collections.abc import Callable

from jitgrad_compiler.ir.types import BOOL, F32, I32, I64, U32, U64
from jitgrad_compiler.targets.cuda.device import THREADS, WARP, WARPS, Threads
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import PTR, Module, Reg

Body = Callable[[Emitter, Threads, Callable[[int], Reg]], None]


def kernel(body: Body, name: str = "kernel") -> str:
    """The text of a module with one kernel; its body can ask for the pointers in the kernel's table by number."""
    module = Module()
    e = Emitter(module, name, (("table", PTR),), "ptx_kernel void")
    threads = Threads(e)
    body(e, threads, lambda n: threads.pointer(e.offset(e.args[0], n, I64)))
    e.finish()
    return module.text()


def global_number(e: Emitter, t: Threads) -> Reg:
    """The thread's number in the grid."""
    return e.add(e.mul(t.block(), THREADS), t.thread())


def scale(e: Emitter, t: Threads, at: Callable[[int], Reg]) -> None:
    """y = 2 x, four numbers a thread."""
    n = e.mul(global_number(e, t), 4)
    x = e.op(f"load <4 x float>, ptr {e.offset(at(0), n, F32).text}, align 16", F32, 4)
    e.line(f"store {e.mul(x, 2.0).typed}, ptr {e.offset(at(1), n, F32).text}, align 16")


def block_sums(barriers: bool = True) -> Body:
    """A sum of each block's numbers, by shuffles and shared memory; without its barrier it is wrong."""

    def body(e: Emitter, t: Threads, at: Callable[[int], Reg]) -> None:
        thread = t.thread()
        total = e.load(e.offset(at(0), global_number(e, t), F32), F32)
        for mask in (16, 8, 4, 2, 1):
            total = e.add(total, t.from_lane(total, mask))
        shared = t.shared()
        with e.when(e.compare("eq", e.and_(thread, WARP - 1), 0)):
            e.store(e.offset(shared, e.shr(thread, 5), F32), total)
        if barriers:
            t.barrier()
        total = e.load(e.offset(shared, e.and_(thread, WARPS - 1), F32), F32)
        for mask in (4, 2, 1):
            total = e.add(total, t.from_lane(total, mask))
        with e.when(e.compare("eq", thread, 0)):
            e.store(e.offset(at(1), t.block(), F32), total)

    return body


def neighbours(e: Emitter, t: Threads, at: Callable[[int], Reg]) -> None:
    """Of 64-bit numbers: that two lanes below; of the lane whose number lies in a table; and which lanes' are odd."""
    n = global_number(e, t)
    x = e.load(e.offset(at(0), n, U64), U64)
    e.store(e.offset(at(1), n, U64), t.from_below(x, 2))
    e.store(e.offset(at(2), n, U64), t.of_lane(x, e.load(e.offset(at(3), n, I32), I32)))
    odd = e.compare("ne", e.and_(x, 1), 0)
    e.store(e.offset(at(4), n, U32), e.convert(t.ballot(odd), U32))
    e.store(e.offset(at(5), n, BOOL), t.from_lane(odd, 1))


def rounds(e: Emitter, t: Threads, at: Callable[[int], Reg]) -> None:
    """Three times, each thread takes the number of the thread one further in the grid, all blocks at once."""
    n, count = global_number(e, t), e.mul(t.blocks(), THREADS)
    further = e.rem(e.add(n, 1), count)
    counter = at(2)
    source, to = at(0), at(1)
    for _ in range(3):
        e.store(e.offset(to, n, F32), e.load(e.offset(source, further, F32), F32))
        t.grid_barrier(counter)
        source, to = to, source


KERNELS: dict[str, Body] = {"scale": scale, "block_sums": block_sums(), "neighbours": neighbours, "rounds": rounds}
