"""A variational autoencoder learns to draw digits (Kingma and Welling, 2013), from scikit-learn's images. Run: python vae.py

Each pixel of an image is black with the probability of its grey; the decoder says with which, given ten normal numbers, and the
encoder which numbers an image may come from. Writes vae.png to the current folder: images that were held out, reconstructions of
them, images from random numbers, and those between one digit and another. Prints three logarithms of the probability of images that
were held out, in nats each: of independent pixels, of the model by 500 samples, and last of the model at least, the ELBO.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn, optim, random
from jitgrad.scipy import stats

LATENT, BATCH = 10, 64


class VAE(nn.Module):
    def __init__(self):
        self.encoder = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 64))

    def __call__(self, x, key):
        """For images [batch, 64] of 0 and 1: a sample of log p(x, z) - log q(z | x), whose mean is the ELBO."""
        mean, log_scale = jnp.split(self.encoder(x), 2, axis=-1)
        z = mean + jnp.exp(log_scale) * random.normal(key, mean.shape)
        pixels = jnp.sum(nn.log_sigmoid(jnp.where(x, 1, -1) * self.decoder(z)), axis=-1)
        return pixels + jnp.sum(stats.norm.logpdf(z) - stats.norm.logpdf(z, mean, jnp.exp(log_scale)), axis=-1)


def loss(model, greys, key):
    pixels_key, draw_key, drop_key = random.split(key, 3)
    bounds, model = nn.apply(model, random.bernoulli(pixels_key, greys), draw_key, train=True, key=drop_key)
    return -jnp.mean(bounds), model


def picture(model, images, name):
    latents = jnp.split(model.encoder(images), 2, axis=-1)[0]
    ways = latents[:8, None] + jnp.linspace(0, 1, 16)[:, None] * (latents[8:16] - latents[:8])[:, None]
    rows = {
        "held out": images[:64], "reconstructed": nn.sigmoid(model.decoder(latents[:64])),
        "from random numbers": nn.sigmoid(model.decoder(random.normal(random.key(3), (128, LATENT)))),
        "from one digit to another": nn.sigmoid(model.decoder(ways)),
    }  # fmt: skip
    plt.switch_backend("Agg")
    _, cells = plt.subplots(2, 2, figsize=(10, 4.6), layout="constrained", height_ratios=(1, 2))
    for cell, (title, drawn) in zip(cells.flat, rows.items(), strict=True):
        grid = np.pad(np.reshape(drawn, (-1, 16, 8, 8)), ((0, 0), (0, 0), (1, 1), (1, 1)))
        cell.imshow(grid.transpose(0, 2, 1, 3).reshape(-1, 160), cmap="gray_r")
        cell.set_title(title)
        cell.axis("off")
    plt.savefig(name, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer epochs")
    epochs = 60 if parser.parse_args().quick else 300

    images = (load_digits().data / 16).astype(np.float32)
    x, x_test = train_test_split(images, test_size=0.2, random_state=0)
    batches = len(x) // BATCH
    optimizer = optim.adam(optim.cosine_onecycle_schedule(epochs * batches, 3e-3))

    @jitgrad.jit
    def step(model, state, greys, key):
        (value, model), gradient = jitgrad.value_and_grad(loss, has_aux=True)(model, greys, key)
        updates, state = optimizer.update(gradient, state)
        return optim.apply_updates(model, updates), state, value

    random.seed(0)
    model, key, rng = VAE(), random.key(1), np.random.default_rng(0)
    state, values = optimizer.init(model), []
    for _ in (bar := tqdm(range(epochs), desc="training", unit="epoch")):
        for rows in np.split(rng.permutation(len(x))[: batches * BATCH], batches):
            model, state, value = step(model, state, x[rows], random.fold_in(key, len(values)))
            values.append(float(value))
        bar.set_postfix(ELBO=f"{-np.mean(values[-batches:]):.2f}")

    pixels = np.random.default_rng(1).random(x_test.shape) < x_test
    bounds = jitgrad.jit(jitgrad.vmap(model, (None, 0)))(pixels, random.split(random.key(2), 500))
    black = x.mean(axis=0).clip(1e-3, 1 - 1e-3)
    picture(model, x_test, "vae.png")
    print(f"independent pixels: {np.where(pixels, np.log(black), np.log(1 - black)).sum(axis=1).mean():.2f}")
    print(f"log-likelihood: {jnp.mean(nn.logsumexp(bounds, axis=0) - jnp.log(500)):.2f}")
    print(f"ELBO: {jnp.mean(bounds):.2f}")


if __name__ == "__main__":
    main()
