"""A GPT learns to write, a character at a time. Run: python gpt.py, or python gpt.py --text FILE

By default it reads Python's language reference, 370 kB of text that `pydoc_data.topics` of the standard library has for help(). The
last tenth is held out. Prints some text of its own and the loss there, in nats a character, and writes gpt.png (the loss).
"""

import argparse
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import jitgrad
from jitgrad import data, models, nn, optim, random

CONTEXT = 128


def reference():
    """The reference's paragraphs, each of them once: topics repeat one another's, and what is held out must be new."""
    return "\n\n".join(dict.fromkeys("\n\n".join(topics.values()).split("\n\n")))


def rows(tokens):
    """All tokens in rows of a context, and beside each the one that comes behind it; -1 where there is none."""
    padded = np.append(tokens, np.full(CONTEXT - (len(tokens) - 1) % CONTEXT, -1))
    return np.maximum(padded[:-1], 0).reshape(-1, CONTEXT), padded[1:].reshape(-1, CONTEXT)


def loss(model, x, y):
    """Mean cross-entropy of the next characters y."""
    return nn.losses.cross_entropy(model(x), y, ignore_index=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps, of fewer windows")
    parser.add_argument("--text", help="a plain-text file to learn from instead")
    args = parser.parse_args()
    steps, batch = (100, 8) if args.quick else (2000, 16)

    text = data.read_text(args.text) if args.text else reference()
    alphabet = data.Characters.of(text)
    train, held_out = np.split(alphabet.encode(text), [len(text) * 9 // 10])
    print(f"{len(text)} characters, {len(alphabet)} different ones; {len(held_out)} are held out")

    model = models.GPT(len(alphabet), CONTEXT, width=128, layers=2, heads=4, key=random.key(0))
    schedule = optim.warmup_cosine_decay_schedule(0.0, 3e-3, warmup_steps=steps // 20, decay_steps=steps, end_value=1e-4)
    optimizer = optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(schedule, b2=0.99, weight_decay=0.1))
    print(f"{nn.parameter_count(model)} parameters")

    @jitgrad.jit
    def step(model, state, x, y):
        value, gradient = jitgrad.value_and_grad(loss)(model, x, y)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    batches = data.random_windows(train, CONTEXT, steps * batch, seed=0).batch(batch)
    state, losses, held_out_losses = optimizer.init(model), [], {}
    bar = tqdm(batches, desc="training")
    for x, y in bar:
        model, state, value = step(model, state, x, y)
        losses.append(float(value))
        if len(losses) % 200 == 0 or len(losses) == steps:
            held_out_losses[len(losses)] = float(jitgrad.jit(loss)(model, *rows(held_out)))
            bar.set_postfix(held_out_loss=f"{held_out_losses[len(losses)]:.3f}")

    prompt = held_out[None, : CONTEXT // 2]
    written = model.generate(prompt, 100 if args.quick else 1000, key=random.key(1), temperature=0.8)
    print(alphabet.decode(written[0]))

    plt.switch_backend("Agg")
    plt.plot(losses, linewidth=0.7, label="of each step")
    plt.plot(held_out_losses.keys(), held_out_losses.values(), "o-", label="held out")
    plt.gca().set(xlabel="step", ylabel="loss in nats a character")
    plt.legend()
    plt.savefig("gpt.png", dpi=120)
    print(f"held-out loss: {held_out_losses[steps]:.4f}")


if __name__ == "__main__":
    main()
