"""Layers by Keras' names: shapes and defaults as Keras', numbers against its formulas, written with NumPy."""

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, nn, random, tree
from jitgrad.train import initializers, layers, regularizers

KEY = random.key(0)
DRAWS = np.random.default_rng(0)


def built(layer, shape, *more):
    return nn.build(layer, shape, *more, key=KEY)


SHAPES = [
    (layers.Dense(4), (2, 3), (2, 4)),
    (layers.Embedding(10, 4), (2, 3), (2, 3, 4)),
    (layers.Activation("relu"), (2, 3), (2, 3)),
    (layers.PReLU(shared_axes=[1]), (2, 3, 4), (2, 3, 4)),
    (layers.Flatten(), (2, 3, 4), (2, 12)),
    (layers.Reshape((4, -1)), (2, 12), (2, 4, 3)),
    (layers.Permute((2, 1)), (2, 3, 4), (2, 4, 3)),
    (layers.RepeatVector(5), (2, 3), (2, 5, 3)),
    (layers.Dropout(0.5), (2, 3), (2, 3)),
    (layers.Lambda(lambda x: x[:, 0]), (2, 3), (2,)),
    (layers.Conv1D(4, 3), (2, 9, 3), (2, 7, 4)),
    (layers.Conv1D(4, 3, padding="causal", dilation_rate=2), (2, 9, 3), (2, 9, 4)),
    (layers.Conv2D(4, 3, strides=2, padding="same"), (2, 9, 8, 3), (2, 5, 4, 4)),
    (layers.Conv2D(4, (3, 1), data_format="channels_first"), (2, 3, 9, 8), (2, 4, 7, 8)),
    (layers.Conv3D(4, 2), (1, 3, 4, 5, 2), (1, 2, 3, 4, 4)),
    (layers.Conv2DTranspose(4, 3, strides=2, padding="same"), (2, 5, 6, 3), (2, 10, 12, 4)),
    (layers.Conv2DTranspose(4, 3, strides=2), (2, 5, 6, 3), (2, 11, 13, 4)),
    (layers.Conv2DTranspose(4, 2, strides=3), (2, 5, 6, 3), (2, 15, 18, 4)),
    (layers.Conv1DTranspose(4, 4, strides=2, padding="same"), (2, 5, 3), (2, 10, 4)),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (2, 5, 6, 3), (2, 3, 4, 6)),
    (layers.SeparableConv2D(4, 3, padding="same"), (2, 5, 6, 3), (2, 5, 6, 4)),
    (layers.MaxPooling2D(), (2, 5, 6, 3), (2, 2, 3, 3)),
    (layers.MaxPooling2D(3, strides=1, padding="same"), (2, 5, 6, 3), (2, 5, 6, 3)),
    (layers.AveragePooling1D(2, padding="same"), (2, 5, 3), (2, 3, 3)),
    (layers.MaxPooling3D(), (1, 4, 4, 4, 2), (1, 2, 2, 2, 2)),
    (layers.GlobalAveragePooling2D(), (2, 5, 6, 3), (2, 3)),
    (layers.GlobalMaxPooling1D(), (2, 5, 3), (2, 3)),
    (layers.BatchNormalization(), (4, 3), (4, 3)),
    (layers.LayerNormalization(), (4, 3), (4, 3)),
    (layers.GroupNormalization(2), (4, 5, 6), (4, 5, 6)),
    (layers.SimpleRNN(4), (2, 5, 3), (2, 4)),
    (layers.LSTM(4, return_sequences=True), (2, 5, 3), (2, 5, 4)),
    (layers.GRU(4), (2, 5, 3), (2, 4)),
    (layers.Bidirectional(layers.LSTM(4)), (2, 5, 3), (2, 8)),
    (layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="sum"), (2, 5, 3), (2, 5, 4)),
    (layers.TimeDistributed(layers.Dense(4)), (2, 5, 3), (2, 5, 4)),
    (layers.ZeroPadding2D((1, 2)), (2, 5, 6, 3), (2, 7, 10, 3)),
    (layers.ZeroPadding2D(((0, 1), (2, 3))), (2, 5, 6, 3), (2, 6, 11, 3)),
    (layers.ZeroPadding1D((1, 2)), (2, 5, 3), (2, 8, 3)),
    (layers.Cropping2D(1), (2, 5, 6, 3), (2, 3, 4, 3)),
    (layers.UpSampling2D((2, 3)), (2, 5, 6, 3), (2, 10, 18, 3)),
    (layers.UpSampling2D(2, interpolation="bilinear"), (2, 5, 6, 3), (2, 10, 12, 3)),
    (layers.Resizing(4, 7), (2, 5, 6, 3), (2, 4, 7, 3)),
    (layers.CenterCrop(2, 3), (2, 5, 6, 3), (2, 2, 3, 3)),
    (layers.RandomCrop(2, 3), (2, 5, 6, 3), (2, 2, 3, 3)),
    (layers.RandomRotation(0.1), (2, 5, 6, 3), (2, 5, 6, 3)),
]


