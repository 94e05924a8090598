"""Handwritten digits: a small neural network on scikit-learn's 8 x 8 images. Run: python digits.py

Writes digits.png (loss curve, confusion matrix, misread digits) to the current folder; prints precision and recall of each digit.
"""

import argparse

import numpy as np
from digits_picture import draw
from sklearn.datasets import load_digits
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn, optim, random

SIZES, BATCH = (64, 256, 128, 10), 64


def init(key):
    weights = nn.initializers.he_normal()
    layers = zip(random.split(key, len(SIZES) - 1), SIZES[:-1], SIZES[1:], strict=True)
    return [{"w": weights(k, (n, m)), "b": jnp.zeros(m)} for k, n, m in layers]


def predict(params, x):
    *hidden, last = params
    for layer in hidden:
        x = nn.relu(x @ layer["w"] + layer["b"])
    return x @ last["w"] + last["b"]


def loss(params, x, labels):
    return -jnp.mean(jnp.sum(nn.one_hot(labels, 10) * nn.log_softmax(predict(params, x)), axis=-1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    epochs = 8 if parser.parse_args().quick else 40

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.35, random_state=0, stratify=labels)
    batches = len(x) // BATCH
    optimizer = optim.adamw(optim.cosine_decay_schedule(3e-3, epochs * batches), weight_decay=1e-2)

    @jitgrad.jit
    def step(params, state, x, labels):
        value, gradient = jitgrad.value_and_grad(loss)(params, x, labels)
        updates, state = optimizer.update(gradient, state, params)
        return optim.apply_updates(params, updates), state, value

    params, order_key = init(random.key(0)), random.key(1)
    state, losses = optimizer.init(params), []
    bar = tqdm(range(epochs), desc="training", unit="epoch")
    for epoch in bar:
        order = np.asarray(random.permutation(random.fold_in(order_key, epoch), len(x)))
        for rows in np.split(order[: batches * BATCH], batches):
            params, state, value = step(params, state, x[rows], y[rows])
            losses.append(float(value))
        bar.set_postfix(loss=f"{np.mean(losses[-batches:]):.4f}")

    found = np.asarray(jitgrad.jit(predict)(params, x_test)).argmax(-1)
    print(classification_report(y_test, found, digits=3))
    print(f"loss curve, confusion matrix and misread digits: {draw('digits.png', losses, x_test.reshape(-1, 8, 8), y_test, found)}")
    print(f"test accuracy: {np.mean(found == y_test):.4f}")


if __name__ == "__main__":
    main()
