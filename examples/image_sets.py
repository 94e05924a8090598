"""The images that digits_cnn.py and resnet.py read: scikit-learn's digits, or the files of MNIST or CIFAR-10."""

import numpy as np
from sklearn.datasets import load_digits

from jitgrad import data


def add_options(parser):
    parser.add_argument("--mnist", metavar="FOLDER", help="read the files of MNIST, or of Fashion-MNIST, in this folder")
    parser.add_argument("--cifar", metavar="FOLDER", help="read the files of CIFAR-10's binary version in this folder")


def load(options):
    """Images [n, height, width, channels] from 0 to 1 with their labels: those to train with, and those held out."""
    if not options.mnist and not options.cifar:
        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype(np.float32).reshape(-1, 8, 8, 1)
        x, x_test, y, y_test = data.train_test_split(images, labels, test_size=0.25, seed=0, stratify=labels)
        return (x, y), (x_test, y_test)
    read, folder = (data.read_mnist, options.mnist) if options.mnist else (data.read_cifar10, options.cifar)
    sets = [read(folder, train=train) for train in (True, False)]
    return [((x / 255).astype(np.float32).reshape(*x.shape[:3], -1), y) for x, y in sets]
