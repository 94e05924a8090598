"""Code as Keras' tutorials have it, with `from jitgrad import train as keras`; models that are put together by calling layers."""

import os
import signal

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, nn, random, tree
from jitgrad import train as keras
from jitgrad.train import layers

DRAWS = np.random.default_rng(0)
X = DRAWS.normal(size=(96, 6)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 0).astype("int64")
IMAGES = DRAWS.uniform(size=(48, 8, 8, 1)).astype("float32")
DIGITS = DRAWS.integers(0, 3, 48)


@pytest.fixture(autouse=True)
def seeded():
    random.seed(0)


def test_a_classifier_of_images():
    model = keras.models.Sequential([
        keras.Input(shape=(8, 8, 1)),
        layers.Conv2D(4, (3, 3), activation="relu", padding="same"),
        layers.MaxPooling2D((2, 2)),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.25),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    assert model.count_params() == 4 * 9 + 4 + 4 * 4 + 64 * 3 + 3
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    y = keras.utils.to_categorical(DIGITS, num_classes=3)
    history = model.fit(IMAGES, y, batch_size=16, epochs=3, validation_split=0.25, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    loss, accuracy = model.evaluate(IMAGES, y, verbose=0)
    assert 0 <= accuracy <= 1 and np.isfinite(loss)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0).sum(-1), 1, rtol=1e-5)


def test_a_binary_classifier_learns_layer_by_layer(capsys):
    model = keras.Sequential(name="classifier")
    model.add(layers.Dense(16, input_shape=(6,), activation="relu", kernel_regularizer=keras.regularizers.l2(1e-4)))
    model.add(layers.Dense(1, activation="sigmoid"))
    first, second = model.layers[0].get_weights()[0], model.layers[1].get_weights()[0]
    assert first.shape == (6, 16) and second.shape == (16, 1)
    model.summary()
    assert "129 parameters" in capsys.readouterr().out
    model.compile(
        loss=keras.losses.BinaryCrossentropy(),
        optimizer=keras.optimizers.Adam(learning_rate=0.02),
        metrics=[keras.metrics.BinaryAccuracy(name="acc"), keras.metrics.AUC(), "mae"],
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=20, restore_best_weights=True)
    history = model.fit(X, Y, epochs=40, validation_data=(X, Y), callbacks=[stop], verbose=0)
    assert set(history.history) == {*("loss", "acc", "auc", "mae"), *("val_loss", "val_acc", "val_auc", "val_mae")}
    assert model.evaluate(X, Y, verbose=0, return_dict=True)["acc"] > 0.95


def test_layers_that_are_added_draw_their_own_values():
    model = keras.Sequential([layers.Dense(6, input_shape=(6,))])
    model.add(layers.Dense(6))
    assert not np.array_equal(model.layers[0].weight, model.layers[1].weight)


def test_a_regression_of_normalized_data():
    normalizer = layers.Normalization(axis=-1)
    normalizer.adapt(X * 7 + 3)
    model = keras.Sequential([normalizer, layers.Dense(units=1)])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.1), loss="mean_absolute_error")
    history = model.fit(X * 7 + 3, X[:, 0] * 2 + 1, epochs=60, verbose=0)
    assert history.history["loss"][-1] < 0.1
    np.testing.assert_allclose(model.module.layers[0].mean, (X * 7 + 3).mean(0), rtol=1e-4)


def test_a_classifier_of_texts():
    words = DRAWS.integers(0, 20, (32, 10))
    model = keras.Sequential([
        layers.Embedding(20, 8),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.GlobalMaxPooling1D(),
        layers.Dense(1),
    ])  # fmt: skip
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True), optimizer="rmsprop", metrics=["accuracy"])
    history = model.fit(words, (words[:, 0] > 10).astype("float32"), epochs=2, verbose=0)
    assert len(history.history["accuracy"]) == 2


def test_regularizers_are_in_the_loss():
    model = keras.Sequential([layers.Dense(1, input_shape=(6,), kernel_regularizer="l2")])
    model.compile("sgd", "mse")
    penalty = 0.01 * np.sum(np.square(model.layers[0].kernel))
    expected = np.mean((model.predict(X, verbose=0)[:, 0] - Y) ** 2) + penalty
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), expected, rtol=1e-5)


