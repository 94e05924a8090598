"""The parameters of a chaotic system from a noisy trajectory: gradients back through an ODE solver. Run: python lorenz.py

Over long times a small change of the Lorenz system's parameters changes everything, and gradients explode. So the trajectory is cut
into short windows, whose starts are fitted together with the parameters (multiple shooting). Prints the parameters, and writes
lorenz.png to the current folder.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, optim, random

TRUE, STEP, WINDOW, NOISE = (10.0, 28.0, 8 / 3), 0.01, 25, 0.1


def lorenz(params, state):
    (sigma, rho, beta), (x, y, z) = params, state
    return jnp.stack([sigma * (y - x), x * (rho - z) - y, x * y - beta * z])


def solve(params, start, steps):
    """The states after each of the steps of the classical Runge-Kutta method."""

    def step(state, _):
        a = lorenz(params, state)
        b = lorenz(params, state + STEP / 2 * a)
        c = lorenz(params, state + STEP / 2 * b)
        d = lorenz(params, state + STEP * c)
        state = state + STEP / 6 * (a + 2 * b + 2 * c + d)
        return state, state

    return lax.scan(step, start, length=steps)[1]


def fitted(unknown):
    """Every window, solved from its start: an array of windows x steps x 3."""
    return jitgrad.vmap(lambda start: solve(unknown["params"], start, WINDOW))(unknown["starts"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    steps = 2000 if parser.parse_args().quick else 3000

    exact = jitgrad.jit(solve, static_argnums=2)(TRUE, jnp.array([-8.0, 7.0, 27.0]), 1 + 80 * WINDOW)
    trajectory = exact + NOISE * random.normal(random.key(0), exact.shape)
    starts, observed = trajectory[:-1:WINDOW], trajectory[1:].reshape(-1, WINDOW, 3)
    optimizer = optim.adam(optim.cosine_decay_schedule(0.1, steps))

    @jitgrad.jit
    def step(unknown, state, observed):
        value, gradient = jitgrad.value_and_grad(lambda u: jnp.mean((fitted(u) - observed) ** 2))(unknown)
        updates, state = optimizer.update(gradient, state)
        return optim.apply_updates(unknown, updates), state, value

    unknown = {"params": jnp.array([5.0, 15.0, 1.0]), "starts": starts}
    state = optimizer.init(unknown)
    for _ in tqdm(range(steps), desc="fitting"):
        unknown, state, value = step(unknown, state, observed)

    times = STEP * np.arange(1, len(trajectory))
    plt.switch_backend("Agg")
    plt.plot(times, trajectory[1:, 0], ".", markersize=2, label="observed x")
    plt.plot(times, np.asarray(fitted(unknown))[:, :, 0].ravel(), linewidth=1, label="fitted x")
    plt.xlabel("time")
    plt.legend()
    plt.savefig("lorenz.png", dpi=120)
    print(f"noise: {float(value) ** 0.5:.3f}")
    print("parameters: {:.2f} {:.2f} {:.2f}".format(*np.asarray(unknown["params"])))


if __name__ == "__main__":
    main()
