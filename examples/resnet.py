"""A ResNet-18 reads handwritten digits: scikit-learn's 8 x 8 images, enlarged to 32 x 32. Run: python resnet.py

A quarter of the images is held out; the accuracy on these is printed last. With --overfit the network learns random labels of 64
random images by heart instead, and the accuracy is that on the same. Writes resnet.png (loss, accuracy) to the current folder.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, image, metrics, models, nn, optim, random
from jitgrad.nn import losses


def digits():
    """Images and labels to train with, then those held out."""
    greys, labels = load_digits(return_X_y=True)
    images = image.resize(jnp.float32(greys / 8 - 1).reshape(-1, 8, 8, 1), (len(greys), 32, 32, 1), "cubic")
    x, x_test, y, y_test = data.train_test_split(np.asarray(images), labels, test_size=0.25, seed=0, stratify=labels)
    return (x, y), (x_test, y_test)


def noise():
    """64 random images with random labels, to train with and to be tested on."""
    rng = np.random.default_rng(0)
    both = rng.standard_normal((64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)
    return both, both


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs, and for digits a network of 10 layers")
    parser.add_argument("--overfit", action="store_true", help="learn 64 random images by heart")
    options = parser.parse_args()
    (x, y), (x_test, y_test) = noise() if options.overfit else digits()
    epochs = (40 if options.overfit else 2) if options.quick else (60 if options.overfit else 8)

    train = data.from_arrays(x, y).shuffle(seed=0).batch(64, drop_remainder=True)
    optimizer = optim.adamw(optim.cosine_onecycle_schedule(epochs * len(train), 3e-3), weight_decay=1e-2)

    @jitgrad.jit
    def step(model, state, images, labels):
        def loss(model):
            logits, after = nn.apply(model, images, train=True)
            return losses.cross_entropy(logits, labels), after

        (value, model), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    @jitgrad.jit
    def accuracy(model):
        return metrics.accuracy(model(x_test), y_test)

    blocks = (1, 1, 1, 1) if options.quick and not options.overfit else (2, 2, 2, 2)
    model = models.ResNet(blocks, 10, x.shape[-1], key=random.key(0))
    state, values, accuracies = optimizer.init(model), [], []
    for _ in (bar := tqdm(range(epochs), desc="training", unit="epoch")):
        found = []
        for images, labels in train:
            model, state, value = step(model, state, images, labels)
            found.append(float(value))
        values.append(np.mean(found))
        accuracies.append(float(accuracy(model)))
        bar.set_postfix(loss=f"{values[-1]:.4f}", accuracy=f"{accuracies[-1]:.4f}")

    plt.switch_backend("Agg")
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    left.semilogy(values)
    left.set(xlabel="epoch", ylabel="training loss")
    right.plot(accuracies)
    right.set(xlabel="epoch", ylabel="accuracy on the 64 images" if options.overfit else "accuracy on images held out")
    plt.savefig("resnet.png", dpi=120)
    print(f"accuracy: {accuracies[-1]:.4f}")


if __name__ == "__main__":
    main()
