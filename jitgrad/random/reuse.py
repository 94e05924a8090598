"""`config.debug_key_reuse`: an error where a key that was used up is used once more. Next on the path: `programs.py`.

A key object is noted where a draw or a split takes it, with the line and the body that was being traced, if one was: the branches
of a cond, and a body that is traced again, may each take the same one. A key that a compiled function took is not followed into it.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from jitgrad.errors import KeyReuseError
from jitgrad_compiler.ir.builder import state, user_source
from jitgrad_compiler.ir.graph import Source

HARMLESS = ("fold_in",)
"""What may be done to one key again and again, with other numbers."""

_used: dict[tuple[int, int], tuple[str, Source]] = {}


def use_up(where: str, key: Any) -> None:
    """Note that a function uses up a raw key, the object itself; raise KeyReuseError where one did before."""
    if where in HARMLESS:
        return
    mark = (id(key), id(state.staging))
    before = _used.get(mark)
    if before is not None:
        raise KeyReuseError(
            f"random.{where}: this key was used up by random.{before[0]}{_line(before[1])}, and is used again"
            f"{_line(user_source())}. A key serves one draw or one split: make a new one for each with jitgrad.random.split, or "
            "take jitgrad.random.clone(key) to draw the same numbers on purpose."
        )
    _used[mark] = (where, user_source())
    for one in (key, state.staging):
        if one is not None:
            weakref.finalize(one, _used.pop, mark, None)


def _line(source: Source) -> str:
    return f" at {os.path.basename(source[0])}:{source[1]}" if source else ""
