"""A convolutional network reads handwritten digits: scikit-learn's 8 x 8 images. Run: python digits_cnn.py

A quarter of the images is held out; the others are moved by up to a pixel in training. Writes digits_cnn.png (loss curve, confusion
matrix, misread digits) to the current folder and prints the accuracy on the images held out. Takes files of MNIST or CIFAR, too.
"""

import argparse

import image_sets
import numpy as np
from digits_picture import draw
from tqdm import tqdm

import jitgrad
from jitgrad import data, nn, optim, random
from jitgrad.nn import losses


class Net(nn.Module):
    def __init__(self, height, width, channels):
        self.conv1, self.norm1 = nn.Conv2d(channels, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.conv3, self.norm3 = nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128)
        self.pool, self.dropout = nn.MaxPool2d(2), nn.Dropout(0.4)
        self.out = nn.Linear((height // 4) * (width // 4) * 128, 10)

    def __call__(self, x):
        x = nn.relu(self.norm1(self.conv1(x)))
        x = self.pool(nn.relu(self.norm2(self.conv2(x))))
        x = self.pool(nn.relu(self.norm3(self.conv3(x))))
        return self.out(self.dropout(x.reshape(len(x), -1)))


def loss(model, images, labels, key):
    logits, model = nn.apply(model, images, train=True, key=key)
    return losses.cross_entropy(logits, labels, label_smoothing=0.1), model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    image_sets.add_options(parser)
    options = parser.parse_args()

    (x, y), (x_test, y_test) = image_sets.load(options)
    epochs = 5 if options.quick else 40 if len(x) < 10_000 else 10
    crop = data.RandomCrop(padding=x.shape[1] // 8)
    train = data.from_arrays(x, y).shuffle(seed=0).batch(64, drop_remainder=True)
    train = train.map(lambda images, labels, rng: (crop(images, rng), labels), seed=0)
    optimizer = optim.adamw(optim.cosine_onecycle_schedule(epochs * len(train), 5e-3), weight_decay=0.05)

    @jitgrad.jit
    def step(model, state, images, labels, key):
        (value, model), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model, images, labels, key)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    random.seed(0)
    model, key = Net(*x.shape[1:]), random.key(1)
    state, values = optimizer.init(model), []
    bar = tqdm(total=epochs * len(train), desc="training", unit="step")
    for _ in range(epochs):
        for images, labels in train:
            model, state, value = step(model, state, images, labels, random.fold_in(key, len(values)))
            values.append(float(value))
            bar.update()
        bar.set_postfix(loss=f"{np.mean(values[-len(train) :]):.4f}")
    bar.close()

    predict = jitgrad.jit(lambda images: model(images).argmax(-1))
    found = np.concatenate([predict(images) for images in data.from_arrays(x_test).batch(500)])
    print(f"loss curve, confusion matrix and misread images: {draw('digits_cnn.png', values, x_test, y_test, found)}")
    print(f"test accuracy: {np.mean(found == y_test):.4f}")


if __name__ == "__main__":
    main()
