"""A tutorial's network in Keras' style: how far diabetes has gone after a year, from ten measurements. Run: python keras_style.py

A layer of 10 units with relu, the mean squared error, Adam, 10 epochs, on scikit-learn's diabetes data (Efron et al., Least angle
regression, 2004). Prints how much of the variance is explained for patients that were held out; writes keras_style.png.
"""

import argparse

from sklearn.datasets import load_diabetes

from jitgrad import data, metrics, random, train
from jitgrad.train import layers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no difference: it is quick")
    parser.parse_args()
    random.seed(0)

    x, y = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = data.train_test_split(x, y[:, None], test_size=0.25, seed=0)
    features, target = data.Standardizer.fit(x_train), data.Standardizer.fit(y_train)  # mean 0, deviation 1
    x_train, x_test, y_train, y_test = features(x_train), features(x_test), target(y_train), target(y_test)

    model = train.Sequential([
        layers.Dense(10, activation="relu"),
        layers.Dense(1),
    ])  # fmt: skip
    model.compile(optimizer=train.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    history = model.fit(x_train, y_train, epochs=10, batch_size=16, validation_split=0.1)

    model.summary()
    history.plot("keras_style.png")
    loss, mae = model.evaluate(x_test, y_test)
    print(f"test loss: {loss:.4f}, mean absolute error: {mae:.4f}")
    print(f"R2: {metrics.r2(model.predict(x_test), y_test):.4f}")


if __name__ == "__main__":
    main()
