"""Calls of Python from inside programs: `callback` for what it does, `io_callback` for that and its results, `pure_callback` for
its results alone.

Effects are neither shared nor dropped, and keep their order. An equation holds its HostFunction, and with it what the user gave; it
prints and pickles as its token, which is read back in this process alone, and as long as somebody holds it.
"""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..ir.graph import JVP, Deferred, Op
from ..ir.types import NAMES, ArrayType, DType
from .define import zero_jvp

Results = tuple[tuple[tuple[int, ...], DType], ...]
"""Shapes and element types of what a function gives."""


class HostFunction(Deferred):
    """A Python function of arrays, which gives as many arrays as the equation has results."""

    runs = True

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__(name)
        self.function = function
        self._sites: dict[Any, _Site] = {}

    def __reduce__(self) -> Any:
        return _of_token, (self.token, _PROCESS)

    def site(self, types: tuple[ArrayType, ...], results: Results = ()) -> int:
        """A number by which compiled code calls it with operands of these types: good as long as this object lives."""
        key = (types, results)
        if key not in self._sites:
            self._sites[key] = made = _Site(self.function, types, results)
            _sites[made.number] = made
        return self._sites[key].number


_PROCESS = os.urandom(16)
"""Tells this process from others, whose tokens may be the same."""


def _of_token(token: str, process: bytes) -> Deferred:
    """What was pickled; in place of what is not here a function that says so when it is called."""
    found = Deferred.tokens.get(token) if process == _PROCESS else None
    if found is None:
        found = HostFunction(token.rpartition("#")[0], partial(_absent, token))
    return found


def _absent(token: str, *arrays: Any) -> None:
    raise KeyError(f"callback: this process has no function of the token {token}")


class _Site:
    def __init__(self, function: Callable[..., Any], types: tuple[ArrayType, ...], results: Results) -> None:
        self.number = next(_numbers)
        self.function, self.types, self.results = function, types, results


_numbers = itertools.count()
_sites: weakref.WeakValueDictionary[int, _Site] = weakref.WeakValueDictionary()
_functions: weakref.WeakValueDictionary[Any, HostFunction] = weakref.WeakValueDictionary()


def host_function(key: Any, name: str, function: Callable[..., Any]) -> HostFunction:
    """The HostFunction of a key, so that programs that call the same are equal; made of `function` where there is none alive."""
    found = _functions.get(key)
    if found is None:
        found = _functions[key] = HostFunction(name, function)
    return found


class Call(NamedTuple):
    """What compiled code calls at a site."""

    function: Callable[..., Any]
    types: tuple[ArrayType, ...]
    results: Results


def at_site(number: int) -> Call:
    site = _sites[number]
    return Call(site.function, site.types, site.results)


def checked(name: str, results: Results, given: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """What a function gave, as arrays of the types that were promised, in memory of their own. Python's numbers take any type."""
    made = []
    for n, ((shape, dtype), x) in enumerate(zip(results, given, strict=True)):
        wanted = dtype.numpy
        array = np.asarray(x, wanted if isinstance(x, (bool, int, float, complex)) else None)
        if array.shape != shape or array.dtype != wanted:
            raise TypeError(
                f"{name}: result {n} of the function must be {wanted}{list(shape)} as result_shape_dtypes says, got "
                f"{array.dtype}{list(array.shape)}. Return it in that shape and type, with .astype for example."
            )
        made.append(np.array(array, order="C"))
    return made


def _function_of(callee: Any) -> Callable[..., Any]:
    return callee.function if isinstance(callee, HostFunction) else partial(_absent, callee)


def _callback(*arrays: Any, callee: Any) -> Sequence[Any]:
    _function_of(callee)(*[np.array(a) for a in arrays])
    return []


def _result_types(*types: ArrayType, results: Results, **params: Any) -> tuple[ArrayType, ...]:
    return tuple(ArrayType(shape, dtype) for shape, dtype in results)


def _io_callback(*arrays: Any, callee: Any, results: Results) -> Sequence[Any]:
    return checked("io_callback", results, _function_of(callee)(*[np.array(a) for a in arrays]))


def _pure_callback(*arrays: Any, callee: Any, results: Results, method: str | None) -> Sequence[Any]:
    return checked("pure_callback", results, _function_of(callee)(*[np.array(a) for a in arrays]))


NO_DERIVATIVE = "it is a function of Python, which cannot be looked into; a custom_jvp or custom_vjp around it can say what it is"

callback = Op(
    "callback", lambda *types, callee: (), _callback, computes=False, in_registers=True, effect=True,
    doc="A Python function called with the operands; it gives nothing back, and derivatives take no notice of it.",
)  # fmt: skip
JVP[callback] = zero_jvp(callback)
io_callback = Op(
    "io_callback", _result_types, _io_callback, computes=False, effect=True, no_derivative=NO_DERIVATIVE,
    doc="A Python function called with the operands, for what it does and what it gives.",
)  # fmt: skip
pure_callback = Op(
    "pure_callback", _result_types, _pure_callback, computes=False, no_derivative=NO_DERIVATIVE,
    doc="A Python function of the operands that only gives results: it may be called more or less often than it is written.",
)  # fmt: skip


def result_of(x: Any) -> tuple[tuple[int, ...], DType]:
    """The entry of `Results` of something with a shape and a dtype."""
    return tuple(int(n) for n in x.shape), NAMES[np.dtype(x.dtype)]