@pytest.mark.parametrize("layer, given, expected", SHAPES, ids=[f"{type(r[0]).__name__}-{n}" for n, r in enumerate(SHAPES)])
def test_results_have_keras_shapes_and_layers_train(layer, given, expected):
    layer = built(layer, given)
    x = jnp.asarray(DRAWS.uniform(size=given))
    assert layer(x).shape == expected
    y, after = nn.apply(layer, x, train=True, key=KEY)
    assert y.shape == expected
    assert tree.structure(after) == tree.structure(layer)
    tree.map(lambda g: np.isfinite(g).all(), grad(lambda m: jnp.sum(nn.apply(m, x, train=True, key=KEY)[0]))(layer))


def test_kernels_start_by_glorot_and_biases_at_0():
    dense = built(layers.Dense(200), (1, 100))
    assert abs(dense.kernel).max() <= np.sqrt(6 / 300)
    np.testing.assert_allclose(np.std(dense.kernel), np.sqrt(2 / 300), rtol=0.05)
    np.testing.assert_array_equal(dense.bias, 0)
    conv = built(layers.Conv2D(40, 3), (1, 8, 8, 30))
    np.testing.assert_allclose(np.std(conv.kernel), np.sqrt(2 / (9 * 70)), rtol=0.05)
    depthwise = built(layers.DepthwiseConv2D(5, depth_multiplier=2), (1, 8, 8, 300))
    np.testing.assert_allclose(np.std(depthwise.kernel), np.sqrt(2 / (25 * 302)), rtol=0.05)
    table = built(layers.Embedding(100, 50), (1,))
    assert abs(table.weight).max() <= 0.05
    own = built(layers.Dense(3, kernel_initializer=initializers.Constant(2.0), use_bias=False), (1, 2))
    np.testing.assert_array_equal(own.kernel, np.full((2, 3), 2.0))
    assert own.bias is None


def test_transposed_convolutions_are_gradients_of_convolutions():
    for padding, strides, size in (("same", 2, 3), ("valid", 2, 3), ("same", 1, 4), ("same", 3, 2), ("valid", 3, 2)):
        layer = built(layers.Conv2DTranspose(2, size, strides=strides, padding=padding), (1, 4, 5, 3))
        x = jnp.asarray(DRAWS.normal(size=(1, 4, 5, 3)), "float32")
        y = layer(x)
        forward = built(layers.Conv2D(3, size, strides=strides, padding=padding, use_bias=False), y.shape)
        forward.weight = jnp.asarray(layer.weight)
        expected = grad(lambda z: jnp.sum(forward(z) * x))(jnp.zeros(y.shape))  # noqa: B023
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_average_pools_at_a_border_leave_what_is_outside_out():
    x = jnp.arange(1.0, 6.0).reshape(1, 5, 1)
    np.testing.assert_allclose(layers.AveragePooling1D(3, strides=2, padding="same")(x).ravel(), [1.5, 3.0, 4.5])


def test_batch_normalization_keeps_99_parts_of_its_statistics():
    x = DRAWS.normal(2.0, 3.0, (50, 4))
    layer = built(layers.BatchNormalization(), (1, 4))
    y, after = nn.apply(layer, x, train=True)
    np.testing.assert_allclose(after.running_mean, 0.01 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(after.running_var, 0.99 + 0.01 * x.var(0), rtol=1e-5)
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-5)
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-3), rtol=1e-5)
    assert nn.parameter_count(layer, trainable=True) == 8
    bare = built(layers.BatchNormalization(center=False), (1, 4))
    assert bare.bias is None
    assert bare.weight.shape == (4,)
    np.testing.assert_allclose(
        nn.apply(bare, 2 * x, train=True)[0] * 3.0, nn.apply(tree.map(lambda w: 3 * w, bare), 2 * x, train=True)[0], rtol=1e-5
    )
    first = built(layers.BatchNormalization(axis=1), (2, 3, 5, 5))
    assert first.running_mean.shape == (3,)


