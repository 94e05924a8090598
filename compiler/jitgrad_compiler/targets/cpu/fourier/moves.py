"""Elements in memory to buffers of vectors side by side (butterflies.py), and back.

    rows      a lane is a row: squares of as many rows and numbers as a vector has lanes are turned round
    columns   a lane is a column: complex numbers are taken apart, and put together

Counts and strides are in numbers. With `exchanged` 1 real parts go where imaginary ones are expected, and back, as inverse
transforms have it. Functions are emitted once for all kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ir.types import BOOL, F64, I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg, llvm_type
from .butterflies import Complex, lanes_of

Arguments = Sequence[tuple[str, DType]]


def shared(module: Module, name: str, arguments: Arguments, body: Callable[[Emitter], None]) -> str:
    """The name of a function that is emitted once for all kernels."""
    if module.shares(name, arguments):
        e = Emitter(module, name, arguments, attributes="noinline nounwind")
        body(e)
        e.finish()
    return name


def turned_round(e: Emitter, rows: list[Reg]) -> list[Reg]:
    """Vector n of the result has lane n of each. By steps that machines have: within quarters of a vector, then whole quarters.

    Beyond the first step of floats that is done to doubles, of which LLVM takes a quarter of the time to see through a shuffle.
    """
    if rows[0].type == F64:
        return _doubles_turned_round(e, rows)
    dtype, n = rows[0].type, len(rows)
    low = [q + at + m * n for q in range(0, n, 4) for at in (0, 1) for m in (0, 1)]
    out = list(rows)
    pairs: list[list[Reg]] = [[], []]  # of two rows each: the first two columns of every quarter, and the others
    for a, b in zip(rows[::2], rows[1::2], strict=True):
        for half in (0, 1):
            pairs[half].append(_as(e, e.shuffle(a, b, [lane + 2 * half for lane in low]), F64, n // 2))
    for half, found in enumerate(pairs):
        for c, vector in enumerate(_doubles_turned_round(e, found)):
            out[4 * (c // 2) + 2 * half + c % 2] = _as(e, vector, dtype, n)
    return out


def _as(e: Emitter, x: Reg, dtype: DType, width: int) -> Reg:
    return e.op(f"bitcast {x.typed} to {llvm_type(dtype, width)}", dtype, width)


def _doubles_turned_round(e: Emitter, rows: list[Reg]) -> list[Reg]:
    def both(a: Reg, b: Reg, low: list[int], apart: int) -> tuple[Reg, Reg]:
        return e.shuffle(a, b, low), e.shuffle(a, b, [lane + apart for lane in low])

    pairs = [both(a, b, [0, 8, 2, 10, 4, 12, 6, 14], 1) for a, b in zip(rows[::2], rows[1::2], strict=True)]
    out = list(rows)
    for c in (0, 1):
        u = [pair[c] for pair in pairs]
        quarters = [0, 1, 4, 5, 8, 9, 12, 13]
        (a, b), (x, y) = both(u[0], u[1], quarters, 2), both(u[2], u[3], quarters, 2)
        out[c], out[4 + c] = both(a, x, quarters, 2)
        out[2 + c], out[6 + c] = both(b, y, quarters, 2)
    return out


def emit_square(module: Module, dtype: DType) -> str:
    """`void name(ptr from, i64 stride, i64 turn, ptr to, i64 step, i64 to_turn, scale)`: a square of a vector's lanes turned round,
    times a number. Where `turn` is one stride each second row changes places with the one before; so, with `to_turn`, does what is
    written.
    """
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, stride, from_turn, target, step, to_turn, scale = e.args
        factor = e.splat(scale, lanes)
        rows, columns = _places(e, source, stride, from_turn, dtype), _places(e, target, step, to_turn, dtype)
        for place, x in zip(columns, turned_round(e, [e.load(row, dtype, lanes) for row in rows]), strict=True):
            e.store(place, e.mul(x, factor))

    arguments = [
        ("from", PTR), ("stride", I64), ("turn", I64), ("to", PTR), ("step", I64), ("to_turn", I64), ("scale", dtype),
    ]  # fmt: skip
    return shared(module, f"fft_square_{dtype}", arguments, body)


def _places(e: Emitter, first: Reg, apart: Reg, turn: Reg, dtype: DType) -> list[Reg]:
    """Where the vectors of a square begin, each found from the last but one."""
    twice = e.mul(apart, 2)
    places = [e.offset(first, turn, dtype), e.offset(first, e.sub(apart, turn), dtype)]
    while len(places) < lanes_of(dtype):
        places.append(e.offset(places[-2], twice, dtype))
    return places


def emit_rows(module: Module, dtype: DType) -> str:
    """`void name(ptr memory, i64 stride, i64 rows, ptr buffer, i64 columns, i64 exchanged, scale, i1 back)`: number c of each row in
    memory becomes a lane of vector c of the buffer, or `back`, times a number. Lanes beyond the rows have any numbers; up to a
    vector's lanes more vectors are written.
    """
    lanes = lanes_of(dtype)
    square = emit_square(module, dtype)

    def body(e: Emitter) -> None:
        memory, stride, rows, buffer, columns, exchanged, scale, back = e.args
        turn, zero, side = e.mul(exchanged, lanes), e.const(0, I64), e.const(lanes, I64)
        padded = e.alloca(dtype, lanes, lanes)
        with e.loop(0, columns, lanes) as c:
            here, vectors = e.offset(memory, c, dtype), e.offset(buffer, e.mul(c, lanes), dtype)
            count = e.sub(columns, c)
            edge = e.or_(e.compare("lt", rows, lanes), e.compare("lt", count, lanes))
            place, apart = e.select(edge, padded, here), e.select(edge, side, stride)

            def copied(condition: Reg, move: Callable[[Reg, Reg, Reg], None], here: Reg = here, count: Reg = count) -> None:
                """What there is of a square at the edge, from or to a whole one."""
                with e.when(condition), e.loop(0, e.least(rows, lanes)) as n:
                    at = e.offset(here, e.mul(n, stride), dtype), e.offset(padded, e.mul(n, lanes), dtype)
                    move(*at, e.lanes_below(count, lanes))

            copied(
                e.and_(edge, e.not_(back)), lambda own, whole, mask: e.store(whole, e.load(own, dtype, lanes, mask))
            )  # fmt: skip
            ways = ((vectors, place), (side, apart), (turn, zero), (place, vectors), (apart, side), (zero, turn))
            e.call(square, None, *(e.select(back, out, into) for out, into in ways), scale)
            copied(e.and_(edge, back), lambda own, whole, mask: e.store(own, e.load(whole, dtype, lanes), mask))

    arguments = [
        ("memory", PTR), ("stride", I64), ("rows", I64), ("buffer", PTR), ("columns", I64), ("exchanged", I64), ("scale", dtype),
        ("back", BOOL),
    ]  # fmt: skip
    return shared(module, f"fft_rows_{dtype}", arguments, body)


def pair_masks(e: Emitter, count: Reg, lanes: int) -> tuple[Reg, Reg]:
    """Of two vectors of complex numbers side by side, the numbers of the first `count`."""
    numbers = e.mul(count, 2)
    return e.lanes_below(numbers, lanes), e.lanes_below(e.sub(numbers, lanes), lanes)


def load_pairs(e: Emitter, place: Reg, dtype: DType, masks: Sequence[Reg]) -> Complex:
    """Complex numbers that lie side by side, as many as a vector has lanes."""
    lanes = lanes_of(dtype)
    a, b = (e.load(e.offset(place, n * lanes, dtype), dtype, lanes, mask) for n, mask in enumerate(masks))
    return Complex(*(e.shuffle(a, b, range(part, 2 * lanes, 2)) for part in (0, 1)))


def store_pairs(e: Emitter, place: Reg, x: Complex, masks: Sequence[Reg]) -> None:
    lanes = x.real.width
    for n, mask in enumerate(masks):
        picks = [lane // 2 + (lane % 2) * lanes for lane in range(n * lanes, (n + 1) * lanes)]
        e.store(e.offset(place, n * lanes, x.real.type), e.shuffle(x.real, x.imag, picks), mask)


def emit_pairs_in(module: Module, dtype: DType) -> str:
    """`void name(ptr from, i64 stride, i64 n, i64 columns, ptr to, i64 exchanged)`: of n rows complex numbers of some columns."""
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, stride, n, columns, target, exchanged = e.args
        masks = pair_masks(e, columns, lanes)
        real, imag = _parts(e, target, exchanged, dtype)
        with e.loop(0, n) as j:
            x = load_pairs(e, e.offset(source, e.mul(j, stride), dtype), dtype, masks)
            for part, at in zip(x, (real, imag), strict=True):
                e.store(e.offset(at, e.mul(j, 2 * lanes), dtype), part)

    arguments = [("from", PTR), ("stride", I64), ("n", I64), ("columns", I64), ("to", PTR), ("exchanged", I64)]
    return shared(module, f"fft_pairs_in_{dtype}", arguments, body)


def emit_pairs_out(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 stride, i64 n, i64 columns, i64 exchanged, scale)`: the other way, times a number."""
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, target, stride, n, columns, exchanged, scale = e.args
        masks, factor = pair_masks(e, columns, lanes), e.splat(scale, lanes)
        parts = _parts(e, source, exchanged, dtype)
        with e.loop(0, n) as j:
            x = Complex(*(e.mul(e.load(e.offset(at, e.mul(j, 2 * lanes), dtype), dtype, lanes), factor) for at in parts))
            store_pairs(e, e.offset(target, e.mul(j, stride), dtype), x, masks)

    arguments = [
        ("from", PTR), ("to", PTR), ("stride", I64), ("n", I64), ("columns", I64), ("exchanged", I64), ("scale", dtype),
    ]  # fmt: skip
    return shared(module, f"fft_pairs_out_{dtype}", arguments, body)


