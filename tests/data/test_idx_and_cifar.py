"""Readers of MNIST's and CIFAR's files: all types and layouts; damaged and hostile files name their record."""

from __future__ import annotations

import gzip
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jitgrad import data, errors

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}
R = np.random.default_rng(0)


def idx(array):
    head = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@settings(max_examples=60)
@given(array=hnp.arrays(st.sampled_from(sorted(CODES)), hnp.array_shapes(max_dims=4, max_side=5, min_side=1)), packed=st.booleans())
def test_an_array_comes_back_from_its_idx_file(array, packed, tmp_path_factory):
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    read = data.read_idx(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype and read.dtype.isnative and read.flags.writeable


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("inner", ["", "raw", "MNIST/raw"])
def test_mnist_is_found_where_it_is_put(tmp_path, end, inner):
    folder = tmp_path / inner
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = R.integers(0, 256, (7, 28, 28), dtype=np.uint8), np.arange(7, dtype=np.uint8)
    pack = gzip.compress if end else bytes
    for part, n in (("train", 7), ("t10k", 3)):
        (folder / f"{part}-images-idx3-ubyte{end}").write_bytes(pack(idx(images[:n])))
        (folder / f"{part}-labels{'.' if inner else '-'}idx1-ubyte{end}").write_bytes(pack(idx(labels[:n])))
    x, y = data.read_mnist(tmp_path)
    np.testing.assert_array_equal(x, images)
    assert y.tolist() == list(range(7)) and y.dtype == np.int64
    assert len(data.read_mnist(tmp_path, train=False)[1]) == 3


WHOLE = idx(np.arange(12, dtype=np.int16).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"no IDX file: it begins with the bytes \(none\)"),
        (b"PK\x03\x04 zip", "no IDX file: it begins with the bytes 50 4b 03 04"),
        (b"\0\0\x0a\x01" + bytes(8), "no IDX file"),
        (WHOLE[:9], "ends within its shape of 2 axes"),
        (WHOLE[:-3], r"ends in record 2, at byte 33; by its shape \(3, 4\) there are 3 records of 8 bytes"),
        (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"\0", "no IDX file"),
        (idx(np.zeros((0, 3), np.uint8)), r"no elements: its shape is \(0, 3\)"),
        (WHOLE + b"\0", "bytes behind the 3 records"),
        (b"\0\0\x08\x03" + b"\xff" * 12 + bytes(100), "ends in record 0"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "gzip file is damaged or ends early"),
        (gzip.compress(WHOLE, mtime=0)[:-8] + bytes(8), "gzip file is damaged"),
    ],
)  # fmt: skip
def test_a_damaged_idx_file_is_named_with_its_record(tmp_path, content, words):
    path = tmp_path / "train-images"
    path.write_bytes(content)
    with pytest.raises(errors.BadRecordError, match=words) as caught:
        data.read_idx(path)
    assert str(path) in str(caught.value)


@settings(max_examples=150)
@given(places=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), end=st.integers(0, len(WHOLE)))
def test_any_bytes_are_an_array_or_an_error_of_the_file(places, end, tmp_path_factory):
    content = bytearray(WHOLE)
    for place, byte in places:
        content[place] = byte
    path = tmp_path_factory.mktemp("idx") / "array"
    path.write_bytes(content[:end])
    try:
        assert data.read_idx(path).size
    except errors.BadRecordError as error:
        assert str(path) in str(error)


def test_mnist_without_its_files_or_with_others_is_refused(tmp_path):
    with pytest.raises(errors.ArgumentError, match=r"no file train-images-idx3-ubyte or .*\.gz in"):
        data.read_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 2, 2), np.uint8)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(errors.BadRecordError, match=r"got shapes \(3, 2, 2\) and \(4,\)"):
        data.read_mnist(tmp_path)


# CIFAR


def cifar(labels, pixels):
    return np.concatenate([labels, pixels.reshape(len(pixels), -1)], 1).astype(np.uint8).tobytes()


PIXELS = R.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_cifar10_is_read_from_its_five_files(tmp_path, inner):
    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    labels = np.arange(10)[:, None]
    for i in range(5):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(cifar(labels[2 * i : 2 * i + 2], PIXELS[2 * i : 2 * i + 2]))
    (folder / "test_batch.bin").write_bytes(cifar(labels[:3], PIXELS[:3]))
    x, y = data.read_cifar10(tmp_path)
    np.testing.assert_array_equal(x, PIXELS.transpose(0, 2, 3, 1))
    assert x.flags.c_contiguous and y.tolist() == list(range(10)) and y.dtype == np.int64
    x, y = data.read_cifar10(tmp_path, train=False, data_format="channels_first")
    np.testing.assert_array_equal(x, PIXELS[:3])
    assert y.tolist() == [0, 1, 2]


def test_cifar100_has_fine_and_coarse_labels(tmp_path):
    (tmp_path / "train.bin").write_bytes(cifar(np.array([[19, 99], [0, 50]]), PIXELS[:2]))
    (tmp_path / "test.bin").write_bytes(cifar(np.array([[1, 2]]), PIXELS[:1]))
    x, y = data.read_cifar100(tmp_path)
    assert y.tolist() == [99, 50] and (x == PIXELS[:2].transpose(0, 2, 3, 1)).all()
    assert data.read_cifar100(tmp_path, labels="coarse")[1].tolist() == [19, 0]
    assert data.read_cifar100(tmp_path, train=False)[1].tolist() == [2]
    with pytest.raises(errors.ArgumentError, match='"fine" or "coarse"'):
        data.read_cifar100(tmp_path, labels="both")


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-py"])
def test_pickles_of_cifar_are_refused_unread(tmp_path, inner):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was read",))

    folder = tmp_path / inner
    folder.mkdir(exist_ok=True)
    for i in range(1, 6):
        (folder / f"data_batch_{i}").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(errors.ArgumentError, match="a pickle, which can run any code .* cifar-10-binary.tar.gz"):
        data.read_cifar10(tmp_path)
    (tmp_path / "train").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(errors.ArgumentError, match="cifar-100-binary.tar.gz"):
        data.read_cifar100(tmp_path)


def test_damaged_files_of_cifar_are_named_with_their_record(tmp_path):
    path = tmp_path / "test_batch.bin"
    path.write_bytes(cifar(np.array([[1], [2]]), PIXELS[:2])[:-1])
    with pytest.raises(errors.BadRecordError, match=r"test_batch.bin has 6145 bytes: record 1 of 3073 bytes is not whole"):
        data.read_cifar10(tmp_path, train=False)
    path.write_bytes(cifar(np.array([[1], [10]]), PIXELS[:2]))
    with pytest.raises(errors.BadRecordError, match=r"test_batch.bin, record 1: its label is 10, of 10 classes"):
        data.read_cifar10(tmp_path, train=False)
    path.write_bytes(b"")
    with pytest.raises(errors.BadRecordError, match="0 bytes"):
        data.read_cifar10(tmp_path, train=False)
    with pytest.raises(errors.ArgumentError, match="no data_batch_1.bin in .*; unpack cifar-10-binary.tar.gz there"):
        data.read_cifar10(tmp_path)
