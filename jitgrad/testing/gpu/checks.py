"""One check, and when what a device gives is what the processor gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import jitgrad
from jitgrad import tree
from jitgrad_compiler.ir.types import NAMES

Figures = dict[str, Any] | None


@dataclass(frozen=True)
class Check:
    """Something to try: `run` raises where it fails, and may give figures."""

    name: str
    run: Callable[[], Figures]


class NotRun(Exception):
    """Raised by a check that cannot be done here; the message says what is missing."""


@dataclass
class Place:
    """Where checks run: the device under test, by its name for `jitgrad.device_put`."""

    device: str = "cuda"

    def put(self, x: Any) -> Any:
        """A pytree's arrays on the device."""
        return jitgrad.device_put(x, self.device)

    def assert_here(self, x: Any) -> None:
        """What a program gave lies where it should: it was not computed elsewhere in silence."""
        found = {d.platform for leaf in tree.leaves(x) if isinstance(leaf, jitgrad.Array) for d in leaf.devices()}
        wanted = self.device.partition(":")[0]
        assert found <= {wanted}, f"results lie on {sorted(found)}, not on {wanted}"


PLACE = Place()
"""Of this process."""

TOLERANCE = {"f64": 1e-12, "c128": 1e-12, "f32": 1e-5, "c64": 1e-5, "f16": 2e-3, "bf16": 1.6e-2, "f8_e4m3": 0.13}
"""How far numbers may be apart, as a share of the number and of the largest one: sums are added in other orders."""


def on_both(f: Callable[..., Any], *args: Any, scale: float = 1, sums: bool = False) -> Figures:
    """Run a function jitted on the processor and on the device, and compare.

    scale: of the tolerance, for long computations. sums: whether results are sums of numbers of the arguments' size, which cancel.
    """
    expected = tree.map(np.asarray, jitgrad.jit(f)(*jitgrad.device_put(args, "cpu")))
    with jitgrad.default_device(PLACE.device):
        found = jitgrad.jit(f)(*PLACE.put(args))
    PLACE.assert_here(found)
    floor = max((_largest(np.asarray(a)) for a in tree.leaves(args)), default=0.0) if sums else 0.0
    return {"apart": agree(tree.map(np.asarray, found), expected, scale, floor)}


def _largest(x: np.ndarray) -> float:
    """Of the finite numbers."""
    if x.dtype not in NAMES or str(NAMES[x.dtype]) not in TOLERANCE:
        return 0.0
    sizes = np.abs(x.astype(np.complex128))
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))


def agree(got: Any, want: Any, scale: float = 1, floor: float = 0) -> float:
    """The largest distance, as a share of what is allowed. Raises AssertionError where it is more than all.

    floor: a size of numbers that results are measured by where they are smaller.
    """
    faults, furthest = [], 0.0
    for (path, w), g in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True):
        label = "".join(map(str, path))
        if g.shape != w.shape or g.dtype != w.dtype:
            faults.append(f"{label}: {g.dtype}{g.shape}, expected {w.dtype}{w.shape}")
            continue
        apart = _apart(g, w, scale, floor)
        if apart.size and (worst := float(apart.max())) > 1:
            at = np.unravel_index(int(apart.argmax()), apart.shape)
            where = [int(i) for i in at]
            count = int((apart > 1).sum())
            faults.append(f"{label}: {count} of {g.size} numbers differ; at {where} {g[at]!r}, expected {w[at]!r}")
        elif apart.size:
            furthest = max(furthest, worst)
    if faults:
        raise AssertionError("\n".join(faults[:10]) + (f"\nand {len(faults) - 10} more" if len(faults) > 10 else ""))
    return furthest


def _apart(got: np.ndarray, want: np.ndarray, scale: float, floor: float) -> np.ndarray:
    """How far numbers are apart, as shares of what is allowed; infinite where only one of them is a NaN or an infinity."""
    if want.dtype not in NAMES or str(NAMES[want.dtype]) not in TOLERANCE:
        return np.where(got == want, 0.0, np.inf)
    tolerance = TOLERANCE[NAMES[want.dtype]] * scale
    wide = np.complex128 if want.dtype.kind == "c" else np.float64
    with np.errstate(all="ignore"):
        got, want = got.astype(wide), want.astype(wide)
        size = np.maximum(np.abs(want), min(max(_largest(want), floor), 1e300))
        apart = np.abs(got - want) / (tolerance * size + 1e-300)
        same = (got == want) | (np.isnan(got) & np.isnan(want))
    return np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))
