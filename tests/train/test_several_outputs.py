"""Models of several outputs: a loss, a weight and metrics for each, by order and by name. Numbers are Keras' 3."""

import numpy as np
import pytest

from jitgrad import data, errors, nn, random
from jitgrad import train as keras
from jitgrad.train import layers

DRAWS = np.random.default_rng(0)
A, B = DRAWS.normal(size=(50, 4)).astype("float32"), DRAWS.normal(size=(50, 3)).astype("float32")
KINDS, WEIGHTS = DRAWS.integers(0, 3, 50), DRAWS.uniform(size=50).astype("float32")
PRICES = A[:, :1]
SCCE = "sparse_categorical_crossentropy"


def made(outputs=list):
    a, b = keras.Input((4,)), keras.Input((3,))
    hidden = layers.Concatenate()([layers.Dense(5, kernel_initializer="ones")(x) for x in (a, b)])
    price = layers.Dense(1, name="price", kernel_initializer="ones")(hidden)
    kind = layers.Dense(3, activation="softmax", name="kind", kernel_initializer="ones")(hidden)
    return keras.Model([a, b], {"price": price, "kind": kind} if outputs is dict else outputs([price, kind]))


def fitted(model, y=(PRICES, KINDS), epochs=2, **kwargs):
    return model.fit([A, B], y, epochs=epochs, shuffle=False, verbose=0, **kwargs).history


def is_near(got, want):
    assert list(got) == list(want)
    for name, values in want.items():
        np.testing.assert_allclose(got[name], values, rtol=2e-5, err_msg=name)


@pytest.mark.parametrize("outputs", [list, tuple, dict])
def test_losses_weights_and_metrics_are_given_by_name(outputs):
    model = made(outputs)
    model.compile(
        "rmsprop",
        loss={"price": "mse", "kind": SCCE},
        loss_weights={"price": 1.0, "kind": 0.2},
        metrics={"kind": ["accuracy"], "price": "mae"},
    )
    history = fitted(model, {"price": A[:, 0], "kind": KINDS}, validation_split=0.2)
    is_near(history, {
        "loss": [178.19823, 174.41728], "price_loss": [177.97845, 174.19913], "kind_loss": [1.09885, 1.09078],
        "price_mae": [10.95269, 10.83576], "kind_accuracy": [0.375, 0.425], "val_loss": [64.33544, 63.45033],
        "val_price_loss": [64.11177, 63.22384], "val_kind_loss": [1.11835, 1.13241], "val_price_mae": history["val_price_mae"],
        "val_kind_accuracy": [0.2, 0.2],
    })  # fmt: skip


def test_losses_weights_and_metrics_are_given_in_order_and_each_output_may_have_weights_of_examples():
    model = made()
    model.compile("sgd", ["mse", SCCE], loss_weights=[0.5, 2], metrics=[["mae"], ["accuracy"]])
    history = fitted(model, [PRICES, KINDS], sample_weight=[WEIGHTS, 1 - WEIGHTS])
    is_near(history, {
        "loss": [44.34431, 27.15248], "price_loss": [86.8282, 52.45208], "kind_loss": [0.4651, 0.46322],
        "price_mae": [9.6179, 7.53485], "kind_accuracy": [0.36, 0.4],
    })  # fmt: skip
    expected = {"loss": 33.70152, "price_loss": 63.01441, "kind_loss": 1.09715, "price_mae": 6.37386, "kind_accuracy": 0.4}
    is_near(model.evaluate([A, B], [PRICES, KINDS], verbose=0, return_dict=True), expected)
    again = made()
    again.compile("sgd", ["mse", SCCE], loss_weights=[0.5, 2], metrics=[["mae"], ["accuracy"]])
    batches = data.from_arrays((A, B), (PRICES, KINDS), (WEIGHTS, 1 - WEIGHTS)).batch(32)
    is_near(again.fit(batches, epochs=2, verbose=0).history, history)


def test_an_output_without_a_loss_trains_nothing():
    model = made()
    model.compile("sgd", ["mse", None], weighted_metrics=[["mae"], None])
    before = model.get_layer("kind").get_weights()[0]
    is_near(fitted(model, epochs=1, sample_weight=WEIGHTS), {"loss": [80.43208], "price_loss": [80.43208], "price_mae": [9.33327]})
    np.testing.assert_array_equal(model.get_layer("kind").get_weights()[0], before)


def test_one_name_is_the_loss_of_each_output_and_one_function_is_given_all():
    model = made()
    model.compile("sgd", "mse")
    history = fitted(model, (PRICES, np.eye(3)[KINDS]), epochs=1)
    is_near(history, {"loss": [125.87929], "price_loss": [125.65698], "kind_loss": [0.2223]})
    model = made()
    mse = keras.losses.mean_squared_error
    model.compile("sgd", lambda y, p: mse(y[0], p[0]) + mse(y[1], p[1]))
    is_near(fitted(model, (PRICES, np.eye(3)[KINDS]), epochs=1), {"loss": [125.87929]})