def test_layer_and_group_normalizations_have_an_epsilon_of_1e_3():
    x = DRAWS.normal(size=(3, 4, 6))
    np.testing.assert_allclose(
        built(layers.LayerNormalization(), (1, 6))(x),
        (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3),
        rtol=1e-5,
    )
    both = (1, 2)
    np.testing.assert_allclose(
        built(layers.LayerNormalization(axis=[1, 2]), (1, 4, 6))(x),
        (x - x.mean(both, keepdims=True)) / np.sqrt(x.var(both, keepdims=True) + 1e-3), rtol=1e-5,
    )  # fmt: skip
    groups = x.reshape(3, 4, 2, 3)
    expected = (groups - groups.mean((1, 3), keepdims=True)) / np.sqrt(groups.var((1, 3), keepdims=True) + 1e-3)
    np.testing.assert_allclose(built(layers.GroupNormalization(2), (1, 4, 6))(x), expected.reshape(x.shape), rtol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_follows_its_formula_with_a_forget_bias_of_1():
    layer = built(layers.LSTM(4, return_sequences=True, return_state=True, dtype="float64"), (1, 1, 3))
    np.testing.assert_array_equal(layer.cell.bias_ih, [0] * 4 + [1] * 4 + [0] * 8)
    assert layer.cell.bias_hh is None
    recurrent = np.asarray(layer.cell.weight_hh)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-6)
    x, h, c, hs = DRAWS.normal(size=(2, 5, 3)), np.zeros((2, 4)), np.zeros((2, 4)), []
    for t in range(5):
        i, f, g, o = np.split(x[:, t] @ layer.cell.weight_ih + layer.cell.bias_ih + h @ recurrent, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        hs.append(h)
    out, last_h, last_c = layer(x)
    for found, expected in ((out, np.stack(hs, 1)), (last_h, h), (last_c, c)):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    again = layer(x, initial_state=[last_h, last_c])[0]
    assert not np.allclose(again, out)


def test_simple_rnns_take_any_activation_and_go_backwards():
    layer = built(layers.SimpleRNN(4, activation="relu", return_sequences=True, dtype="float64"), (1, 1, 3))
    x, h, hs = DRAWS.normal(size=(2, 5, 3)), np.zeros((2, 4)), []
    for t in range(5):
        h = np.maximum(x[:, t] @ layer.cell.weight_ih + layer.cell.bias_ih + h @ layer.cell.weight_hh, 0)
        hs.append(h)
    np.testing.assert_allclose(layer(x), np.stack(hs, 1), rtol=1e-6, atol=1e-12)
    layer.go_backwards = True
    np.testing.assert_allclose(layer(x[:, ::-1]), np.stack(hs, 1), rtol=1e-6, atol=1e-12)


def test_bidirectional_reads_from_both_ends():
    layer = built(layers.Bidirectional(layers.GRU(4, return_sequences=True)), (1, 1, 3))
    x = jnp.asarray(DRAWS.normal(size=(2, 5, 3)))
    there, back = layer.forward_layer, layer.backward_layer
    assert not np.array_equal(there.cell.weight_ih, back.cell.weight_ih)
    assert there.cell.bias_hh.shape == (12,)
    np.testing.assert_allclose(layer(x)[..., :4], there(x), rtol=1e-6)
    np.testing.assert_allclose(layer(x)[..., 4:], jnp.flip(back(x), 1), rtol=1e-6)
    np.testing.assert_allclose(layer(x)[:, 0, 4:], back(x)[:, -1], rtol=1e-6)
    states = built(layers.Bidirectional(layers.LSTM(4, return_state=True)), (1, 1, 3))(x)
    assert [s.shape for s in states] == [(2, 8), *[(2, 4)] * 4]


def test_attention_has_heads_of_their_own_width():
    layer = built(layers.MultiHeadAttention(2, key_dim=3, value_dim=4), (1, 5, 8), (1, 6, 7))
    assert [layer.query.weight.shape, layer.key.weight.shape, layer.value.weight.shape, layer.out.weight.shape] == [
        (8, 6), (7, 6), (7, 8), (8, 8),
    ]  # fmt: skip
    q, v = DRAWS.normal(size=(2, 5, 8)), DRAWS.normal(size=(2, 6, 7))
    mask = DRAWS.uniform(size=(2, 5, 6)) < 0.7
    mask[..., 0] = True
    heads = [
        (np.asarray(part(x)).reshape(2, -1, 2, n)) for part, x, n in ((layer.query, q, 3), (layer.key, v, 3), (layer.value, v, 4))
    ]
    scores = np.einsum("bqhd,bkhd->bhqk", heads[0], heads[1]) / np.sqrt(3)
    weights = np.exp(np.where(mask[:, None], scores, -np.inf))
    weights /= weights.sum(-1, keepdims=True)
    expected = layer.out(np.einsum("bhqk,bkhd->bqhd", weights, heads[2]).reshape(2, 5, 8))
    np.testing.assert_allclose(layer(q, v, attention_mask=mask), expected, rtol=1e-4, atol=1e-5)
    plain = layers.Attention()([q, q])
    scores = np.einsum("bqd,bkd->bqk", q, q)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(plain, (weights / weights.sum(-1, keepdims=True)) @ q, rtol=1e-4, atol=1e-5)


def test_what_reads_backward_must_be_a_recurrent_layer():
    with pytest.raises(errors.ArgumentError, match="Bidirectional: backward_layer must be a recurrent layer or None, got str"):
        layers.Bidirectional(layers.LSTM(3), backward_layer="x")


def test_attention_may_give_an_array_at_every_step():
    for given, shape in ((6, (2, 5, 6)), ((6,), (2, 5, 6)), ((3, 2), (2, 5, 3, 2)), (None, (2, 5, 8))):
        layer = built(layers.MultiHeadAttention(2, key_dim=3, output_shape=given), (1, 5, 8), (1, 5, 8))
        assert layer(jnp.ones((2, 5, 8)), jnp.ones((2, 5, 8))).shape == shape
    with pytest.raises(errors.ArgumentError, match="MultiHeadAttention: .*output_shape"):
        layers.MultiHeadAttention(2, key_dim=3, output_shape=(3, -1))


def test_regularizers_add_to_the_loss():
    layer = built(layers.Dense(2, kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.5), bias_initializer="ones"), (1, 3))
    np.testing.assert_allclose(layer.regularization(), 0.01 * np.sum(np.square(layer.kernel)) + 0.5 * 2, rtol=1e-5)
    assert built(layers.Dense(2), (1, 3)).regularization() == 0
    rnn = built(layers.LSTM(2, recurrent_regularizer=regularizers.l2(0.1)), (1, 1, 3))
    np.testing.assert_allclose(rnn.regularization(), 0.1 * np.sum(np.square(rnn.cell.weight_hh)), rtol=1e-5)
    depthwise = built(layers.DepthwiseConv2D(2, depthwise_regularizer="l1"), (1, 4, 4, 2))
    np.testing.assert_allclose(depthwise.regularization(), 0.01 * np.sum(np.abs(depthwise.kernel)), rtol=1e-5)
    np.testing.assert_allclose(regularizers.l1_l2(0.1, 0.2)(jnp.array([-1.0, 2.0])), 0.3 + 1.0, rtol=1e-6)
    with pytest.raises(errors.ArgumentError, match="no regularizer 'l3'. Did you mean"):
        layers.Dense(2, kernel_regularizer="l3")


