"""What several threads ask for at the same time is made once: the others wait for the thread that began.

A thread that is making something never waits, but makes what it lacks itself: it might wait for somebody who waits for it. An
exception is the business of the thread that it is raised in; those that waited then try themselves.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from typing import Any

_turns: dict[Hashable, threading.Event] = {}
"""What is being made now, by its key; the event is set when that has ended. `setdefault` and `pop` of a dict are atomic, so
there is no lock, which a fork on another thread or the collector could find taken.
"""
os.register_at_fork(after_in_child=_turns.clear)  # the threads whose turns these are do not exist there


class _Here(threading.local):
    making = 0
    """How many things this thread is making, one inside the other."""


_here = _Here()


def once(key: Hashable, find: Callable[[], Any], make: Callable[[], Any]) -> Any:
    """What `find` gives, or where that is None what `make` gives; `make` leaves it where `find` looks, if others may use it."""
    while (found := find()) is None:
        mine = threading.Event()
        turn = _turns.setdefault(key, mine)
        if turn is mine:
            return _take_turn(key, mine, find, make)
        if _here.making:
            return make()
        turn.wait()
    return found


def _take_turn(key: Hashable, turn: threading.Event, find: Callable[[], Any], make: Callable[[], Any]) -> Any:
    _here.making += 1
    try:
        found = find()  # the turn before may have ended since we looked
        return make() if found is None else found
    finally:
        _here.making -= 1
        _turns.pop(key, None)
        turn.set()
