"""The classic models have the published numbers of parameters, train, and take PyTorch's parameters."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, eval_shape, jit, models, nn, random, tree, value_and_grad

KEY = random.key(0)

COUNTS = [
    ("LeNet", {}, 61_706), ("VGG11", {}, 132_863_336), ("VGG16", {}, 138_357_544), ("VGG19", {}, 143_667_240),
    ("VGG11", {"batch_norm": True}, 132_868_840), ("ResNet18", {}, 11_689_512), ("ResNet34", {}, 21_797_672),
    ("ResNet50", {}, 25_557_032), ("InceptionV1", {}, 6_624_904), ("InceptionV1", {"auxiliary": True}, 13_004_888),
    ("InceptionV3", {}, 23_834_568), ("InceptionV3", {"auxiliary": True}, 27_161_264),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "count"), COUNTS)
def test_the_number_of_parameters_is_the_published_one(name, options, count):
    model = eval_shape(lambda key: getattr(models, name)(key=key, **options), KEY)
    leaves = [(tree.path_text(path), x) for path, x in tree.leaves_with_path(model)]
    assert sum(x.size for path, x in leaves if ".running_" not in path) == count


STEPS = {
    "LeNet": ((28, 28, 1), {}), "VGG11": ((32, 32, 3), {"hidden": 16}), "VGG16": ((32, 32, 3), {"hidden": 16}),
    "VGG19": ((32, 32, 3), {"hidden": 16}), "ResNet18": ((32, 32, 3), {"small_images": True}), "ResNet34": ((32, 32, 3), {}),
    "ResNet50": ((32, 32, 3), {}), "InceptionV1": ((32, 32, 3), {"auxiliary": True}), "InceptionV3": ((75, 75, 3), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_training_gives_finite_gradients_for_all_parameters(name):
    shape, options = STEPS[name]
    model = getattr(models, name)(5, shape[-1], key=KEY, **options)
    images = np.random.default_rng(1).standard_normal((2, *shape)).astype("float32")

    def loss(model):
        out, model = nn.apply(model, images, train=True, key=KEY)
        parts = out if isinstance(out, tuple) else (out,)
        return sum(jnp.mean(nn.logsumexp(p, axis=-1) - p[:, 0]) for p in parts), (out, model)

    (value, (out, after)), gradient = jit(value_and_grad(loss, has_aux=True))(model)
    assert np.isfinite(float(value))
    assert tree.map(lambda x: x.shape, out) == ((2, 5) if name != "InceptionV1" else ((2, 5),) * 3)
    for path, x in tree.leaves_with_path(gradient):
        assert bool(jnp.all(jnp.isfinite(x))), tree.path_text(path)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in tree.leaves(after))


def test_both_data_formats_give_the_same_logits():
    images = np.random.default_rng(1).standard_normal((2, 28, 28, 1)).astype("float32")
    last, first = models.LeNet(key=KEY), models.LeNet(key=KEY, data_format="channels_first")
    np.testing.assert_allclose(last(images), first(np.moveaxis(images, -1, 1)), rtol=1e-4, atol=1e-5)
    images = np.random.default_rng(1).standard_normal((2, 32, 32, 3)).astype("float32")
    last = models.ResNet((1, 1, 1, 1), 4, key=KEY)
    first = models.ResNet((1, 1, 1, 1), 4, key=KEY, data_format="channels_first")
    np.testing.assert_allclose(last(images), first(np.moveaxis(images, -1, 1)), rtol=1e-3, atol=1e-4)


def resnet18(torch):
    """ResNet-18 in PyTorch, with torchvision's names."""
    layers = torch.nn

    class Block(layers.Module):
        def __init__(self, inputs, width, stride):
            super().__init__()
            self.conv1, self.bn1 = layers.Conv2d(inputs, width, 3, stride, 1, bias=False), layers.BatchNorm2d(width)
            self.conv2, self.bn2 = layers.Conv2d(width, width, 3, 1, 1, bias=False), layers.BatchNorm2d(width)
            self.downsample = None
            if stride > 1:
                self.downsample = layers.Sequential(layers.Conv2d(inputs, width, 1, stride, bias=False), layers.BatchNorm2d(width))

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    class Net(layers.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = layers.Conv2d(3, 64, 7, 2, 3, bias=False), layers.BatchNorm2d(64)
            self.maxpool = layers.MaxPool2d(3, 2, 1)
            inputs = 64
            for number in range(4):
                width = 64 * 2**number
                stage = layers.Sequential(Block(inputs, width, 2 if number else 1), Block(width, width, 1))
                setattr(self, f"layer{number + 1}", stage)
                inputs = width
            self.fc = layers.Linear(512, 10)

        def forward(self, x):
            x = self.maxpool(self.bn1(self.conv1(x)).relu())
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return Net()


@pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
def test_resnet18_agrees_with_torchs_of_the_same_parameters(train):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = resnet18(torch).train(train)
    state = {
        n: p + 0.1 * torch.rand_like(p) if n.endswith(("running_mean", "running_var")) else p
        for n, p in theirs.state_dict().items()
    }
    theirs.load_state_dict(state)
    ours = nn.load_torch(models.ResNet18(10, key=KEY), theirs.state_dict())
    images = np.random.default_rng(1).standard_normal((4, 64, 64, 3)).astype("float32")
    weights = np.random.default_rng(2).standard_normal((4, 10)).astype("float32")
    want = theirs(torch.tensor(np.ascontiguousarray(np.moveaxis(images, -1, 1))))
    (want * torch.tensor(weights)).sum().backward()

    def loss(model):
        out, after = nn.apply(model, images, train=train)
        return jnp.sum(out * weights), (out, after)

    (_, (out, after)), gradient = jit(value_and_grad(loss, has_aux=True))(ours)

    def near(a, b, relative=1e-4):
        b = np.asarray(b.detach())
        np.testing.assert_allclose(a, b, rtol=0, atol=relative * np.abs(b).max())

    near(out, want)
    near(after.layer4[1].bn2.running_var, theirs.layer4[1].bn2.running_var)
    near(gradient.fc.weight.T, theirs.fc.weight.grad)
    near(jnp.moveaxis(gradient.layer3[0].conv1.weight, (-1, -2), (0, 1)), theirs.layer3[0].conv1.weight.grad, 1e-3)
    near(jnp.moveaxis(gradient.conv1.weight, (-1, -2), (0, 1)), theirs.conv1.weight.grad, 1e-3)


def test_a_wrong_image_names_the_layer():
    with pytest.raises(errors.ShapeError, match=r"ResNet.*conv1"):
        models.ResNet((1, 1, 1, 1), 4, key=KEY)(np.ones((2, 32, 32, 1), "float32"))
    with pytest.raises(errors.ArgumentError, match="models.VGG: data_format must be"):
        models.VGG11(data_format="NCHW")
