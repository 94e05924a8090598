"""SciPy's counterparts of functions that are several ops, for calls on small arrays that nothing traces (at_once.py).

What SciPy's are not right for, as the ops' references have it, they raise for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitgrad.at_once import counterpart
from jitgrad.numpy.short_ways import needs
from jitgrad_compiler.ops.scipy_special import FEW, ordinary, scipys

from . import integrals


def _pair(name: str) -> Callable[[Any], tuple[Any, Any]]:
    whole = scipys(name)

    def both(x: Any) -> tuple[Any, Any]:
        needs(x.dtype.kind == "f" and x.size <= FEW and all([0 < abs(v) < 1e150 for v in x.ravel().tolist()]))
        first, second = whole(x.astype(np.float64))
        return first.astype(x.dtype), second.astype(x.dtype)

    return both


_wofz = scipys("wofz")


def wofz(z: Any) -> Any:
    needs(z.dtype.kind == "c" and z.size <= FEW)
    needs(all([ordinary(v.real) and ordinary(v.imag) for v in z.ravel().tolist()]))
    return _wofz(z.astype(np.complex128)).astype(z.dtype)


COUNTERPARTS: dict[Any, Callable[..., Any]] = {
    integrals.sici: _pair("sici"),
    integrals.fresnel: _pair("fresnel"),
    integrals.wofz: wofz,
}
for _function, _numpys in COUNTERPARTS.items():
    counterpart(_function, _numpys)
