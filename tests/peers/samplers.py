"""blackjax's samplers on small densities: the positions of their chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import optax

KEY = jax.random.key(3)
SCALES = np.array([0.5, 1.0, 2.0])
COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 0.8, -0.2], [0.0, -0.2, 0.5]])
OBSERVED = np.random.default_rng(1).standard_normal(20) * 0.7 + 0.4


def log_density(x: Any) -> Any:
    return -0.5 * jnp.sum((x / SCALES) ** 2) - 0.1 * jnp.sum(x**4)


def log_density_of_tree(position: Any) -> Any:
    """A normal model of OBSERVED, with a wide prior."""
    mean, log_scale = position["mean"], position["log_scale"]
    residuals = (OBSERVED - mean) * jnp.exp(-log_scale)
    return -0.5 * jnp.sum(residuals**2) - len(OBSERVED) * log_scale - 0.05 * (mean**2 + log_scale**2)


START = np.array([0.3, -0.2, 0.5])
TREE = {"mean": jnp.asarray(0.0), "log_scale": jnp.asarray(0.0)}


def chain(algorithm: Any, start: Any = START, steps: int = 12, **given: Any) -> Any:
    """The positions of a chain that a jitted scan makes."""

    def step(state: Any, key: Any) -> Any:
        state, _ = algorithm.step(key, state)
        return state, state.position

    @jax.jit
    def run(start: Any, keys: Any) -> Any:
        return jax.lax.scan(step, algorithm.init(start, **given), keys)[1]

    return run(start, jax.random.split(KEY, steps))


def adapted() -> Any:
    warmup = blackjax.window_adaptation(blackjax.nuts, log_density_of_tree)
    (state, parameters), _ = warmup.run(KEY, TREE, num_steps=60)
    return state.position, parameters["step_size"], parameters["inverse_mass_matrix"]


def stochastic(make: Callable[[Any], Any]) -> Any:
    """Steps of a stochastic gradient sampler on minibatches."""
    gradient = blackjax.sgmcmc.gradients.grad_estimator(
        lambda position: -0.05 * position**2, lambda position, datum: -0.5 * (datum - position) ** 2, len(OBSERVED)
    )
    algorithm = make(gradient)
    state = algorithm.init(jnp.asarray(0.1))
    step = jax.jit(algorithm.step)
    places = []
    for key in jax.random.split(KEY, 8):
        batch_key, key = jax.random.split(key)
        batch = jnp.asarray(OBSERVED)[jax.random.choice(batch_key, len(OBSERVED), (5,))]
        state = step(key, state, batch, 1e-2)
        places.append(getattr(state, "position", state))
    return jnp.stack(places)


def tempered() -> Any:
    algorithm = blackjax.adaptive_tempered_smc(
        lambda x: -0.5 * jnp.sum(x**2), lambda x: -2.0 * jnp.sum((x - 1.0) ** 2), blackjax.hmc.build_kernel(), blackjax.hmc.init,
        blackjax.smc.extend_params({"step_size": 0.2, "inverse_mass_matrix": jnp.ones(2), "num_integration_steps": 3}),
        blackjax.smc.resampling.systematic, 0.5, num_mcmc_steps=2,
    )  # fmt: skip
    state = algorithm.init(jax.random.normal(KEY, (30, 2)))
    step = jax.jit(algorithm.step)
    for key in jax.random.split(KEY, 2):
        state, _ = step(key, state)
    return state.particles, state.tempering_param


def variational(family: Any) -> Any:
    algorithm = family(log_density, optax.sgd(0.05), 8)
    state = algorithm.init(jnp.asarray(START))
    step = jax.jit(algorithm.step)
    for key in jax.random.split(KEY, 6):
        state, info = step(key, state)
    return [leaf for leaf in jax.tree.leaves(state)], info.elbo


def svgd() -> Any:
    algorithm = blackjax.svgd(jax.grad(log_density), optax.sgd(0.1))
    state = algorithm.init(jax.random.normal(KEY, (6, 3)))
    step = jax.jit(algorithm.step)
    for _ in range(4):
        state = step(state)
    return state.particles


MASS = np.array([0.4, 1.0, 2.0])
ALGORITHMS = {
    "hmc": lambda: blackjax.hmc(log_density, 0.2, MASS, 5),
    "hmc with a dense mass": lambda: blackjax.hmc(log_density, 0.2, COVARIANCE, 5),
    "nuts": lambda: blackjax.nuts(log_density, 0.3, MASS),
    "nuts with a dense mass": lambda: blackjax.nuts(log_density, 0.3, COVARIANCE),
    "mala": lambda: blackjax.mala(log_density, 0.1),
    "rmh": lambda: blackjax.rmh(log_density, lambda key, x: x + 0.3 * jax.random.normal(key, x.shape, x.dtype)),
    "random_walk": lambda: blackjax.additive_step_random_walk(log_density, blackjax.mcmc.random_walk.normal(0.3 * np.ones(3))),
    "irmh": lambda: blackjax.irmh(log_density, lambda key: jax.random.normal(key, (3,), float)),
    "barker": lambda: blackjax.barker(log_density, 0.3),
    "rmhmc": lambda: blackjax.rmhmc(log_density, 0.1, MASS, 2),
    "elliptical_slice": lambda: blackjax.elliptical_slice(
        lambda x: -0.1 * jnp.sum(x**4), mean=jnp.zeros(3), cov=jnp.asarray(COVARIANCE)),
}  # fmt: skip

PROGRAMS: dict[str, Callable[[], Any]] = {
    **{name: lambda make=make: chain(make()) for name, make in ALGORITHMS.items()},
    "hmc on a tree": lambda: chain(blackjax.hmc(log_density_of_tree, 0.1, np.ones(2), 4), TREE),
    "nuts on a tree": lambda: chain(blackjax.nuts(log_density_of_tree, 0.1, np.ones(2)), TREE, 6),
    "dynamic_hmc": lambda: chain(blackjax.dynamic_hmc(log_density, 0.2, MASS), rng_key=KEY),
    "ghmc": lambda: chain(blackjax.ghmc(log_density, 0.2, MASS, 0.9, 0.1), rng_key=KEY),
    "mclmc": lambda: chain(blackjax.mclmc(log_density, 1.0, 0.2), rng_key=KEY),
    "window_adaptation": adapted, "tempered smc": tempered, "svgd": svgd,
    "meanfield_vi": lambda: variational(blackjax.meanfield_vi), "fullrank_vi": lambda: variational(blackjax.fullrank_vi),
    "sgld": lambda: stochastic(blackjax.sgld), "sghmc": lambda: stochastic(lambda g: blackjax.sghmc(g, 3)),
    "rhat and ess": lambda: (
        blackjax.rhat(jnp.asarray(np.random.default_rng(2).standard_normal((2, 50, 3)))),
    ),
}  # fmt: skip
