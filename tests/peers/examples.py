"""Programs in the style of jax's own examples: what they give after a few steps.

On scikit-learn's digits a classifier and a variational autoencoder from scratch; kernel regression; variational inference.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.datasets
from jax import grad, jit, lax, random, vmap
from jax.flatten_util import ravel_pytree
from jax.nn import softplus
from jax.scipy.special import logsumexp

IMAGES, DIGITS = sklearn.datasets.load_digits(return_X_y=True)
IMAGES = (IMAGES / 16).astype(np.float32)
ONE_HOT = (DIGITS[:, None] == np.arange(10)).astype(np.float32)


def classifier() -> Any:
    """A network of dense layers as a list of pairs, drawn by NumPy, and gradient descent on shuffled batches of a generator."""
    rng = np.random.RandomState(0)
    sizes = [64, 48, 32, 10]
    layers = [
        (np.float32(0.1) * rng.randn(m, n).astype("float32"), 0.1 * rng.randn(n).astype("float32"))
        for m, n in zip(sizes[:-1], sizes[1:], strict=True)
    ]

    def log_chances(layers: Any, images: Any) -> Any:
        activations = images
        for w, b in layers[:-1]:
            activations = jnp.tanh(jnp.dot(activations, w) + b)
        w, b = layers[-1]
        logits = jnp.dot(activations, w) + b
        return logits - logsumexp(logits, axis=1, keepdims=True)

    def loss(layers: Any, batch: Any) -> Any:
        images, targets = batch
        return -jnp.mean(jnp.sum(log_chances(layers, images) * targets, axis=1))

    def accuracy(layers: Any, batch: Any) -> Any:
        images, targets = batch
        return jnp.mean(jnp.argmax(log_chances(layers, images), axis=1) == jnp.argmax(targets, axis=1))

    def batches() -> Any:
        while True:
            order = rng.permutation(1500)
            for i in range(0, 1500, 100):
                yield IMAGES[order[i : i + 100]], ONE_HOT[order[i : i + 100]]

    @jit
    def update(layers: Any, batch: Any) -> Any:
        slopes = grad(loss)(layers, batch)
        return [(w - 0.2 * dw, b - 0.2 * db) for (w, b), (dw, db) in zip(layers, slopes, strict=True)]

    for batch in itertools.islice(batches(), 30):
        layers = update(layers, batch)
    return loss(layers, (IMAGES, ONE_HOT)), accuracy(layers, (IMAGES[1500:], ONE_HOT[1500:])), layers


def autoencoder() -> Any:
    """The evidence lower bound of a Gaussian code and Bernoulli pixels, by one draw of the code; epochs by fori_loop, in jit."""

    def dense(key: Any, m: int, n: int) -> Any:
        first, second = random.split(key)
        return {"w": random.normal(first, (m, n)) / jnp.sqrt(m), "b": 0.01 * random.normal(second, (n,))}

    def apply(layer: Any, x: Any) -> Any:
        return x @ layer["w"] + layer["b"]

    def encode(model: Any, x: Any) -> Any:
        hidden = jax.nn.relu(apply(model["in"], x))
        return apply(model["mean"], hidden), softplus(apply(model["variance"], hidden))

    def decode(model: Any, code: Any) -> Any:
        return apply(model["out"], jax.nn.relu(apply(model["code"], code)))

    def divergence(mean: Any, variance: Any) -> Any:
        return -0.5 * jnp.sum(1.0 + jnp.log(variance) - mean**2.0 - variance)

    def bound(key: Any, model: Any, images: Any) -> Any:
        mean, variance = encode(model, images)
        logits = decode(model, mean + jnp.sqrt(variance) * random.normal(key, mean.shape))
        likelihood = -jnp.sum(jnp.logaddexp(0.0, jnp.where(images, -1.0, 1.0) * logits))
        return (likelihood - divergence(mean, variance)) / images.shape[0]

    def binary_batch(key: Any, i: Any, images: Any) -> Any:
        batch = lax.dynamic_slice_in_dim(images, i * 100, 100)
        return random.bernoulli(random.fold_in(key, i), batch)

    @jit
    def epoch(key: Any, model: Any, images: Any) -> Any:
        def step(i: Any, model: Any) -> Any:
            draw_key, batch_key = random.split(random.fold_in(key, i))
            batch = binary_batch(batch_key, i, images)
            slopes = grad(lambda model: -bound(draw_key, model, batch))(model)
            return jax.tree_util.tree_map(lambda p, g: p - 0.01 * g, model, slopes)

        return lax.fori_loop(0, 5, step, model)

    shapes = {"in": (64, 32), "mean": (32, 4), "variance": (32, 4), "code": (4, 32), "out": (32, 64)}
    keys = random.split(random.key(0), len(shapes))
    model = {name: dense(key, *shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}
    for number in range(2):
        model = epoch(random.fold_in(random.key(1), number), model, jnp.asarray(IMAGES))
    code = random.normal(random.key(2), (3, 4))
    pictures = random.bernoulli(random.key(3), jax.nn.sigmoid(decode(model, code)))
    return bound(random.key(4), model, IMAGES > 0.5), ravel_pytree(model)[0], pictures


def kernel_regression() -> Any:
    """Least squares in a kernel's feature space: a Gram matrix by vmap of vmap, minimised by gradient descent over a fori_loop."""

    def gram(kernel: Any, xs: Any) -> Any:
        return vmap(lambda x: vmap(lambda y: kernel(x, y))(xs))(xs)

    def minimise(f: Any, x: Any, steps: int, rate: float) -> Any:
        return lax.fori_loop(0, steps, lambda i, x: x - rate * grad(f)(x), x)

    def train(kernel: Any, xs: Any, ys: Any, strength: float = 0.01) -> Any:
        @jit
        def objective(v: Any) -> Any:
            return jnp.sum((jnp.dot(gram(kernel, xs), v) - ys) ** 2.0) / len(ys) + strength * jnp.dot(v, v)

        weights = minimise(objective, jnp.zeros(xs.shape[0]), 20, 0.01)
        return lambda x: jnp.dot(vmap(functools.partial(kernel, x))(xs), weights)

    linear = lambda x, y: jnp.dot(x, y)
    bell = lambda x, y: jnp.exp(-jnp.sum((x - y) ** 2) / 2)
    points = random.normal(random.key(5), (25, 3))
    values = points @ jnp.array([1.0, -2.0, 0.5]) + 0.1 * random.normal(random.key(6), (25,))
    fits = [train(kernel, points, values) for kernel in (linear, bell)]
    return [vmap(fit)(points[:8]) for fit in fits], gram(bell, points[:4])


