"""Which frames of a traceback are this package's, its compiler's or optree's, and which errors came about in these alone."""

from __future__ import annotations

import functools
import os
from types import TracebackType

import numpy as np
import optree

import jitgrad_compiler

from . import errors

_OURS = tuple(os.path.dirname(os.path.abspath(str(m.__file__))) + os.sep for m in (errors, jitgrad_compiler, optree))
_NUMPYS = tuple(os.path.join(os.path.dirname(os.path.dirname(np.__file__)), name) + os.sep for name in ("numpy", "scipy"))
_PYTHONS = os.path.dirname(os.__file__) + os.sep


@functools.lru_cache(maxsize=4096)
def is_ours(filename: str) -> bool:
    return os.path.abspath(filename).startswith(_OURS)


def is_of_ours(traceback: TracebackType | None) -> bool:
    """Whether an error came about in this package, or in Python's library, NumPy or SciPy, which it called, and in no function of
    the user's.
    """
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        pythons = filename.startswith((_PYTHONS, "<frozen ")) and "site-packages" not in filename
        if not (pythons or is_ours(filename) or filename.startswith(("<__array_function__", *_NUMPYS))):
            return False
        traceback = traceback.tb_next
    return True
