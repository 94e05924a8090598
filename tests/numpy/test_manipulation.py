"""Shapes, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    "reshape(x, (4, 3))",
    "reshape(x, (-1, 2))",
    "reshape(x, 12)",
    'reshape(x, (4, 3), order="F")',
    'reshape(x, (2, -1), order="F")',
    "ravel(x)",
    'ravel(x, order="F")',
    "transpose(t)",
    "transpose(t, (1, 0, -1))",
    "permute_dims(t, (2, 0, 1))",
    "matrix_transpose(t)",
    "swapaxes(t, 0, -1)",
    "moveaxis(t, 0, -1)",
    "moveaxis(t, (0, 1), (-1, 0))",
    "rollaxis(t, 2)",
    "rollaxis(t, 0, 3)",
    "rollaxis(t, 2, 1)",
    "expand_dims(x, 0)",
    "expand_dims(x, (0, -1))",
    "squeeze(z)",
    "squeeze(z, 0)",
    "squeeze(z, (0, -1))",
    "broadcast_to(v, (3, 4))",
    "broadcast_to(z, (2, 3, 4))",
    "broadcast_arrays(x, v)",
    "broadcast_shapes((2, 1), (3,))",
    "atleast_1d(v)",
    "atleast_2d(v)",
    "atleast_3d(v)",
    "atleast_3d(x)",
    "atleast_1d(3.0) :: atleast_1d(3.0)",
    "concatenate([x, y])",
    "concatenate([x, y], axis=1)",
    "concatenate([x, i], axis=-1)",
    "concatenate([x, v], axis=None)",
    "concatenate(t)",
    "concat([x, y], axis=0)",
    "stack([x, y])",
    "stack([x, y], axis=-1)",
    "stack([v, 2 * v, v], axis=1)",
    "stack(x)",
    "unstack(x)",
    "unstack(x, axis=1)",
    "hstack([x, y])",
    "hstack([v, w])",
    "vstack([v, v])",
    "vstack([x, v])",
    "dstack([x, y])",
    "dstack([v, v])",
    "column_stack([v, x.T])",
    "append(x, y)",
    "append(x, y, axis=0)",
    "append(v, 3.0)",
    "resize(v, (3, 3))",
    "astype(x, int)",
    "astype(i, bool)",
]


@pytest.mark.parametrize("case", CASES)
def test_manipulation_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