def inference() -> Any:
    """Automatic differentiation variational inference: a diagonal Gaussian to a funnel, by the reparameterised lower bound."""

    def normal_log(x: Any, mean: Any, log_scale: Any) -> Any:
        return jax.scipy.stats.norm.logpdf(x, mean, jnp.exp(log_scale))

    def funnel(z: Any) -> Any:
        return normal_log(z[0], 0.0, jnp.log(1.35)) + normal_log(z[1], 0.0, z[0])

    def gaussian(z: Any, mean: Any, log_scale: Any) -> Any:
        return jnp.sum(vmap(normal_log)(z, mean, log_scale))

    def bound(log_density: Any, key: Any, mean: Any, log_scale: Any) -> Any:
        sample = jnp.exp(log_scale) * random.normal(key, mean.shape) + mean
        return log_density(sample) - gaussian(sample, mean, log_scale)

    def batch_bound(log_density: Any, key: Any, parameters: Any, count: int) -> Any:
        keys = random.split(key, count)
        return jnp.mean(vmap(functools.partial(bound, log_density), in_axes=(0, None, None))(keys, *parameters))

    @jit
    def update(i: Any, parameters: Any) -> Any:
        slopes = grad(lambda p: -batch_bound(funnel, random.fold_in(random.key(0), i), p, 20))(parameters)
        return jax.tree_util.tree_map(lambda p, g: p - 0.05 * g, parameters, slopes)

    parameters = (jnp.array([-1.0, -1.0]), jnp.array([-0.5, -0.5]))
    for i in range(15):
        parameters = update(i, parameters)
    return parameters, batch_bound(funnel, random.key(9), parameters, 50)


PROGRAMS: dict[str, Callable[[], Any]] = {
    "classifier": classifier, "autoencoder": autoencoder, "kernel regression": kernel_regression, "inference": inference,
}  # fmt: skip
