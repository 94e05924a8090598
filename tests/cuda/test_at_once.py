"""Operations done one by one on a GPU: kernels that are told their sizes, one launch each."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp

from .running import stand_ins


@pytest.fixture(autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


class Asked:
    """What the driver was asked inside the block."""

    def __init__(self, driver):
        self.driver = driver

    def __enter__(self):
        self.before = self.driver.counts.copy()
        return self

    def __exit__(self, *error):
        self.counts = self.driver.counts - self.before


def on_gpu(array):
    return jitgrad.device_put(array, "cuda")


DRAW = np.random.default_rng(0)


def test_a_hundred_shapes_of_an_elementwise_expression_compile_nothing_after_the_first(gpu):
    arrays = [DRAW.standard_normal(shape).astype("f4") for n in range(1, 34) for shape in ((n,), (n, 3), (2, n, 2))] + [
        np.ones((0, 2), "f4")
    ]
    pairs = [(on_gpu(a), on_gpu(a + 2)) for a in arrays]
    _ = pairs[0][0] * pairs[0][1] + 1
    with Asked(gpu) as asked:
        results = [x * y + 1 for x, y in pairs]
    assert asked.counts["load"] == asked.counts["graph"] == asked.counts["upload"] == 0
    assert asked.counts["start"] == 2 * 99 and asked.counts["launch"] == 0
    for a, result in zip(arrays, results, strict=True):
        np.testing.assert_array_equal(result, a * (a + 2) + 1)
