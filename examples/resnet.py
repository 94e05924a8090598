"""A ResNet-18 reads handwritten digits: scikit-learn's 8 x 8 images, enlarged to 32 x 32. Run: python resnet.py

A quarter of the images is held out; the accuracy on these is printed last. With --overfit the network learns random labels of 64
random images by heart instead, and the accuracy is that on the same. Writes resnet.png (loss, accuracy) to the current folder.
Takes files of MNIST or CIFAR, too.
"""

import argparse

import image_sets
import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, image, models, nn, optim, random
from jitgrad.nn import losses


def load(options):
    """Images [n, 32, 32, channels] with their labels: those to train with, and those to be tested on."""
    if options.overfit:
        rng = np.random.default_rng(0)
        noise = rng.standard_normal((64, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 64)
        return noise, noise
    sets = image_sets.load(options)
    return [(np.asarray(image.resize(2 * x - 1, (len(x), 32, 32, x.shape[3]), "cubic")), y) for x, y in sets]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs, and but for --overfit a network of 10 layers")
    parser.add_argument("--overfit", action="store_true", help="learn 64 random images by heart")
    image_sets.add_options(parser)
    options = parser.parse_args()

    (x, y), (x_test, y_test) = load(options)
    epochs = (40 if options.overfit else 2) if options.quick else (60 if options.overfit else 8)

    train = data.from_arrays(x, y).shuffle(seed=0).batch(64, drop_remainder=True)
    test = data.from_arrays(x_test, y_test).batch(500)
    optimizer = optim.adamw(optim.cosine_onecycle_schedule(epochs * len(train), 3e-3), weight_decay=1e-2)

    @jitgrad.jit
    def step(model, state, images, labels):
        def loss(model):
            logits, after = nn.apply(model, images, train=True)
            return losses.cross_entropy(logits, labels), after

        (value, model), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    hits = jitgrad.jit(lambda model, images, labels: jnp.sum(model(images).argmax(-1) == labels))
    blocks = (1, 1, 1, 1) if options.quick and not options.overfit else (2, 2, 2, 2)
    model = models.ResNet(blocks, 10, x.shape[-1], key=random.key(0))
    state, values, accuracies = optimizer.init(model), [], []
    for _ in (bar := tqdm(range(epochs), desc="training", unit="epoch")):
        found = []
        for images, labels in train:
            model, state, value = step(model, state, images, labels)
            found.append(float(value))
        values.append(np.mean(found))
        accuracies.append(sum(int(hits(model, *batch)) for batch in test) / len(x_test))
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
