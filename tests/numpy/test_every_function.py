"""Every function of jitgrad.numpy on random calls: NumPy, eager and compiled agree, vmap is a loop, derivatives
are those of finite differences. function_table.py says how each is called; JITGRAD_EXAMPLES=200 tries more calls,
JITGRAD_SEED=1 others.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.testing import check_grads

from .drawn_calls import Call, Draw
from .function_table import ELSEWHERE, ROWS, Row

EXAMPLES = int(os.environ.get("JITGRAD_EXAMPLES", "2"))
SEED = int(os.environ.get("JITGRAD_SEED", "0"))
CASES = [(name, row) for row in ROWS for name in row.names.split()]


def cases(keep: Callable[[Row], bool]) -> Any:
    kept = [(name, row) for name, row in CASES if keep(row)]
    return pytest.mark.parametrize(("name", "row"), kept, ids=[f"{name} of {row.types}" for name, row in kept])


def named(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def each_call(name: str, row: Row, check: Callable[[Call], None], apart: str | None = None) -> None:
    """The same random calls of a function in every run."""

    @seed(zlib.crc32(name.encode()) + SEED)
    @settings(max_examples=EXAMPLES, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: Any) -> None:
        check(row.draw(Draw(data.draw, row.types, apart, row.edges)))

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        run()


def flat(out: Any) -> list[np.ndarray]:
    return [leaf for part in out for leaf in flat(part)] if isinstance(out, (list, tuple)) else [np.asarray(out)]


def kind(dtype: np.dtype) -> str:
    return "f" if dtype == jnp.bfloat16 else dtype.kind


def digits(dtype: np.dtype) -> float:
    """How near to each other two results of a type are."""
    narrow = {"bfloat16": 4e-2, "float16": 5e-3, "float32": 3e-4, "complex64": 3e-4}
    return narrow.get(dtype.name, 1e-9)


def close(row: Row, got: list[np.ndarray], want: list[np.ndarray], context: object, types: bool = True) -> None:
    assert len(got) == len(want), context
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape, f"{context}: {g.shape} for {w.shape}"
        assert not types or g.dtype == w.dtype, f"{context}: {g.dtype} for {w.dtype}"
        near = row.loose * max(digits(g.dtype), digits(w.dtype))
        if kind(g.dtype) == "f" and g.dtype.itemsize <= 2:
            g, w = g.astype(float), w.astype(g.dtype).astype(float)
        infinite = np.isinf(g) & np.isinf(w)
        for one, other in [(g, w)] if not infinite.any() else [(g.real, w.real), (g.imag, w.imag)]:  # inf + 1j is no limit
            np.testing.assert_allclose(one, other, rtol=near, atol=near, err_msg=str(context))
        if row.zeros and kind(g.dtype) == kind(w.dtype) == "f":
            zeros = (g == 0) & (w == 0)
            np.testing.assert_array_equal(np.signbit(g)[zeros], np.signbit(w)[zeros], err_msg=f"signs of zeros, {context}")


def widened(x: np.ndarray) -> np.ndarray:
    """What NumPy computes with: it has no functions of bfloat16, and rounds float16 on the way."""
    return x.astype(np.float32 if kind(x.dtype) == "f" and x.dtype.itemsize == 2 else x.dtype)


@cases(lambda row: True)
def test_numpy_eager_and_compiled_agree(name: str, row: Row) -> None:
    ours, numpys = row.ours or named(jnp, name), row.reference or named(np, name)

    def check(call: Call) -> None:
        want = flat(call(numpys, *[widened(x) for x in call.operands]))
        got = flat(call(ours, *[jnp.array(x) for x in call.operands]))
        close(row, got, want, call, types=False)
        for g, w in zip(got, want, strict=True):
            same = kind(g.dtype) == kind(w.dtype) or {g.dtype.kind, w.dtype.kind} <= set("iu")
            assert same or (row.floats and kind(g.dtype) == "f"), f"{call}: {g.dtype} for {w.dtype}"
        if row.traced and call.operands:
            close(row, flat(jitgrad.jit(lambda *xs: call(ours, *xs))(*call.operands)), got, f"compiled, {call}")

    each_call(name, row, check)


@cases(lambda row: row.traced)
def test_vmap_is_a_loop(name: str, row: Row) -> None:
    ours = row.ours or named(jnp, name)

    def check(call: Call) -> None:
        if not call.operands:
            return
        batch = [np.stack([x, x[::-1] if x.ndim else x]) for x in call.operands]
        got = flat(jitgrad.vmap(lambda *xs: call(ours, *xs))(*batch))
        one_by_one = [flat(call(ours, *[jnp.array(x[i]) for x in batch])) for i in (0, 1)]
        close(row, got, [np.stack(pair) for pair in zip(*one_by_one, strict=True)], call)

    each_call(name, row, check)


@cases(lambda row: row.smooth)
def test_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, row, "float64")


@cases(lambda row: row.holomorphic)
def test_complex_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, row, "complex128")


def derivatives(name: str, row: Row, dtype: str) -> None:
    ours = row.ours or named(jnp, name)
    near = {"atol": 2e-4, "rtol": 2e-4}

    def check(call: Call) -> None:
        check_grads(lambda *xs: call(ours, *xs), call.operands, order=row.order, **near)
        if row.order == 1:  # twice by the last operand alone
            *others, last = call.operands
            check_grads(lambda x: call(ours, *others, x), [last], order=2, **near)

    each_call(name, row, check, dtype)


def test_every_function_has_a_row_or_a_reason() -> None:
    modules = {"": jnp, "linalg.": jnp.linalg, "fft.": jnp.fft}
    functions = {
        prefix + name
        for prefix, module in modules.items()
        for name in getattr(module, "__all__", dir(module))
        if callable(getattr(module, name)) and not isinstance(getattr(module, name), type) and not name.startswith("_")
    }
    rows = {name for name, _ in CASES}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == functions, sorted((rows | reasons) ^ functions)
    assert not rows & reasons, sorted(rows & reasons)
