"""Constructors of public classes take what their annotations say: `LayerNorm(8, eps="small")` would fail at the first call, far
from its cause, and `EarlyStopping(restore_best_weights="no")` would mean True.

Layers' are asked for by their metaclass (nn/module.py), those of other classes by the module that lists them (publishing.py).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from .errors import JitgradError, ParametersError, shown
from .own_frames import is_of_ours
from .suggestions.arguments import misfit
from .suggestions.called import name_call
from .tracebacks import leave, listed

_OURS = __name__.partition(".")[0] + "."


def construct(
    name: str,
    cls: type,
    init: Any,
    make: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    inner: bool = False,
) -> Any:
    """make(*args, **kwargs), by which `init` makes a cls, a `name`; `inner` where it was called by the constructor of a subclass.

    Raises ParametersError where an argument is of no kind that its parameter takes, unless the constructor has raised an error of
    its own, by its name. Constructors of users take what they like.
    """
    try:
        made = make(*args, **kwargs)
    except Exception as error:
        if not isinstance(error, JitgradError) or name not in error.message:
            _check(name, cls, init, args, kwargs)
        told = not isinstance(error, JitgradError) and name in " ".join([str(error), *getattr(error, "__notes__", ())])
        if not inner and _is_ours(init) and is_of_ours(error.__traceback__) and not told:
            name_call(error, init, name, (None, *args), kwargs)
        raise
    _check(name, cls, init, args, kwargs)
    return made


def _check(name: str, cls: type, init: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if _is_ours(init):
        made = hasattr(cls, "__signature__")  # a class that a factory made of a function, whose options it takes
        wrong = misfit(cls, args, kwargs, lists=True) if made else misfit(init, (None, *args), kwargs, lists=True)
        if wrong is not None:
            raise ParametersError(f"{name}: {wrong.name} must be {wrong.takes}, got {shown(wrong.value)}") from None


def _is_ours(init: Any) -> bool:
    return isinstance(init, FunctionType) and str(init.__module__).startswith(_OURS)


def check_constructors(module: ModuleType) -> None:
    """Have the constructors of a module's public classes check what they are given."""
    for name in listed(module):
        cls: Any = vars(module).get(name)
        init = inspect.getattr_static(cls, "__init__") if isinstance(cls, type) and cls.__module__.startswith(_OURS) else None
        if _is_ours(init):
            cls.__init__ = _checking(cls, inspect.unwrap(cls.__init__))


def _checking(cls: type, init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made = type(self) if type(self).__module__.startswith(_OURS) else cls
        inner = made is type(self) and inspect.unwrap(made.__init__) is not init
        try:
            construct(made.__name__, cls, init, functools.partial(init, self), args, kwargs, inner)
        except Exception as error:
            leave(error)
            raise

    return __init__
