"""All ops, one room a family. Importing this package fills `ir.OPS`."""

from . import (
    arithmetic,
    calls,
    checkpointing,
    comparison,
    contraction,
    control,
    custom,
    effects,
    generation,
    indexing,
    layout,
    linear_solve,
    reduction,
    sorting,
    special,
    transcendental,
)

__all__ = [
    "arithmetic",
    "calls",
    "checkpointing",
    "comparison",
    "contraction",
    "control",
    "custom",
    "effects",
    "generation",
    "indexing",
    "layout",
    "linear_solve",
    "reduction",
    "sorting",
    "special",
    "transcendental",
]
