"""PyTorch's parameters in and out of our modules: every name, shape and layout, all that does not fit told at once."""

from __future__ import annotations

import pickle

import ml_dtypes
import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, io, models, nn, random, train, tree
from jitgrad.io import safetensors as file_format

from ..models.torch_twins import TWINS, channels_first, state_of

KEY = random.key(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def gpt(**options):
    return models.GPT(vocab_size=11, context=7, width=8, layers=2, heads=2, key=KEY, **options)


def equal(a, b):
    assert tree.structure(a) == tree.structure(b)
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


LAYERS = {
    "Linear": (lambda: nn.Linear(3, 2, key=KEY), {"weight": (2, 3), "bias": (2,)}),
    "Linear without bias": (lambda: nn.Linear(3, 2, bias=False, key=KEY), {"weight": (2, 3)}),
    "Conv2d": (lambda: nn.Conv2d(4, 6, (1, 3), groups=2, key=KEY), {"weight": (6, 2, 1, 3), "bias": (6,)}),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(4, 6, 3, key=KEY), {"weight": (4, 6, 3), "bias": (6,)}),
    "BatchNorm": (
        lambda: nn.BatchNorm1d(3, momentum=None),
        {"weight": (3,), "bias": (3,), "running_mean": (3,), "running_var": (3,), "num_batches_tracked": ()},
    ),
    "Embedding": (lambda: nn.Embedding(5, 3, key=KEY), {"weight": (5, 3)}),
    "GRU": (
        lambda: nn.GRU(3, 2, bidirectional=True, key=KEY),
        {
            f"{kind}_l0{direction}": shape
            for direction in ("", "_reverse")
            for kind, shape in {"weight_ih": (6, 3), "weight_hh": (6, 2), "bias_ih": (6,), "bias_hh": (6,)}.items()
        },
    ),
    "attention": (
        lambda: nn.MultiHeadAttention(4, 2, key=KEY),
        {"in_proj_weight": (12, 4), "in_proj_bias": (12,), "out_proj.weight": (4, 4), "out_proj.bias": (4,)},
    ),
    "attention to others": (
        lambda: nn.MultiHeadAttention(4, 2, kdim=3, vdim=5, bias=False, key=KEY),
        {"q_proj_weight": (4, 4), "k_proj_weight": (4, 3), "v_proj_weight": (4, 5), "out_proj.weight": (4, 4)},
    ),
    "Sequential": (
        lambda: nn.Sequential(nn.Linear(3, 2, key=KEY), jnp.tanh, nn.Sequential(nn.PReLU())),
        {"0.weight": (2, 3), "0.bias": (2,), "2.0.weight": (1,)},
    ),
    "GPT": (gpt, None),
    "LeNet": (lambda: models.LeNet(key=KEY), None),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_saved_has_pytorchs_names_and_shapes_and_comes_back(path, name):
    make, shapes = LAYERS[name]
    module = make()
    io.save_torch(path, module)
    with file_format.opened("", str(path)) as contents:
        pass
    if shapes is not None:
        assert {n: e.shape for n, e in contents.entries.items()} == shapes
    assert contents.metadata == {"format": "pt"}
    other = tree.map(jnp.zeros_like, module)
    equal(io.load_torch(other, path), module)
    equal(io.load_torch(jitgrad.eval_shape(lambda: other), path), module)


@pytest.mark.parametrize("name", ["LeNet", "VGG11 with batch norm", "ResNet18", "InceptionV1"])
def test_pytorchs_model_takes_the_file_and_gives_our_logits(path, name):
    torch = pytest.importorskip("torch", reason="extra test-peers")
    load_file = pytest.importorskip("safetensors.torch").load_file
    twin = TWINS[name]
    ours = nn.load_torch(twin.model(), state_of(twin.model()))
    io.save_torch(path, ours)
    theirs = twin.theirs(torch.nn).eval()
    theirs.load_state_dict(load_file(path), strict=True)
    images = twin.images().astype("float32")
    with torch.no_grad():
        wanted = theirs(channels_first(torch, images)).numpy()
    np.testing.assert_allclose(ours(images), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_a_file_of_pytorchs_is_taken(path):
    torch = pytest.importorskip("torch", reason="extra test-peers")
    save_file = pytest.importorskip("safetensors.torch").save_file
    theirs = torch.nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    save_file(theirs.state_dict(), path)
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype("float32")
    out, _ = io.load_torch(nn.LSTM(3, 4, 2, bidirectional=True, key=KEY), path)(x)
    np.testing.assert_allclose(out, theirs(torch.tensor(x))[0].detach(), atol=1e-5)
    small = {n: t.to(torch.bfloat16) for n, t in theirs.state_dict().items()}
    save_file(small, path)
    equal(io.load_torch(nn.LSTM(3, 4, 2, bidirectional=True), path), io.load_torch(nn.LSTM(3, 4, 2, bidirectional=True), small))


def hugging_face(prefix="", **more):
    """The state of `gpt()` as Hugging Face's files have it: with masks."""
    state = state_of(gpt())
    masks = {f"h.{i}.attn.{name}": np.ones((1, 1, 7, 7), bool) for i in range(2) for name in ("bias", "masked_bias")}
    return {**{prefix + n: x for n, x in {**state, **masks}.items()}, **more}


def test_published_files_of_gpt2_are_taken(path):
    plain = io.load_torch(gpt(), state_of(gpt()))
    equal(io.load_torch(gpt(), hugging_face()), plain)
    table = state_of(gpt())["wte.weight"]
    equal(io.load_torch(gpt(), hugging_face("transformer.", **{"lm_head.weight": table})), plain)
    without = {n: x for n, x in hugging_face("transformer.").items() if "wte" not in n}
    equal(io.load_torch(gpt(), {**without, "lm_head.weight": table}), plain)
    with pytest.raises(errors.ArgumentError, match="lm_head.weight must be wte.weight"):
        io.load_torch(gpt(), hugging_face(**{"lm_head.weight": table + 1}))
    io.save_torch(path, plain, prefix="transformer.")
    equal(io.load_torch(gpt(), path), plain)
    assert {n.split(".")[0] for n in io.load(path)} == {"transformer"}


def test_all_that_does_not_fit_is_told():
    state = {"weight": np.ones((2, 3)), "bias": np.zeros(2), "more": np.ones(1)}
    model = nn.Sequential(nn.Linear(3, 2, key=KEY), nn.Linear(2, 4, key=KEY), nn.Linear(4, 4, key=KEY))
    with pytest.raises(errors.ArgumentError) as error:
        io.load_torch(model, {**{f"0.{n}": x for n, x in state.items()}, "1.weight": np.ones((2, 4))})
    missing, unknown = "the state has no '1.bias', '2.weight', '2.bias'", "Sequential has no place for '0.more'"
    assert f"{missing}; {unknown}; '1.weight' must have shape (4, 2), but the state's has (2, 4)" in str(error.value)
    with pytest.raises(errors.ShapeError, match=r"'0.bias' must have shape \(2,\), but the state's has \(3,\)"):
        io.load_torch(model, {"0.bias": np.zeros(3)}, strict=False)
    with pytest.raises(errors.ArgumentError, match="'8.weight', and 7 more"):
        many = nn.Sequential([nn.PReLU() for _ in range(16)])
        io.load_torch(many, {f"{n}.weight": np.ones(1) for n in range(4, 8)})
    with pytest.raises(errors.ArgumentError, match="the state has no 'weight', 'bias'; Linear has no place for 'gamma'"):
        io.load_torch(nn.Linear(3, 2, key=KEY), {"gamma": np.ones(2)}, strict=False)
    for wrong in (3, [1], None):
        with pytest.raises(errors.ArgumentError, match="the source must be a path or a dict"):
            io.load_torch(model, wrong)
    with pytest.raises(errors.ArgumentError, match=r"jitgrad.io.load_torch reads safetensors files"):
        nn.load_torch(model, "model.safetensors")
    with pytest.raises(errors.NotAnArrayError, match="'weight' must be an array or a tensor, got list"):
        nn.load_torch(nn.Linear(1, 1, key=KEY), {"weight": [[1.0]], "bias": [1.0]})
    with pytest.raises(errors.ArgumentError, match="no input size yet"):
        io.load_torch(nn.Linear(None, 2), {})


def test_what_both_have_is_loaded_where_that_is_asked_for():
    model = nn.Sequential(nn.Linear(3, 2, key=KEY), nn.Linear(2, 4, key=KEY))
    loaded = io.load_torch(model, {"0.weight": np.ones((2, 3)), "head.weight": np.ones(3)}, strict=False)
    np.testing.assert_array_equal(loaded[0].weight, 1)
    assert loaded[0].bias is model[0].bias and loaded[1].weight is model[1].weight


def test_a_part_of_a_larger_model_is_taken_by_its_prefix(path):
    layer = nn.Linear(3, 2, key=KEY)
    io.save_torch(path, nn.Sequential(nn.PReLU(), layer))
    equal(io.load_torch(nn.Linear(3, 2, key=random.key(1)), path, prefix="1."), layer)


def test_parameters_keep_the_types_and_the_frozen_state_of_the_module(path):
    layer = nn.freeze(nn.Linear(3, 2, key=KEY, dtype="bfloat16"))
    loaded = io.load_torch(layer, {"weight": np.full((2, 3), 0.3), "bias": np.zeros(2)})
    assert loaded.weight.dtype == ml_dtypes.bfloat16 and tree.structure(loaded) == tree.structure(layer)


def test_arrays_in_containers_have_names_too(path):
    class Net(nn.Module):
        def __init__(self):
            self.scales = [jnp.ones(2), jnp.ones(3)]
            self.parts = {"a": nn.Linear(1, 1, key=KEY), "f": jnp.tanh}

    io.save_torch(path, Net())
    assert sorted(io.load(path)) == ["parts.a.bias", "parts.a.weight", "scales.0", "scales.1"]
    state = {"scales.0": np.zeros(2), "scales.1": np.zeros(3), "parts.a.bias": np.zeros(1), "parts.a.weight": np.zeros((1, 1))}
    loaded = io.load_torch(Net(), state)
    assert all(not np.any(x) for x in tree.leaves(loaded)) and loaded.parts["f"] is jnp.tanh


def test_the_state_may_change_afterwards():
    state = {"weight": np.ones((1, 2)), "bias": np.zeros(1)}
    loaded = io.load_torch(nn.Linear(2, 1, key=KEY, dtype="float64"), state)
    for x in state.values():
        x[:] = 7
    np.testing.assert_array_equal(loaded(jnp.ones(2, "float64")), [2.0])


def test_a_pickled_file_is_refused(path):
    path.write_bytes(pickle.dumps({"weight": 1}))
    with pytest.raises(errors.FileFormatError, match="which can run any code. Write it anew in PyTorch"):
        io.load_torch(nn.Linear(1, 1, key=KEY), path)


def test_complex128_is_refused(path):
    layer = tree.map(lambda x: x.astype("complex128"), nn.Linear(2, 1, key=KEY))
    with pytest.raises(errors.ArgumentError, match="'weight' is of type complex128"):
        io.save_torch(path, layer)


def test_images_are_flattened_as_in_pytorch_where_channels_are_in_front(path):
    torch = pytest.importorskip("torch", reason="extra test-peers")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 3, 5))
    images = np.random.default_rng(0).standard_normal((2, 6, 5, 2)).astype("float32")
    wanted = theirs(channels_first(torch, images)).detach()
    front = nn.Sequential(nn.Conv2d(2, 3, 3, data_format="channels_first"), nn.relu, nn.Flatten(), nn.Linear(36, 5))
    loaded = io.load_torch(front, theirs.state_dict())
    np.testing.assert_allclose(loaded(np.moveaxis(images, -1, 1)), wanted, atol=1e-5)
    moved = nn.Sequential(nn.Conv2d(2, 3, 3), nn.relu, lambda x: nn.Flatten()(jnp.moveaxis(x, -1, 1)), nn.Linear(36, 5))
    np.testing.assert_allclose(io.load_torch(moved, theirs.state_dict())(images), wanted, atol=1e-5)


def test_a_model_that_trains_is_no_module_and_has_one(path):
    model = train.Sequential([nn.Linear(2, 1, key=KEY)])
    for use in (lambda: io.load_torch(model, {}), lambda: io.save_torch(path, model), lambda: io.load_keras(model, {})):
        with pytest.raises(errors.ArgumentError, match=r"takes a module of jitgrad.nn, got Sequential. Give its .module"):
            use()
    with pytest.raises(errors.ArgumentError, match="Save its .module, or call its method save"):
        io.save(path, model)
    with pytest.raises(errors.ArgumentError, match="takes a module of jitgrad.nn, got dict"):
        io.load_torch({}, {})
