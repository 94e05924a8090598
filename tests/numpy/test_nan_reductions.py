"""Reductions over what is not NaN, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "nansum(n)",
    "nanprod(n)",
    "nancumsum(n)",
    "nancumprod(n)",
    "nanmax(n)",
    "nanmin(n)",
    "nanargmax(n)",
    "nanargmin(n)",
    "nanmean(n[:3])",
    "nanvar(n[:3])",
    "nanstd(n[:3])",
    "nansum(x, axis=0)",
    "nanmean(where(b, x, nan), axis=0)",
    "nanvar(where(b, x, nan), axis=1, ddof=0)",
    "nanmax(where(b, x, nan), axis=0)",
    "nanmax(where(x > 10, x, nan), axis=0) :: np.full(4, np.nan)",
    "nanmax(i)",
    "nansum(i, axis=0)",
]


@pytest.mark.parametrize("case", CASES)
def test_nan_reductions_agree_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