def functional():
    inputs = keras.Input(shape=(8, 8, 1), name="image")
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    shortcut = x
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Add()([x, shortcut])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs=inputs, outputs=layers.Dense(3)(x), name="residual")


def test_a_functional_model_is_trained_and_is_a_module():
    model = functional()
    assert model.count_params() == 40 + 148 + 15
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
    before = model.get_weights()
    model.fit(IMAGES, DIGITS, epochs=2, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    one, two, _, _, dense = model.module.layers
    x = one(IMAGES)
    expected = dense(jnp.mean(two(x) + x, axis=(1, 2)))
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, rtol=1e-4, atol=1e-5)
    kept = model.module
    model.fit(IMAGES, DIGITS, epochs=1, verbose=0)
    assert (kept.layers[0].weight != model.module.layers[0].weight).any()


def test_symbolic_arrays_have_shapes_and_arithmetic():
    x = keras.Input(shape=(None, 4))
    assert x.shape == (None, None, 4)
    y = layers.Conv1D(3, 2)(x)
    assert y.shape == (None, None, 3)
    assert layers.LSTM(5)(y).shape == (None, 5)
    z = 2 * (y - 1.0) / 3 + y**2 - (-y)
    first = z[:, 0]
    assert (z.shape, first.shape) == ((None, None, 3), (None, 3))
    model = keras.Model(x, first)
    given = DRAWS.normal(size=(2, 7, 4)).astype("float32")
    inner = np.asarray(next(m for _, m in nn.parts.modules(model.module) if isinstance(m, layers.Conv1D))(given))
    np.testing.assert_allclose(
        model.predict(given, verbose=0), (2 * (inner - 1) / 3 + inner**2 + inner)[:, 0], rtol=1e-4, atol=1e-5
    )
    assert keras.Input((28,), dtype="int32").dtype == np.int32
    with pytest.raises(errors.ArgumentError, match="layers.Lambda"):
        jnp.sin(x)
    with pytest.raises(errors.ArgumentError, match="shape of an example"):
        keras.Input()


