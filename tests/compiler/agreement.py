"""When two arrays of numbers are the same: bit by bit, but for NaNs, or within so many units in the last place."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad_compiler.ir.types import NAMES, signed_integer


def assert_same(got: Any, want: Any, ulps: float = 0, zeros: bool = True, context: object = "") -> None:
    """Same shape, same element type, same numbers; `zeros`: and the same signs of zeros.

    `ulps` are units in the last place of what is wanted, which may be given in a wider type.
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{context}: shape {got.shape}, expected {want.shape}"
    if ulps == 0:
        assert got.dtype == want.dtype, f"{context}: element type {got.dtype}, expected {want.dtype}"
    if got.dtype in NAMES and NAMES[got.dtype].is_storage:
        _assert_same_bits(got, want, ulps, zeros, context)
        return
    if got.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, want, err_msg=str(context))
        return
    if got.dtype.kind == "c":
        assert_same(got.real, want.real, ulps, zeros, context)
        assert_same(got.imag, want.imag, ulps, zeros, context)
        return
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        unit = np.spacing(np.abs(rounded)).astype(np.float64)
        unit = np.where(np.isfinite(unit), unit, np.spacing(np.finfo(got.dtype).max))
        distance = np.abs((got.astype(want.dtype) - want).astype(np.float64)) / unit
        equal = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    if ulps:
        with np.errstate(all="ignore"):
            beyond = np.isinf(got) & np.isfinite(want) | np.isinf(rounded) & np.isfinite(got)  # one ulp of overflow
            near_end = np.abs(np.where(np.isfinite(got), got, want)) >= np.finfo(got.dtype).max * (1 - 1e-6)
        equal |= (distance <= ulps) & np.isfinite(got) & np.isfinite(rounded) | beyond & near_end & (np.sign(got) == np.sign(want))
    if zeros:
        equal &= (np.signbit(got) == np.signbit(rounded)) | (rounded != 0) | (got != 0)
    if not equal.all():
        at = np.argwhere(~equal)
        shown = "\n".join(f"  {tuple(map(int, i))}: {got[tuple(i)]!r}, expected {want[tuple(i)]!r}" for i in at[:8])
        raise AssertionError(f"{context}: {len(at)} of {got.size} numbers differ\n{shown}")


def _assert_same_bits(got: np.ndarray, want: np.ndarray, ulps: float, zeros: bool, context: object) -> None:
    """The same of types that NumPy has no spacing of: places among the numbers of the type, in order, are compared."""
    dtype = NAMES[got.dtype]
    assert want.dtype == got.dtype, f"{context}: element type {got.dtype}, expected {want.dtype}"
    low = 1 << (dtype.bits - 1)

    def places(x: np.ndarray) -> np.ndarray:
        bits = np.atleast_1d(x).view(signed_integer(dtype.bits).numpy).astype(np.int64)
        return np.where(bits < 0, -(bits + low), bits)

    with np.errstate(invalid="ignore"):
        got_wide, want_wide = (np.atleast_1d(x).astype(np.float32) for x in (got, want))
    equal = (abs(places(got) - places(want)) <= ulps) | (np.isnan(got_wide) & np.isnan(want_wide))
    if zeros:
        equal &= (np.signbit(got_wide) == np.signbit(want_wide)) | (got_wide != 0) | (want_wide != 0)
    if not equal.all():
        shown = "\n".join(f"  {int(i)}: {got.flat[i]!r}, expected {want.flat[i]!r}" for i in np.flatnonzero(~equal)[:8])
        raise AssertionError(f"{context}: {(~equal).sum()} of {got.size} numbers differ\n{shown}")
