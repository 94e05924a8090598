"""What a thread has asked for and does not wait for: copies into shared memory, and the products of a warpgroup.

On a GPU these read and write at some time before the thread has waited for them. Here it is the latest, while it waits; and what
they read must be the same then as when they were asked for. So who reads a result too early reads what was there before, and who
writes too early where they read is a fault. Next on the path: wgmma.py.
"""

from __future__ import annotations

from jitgrad_compiler.ir.types import I64, U8
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import PTR, Module, Reg

from .fibers import FIBER, MOST_WORKS, POISON, QUEUE, QUEUES, WORK, Fault

COPIES, PRODUCTS = range(QUEUES)
"""A thread's queues."""
WORDS = [("to", PTR), ("first", I64), ("second", I64), ("how", I64)]
"""What a piece of work is told: where its result goes, and three numbers. One function does it, another looks at what it reads."""


def functions() -> str:
    """`late.begin(queues)`, `late.over()`: where a thread begins and returns; `late.ask(queue, what does it, what looks, WORDS)`;
    `late.end(queue)` of a group; `late.wait(queue, n)` for all but the last n groups. `late.copy(to, source, -, bytes)` and
    `late.copied` are of copies.
    """
    module = Module()
    for write in (_begin, _ask, _end, _wait, _over, _copy, _copied):
        write(module)
    return "\n".join(module.functions)


def body(number: int, *lines: str) -> str:
    """Lines of a primitive that has `%queue`, one of the thread's, in what follows."""
    head = [
        "  %owner = load ptr, ptr @fibers_state",
        f"  %at_queues = getelementptr i8, ptr %owner, i64 {FIBER.offsets['queues']}",
        "  %queues = load ptr, ptr %at_queues",
        f"  %queue = getelementptr i8, ptr %queues, i64 {number * QUEUE.size}",
    ]
    return "\n".join([*head, *lines])


def _function(module: Module, name: str, arguments: list[tuple], result: str = "void") -> Emitter:
    return Emitter(module, name, arguments, result, attributes="nounwind")


def _place(e: Emitter, queue: Reg, number: Reg) -> Reg:
    return e.offset(QUEUE.place(e, queue, "works"), e.mul(e.and_(number, MOST_WORKS - 1), WORK.size), U8)


def _fault(e: Emitter, kind: Fault) -> None:
    e.call("fibers.fault", None, e.const(kind, I64), e.const(0, I64))


def _look(e: Emitter, looks: Reg, words: list[Reg]) -> Reg:
    return e.op(f"call i64 {looks.text}({', '.join(w.typed for w in words)})", I64)


def _begin(module: Module) -> None:
    e = _function(module, "late.begin", [("queues", PTR)])
    for number in range(QUEUES):
        for name in ("begun", "done", "ended"):
            QUEUE.set(e, e.offset(e.args[0], number * QUEUE.size, U8), name, 0)
    e.finish()


def _ask(module: Module) -> None:
    e = _function(module, "late.ask", [("queue", PTR), ("does", PTR), ("looks", PTR), *WORDS])
    queue, does, looks, *words = e.args
    begun = QUEUE.get(e, queue, "begun")
    with e.when(e.compare("eq", e.sub(begun, QUEUE.get(e, queue, "done")), MOST_WORKS)):
        _fault(e, Fault.TOO_MUCH)
    place = _place(e, queue, begun)
    for arg in e.args[1:]:
        WORK.set(e, place, arg.text[1:], arg)
    WORK.set(e, place, "group", QUEUE.get(e, queue, "ended"))
    WORK.set(e, place, "seen", _look(e, looks, words))
    QUEUE.set(e, queue, "begun", e.add(begun, 1))
    e.finish()


def _end(module: Module) -> None:
    e = _function(module, "late.end", [("queue", PTR)])
    QUEUE.set(e, e.args[0], "ended", e.add(QUEUE.get(e, e.args[0], "ended"), 1))
    e.finish()


def _wait(module: Module) -> None:
    e = _function(module, "late.wait", [("queue", PTR), ("but", I64)])
    queue, but = e.args
    ended = QUEUE.get(e, queue, "ended")
    with e.loop(QUEUE.get(e, queue, "done"), QUEUE.get(e, queue, "begun")) as n:
        place = _place(e, queue, n)
        with e.when(e.compare("lt", e.add(WORK.get(e, place, "group"), but), ended)):
            does, looks, *words = (WORK.get(e, place, name) for name in ("does", "looks", *dict(WORDS)))
            with e.when(e.compare("ne", _look(e, looks, words), WORK.get(e, place, "seen"))):
                _fault(e, Fault.CHANGED)
            e.line(f"call void {does.text}({', '.join(w.typed for w in words)})")
            QUEUE.set(e, queue, "done", e.add(n, 1))
    e.finish()


def _over(module: Module) -> None:
    e = _function(module, "late.over", [])
    queues = FIBER.get(e, e.load(Reg("@fibers_state", PTR), PTR), "queues")
    for number in range(QUEUES):
        queue = e.offset(queues, number * QUEUE.size, U8)
        with e.when(e.compare("ne", QUEUE.get(e, queue, "begun"), QUEUE.get(e, queue, "done"))):
            _fault(e, Fault.UNFINISHED)
    e.finish()


# -- copies of 16 bytes, or of none: zeros in their place

EMPTY = f"  store <16 x i8> splat (i8 {POISON}), ptr %0, align 1"
"""What lies where a copy goes, until it has come."""


def _source(e: Emitter, source: Reg, n: int) -> Reg:
    return e.load(e.offset(e.op(f"inttoptr {source.typed} to ptr", PTR), n, I64), I64)


def _copy(module: Module) -> None:
    e = _function(module, "late.copy", WORDS)
    to, source, _, nbytes = e.args
    for n in (0, 1):
        slot = e.alloca(I64)
        e.set(slot, e.const(0, I64))
        with e.when(e.compare("ne", nbytes, 0)):
            e.set(slot, _source(e, source, n))
        e.store(e.offset(to, n, I64), e.get(slot, I64))
    e.finish()


def _copied(module: Module) -> None:
    e = _function(module, "late.copied", WORDS, "i64")
    _, source, _, nbytes = e.args
    seen = e.alloca(I64)
    e.set(seen, e.const(0, I64))
    with e.when(e.compare("ne", nbytes, 0)):
        e.set(seen, e.xor(e.mul(_source(e, source, 0), 31), _source(e, source, 1)))
    e.finish(e.get(seen, I64))
