"""Benign or malignant? Logistic regression on scikit-learn's breast-cancer data. Run: python logistic_regression.py

The probability that a sample is malignant is sigmoid(x @ w + b). Prints accuracy, precision and recall on samples that were not
trained on, and writes logistic_regression.png: how probable it is for those.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, metrics, nn, optim


def logits(params, x):
    return x @ params["w"] + params["b"]


def loss(params, x, y):
    """Mean cross-entropy of labels 0 and 1, -y log p - (1 - y) log(1 - p), with a little weight decay."""
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
    x_train, x_test, y_train, y_test = data.train_test_split(x.astype(np.float32), y, test_size=0.25, seed=0, stratify=y)
    scaled = data.Standardizer.fit(x_train)
    x_train, x_test = scaled(x_train), scaled(x_test)

    params = {"w": jnp.zeros(x.shape[1]), "b": jnp.array(0.0)}
    state = optimizer.init(params)
    bar = tqdm(range(steps), desc="training")
    for i in bar:
        params, state, value = step(params, state, x_train, y_train)
        if i % 50 == 0:
            bar.set_postfix(loss=f"{float(value):.4f}")

    probability = np.asarray(nn.sigmoid(logits(params, x_test)))
    plt.switch_backend("Agg")
    plt.hist([probability[y_test == 0], probability[y_test == 1]], bins=20, stacked=True, label=["benign", "malignant"])
    plt.gca().set(xlabel="probability of malignant", ylabel="samples", yscale="symlog")
    plt.legend()
    plt.savefig("logistic_regression.png", dpi=120)
    found = probability > 0.5
    print(f"accuracy: {metrics.accuracy(found, y_test):.4f}")
    print(f"precision: {metrics.precision(found, y_test):.4f}")
    print(f"recall: {metrics.recall(found, y_test):.4f}")


if __name__ == "__main__":
    main()
