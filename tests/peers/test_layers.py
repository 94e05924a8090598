"""Every layer agrees with PyTorch's: results, gradients of the input and of all parameters, buffers, in training and not."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad import jit

from .layers import PAIRS, Question, disagreement, same

torch = pytest.importorskip("torch", reason="extra test-peers")


@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", PAIRS)
def test_a_layer_agrees_with_torchs_for_random_arguments(name, train):
    for seed in range(8):
        question = Question(PAIRS[name], seed, "float64")
        wrong = disagreement(question.ours(train), question.torchs(torch, train), PAIRS[name].relative)
        assert not wrong, (seed, question.options, question.x.shape)
    for seed in range(100, 104):
        question = Question(PAIRS[name], seed, "float32")
        got = question.ours(train, jit if seed == 100 else same)
        assert got["out"].dtype == np.float32
        wrong = disagreement(got, question.torchs(torch, train), 1e-4)
        assert not wrong, (seed, question.options, question.x.shape)