def test_random_layers_change_images_in_training_alone():
    x = jnp.asarray(DRAWS.uniform(size=(8, 6, 6, 1)), "float32")
    for layer in (
        layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomTranslation(0.3, 0.3), layers.RandomZoom(0.3),
        layers.RandomContrast(0.5), layers.GaussianNoise(1.0), layers.SpatialDropout2D(0.5),
    ):  # fmt: skip
        np.testing.assert_array_equal(layer(x), x)
        y, _ = nn.apply(layer, x, train=True, key=KEY)
        assert y.shape == x.shape
        assert not np.array_equal(y, x)
    flipped, _ = nn.apply(layers.RandomFlip("horizontal"), x, train=True, key=KEY)
    turned = [bool(jnp.array_equal(a, b[:, ::-1])) for a, b in zip(flipped, x, strict=True)]
    assert any(turned)
    assert all(t or bool(jnp.array_equal(a, b)) for t, a, b in zip(turned, flipped, x, strict=True))


@pytest.mark.parametrize("fill", ["reflect", "wrap", "nearest", "constant"])
def test_quarter_turns_and_whole_steps_hit_the_places(fill):
    x = jnp.asarray(DRAWS.uniform(size=(2, 4, 4, 1)), "float32")
    turned, _ = nn.apply(layers.RandomRotation((0.25, 0.25), fill_mode=fill), x, train=True, key=KEY)
    np.testing.assert_allclose(turned, np.rot90(x, k=1, axes=(1, 2)), atol=1e-5)
    moved, _ = nn.apply(layers.RandomTranslation((0.25, 0.25), 0.0, fill_mode=fill, fill_value=7.0), x, train=True, key=KEY)
    first = {"reflect": x[:, 0], "wrap": x[:, 3], "nearest": x[:, 0], "constant": jnp.full_like(x[:, 0], 7.0)}[fill]
    np.testing.assert_allclose(moved[:, 1:], x[:, :-1], atol=1e-5)
    np.testing.assert_allclose(moved[:, 0], first, atol=1e-5)


