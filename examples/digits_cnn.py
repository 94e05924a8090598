"""A convolutional network reads handwritten digits: scikit-learn's 8 x 8 images. Run: python digits_cnn.py

A quarter of the images is held out; the others are moved by up to a pixel in training. Writes digits_cnn.png
(loss curve, confusion matrix, misread digits) to the current folder and prints the accuracy on the images that were held out.
"""

import argparse

import numpy as np
from digits_picture import draw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn, optim, random
from jitgrad.nn import losses

BATCH = 64


class Net(nn.Module):
    def __init__(self):
        self.conv1, self.norm1 = nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.conv3, self.norm3 = nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128)
        self.pool, self.dropout, self.out = nn.MaxPool2d(2), nn.Dropout(0.4), nn.Linear(2 * 2 * 128, 10)

    def __call__(self, x):
        x = nn.relu(self.norm1(self.conv1(x)))
        x = self.pool(nn.relu(self.norm2(self.conv2(x))))
        x = self.pool(nn.relu(self.norm3(self.conv3(x))))
        return self.out(self.dropout(x.reshape(len(x), -1)))


def moved(key, images):
    """Images [batch, 8, 8, 1], each moved by -1, 0 or 1 pixels along both axes."""

    def one(image, place):
        return jitgrad.lax.dynamic_slice(jnp.pad(image, ((1, 1), (1, 1), (0, 0))), (*place, 0), image.shape)

    return jitgrad.vmap(one)(images, random.randint(key, (len(images), 2), 0, 3))


def loss(model, images, labels, key):
    move_key, drop_key = random.split(key)
    logits, model = nn.apply(model, moved(move_key, images), train=True, key=drop_key)
    return losses.cross_entropy(logits, labels, label_smoothing=0.1), model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    epochs = 5 if parser.parse_args().quick else 40

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[..., None]
    x, x_test, y, y_test = train_test_split(images, digits.target, test_size=0.25, random_state=0, stratify=digits.target)
    batches = len(x) // BATCH
    optimizer = optim.adamw(optim.cosine_onecycle_schedule(epochs * batches, 5e-3), weight_decay=0.05)

    @jitgrad.jit
    def step(model, state, images, labels, key):
        (value, after), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model, images, labels, key)
        updates, state = optimizer.update(gradient, state, after)
        return optim.apply_updates(after, updates), state, value

    random.seed(0)
    model, key = Net(), random.key(1)
    state, values = optimizer.init(model), []
    bar = tqdm(range(epochs), desc="training", unit="epoch")
    for epoch in bar:
        order = np.random.default_rng(epoch).permutation(len(x))
        for rows in np.split(order[: batches * BATCH], batches):
            model, state, value = step(model, state, x[rows], y[rows], random.fold_in(key, len(values)))
            values.append(float(value))
        bar.set_postfix(loss=f"{np.mean(values[-batches:]):.4f}")

    found = np.asarray(jitgrad.jit(model)(x_test)).argmax(-1)
    print(f"loss curve, confusion matrix and misread digits: {draw('digits_cnn.png', values, x_test, y_test, found)}")
    print(f"test accuracy: {np.mean(found == y_test):.4f}")


if __name__ == "__main__":
    main()
