"""Examples of ops with nested programs, for `op_examples.py`: the operands' types, integers with their range, and the params."""

from __future__ import annotations

from typing import Any

from jitgrad_compiler.ir import Graph, parse

Row = tuple[str, dict[str, Any]]


def program(inputs: str, *lines: str) -> Graph:
    return parse("\n".join([f"graph({inputs}) {{", *[f"  {line}" for line in lines], "}"]))


# -- while_loop

BELOW = program("n:i64[], w:f64[2], i:i64[], x:f64[2]", "t:bool[] = lt i n", "return t")
TURN = program(
    "n:i64[], w:f64[2], i:i64[], x:f64[2]", "j:i64[] = add i 1:i64", "y:f64[2] = mul x w", "z:f64[2] = sin y", "return j z"
)
SMALL = program("w:f64[], x:f64[]", "y:f64[] = abs x", "t:bool[] = lt y 7.0:f64", "return t")
GROW = program("w:f64[], x:f64[]", "y:f64[] = sin w", "z:f64[] = sin x", "u:f64[] = mul z y", "v:f64[] = add x u",
               "s:f64[] = add v 1.2:f64", "return s")  # fmt: skip


def _while(cond: Graph, body: Graph, consts: int, checkpoint: int | None = None) -> dict[str, Any]:
    return dict(cond=cond, body=body, consts=consts, saved=0, states=False, checkpoint=checkpoint)


WHILES: list[Row] = [
    *[("i64[]:5:6 f64[2] i64[]:0:1 f64[2]", _while(BELOW, TURN, 2, checkpoint)) for checkpoint in (None, 1, 2, 7, 0)],
    ("i64[]:0:1 f64[2] i64[]:0:1 f64[2]", _while(BELOW, TURN, 2)),
    ("i64[]:0:1 f64[2] i64[]:0:1 f64[2]", _while(BELOW, TURN, 2, 2)),
    ("i64[]:1:7 f64[2] i64[]:0:3 f64[2]", _while(BELOW, TURN, 2, 1)),
    ("f64[] f64[]", _while(SMALL, GROW, 1)), ("f64[] f64[]", _while(SMALL, GROW, 1, 0)),
]  # fmt: skip
GROWN = f"while_loop a b [cond={SMALL}, body={GROW}, consts=1, saved=0, states=False, checkpoint=None]"

# -- switch

BRANCHES = (
    program("a:f64[3], b:f64[]", "c:f64[3] = sin a", "return c b"),
    program("a:f64[3], b:f64[]", "c:f64[3] = broadcast b [dims=(), shape=(3,)]", "d:f64[] = mul b b", "return c d"),
    program("a:f64[3], b:f64[]", "c:f64[3] = broadcast 1.0:f64 [dims=(), shape=(3,)]", "return c 2.0:f64"),
)
LOOPING = (
    program("a:f64[], b:f64[]", f"c:f64[], d:i64[] = {GROWN}", "return c"),
    program("a:f64[], b:f64[]", "c:f64[] = mul a b", "d:f64[] = cos c", "return d"),
)
SWITCHES: list[Row] = [
    *[(f"i64[]:{n}:{n + 1} f64[3] f64[]", dict(branches=BRANCHES)) for n in (-1, 0, 1, 2, 9)],
    ("u8[]:1:2 f64[3] f64[]", dict(branches=BRANCHES)), ("i32[]:-1:4 f64[3] f64[]", dict(branches=BRANCHES[:1])),
    ("i64[]:0:1 f64[] f64[]", dict(branches=LOOPING)), ("i64[]:1:2 f64[] f64[]", dict(branches=LOOPING)),
]  # fmt: skip

# -- scan

STEP = program("w:f64[3], c:f64[3], x:f64[3]", "d:f64[3] = mul w c", "e:f64[3] = sin d", "f:f64[3] = add e x", "return f e")
MATRIX_STEP = program(
    "a:f64[2,3], b:f64[3], c:f64[2], i:i64[], x:i64[]",
    "d:f64[2] = dot_general a b [dims=(((1,), (0,)), ((), ()))]",
    "e:f64[2] = tanh c",
    "f:f64[2] = mul d e",
    "g:f64[] = convert_element_type x [dtype='f64']",
    "h:f64[2] = broadcast g [dims=(), shape=(2,)]",
    "j:f64[2] = add f h",
    "k:i64[] = add i x",
    "l:f64[] = reduce_sum f [axes=(0,)]",
    "return j k l i",
)
SQUARES = program("x:f64[2]", "y:f64[2] = mul x x", "z:f64[] = reduce_sum y [axes=(0,)]", "return z")
BRANCHING_STEP = program(
    "a:f64[], b:f64[], x:f64[]",
    f"c:f64[], n:i64[] = {GROWN}",
    "m:i64[] = rem n 2:i64",
    f"d:f64[] = switch m a x [branches=({LOOPING[1]}, {LOOPING[0]})]",
    "return d c",
)


