"""CIFAR-10 and CIFAR-100 from their binary files: records of one or two bytes of labels, and 3 x 32 x 32 bytes of an image.

The files are described at cs.toronto.edu/~kriz/cifar.html. Those of the "python version" are pickles, which run code when they are
read, and are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from jitgrad.errors import ArgumentError, BadRecordError

from .files import Name

PIXELS = 3 * 32 * 32


class Version(NamedTuple):
    """What is given out: the folders of its two versions, and the archive of the binary one."""

    binary: str
    python: str
    archive: str


TEN = Version("cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-binary.tar.gz")
HUNDRED = Version("cifar-100-binary", "cifar-100-python", "cifar-100-binary.tar.gz")


def read_cifar10(folder: Name, *, train: bool = True, data_format: str = "channels_last") -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's images (50000 or 10000, 32, 32, 3), bytes, and their labels 0 to 9, from the binary version's files.

    folder: where data_batch_1.bin to data_batch_5.bin and test_batch.bin are, or where cifar-10-batches-bin is.
    data_format: "channels_first" gives (n, 3, 32, 32).

    Raises ArgumentError where these files are not, also for those of the python version, and BadRecordError for damaged ones, which
    names the file and the record.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jitgrad import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "test_batch.bin").write_bytes(bytes([6]) + bytes(3 * 32 * 32))
    ...     x, y = data.read_cifar10(folder, train=False)
    >>> x.shape, y.tolist()
    ((1, 32, 32, 3), [6])
    """
    names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
    images, labels = _read("data.read_cifar10", folder, TEN, names, (10,), data_format)
    return images, labels[:, 0]


def read_cifar100(
    folder: Name, *, train: bool = True, labels: str = "fine", data_format: str = "channels_last"
) -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-100's images (50000 or 10000, 32, 32, 3), bytes, and their labels, from the binary version's train.bin and test.bin.

    labels: "fine", 0 to 99, or "coarse", 0 to 19. folder: where the files are, or where cifar-100-binary is. data_format and errors
    are those of `read_cifar10`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from jitgrad import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train.bin").write_bytes(bytes([11, 49]) + bytes(3 * 32 * 32))
    ...     data.read_cifar100(folder)[1].tolist(), data.read_cifar100(folder, labels="coarse")[1].tolist()
    ([49], [11])
    """
    if labels not in ("fine", "coarse"):
        raise ArgumentError(f'data.read_cifar100: labels is "fine" or "coarse", got {labels!r}')
    names = ["train" if train else "test"]
    images, both = _read("data.read_cifar100", folder, HUNDRED, names, (20, 100), data_format)
    return images, both[:, 1 if labels == "fine" else 0]


def _read(
    where: str, folder: Name, version: Version, names: list[str], classes: tuple[int, ...], data_format: str
) -> tuple[np.ndarray, np.ndarray]:
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(f"{where}: data_format is channels_last or channels_first, got {data_format!r}")
    files = [_file(where, Path(folder), version, name) for name in names]
    record = len(classes) + PIXELS
    counts = []
    for file in files:
        size = file.stat().st_size
        if size % record or not size:
            raise BadRecordError(f"{where}: {file} has {size} bytes: record {size // record} of {record} bytes is not whole")
        counts.append(size // record)
    last = data_format == "channels_last"
    images = np.empty((sum(counts), *((32, 32, 3) if last else (3, 32, 32))), np.uint8)
    labels = np.empty((sum(counts), len(classes)), np.int64)
    start = 0
    for file, count in zip(files, counts, strict=True):
        rows = np.fromfile(file, np.uint8, count * record).reshape(count, record)
        wrong = rows[:, : len(classes)] >= classes
        if wrong.any():
            i, k = np.argwhere(wrong)[0]
            raise BadRecordError(f"{where}: {file}, record {i}: its label is {rows[i, k]}, of {classes[k]} classes")
        labels[start : start + count] = rows[:, : len(classes)]
        pixels = rows[:, len(classes) :].reshape(count, 3, 32, 32)
        images[start : start + count] = pixels.transpose(0, 2, 3, 1) if last else pixels
        start += count
    return images, labels


def _file(where: str, folder: Path, version: Version, name: str) -> Path:
    """The binary file of a name."""
    for place in (folder, folder / version.binary):
        if (place / f"{name}.bin").is_file():
            return place / f"{name}.bin"
    for place in (folder, folder / version.python):
        if (place / name).is_file():
            raise ArgumentError(
                f"{where}: {place / name} is of CIFAR's python version, a pickle, which can run any code when it is read, so it is "
                "not. "
                f'Take the binary version, {version.archive} from cs.toronto.edu/~kriz/cifar.html ("suitable for C programs"): '
                f"{name}.bin"
            )
    raise ArgumentError(f"{where}: there is no {name}.bin in {folder} or {folder / version.binary}; unpack {version.archive} there")
