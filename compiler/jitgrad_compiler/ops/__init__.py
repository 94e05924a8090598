"""All ops, one room a family. Importing this package fills `ir.OPS`."""

from . import (
    arithmetic,
    calls,
    comparison,
    contraction,
    control,
    effects,
    generation,
    indexing,
    layout,
    reduction,
    sorting,
    special,
    transcendental,
)

__all__ = [
    "arithmetic",
    "calls",
    "comparison",
    "contraction",
    "control",
    "effects",
    "generation",
    "indexing",
    "layout",
    "reduction",
    "sorting",
    "special",
    "transcendental",
]