def test_several_inputs_and_outputs_are_lists_or_names():
    left, right = keras.Input(shape=(6,), name="left"), keras.Input(shape=(2,), name="right")
    shared = layers.Dense(4, activation="tanh")
    joined = layers.Concatenate()([shared(left), shared(left * 2), right])
    model = keras.Model(inputs=[left, right], outputs=layers.Dense(1)(joined))
    assert len([m for _, m in nn.parts.modules(model.module) if isinstance(m, layers.Dense)]) == 2
    model.compile("adam", "mse")
    history = model.fit([X, X[:, :2]], Y.astype("float32"), epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    by_list, by_name = model.predict([X, X[:, :2]], verbose=0), model.predict({"right": X[:, :2], "left": X}, verbose=0)
    np.testing.assert_array_equal(by_list, by_name)
    with pytest.raises(errors.ArgumentError, match=r"takes 2 inputs \('left', 'right'\), got 1"):
        model.predict(X, verbose=0)
    both = keras.Model([left, right], {"sum": left[:, :2] + right, "left": left})
    found = both.predict([X, X[:, :2]], verbose=0)
    np.testing.assert_allclose(found["sum"], X[:, :2] * 2, rtol=1e-6)
    with pytest.raises(errors.ArgumentError, match="an output needs the input right"):
        keras.Model(left, joined)


def test_models_share_the_layers_that_they_are_made_of():
    inputs = keras.Input(shape=(6,))
    code = layers.Dense(2)(inputs)
    encoder = keras.Model(inputs, code, name="encoder")
    decoder = keras.Sequential([layers.Dense(6)], name="decoder")
    autoencoder = keras.Model(inputs, decoder(encoder(inputs)))
    autoencoder.compile("adam", "mse")
    before = encoder.predict(X, verbose=0)
    autoencoder.fit(X, X, epochs=2, verbose=0)
    after = encoder.predict(X, verbose=0)
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(autoencoder.predict(X, verbose=0), decoder.predict(after, verbose=0), rtol=1e-5, atol=1e-6)


def test_the_best_weights_of_a_functional_model_are_restored():
    model = functional()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    kept = []

    class Worse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kept.append(self.model.module)
            logs["score"] = float(epoch)

    model.fit(
        IMAGES,
        DIGITS,
        epochs=3,
        callbacks=[Worse(), keras.callbacks.EarlyStopping("score", mode="min", patience=5, restore_best_weights=True)],
        verbose=0,
    )
    tree.map(np.testing.assert_array_equal, model.module, kept[0])


def test_an_interrupt_does_not_cut_a_step_of_shared_layers_in_two(monkeypatch):
    from jitgrad.train import model as at

    model, poured = functional(), at.pour

    def interrupted(module, other):
        os.kill(os.getpid(), signal.SIGINT)
        poured(module, other)

    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.get_weights()
    monkeypatch.setattr(at, "pour", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(IMAGES, DIGITS)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert int(model.get_state()["step"]) == 1


def test_custom_layers_stand_in_functional_models():
    class Scale(keras.layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")

        def call(self, inputs, training=False):
            return inputs * self.factor

    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(1)(Scale()(inputs)))
    model.compile("adam", lambda y_true, y_pred: jnp.mean(abs(y_true - y_pred[:, 0])))
    model.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    assert (model.module.layers[0].factor != 1).all()


class Net(keras.Model):
    def __init__(self, units=8):
        super().__init__()
        self.units = units
        self.hidden = layers.Dense(units, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.out = layers.Dense(2)

    def call(self, x, training=False):
        return self.out(self.drop(self.features(x), training=training))

    def features(self, x):
        return self.hidden(x)


def test_a_model_may_be_a_class_with_a_method_call():
    model = Net(units=5)
    assert model.units == 5
    assert model(X[:2]).shape == (2, 2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    assert all((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    np.testing.assert_allclose(model.predict(X, verbose=0), model.out(model.features(X)), rtol=1e-4, atol=1e-5)
    assert [type(x).__name__ for x in model.layers] == ["Dense", "Dropout", "Dense"]
    with pytest.raises(AttributeError, match="has no attribute 'inner'"):
        print(model.inner)
    with pytest.raises(errors.ArgumentError, match="train_step can't be changed"):
        type("Own", (keras.Model,), {"call": Net.call, "train_step": lambda self, data: None})

    class Early(keras.Model):
        def __init__(self):
            self.out = layers.Dense(2)

        def call(self, x):
            return self.out(x)

    with pytest.raises(errors.ArgumentError, match=r"super\(\).__init__\(\) before out"):
        Early()


class Autoencoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(2, activation="relu")])
        self.decoder = keras.Sequential([layers.Dense(6)])

    def call(self, x):
        return self.decoder(self.encoder(x))


def test_models_are_layers_of_other_models():
    model = Autoencoder()
    model.compile("adam", "mse")
    model.fit(X, X, epochs=1, verbose=0)
    np.testing.assert_allclose(model.predict(X, verbose=0), model.decoder(model.encoder(X)), rtol=1e-4, atol=1e-6)
    base = keras.Sequential([layers.Dense(4, input_shape=(6,))])
    whole = keras.Sequential([base])
    whole.add(layers.Dense(1))
    before = base.get_weights()[0]
    whole.compile("adam", "mse")
    whole.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    after = base.get_weights()[0]
    assert (after != before).all()
    np.testing.assert_array_equal(after, whole.module.layers[0].layers[0].weight)
    with pytest.raises(errors.ArgumentError, match="whose arrays would be no leaves"):
        tree.leaves(nn.Sequential(base))


def test_what_is_not_trainable_stays():
    base = keras.Sequential([layers.Dense(4, input_shape=(6,)), layers.BatchNormalization()])
    base.trainable = False
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(1, name="head")(base(inputs)))
    assert nn.parameter_count(model.module, trainable=True) == 5
    model.compile("adam", "mse")
    before = base.get_weights()
    model.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    for a, b in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (model.get_layer("head").weight != 0).all() and not base.trainable
    base.trainable = True
    model.compile("adam", "mse")
    model.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    assert all((a != b).any() for a, b in zip(before, base.get_weights(), strict=True))
    late = keras.Sequential([layers.Dense(4, trainable=False), layers.Dense(1)])
    late.compile("adam", "mse")
    late.fit(X, Y.astype("float32"), epochs=1, verbose=0)
    np.testing.assert_array_equal(late.layers[0].bias, 0)
    assert (late.layers[1].bias != 0).all()
    with pytest.raises(errors.ArgumentError, match="there is no layer 'tail'. Layers that have names: 'head'"):
        model.get_layer("tail")


def test_data_sets_are_read_from_files_that_are_there(tmp_path, monkeypatch):
    parts = {"x_train": IMAGES[:4], "y_train": DIGITS[:4], "x_test": IMAGES[4:6], "y_test": DIGITS[4:6]}
    np.savez(tmp_path / "mnist.npz", **parts)
    (x, y), (x_test, y_test) = keras.datasets.mnist.load_data(tmp_path / "mnist.npz")
    for found, name in ((x, "x_train"), (y, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
        np.testing.assert_array_equal(found, parts[name])
    monkeypatch.setattr(keras.datasets, "HOME", str(tmp_path))
    assert keras.datasets.mnist.load_data()[0][0].shape == (4, 8, 8, 1)
    with pytest.raises(errors.MissingFileError, match=r"no cifar-10-batches-bin here or in .*data\.read_cifar10"):
        keras.datasets.cifar10.load_data()
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]:
        (tmp_path / "cifar-10-batches-bin" / f"{name}.bin").write_bytes(bytes([6]) + bytes(3 * 32 * 32))
    (x, y), _ = keras.datasets.cifar10.load_data()
    assert (x.shape, y.shape) == ((5, 32, 32, 3), (5, 1))


def test_tools_are_found_by_keras_names():
    np.testing.assert_allclose(keras.utils.normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])
    keras.utils.set_random_seed(3)
    first = keras.Sequential([layers.Dense(2, input_shape=(3,))]).get_weights()
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(keras.Sequential([layers.Dense(2, input_shape=(3,))]).get_weights()[0], first[0])
    np.testing.assert_array_equal(keras.activations.get("relu")(jnp.array([-1.0, 2.0])), [0.0, 2.0])
    x = np.array([-3.0, -0.2, 0.5, 0.7, 8.0])
    for name, given, want in [
        ("relu", {}, [0, 0, 0.5, 0.7, 8]),
        ("relu", {"negative_slope": 0.1, "max_value": 6.0, "threshold": 0.6}, [-0.36, -0.08, -0.01, 0.7, 6]),
        ("hard_shrink", {"threshold": 0.6}, [-3, 0, 0, 0.7, 8]),
        ("soft_shrink", {}, [-2.5, 0, 0, 0.2, 7.5]),
        ("threshold", {"threshold": 0.5, "default_value": 9}, [9, 9, 9, 0.7, 8]),
    ]:
        np.testing.assert_allclose(getattr(keras.activations, name)(x, **given), want, atol=1e-6)
    assert keras.activations.get(None)(3) == 3 and keras.layers.Input is keras.Input
    assert keras.models.Model is keras.Model
    keras.backend.clear_session()
    assert (keras.backend.floatx(), keras.backend.epsilon()) == ("float32", 1e-7)


def test_layers_that_a_sequential_is_made_of_are_its_own():
    first, second = layers.Dense(3, activation="relu"), layers.Dense(2)
    model = keras.Sequential([keras.Input((6,)), first, second])
    first.trainable = False
    assert [x.shape for x in first.get_weights()] == [(6, 3), (3,)] and not model.layers[0].trainable
    before = model.get_weights()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, verbose=0)
    after = model.get_weights()
    assert [(a == b).all() for a, b in zip(before, after, strict=True)] == [True, True, False, False]
    np.testing.assert_array_equal(second.get_weights()[0], after[2])
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(3), layers.BatchNormalization()])
    outer = keras.Sequential([inner, layers.Dense(2)])
    outer.trainable = False
    assert not inner.trainable and not inner.layers[0].trainable


