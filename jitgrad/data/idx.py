"""IDX, the format of MNIST's files: a type, the shape, and the numbers in big-endian order.

The format is described at yann.lecun.com/exdb/mnist: two zero bytes, a byte for the type, one for the number of axes, the axes'
sizes in four bytes each, and the elements.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from jitgrad.errors import BadRecordError

from .files import Name, found_in, opened, read_bytes

MOST_AXES = 32
TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: Name) -> np.ndarray:
    """The array in an IDX file, compressed by gzip (.gz) or not.

    Raises BadRecordError for a file of another format and for one that is longer or shorter than its shape, with the first record
    that is not whole.

    >>> import tempfile
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7]))
    ...     file.flush()
    ...     data.read_idx(file.name)
    array([5, 6, 7], dtype=uint8)
    """
    with opened("data.read_idx", path) as file:
        start = read_bytes(file, 4)
        if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in TYPES or not 0 < start[3] <= MOST_AXES:
            raise BadRecordError(
                f"data.read_idx: {path} is no IDX file: it begins with the bytes {start.hex(' ') or '(none)'}, not 00 00, a type "
                f"(one of {', '.join(f'{t:02x}' for t in TYPES)}) and a number of axes"
            )
        sizes = read_bytes(file, 4 * start[3])
        if len(sizes) < 4 * start[3]:
            raise BadRecordError(f"data.read_idx: {path} ends within its shape of {start[3]} axes")
        shape = struct.unpack(f">{start[3]}I", sizes)
        kind = np.dtype(TYPES[start[2]])
        row = math.prod(shape[1:]) * kind.itemsize
        content = read_bytes(file, shape[0] * row)
        if len(content) < shape[0] * row:
            raise BadRecordError(
                f"data.read_idx: {path} ends in record {len(content) // row}, at byte {len(content) + 4 + len(sizes)}; by its "
                f"shape {shape} there are {shape[0]} records of {row} bytes"
            )
        if file.read(1):
            raise BadRecordError(f"data.read_idx: {path} has bytes behind the {shape[0]} records of its shape {shape}")
    if 0 in shape:
        raise BadRecordError(f"data.read_idx: {path} has no elements: its shape is {shape}")
    return np.frombuffer(content, kind).astype(kind.newbyteorder("="), copy=False).reshape(shape)


def read_mnist(folder: Name, *, train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's images (60000 or 10000, 28, 28), bytes, and their labels, integers, from the files that are given out, .gz or not.

    Fashion-MNIST's, KMNIST's and QMNIST-like files of the same names are read, too. They lie in the folder, or where torchvision
    puts them in it (raw, MNIST/raw). Axes of channels are made by `images[..., None]`.

    Raises ArgumentError where there are no such files, BadRecordError for damaged ones, which names the file and the record.

    >>> import struct, tempfile
    >>> from pathlib import Path
    >>> from jitgrad import data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images = struct.pack(">4B3I", 0, 0, 8, 3, 2, 28, 28) + bytes(2 * 28 * 28)
    ...     _ = Path(folder, "train-images-idx3-ubyte").write_bytes(images)
    ...     _ = Path(folder, "train-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 2) + bytes([7, 2]))
    ...     x, y = data.read_mnist(folder)
    >>> x.shape, y.tolist()
    ((2, 28, 28), [7, 2])
    """
    where = "data.read_mnist"
    part = "train" if train else "t10k"
    files = [
        found_in(
            where,
            folder,
            [f"{part}-{what}{mark}{kind}-ubyte{end}" for end in ("", ".gz") for mark in "-."],
            ("raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw"),
        )
        for what, kind in (("images", "idx3"), ("labels", "idx1"))
    ]
    images, labels = (read_idx(f) for f in files)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise BadRecordError(
            f"{where}: {files[0]} and {files[1]} should have images [n, height, width] and labels [n], got shapes {images.shape} "
            f"and {labels.shape}"
        )
    return images, labels.astype(np.int64)
