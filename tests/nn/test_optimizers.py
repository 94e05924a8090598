"""Optimizers of modules: buffers and frozen parameters stay, whatever form an optimizer's arguments have."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import nn, optim, random, tree, value_and_grad

X = jnp.asarray(np.random.default_rng(0).normal(size=(16, 4)), "float32")


def model():
    first, second = random.split(random.key(0))
    layers = nn.Sequential(nn.Linear(4, 8, key=first), nn.BatchNorm(8), nn.Linear(8, 2, key=second))
    layers[1].running_mean = jnp.arange(8.0)
    return nn.freeze(layers, "layers[2].bias")


def loss(m):
    return jnp.mean((m(X) - 1.0) ** 2)


def matrices(m):
    return tree.map(lambda p: p.ndim > 1, m)


OPTIMIZERS = {
    "adamw, mask of a module": optim.adamw(0.1, mask=matrices(model())),
    "adamw, mask of what is trained": optim.adamw(0.1, mask=matrices(nn.trainable(model()))),
    "masked": optim.chain(optim.masked(optim.add_decayed_weights(0.01), matrices), optim.sgd(1e-3)),
    "muon": optim.muon(0.1),
    "lamb": optim.lamb(0.1),
    "adafactor": optim.adafactor(0.1),
    "accumulated": optim.MultiSteps(optim.adam(0.1), 2),
    "lbfgs": optim.lbfgs(),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_a_module_holds_stays_and_has_no_state(name):
    opt, m = OPTIMIZERS[name], model()
    state = opt.init(m)
    shapes = {tree.path_text(path) for path, _ in tree.leaves_with_path(state)}
    assert not [s for s in shapes if "running" in s or "layers[2].bias" in s]
    trained = m
    for _ in range(2):
        value, gradient = value_and_grad(loss)(trained)
        extra = {"value": value, "grad": gradient, "value_fn": loss} if name == "lbfgs" else {}
        updates, state = opt.update(gradient, state, trained, **extra)
        trained = optim.apply_updates(trained, updates)
    assert tree.structure(trained) == tree.structure(m)
    np.testing.assert_array_equal(trained[1].running_mean, m[1].running_mean)
    np.testing.assert_array_equal(trained[2].bias, m[2].bias)
    assert loss(trained) < loss(m)


def test_minimize_takes_a_module():
    found = optim.minimize(loss, model(), max_steps=20)
    assert found.value < 1e-2
    assert tree.structure(found.params) == tree.structure(model())
