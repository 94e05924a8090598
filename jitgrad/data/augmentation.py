"""Images, each a little different in every epoch. An augmentation is called with a batch of images and a random generator.

    train = data.from_arrays(images, labels).shuffle(seed=0).batch(128)
    train = train.augment(data.RandomFlip(), data.RandomCrop(padding=4), data.Normalize(mean, std), seed=0)

Images are NumPy arrays [batch, height, width, channels], or [batch, channels, height, width] with data_format="channels_first".
Results are new arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.ranges import Amount, Count, Number, Part, Real, Size

from . import elements as parts
from .packages import package

FORMATS = {"channels_last": (1, 2, 3), "channels_first": (2, 3, 1)}
"""Of each format the axes of height, width and channels."""

Step = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def chain(steps: Sequence[Step]) -> Callable[..., Any]:
    """One after the other, of an array or of the first part of a tuple, as a function for `map` with a seed."""

    def augmented(*element: Any) -> Any:
        *given, random = element
        images = given[0]
        for step in steps:
            images = step(images, random)
        return (images, *given[1:]) if len(given) > 1 else images

    return augmented


@dataclass(frozen=True)
class Augmentation:
    """What all have: the images' layout."""

    def __post_init__(self) -> None:
        if self._format not in FORMATS:
            raise ArgumentError(f"{self._name}: data_format is one of {', '.join(FORMATS)}, got {self._format!r}")

    @property
    def _format(self) -> str:
        return str(vars(self)["data_format"])

    @property
    def _name(self) -> str:
        return f"data.{type(self).__name__}"

    def axes(self, images: Any) -> tuple[np.ndarray, int, int, int]:
        """The images, and their axes of height, width and channels."""
        array = parts.as_numbers(self._name, images)
        if array.ndim != 4:
            raise ShapeError(
                f"{self._name}: expected a batch of images with four axes, got shape {array.shape}. Put it behind .batch(...), and "
                "give grey images an axis of channels: images[..., None]"
            )
        return array, *FORMATS[self._format]


@dataclass(frozen=True)
class RandomFlip(Augmentation):
    """Each image mirrored left to right with a probability, and top to bottom with another.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> images = np.arange(4).reshape(1, 2, 2, 1)
    >>> data.RandomFlip(1.0)(images, np.random.default_rng(0))[0, :, :, 0]
    array([[1, 0],
           [3, 2]])
    """

    horizontal: Part = 0.5
    vertical: Part = 0.0
    data_format: str = "channels_last"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.horizontal <= 1 and 0 <= self.vertical <= 1):
            raise ArgumentError(
                f"data.RandomFlip: probabilities are between 0 and 1, got horizontal={self.horizontal} and vertical={self.vertical}"
            )

    def __call__(self, images: Any, random: np.random.Generator) -> np.ndarray:
        array, height, width, _ = self.axes(images)
        out = array.copy()
        for axis, probability in ((width, self.horizontal), (height, self.vertical)):
            chosen = random.random(len(out)) < probability
            out[chosen] = np.flip(out[chosen], axis)
        return out


@dataclass(frozen=True)
class RandomCrop(Augmentation):
    """A random piece of each image, of `size` (height, width), or of the image's own, after `padding` pixels of `fill` around it.

    Raises ShapeError for a size larger than the padded images.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> data.RandomCrop(padding=4)(np.ones((10, 32, 32, 3)), np.random.default_rng(0)).shape
    (10, 32, 32, 3)
    >>> data.RandomCrop((24, 24))(np.ones((10, 32, 32, 3)), np.random.default_rng(0)).shape
    (10, 24, 24, 3)
    """

    size: tuple[Size, Size] | None = None
    padding: Count = 0
    fill: Real = 0.0
    data_format: str = "channels_last"

    def __post_init__(self) -> None:
        super().__post_init__()
        pair = self.size is None or (isinstance(self.size, (tuple, list)) and len(self.size) == 2)
        if not pair or self.padding < 0:
            raise ArgumentError(
                f"data.RandomCrop: size is (height, width) and padding 0 or more, got {self.size!r} and {self.padding!r}"
            )

    def __call__(self, images: Any, random: np.random.Generator) -> np.ndarray:
        array, height, width, _ = self.axes(images)
        h, w = self.size or (array.shape[height], array.shape[width])
        border = [(self.padding, self.padding) if a in (height, width) else (0, 0) for a in range(4)]
        padded = np.pad(array, border, constant_values=self.fill) if self.padding else array
        spare = padded.shape[height] - h, padded.shape[width] - w
        if min(*spare, h - 1, w - 1) < 0:
            raise ShapeError(
                f"data.RandomCrop: images of {padded.shape[height]} x {padded.shape[width]}, padding included, have no pieces of "
                f"{h} x {w}"
            )
        places = zip(random.integers(spare[0] + 1, size=len(array)), random.integers(spare[1] + 1, size=len(array)), strict=True)
        out = np.empty([h if a == height else w if a == width else n for a, n in enumerate(array.shape)], array.dtype)
        for i, (top, left) in enumerate(places):
            rows, columns = slice(top, top + h), slice(left, left + w)
            out[i] = padded[i][tuple(rows if a == height else columns if a == width else slice(None) for a in (1, 2, 3))]
        return out


