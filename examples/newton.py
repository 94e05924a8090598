"""Derivatives of a root that Newton's method finds in as many steps as it needs. Run: python newton.py

Kepler's equation E - e sin(E) = M gives a planet's place on its orbit, the angle E, from the time M. Its derivatives by M are found
twice: through the steps of the compiled loop, and implicitly, from the equation at the root alone. Prints both beside the exact
ones, and writes newton.png to the current folder.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax

ECCENTRICITY = 0.9


def kepler(time):
    """The function of E whose root is the place at a time."""
    return lambda angle: angle - ECCENTRICITY * jnp.sin(angle) - time


def newton(f, guess):
    """A root of f, and how many steps it took."""

    def unfinished(state):
        _, change, steps = state
        return (jnp.abs(change) > 1e-9) & (steps < 50)

    def step(state):
        x, _, steps = state
        value, slope = jitgrad.value_and_grad(f)(x)
        return x - value / slope, value / slope, steps + 1

    root, _, steps = lax.while_loop(unfinished, step, (guess, jnp.inf, 0))
    return root, steps


def through_the_loop(time):
    return newton(kepler(time), jnp.pi)[0]


def implicit(time):
    """The same root, whose tangent solves the equation linearised there: no step is differentiated."""
    return lax.custom_root(kepler(time), jnp.pi, lambda f, guess: newton(f, guess)[0], lambda g, y: y / g(1.0))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer times")
    times = np.linspace(0.1, 3.0, 6 if parser.parse_args().quick else 30)

    jitgrad.config.default_float = "float64"
    # each time of the batch takes steps of its own number
    angles, steps = map(np.asarray, jitgrad.jit(jitgrad.vmap(lambda time: newton(kepler(time), jnp.pi)))(times))
    print(f"steps: {steps.min()} to {steps.max()}")
    slope = 1 - ECCENTRICITY * np.cos(angles)
    exact = {"first": 1 / slope, "second": -ECCENTRICITY * np.sin(angles) / slope**3}
    for name, root in (("through the loop", through_the_loop), ("implicit", implicit)):
        derivatives = {"first": jitgrad.grad(root), "second": jitgrad.grad(jitgrad.grad(root))}
        for order, derivative in derivatives.items():
            found = np.asarray(jitgrad.jit(jitgrad.vmap(derivative))(times))
            difference = np.max(np.abs(found - exact[order]))
            print(f"{name}, {order} derivative at {times[0]}: {found[0]:.10f}, exact: {exact[order][0]:.10f}")
            print(f"{name}, {order} derivative at all times, largest difference: {difference:.1e}")

    plt.switch_backend("Agg")
    plt.plot(times, angles, label="E")
    plt.plot(times, exact["first"], label="dE/dM")
    plt.step(times, steps, where="mid", color="0.7", label="steps")
    plt.xlabel("M")
    plt.legend()
    plt.savefig("newton.png", dpi=120)


if __name__ == "__main__":
    main()
