"""Looking into programs while they run: debug.print and debug.callback work in jit, in loops and under every transform; so do the
checks that debug.checked switches on.
"""

from __future__ import annotations

import builtins
import string
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from jitgrad_compiler.ir.builder import bind_all
from jitgrad_compiler.ops.effects import callback as callback_op

from .callbacks import prepare_call
from .config import CHECKS, config, during
from .errors import ArgumentError


def callback(callback: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any) -> None:
    """Call a Python function with concrete NumPy arrays each time that the program comes by; what it returns is dropped.

    Args:
        callback: called with `args` and `kwargs`, pytrees whose leaves are arrays; what is none, a string for example, is handed on
            as it is. An exception that it raises ends the program and is raised where that was called.
        ordered: for likeness with jax: calls always come in the order of the program.

    Under vmap it is called for every example; derivatives take no notice of it.

    >>> import jitgrad
    >>> seen = []
    >>> _ = jitgrad.jit(lambda x: (callback(lambda v: seen.append(float(v)), x * 2), x)[1])(1.5)
    >>> seen
    [3.0]
    """
    called = prepare_call("debug.callback", callback, (args, kwargs))
    bind_all(callback_op, *called.operands, callee=called.callee)


class _Printer:
    """Prints a format string; equal for equal strings, so that programs which print the same are the same."""

    __name__ = "print"

    def __init__(self, fmt: str) -> None:
        self.fmt = fmt

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        builtins.print(self.fmt.format(*args, **kwargs), flush=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Printer) and self.fmt == other.fmt

    def __hash__(self) -> int:
        return hash(self.fmt)


def print(fmt: str, *args: Any, ordered: bool = False, **kwargs: Any) -> None:
    """Print `fmt.format(*args, **kwargs)` with concrete values each time that the program comes by.

    Strings and other objects among the arguments are printed as they are. Use names in the braces, not f-strings: an f-string would
    print the traced value, once.

    >>> import jitgrad
    >>> _ = jitgrad.jit(lambda x: (print("x is {x}", x=x), x)[1])(1.5)
    x is 1.5
    """
    if not isinstance(fmt, str):
        raise ArgumentError(f"debug.print: the format must be a string, got {type(fmt).__name__}. Write print('{{}}', x).")
    _check_format(fmt, args, kwargs)
    callback(_Printer(fmt), *args, ordered=ordered, **kwargs)


def _check_format(fmt: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Whether the braces and the arguments fit, told at once and not in the middle of a program."""
    unused = set(range(len(args)))
    count = 0
    for _, field, _, _ in string.Formatter().parse(fmt):
        if field is None:
            continue
        name = field.split(".")[0].split("[")[0]
        if name == "":
            name, count = str(count), count + 1
        if name.isdigit():
            if int(name) >= len(args):
                raise ArgumentError(f"debug.print: {fmt!r} has a place for argument {name}, but there are {len(args)} of them")
            unused.discard(int(name))
        elif name not in kwargs:
            raise ArgumentError(f"debug.print: {fmt!r} has a place for {name!r}, but the keyword arguments are {sorted(kwargs)}")
    if unused:
        raise ArgumentError(f"debug.print: {fmt!r} has no place for argument {min(unused)}. Use {{}} for each.")


def checked(*kinds: str) -> AbstractContextManager[None]:
    """Inside this block programs raise an error where else NaN, or a value at another place, comes out in silence.

    kinds: "linalg": a matrix that is singular where it must not be, or not positive definite, raises SingularMatrixError, whose
    base is numpy.linalg.LinAlgError. "index": an index out of range raises IndexingError. Functions are traced anew inside the
    block, and check their numbers while they run, under jit, in loops and under vmap and grad, too.

    Raises ArgumentError for other kinds.

    >>> import numpy, jitgrad, jitgrad.numpy as jnp
    >>> with checked("linalg"):
    ...     try:
    ...         jitgrad.jit(jnp.linalg.cholesky)(-jnp.eye(2))
    ...     except numpy.linalg.LinAlgError:
    ...         print("not positive definite")
    not positive definite
    """
    unknown = [k for k in kinds if k not in CHECKS]
    if unknown or not kinds:
        raise ArgumentError(f"debug.checked: takes kinds of checks, among {', '.join(map(repr, CHECKS))}, got {kinds!r}")
    return during("checked", (*config.checked, *kinds))