@dataclass(frozen=True)
class RandomRotation(Augmentation):
    """Each image turned around its centre by up to `degrees` to either side, bilinearly; what comes in at the edges is `fill`.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> data.RandomRotation(10)(np.ones((2, 8, 8, 1)), np.random.default_rng(0)).shape
    (2, 8, 8, 1)
    """

    degrees: Real
    fill: Real = 0.0
    data_format: str = "channels_last"

    def __call__(self, images: Any, random: np.random.Generator) -> np.ndarray:
        array, height, width, _ = self.axes(images)
        out = np.empty_like(array)
        ndimage = package("data.RandomRotation", "scipy.ndimage")
        for i, angle in enumerate(random.uniform(-self.degrees, self.degrees, size=len(array))):
            turned = (width - 1, height - 1)
            ndimage.rotate(array[i], angle, turned, reshape=False, output=out[i], order=1, mode="constant", cval=self.fill)
        return out


@dataclass(frozen=True)
class ColorJitter(Augmentation):
    """Brightness, contrast and saturation of each image times factors between 1 - amount and 1 + amount.

    Images are integers, of which 0 is black and the largest white, or floats from 0 to 1; results are cut to that. Contrast is
    about the mean grey of an image, saturation (of three channels: red, green, blue) about the grey of a pixel, as in torchvision.

    Raises ArgumentError for floats outside: jitter comes before `Normalize`.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> data.ColorJitter(0.2, 0.2, 0.2)(np.full((2, 8, 8, 3), 100, np.uint8), np.random.default_rng(0)).dtype
    dtype('uint8')
    """

    brightness: Amount = 0.0
    contrast: Amount = 0.0
    saturation: Amount = 0.0
    data_format: str = "channels_last"

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.brightness, self.contrast, self.saturation) < 0:
            raise ArgumentError(
                "data.ColorJitter: brightness, contrast and saturation are 0 or larger, got "
                f"{self.brightness}, {self.contrast} and {self.saturation}"
            )

    def __call__(self, images: Any, random: np.random.Generator) -> np.ndarray:
        array, height, width, channels = self.axes(images)
        integers = array.dtype.kind in "iu"
        white = np.iinfo(array.dtype).max if integers else 1
        x = array.astype(np.float32 if integers else array.dtype)
        if not integers and array.size and (array.min() < 0 or array.max() > 1):
            raise ArgumentError(
                f"data.ColorJitter: images of floats are from 0 (black) to 1 (white), got {array.min()} to {array.max()}. Put it "
                "before Normalize, and divide bytes by 255"
            )
        factors = {
            name: self._factors(random, name, x.dtype, len(x))
            for name in ("brightness", "contrast", "saturation")
            if vars(self)[name]
        }
        if "brightness" in factors:
            x = np.clip(x * factors["brightness"], 0, white)
        if "contrast" in factors:
            mean = _grey(x, channels).mean((height, width), keepdims=True)
            x = np.clip(mean + (x - mean) * factors["contrast"], 0, white)
        if "saturation" in factors:
            if x.shape[channels] != 3:
                raise ShapeError(f"data.ColorJitter: saturation is of images with 3 channels, got shape {array.shape}")
            grey = _grey(x, channels)
            x = np.clip(grey + (x - grey) * factors["saturation"], 0, white)
        return np.rint(x).astype(array.dtype) if integers else x

    def _factors(self, random: np.random.Generator, name: str, kind: np.dtype, number: int) -> np.ndarray:
        amount = vars(self)[name]
        return random.uniform(max(0.0, 1 - amount), 1 + amount, size=(number, 1, 1, 1)).astype(kind)


def _grey(images: np.ndarray, channels: int) -> np.ndarray:
    """Luma (ITU-R BT.601) of three channels, else their mean."""
    if images.shape[channels] != 3:
        return images.mean(channels, keepdims=True)
    red, green, blue = (np.take(images, [i], channels) for i in range(3))
    return 0.299 * red + 0.587 * green + 0.114 * blue


@dataclass(frozen=True)
class Normalize(Augmentation):
    """(x - mean) / std of each channel, as float32 (or the images' own float type); integers are divided by their largest first.

    So bytes become numbers from 0 to 1, of which mean and std are, as torchvision's ToTensor and Normalize do it.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> data.Normalize([0.5], [0.5])(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)).ravel()
    array([-1.,  1.], dtype=float32)
    """

    mean: Number | Sequence[Number]
    std: Number | Sequence[Number]
    data_format: str = "channels_last"

    def __call__(self, images: Any, random: np.random.Generator | None = None) -> np.ndarray:
        array, _, _, channels = self.axes(images)
        integers = array.dtype.kind in "iu"
        mean, std = np.asarray(self.mean, np.float64), np.asarray(self.std, np.float64)
        if mean.shape != std.shape or mean.shape not in ((), (1,), (array.shape[channels],)) or not (std > 0).all():
            raise ArgumentError(
                f"data.Normalize: mean and std (above 0) are one number each, or one for each of {array.shape[channels]} channels, "
                f"got {self.mean} and {self.std}"
            )
        kind = np.dtype(np.float32) if integers else array.dtype
        shape = [-1 if a == channels else 1 for a in range(4)]
        white = np.iinfo(array.dtype).max if integers else 1
        out = np.multiply(array, (1 / (std * white)).reshape(shape).astype(kind), dtype=kind)
        out -= (mean / std).reshape(shape).astype(kind)
        return out
