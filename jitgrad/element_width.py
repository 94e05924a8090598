"""jax's 32-bit mode, `config.jax_enable_x64 = False`: what functions return has no 64-bit elements, whatever they computed with.

What comes in is narrowed where it becomes an Array (array.py) or an element type (promotion.py); functions that users call
narrow their results here.
"""

from __future__ import annotations

from typing import Any

from jitgrad_compiler.ops.define import convert

from .array import Array
from .promotion import NARROW


def narrow_results(out: Any) -> Any:
    """A function's result with the arrays in it, also in tuples, lists and dicts, in 32 bits."""
    kind = type(out)
    if kind is Array:
        return out if out.weak or out.type.dtype not in NARROW else convert(out, NARROW[out.type.dtype])
    if isinstance(out, (tuple, list)):
        items = [narrow_results(x) for x in out]
        if all(x is y for x, y in zip(items, out, strict=True)):
            return out
        return kind(*items) if hasattr(kind, "_fields") else kind(items)
    if kind is dict:
        return {k: narrow_results(v) for k, v in out.items()}
    return out
