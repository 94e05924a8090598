"""What the Array API standard's inspection functions tell of this namespace: its abilities, devices and element types."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad.devices import Device, as_device, devices
from jitgrad.errors import ArgumentError
from jitgrad.promotion import default_float, narrowed
from jitgrad_compiler.ir.types import BOOL, C64, C128, F32, F64, I64, INTEGERS, complex_of

_STANDARD = (BOOL, *INTEGERS, F32, F64, C64, C128)
_KINDS = {
    "bool": ("bool",), "signed integer": ("signed",), "unsigned integer": ("unsigned",), "integral": ("signed", "unsigned"),
    "real floating": ("float",), "complex floating": ("complex",), "numeric": ("signed", "unsigned", "float", "complex"),
}  # fmt: skip


class __array_namespace_info__:  # noqa: N801  (the standard's name)
    """Functions that tell of this namespace.

    >>> import jitgrad.numpy as jnp
    >>> info = jnp.__array_namespace_info__()
    >>> info.default_device(), info.default_dtypes()["real floating"]
    (CpuDevice(id=0), dtype('float32'))
    """

    def capabilities(self) -> dict[str, Any]:
        """What may be relied on: masks as indices and shapes that depend on data work outside of programs; how many axes there
        can be.
        """
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where arrays are made."""
        return as_device("default_device", None)

    def devices(self) -> list[Device]:
        """All devices."""
        return devices()

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype[Any]]:
        """The element types of arrays that are made without one, and of indices."""
        as_device("default_dtypes", device)
        real, whole = default_float(), narrowed(I64).numpy
        return {"real floating": real.numpy, "complex floating": complex_of(real).numpy, "integral": whole, "indexing": whole}

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, np.dtype[Any]]:
        """The standard's element types by name: all, or those of a kind or of several. Raises ArgumentError for an unknown kind."""
        as_device("dtypes", device)
        kinds = tuple(_KINDS) if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
        if unknown := [k for k in kinds if k not in _KINDS]:
            raise ArgumentError(f"dtypes: the kinds of element types are {', '.join(map(repr, _KINDS))}, got {unknown[0]!r}")
        wanted = {name for k in kinds for name in _KINDS[k]}
        return {str(t.numpy): t.numpy for t in _STANDARD if t.kind in wanted and narrowed(t) == t}
