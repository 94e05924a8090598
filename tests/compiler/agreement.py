"""When two arrays of numbers are the same: bit by bit, but for NaNs, or within so many units in the last place."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_same(got: Any, want: Any, ulps: float = 0, zeros: bool = True, context: object = "") -> None:
    """Same shape, same element type, same numbers; `zeros`: and the same signs of zeros.

    `ulps` are units in the last place of what is wanted, which may be given in a wider type.
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{context}: shape {got.shape}, expected {want.shape}"
    if ulps == 0:
        assert got.dtype == want.dtype, f"{context}: element type {got.dtype}, expected {want.dtype}"
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
