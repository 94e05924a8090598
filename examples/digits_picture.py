"""The picture that digits.py and digits_cnn.py make: loss curve, confusion matrix with counts, and up to twelve misread digits."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import confusion_matrix


def draw(name, losses, images, labels, found):
    """Saves the picture of images [n, height, width] or [n, height, width, channels] in the current folder; returns its path."""
    plt.switch_backend("Agg")
    figure = plt.figure(figsize=(13, 4.8), layout="constrained")
    figure.suptitle(f"Handwritten digits: {np.mean(found == labels):.1%} of {len(labels)} test images read right", fontsize=14)
    left, middle, right = figure.subfigures(1, 3, width_ratios=(4, 4.4, 4.6))

    curve, window = left.subplots(), max(len(losses) // 40, 1)
    means = np.convolve(losses, np.ones(window) / window, "valid")
    curve.semilogy(losses, alpha=0.35, linewidth=0.8, label="of each step")
    curve.semilogy(np.arange(window - 1, len(losses)), means, color="tab:blue", label="running mean")
    curve.set(title="Training loss", xlabel="step", ylabel="cross-entropy")
    curve.legend()

    counts, matrix = confusion_matrix(labels, found), middle.subplots()
    matrix.imshow(np.sqrt(counts), cmap="Blues")  # the root, so that single errors are seen beside the diagonal
    for (true, read), count in np.ndenumerate(counts):
        if count:
            matrix.text(read, true, count, ha="center", va="center", color="white" if true == read else "black")
    matrix.set(title="Confusion matrix", xlabel="read as", ylabel="true digit", xticks=range(10), yticks=range(10))

    wrong = np.flatnonzero(found != labels)
    right.suptitle(f"{len(wrong)} digits were misread" + (", of which 12:" if len(wrong) > 12 else ":"))
    cells = right.subplots(3, 4).flat
    for cell, n in zip(cells, wrong, strict=False):
        cell.imshow(images[n].squeeze(), cmap="gray_r")
        cell.set_title(f"{labels[n]}, read as {found[n]}", fontsize=9)
    for cell in right.axes:
        cell.axis("off")
    path = Path(name).resolve()
    figure.savefig(path, dpi=120)
    return path
