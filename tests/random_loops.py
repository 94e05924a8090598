"""Programs of nested scans, while loops and branches drawn at random, which run by lax or by Python's own loops.

A program changes a state of three values, float64 scalars, vectors or square matrices. Every body reads the states of all bodies
around it, by closing over them. Values stay bounded, and loops end after at most four steps, in numbers that depend on the values.
Bodies leave some values as they are, do some parts twice, and multiply matrices that depend on the slices alone, on nothing that
changes, or on no value at all: what the compiler moves out of loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import grad, jacfwd, vmap

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
    """A loop or a branch: `value` decides which way, or how often; `blocks` are its bodies, which leave the values of `same` as
    they are and are done twice where `twice` holds, for half of each result.
    """

    kind: str
    value: int
    blocks: tuple[Block, ...]
    option: Any
    same: frozenset[int] = frozenset()
    twice: bool = False


Block = tuple[Assign | Nested, ...]


def times(x: Any, y: Any) -> Any:
    """A product whose derivatives are products."""
    return x @ y if jnp.ndim(x) == 2 else x * y


def _curvature(x: Any) -> Any:
    """Second derivatives, which are made of nothing but numbers and indices."""
    if x.ndim != 2:
        return 1.0
    return vmap(jacfwd(grad(lambda v: 0.3 * jnp.dot(v, v))))(x)[0]


def _arithmetic(s: Assign, x: Any, y: Any, outer: Any) -> Any:
    if s.kind == "product":
        return jnp.tanh(x * y + 0.3 * outer)
    if s.kind == "sine":
        return jnp.sin(x + 1.5 * y) * jnp.cos(outer)
    if s.kind == "quotient":
        return x / (2.0 + y * y) + 0.1 * outer
    if s.kind == "matrices":
        return jnp.tanh(times(x, times(outer, y)) + 0.1)
    if s.kind == "outer":
        return 0.5 * jnp.cos(times(outer, outer + 0.2)) + 0.3 * x
    if s.kind == "curvature":
        return 0.4 * times(_curvature(outer), x) + 0.3 * y
    if s.kind == "row" and x.ndim:
        return x.at[0].set(0.5 * y[-1])
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
        def step(c: Any) -> Any:
            new = run(s.blocks[n], list(c), around, p)
            if s.twice:
                new = [0.5 * (a + b) for a, b in zip(new, run(s.blocks[n], list(c), around, p), strict=True)]
            return tuple(c[k] if k in s.same else v for k, v in enumerate(new))

        return step

    start, value = tuple(state), state[s.value]
    if s.kind == "cond":
        return list(p.cond(_number(value) > 1.0, body(0), body(1), start))
    if s.kind == "switch":
        return list(p.switch(jnp.floor(_number(value)).astype(int), [body(0), body(1), body(0)], start))
    if s.kind == "fori":

        def counted(i: Any, c: Any) -> Any:
            new = body(0)(c[0])
            return tuple(v if k in s.same else v + 0.01 * i for k, v in enumerate(new)), c[1].at[i].set(new[1] * c[2][i]), c[2]

        rows = jnp.stack([value * 0.1 * k for k in range(3)])
        last, made, _ = p.fori_loop(0, s.option, counted, (start, rows, rows + 1.0))
        return [*last[:2], jnp.tanh(last[2] + jnp.sum(made, 0))]
    if s.kind == "scan":
        length, reverse = s.option
        xs = jnp.stack([value * (0.5 + k) for k in range(length)])

        def sliced(c: Any, x: Any) -> Any:
            state, total = c
            new = body(0)(state)
            alone = jnp.tanh(times(x, 0.3 * x + 0.1))
            changed = tuple(v if k in s.same else v + 0.1 * times(alone, state[0]) for k, v in enumerate(new))
            return (changed, total + times(x, alone * new[0])), times(alone, new[1])

        (last, total), ys = p.scan(sliced, (start, 0.1 * value), xs, reverse=reverse)
        return [last[0], jnp.tanh(last[1] + 0.3 * total), jnp.tanh(last[2] + jnp.sum(ys, 0))]
    most = jnp.clip(jnp.floor(jnp.abs(_number(value))), 0, 4)
    _, last = p.while_loop(
        lambda c: (c[0] < most) & (jnp.sum(c[1][0]) < 3.0), lambda c: (c[0] + 1, body(0)(c[1])), (0, start), checkpoint=s.option
    )
    return list(last)


places = st.integers(0, WIDTH - 1)
assignments = st.builds(
    Assign, places, st.sampled_from(["product", "sine", "quotient", "sum", "matrices", "outer", "curvature", "row"]), places,
    places, st.integers(0, 4 * WIDTH),
)  # fmt: skip


def blocks(depth: int) -> st.SearchStrategy[Block]:
    """Blocks of one to four statements, nested so deep."""
    if depth == 0:
        return st.lists(assignments, min_size=1, max_size=4).map(tuple)
    inner = blocks(depth - 1)
    one, two = st.tuples(inner), st.tuples(inner, inner)
    same = st.sampled_from([(), (), (1,), (0, 2)]).map(frozenset)

    def a(kind: str, bodies: Any, option: Any) -> Any:
        return st.builds(Nested, st.just(kind), places, bodies, option, same, st.booleans())

    nested = st.one_of(
        a("cond", two, st.none()), a("switch", two, st.none()), a("scan", one, st.tuples(st.integers(1, 3), st.booleans())),
        a("fori", one, st.integers(0, 3)), a("while", one, st.sampled_from([None, None, 1, 2, "auto"])),
    )  # fmt: skip
    return st.tuples(assignments, nested, assignments) | st.tuples(nested, nested) | st.tuples(nested)


programs = st.tuples(blocks(1) | blocks(2) | blocks(2), st.sampled_from([(), (2,), (2, 2), (2, 2)]), st.integers(0, 10**6))
"""(block, shape of the values, seed of what they start with)."""
