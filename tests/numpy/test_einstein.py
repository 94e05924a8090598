"""einsum, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

CASES = [
    'einsum("ij,jk->ik", x, m)',
    'einsum("ij,jk", x, m)',
    'einsum("ij->ji", x)',
    'einsum("ij->", x)',
    'einsum("ij->j", x)',
    'einsum("ii->i", x[:, :3])',
    'einsum("ii", x[:, :3])',
    'einsum("iij->j", t[:, :2])',
    'einsum("ij,ij->ij", x, y)',
    'einsum("ij,ij->", x, y)',
    'einsum("i,j->ij", v, w)',
    'einsum("...ij->...ji", t)',
    'einsum("...ij,jk->...ik", t, m)',
    'einsum("aij,bjk->abik", t, t.transpose(0, 2, 1))',
    'einsum("ij,j,j->i", x, v, v)',
    'einsum("ij,jk,k->i", x, m, w)',
    'einsum("aij,aik,kl->jl", t, t, m[:4, :4])',
    'einsum("aij,aik,kl->ajl", t, t, m[:4, :4])',
    'einsum("...i,...i->...", x, y)',
    'einsum("...i,...i", x, v)',
    'einsum("ba", x)',
    'einsum("i...->...", t)',
    'einsum("ij,kj->ik", i, j)',
    'einsum("ij,kj->ik", b, b)',
    'einsum("ij,jk->ik", x[:, :1], m)',
    'einsum("i,i->", v[:1], w)',
    'einsum("i,i,i->i", v, v, v)',
    'einsum("ij,kl->", x, m)',
    "einsum(x, [0, 1], m, [1, 2], [0, 2])",
    "einsum(x, [0, 1], m, [1, 2])",
    'einsum("ij,ij,ij->", x, x, x)',
    'einsum("abc,abd,abe->cde", t, t, t)',
    'einsum("ijk,ilm,njm,nlk->", t, t[:, :, :3], t[:, :, :3], t) :: einsum("ijk,ilm,njm,nlk->", t, t[:, :, :3], t[:, :, :3], t)',
]


@pytest.mark.parametrize("case", CASES)
def test_einstein_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)
