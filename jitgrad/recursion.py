"""Python's limit of recursion counts frames of ours among the user's; here they are not counted, within bounds."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 16
"""Frames of ours between a traced function and a jitted one that it calls, at most."""
MOST = 500
"""So often the limit is raised: a function that calls itself for ever still ends in a RecursionError."""


class _Raised:
    times = 0


@contextmanager
def own_frames() -> Iterator[None]:
    """Inside, the limit is higher by what a call of a jitted function takes."""
    if _Raised.times >= MOST:
        yield
        return
    _Raised.times += 1
    sys.setrecursionlimit(sys.getrecursionlimit() + FRAMES)
    try:
        yield
    finally:
        _Raised.times -= 1
        sys.setrecursionlimit(sys.getrecursionlimit() - FRAMES)
