"""Every function of jitgrad.lax on random calls, as test_every_function.py does with jitgrad.numpy's: NumPy, eager and compiled
agree, types are exact, vmap is a loop, derivatives are those of finite differences. function_table.py says how each is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from tests.numpy.drawn_calls import Call
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import close, derivatives, each_call, flat, widened

from .function_table import ELSEWHERE, NUMPYS, ROWS

CASES = [(name, row) for row in ROWS for name in row.names.split()]


def cases(keep: Callable[[Row], bool]) -> Any:
    kept = [(name, row) for name, row in CASES if keep(row)]
    return pytest.mark.parametrize(("name", "row"), kept, ids=[f"{name} of {row.types}" for name, row in kept])


def narrow(results: list[np.ndarray], operands: list[np.ndarray]) -> list[np.ndarray]:
    """NumPy's results in the types of 16 bits that its operands, each or the first of them, were widened from."""
    given = operands if len(operands) == len(results) else operands[:1] * len(results)
    short = [widened(x).dtype != x.dtype and w.dtype == np.float32 for x, w in zip(given, results, strict=False)]
    return [w.astype(x.dtype) if s else w for x, w, s in zip(given, results, short, strict=True)] if given else results


@cases(lambda row: True)
def test_numpy_eager_compiled_and_batched_agree(name: str, row: Row) -> None:
    ours, numpys = row.ours or getattr(lax, name), row.reference or NUMPYS.get(name) or getattr(np, name)

    def check(call: Call) -> None:
        want = flat(call(numpys, *[widened(x) for x in call.operands]))
        got = flat(call(ours, *[jnp.array(x) for x in call.operands]))
        close(row, got, narrow(want, call.operands), call)
        if not call.operands:
            return
        close(row, flat(jitgrad.jit(lambda *xs: call(ours, *xs))(*call.operands)), got, f"compiled, {call}")
        batch = [np.stack([x, x[::-1] if x.ndim else x]) for x in call.operands]
        pairs = zip(*[flat(call(ours, *[jnp.array(x[i]) for x in batch])) for i in (0, 1)], strict=True)
        found = flat(jitgrad.vmap(lambda *xs: call(ours, *xs))(*batch))
        close(row, found, [np.stack(pair) for pair in pairs], f"vmap, {call}")

    each_call(name, row, check)


@cases(lambda row: row.smooth)
def test_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, replace(row, ours=row.ours or getattr(lax, name)), "float64")


@cases(lambda row: row.holomorphic)
def test_complex_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, replace(row, ours=row.ours or getattr(lax, name)), "complex128")


def test_every_function_has_a_row_or_a_reason() -> None:
    annotations = {"ConvGeneralDilatedDimensionNumbers", "DotDimensionNumbers", "PrecisionLike"}
    functions = {n for n in lax.__all__ if callable(getattr(lax, n)) and not isinstance(getattr(lax, n), type)} - annotations
    rows = {name for name, _ in CASES}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == functions, sorted((rows | reasons) ^ functions)
    assert not rows & reasons, sorted(rows & reasons)
