"""Layers that take their size from their first input, and `nn.build`."""

import copy

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, nn, optim, random, tree, vmap

KEY = random.key(3)
CASES = {
    "Linear": (lambda n, **k: nn.Linear(n, 5, **k), 3, (2, 3)),
    "Conv1d": (lambda n, **k: nn.Conv1d(n, 4, 3, **k), 2, (2, 6, 2)),
    "Conv2d": (lambda n, **k: nn.Conv2d(n, 4, 3, groups=2, **k), 2, (2, 6, 6, 2)),
    "Conv2d of one image": (lambda n, **k: nn.Conv2d(n, 4, 3, **k), 2, (6, 6, 2)),
    "Conv2d, channels first": (lambda n, **k: nn.Conv2d(n, 4, 3, data_format="channels_first", **k), 2, (1, 2, 6, 6)),
    "Conv3d": (lambda n, **k: nn.Conv3d(n, 4, 2, bias=False, **k), 2, (2, 3, 3, 3, 2)),
    "ConvTranspose2d": (lambda n, **k: nn.ConvTranspose2d(n, 4, 3, groups=2, **k), 2, (2, 4, 4, 2)),
    "BatchNorm": (lambda n, key: nn.BatchNorm(n), 3, (4, 3)),
    "BatchNorm without a momentum": (lambda n, key: nn.BatchNorm(n, momentum=None), 3, (4, 3)),
    "BatchNorm2d, channels first": (lambda n, key: nn.BatchNorm2d(n, data_format="channels_first"), 3, (4, 3, 2, 2)),
    "InstanceNorm": (lambda n, key: nn.InstanceNorm(n, affine=True), 3, (4, 2, 3)),
    "LayerNorm": (lambda n, key: nn.LayerNorm(n), 3, (4, 3)),
    "RMSNorm": (lambda n, key: nn.RMSNorm(n), 3, (4, 3)),
    "GroupNorm": (lambda n, key: nn.GroupNorm(2, n), 4, (4, 4)),
    "RNN": (lambda n, **k: nn.RNN(n, 4, nonlinearity="relu", **k), 3, (2, 5, 3)),
    "LSTM": (lambda n, **k: nn.LSTM(n, 4, num_layers=2, bidirectional=True, **k), 3, (2, 5, 3)),
    "GRU": (lambda n, **k: nn.GRU(n, 4, bias=False, **k), 3, (2, 5, 3)),
    "LSTMCell": (lambda n, **k: nn.LSTMCell(n, 4, **k), 3, (2, 3)),
    "MultiHeadAttention": (lambda n, **k: nn.MultiHeadAttention(n, 2, **k), 4, (2, 5, 4)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_that_finds_its_size_is_the_one_that_is_given_it(case):
    make, size, shape = CASES[case]
    given = make(size, key=KEY)
    for built in (nn.build(make(None, key=KEY), shape), nn.apply(make(None, key=KEY), jnp.ones(shape))[1]):
        assert tree.structure(built) == tree.structure(given)
        tree.map(np.testing.assert_array_equal, built, given)
        assert repr(built) == repr(given)


@pytest.mark.parametrize("case", CASES)
def test_a_layer_without_a_size_refuses_to_be_called_as_it_is(case):
    make, _, shape = CASES[case]
    with pytest.raises(errors.ArgumentError, match=r"has no input size yet.*nn\.build\(model, x\)"):
        make(None, key=KEY)(jnp.ones(shape))
    assert "no input size yet" in repr(make(None, key=KEY))


def model():
    return nn.Sequential(nn.Conv2d(None, 4, 3), nn.BatchNorm(None), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Dense(2))


def test_build_draws_from_its_key_in_the_order_of_calls():
    built = nn.build(model(), (1, 5, 5, 1), key=KEY)
    first, second = (random.fold_in(KEY, n) for n in (0, 2))  # the norm's is not drawn from
    np.testing.assert_array_equal(built[0].weight, nn.Conv2d(1, 4, 3, key=first).weight)
    np.testing.assert_array_equal(built[5].weight, nn.initializers.glorot_uniform()(random.split(second)[0], (36, 2)))
    np.testing.assert_array_equal(built[5].bias, 0.0)
    np.testing.assert_array_equal(built[1].running_mean, 0.0)
    _, applied = nn.apply(model(), jnp.ones((1, 5, 5, 1)), key=KEY)
    tree.map(np.testing.assert_array_equal, applied, built)


def test_build_without_a_key_asks_the_generator_as_constructors_do():
    random.seed(5)
    given = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    random.seed(5)
    built = nn.build(nn.Sequential(nn.Linear(None, 4), nn.LayerNorm(None), nn.Linear(None, 2)), jnp.ones((2, 3)))
    tree.map(np.testing.assert_array_equal, built, given)


def test_layers_inside_of_modules_and_subclasses_are_built():
    class Scaled(nn.Linear):
        def __init__(self, out):
            self.before = jnp.ones(())
            super().__init__(None, out)
            self.after = jnp.ones(out)

        def __call__(self, x):
            return super().__call__(x * self.before) * self.after

    class Net(nn.Module):
        def __init__(self):
            self.blocks = {"a": [Scaled(4), nn.relu], "b": nn.Linear(None, 2)}

        def __call__(self, x):
            return self.blocks["b"](self.blocks["a"][0](x))

    built = nn.build(Net(), (7, 3), key=KEY)
    assert built(jnp.ones((2, 3))).shape == (2, 2)
    assert list(vars(built.blocks["a"][0])) == ["before", "out_features", "in_features", "weight", "bias", "after"]
    assert nn.parameter_count(built) == 1 + 3 * 4 + 4 + 4 + 4 * 2 + 2
    assert nn.build(built, (1, 3)) is built


def test_inputs_of_build_are_arrays_shapes_and_several():
    class Two(nn.Module):
        def __init__(self):
            self.words, self.table, self.out = nn.Embedding(9, 4), nn.Linear(None, 4), nn.Linear(None, 1)

        def __call__(self, numbers, x):
            return self.out(self.words(numbers) + self.table(x))

    built = nn.build(Two(), np.array([1, 2]), (2, 3), key=KEY)
    assert built.table.in_features == 3
    assert nn.build(nn.Sequential(nn.Embedding(9, 4), nn.Dense(1)), (2,), dtype=int)[1].in_features == 4
    with pytest.raises(errors.ArgumentError, match="give an example of the input"):
        nn.build(nn.Dense(3))
    with pytest.raises(errors.ArgumentError, match=r"give \(1, 4\)"):
        nn.build(nn.Dense(3), 4)
    with pytest.raises(errors.ArgumentError, match="must be a Module"):
        nn.build(jnp.ones, (1, 4))


def test_a_layer_used_twice_with_other_sizes_is_an_error_with_its_path():
    class Twice(nn.Module):
        def __init__(self):
            self.inner = nn.Sequential(nn.Linear(None, 4))

        def __call__(self, x):
            return self.inner(self.inner(x))

    with pytest.raises(
        errors.ShapeError, match=r"Twice.inner.layers\[0\] \(Linear\): the input must be \[..., 3\].*got float32\[2, 4\]"
    ):
        nn.build(Twice(), (2, 3))
    assert nn.build(Twice(), (2, 4)).inner[0].in_features == 4


def test_inputs_that_no_size_would_fit_are_refused():
    for layer, shape in ((nn.Conv2d(None, 4, 3), (28, 28)), (nn.BatchNorm2d(None), (2, 3)), (nn.Dense(3), ())):
        with pytest.raises(errors.ShapeError, match="the input must be"):
            nn.build(layer, shape)
    with pytest.raises(errors.ArgumentError, match="groups must divide"):
        nn.build(nn.Conv2d(None, 4, 3, groups=2), (1, 5, 5, 3))
    with pytest.raises(errors.ArgumentError, match="groups must divide"):
        nn.Conv2d(None, 3, 3, groups=2)


@pytest.mark.parametrize(
    "use",
    [
        lambda m: grad(lambda m: jnp.sum(m(jnp.ones((2, 3)))))(m),
        lambda m: jit(lambda m: m)(m),
        lambda m: vmap(lambda m: m)(m),
        lambda m: optim.adam(1e-3).init(m),
        lambda m: nn.parameter_count(m),
        lambda m: nn.summary(m, (1, 3)),
        lambda m: nn.freeze(m),
        lambda m: nn.load_torch(m, {}),
        lambda m: nn.Sequential(m, m),
        lambda m: m[0].weight,
        lambda m: jit(lambda: nn.apply(m, jnp.ones((2, 3))))(),
    ],
)
def test_what_needs_parameters_says_that_there_are_none_yet(use):
    with pytest.raises((errors.ArgumentError, errors.MissingNameError), match="no input size yet|are one Sequential|generator"):
        use(nn.Sequential(nn.Linear(None, 2), nn.ReLU()))


def test_a_layer_that_is_not_called_stays_without_a_size_and_build_says_so():
    class Unused(nn.Module):
        def __init__(self):
            self.used, self.other = nn.Dense(2), nn.Dense(3)

        def __call__(self, x):
            return self.used(x)

    with pytest.raises(errors.ArgumentError, match=r"does not call other \(Dense\)"):
        nn.build(Unused(), (1, 3))


def test_a_first_call_inside_a_transform_is_refused():
    class Net(nn.Module):
        def __init__(self):
            self.layer = nn.Dense(2)

        def __call__(self, x):
            return vmap(lambda row: self.layer(row))(x)

    with pytest.raises(errors.ArgumentError, match="inside a transform"):
        nn.build(Net(), (4, 3))


def test_models_are_made_inside_jit_of_a_key():
    built = jit(lambda key: nn.apply(model(), jnp.ones((1, 5, 5, 1)), key=key)[1])(KEY)
    expected = nn.build(model(), (1, 5, 5, 1), key=KEY)
    assert tree.structure(built) == tree.structure(expected)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), built, expected)


