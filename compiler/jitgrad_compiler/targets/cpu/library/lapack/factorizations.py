"""Kernels of Cholesky's factorisation."""

from __future__ import annotations

from .matrices import Matrices


def cholesky(m: Matrices) -> None:
    """Of A^T = U^H U, seen by LAPACK, L = U^T is what we see."""
    n = m.shapes[0][0]
    out, info = m.outputs[0], m.info()
    m.copy(out, m.inputs[0], n * n)
    m.call("potrf", "U", n, out, n, info)
    m.clear_triangle(out, n, n, above=True)
    with m.e.when(m.failed(info), unlikely=True):
        m.spoil()
