"""Speech commands are recognised: a network reads the letters of words that follow each other in any order. Run: python speech.py

A synthesiser speaks them letter by letter, each time with another voice, pitch, speed and noise. The network sees spectrograms, and
what was said, but not when (CTC). Writes speech.png (the loss, a spectrogram, and what the network reads in it) to the current
folder, and prints the label error on utterances that were held out: letters put in, left out or exchanged, for each letter said.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import uniform_filter1d
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import audio, metrics, models, nn, optim, random

RATE, BATCH, LONGEST = 8000, 16, 17000
WORDS = "yes no up down left right on off stop go".split()
LETTERS = "_ " + "".join(sorted(set("".join(WORDS))))  # the blank comes first
SOUNDS = {  # milliseconds, two formants in hertz and how loud they are, the middle of noise in hertz and how loud it is
    " ": (90, 500, 1500, 0, 1000, 0), "d": (60, 250, 1700, 0.3, 3000, 0.2), "e": (90, 530, 1840, 1, 1000, 0),
    "f": (80, 500, 1500, 0, 2400, 0.2), "g": (60, 250, 2100, 0.3, 1600, 0.3), "h": (60, 500, 1500, 0, 1000, 0.3),
    "i": (90, 280, 2400, 1, 1000, 0), "l": (70, 380, 1100, 0.6, 1000, 0), "n": (70, 250, 1400, 0.5, 1000, 0),
    "o": (90, 550, 880, 1, 1000, 0), "p": (60, 500, 1000, 0, 600, 0.4), "r": (70, 450, 1300, 0.7, 1000, 0),
    "s": (90, 500, 1500, 0, 3300, 0.4), "t": (50, 500, 1800, 0, 3700, 0.6), "u": (90, 310, 800, 1, 1000, 0),
    "w": (60, 300, 620, 0.6, 1000, 0), "y": (60, 270, 2250, 0.7, 1000, 0),
}  # fmt: skip


@jitgrad.jit
def heard(track, pitch, noise, hiss):
    """The spectrogram of harmonics of a pitch, loud near formants, and of noise. track: SOUNDS by sample [samples, 5]."""
    first, second, voiced, middle, rough = track.T
    harmonics = jnp.arange(1, 40)[:, None]
    near = jnp.exp(-(((harmonics * pitch - first) / 90) ** 2)) + 0.6 * jnp.exp(-(((harmonics * pitch - second) / 140) ** 2))
    waves = jnp.where(harmonics * pitch < RATE / 2, near, 0) * jnp.sin(harmonics * 2 * jnp.pi * jnp.cumsum(pitch / RATE))
    wave = voiced * jnp.sum(waves, axis=0) + rough * noise * jnp.sin(2 * jnp.pi * jnp.cumsum(middle / RATE)) + hiss
    return audio.log_mel_spectrogram(wave, RATE, mels=40)


def utterance(rng):
    """Two or three words: their log-mel spectrogram, how many frames of it there are, and their letters."""
    text = " ".join(rng.choice(WORDS, rng.integers(2, 4), replace=False))
    spoken = np.array([SOUNDS[letter] for letter in f" {text} "])
    spoken[:, 1:3] *= rng.uniform(0.85, 1.15)  # the formants of a large mouth are low
    samples = spoken[:, 0] * RATE / 1000 * rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, len(spoken))
    track = np.repeat(spoken[:, 1:], samples.astype(int), axis=0)
    track = np.pad(uniform_filter1d(track, 200, axis=0), ((0, LONGEST - len(track)), (0, 0)))
    pitch = rng.uniform(90, 230) * (1 + 0.1 * np.sin(np.arange(LONGEST) / rng.uniform(500, 2000)))
    noise, hiss = uniform_filter1d(rng.standard_normal(LONGEST), 4), rng.uniform(0, 0.2) * rng.standard_normal(LONGEST)
    frames = heard(*(np.float32(x) for x in (track, pitch, noise, hiss)))
    labels = [*(LETTERS.index(letter) for letter in text), *[-1] * (24 - len(text))]
    return np.asarray(frames), int(samples.sum()) // 80 - 2, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer utterances and steps")
    count, epochs = (480, 8) if parser.parse_args().quick else (1280, 6)
    rng = np.random.default_rng(0)
    said = [utterance(rng) for _ in tqdm(range(count + 256), desc="speaking")]
    frames, lengths, labels = (np.stack(parts) for parts in zip(*said, strict=True))
    frames = (frames - frames[:count].mean()) / frames[:count].std()
    rate = optim.cosine_onecycle_schedule(epochs * count // BATCH, 5e-3)
    optimizer = optim.chain(optim.clip_by_global_norm(5.0), optim.adam(rate))

    @jitgrad.jit
    def step(model, state, frames, lengths, labels):
        loss = lambda model: jnp.mean(nn.ctc_loss(*model(frames, lengths), labels, labels < 0))
        value, gradient = jitgrad.value_and_grad(loss)(model)
        updates, state = optimizer.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    model = models.SpeechRecognizer(len(LETTERS), 40, hidden=64, layers=1, key=random.key(0))
    state, values = optimizer.init(model), []
    for _ in (bar := tqdm(range(epochs), desc="training", unit="epoch")):
        for rows in np.split(rng.permutation(count), count // BATCH):
            model, state, value = step(model, state, frames[rows], lengths[rows], labels[rows])
            values.append(float(value))
        bar.set_postfix(loss=f"{np.mean(values[-count // BATCH :]):.3f}")

    logits, paddings = jitgrad.jit(model)(frames[count:], lengths[count:])
    found = nn.ctc_greedy_decode(logits, paddings)
    plt.switch_backend("Agg")
    _, (curve, picture, scores) = plt.subplots(3, 1, figsize=(9, 9), layout="constrained")
    curve.semilogy(values)
    curve.set(xlabel="step", ylabel="CTC loss")
    picture.imshow(frames[count, : lengths[count]].T, aspect="auto", origin="lower")
    picture.set(title="read: " + "".join(LETTERS[n] for n in found[0].tolist() if n >= 0), ylabel="mel band")
    scores.imshow(nn.softmax(logits[0, : lengths[count] // 2]).T, aspect="auto")
    scores.set(xlabel="frame", yticks=range(len(LETTERS)), yticklabels=LETTERS.replace(" ", "␣"))
    plt.savefig("speech.png", dpi=120)
    print(f"label error: {float(metrics.label_error_rate(found, labels[count:])):.4f}")


if __name__ == "__main__":
    main()
