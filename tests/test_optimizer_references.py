"""Optimizers, compiled, follow Optax and PyTorch for 100 steps in float64, schedules and searches too (see reference_cases.py)."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import config, jit, lax, optim, tree, value_and_grad

from . import reference_cases as cases

STORED = cases.stored("optimizers")


def elements(x):
    return np.concatenate([np.ravel(np.asarray(leaf)) for leaf in tree.leaves(x)])


def trained(opt):
    def step(carry, noise):
        params, state = carry
        loss, gradient = cases.loss_and_gradient(jnp, params, noise)
        updates, state = optim.with_extra_args_support(opt).update(gradient, state, params, value=loss)
        return (optim.apply_updates(params, updates), state), None

    params = tree.map(jnp.asarray, cases.START)
    return jit(lambda noise: lax.scan(step, (params, opt.init(params)), noise)[0][0])(cases.NOISE)


@pytest.fixture(autouse=True)
def _floats_of_64_bits(monkeypatch):
    monkeypatch.setattr(config, "default_float", "float64")


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_an_optimizer_follows_optax_for_a_hundred_steps(name):
    np.testing.assert_allclose(elements(trained(cases.OPTIMIZERS[name](optim))), STORED["optimizers"][name], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", cases.TORCH_OPTIMIZERS)
def test_an_optimizer_follows_pytorch_for_a_hundred_steps(name):
    ours = cases.TORCH_OPTIMIZERS[name][1](optim)
    np.testing.assert_allclose(elements(trained(ours)), cases.stored("torch_optimizers")[name], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_a_schedule_gives_optax_rates(name):
    schedule = cases.SCHEDULES[name](optim)
    np.testing.assert_allclose([float(schedule(c)) for c in cases.COUNTS], STORED["schedules"][name], rtol=1e-12, atol=1e-14)
    traced = jit(lambda counts: jnp.stack([jnp.asarray(schedule(c)) for c in counts]))(jnp.asarray(cases.COUNTS, "int32"))
    np.testing.assert_allclose(traced, STORED["schedules"][name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", cases.SEARCHES)
def test_a_search_goes_optax_way(name):
    opt = optim.with_extra_args_support(cases.SEARCHES[name](optim))

    def valley(p):
        return cases.valley(jnp, p)

    @jit
    def step(params, state):
        value, gradient = value_and_grad(valley)(params)
        updates, state = opt.update(gradient, state, params, value=value, grad=gradient, value_fn=valley)
        return optim.apply_updates(params, updates), state

    params = tree.map(jnp.asarray, cases.VALLEY_START)
    state, rows = opt.init(params), []
    for n in range(max(cases.SEARCH_STEPS)):
        params, state = step(params, state)
        if n + 1 in cases.SEARCH_STEPS:
            rows.append(elements(params))
    np.testing.assert_allclose(np.concatenate(rows), STORED["searches"][name], rtol=1e-9, atol=1e-10)