def test_layers_without_sizes_are_copied_with_their_keys():
    layer = nn.Linear(None, 4, key=KEY)
    for other in (copy.deepcopy(layer), tree.map(lambda x: x, layer)):
        np.testing.assert_array_equal(nn.build(other, (1, 3)).weight, nn.Linear(3, 4, key=KEY).weight)


def test_dense_takes_names_of_activations_and_initializers():
    x = jnp.array([[1.0, -2.0, 3.0]])
    layer = nn.build(nn.Dense(2, "relu", kernel_initializer="ones", bias_initializer=nn.initializers.constant(-3.0)), x)
    np.testing.assert_array_equal(layer(x), [[0.0, 0.0]])
    assert nn.build(nn.Dense(2, jnp.tanh, use_bias=False), x).bias is None
    assert nn.build(nn.Dense(2, nn.PReLU()), x)(x).shape == (1, 2)
    with pytest.raises(errors.ArgumentError, match="no activation 'reul'. Did you mean 'relu'"):
        nn.Dense(2, "reul")
    with pytest.raises(errors.ArgumentError, match="no kernel_initializer 'glorot'. Did you mean 'glorot_"):
        nn.Dense(2, kernel_initializer="glorot")
    with pytest.raises(errors.ArgumentError, match=r"nn.Linear\(784, 10\)"):
        nn.Dense(784, 10)
    with pytest.raises(errors.ArgumentError, match="make one of it, ReLU"):
        nn.Dense(2, nn.ReLU)


