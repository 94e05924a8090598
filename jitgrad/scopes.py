"""Names for parts of a program, and parts of a traced function that are computed while it is traced."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jitgrad_compiler.ir.builder import state

from .errors import ArgumentError


@contextmanager
def named_scope(name: str) -> Iterator[None]:
    """For likeness with jax, which shows the name in profiles: programs here show the user's lines instead. A decorator, too.

    >>> with named_scope("encoder"):
    ...     pass
    """
    if not isinstance(name, str):
        raise ArgumentError(f"named_scope: the name must be a string, got {type(name).__name__}")
    yield


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """fun under another name, or its own; what it does is the same."""

    @functools.wraps(fun)
    def named(*args: Any, **kwargs: Any) -> Any:
        return fun(*args, **kwargs)

    named.__name__ = name or str(getattr(fun, "__name__", type(fun).__name__))
    return named


@contextmanager
def ensure_compile_time_eval() -> Iterator[None]:
    """Inside, operations on concrete arrays are done at once, also while a function is traced, so that Python's `if` sees numbers.
    What depends on traced values is traced as ever.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> @jitgrad.jit
    ... def f(x):
    ...     with ensure_compile_time_eval():
    ...         n = int(jnp.sum(jnp.arange(4)))
    ...     return x * n
    >>> print(f(2.0))
    12.0
    """
    before, state.staging = state.staging, None
    try:
        yield
    finally:
        state.staging = before