def emit_reals_in(module: Module, dtype: DType) -> str:
    """`void name(ptr from, i64 stride, i64 n, i64 columns, ptr to)`: of n rows the numbers of some columns, a row a vector."""
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, stride, n, columns, target = e.args
        mask = e.lanes_below(columns, lanes)
        with e.loop(0, n) as j:
            x = e.load(e.offset(source, e.mul(j, stride), dtype), dtype, lanes, mask)
            e.store(e.offset(target, e.mul(j, lanes), dtype), x)

    arguments = [("from", PTR), ("stride", I64), ("n", I64), ("columns", I64), ("to", PTR)]
    return shared(module, f"fft_reals_in_{dtype}", arguments, body)


def emit_reals_out(module: Module, dtype: DType) -> str:
    """`void name(ptr from, ptr to, i64 stride, i64 n, i64 columns, scale)`: two vectors a step, exchanged, times a number."""
    lanes = lanes_of(dtype)

    def body(e: Emitter) -> None:
        source, target, stride, n, columns, scale = e.args
        mask, factor = e.lanes_below(columns, lanes), e.splat(scale, lanes)
        with e.loop(0, n, 2) as j:
            for part in (0, 1):
                x = e.load(e.offset(source, e.mul(e.add(j, 1 - part), lanes), dtype), dtype, lanes)
                e.store(e.offset(target, e.mul(e.add(j, part), stride), dtype), e.mul(x, factor), mask)

    arguments = [("from", PTR), ("to", PTR), ("stride", I64), ("n", I64), ("columns", I64), ("scale", dtype)]
    return shared(module, f"fft_reals_out_{dtype}", arguments, body)


def _parts(e: Emitter, buffer: Reg, exchanged: Reg, dtype: DType) -> tuple[Reg, Reg]:
    """Where the first real part and the first imaginary part are."""
    lanes = lanes_of(dtype)
    far = e.mul(exchanged, lanes)
    return e.offset(buffer, far, dtype), e.offset(buffer, e.sub(lanes, far), dtype)
