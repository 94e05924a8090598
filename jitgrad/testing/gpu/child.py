"""What runs in a process of a part: its checks from a number on, each told as lines of JSON before and after."""

from __future__ import annotations

import itertools
import json
import sys
import time
import traceback
from typing import Any

from jitgrad.errors import DeviceFault

from .checks import NotRun
from .parts import PARTS

FAULTED = 3
"""What the process ends with where the device can't be used any more by it."""


def tell(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def run_part(name: str, first: int, step: int) -> int:
    """The checks of a part from one on, by steps; the process's exit code."""
    for check in itertools.islice(PARTS[name].checks(), first, None, step):
        tell({"begin": check.name})
        begun = time.perf_counter()
        outcome: dict[str, Any] = {}
        fault = False
        try:
            outcome = {"ok": True, **(check.run() or {})}
        except NotRun as missing:
            outcome = {"ok": None, "not_run": str(missing)}
        except NotImplementedError as refused:  # a program that says that it runs on the processor alone
            outcome = {"ok": None, "refused": str(refused).splitlines()[0]}
        except Exception as error:
            fault = isinstance(error, DeviceFault) or isinstance(error.__cause__, DeviceFault)
            outcome = {"ok": False, "error": f"{type(error).__name__}: {error}", "where": _where(error)}
        tell({"check": check.name, "seconds": round(time.perf_counter() - begun, 3), **outcome})
        if fault:
            return FAULTED
    tell({"end": name})
    return 0


def count_of(name: str) -> int:
    """How many checks a part has."""
    return sum(1 for _ in PARTS[name].checks())


def _where(error: Exception) -> str:
    """The last line of the library's where an error came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "jitgrad" in f.filename]
    last = frames[-1] if frames else None
    return f"{last.filename}:{last.lineno}" if last else ""


def describe(device: str) -> int:
    """Tell what the device is, or fail with what keeps it from being used."""
    from .device import description

    try:
        tell(description(device))
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0
