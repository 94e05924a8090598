"""Where compiled code calls Python functions: `jitgrad_call_python(site, addresses of operands and results, state of the run)`.

An exception does not pass through native code: it is kept, the run's state says to stop, and it is raised where the program was
called.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from ..ops.effects import at_site, checked
from ..targets.tasks.callbacks import CALL_PYTHON

_raised: dict[int, BaseException] = {}
"""By the address of the state of the run that they ended."""
_TYPE = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


def _call(number: int, table: int, state: int) -> None:
    try:
        call = at_site(number)
        addresses = (ctypes.c_void_p * (len(call.types) + len(call.results))).from_address(table)
        arrays = []
        for address, t in zip(addresses, call.types, strict=False):
            data = ctypes.string_at(address, t.size * t.dtype.nbytes)
            arrays.append(np.frombuffer(data, t.dtype.numpy).reshape(t.shape).copy())
        given = call.function(*arrays)
        if call.results:
            for address, array in zip(addresses[len(call.types) :], checked("callback", call.results, given), strict=True):
                ctypes.memmove(address or 0, array.ctypes.data, array.nbytes)
    except BaseException as error:
        _raised[state] = error
        ctypes.c_int64.from_address(state).value = 1


_native = _TYPE(_call)


@cache
def symbols() -> dict[str, int]:
    """The address of `jitgrad_call_python`."""
    return {CALL_PYTHON: ctypes.cast(_native, ctypes.c_void_p).value or 0}


def taken(state: int) -> BaseException | None:
    """The exception that ended the run with this state, handed over."""
    return _raised.pop(state, None)
