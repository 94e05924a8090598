"""The checks of a table of functions outside jitgrad.numpy: a Row gives `ours` and `reference`; calls are drawn as those of
tests/numpy/function_table.py are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitgrad
from tests.numpy.drawn_calls import Call
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import close, derivatives, each_call, flat


def cases(rows: list[Row]) -> Any:
    """A test for each row."""
    return pytest.mark.parametrize("row", rows, ids=[f"{row.names} of {row.types}" for row in rows])


def eager_compiled_and_batched_agree(row: Row) -> None:
    """With the reference, and with each other."""
    ours, theirs = row.ours, row.reference
    assert ours is not None and theirs is not None

    def check(call: Call) -> None:
        want = flat(call(theirs, *call.operands))
        got = flat(call(ours, *[jitgrad.numpy.array(x) for x in call.operands]))
        close(row, got, want, call, types=False)
        for g, w in zip(got, want, strict=True):
            assert g.dtype.kind == w.dtype.kind or row.floats, f"{call}: {g.dtype} for {w.dtype}"
        if not row.traced or not call.operands:
            return
        close(row, flat(jitgrad.jit(lambda *xs: call(ours, *xs))(*call.operands)), got, f"compiled, {call}")
        batch = [np.stack([x, x * x.dtype.type(2)]) for x in call.operands]
        found = flat(jitgrad.vmap(lambda *xs: call(ours, *xs))(*batch))
        pairs = zip(*[flat(call(ours, *[jitgrad.numpy.array(x[i]) for x in batch])) for i in (0, 1)], strict=True)
        close(row, found, [np.stack(pair) for pair in pairs], f"vmap, {call}")

    each_call(row.names, row, check)


def derivatives_agree(row: Row, dtype: str) -> None:
    """With finite differences."""
    derivatives(row.names, row, dtype)
