"""The gate to NumPy's floating-point error state, which is private: setting it costs a sixth of a `with np.errstate(...)`."""

from __future__ import annotations

from numpy._core.umath import _extobj_contextvar, _make_extobj

state = _extobj_contextvar
"""The context variable that says what NumPy does about overflows and invalid operations."""
QUIET = _make_extobj(all="ignore")
"""What it is set to for nothing to be said."""
