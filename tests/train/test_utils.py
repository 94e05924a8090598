"""Keras' tools for data: padded rows, and datasets that give batches by number."""

import numpy as np
import pytest

from jitgrad import errors, random
from jitgrad import train as keras
from jitgrad.train import layers

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.normal(size=(96, 6)).astype("float32"), DRAWS.integers(0, 2, 96)


def test_sequences_are_padded_as_keras_does():
    rows = [[1, 2, 3], [4], []]
    for given, want in [
        ({}, [[1, 2, 3], [0, 0, 4], [0, 0, 0]]),
        ({"maxlen": 2}, [[2, 3], [0, 4], [0, 0]]),
        ({"maxlen": 2, "truncating": "post"}, [[1, 2], [0, 4], [0, 0]]),
        ({"maxlen": 4, "padding": "post", "value": 9}, [[1, 2, 3, 9], [4, 9, 9, 9], [9, 9, 9, 9]]),
    ]:
        padded = keras.utils.pad_sequences(rows, **given)
        assert padded.dtype == "int32" and padded.tolist() == want
    floats = keras.utils.pad_sequences([[0.5], [1.0, 2.0]], dtype="float32", value=-1)
    assert floats.dtype == "float32" and floats.tolist() == [[-1, 0.5], [1, 2]]
    assert keras.utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]]).shape == (2, 2, 2)
    assert keras.utils.pad_sequences([[], []]).shape == (2, 0)
    for given, message in [
        (([[0.5]],), "0.5 is no number of dtype int32. Give dtype='float32'"),
        (([[1 << 62]],), "4611686018427387904 is no number of dtype int32"),
        (([[1]], 0), "maxlen must be a positive integer, got 0"),
        (([[1]], 2, "int32", "left"), "padding must be 'pre' or 'post', got 'left'"),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            keras.utils.pad_sequences(*given)


class Rows(keras.utils.Sequence):
    begun = ended = 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[index * 16 :][:16], Y[index * 16 :][:16]

    def on_epoch_begin(self):
        self.begun += 1

    def on_epoch_end(self):
        self.ended += 1


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_come_by_number(workers):
    losses = []
    rows = Rows(workers=workers)
    for given in ((X, Y), (rows,)):
        random.seed(0)
        model = keras.Sequential([layers.Dense(1)])
        model.compile("sgd", "mse")
        losses.append(
            model.fit(*given, **({} if len(given) == 1 else {"batch_size": 16}), epochs=2, shuffle=False, verbose=0).history["loss"]
        )
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert rows.begun == rows.ended + 1 == 3  # once for the shape of the first batch
    with pytest.raises(errors.ArgumentError, match="use_multiprocessing=True is not there: workers=n"):
        Rows(use_multiprocessing=True)
    with pytest.raises(errors.ArgumentError, match="workers must be a positive integer, got 0"):
        Rows(workers=0)
    with pytest.raises(errors.ArgumentError, match="must have a method __len__"):
        len(keras.utils.PyDataset())
