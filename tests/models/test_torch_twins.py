"""The classic models agree with PyTorch's of equal parameters: where it is installed (extra test-peers), else by stored logits."""

from __future__ import annotations

import json

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import io, jit, nn, tree, value_and_grad

from .torch_twins import LOGITS, TWINS, channels_first, state_of, their_logits

STORED = json.loads(LOGITS.read_text())
QUICK = ("LeNet", "VGG11 with batch norm", "ResNet18", "ResNet50", "InceptionV1", "InceptionV3")


def near(got, wanted, relative):
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=relative * max(np.abs(wanted).max(), 1e-6))


def our_logits(name):
    twin = TWINS[name]
    model = nn.load_torch(twin.model(), state_of(twin.model()))
    return jit(lambda m, x: m(x))(model, twin.images().astype("float32"))


@pytest.mark.parametrize("name", QUICK)
def test_a_model_gives_the_stored_logits_of_torch(name):
    logits = our_logits(name)
    assert logits.dtype == "float32"
    near(logits, STORED[name], 1e-4)


@pytest.mark.parametrize("name", TWINS)
def test_a_model_gives_the_logits_of_torch(name):
    torch = pytest.importorskip("torch", reason="extra test-peers")
    wanted = their_logits(torch, TWINS[name])
    near(wanted, STORED[name], 1e-9)
    near(our_logits(name), wanted, 1e-4)


@pytest.mark.parametrize("name", ["LeNet", "VGG11 with batch norm", "ResNet18", "ResNet50", "InceptionV1"])
def test_a_step_of_training_is_torchs(name, tmp_path):
    torch = pytest.importorskip("torch", reason="extra test-peers")
    twin = TWINS[name]
    theirs = twin.theirs(torch.nn).to(torch.float64).train()
    theirs.load_state_dict({n: torch.tensor(x) for n, x in state_of(twin.model()).items()})
    ours = tree.map(lambda x: jnp.zeros(x.shape, "float64"), twin.model())
    ours = nn.load_torch(ours, theirs.state_dict())
    images = twin.images(4)

    def weighted(outs):
        return sum((w * (1 + n) * out).sum() for n, out in enumerate(outs))

    def parts(out):
        return out if isinstance(out, tuple) else (out,)

    outs = parts(theirs(channels_first(torch, images)))
    w = torch.tensor(np.random.default_rng(2).standard_normal(tuple(outs[0].shape)))
    weighted(outs).backward()
    w = np.asarray(w)

    def loss(model):
        out, after = nn.apply(model, images, train=True)
        return weighted(parts(out)), (parts(out), after)

    (_, (got, after)), gradient = jit(value_and_grad(loss, has_aux=True))(ours)
    for a, b in zip(got, outs, strict=True):
        near(a, b.detach(), 1e-9)
    io.save_torch(tmp_path / "after", after)
    for n, buffer in theirs.named_buffers():
        if not n.endswith("num_batches_tracked"):
            near(io.load(tmp_path / "after")[n], buffer, 1e-9)
    zeros = tree.map(jnp.zeros_like, ours)
    io.save_torch(tmp_path / "gradient", filled(gradient, zeros))
    found = io.load(tmp_path / "gradient")
    for n, parameter in theirs.named_parameters():
        near(found[n], parameter.grad, 1e-7)


def filled(gradient, zeros):
    """A gradient with zeros for what it lacks."""
    leaves = dict(tree.leaves_with_path(gradient))
    return tree.map_with_path(lambda path, x: leaves.get(path, x), zeros)
