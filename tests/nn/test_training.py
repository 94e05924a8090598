"""nn.apply: training mode, running statistics and random keys, inside every transform; freezing, and what optimizers see."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import checkpoint, errors, grad, jit, lax, nn, optim, random, stop_gradient, tree, value_and_grad, vmap

both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])
KEY = random.key(7)


class Centre(nn.Module):
    def __init__(self, size):
        self.register_buffer("mean", jnp.zeros(size))

    def __call__(self, x):
        if self.training:
            batch = jnp.mean(x, 0)
            self.mean = stop_gradient(0.5 * self.mean + 0.5 * batch)
            return x - batch
        return x - self.mean


class Noise(nn.Module):
    def __call__(self, x):
        return x + random.normal(self.next_key(), x.shape) if self.training else x


class Net(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(3, 4, key=KEY), Centre(4), Noise(), Noise(), nn.Linear(4, 1, key=random.key(8))]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def features(self, x):
        return self.layers[1](self.layers[0](x))


X = jnp.arange(12.0).reshape(4, 3) / 7


@both
def test_training_returns_the_module_with_what_its_call_assigned(mode):
    model = Net()
    y, trained = mode(lambda m, x: nn.apply(m, x, train=True, key=KEY))(model, X)
    np.testing.assert_allclose(trained.layers[1].mean, 0.5 * np.mean(model.layers[0](X), 0), rtol=1e-5)
    np.testing.assert_array_equal(model.layers[1].mean, 0)
    assert tree.structure(trained) == tree.structure(model)
    assert not trained.training
    np.testing.assert_allclose(trained(X), model(X) - (trained.layers[1].mean @ model.layers[4].weight), rtol=1e-4, atol=1e-5)


def test_inference_is_the_default_and_gives_the_module_back():
    y, model = nn.apply(Net(), X)
    np.testing.assert_array_equal(y, model(X))
    np.testing.assert_array_equal(model.layers[1].mean, 0)


def test_a_method_can_be_applied():
    y, model = nn.apply(Net().features, X, train=True)
    assert y.shape == (4, 4)
    assert (model.layers[1].mean != 0).any()


@both
def test_random_numbers_depend_on_the_key_and_the_order_of_calls_alone(mode):
    run = mode(lambda m, k: nn.apply(m, X, train=True, key=k)[0])
    first = run(nn.Sequential(Noise(), Noise()), KEY)
    np.testing.assert_array_equal(first, run(nn.Sequential(Noise(), Noise()), KEY))
    wanted = X + random.normal(random.fold_in(KEY, 0), X.shape) + random.normal(random.fold_in(KEY, 1), X.shape)
    np.testing.assert_allclose(first, wanted, rtol=1e-6, atol=1e-6)
    assert (first != run(nn.Sequential(Noise(), Noise()), random.key(1))).all()


def loss(model, x, key):
    y, model = nn.apply(model, x, train=True, key=key)
    return jnp.mean(y**2), model


@both
def test_a_training_step_is_a_function_of_the_module(mode):
    opt = optim.adamw(0.01, weight_decay=0.1)

    @mode
    def step(model, state, x, key):
        (value, model), gradient = value_and_grad(loss, has_aux=True)(model, x, key)
        assert tree.structure(gradient) == tree.structure(nn.trainable(model))
        updates, state = opt.update(gradient, state, model)
        return optim.apply_updates(model, updates), state, value

    model = nn.freeze(Net(), "layers[0]")
    state = opt.init(model)
    assert nn.parameter_count(state[0].mu) == nn.parameter_count(model, trainable=True) == 5
    trained = model
    for i in range(3):
        trained, state, value = step(trained, state, X, random.fold_in(KEY, i))
    assert np.isfinite(value)
    assert tree.structure(trained) == tree.structure(model)
    np.testing.assert_array_equal(trained.layers[0].weight, model.layers[0].weight)
    np.testing.assert_allclose(trained.layers[1].mean, (1 - 0.5**3) * np.mean(model.layers[0](X), 0), rtol=1e-5)
    assert (trained.layers[4].weight != model.layers[4].weight).all()


def test_an_ensemble_trains_under_vmap():
    models = vmap(lambda k: nn.Sequential(nn.Linear(3, 4, key=k), Centre(4), Noise()))(random.split(KEY, 5))
    y, trained = vmap(lambda m, k: nn.apply(m, X, train=True, key=k))(models, random.split(KEY, 5))
    assert y.shape == (5, 4, 4)
    one, alone = nn.apply(tree.map(lambda a: a[2], models), X, train=True, key=random.split(KEY, 5)[2])
    np.testing.assert_allclose(y[2], one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(trained[1].mean[2], alone[1].mean, rtol=1e-5)


class Deep(nn.Module):
    """Layers stacked along an axis, gone through by a scan."""

    def __init__(self, threaded):
        self.threaded = threaded
        self.stack = vmap(lambda k: nn.Sequential(nn.Linear(3, 3, key=k), Centre(3), Noise()))(random.split(KEY, 4))

    def __call__(self, x):
        if not self.threaded or not self.training:
            return lax.scan(lambda x, layer: (layer(x), None), x, self.stack)[0]
        keys = random.split(self.next_key(), 4)
        x, self.stack = lax.scan(lambda x, item: nn.apply(item[0], x, key=item[1]), x, (self.stack, keys))
        return x


@both
def test_layers_inside_a_scan_are_in_training_too(mode):
    model = Deep(threaded=True)
    y, trained = mode(lambda m: nn.apply(m, X, train=True, key=KEY))(model)
    assert (trained.stack[1].mean != 0).all()
    assert tree.structure(trained) == tree.structure(model)
    x, keys = X, random.split(random.fold_in(KEY, 0), 4)
    for i in range(4):
        x, layer = nn.apply(tree.map(lambda a, i=i: a[i], model.stack), x, train=True, key=keys[i])
        np.testing.assert_allclose(trained.stack[1].mean[i], layer[1].mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5)
    assert (mode(lambda m: m(X))(model)).shape == X.shape


def test_what_would_get_lost_inside_a_transform_is_refused():
    with pytest.raises(
        errors.ArgumentError, match=r"Deep.<Sequential>.layers\[1\] \(Centre\): attribute 'mean' is assigned inside a transf"
    ):
        nn.apply(Deep(threaded=False), X, train=True, key=KEY)

    class Mapped(nn.Module):
        def __init__(self, wrap):
            self.noise, self.wrap = Noise(), wrap

        def __call__(self, x):
            return self.wrap(self.noise)(x)

    for wrap in (vmap, lambda f: jit(lambda x: f(x)), lambda f: lambda x: lax.map(f, x)):
        with pytest.raises(errors.ArgumentError, match="so it needs a key of its own"):
            nn.apply(Mapped(wrap), X, train=True, key=KEY)


def test_a_jitted_function_inside_is_another_program_in_training():
    f = jit(lambda layer, x: layer(x))

    class Inner(nn.Module):
        def __init__(self):
            self.layer = Centre(3)

        def __call__(self, x):
            return f(self.layer, x)

    np.testing.assert_array_equal(Inner()(X), X)
    with pytest.raises(errors.ArgumentError, match="inside a transform"):
        nn.apply(Inner(), X, train=True)


def test_apply_inside_checkpoint_computes_the_same():
    class Block(nn.Module):
        def __init__(self):
            self.layer = nn.Sequential(nn.Linear(3, 3, key=KEY), Centre(3), Noise())

        def __call__(self, x):
            y, self.layer = checkpoint(lambda m, x, k: nn.apply(m, x, key=k))(self.layer, x, self.next_key())
            return y

    (value, trained), gradient = jit(value_and_grad(loss, has_aux=True))(Block(), X, KEY)
    assert (trained.layer[1].mean != 0).all()
    wanted, plain = value_and_grad(lambda m: loss(m, X, random.fold_in(KEY, 0))[0])(Block().layer)
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(gradient.layer[0].weight, plain[0].weight, rtol=1e-4, atol=1e-6)


def test_a_missing_key_names_the_layer_and_how_to_give_one():
    with pytest.raises(
        errors.ArgumentError, match=r"Net.layers\[2\] \(Noise\) draws random numbers: it needs a key.*train=True, key=key"
    ):
        nn.apply(Net(), X, train=True)
    with pytest.raises(TypeError, match="must be a random key"):
        nn.apply(Net(), X, train=True, key=3)


def test_assigning_in_a_call_without_apply_is_refused():
    class Counter(nn.Module):
        def __init__(self):
            self.register_buffer("count", 0)

        def __call__(self):
            self.count = self.count + 1

    with pytest.raises(errors.ArgumentError, match=r"Counter: attribute 'count' is assigned inside its call.*nn.apply"):
        Counter()()
    _, counter = nn.apply(Counter())
    assert int(counter.count) == 1
    counter.count = jnp.array(5)  # outside of calls
    assert int(nn.apply(counter)[1].count) == 6


def test_modules_may_be_made_and_changed_inside_a_call_that_does_not_own_them():
    class Maker(nn.Module):
        def __call__(self, x):
            layer = nn.Linear(3, 2, key=KEY)
            layer.bias = None
            return layer(x)

    assert Maker()(X).shape == (4, 2)


def test_apply_says_what_it_needs():
    with pytest.raises(errors.ArgumentError, match="must be a Module or a method of one, got function"):
        nn.apply(lambda x: x, X)


def test_freeze_takes_paths_and_predicates_and_unfreeze_gives_back():
    model = Net()
    assert nn.parameter_count(model) == nn.parameter_count(nn.freeze(model)) == 21
    assert nn.parameter_count(nn.freeze(model), trainable=True) == 0
    assert nn.parameter_count(nn.freeze(model, ["layers[0].bias", "layers[4]"]), trainable=True) == 12
    assert nn.parameter_count(nn.freeze(model, lambda path: path.endswith("weight")), trainable=True) == 5
    assert tree.structure(nn.unfreeze(nn.freeze(model))) == tree.structure(model)
    assert nn.unfreeze(nn.freeze(model)).layers[1]._held == {"mean": "buffer"}
    with pytest.raises(errors.ArgumentError, match=r"no parameter 'layers\[9\]'.*There are"):
        nn.freeze(model, "layers[9]")


def test_arrays_of_one_attribute_are_frozen_together():
    class Weights(nn.Module):
        def __init__(self):
            self.ws = [jnp.ones(2), jnp.ones(3)]

    assert grad(lambda m: jnp.sum(m.ws[0]))(nn.freeze(Weights())).ws is None
    with pytest.raises(errors.ArgumentError, match="can be frozen together alone"):
        nn.freeze(Weights(), "ws[0]")
