"""The classic models have the published numbers of parameters, and train. Beside PyTorch's: models/test_torch_twins.py."""

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


def test_a_wrong_image_names_the_layer():
    with pytest.raises(errors.ShapeError, match=r"ResNet.*conv1"):
        models.ResNet((1, 1, 1, 1), 4, key=KEY)(np.ones((2, 32, 32, 1), "float32"))
    with pytest.raises(errors.ArgumentError, match="models.VGG: data_format must be"):
        models.VGG11(data_format="NCHW")