class Net(nn.Module):
    def __init__(self, outputs):
        self.outputs, self.price, self.kind = outputs, nn.Linear(4, 1), nn.Linear(4, 3)

    def __call__(self, x):
        found = self.price(x), self.kind(x)
        return dict(zip(("price", "kind"), found, strict=True)) if self.outputs is dict else found


def test_a_class_gives_outputs_by_order_or_by_name():
    cross = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = []
    for outputs, losses, y in [
        (tuple, ["mse", cross], [PRICES, KINDS]),
        (dict, {"price": "mse", "kind": cross}, {"price": PRICES, "kind": KINDS}),
    ]:
        random.seed(0)
        model = keras.Model(Net(outputs))
        model.compile("sgd", losses, metrics=[["mae"], []] if outputs is tuple else {"price": ["mae"]})
        found.append(model.fit(A, y, epochs=2, shuffle=False, verbose=0).history)
    assert list(found[0]) == ["loss", "output_0_loss", "output_1_loss", "output_0_mae"]
    assert list(found[1]) == ["loss", "price_loss", "kind_loss", "price_mae"]
    assert [*found[0].values()] == [*found[1].values()]
    np.testing.assert_allclose(found[0]["loss"], np.add(found[0]["output_0_loss"], found[0]["output_1_loss"]), rtol=1e-6)


def test_one_output_may_have_its_loss_in_a_list_and_a_weight():
    a = keras.Input((4,))
    output = layers.Dense(1, name="price", kernel_initializer="ones")(a)
    losses = []
    for loss, weights, metrics in [
        ("mse", None, ["mae"]),
        (["mse"], [2.0], [["mae"]]),
        ({"price": "mse"}, {"price": 2.0}, {"price": "mae"}),
    ]:
        model = keras.Model(a, output)
        model.compile(keras.optimizers.SGD(0.0), loss, loss_weights=weights, metrics=metrics)
        history = model.fit(A, PRICES, verbose=0).history
        assert list(history) == ["loss", "mae"]
        losses.append(history["loss"][0])
    np.testing.assert_allclose(losses[1:], [2 * losses[0]] * 2, rtol=1e-6)


@pytest.mark.parametrize("container", [list, tuple, lambda given: {"price": given[0]}])
@pytest.mark.parametrize("loss", ["mse", ["mse"], {"price": "mse"}, keras.losses.mse, lambda y, p: (y - p)[:, 0] ** 2])
def test_the_only_output_may_lie_in_a_list_or_a_dict(container, loss):
    a = keras.Input((4,))
    model = keras.Model(a, container([layers.Dense(1, name="price", kernel_initializer="ones")(a)]))
    model.compile("sgd", loss, metrics=["mae"], weighted_metrics=[["mse"]])
    for y, weight in [(PRICES, WEIGHTS), ([PRICES], [WEIGHTS]), ({"price": PRICES}, {"price": WEIGHTS})]:
        model.set_weights([np.ones((4, 1)), np.zeros(1)])
        history = model.fit(A, y, sample_weight=weight, shuffle=False, verbose=0).history
        is_near(history, {"loss": [2.19016], "mae": [1.55223], "mse": [3.79239]})