def test_normalization_adapts_to_data_and_batches():
    data = DRAWS.normal(5.0, 2.0, (100, 3))
    whole, parts = layers.Normalization(), layers.Normalization()
    whole.adapt(data)
    parts.adapt(iter(np.split(data, [10, 30])))
    expected = (data - data.mean(0)) / data.std(0)
    for layer in (whole, parts, layers.Normalization(mean=data.mean(0), variance=data.var(0))):
        np.testing.assert_allclose(layer(data), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layers.Normalization(mean=2.0, variance=4.0, invert=True)(jnp.array([[1.0]])), [[4.0]])
    images = layers.Normalization(axis=None)
    images.adapt(data)
    np.testing.assert_allclose(images(data), (data - data.mean()) / data.std(), rtol=1e-4, atol=1e-5)
    assert nn.parameter_count(whole) == 0
    with pytest.raises(errors.ArgumentError, match="adapt"):
        layers.Normalization()(data)


def test_merging_layers_take_lists():
    a, b = jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 5.0]])
    for layer, expected in (
        (layers.Add(), [[4, 7]]), (layers.Subtract(), [[-2, -3]]), (layers.Multiply(), [[3, 10]]), (layers.Average(), [[2, 3.5]]),
        (layers.Maximum(), [[3, 5]]), (layers.Minimum(), [[1, 2]]), (layers.Concatenate(), [[1, 2, 3, 5]]), (layers.Dot(1), [[13]]),
    ):  # fmt: skip
        np.testing.assert_allclose(layer([a, b]), expected)
    np.testing.assert_allclose(layers.add([a, b, b]), [[7, 12]])
    with pytest.raises(errors.ShapeError, match="a list of two arrays or more"):
        layers.Add()(a)


def test_layers_of_ones_own_have_build_add_weight_and_call():
    class Affine(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", regularizer="l2")
            self.b = self.add_weight(shape=(self.units,), initializer="zeros")
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.inner = layers.Dense(self.units)

        def call(self, inputs, training=False):
            if training:
                self.calls = self.calls + 1
            return self.inner(inputs @ self.w + self.b)

    model = built(nn.Sequential(Affine(4, name="affine"), Affine(2)), (1, 3))
    assert model[0].name == "affine"
    assert model(jnp.ones((5, 3))).shape == (5, 2)
    assert nn.parameter_count(model) == 3 * 4 + 4 + 4 * 4 + 4 + 4 * 2 + 2 + 2 * 2 + 2
    np.testing.assert_allclose(model[0].regularization(), 0.01 * np.sum(np.square(model[0].w)), rtol=1e-5)
    assert not np.array_equal(model[0].w[:2, :2], model[1].w[:2, :2])
    _, after = nn.apply(model, jnp.ones((5, 3)), train=True)
    assert float(after[0].calls) == 1.0
    assert grad(lambda m: jnp.sum(m(jnp.ones((5, 3)))))(model)[0].w.shape == (3, 4)


def test_training_false_is_inference_within_training():
    class Net(nn.Module):
        def __init__(self):
            self.norm, self.drop = layers.BatchNormalization(), layers.Dropout(0.5)

        def __call__(self, x):
            return self.drop(self.norm(x, training=False), training=False)

    model = built(Net(), (1, 3))
    x = jnp.asarray(DRAWS.normal(size=(4, 3)))
    y, after = nn.apply(model, x, train=True, key=KEY)
    np.testing.assert_allclose(y, model(x))
    tree.map(np.testing.assert_array_equal, after, model)
    with pytest.raises(errors.ArgumentError, match=r"nn\.apply\(layer, x, train=True"):
        layers.Dropout(0.5)(x, training=True)


def test_the_first_layer_may_know_the_shape_of_an_example():
    assert layers.Dense(2, input_shape=(3,)).input_shape == (3,)
    assert layers.Dense(2, input_dim=3).input_shape == (3,)
    assert layers.LSTM(2, batch_input_shape=(None, 5, 3)).input_shape == (5, 3)
    assert layers.Input((28, 28)).shape == (None, 28, 28)
    assert layers.InputLayer(input_shape=(7,)).input_shape == (7,)
    assert layers.Dense(2).input_shape is None
    assert layers.Bidirectional(layers.LSTM(2, input_shape=(5, 3))).input_shape == (5, 3)
    with pytest.raises(errors.ArgumentError, match="shape of an example"):
        layers.InputLayer()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: layers.Dense(2, activaton="relu"), "Did you mean activation"),
        (lambda: layers.Dense(2, activation="rellu"), "Did you mean 'relu'"),
        (lambda: layers.Dense(2, activity_regularizer="l2"), "takes no activity_regularizer"),
        (lambda: layers.Conv2D(2, 3, padding="full"), "padding"),
        (lambda: layers.Embedding(3, 2, mask_zero=True), "lengths="),
        (lambda: layers.LSTM(2, stateful=True), "stateful"),
        (lambda: layers.Bidirectional(layers.Dense(2)), "takes a recurrent layer"),
        (lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="both"), "merge_mode"),
        (lambda: layers.BatchNormalization(axis=0), "axis must be -1"),
        (lambda: layers.RandomFlip("up"), "mode must be"),
        (lambda: layers.Reshape((5,))(jnp.ones((2, 6))), r"of examples that have the shape \[5\]"),
    ],
)
def test_what_is_not_there_says_so(make, said):
    with pytest.raises((errors.ArgumentError, errors.ShapeError), match=said):
        make()


