"""jitgrad.data's augmentations: what they do to a batch, in both layouts, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad import data, errors

R = np.random.default_rng(0)
BYTES = R.integers(0, 256, (6, 9, 7, 3), dtype=np.uint8)
FLOATS = R.random((6, 9, 7, 3), dtype=np.float32)

STEPS = {
    "flip": (data.RandomFlip, {"horizontal": 0.5, "vertical": 0.5}),
    "crop": (data.RandomCrop, {"padding": 2, "fill": 1}),
    "piece": (data.RandomCrop, {"size": (4, 5)}),
    "rotation": (data.RandomRotation, {"degrees": 30}),
    "jitter": (data.ColorJitter, {"brightness": 0.4, "contrast": 0.3, "saturation": 0.5}),
    "normalize": (data.Normalize, {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}),
}
steps = pytest.mark.parametrize("name", STEPS)


@steps
@pytest.mark.parametrize("images", [BYTES, FLOATS], ids=["bytes", "floats"])
def test_channels_first_is_channels_last_transposed(name, images):
    kind, options = STEPS[name]
    last = kind(**options)(images, np.random.default_rng(5))
    first = kind(**options, data_format="channels_first")(images.transpose(0, 3, 1, 2).copy(), np.random.default_rng(5))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, rtol=1e-5, atol=1e-6)
    assert first.dtype == last.dtype == (np.float32 if name == "normalize" else images.dtype)


@steps
def test_the_images_stay_and_equal_generators_give_equal_images(name):
    kind, options = STEPS[name]
    kept = BYTES.copy()
    a, b, c = (kind(**options)(BYTES, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(BYTES, kept)
    assert not np.shares_memory(a, BYTES) and ((a != c).any() or name == "normalize")


def test_a_flip_mirrors_some_images_whole():
    out = data.RandomFlip()(np.tile(BYTES[:1], (400, 1, 1, 1)), np.random.default_rng(0))
    flipped = (out == BYTES[0, :, ::-1]).all((1, 2, 3))
    assert (flipped | (out == BYTES[0]).all((1, 2, 3))).all() and 150 < flipped.sum() < 250
    np.testing.assert_array_equal(data.RandomFlip(0, 1)(BYTES, R), BYTES[:, ::-1])


def test_a_crop_is_a_piece_of_the_padded_image():
    out = data.RandomCrop(padding=1, fill=7)(np.tile(BYTES[:1], (300, 1, 1, 1)), np.random.default_rng(0))
    padded = np.pad(BYTES[0], ((1, 1), (1, 1), (0, 0)), constant_values=7)
    pieces = {padded[i : i + 9, j : j + 7].tobytes() for i in range(3) for j in range(3)}
    assert {o.tobytes() for o in out} == pieces


def test_a_rotation_keeps_the_centre_and_turns_the_rest():
    image = np.zeros((200, 21, 21, 1), np.float32)
    image[:, 10, 10] = 1
    image[:, 10, 18] = 1
    out = data.RandomRotation(90)(image, np.random.default_rng(0))
    np.testing.assert_allclose(out[:, 10, 10], 1, rtol=1e-5)
    assert out[:, 2:6, 8:13].any() and out[:, 15:19, 8:13].any() and not out[:, :, 1:3].any()
    np.testing.assert_array_equal(data.RandomRotation(0)(BYTES, R), BYTES)


def test_jitter_is_that_of_its_formulas():
    x = FLOATS * 0.5 + 0.2
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    factor = np.random.default_rng(3).uniform(0.9, 1.1, 6)[:, None, None, None]
    brighter = data.ColorJitter(0.1)(x, np.random.default_rng(3))
    np.testing.assert_allclose(brighter, np.clip(x * factor, 0, 1), rtol=1e-5)
    sharper = data.ColorJitter(contrast=0.1)(x, np.random.default_rng(3))
    mean = grey.mean((1, 2))[:, None, None, None]
    np.testing.assert_allclose(sharper, mean + factor * (x - mean), rtol=1e-5)
    richer = data.ColorJitter(saturation=0.1)(x, np.random.default_rng(3))
    np.testing.assert_allclose(richer, grey[..., None] + factor * (x - grey[..., None]), rtol=1e-4)
    assert data.ColorJitter(2.0)(np.full((50, 2, 2, 1), 200, np.uint8), R).max() == 255, "cut off, and not wrapped around"


def test_normalize_gives_each_channel_its_mean_and_deviation():
    mean, std = BYTES.mean((0, 1, 2)) / 255, BYTES.std((0, 1, 2)) / 255
    out = data.Normalize(mean, std)(BYTES)
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(data.Normalize(0.5, 0.25)(FLOATS), (FLOATS - 0.5) / 0.25, rtol=1e-5)


def test_a_dataset_augments_its_images_anew_in_every_epoch():
    labels = np.arange(6)
    dataset = data.from_arrays(BYTES, labels).batch(3).augment(data.RandomCrop(padding=2), data.RandomFlip(), seed=1)
    first, second = ([x for x, _ in dataset] for _ in range(2))
    assert [y.tolist() for _, y in dataset] == [[0, 1, 2], [3, 4, 5]]
    np.testing.assert_array_equal(first, [x for x, _ in dataset.epoch(0)])
    assert any((a != b).any() for a, b in zip(first, second, strict=True))
    alone = data.from_arrays(BYTES).batch(3).augment(data.RandomCrop(padding=2), data.RandomFlip(), seed=1)
    np.testing.assert_array_equal(first, list(alone))
    ahead = dataset.prefetch(2).epoch(1)
    np.testing.assert_array_equal(second, [x for x, _ in ahead])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: data.RandomFlip(2.0), "probabilities"),
        (lambda: data.RandomFlip(data_format="NHWC"), "channels_last, channels_first"),
        (lambda: data.RandomCrop(32), "height, width"),
        (lambda: data.RandomCrop(padding=-1), "0 or more"),
        (lambda: data.ColorJitter(-0.1), "0 or larger"),
    ],
)  # fmt: skip
def test_an_augmentation_that_makes_no_sense_is_refused_when_it_is_made(make, words):
    with pytest.raises(errors.ArgumentError, match=words):
        make()


@pytest.mark.parametrize(
    ("step", "images", "error", "words"),
    [
        (data.RandomFlip(), BYTES[..., 0], errors.ShapeError, r"images\[..., None\]"),
        (data.RandomCrop((10, 3)), BYTES, errors.ShapeError, "no pieces of 10 x 3"),
        (data.ColorJitter(0.1), FLOATS * 2 - 1, errors.ArgumentError, "before Normalize"),
        (data.ColorJitter(saturation=0.1), BYTES[..., :1], errors.ShapeError, "3 channels"),
        (data.Normalize([0.5], [0.0]), BYTES, errors.ArgumentError, "above 0"),
        (data.Normalize([0.5] * 2, [1.0] * 2), BYTES, errors.ArgumentError, "each of 3 channels"),
    ],
)  # fmt: skip
def test_what_can_not_be_augmented_is_refused(step, images, error, words):
    with pytest.raises(error, match=words):
        step(images, R)
