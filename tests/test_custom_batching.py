"""custom_vmap and sequential_vmap: the rule is what vmap does, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, vmap
from jitgrad.custom_batching import custom_vmap, sequential_vmap
from jitgrad.testing import assert_close

X = np.array([0.3, -1.2, 2.0])


def stated():
    seen = []
    f = custom_vmap(lambda x, y: {"sum": x + y["a"], "twice": 2 * x})

    @f.def_vmap
    def rule(axis_size, in_batched, x, y):
        seen.append((axis_size, in_batched, jnp.shape(x)))
        return {"sum": 10 * (x + y["a"]), "twice": 2 * x}, {"sum": True, "twice": in_batched[0]}

    return f, seen


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_vmap_does_what_the_rule_says(wrap):
    f, seen = stated()
    assert_close(wrap(f)(1.0, {"a": 2.0}), {"sum": 3.0, "twice": 2.0})
    out = wrap(vmap(f, in_axes=(0, None)))(X, {"a": 1.0})
    assert_close(out, {"sum": 10 * (X + 1), "twice": 2 * X}, 1e-12)
    assert seen == [(3, [True, {"a": False}], (3,))]
    out = vmap(wrap(f), in_axes=(None, 0))(np.asarray(1.0), {"a": X})
    assert_close(out, {"sum": 10 * (X + 1), "twice": np.full(3, 2.0)}, 1e-12)
    assert_close(wrap(vmap(lambda x: f(2 * x, {"a": x})["sum"] + 1))(X), 30 * X + 1, 1e-12)


def test_derivatives_are_those_of_the_function():
    f, _ = stated()
    assert float(grad(lambda x: f(x, {"a": 2.0})["sum"])(1.0)) == 1.0
    assert float(grad(jit(lambda x: f(x, {"a": 2.0})["twice"]))(1.0)) == 2.0
    assert float(jvp(jit(lambda x: f(x, {"a": x})["sum"]), (1.0,), (1.0,))[1]) == 2.0
    assert_close(grad(lambda x: vmap(f, in_axes=(0, None))(x, {"a": 1.0})["sum"].sum())(X), np.full(3, 10.0))


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_sequential_vmap_does_one_example_after_another(wrap):
    f = sequential_vmap(lambda x, y: jnp.where(x > 0, x * y, y))
    assert_close(wrap(vmap(f, in_axes=(0, None)))(X, 2.0), np.where(X > 0, 2 * X, 2.0), 1e-12)
    assert_close(
        wrap(vmap(vmap(f), in_axes=(0, None)))(np.stack([X, -X]), X), np.stack([np.where(x > 0, x * X, X) for x in (X, -X)]), 1e-12
    )
    assert_close(grad(lambda x: vmap(f, in_axes=(0, None))(x, 2.0).sum())(X), np.where(X > 0, 2.0, 0.0))


def test_rules_are_checked():
    f = custom_vmap(lambda x: x)
    with pytest.raises(errors.MissingRuleError, match="no rule is defined; call <lambda>.def_vmap before"):
        f(1.0)
    f.def_vmap(lambda size, batched, x: x)
    with pytest.raises(errors.ArgumentError, match=r"the rule must return a pair \(output, out_batched\)"):
        vmap(f)(X)
    f.def_vmap(lambda size, batched, x: (x[:2], True))
    with pytest.raises(errors.TreeStructureError, match=r"must have shape \[3\], got \[2\]"):
        vmap(f)(X)
    with pytest.raises(errors.NotAFunctionError, match="custom_vmap needs a function"):
        custom_vmap(jitgrad.numpy.ones(3))
