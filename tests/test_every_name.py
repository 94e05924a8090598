"""No public function of arrays is untried: each has its name in a test, or a reason here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import jitgrad.numpy as jnp
from jitgrad import lax, random
from jitgrad.scipy import cluster, fft, integrate, interpolate, linalg, ndimage, optimize, signal, spatial, special, stats

TESTS = Path(__file__).parent
WORDS = {
    word for path in TESTS.rglob("*.py") if path != Path(__file__) for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
}
TYPES_FOR_ANNOTATIONS = set("ConvGeneralDilatedDimensionNumbers DotDimensionNumbers GatherScatterMode PrecisionLike".split())
MODULES = (
    jnp, jnp.linalg, jnp.fft, lax, lax.linalg, random, special, linalg, signal, fft, stats, ndimage, interpolate, integrate,
    optimize, cluster.vq, spatial.transform,
)  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_every_public_name_is_tried_somewhere(module: object) -> None:
    names = {n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")}
    functions = {n for n in names if callable(getattr(module, n)) and not isinstance(getattr(module, n), type)}
    assert not sorted(functions - WORDS - TYPES_FOR_ANNOTATIONS)
