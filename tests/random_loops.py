"""Programs of nested scans, while loops and branches drawn at random, which run by lax or by Python's own loops.

A program changes a state of three values, float64 scalars or vectors. Every body reads the states of all bodies around it, by
closing over them. Values stay bounded, and loops end after at most four steps, in numbers that depend on the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import jitgrad.numpy as jnp

WIDTH = 3
State = list[Any]


@dataclass(frozen=True)
class Assign:
    """One value made of two others and of one of the values around."""

    target: int
    kind: str
    a: int
    b: int
    outer: int


@dataclass(frozen=True)
class Nested:
    """A loop or a branch: `value` decides which way, or how often; `blocks` are its bodies."""

    kind: str
    value: int
    blocks: tuple[Block, ...]
    option: Any


Block = tuple[Assign | Nested, ...]


def _arithmetic(s: Assign, x: Any, y: Any, outer: Any) -> Any:
    if s.kind == "product":
        return jnp.tanh(x * y + 0.3 * outer)
    if s.kind == "sine":
        return jnp.sin(x + 1.5 * y) * jnp.cos(outer)
    if s.kind == "quotient":
        return x / (2.0 + y * y) + 0.1 * outer
    return 0.5 * x - 0.7 * jnp.sin(y) + 0.2


def _number(x: Any) -> Any:
    """A number that branches are chosen by, far from where it would jump."""
    return jnp.sum(x) * 7.3


def run(block: Block, state: State, around: State, p: Any) -> State:
    """The state after the block, by the loops of p: jitgrad.lax, or `Python` in loops_and_twins.py."""
    state = list(state)
    for s in block:
        if isinstance(s, Assign):
            outer = [*around, *state][s.outer % (len(around) + WIDTH)]
            state[s.target] = _arithmetic(s, state[s.a], state[s.b], outer)
        else:
            state = _nested(s, state, [*around, *state], p)
    return state


def _nested(s: Nested, state: State, around: State, p: Any) -> State:
    def body(n: int) -> Any:
        return lambda c: tuple(run(s.blocks[n], list(c), around, p))

    start, value = tuple(state), state[s.value]
    if s.kind == "cond":
        return list(p.cond(_number(value) > 1.0, body(0), body(1), start))
    if s.kind == "switch":
        return list(p.switch(jnp.floor(_number(value)).astype(int), [body(0), body(1), body(0)], start))
    if s.kind == "fori":
        return list(p.fori_loop(0, s.option, lambda i, c: tuple(v + 0.01 * i for v in body(0)(c)), start))
    if s.kind == "scan":
        length, reverse = s.option
        xs = jnp.stack([value * (0.5 + k) for k in range(length)])

        def step(c: Any, x: Any) -> Any:
            new = body(0)(c)
            return (new[0] + 0.1 * x, *new[1:]), new[1] * x

        last, ys = p.scan(step, start, xs, reverse=reverse)
        return [*last[:2], jnp.tanh(last[2] + jnp.sum(ys, 0))]
    most = jnp.clip(jnp.floor(jnp.abs(_number(value))), 0, 4)
    _, last = p.while_loop(
        lambda c: (c[0] < most) & (jnp.sum(c[1][0]) < 3.0), lambda c: (c[0] + 1, body(0)(c[1])), (0, start), checkpoint=s.option
    )
    return list(last)


places = st.integers(0, WIDTH - 1)
assignments = st.builds(
    Assign, places, st.sampled_from(["product", "sine", "quotient", "sum"]), places, places, st.integers(0, 4 * WIDTH)
)


def blocks(depth: int) -> st.SearchStrategy[Block]:
    """Blocks of one to three statements, nested so deep."""
    if depth == 0:
        return st.lists(assignments, min_size=1, max_size=2).map(tuple)
    inner = blocks(depth - 1)
    one, two = st.tuples(inner), st.tuples(inner, inner)
    nested = st.one_of(
        st.builds(Nested, st.just("cond"), places, two, st.none()), st.builds(Nested, st.just("switch"), places, two, st.none()),
        st.builds(Nested, st.just("scan"), places, one, st.tuples(st.integers(1, 3), st.booleans())),
        st.builds(Nested, st.just("fori"), places, one, st.integers(0, 3)),
        st.builds(Nested, st.just("while"), places, one, st.sampled_from([None, None, 1, 2, "auto"])),
    )  # fmt: skip
    return st.tuples(assignments, nested, assignments) | st.tuples(nested, nested) | st.tuples(nested)


programs = st.tuples(blocks(1) | blocks(2) | blocks(2), st.sampled_from([(), (2,)]), st.integers(0, 10**6))
"""(block, shape of the values, seed of what they start with)."""