def _scan(body: Graph, consts: int, carry: int, length: int, reverse: bool = False, unroll: int = 1) -> dict[str, Any]:
    return dict(body=body, consts=consts, carry=carry, length=length, reverse=reverse, unroll=unroll)


SCANS: list[Row] = [
    ("f64[3] f64[3] f64[4,3]", _scan(STEP, 1, 1, 4)), ("f64[3] f64[3] f64[5,3]", _scan(STEP, 1, 1, 5, reverse=True, unroll=2)),
    ("f64[3] f64[3] f64[0,3]", _scan(STEP, 1, 1, 0)), ("f64[3] f64[3] f64[1,3]", _scan(STEP, 1, 1, 1)),
    ("f64[2,3] f64[3] f64[2] i64[]:0:9 i64[4]:-3:4", _scan(MATRIX_STEP, 2, 2, 4)), ("f64[3,2]", _scan(SQUARES, 0, 0, 3)),
    ("f64[] f64[] f64[3]", _scan(BRANCHING_STEP, 1, 1, 3)), ("f64[] f64[] f64[3]", _scan(BRANCHING_STEP, 1, 1, 3, reverse=True)),
]  # fmt: skip

# -- rowwise

ROW = program("a:f64[], b:f64[]", f"c:f64[], n:i64[] = {GROWN}", "return c n")
ROWS: list[Row] = [
    ("f64[3] f64[3]", dict(graph=ROW, mapped=(True, True), size=3)),
    ("f64[] f64[5]", dict(graph=ROW, mapped=(False, True), size=5)),
    ("f64[40] f64[]", dict(graph=ROW, mapped=(True, False), size=40)),
    ("i64[4]:-1:4 f64[4,3] f64[]", dict(graph=program(
        "i:i64[], a:f64[3], b:f64[]",
        f"c:f64[3], d:f64[] = switch i a b [branches=({', '.join(map(str, BRANCHES))})]",
        "return c d",
    ), mapped=(True, True, False), size=4)),
    ("f64[0] f64[]", dict(graph=ROW, mapped=(True, False), size=0)),
]  # fmt: skip

# -- what has tapes inside, as the graph of a call or of a tape_region

SAVING = program(
    "w:f64[], x:f64[]", "y:f64[] = sin w", "z:f64[] = sin x", "u:f64[] = mul z y", "v:f64[] = add x u", "s:f64[] = add v 1.2:f64",
    "return s z x",
)  # fmt: skip
READ = program(
    "a:f64[], c:f64[], x:f64[]", "b:f64[] = sin x", "d:f64[] = mul c b", "e:f64[] = sin d", "f:f64[] = add e a", "return f d"
)
PRODUCTS = program("c:f64[], x:f64[], y:f64[]", "d:f64[] = mul x y", "e:f64[] = add c d", "return e")
COSINES = program("c:f64[], x:f64[]", "d:f64[] = mul c x", "e:f64[] = cos d", "return e")
TAPED = program(
    "a:f64[], b:f64[]",
    "c:f64[], n:i64[], t:tape[f64[]], s:tape[f64[]] = while_loop a b"
    f" [body={SAVING}, checkpoint=None, cond={SMALL}, consts=1, saved=2, states=False]",
    "r:tape[f64[]] = tape_add t s",
    f"d:f64[], q:tape[f64[]] = scan n a b r [body={READ}, carry=1, consts=1, length=None, reverse=True, unroll=1]",
    f"e:f64[] = scan n c q r [body={PRODUCTS}, carry=1, consts=0, length=None, reverse=False, unroll=1]",
    "return c d e",
)
STATES = program(
    "a:f64[], b:f64[]",
    "c:f64[], n:i64[], k:i64[], t:tape[f64[]] = while_loop a b"
    f" [body={GROW}, checkpoint=2, cond={SMALL}, consts=1, saved=0, states=True]",
    "i:i64[] = add n k",
    "j:i64[] = sub i 1:i64",
    "m:i64[] = div j k",
    f"d:f64[] = scan m c t [body={COSINES}, carry=1, consts=0, length=None, reverse=False, unroll=1]",
    "return c d",
)
TAPE_REGION: list[Row] = [("f64[] f64[]", dict(graph=TAPED)), ("f64[] f64[]", dict(graph=STATES))]
CALLED: list[Row] = [("f64[] f64[]", dict(graph=graph, name="tapes")) for graph in (TAPED, STATES)]
