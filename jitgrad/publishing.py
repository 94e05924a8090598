"""What every module for users ends with: its functions become boundaries, and a name that it lacks says what to use instead."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

from .annotated import check_annotations
from .at_once import replayed
from .construction import check_constructors
from .missing import missing
from .tracebacks import boundaries, listed


def public(
    name: str,
    plain: Collection[str] = (),
    later: Sequence[str] = (),
    replays: bool = False,
    ambient: Collection[str] = (),
    constructors: bool = False,
    arguments: bool = False,
) -> None:
    """Finish a module. `plain` functions, which are called inside all the time, stay as they are; submodules in `later` are
    imported when they are first asked for, and finish themselves. `replays`: its functions may be replayed (at_once.py), but for
    those that depend on what is around a call, the `ambient` ones. `constructors`: those of its classes
    take what their annotations say; `arguments`: its functions do.
    """
    module: Any = sys.modules[name]
    for function in [vars(module).get(n) for n in listed(module) if n not in ambient] if replays else ():
        replayed(function)
    if constructors:
        check_constructors(module)
    for function in [vars(module).get(n) for n in listed(module) if n not in plain] if arguments else ():
        check_annotations(function)
    boundaries(module, plain)
    module.__getattr__ = missing(name, later)
    if later:
        module.__dir__ = lambda: sorted({*vars(module), *later})
