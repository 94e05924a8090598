"""Networks and a system of differential equations, some steps each, on the device against the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, models, nn, optim, random
from jitgrad.nn import losses

from .checks import PLACE, Check, Figures, agree

STEPS = 3


def _images(count: int, size: int, channels: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((count, size, size, channels)).astype(np.float32)
    return x, np.random.default_rng(1).integers(0, classes, count)


def _loss(model: Any, x: Any, y: Any, scale: Any) -> tuple[Any, Any]:
    logits, after = nn.apply(model, x, train=True)
    return losses.cross_entropy(logits, y) * scale, after


def _steps(make: Callable[[], Any], x: Any, y: Any, optimizer: Any, device: str) -> tuple[list[Any], Any]:
    """The losses of some steps of training, and the gradient of the first, on a device."""
    model, x, y = jitgrad.device_put((make(), x, y), device)
    state = jitgrad.device_put(optimizer.init(model), device)

    @jitgrad.jit
    def step(model: Any, state: Any, x: Any, y: Any) -> Any:
        scale = getattr(state, "loss_scale", 1.0)
        (value, after), gradient = jitgrad.value_and_grad(_loss, has_aux=True)(model, x, y, scale)
        updates, state = optimizer.update(gradient, state, after)
        return optim.apply_updates(after, updates), state, value, gradient

    values, first = [], None
    for _ in range(STEPS):
        model, state, value, gradient = step(model, state, x, y)
        values.append(np.asarray(value))
        if first is None:
            PLACE.assert_here((value, gradient)) if device == PLACE.device else None
            first = [np.asarray(leaf) for leaf in jitgrad.tree.leaves(gradient)]
    return values, first


def _network(make: Callable[[], Any], x: Any, y: Any, optimizer: Any = None, scale: float = 1) -> Figures:
    """optimizer: adam, where none is given. scale: of the tolerance.

    Gradients differ by what rounding grows to in a network's layers, and in a few places by more, where a unit or a window's
    largest is decided by the last bit; some are zero but for rounding, as what a normalization takes away. So norms are compared.
    """
    optimizer = optim.adam(1e-3) if optimizer is None else optimizer
    expected, gradient = _steps(make, x, y, optimizer, "cpu")
    found, found_gradient = _steps(make, x, y, optimizer, PLACE.device)
    whole = float(np.sqrt(sum(np.linalg.norm(g) ** 2 for g in gradient)))
    for n, (got, want) in enumerate(zip(found_gradient, gradient, strict=True)):
        off, size = float(np.linalg.norm(got - want)), float(np.linalg.norm(want))
        assert off <= scale * (0.01 * size + 1e-4 * whole), f"gradient {n}, {want.shape}: off by {off:.3g} of {size:.3g}"
    return {"losses": [float(v) for v in found], "apart": agree(found, expected, scale=1000 * scale)}


def _mlp() -> Any:
    keys = random.split(random.key(0), 3)
    return nn.Sequential(
        nn.Linear(64, 128, key=keys[0]), nn.relu, nn.Linear(128, 64, key=keys[1]), nn.relu, nn.Linear(64, 10, key=keys[2])
    )


class _Digits(nn.Module):
    """The network of examples/digits_cnn.py, without its dropout."""

    def __init__(self) -> None:
        keys = random.split(random.key(0), 3)
        self.conv1, self.norm1 = nn.Conv2d(1, 32, 3, padding=1, key=keys[0]), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, 3, padding=1, key=keys[1]), nn.BatchNorm2d(64)
        self.pool, self.out = nn.MaxPool2d(2), nn.Linear(2 * 2 * 64, 10, key=keys[2])

    def __call__(self, x: Any) -> Any:
        x = self.pool(nn.relu(self.norm1(self.conv1(x))))
        x = self.pool(nn.relu(self.norm2(self.conv2(x))))
        return self.out(x.reshape(len(x), -1))


def _lorenz(params: Any, start: Any) -> Any:
    """Where many starts are after 200 steps of the classical Runge-Kutta method."""

    def slope(state: Any) -> Any:
        (sigma, rho, beta), (x, y, z) = params, state
        return jnp.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])

    def step(state: Any, _: Any) -> Any:
        a = slope(state)
        b = slope(state + 0.001 * a)
        c = slope(state + 0.001 * b)
        d = slope(state + 0.002 * c)
        return state + 0.002 / 6 * (a + 2 * b + 2 * c + d), None

    return lax.scan(step, start, length=200)[0]


def _ode() -> Figures:
    params = np.array([10, 28, 8 / 3], np.float32)
    start = np.random.default_rng(0).uniform(-5, 5, (3, 1000)).astype(np.float32)

    def fitted(params: Any, start: Any) -> Any:
        return jitgrad.value_and_grad(lambda p: (_lorenz(p, start) ** 2).mean())(params)

    def on(device: str) -> Any:
        found = jitgrad.jit(fitted)(*jitgrad.device_put((params, start), device))
        PLACE.assert_here(found) if device == PLACE.device else None
        return [np.asarray(leaf) for leaf in jitgrad.tree.leaves(found)]

    return {"apart": agree(on(PLACE.device), on("cpu"), scale=100)}


def checks() -> Iterator[Check]:
    x, y = _images(64, 8, 1, 10)
    yield Check("digits, layers in a row", lambda: _network(_mlp, x.reshape(64, 64), y))
    yield Check("digits, convolutions", lambda: _network(_Digits, x, y))
    half = lambda: nn.MixedPrecision(_mlp(), "float16")
    scaled = optim.dynamic_loss_scale(optim.adam(1e-3))
    yield Check("digits in float16, the loss scaled", lambda: _network(half, x.reshape(64, 64), y, scaled, scale=2))
    yield Check("digits in bfloat16", lambda: _network(lambda: nn.MixedPrecision(_mlp()), x.reshape(64, 64), y, scale=10))
    yield Check("an ODE", _ode)
    tokens = np.random.default_rng(0).integers(0, 60, (8, 64))
    gpt = lambda: models.GPT(60, 64, width=128, layers=2, heads=4, key=random.key(0))
    yield Check("GPT", lambda: _network(gpt, tokens, np.roll(tokens, -1, 1)))
    pictures, kinds = _images(32, 32, 3, 10)
    resnet = lambda: models.ResNet18(10, small_images=True, key=random.key(0))
    yield Check("ResNet-18", lambda: _network(resnet, pictures, kinds))