def test_a_model_that_is_called_with_training_false_stays_in_inference_within_another():
    inner = keras.Sequential([keras.Input((6,)), layers.BatchNormalization(), layers.Dropout(0.5)])
    for training, still in ((False, True), (None, False)):
        inputs = keras.Input((6,))
        model = keras.Model(inputs, layers.Dense(2)(inner(inputs, training=training)))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        before = inner.get_weights()
        model.fit(X, Y, verbose=0)
        changed = [not (a == b).all() for a, b in zip(before, inner.get_weights(), strict=True)]
        assert changed[:2] == [True, True] and changed[2:] == [not still, not still]
    with pytest.raises(errors.ArgumentError, match="make Linear a subclass of train.Layer or train.Model"):
        keras.Model(nn.Linear(6, 2))(keras.Input((6,)), training=False)


def test_a_model_tells_what_it_lacks():
    model = keras.Sequential([layers.Dense(2, name="a"), layers.Dense(2, name="a")])
    with pytest.raises(errors.ArgumentError, match=r"summary: layers without an input size .* Put Input\(shape\)"):
        model.summary()
    with pytest.raises(errors.ArgumentError, match="more than one layer 'a'"):
        model.get_layer("a")
    with pytest.raises(errors.MissingNameError, match=r"model.load\(path\)"):
        keras.models.load_model("file")
    with pytest.raises(errors.ArgumentError, match=r"made of inputs and outputs"):
        print(model.input)
    inputs = keras.Input((6,))
    both = keras.Model(inputs, layers.Dense(2)(inputs))
    assert both.input is inputs and keras.Model(both.input, both.output).predict(X, verbose=0).shape == (len(X), 2)