def test_a_sequential_takes_its_loss_and_metrics_in_lists():
    model = keras.Sequential([layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", ["mse"], metrics=["mae"])
    is_near(model.fit(A, [PRICES], shuffle=False, verbose=0).history, {"loss": [3.46112], "mae": [1.54776]})
    with pytest.raises(errors.ShapeError, match="targets and predictions must have one shape"):
        model.fit(A, (PRICES, PRICES), verbose=0)


def test_an_output_may_have_no_weights_of_examples():
    model = made()
    model.compile("sgd", ["mse", SCCE])
    history = fitted(model, epochs=1, sample_weight=[WEIGHTS, None])
    is_near(history, {"loss": [81.53239], "price_loss": [80.43208], "kind_loss": [1.10031]})
    with pytest.raises(errors.ArgumentError, match="sample_weight names 'sort', which the model has no output of"):
        fitted(model, sample_weight={"price": WEIGHTS, "kind": WEIGHTS, "sort": WEIGHTS})


@pytest.mark.parametrize("weights", [[], [[WEIGHTS, WEIGHTS]]])
def test_a_dataset_may_give_lists(weights):
    found = []
    for convert in (tuple, list):
        model = made()
        model.compile("sgd", ["mse", SCCE])
        batches = type("Once", (keras.utils.PyDataset,), {
            "__len__": lambda self: 1,
            "__getitem__": lambda self, index, convert=convert: tuple(map(convert, [(A, B), (PRICES, KINDS), *weights])),
        })()  # fmt: skip
        found.append((model.fit(batches, verbose=0).history, model.evaluate(batches, verbose=0)))
        assert [p.shape for p in model.predict(batches, verbose=0)] == [(50, 1), (50, 3)]
    assert found[0] == found[1]


def test_outputs_of_one_layer_have_names_of_their_own():
    a, b = keras.Input((4,)), keras.Input((4,))
    shared, other = (layers.Dense(1, name=name, kernel_initializer="ones") for name in ("d", "d_1"))
    model = keras.Model([a, b], [shared(a), shared(b), other(a)])
    model.compile(keras.optimizers.SGD(0.0), "mse", loss_weights=[1, 2, 3])
    history = model.fit([A, 2 * A], [PRICES, 2 * PRICES, 3 * PRICES], verbose=0).history
    total, *parts = (values[0] for values in history.values())
    assert len(parts) == len(set(parts)) == 3
    np.testing.assert_allclose(total, np.dot(parts, [1, 2, 3]), rtol=1e-6)


def test_callbacks_know_the_direction_of_an_outputs_loss_and_metrics():
    a = keras.Input((4,))
    model = keras.Model(a, [layers.Dense(1, name=name)(a) for name in ("account", "recall")])
    model.compile("sgd", "mse", metrics=[["r2_score"], ["mae"]])
    for monitor, mode in [("account_loss", "min"), ("recall_loss", "min"), ("account_r2_score", "max"), ("recall_mae", "min")]:
        stop = keras.callbacks.EarlyStopping(monitor)
        model.fit(A, [PRICES, PRICES], verbose=0, callbacks=[stop])
        assert stop.mode == mode


@pytest.mark.parametrize(("given", "message"), [
    ({"loss": {"prise": "mse"}}, r"loss names 'prise', which the model has no output of\. .*'price', 'kind'"),
    ({"loss": ["mse"]}, r"loss as a list must have one entry for each of the 2 outputs \('price', 'kind'\), got 1"),
    ({"loss": [None, None]}, "no output has a loss"),
    ({"loss": ["mse", "mse"], "loss_weights": [1.0]}, "loss_weights as a list must have one entry for each of the 2"),
    ({"loss": ["mse", "mse"], "loss_weights": {"x": 1}}, "loss_weights names 'x'"),
    ({"loss": ["mse", "mse"], "loss_weights": 3.0}, "loss_weights must be a list or a dict of numbers"),
    ({"loss": ["mse", "mse"], "loss_weights": [1.0, np.nan]}, "a weight of a loss must be a finite number, got nan"),
    ({"loss": ["mse", None], "loss_weights": [1.0, 2.0]}, "loss_weights has a weight for 'kind', which has no loss"),
    ({"loss": ["mse", "mse"], "metrics": ["mae"]}, "metrics as a list must have one entry for each of the 2"),
    ({"loss": ["mse", "mse"], "metrics": "mae"}, "metrics of several outputs are a list or a dict, one entry an output"),
    ({"loss": ["mse", "mse"], "metrics": {"kinds": "mae"}}, "metrics names 'kinds'"),
    ({"loss": lambda y, p: 0.0, "metrics": "mae"}, "metrics of several outputs are a list or a dict, one entry an output"),
    ({"loss": lambda y, p: 0.0, "metrics": ["mae"]}, "metrics as a list must have one entry for each of the 2"),
    ({"loss": lambda y, p: 0.0, "loss_weights": [1.0, 2.0]}, "a weight of a loss must be a finite number"),
])  # fmt: skip
def test_what_fits_no_output_is_refused_by_compile(given, message):
    with pytest.raises(errors.ArgumentError, match=message):
        made().compile("sgd", **given)


def test_data_that_fit_no_output_are_refused():
    model = made()
    model.compile("sgd", ["mse", SCCE])
    with pytest.raises(
        errors.ArgumentError, match=r"output 'price' targets must be a dict with 'price' in it, or a tuple of 2, got one"
    ):
        fitted(model, PRICES)
    with pytest.raises(errors.ArgumentError, match="got none"):
        fitted(model, None)
    with pytest.raises(errors.ArgumentError, match="got a tuple of 3"):
        fitted(model, (PRICES, KINDS, KINDS))
    with pytest.raises(errors.ArgumentError, match="got a dict of 'price', 'sort'"):
        fitted(model, {"price": PRICES, "sort": KINDS})
    with pytest.raises(errors.ArgumentError, match="sample_weight must be a dict with 'price' in it"):
        fitted(model, sample_weight={"kind": WEIGHTS})
    with pytest.raises(errors.ArgumentError, match="(?s)labels.*3"):
        fitted(model, (PRICES, KINDS + 1))
    plain = keras.Model(Net(tuple))
    plain.compile("sgd", "mse")
    with pytest.raises(errors.ArgumentError, match="is of one output, and the model gives a tuple of 2: give compile a list"):
        plain.fit(A, PRICES, verbose=0)
    plain.compile("sgd", {"price": "mse", "kind": "mse"})
    with pytest.raises(errors.ArgumentError, match="predictions must be a dict with 'price' in it, got a tuple of 2"):
        plain.fit(A, {"price": PRICES, "kind": A[:, :3]}, verbose=0)
    plain.compile("sgd", lambda y, p: (y - p[0]) ** 2)
    with pytest.raises(errors.ArgumentError, match="sample_weight for each output needs a loss for each output"):
        plain.fit(A, PRICES, sample_weight=(WEIGHTS, WEIGHTS), verbose=0)
