"""House prices from areas: a line fitted by gradient descent. Run: python linear_regression.py

Writes linear_regression.png to the current folder, and prints the slope, the intercept and R2.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp

# floor area in square metres, price in thousands
HOUSES = np.array([
    [52, 138], [58, 171], [61, 160], [66, 189], [70, 183], [74, 214], [78, 205], [81, 238], [85, 226], [88, 251],
    [92, 243], [95, 266], [99, 281], [104, 272], [108, 305], [113, 296], [117, 327], [121, 318], [126, 351], [131, 340],
    [136, 376], [142, 371], [148, 402], [155, 411], [163, 440], [171, 449], [180, 487], [190, 502], [201, 540], [215, 566],
], dtype=np.float32)  # fmt: skip


def predict(params, area):
    return params["slope"] * area + params["intercept"]


def loss(params, area, price):
    return jnp.mean((predict(params, area) - price) ** 2)


@jitgrad.jit
def step(params, area, price):
    value, gradient = jitgrad.value_and_grad(loss)(params, area, price)
    return jitgrad.tree.map(lambda p, g: p - 0.1 * g, params, gradient), value


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    steps = 150 if parser.parse_args().quick else 500

    area, price = HOUSES.T
    mean, deviation = area.mean(), area.std()
    scaled = (area - mean) / deviation  # features of one size let one learning rate serve both parameters
    params = {"slope": jnp.array(0.0), "intercept": jnp.array(0.0)}
    bar = tqdm(range(steps), desc="training")
    for i in bar:
        params, value = step(params, scaled, price)
        if i % 50 == 0:
            bar.set_postfix(loss=f"{float(value):.1f}")

    slope = float(params["slope"]) / deviation
    intercept = float(params["intercept"]) - slope * mean
    residual = price - np.asarray(predict(params, scaled))
    r2 = 1 - np.sum(residual**2) / np.sum((price - price.mean()) ** 2)

    plt.switch_backend("Agg")
    plt.scatter(area, price, label="houses")
    plt.plot(area, slope * area + intercept, color="C1", label=f"price = {slope:.2f} area + {intercept:.1f}")
    plt.xlabel("area (square metres)")
    plt.ylabel("price (thousands)")
    plt.legend()
    plt.savefig("linear_regression.png", dpi=120)
    print(f"slope: {slope:.4f} thousand per square metre, intercept: {intercept:.4f} thousand, R2: {r2:.4f}")


if __name__ == "__main__":
    main()
