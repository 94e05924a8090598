"""Gradients through Python's own control flow: outside jit, functions see real numbers. Run: python dynamic_graph.py

Newton's method for a square root takes as many turns as the number needs; the gradient follows the turns that were taken.
"""

import argparse

import jitgrad
import jitgrad.numpy as jnp


def square_root(x):
    guess, turns = x, 0
    while abs(guess * guess - x) > 1e-5 * x:
        guess = (guess + x / guess) / 2
        turns += 1
        print(f"  turn {turns}: guess {guess:.6f}")
    return guess


def piecewise(x):
    """A branch that depends on the data, and a loop as long as the data say."""
    total = jnp.sum(x)
    if total > 0:
        for _ in range(int(total) % 3 + 1):
            total = total * jnp.max(x)
    else:
        total = jnp.sum(jnp.exp(x))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer numbers")
    numbers = (2.0, 9.0) if parser.parse_args().quick else (2.0, 9.0, 1e4)
    for x in numbers:
        print(f"square root of {x:g}:")
        value, gradient = jitgrad.value_and_grad(square_root)(x)
        exact = 0.5 / x**0.5
        print(f"value {float(value):.6f}, gradient {float(gradient):.6f}, exact gradient {exact:.6f}")
        assert abs(float(gradient) - exact) < 1e-3 * exact

    for x in (jnp.array([1.0, 2.0, 1.5]), jnp.array([-1.0, -2.0, 0.5])):
        print(f"piecewise at {x}: {float(piecewise(x)):.4f}, gradient {jitgrad.grad(piecewise)(x)}")
    print("gradients agree")


if __name__ == "__main__":
    main()
