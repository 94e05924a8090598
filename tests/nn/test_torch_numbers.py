"""Layers give the numbers that PyTorch 2.13 gave; `python -m tests.peers.layers` stores them."""

from __future__ import annotations

import numpy as np
import pytest

from ..peers.layers import NUMBERS, PAIRS, SEEDS, Question, disagreement


@pytest.fixture(scope="module")
def numbers():
    with np.load(NUMBERS) as stored:
        return dict(stored)


@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_layer_gives_torchs_numbers(name, train, numbers):
    for seed in SEEDS:
        start = f"{name}|{seed}|{train}|"
        wanted = {key.removeprefix(start): a for key, a in numbers.items() if key.startswith(start)}
        assert wanted
        assert not disagreement(Question(PAIRS[name], seed, "float64").ours(train), wanted, PAIRS[name].relative)
