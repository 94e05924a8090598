"""In what precision products of matrices are done: in full unless less is asked for, by `precision=` or for a block of code.

What users name becomes a param of a product's equation, which its derivatives have, too. A GPU's tensor cores heed it.
"""

from __future__ import annotations

import enum
from typing import Any

from jitgrad_compiler.ir.types import C64, F32, DType
from jitgrad_compiler.ops.contraction import REDUCED

from .config import config
from .errors import ArgumentError


class Precision(enum.Enum):
    """What a product of float32 must be at least. HIGHEST is float32's own precision. DEFAULT and HIGH allow TF32, numbers with 11
    significant bits, as jax has it on a GPU; a processor stays exact. Without any (None) the setting of
    `default_matmul_precision` counts, and without that float32's own.

    >>> Precision("high") is Precision.HIGH
    True
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2

    @classmethod
    def _missing_(cls, value: object) -> Precision | None:
        return _NAMED.get(value.lower()) if isinstance(value, str) else None


_NAMED: dict[str, Precision] = {
    "fastest": Precision.DEFAULT, "default": Precision.DEFAULT, "bfloat16": Precision.DEFAULT, "high": Precision.HIGH,
    "tensorfloat32": Precision.HIGH, "bfloat16_3x": Precision.HIGH, "highest": Precision.HIGHEST, "float32": Precision.HIGHEST,
}  # fmt: skip
PrecisionLike = Precision | str | tuple[Any, Any] | None
Params = dict[str, str]
"""Of a product's equation."""
_IN_FULL: Params = {}
_REDUCED: Params = {"precision": REDUCED}
_MORE = "bfloat16_3x"
"""What jax counts as HIGH and has more bits than TF32."""


def check_precision(where: str, precision: PrecisionLike) -> None:
    """Raise ArgumentError for what is no Precision: None, a member, its name, or a pair of them."""
    if isinstance(precision, tuple) and len(precision) != 2:
        raise ArgumentError(f"{where}: precision must be one, or a pair, one for each operand, got {precision!r}")
    for p in precision if isinstance(precision, tuple) else (precision,):
        if p is not None and not isinstance(p, Precision) and (not isinstance(p, str) or p.lower() not in _NAMED):
            raise ArgumentError(f"{where}: precision must be None, a Precision or one of {', '.join(_NAMED)}, got {p!r}")


def asked(where: str, precision: PrecisionLike, dtype: DType) -> Params:
    """What a product of this type gets for a precision: of a pair, one for each operand, the higher counts."""
    default = config.jax_default_matmul_precision
    if precision is None and default is None:
        return _IN_FULL
    check_precision(where, precision)
    both = precision if isinstance(precision, tuple) else (precision,)
    reduced = all(_allows(default if p is None else p) for p in both)
    return _REDUCED if reduced and dtype in (F32, C64) else _IN_FULL


def _allows(p: Precision | str | None) -> bool:
    """Whether TF32 will do."""
    named = _NAMED.get(p.lower(), Precision.HIGHEST) if isinstance(p, str) else p
    return p != _MORE and named in (Precision.DEFAULT, Precision.HIGH)