@pytest.mark.parametrize("shape, axis", [((6, 4), -1), ((4, 6), -1), ((2, 3, 4), 0)])
def test_orthogonal_matrices_have_orthonormal_columns_or_rows(shape, axis):
    drawn = np.moveaxis(np.asarray(nn.initializers.orthogonal(2.0, axis)(KEY, shape, "float64")), axis, -1)
    matrix = drawn.reshape(-1, drawn.shape[-1])
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, 4 * np.eye(matrix.shape[1]), atol=1e-12)
    with pytest.raises(errors.ArgumentError, match="two axes"):
        nn.initializers.orthogonal()(KEY, (3,))


@pytest.mark.parametrize("shape", [(3, 2, 4), (4, 3, 2, 2), (2, 3, 3, 1, 3)])
def test_delta_orthogonal_kernels_have_an_orthogonal_matrix_at_the_middle_alone(shape):
    kernel = np.array(nn.initializers.delta_orthogonal(2.0)(KEY, shape, "float64"))
    middle = tuple((n - 1) // 2 for n in shape[:-2])
    np.testing.assert_allclose(kernel[middle] @ kernel[middle].T, 4 * np.eye(shape[-2]), atol=1e-12)
    kernel[middle] = 0
    assert not kernel.any()
    with pytest.raises(errors.ArgumentError, match="delta_orthogonal: the shape must have 1 to 3 axes of space"):
        nn.initializers.delta_orthogonal()(KEY, (3, 4, 2))
