"""Settings, assignable at any time: `jitgrad.config.num_threads = 4`, or by name: `jitgrad.config.update("num_threads", 4)`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NamedTuple


class Setting(NamedTuple):
    """How a setting begins, what it takes, and whether traced programs depend on it."""

    start: Callable[[], Any]
    check: Callable[[str, Any], Any]
    """From the setting's name and what it is given to what is kept; raises ValueError."""
    traced: bool = False


def _count(name: str, n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"config.{name} must be an integer of at least 1, got {n!r}")
    return n


def _float_type(name: str, value: Any) -> str:
    word = getattr(value, "__name__", str(value))
    if word not in ("float32", "float64"):
        raise ValueError(f"config.{name} must be 'float32' or 'float64', got {word!r}")
    return word


def _switch(name: str, value: Any) -> bool:
    if value not in (True, False):
        raise ValueError(f"config.{name} must be True or False, got {value!r}")
    return bool(value)


FILTERING = ("auto", "remove_frames", "quiet_remove_frames", "tracebackhide", "off")


def _filtering(name: str, value: Any) -> str:
    if value not in FILTERING:
        raise ValueError(f"config.{name} must be one of {', '.join(map(repr, FILTERING))}, got {value!r}")
    return str(value)


def _threads_from_environment() -> int:
    given = os.environ.get("JITGRAD_NUM_THREADS", "")
    if given:
        if not given.isdigit() or int(given) < 1:
            raise ValueError(f"JITGRAD_NUM_THREADS must be an integer of at least 1, got {given!r}")
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SETTINGS = {
    "num_threads": Setting(_threads_from_environment, _count),
    "default_float": Setting(lambda: "float32", _float_type, traced=True),
    "disable_jit": Setting(lambda: False, _switch),
    "contract_products": Setting(lambda: True, _switch, traced=True),
    "traceback_filtering": Setting(lambda: os.environ.get("JITGRAD_TRACEBACK_FILTERING", "auto"), _filtering),
    "debug_nans": Setting(lambda: False, _switch, traced=True),
    "debug_infs": Setting(lambda: False, _switch, traced=True),
}
ALIASES = {f"jax_{name}": name for name in ("disable_jit", "debug_nans", "debug_infs", "traceback_filtering")}
"""jax's names of settings that are here under another one."""


class Config:
    """num_threads: how many threads run a program (1 or more, also above the cores; results do not depend on it).
    default_float: "float32" or "float64", the type of floats made without a type.
    disable_jit: run jitted functions eagerly, equation by equation, for debugging.
    contract_products: let small compiled loops round a product together with the sum that reads it, and join constant factors, as C
    compilers do; what cancels, overflows or underflows as it is written still does. False: every operation rounds by itself.
    traceback_filtering: "auto" leaves jitgrad's own frames out of tracebacks, "off" shows them, "tracebackhide" marks them for
    IPython and pytest; it begins as JITGRAD_TRACEBACK_FILTERING says.
    debug_nans, debug_infs: raise InvalidValueError, a FloatingPointError, where an operation or a program gives a NaN or an
    infinity, naming the operation. Programs run slower then.

    A name that is no setting raises AttributeError, a value that a setting does not take ValueError.

    >>> config = Config()
    >>> config.num_threads = 2
    >>> config.update("jax_disable_jit", True)
    >>> config.num_threads, config.disable_jit
    (2, True)
    """

    num_threads: int
    default_float: str
    disable_jit: bool
    contract_products: bool
    traceback_filtering: str
    debug_nans: bool
    debug_infs: bool
    traced: tuple[Any, ...]
    """The values of the settings that traced programs depend on: part of every program's key."""

    def __init__(self) -> None:
        self.__dict__["_listeners"] = {}
        self.__dict__.update({name: setting.start() for name, setting in SETTINGS.items()})
        self._note_traced()

    def update(self, name: str, value: Any) -> None:
        """Set a setting by its name, jitgrad's or jax's."""
        setattr(self, name, value)

    def listen(self, name: str, listener: Callable[[Any], None]) -> None:
        """Call `listener` with a setting's value, now and whenever it is set."""
        self.__dict__["_listeners"].setdefault(name, []).append(listener)
        listener(getattr(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        known = ALIASES.get(name, name)
        setting = SETTINGS.get(known)
        if setting is None:
            raise self._unknown(name)
        self.__dict__[known] = setting.check(name, value)
        if setting.traced:
            self._note_traced()
        for listener in self.__dict__["_listeners"].get(known, ()):
            listener(self.__dict__[known])

    def __getattr__(self, name: str) -> Any:
        if name in ALIASES:
            return self.__dict__[ALIASES[name]]
        raise self._unknown(name)

    def _note_traced(self) -> None:
        self.__dict__["traced"] = tuple(self.__dict__[name] for name, setting in SETTINGS.items() if setting.traced)

    def _unknown(self, name: str) -> AttributeError:
        names = [*SETTINGS, *ALIASES]
        near = get_close_matches(name, names, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}."
        return AttributeError(f"config has no setting {name!r}; {hint}")


config = Config()


@contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Inside this block jitted functions run eagerly, so that print, pdb and Python's `if` see concrete numbers.

    >>> import jitgrad
    >>> with jitgrad.disable_jit():
    ...     print(jitgrad.jit(lambda x: x * 2 if x > 0 else x)(3.0))
    6.0
    """
    before, config.disable_jit = config.disable_jit, disable
    try:
        yield
    finally:
        config.disable_jit = before
