"""Benign or malignant? Logistic regression on scikit-learn's breast-cancer data. Run: python logistic_regression.py

Prints accuracy, precision and recall on samples that were not trained on.
"""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn, optim


def logits(params, x):
    return x @ params["w"] + params["b"]


def loss(params, x, y):
    """Mean cross-entropy of labels 0 and 1, with a little weight decay."""
    z = logits(params, x)
    return jnp.mean(nn.softplus(z) - y * z) + 1e-3 * jnp.sum(params["w"] ** 2)


optimizer = optim.adam(0.05)


@jitgrad.jit
def step(params, state, x, y):
    value, gradient = jitgrad.value_and_grad(loss)(params, x, y)
    updates, state = optimizer.update(gradient, state, params)
    return optim.apply_updates(params, updates), state, value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    steps = 100 if parser.parse_args().quick else 400

    x, y = load_breast_cancer(return_X_y=True)
    y = 1 - y  # 1 is malignant: what the test is to find
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    mean, deviation = x_train.mean(0), x_train.std(0)
    x_train, x_test = ((part - mean) / deviation for part in (x_train, x_test))
    x_train, x_test, y_train = (part.astype(np.float32) for part in (x_train, x_test, y_train))

    params = {"w": jnp.zeros(x.shape[1]), "b": jnp.array(0.0)}
    state = optimizer.init(params)
    for i in range(steps):
        params, state, value = step(params, state, x_train, y_train)
        if i % 50 == 0:
            print(f"step {i:3d}  loss {float(value):.4f}")

    found = np.asarray(logits(params, x_test)) > 0
    hits = np.sum(found & (y_test == 1))
    print(f"accuracy: {np.mean(found == y_test):.4f}")
    print(f"precision: {hits / np.sum(found):.4f}")
    print(f"recall: {hits / np.sum(y_test):.4f}")


if __name__ == "__main__":
    main()
