"""The gate to BLAS and LAPACK: where SciPy's routines start in this process, by the names that machine code declares.

SciPy lends them to Cython in capsules, `scipy.linalg.cython_lapack.__pyx_capi__`; it is imported when a program needs the first.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterable
from typing import Any

PREFIX = "scipy."
"""Of names that stand for SciPy's routines: scipy.lapack.dpotrf, scipy.blas.dtrsm."""
_MODULES = {"lapack": "scipy.linalg.cython_lapack", "blas": "scipy.linalg.cython_blas"}
_THREADS = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads", "scipy_openblas_{}_num_threads64_")


def routine(library: str, name: str) -> str:
    """The symbol of a routine of "lapack" or "blas"."""
    return f"{PREFIX}{library}.{name}"


def addresses(symbols: Iterable[str]) -> dict[str, int]:
    """Where the routines among some symbols start."""
    return {s: _address(*s.removeprefix(PREFIX).split(".")) for s in symbols if s.startswith(PREFIX)}


def _address(library: str, name: str) -> int:
    capsule = _library(library).__pyx_capi__[name]
    python = ctypes.pythonapi
    python.PyCapsule_GetName.restype, python.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    found: int = python.PyCapsule_GetPointer(capsule, python.PyCapsule_GetName(capsule))
    return found


def _library(name: str) -> Any:
    return importlib.import_module(_MODULES[name])


def thread_functions() -> tuple[int, int] | None:
    """Where OpenBLAS's functions start that give and set how many threads it works on; None of another library."""
    library = ctypes.CDLL(_library("lapack").__file__)  # names are looked for in what it is linked to, too
    for name in _THREADS:
        try:
            found = [getattr(library, name.format(word)) for word in ("get", "set")]
        except AttributeError:
            continue
        get, set = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in found)
        return get, set
    return None
