"""Products, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "dot(v, v)",
    "dot(x, v)",
    "dot(x, m)",
    "dot(t, m)",
    "dot(2.0, x)",
    "dot(i, i.T)",
    "vdot(x, y)",
    "vdot(c, c)",
    "vecdot(x, y)",
    "vecdot(c, c, axis=0)",
    "vecdot(x, v)",
    "matvec(t, v)",
    "matvec(x, v)",
    "vecmat(v, m)",
    "vecmat(c, c.T[None]) :: np.vecmat(c, c.T[None])",
    "inner(x, y)",
    "inner(v, v)",
    "inner(x, 2.0)",
    "outer(v, w)",
    "outer(x, v)",
    "matmul(x, m)",
    "matmul(x, v)",
    "matmul(v, m)",
    "matmul(v, v)",
    "matmul(t, m)",
    "matmul(x, t.transpose(0, 2, 1))",
    "matmul(t, t.transpose(0, 2, 1))",
    "matmul(t[:1], t.transpose(0, 2, 1))",
    "matmul(t[:, None], m)",
    "matmul(t[:, None], t.transpose(0, 2, 1)[None])",
    "matmul(b, b.T)",
    "matmul(i, x.T)",
    "matmul(v, t.transpose(0, 2, 1))",
    "matmul(x, 1.0 * t[:, :1].transpose(0, 2, 1))",
    "tensordot(t, t, 3)",
    "tensordot(t, x, 2)",
    "tensordot(t, x, axes=([1, 2], [0, 1]))",
    "tensordot(t, t, axes=([0, 2], [0, 2]))",
    "tensordot(x, y, axes=0)",
    "tensordot(x, m, axes=1)",
    "tensordot(x, m, axes=(1, 0))",
    "kron(v, w)",
    "kron(x, m)",
    "kron(x, v)",
    "kron(v, x)",
    "trace(x)",
    "trace(x, 1)",
    "trace(t, axis1=1, axis2=2)",
    "trace(i)",
    "cross(x[:, :3], y[:, :3])",
    "cross(x[:, :2], y[:, :3]) :: np.cross(np.c_[x[:, :2], np.zeros(3)], y[:, :3])",
    "cross(x[:, :2], y[:, :2]) :: x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]",
    "cross(x, y, axis=0)",
    "cross(x[0, :3], y[:, :3])",
    "cross(x, y, axisa=0, axisb=0, axisc=-1)",
]


@pytest.mark.parametrize("case", CASES)
def test_linear_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
