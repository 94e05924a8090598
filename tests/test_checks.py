"""debug.checked("index"): every reading and writing by an index outside raises, eagerly, under jit, in loops and under vmap."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import debug, lax
from jitgrad.errors import IndexingError

X = jnp.arange(12, dtype="float32").reshape(4, 3)
V = jnp.arange(4, dtype="float32")
ROWS = lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
PLACES = lax.ScatterDimensionNumbers(update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,))
USES = {
    "x[i]": lambda x, i: x[i],
    "x[:, i] of the last axis": lambda x, i: x.T[:, i],
    "x[array]": lambda x, i: x[jnp.stack([i, i * 0])],
    "x[array, array]": lambda x, i: x[jnp.stack([i, i * 0]), jnp.array([0, 1])],
    "x[i, slice]": lambda x, i: x[i, 1:],
    "at[].get": lambda x, i: x.at[i].get(),
    "at[].set": lambda x, i: x.at[i].set(0.0),
    "at[].add": lambda x, i: x.at[i, 1].add(1.0),
    "at[].multiply": lambda x, i: x.at[jnp.stack([i, i])].multiply(2.0),
    "at[].divide": lambda x, i: x.at[i].divide(2.0),
    "at[].power": lambda x, i: x.at[i].power(2.0),
    "at[].min": lambda x, i: x.at[i].min(2.0),
    "at[].apply": lambda x, i: x.at[i].apply(jnp.sin),
    "take": lambda x, i: jnp.take(x, i, axis=0),
    "take_along_axis": lambda x, i: jnp.take_along_axis(x, jnp.full((1, 3), i), axis=0),
    "put_along_axis": lambda x, i: jnp.put_along_axis(x, jnp.full((1, 3), i), 0.0, axis=0, inplace=False),
    "lax.dynamic_slice": lambda x, i: lax.dynamic_slice(x, (i, 0), (1, 3)),
    "lax.dynamic_slice of two rows": lambda x, i: lax.dynamic_slice(x, (i - 1, 0), (2, 3)),
    "lax.dynamic_update_slice": lambda x, i: lax.dynamic_update_slice(x, jnp.ones((1, 3)), (i, 0)),
    "lax.dynamic_index_in_dim": lambda x, i: lax.dynamic_index_in_dim(x, i),
    "lax.gather": lambda x, i: lax.gather(x, jnp.reshape(i, (1, 1)), ROWS, (1, 3)),
    "lax.scatter_add": lambda x, i: lax.scatter_add(x[:, 0], jnp.reshape(i, (1, 1)), jnp.ones(1), PLACES),
}
RUNS = {
    "eager": lambda f: f,
    "jit": jitgrad.jit,
    "grad": lambda f: lambda x, i: jitgrad.grad(lambda x: f(x, i).sum())(x),
    "jit of grad": lambda f: jitgrad.jit(jitgrad.grad(lambda x, i: f(x, i).sum())),
    "vmap": lambda f: lambda x, i: jitgrad.vmap(f, (None, 0))(x, jnp.stack([i * 0 + 1, i])),
    "a loop": lambda f: lambda x, i: lax.fori_loop(0, 2, lambda n, c: c + f(x, i).sum(), 0.0),
}  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("use", USES)
def test_an_index_outside_is_an_error_where_it_is_asked_for(use, run):
    f = RUNS[run](USES[use])
    silent = f(X, jnp.array(4))  # as in jax
    with debug.checked("index"):
        f(X, jnp.array(3))
        with pytest.raises(IndexingError, match="index .* is outside axis [01], which has size 4"):
            f(X, jnp.array(4))
    assert np.array_equal(f(X, jnp.array(4)), silent, equal_nan=True)


@pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
def test_constant_indices_outside_are_errors_only_where_the_program_comes_by(run):
    with debug.checked("index"):
        with pytest.raises(IndexingError, match="indexing: index -5 is outside axis 0, which has size 4"):
            run(lambda x: x[-5])(V)
        with pytest.raises(IndexingError, match=r"at\[\].set: index 9 is outside axis 1, which has size 3"):
            run(lambda x: x.at[0, 9].set(1))(X)
        f = run(lambda x, p: lax.cond(p, lambda x: x[4], lambda x: x[0], x))
        assert f(V, False) == 0
        with pytest.raises(IndexingError):
            f(V, True)


def test_what_a_mode_says_about_indices_outside_is_no_fault():
    with debug.checked("index"):
        assert jnp.take(V, 9, mode="clip") == 3
        assert np.isnan(jnp.take(V, 9, mode="fill"))
        assert jnp.take(V, 9, mode="wrap") == 1
        assert V.tolist() == V.at[9].set(5, mode="drop").tolist()
        assert V.at[9].get(mode="fill", fill_value=7) == 7
        with pytest.raises(IndexingError):
            V.at[9].get(mode="promise_in_bounds")


def test_the_error_names_the_line_that_a_program_was_traced_at():
    f = jitgrad.jit(lambda x, i: x[i])
    with debug.checked("index"), pytest.raises(IndexingError, match=r"test_checks.py:\d+\)"):
        f(V, jnp.array([0, 7]))
