"""Elements in memory to buffers of vectors side by side (butterflies.py), and back.

    rows      a lane is a row: squares of as many rows and numbers as a vector has lanes are turned round
    columns   a lane is a column: complex numbers are taken apart, and put together

Counts and strides are in numbers. With `exchanged` 1 real parts go where imaginary ones are expected, and back, as inverse
transforms have it. Functions are emitted once for all kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ir.types import BOOL, I32, I64, DType
from ...emitter import Emitter
from ...llvm_text import PTR, Module, Reg
from .butterflies import Complex, lanes_of, spaced

Arguments = Sequence[tuple[str, DType]]


def shared(module: Module, name: str, arguments: Arguments, body: Callable[[Emitter], None], beside: bool = False) -> str:
    """The name of a function that is emitted once for all kernels, in the module or beside it, with the passes."""
    where = module.shares_beside(name, arguments) if beside else module if module.shares(name, arguments) else None
    if where is not None:
        e = Emitter(where, name, arguments, attributes="noinline nounwind")
        body(e)
        e.finish()
    return name


def emit_square(module: Module, dtype: DType) -> str:
    """`void name(ptr from, i64 stride, i64 turn, ptr to, i64 step, i64 to_turn, scale)`: a square of a vector's lanes turned round,
    times a number. Where `turn` is one stride each second row changes places with the one before; so, with `to_turn`, does what is
    written.
    """
    lanes = lanes_of(dtype)

    quarter = lanes // 4

    def body(e: Emitter) -> None:
        source, stride, from_turn, target, step, to_turn, scale = e.args
        factor, half_way = e.splat(scale, lanes), e.alloca(dtype, lanes, lanes)
        side = e.const(lanes, I64)
        with e.loop(0, lanes, quarter) as row:  # within quarters of vectors
            first = e.offset(source, e.mul(row, stride), dtype)
            turned = (e.offset(first, from_turn, dtype), e.offset(first, e.sub(stride, from_turn), dtype))
            x = [e.load(place, dtype, lanes) for place in _spaced(e, turned, e.mul(stride, 2), quarter, dtype)]
            made = spaced(e, e.offset(half_way, e.mul(row, lanes), dtype), side, quarter, dtype)
            for place, vector in zip(made, _quarters_turned_round(e, x), strict=True):
                e.store(place, vector)
        apart, far = e.const(lanes * quarter, I64), e.mul(step, quarter)
        with e.loop(0, quarter) as column:  # whole quarters
            turn = e.select(e.compare("eq", e.and_(column, 1), 0), to_turn, e.sub(0, to_turn))
            to = e.offset(e.offset(target, turn, dtype), e.mul(column, step), dtype)
            x = [e.load(at, dtype, lanes) for at in spaced(e, e.offset(half_way, e.mul(column, lanes), dtype), apart, 4, dtype)]
            (a, b), (c, d) = _quarters(e, x[0], x[1]), _quarters(e, x[2], x[3])
            (first, third), (second, fourth) = _quarters(e, a, c), _quarters(e, b, d)
            for place, vector in zip(spaced(e, to, far, 4, dtype), (first, second, third, fourth), strict=True):
                e.store(place, e.mul(vector, factor))

    arguments = [
        ("from", PTR), ("stride", I64), ("turn", I64), ("to", PTR), ("step", I64), ("to_turn", I64), ("scale", dtype),
    ]  # fmt: skip
    return shared(module, f"fft_square_{dtype}", arguments, body)


def _spaced(e: Emitter, first: tuple[Reg, Reg], twice: Reg, count: int, dtype: DType) -> list[Reg]:
    """The places of every second vector from each of two on."""
    pairs = zip(*(spaced(e, place, twice, count // 2, dtype) for place in first), strict=True)
    return [place for pair in pairs for place in pair]


def _both(e: Emitter, a: Reg, b: Reg, lanes: list[int], further: int) -> tuple[Reg, Reg]:
    """Some lanes of a and b, and those that are so much further."""
    return e.shuffle(a, b, lanes), e.shuffle(a, b, [lane + further for lane in lanes])


def _quarters(e: Emitter, a: Reg, b: Reg) -> tuple[Reg, Reg]:
    """The even and the odd quarters of a and b."""
    n, quarter = a.width, a.width // 4
    return _both(e, a, b, [at + lane for at in (0, n // 2, n, n + n // 2) for lane in range(quarter)], quarter)


def _quarters_turned_round(e: Emitter, x: list[Reg]) -> list[Reg]:
    """Of as many vectors as a quarter has lanes, each quarter by itself."""
    n = x[0].width
    if len(x) == 2:
        return list(_both(e, x[0], x[1], [0, n, 2, n + 2, 4, n + 4, 6, n + 6], 1))
    near = [at + lane + m * n for at in range(0, n, 4) for lane in (0, 1) for m in (0, 1)]
    far = [at + lane + m * n for at in range(0, n, 4) for m in (0, 1) for lane in (0, 1)]
    pairs = zip(_both(e, x[0], x[1], near, 2), _both(e, x[2], x[3], near, 2), strict=True)
    return [made for a, b in pairs for made in _both(e, a, b, far, 2)]


def emit_rows(module: Module, dtype: DType) -> str:
    """`void name(ptr memory, i64 stride, i64 rows, ptr buffer, i64 columns, i64 exchanged, scale, i1 back)`: number c of each row
    in memory becomes a lane of vector c of the buffer, or `back`, times a number. Lanes beyond the rows have any numbers; up to a
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
    """Of two vectors of complex numbers side by side, the numbers of the first `count`. Lanes are counted in 32 bits: a vector of
    64-bit counts is two to a vector of numbers.
    """
    numbers = e.mul(e.convert(e.least(count, lanes), I32), 2)
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