def test_weights_are_read_and_set_as_lists():
    layer = built(layers.Dense(2), (1, 3))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_array_equal(layer(jnp.ones((1, 3))), [[3.0, 3.0]])
    assert [w.shape for w in layer.get_weights()] == [(3, 2), (2,)]
    assert layer.count_params() == 8
    with pytest.raises(errors.ArgumentError, match="arrays of the shapes"):
        layer.set_weights([np.ones((2, 2)), np.zeros(2)])


def test_initializers_draw_as_named():
    draws = {
        "RandomNormal": (initializers.RandomNormal(1.0, 0.5), 1.0, 0.5),
        "RandomUniform": (initializers.RandomUniform(-1.0, 3.0), 1.0, 4 / np.sqrt(12)),
        "VarianceScaling": (initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"), 0.0, np.sqrt(2 / 300)),
        "HeNormal": (initializers.HeNormal(), 0.0, np.sqrt(2 / 200)),
        "GlorotUniform": (initializers.get("glorot_uniform"), 0.0, np.sqrt(2 / 500)),
    }
    for name, (init, mean, deviation) in draws.items():
        values = np.asarray(init(KEY, (200, 300)))
        np.testing.assert_allclose([values.mean(), values.std()], [mean, deviation], atol=0.02 * deviation, err_msg=name)
    seeded = initializers.GlorotNormal(seed=7)
    np.testing.assert_array_equal(seeded(KEY, (2, 3)), seeded(random.key(9), (2, 3)))


@pytest.mark.parametrize(
    "layer",
    [layers.Conv2D(3, 3), layers.DepthwiseConv2D(3), layers.SeparableConv2D(2, 3), layers.Conv2DTranspose(2, 3),
     layers.MaxPooling2D(), layers.GlobalMaxPooling2D(), layers.UpSampling2D(), layers.ZeroPadding2D(), layers.Cropping2D()],
)  # fmt: skip
def test_images_without_an_axis_of_channels_are_not_taken_for_one_image(layer):
    with pytest.raises(errors.ShapeError, match=r"images \[batch, height, width, channels\], with 4 axes, got"):
        layer(np.ones((5, 8, 8), np.float32))


def test_build_makes_a_layers_weights():
    layer = layers.Dense(3)
    layer.build((None, 4))
    assert [w.shape for w in layer.weights] == [(4, 3), (3,)]
    layer.trainable = False
    assert layer.trainable_weights == []
    with pytest.raises(errors.ArgumentError, match=r"regularization\(self\)"):
        layer.add_loss(1.0)


def test_flatten_has_channels_vary_fastest_whatever_the_format():
    x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(layers.Flatten(data_format="channels_first")(x), [[0, 4, 1, 5, 2, 6, 3, 7]])
    np.testing.assert_array_equal(layers.Flatten()(x), [np.arange(8)])
    with pytest.raises(errors.ArgumentError, match="data_format must be"):
        layers.Flatten(data_format="last")
