"""Images in folders: classes, sizes, colours; a file that is no image is named."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from jitgrad import data, errors

Image = pytest.importorskip("PIL.Image")

R = np.random.default_rng(0)
PHOTO = R.integers(0, 256, (12, 8, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name, count in (("dog", 2), ("cat", 3)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            place = tmp_path / name / ("more" if i == 1 else "")
            Image.fromarray(np.full((10 + i, 20, 3), (i, 50, 100), np.uint8)).save(place / f"{i}.png")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_folders_are_classes_in_alphabetical_order(folder):
    images = data.image_folder(folder, (6, 5))
    assert images.classes == ["cat", "dog"] and images.labels.tolist() == [0, 0, 0, 1, 1]
    assert [f.name for f in images.files] == ["0.png", "2.png", "1.png", "0.png", "1.png"] and len(images) == 5
    (x, y), *_ = images.batch(5)
    assert x.shape == (5, 6, 5, 3) and x.dtype == np.uint8 and y.tolist() == [0, 0, 0, 1, 1]
    assert x[:, 0, 0].tolist() == [[0, 50, 100], [2, 50, 100], [1, 50, 100], [0, 50, 100], [1, 50, 100]]
    shuffled = images.shuffle(seed=0).batch(2).prefetch()
    assert sorted(np.concatenate([y for _, y in shuffled]).tolist()) == [0, 0, 0, 1, 1]


def test_images_keep_their_size_and_come_in_both_layouts(folder):
    x, _ = data.image_folder(folder)[1]
    assert x.shape == (12, 20, 3)
    assert data.image_folder(folder, (4, 3), data_format="channels_first")[0][0].shape == (3, 4, 3)
    assert data.image_folder(folder, (4, 3), channels=1)[0][0].shape == (4, 3, 1)
    with pytest.raises(errors.ShapeError, match="pad, cut or resize"):
        list(data.image_folder(folder).batch(5))


def test_parts_for_training_and_tests_may_follow_the_labels(folder):
    images = data.image_folder(folder, (4, 4))
    train, test = data.train_test_split(images, test_size=2, stratify=images.labels, seed=0)
    assert len(train) == 3 and sorted(int(y) for _, y in test) == [0, 1]


def test_an_image_is_what_pillow_reads(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.png"), PHOTO)
    grey = data.read_image(tmp_path / "a.png", channels=1)
    np.testing.assert_allclose(grey[..., 0], PHOTO @ [0.299, 0.587, 0.114], atol=1)
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "grey.png")
    assert data.read_image(tmp_path / "grey.png").shape == (12, 8, 3)
    assert data.read_image(tmp_path / "a.png", channels=4)[..., 3].min() == 255
    assert data.read_image(tmp_path / "a.png", (5, 7)).shape == (5, 7, 3)


def test_sixteen_bits_keep_their_brightness(tmp_path):
    values = np.array([[0, 256, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    assert data.read_image(tmp_path / "deep.png", channels=1)[0, :, 0].tolist() == [0, 1, 156, 255]
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "deep.tiff")
    with pytest.raises(errors.BadRecordError, match="deep.tiff has pixels of 32 bits"):
        data.read_image(tmp_path / "deep.tiff")


def test_an_image_is_upright(tmp_path):
    image = Image.fromarray(PHOTO)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(data.read_image(tmp_path / "a.png"), np.rot90(PHOTO, -1))


def test_a_file_that_is_no_image_is_named(folder):
    good = (folder / "dog" / "0.png").read_bytes()
    for content in (b"", b"no image", good[: len(good) // 2]):
        (folder / "dog" / "0.png").write_bytes(content)
        with pytest.raises(errors.BadRecordError, match=r"dog.0\.png can't be read"):
            list(data.image_folder(folder, (4, 4)).batch(2).prefetch())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: data.image_folder(f / "nowhere"), "is no folder"),
        (lambda f: data.image_folder(f / "cat" / "more"), "has no folders"),
        (lambda f: data.image_folder(f, 32), r"\(height, width\) in pixels, got 32"),
        (lambda f: data.image_folder(f, (0, 3)), "height, width"),
        (lambda f: data.image_folder(f, channels=2), "1, 3, 4, got 2"),
        (lambda f: data.image_folder(f, data_format="NHWC"), "channels_last or channels_first"),
        (lambda f: data.read_image(f / "dog" / "0.png", channels=5), "1, 3, 4"),
    ],
)  # fmt: skip
def test_folders_and_sizes_that_make_no_sense_are_refused(folder, make, words):
    with pytest.raises(errors.ArgumentError, match=words):
        make(folder)


def test_a_class_without_images_is_refused(folder):
    (folder / "horse").mkdir()
    with pytest.raises(errors.ArgumentError, match="horse has no images"):
        data.image_folder(folder)


def test_without_pillow_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"data.image_folder needs Pillow.*jitgrad\[train\]"):
        data.image_folder(folder)
