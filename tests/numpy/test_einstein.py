"""einsum, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close

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


CHAINS = {
    "ij,jk,kl->il": [(3, 4), (4, 5), (5, 2)],
    "ij,jk,k": [(3, 4), (4, 5), (5,)],
    "a,b,c,d->abcd": [(2,), (3,), (2,), (3,)],
    "...ij,...jk,k->...i": [(2, 3, 4), (4, 5), (5,)],
    "bij,bjk,kl,b->il": [(2, 3, 4), (2, 4, 5), (1, 2), (2,)],
    "ii,ij,jk->k": [(3, 3), (3, 4), (4, 2)],
}


@pytest.mark.parametrize("subscripts", CHAINS)
@pytest.mark.parametrize("optimize", [True, "auto", "optimal", "greedy", "dp", False, [(1, 2)], [(0, 1, 2)]], ids=str)
def test_chains_are_contracted_in_any_order(subscripts, optimize):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in CHAINS[subscripts]]
    wanted = np.einsum(subscripts.replace("kl,b->", "zl,b->"), *arrays) if "kl,b" in subscripts else np.einsum(subscripts, *arrays)
    if "kl,b" in subscripts:  # NumPy does not broadcast an axis of size 1
        wanted = np.einsum(subscripts, *arrays[:2], np.broadcast_to(arrays[2], (5, 2)), arrays[3])
    assert_close(jnp.einsum(subscripts, *arrays, optimize=optimize), wanted, 1e-12)
    assert_close(jitgrad.jit(lambda *xs: jnp.einsum(subscripts, *xs, optimize=optimize))(*arrays), wanted, 1e-12)


def test_paths_are_opt_einsums():
    arrays = [jnp.ones((9, 9)), jnp.ones((9, 9)), jnp.ones(9)]
    path, description = jnp.einsum_path("ij,jk,k->i", *arrays)
    assert path == [(1, 2), (0, 1)]
    assert "Complete contraction:  ij,jk,k->i" in str(description)
    assert_close(jnp.einsum("ij,jk,k->i", *arrays, optimize=path), np.full(9, 81.0))
    assert_close(jnp.einsum("ij,jk,k->i", *arrays, optimize=["einsum_path", (0, 1), (0, 1)]), np.full(9, 81.0))
    path, _ = jnp.einsum_path("...ij,...jk->...ik", jnp.ones((2, 3, 4)), jnp.ones((1, 4, 5)))
    assert path == [(0, 1)]
    with pytest.raises(errors.ArgumentError, match="optimize must be a way of opt_einsum"):
        jnp.einsum("ij,jk,k->i", *arrays, optimize="best")
    with pytest.raises(errors.ArgumentError, match=r"step \(0, 5\) of the path"):
        jnp.einsum("ij,jk,k->i", *arrays, optimize=[(0, 5)])


@pytest.mark.parametrize("optimize", ["fastest", 3, [0, 1], [(0, 1.5)]])
def test_an_order_that_is_none_is_refused(optimize):
    a = jnp.ones((2, 2))
    with pytest.raises(errors.ArgumentError, match="^einsum: optimize must be a way of opt_einsum.* got"):
        jnp.einsum("ij,jk,kl", a, a, a, optimize=optimize)
    if not isinstance(optimize, list):
        with pytest.raises(errors.ArgumentError, match="^einsum: optimize must be a way of opt_einsum.* got"):
            jnp.einsum("ij,jk", a, a, optimize=optimize)
