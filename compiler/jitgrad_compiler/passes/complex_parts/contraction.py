"""Sums of products of complex numbers as such sums of real ones.

Four real contractions lose nothing; three (C. F. Gauss's) would save a quarter of the work, and the digits of small parts beside
large ones.
"""

from __future__ import annotations

from typing import Any

from ...ops.arithmetic import op
from .table import Parts, rule


def _of_four(name: str) -> None:
    def contracted(x: Parts, y: Parts, **params: Any) -> Parts:
        def real(a: int, b: int) -> Any:
            return op(name, x[a], y[b], **params)

        return Parts(real(0, 0) - real(1, 1), real(0, 1) + real(1, 0))

    rule(name)(contracted)


for _name in ("dot_general", "slide"):
    _of_four(_name)
