"""A tutorial's classifier in PyTorch's style: handwritten digits, a class, a loop and its accuracy. Run: python torch_style.py

Scikit-learn's 8 x 8 images, a quarter of which is held out. Prints the loss of each epoch and the accuracy; writes torch_style.png.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import jitgrad
from jitgrad import data, metrics, nn, optim, random


class Net(nn.Module):
    def __init__(self):
        self.fc1 = nn.Linear(64, 128)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = nn.relu(self.fc1(x))
        return self.fc2(self.dropout(x))


def loss(net, images, labels, key):
    logits, _ = nn.apply(net, images, train=True, key=key)
    return nn.losses.cross_entropy(logits, labels)


optimizer = optim.adam(1e-3)


@jitgrad.jit
def step(net, state, images, labels, key):
    value, gradients = jitgrad.value_and_grad(loss)(net, images, labels, key)  # zero_grad, forward, backward
    updates, state = optimizer.update(gradients, state, net)
    return optim.apply_updates(net, updates), state, value  # what optimizer.step changes in place


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    epochs = 10 if parser.parse_args().quick else 40

    digits = load_digits()
    images, labels = digits.data.astype(np.float32) / 16, digits.target
    x, x_test, y, y_test = data.train_test_split(images, labels, test_size=0.25, seed=0, stratify=labels)
    loader = data.from_arrays(x, y).shuffle(seed=0).batch(64)

    random.seed(0)
    net = Net()
    print(net)
    state, losses = optimizer.init(net), []
    bar = tqdm(range(epochs), desc="training", unit="epoch")
    for _ in bar:
        for images, labels in loader:
            net, state, value = step(net, state, images, labels, random.fold_in(random.key(1), len(losses)))
            losses.append(float(value))
        bar.set_postfix(loss=f"{np.mean(losses[-len(loader) :]):.4f}")

    plt.switch_backend("Agg")
    plt.semilogy(losses)
    plt.gca().set(xlabel="step", ylabel="loss")
    plt.savefig("torch_style.png", dpi=120)
    print(f"accuracy: {metrics.accuracy(net(x_test), y_test):.4f}")


if __name__ == "__main__":
    main()
