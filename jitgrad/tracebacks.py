"""Errors without jitgrad's own frames: a traceback goes from the user's lines to the user's functions, and no further.

`boundary` marks a function that users call. From an exception that leaves one, and from its causes, the frames of this package, its
compiler and optree are taken out, unless `config.traceback_filtering` is "off". A call that raises nothing pays for one call more.
Results have no 64-bit elements where config.jax_enable_x64 is False (element_width.py).
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any, TypeVar

from . import errors
from .annotated import asked, checks_of
from .at_once import at_once
from .config import config
from .element_width import narrow_results
from .flags import check_flags, flags_of
from .own_frames import is_of_ours, is_ours
from .suggestions.called import name_call
from .suggestions.foreign import explain_call, explain_python

F = TypeVar("F", bound=Callable[..., Any])

PACKAGE = __name__.partition(".")[0]


def leave(error: BaseException) -> None:
    """What is done to an exception that leaves jitgrad, before a bare `raise`, which adds no frame."""
    if type(error) is TypeError:
        explain_python(error)
    mode = config.traceback_filtering
    if mode == "off":
        return
    if not isinstance(error, (errors.JitgradError, TypeError, ValueError)) and _raised_inside(error.__traceback__):
        error.add_note(NOTE)
    for e in _chain(error):
        if mode == "tracebackhide":
            _hide(e.__traceback__)
        else:
            e.__traceback__ = _users_part(e.__traceback__)


NOTE = "jitgrad's own frames are left out of this traceback; with JITGRAD_TRACEBACK_FILTERING=off it has them."


def _raised_inside(traceback: TracebackType | None) -> bool:
    """Whether the innermost frame is ours: then the error may be ours, too."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and is_ours(traceback.tb_frame.f_code.co_filename)


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and those that led to it."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        e = left.pop()
        if e is not None and e not in found:
            found.append(e)
            left += [e.__cause__, e.__context__]
    return found


def _users_part(traceback: TracebackType | None) -> TracebackType | None:
    kept = []
    while traceback is not None:
        if not is_ours(traceback.tb_frame.f_code.co_filename):
            kept.append(traceback)
        traceback = traceback.tb_next
    part: TracebackType | None = None
    for t in reversed(kept):
        part = TracebackType(part, t.tb_frame, t.tb_lasti, t.tb_lineno)
    return part


def _hide(traceback: TracebackType | None) -> None:
    """Mark our frames for IPython and pytest, which then do not show them."""
    while traceback is not None:
        if is_ours(traceback.tb_frame.f_code.co_filename):
            traceback.tb_frame.f_locals["__tracebackhide__"] = True
        traceback = traceback.tb_next


def boundary(f: F, inside: bool = False, known: bool = False, name: str | None = None) -> F:
    """f, as users call it, by `name` or its own. Frames have the name, too: errors tell which function a line called.

    `inside`: functions of this package call it, too, and their 64-bit numbers stay. `known`: users know it by its name, which
    errors that come about in it then have, unless another one calls it, whose name they have.
    """

    now, flags, checks = at_once(f), flags_of(f), checks_of(f)
    called = f.__name__ if name is None else name

    @functools.wraps(f)
    def entry(*args: Any, **kwargs: Any) -> Any:
        if now is not None:
            out = now(args, kwargs)
            if out is not None:
                return out
        try:
            if flags:
                check_flags(f, flags, args, kwargs)
            out = asked(f, called, checks, args, kwargs) if checks is not None else f(*args, **kwargs)
            return out if inside or config.jax_enable_x64 else narrow_results(out)
        except Exception as error:
            if type(error) is TypeError and _is_of_the_call(error.__traceback__):
                explain_call(error, f, called, args)
            elif known and is_of_ours(error.__traceback__) and not _is_called_by_known():
                name_call(error, f, called, args, kwargs)
            leave(error)
            raise

    if name is not None:
        entry.__name__ = entry.__qualname__ = name
    made: Any = entry
    made.__code__ = _named(made.__code__, entry.__name__, entry.__qualname__)
    return made


def _is_of_the_call(traceback: TracebackType | None) -> bool:
    """Whether the call itself failed: no frame of the function called stands behind."""
    if traceback is not None and (behind := traceback.tb_next) is not None and behind.tb_frame.f_code is asked.__code__:
        traceback = behind
    return traceback is not None and traceback.tb_next is None


def _is_called_by_known() -> bool:
    """Whether the boundary that asks was called by another one that users know by its name, with none of their frames between."""
    frame = sys._getframe(2)
    while frame is not None and is_ours(frame.f_code.co_filename):
        if frame.f_code.co_filename == __file__ and frame.f_locals.get("known"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


@functools.lru_cache(maxsize=4096)
def _named(code: CodeType, name: str, qualified: str) -> CodeType:
    return code.replace(co_name=name, co_qualname=qualified)


_made: dict[tuple[FunctionType, str], FunctionType] = {}
"""The boundaries of functions that modules list, by the name in their list, so that one that several list is one."""


def listed(module: ModuleType) -> list[str]:
    """The names of a module that are for users: those that it lists, or else those of its own functions."""
    mine = [n for n, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__]
    return getattr(module, "__all__", mine)


def boundaries(module: ModuleType, plain: Collection[str] = ()) -> None:
    """Make every public function of a module a boundary, but for `plain` ones, which are called inside all the time. It is known in
    that module from then on, by pickle, too.
    """
    for name in listed(module):
        f = vars(module).get(name)
        if not isinstance(f, FunctionType) or name.startswith("_") or name in plain or f.__code__.co_filename == __file__:
            continue
        if (f, name) not in _made:
            made = _made[f, name] = boundary(f, known=module.__name__ != PACKAGE, name=name)  # transforms name the one they are
            if f.__module__.startswith(module.__name__):
                made.__module__ = module.__name__
        setattr(module, name, _made[f, name])


def boundary_methods(cls: type, plain: Collection[str] = ()) -> None:
    """Make the methods of a class boundaries, its special ones included, but for the `plain` ones, which are called inside."""
    methods = {name: f for base in reversed(cls.__mro__[:-1]) for name, f in vars(base).items()}
    for name, f in methods.items():
        is_public = not name.startswith("_") or name.endswith("__")
        if isinstance(f, FunctionType) and is_public and name not in plain and is_ours(f.__code__.co_filename):
            called = None if f.__name__ == name else name
            setattr(cls, name, boundary(f, inside=name.startswith("__"), known=not name.startswith("__"), name=called))
