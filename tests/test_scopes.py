"""named_scope, named_call, ensure_compile_time_eval and make_jaxpr."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap


def test_names_of_scopes_change_nothing():
    @jitgrad.named_scope("inner")
    def f(x):
        with jitgrad.named_scope("part"):
            return x * 2

    named = jitgrad.named_call(f, name="g")
    assert named.__name__ == "g"
    assert jitgrad.named_call(f).__name__ == "f"
    assert float(jit(named)(3.0)) == float(f(3.0)) == 6
    with pytest.raises(errors.ArgumentError, match="named_scope"), jitgrad.named_scope(3):
        pass


@pytest.mark.parametrize("transform", [jit, grad, lambda f: jit(grad(f)), lambda f: lambda x: vmap(f)(jnp.array([x]))[0]])
def test_what_does_not_depend_on_traced_values_is_computed_at_once_where_it_is_asked_for(transform):
    table = np.arange(4.0, dtype=np.float32)

    def f(x):
        with jitgrad.ensure_compile_time_eval():
            if jnp.sum(table) > 5 and jit(lambda t: t.max())(table) == 3:
                scale = jnp.sin(table[1]) * 0 + float(jnp.max(table))
            else:
                scale = 0.0
        assert isinstance(scale, jitgrad.Array) and scale.concrete() is not None
        return x * scale

    assert float(transform(f)(2.0)) in (3, 6)


def test_traced_values_stay_traced_inside():
    @jit
    def f(x):
        with jitgrad.ensure_compile_time_eval():
            return jnp.sin(x) + jnp.sum(jnp.arange(3.0))

    assert np.allclose(f(1.0), np.sin(1.0) + 3)
    assert "sin" in str(f.trace(1.0))


def test_make_jaxpr_gives_the_program_with_its_equations():
    graph = jitgrad.make_jaxpr(lambda x, n: jnp.sin(x) ** n, static_argnums=1)(1.0, 3)
    assert [e.op.name for e in graph.eqns][0] == "sin"
    graph, shape = jitgrad.make_jaxpr(lambda x: {"a": x.sum()}, return_shape=True)(jnp.ones(3))
    assert shape["a"].shape == ()
    assert len(graph.inputs) == 1
