"""An LSTM adds two numbers that it is shown long apart: the adding problem. Run: python lstm.py

A sequence has random numbers, two of which are marked; the answer is their sum, to be given at the end. Prints the share of answers
to new sequences that are right to 0.1, and writes lstm.png (the loss) to the current folder.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn, optim, random

HIDDEN, LENGTH, BATCH = 32, 30, 64


def init(key):
    weights, (gates_key, out_key) = nn.initializers.glorot_uniform(), random.split(key)
    bias = jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), HIDDEN)  # at first it forgets little
    return {"gates": weights(gates_key, (2 + HIDDEN, 4 * HIDDEN)), "bias": bias, "out": weights(out_key, (HIDDEN, 1))}


def predict(params, sequences):
    """The answers to sequences of shape (length, batch, 2)."""

    def cell(carry, x):
        hidden, memory = carry
        gates = jnp.concatenate([x, hidden], axis=-1) @ params["gates"] + params["bias"]
        take, keep, new, show = jnp.split(gates, 4, axis=-1)
        memory = nn.sigmoid(keep) * memory + nn.sigmoid(take) * jnp.tanh(new)
        return (nn.sigmoid(show) * jnp.tanh(memory), memory), None

    (hidden, _), _ = lax.scan(cell, (jnp.zeros((sequences.shape[1], HIDDEN)),) * 2, sequences)
    return (hidden @ params["out"])[:, 0]


def examples(key, n):
    """n sequences of pairs (number, mark) and their answers; one mark is in the first half, one in the second."""
    numbers_key, marks_key = random.split(key)
    numbers = random.uniform(numbers_key, (LENGTH, n))
    first, second = random.randint(marks_key, (2, n), 0, LENGTH // 2)
    marks = nn.one_hot(first, LENGTH, axis=0) + nn.one_hot(second + LENGTH // 2, LENGTH, axis=0)
    return jnp.stack([numbers, marks], axis=-1), jnp.sum(numbers * marks, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    steps = 1000 if parser.parse_args().quick else 2000
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(optim.cosine_decay_schedule(0.01, steps)))

    @jitgrad.jit
    def step(params, state, key):
        sequences, answers = examples(key, BATCH)
        value, gradient = jitgrad.value_and_grad(lambda p: jnp.mean((predict(p, sequences) - answers) ** 2))(params)
        updates, state = optimizer.update(gradient, state)
        return optim.apply_updates(params, updates), state, value

    params = init(random.key(0))
    state, losses = optimizer.init(params), []
    for key in tqdm(random.split(random.key(1), steps), desc="training"):
        params, state, value = step(params, state, key)
        losses.append(float(value))

    sequences, answers = examples(random.key(2), 1000)
    error = np.abs(np.asarray(jitgrad.jit(predict)(params, sequences) - answers))
    plt.switch_backend("Agg")
    plt.semilogy(losses)
    plt.axhline(1 / 6, color="0.7")  # of the mean as the answer
    plt.gca().set(xlabel="step", ylabel="loss")
    plt.savefig("lstm.png", dpi=120)
    print(f"accuracy: {np.mean(error < 0.1):.3f}")


if __name__ == "__main__":
    main()
