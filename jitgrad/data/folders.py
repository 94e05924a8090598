"""Images in folders, one for each class, read by Pillow when they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError, BadRecordError

from .files import Name, must_exist
from .indexed import Records
from .packages import package

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's name for images of so many channels."""

WHERE = "data.image_folder"


class ImageFolder(Records):
    """(image, label) of each file. `classes` are the folders' names, `files` and `labels` those of all images."""

    def __init__(
        self, classes: list[str], files: list[Path], labels: np.ndarray, size: tuple[int, int] | None, channels: int, first: bool
    ) -> None:
        super().__init__(self._image, len(files))
        self.classes, self.files, self.labels = classes, files, labels
        self._shape, self._channels, self._first = size, channels, first

    def _image(self, i: int) -> Any:
        image = read_image(self.files[i], self._shape, self._channels)
        return (image.transpose(2, 0, 1) if self._first else image), self.labels[i]


def image_folder(
    folder: Name, size: tuple[int, int] | None = None, *, channels: int = 3, data_format: str = "channels_last"
) -> ImageFolder:
    """A dataset of the images in a folder that has a folder for each class: (bytes [height, width, channels], label).

    size: (height, width) that images are resized to, bilinearly, as batches need it; without it each keeps its own.
    channels: 3 for red, green and blue, 1 for grey, 4 with opacity. data_format: "channels_first" gives [channels, height, width].
    Labels are the numbers of `classes`, the folders' names in alphabetical order. Files are in alphabetical order, those of a class
    together, so shuffle them: `image_folder(path, (64, 64)).shuffle(seed=0).batch(32).prefetch()`. They are decoded when they are
    asked for; `.cache()` keeps them decoded.

    Raises ArgumentError for a folder without classes and for a class without images; BadRecordError, which names the file, where an
    image can't be read. Needs Pillow, of the extra jitgrad[train].

    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from jitgrad import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, colour in (("leaf", "green"), ("rose", "red")):
    ...         Path(folder, name).mkdir()
    ...         Image.new("RGB", (20, 10), colour).save(Path(folder, name, "1.png"))
    ...     images = data.image_folder(folder, (5, 5))
    ...     x, y = next(iter(images.batch(2)))
    >>> images.classes, x.shape, y.tolist(), x[1, 0, 0].tolist()
    (['leaf', 'rose'], (2, 5, 5, 3), [0, 1], [255, 0, 0])
    """
    _check(WHERE, size, channels)
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"{WHERE}: data_format is channels_last or channels_first, got {data_format!r}")
    root = Path(folder)
    if not root.is_dir():
        raise ArgumentError(f"{WHERE}: {root} is no folder")
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise ArgumentError(f"{WHERE}: {root} has no folders; images of a class are in a folder with its name")
    files, labels = [], []
    for label, name in enumerate(classes):
        found = sorted(p for p in (root / name).rglob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
        if not found:
            raise ArgumentError(f"{WHERE}: {root / name} has no images ({', '.join(ENDINGS)})")
        files += found
        labels += [label] * len(found)
    package(WHERE, "PIL.Image")
    return ImageFolder(classes, files, np.array(labels), size, channels, data_format == "channels_first")


def read_image(path: Name, size: tuple[int, int] | None = None, channels: int = 3) -> np.ndarray:
    """An image file, as bytes [height, width, channels], upright if a camera noted how it was held.

    size: (height, width) to resize to. Raises BadRecordError where Pillow can't read it, or it is suspiciously large.

    >>> import tempfile
    >>> from PIL import Image
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
    ...     Image.new("RGB", (20, 10), "red").save(file.name)
    ...     data.read_image(file.name).shape
    (10, 20, 3)
    """
    _check("data.read_image", size, channels)
    pillow, operations = package("data.read_image", "PIL.Image"), package("data.read_image", "PIL.ImageOps")
    must_exist("data.read_image", path)
    try:
        with pillow.open(path) as file:
            image = _as_bytes(path, operations.exif_transpose(file)).convert(MODES[channels])
    except BadRecordError:
        raise
    except Exception as error:
        raise BadRecordError(f"data.read_image: {path} can't be read: {error}") from None
    if size is not None:
        image = image.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
    pixels = np.array(image)
    return pixels[..., None] if channels == 1 else pixels


def _check(where: str, size: Any, channels: Any) -> None:
    pair = isinstance(size, (tuple, list)) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size)
    if size is not None and not pair:
        raise ArgumentError(f"{where}: size is (height, width) in pixels, got {size!r}")
    if channels not in MODES:
        raise ArgumentError(f"{where}: channels is one of {', '.join(map(str, MODES))}, got {channels!r}")


def _as_bytes(path: Name, image: Any) -> Any:
    """An image of 8 bits a channel: Pillow's own conversion cuts 16 bits off at 255."""
    if image.mode.startswith("I;16"):
        return package("data.read_image", "PIL.Image").fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BadRecordError(f"data.read_image: {path} has pixels of 32 bits, whose range is not known; convert it to 8 or 16 bits")
    return image