def test_layers_in_lists_and_dicts_of_a_model_are_its_layers():
    class Deep(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks, self.heads = [layers.Dense(3), layers.Dense(3)], {"out": layers.Dense(2)}

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return self.heads["out"](x)

    model = Deep()
    model.build((None, 6))
    for layer in model.layers[:-1]:
        layer.trainable = False
    assert len(model.layers) == 3 and [w.shape for w in model.trainable_weights] == [(3, 2), (2,)]


def test_one_number_an_example_need_not_be_a_column():
    x = np.linspace(-1, 1, 8, dtype=np.float32)
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x[:, None], verbose=0))
    np.testing.assert_array_equal(model(x), model(x[:, None]))
    model.compile("sgd", "mse")
    assert model.evaluate(x, 2 * x, verbose=0) == model.evaluate(x[:, None], 2 * x[:, None], verbose=0)
    images = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(2, 3)])
    assert images.predict(np.ones((3, 4, 4)), verbose=0).shape == (3, 2, 2, 2)


def test_lists_are_the_inputs_and_the_outputs_of_a_model_each_of_its_shape():
    a, b = keras.Input((6,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    model = keras.Model([a, b], [layers.Dense(1)(joined), layers.Dense(2)(joined)])
    model.compile("sgd", lambda y, p: keras.losses.mse(y[0], p[0]) + keras.losses.mse(y[1], p[1]))
    targets = [X[:, :1], X[:, :2]]
    model.fit([X, X[:, :2]], targets, verbose=0)
    assert model.train_on_batch([X, X[:, :2]], targets).keys() == {"loss"}
    with pytest.raises(errors.ShapeError, match=r"examples of input 'a' must have the shape \(6,\), got \(2,\)"):
        model.predict([X[:, :2], X], verbose=0)
    single = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    np.testing.assert_array_equal(single.predict([X], verbose=0), single.predict(X, verbose=0))


def test_models_know_the_shapes_of_their_inputs_and_outputs():
    model = keras.Sequential([layers.Dense(3)])
    with pytest.raises(errors.ArgumentError, match="output_shape: it is not known before the model was built"):
        print(model.output_shape)
    model(np.ones((2, 5), "float32"))
    assert model.input_shape == (None, 5) and model.output_shape == (None, 3)
    a, b = keras.Input((4,)), keras.Input((None, 3))
    model = keras.Model([a, b], {"first": layers.Dense(2)(a), "second": layers.Dense(5)(b)})
    assert model.input_shape == [(None, 4), (None, None, 3)]
    assert model.output_shape == {"first": (None, 2), "second": (None, None, 5)}
