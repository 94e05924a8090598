"""The least bytes that part what can't be computed again from what is read: a minimum cut of values. Asked by recompute.py."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container, Sequence

from ..ir.graph import Eqn, Var

Node = tuple[Var, bool] | None
"""A value as it is made, and, True, as it is handed on; None: the source, that makes what can't be computed again."""


def least_cut(sinks: Sequence[Var], definition: Callable[[Var], Eqn | None], there: Container[Var]) -> set[Var]:
    """The values to keep, so that the sinks can be computed from them; of equal cuts the one nearest to the sinks.

    A maximum flow along shortest paths (Edmonds and Karp, 1972), one sink after another, for few share much.

    Args:
        sinks: what is read.
        definition: how a value is computed again; None where it can't be.
        there: what is in memory anyway, and part of no cut.
    """
    room: dict[Node, dict[Node, float]] = {}
    """For each node those before it, and how much more can flow from there."""

    def before(node: Node) -> dict[Node, float]:
        if node not in room:
            room[node] = {} if node is None else _first(*node, definition, there)
        return room[node]

    def search(start: Node) -> dict[Node, Node]:
        """For each node from which more can flow to the start the next one on the way."""
        following: dict[Node, Node] = {start: start}
        waiting = deque([start])
        while waiting and None not in following:
            node = waiting.popleft()
            for other, more in before(node).items():
                if more > 0 and other not in following:
                    following[other] = node
                    waiting.append(other)
        return following

    for v in sinks:
        end = (v, True)
        while None in (way := search(end)):
            path: list[Node] = [None]
            while path[-1] != end:
                path.append(way[path[-1]])
            steps = list(zip(path, path[1:], strict=False))
            flow = min(before(b)[a] for a, b in steps)
            for a, b in steps:
                before(b)[a] -= flow
                before(a)[b] = before(a).get(b, 0) + flow
    beyond = {node for v in sinks for node in search((v, True)) if node is not None}
    return {v for v, on in beyond if on and (v, False) not in beyond and v not in there}


def _first(v: Var, on: bool, definition: Callable[[Var], Eqn | None], there: Container[Var]) -> dict[Node, float]:
    """What can flow to a node at first."""
    e = definition(v)
    if not on:
        return {None: math.inf} if e is None else {(a, True): math.inf for a in e.inputs if isinstance(a, Var)}
    if v in there:
        return {}
    return {(v, False): math.inf if e is not None and e.op.traits.free else float(v.type.nbytes)}
