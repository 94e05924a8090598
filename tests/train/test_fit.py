"""`train.Model`: fit is the loop that one would write, in one native call or batch by batch; bad input is told."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn, optim, train, tree
from jitgrad.errors import ArgumentError, DTypeError, InvalidValueError, ShapeError
from jitgrad.nn import losses
from jitgrad.train.callbacks import Callback

KEY = jitgrad.random.key(0)


def squared(targets, predictions):
    return jnp.mean((targets - predictions) ** 2, axis=-1)


def data(count=40, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, 3)).astype(np.float32)
    return x, (x @ np.float32([[1.0], [-2.0], [0.5]]) + 0.3)


def classes(count=60):
    x, _ = data(count)
    return x, (x[:, 0] > 0).astype(np.int64) + (x[:, 1] > 0.5)


def compiled(module=None, optimizer=None, loss=squared, **options):
    model = train.Model(nn.Linear(3, 1, key=KEY) if module is None else module, key=KEY)
    model.compile(optimizer or optim.adam(0.05), loss, **options)
    return model


class Batches(Callback):
    """Sees each batch, so that fit runs batch by batch."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append((batch, logs))


def states_agree(one, other, exactly=True):
    for a, b in zip(tree.leaves(one.get_state()), tree.leaves(other.get_state()), strict=True):
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=0 if exactly else 1e-6)


def test_fit_is_the_loop_one_would_write():
    x, y = data()
    model = compiled()
    history = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    module, optimizer = nn.Linear(3, 1, key=KEY), optim.adam(0.05)
    state, found = optimizer.init(module), []
    for _ in range(3):
        means = []
        for first in range(0, 40, 8):
            rows = slice(first, first + 8)
            value, gradient = jitgrad.value_and_grad(lambda m, rows=rows: jnp.mean(squared(y[rows], m(x[rows]))))(module)
            updates, state = optimizer.update(gradient, state, module)
            module, means = optim.apply_updates(module, updates), [*means, float(value)]
        found.append(np.mean(means))
    np.testing.assert_allclose(history.history["loss"], found, rtol=1e-5)
    np.testing.assert_allclose(model.module.weight, module.weight, rtol=1e-5)


@pytest.mark.parametrize("count", [5, 32, 41], ids=["fewer than a batch", "whole batches", "a smaller last batch"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_one_native_call_does_what_single_batches_do(count, shuffle):
    x, y = data(count)
    weight = np.linspace(0.5, 2, count)
    native, single, seen = compiled(), compiled(), Batches()
    given = dict(batch_size=16, epochs=2, shuffle=shuffle, sample_weight=weight, verbose=0)
    one, other = native.fit(x, y, **given), single.fit(x, y, callbacks=seen, **given)
    np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-6)
    states_agree(native, single, exactly=False)
    assert [batch for batch, _ in seen.logs] == list(range(-(-count // 16))) * 2


def test_a_dataset_is_trained_with_as_it_comes():
    x, y = data()
    batches = [(x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)]
    one, other = compiled(), compiled()
    one.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    other.fit(Repeated(batches), verbose=0)
    states_agree(one, other, exactly=False)


class Repeated:
    """A dataset that is no list: lists are data in memory."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def test_the_order_of_examples_is_another_one_each_epoch_and_the_same_in_each_run():
    x = np.arange(12, dtype=np.float32)[:, None]
    seen = []

    class Look(nn.Module):
        def __init__(self):
            self.weight = jnp.zeros(1)

        def __call__(self, x):
            jitgrad.debug.callback(lambda a: seen.extend(np.ravel(a).tolist()), x)
            return x * self.weight

    for _ in range(2):
        compiled(Look()).fit(x, x, batch_size=4, epochs=2, verbose=0)
    first, second = seen[:12], seen[12:24]
    assert seen[24:] == first + second
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second and first != list(range(12))


def test_training_that_goes_on_is_training_at_one_go():
    x, y = data()
    once, twice = compiled(), compiled()
    once.fit(x, y, epochs=4, batch_size=8, verbose=0)
    twice.fit(x, y, epochs=2, batch_size=8, verbose=0)
    state = twice.get_state()
    again = compiled()
    again.set_state(state)
    again.fit(x, y, epochs=4, initial_epoch=2, batch_size=8, verbose=0)
    states_agree(once, again)


def test_float64_data_trains_a_float32_model_in_float32_and_a_float64_model_in_float64():
    x, y = data()
    model = compiled()
    model.fit(x.astype(np.float64), y.astype(np.float64), verbose=0)
    assert model.module.weight.dtype == np.float32 and model.predict(x.astype(np.float64), verbose=0).dtype == np.float32
    model = compiled(nn.Linear(3, 1, key=KEY, dtype="float64"))
    model.fit(x, y, verbose=0)
    assert model.module.weight.dtype == np.float64 and model.predict(x, verbose=0).dtype == np.float64


def test_running_statistics_dropout_and_frozen_parameters_are_what_apply_makes_of_them():
    x, y = data(64)
    module = nn.Sequential(nn.Linear(3, 8, key=KEY), nn.BatchNorm(8), nn.Dropout(0.5), nn.Linear(8, 1, key=KEY))
    model = compiled(nn.freeze(module, "layers[0]"))
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    trained = model.module.layers
    assert (trained[0].weight == module.layers[0].weight).all()
    assert not np.allclose(trained[1].running_mean, 0) and not np.allclose(trained[3].weight, module.layers[3].weight)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


def test_evaluate_and_predict_take_all_examples_once():
    x, y = data(41)
    model = compiled(metrics=[jitgrad.metrics.MeanAbsoluteError()])
    predictions = np.asarray(model.module(x))
    np.testing.assert_allclose(model.predict(x, batch_size=16, verbose=0), predictions, rtol=1e-6)
    loss, mae = model.evaluate(x, y, batch_size=16, verbose=0)
    np.testing.assert_allclose(loss, np.mean((y - predictions) ** 2), rtol=1e-6)
    np.testing.assert_allclose(mae, np.mean(np.abs(y - predictions)), rtol=1e-6)
    batches = Repeated([(x[:16], y[:16]), (x[16:32], y[16:32]), (x[32:], y[32:])])
    np.testing.assert_allclose(model.evaluate(batches, verbose=0), [loss, mae], rtol=1e-6)
    np.testing.assert_allclose(model.predict(Repeated([x[:16], x[16:]]), verbose=0), predictions, rtol=1e-6)
    assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss", "mean_absolute_error"}


def test_validation_is_evaluate_after_each_epoch():
    x, y = data()
    model = compiled()
    history = model.fit(x, y, epochs=2, validation_split=0.25, shuffle=False, verbose=0).history
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x[30:], y[30:], verbose=0), rel=1e-6)
    other = compiled()
    given = other.fit(x[:30], y[:30], epochs=2, validation_data=(x[30:], y[30:]), shuffle=False, verbose=0).history
    assert given["val_loss"] == history["val_loss"] and given["loss"] == history["loss"]


def test_weights_of_classes_are_weights_of_examples():
    x, y = classes()
    crossed = lambda targets, predictions: losses.cross_entropy(predictions, targets, reduction="none")
    one = compiled(nn.Linear(3, 3, key=KEY), loss=crossed)
    one.fit(x, y, class_weight={1: 3.0}, verbose=0)
    other = compiled(nn.Linear(3, 3, key=KEY), loss=crossed)
    other.fit(x, y, sample_weight=np.where(y == 1, 3.0, 1.0), verbose=0)
    states_agree(one, other)


def test_steps_per_epoch_goes_on_where_the_last_epoch_ended():
    x, y = data()
    seen = Batches()
    compiled().fit(x, y, batch_size=8, steps_per_epoch=3, epochs=4, callbacks=[seen], verbose=0)
    assert [batch for batch, _ in seen.logs] == [0, 1, 2] * 4


def test_a_module_of_several_arguments_and_of_several_results():
    class Both(nn.Module):
        def __init__(self):
            self.one, self.two = nn.Linear(3, 2, key=KEY), nn.Linear(1, 2, key=KEY)

        def __call__(self, a, b):
            return self.one(a) + self.two(b), self.one(a)

    x, y = data()
    model = compiled(Both(), loss=lambda targets, both: (targets - both[0]) ** 2 + both[1] ** 2)
    model.fit((x, y), y, batch_size=16, verbose=0)
    sums, ones = model.predict((x, y), batch_size=16, verbose=0)
    assert sums.shape == ones.shape == (40, 2)


def test_eagerly_python_in_the_model_sees_numbers():
    x, y = data(8)
    seen = []

    class Look(nn.Linear):
        def __call__(self, x):
            out = super().__call__(x)
            seen.append(bool(jnp.sum(out) > 0))
            return out

    eager, plain = compiled(Look(3, 1, key=KEY), run_eagerly=True), compiled(Look(3, 1, key=KEY))
    eager.fit(x, y, batch_size=4, verbose=0)
    assert len(seen) == 2
    eager.fit(x, y.astype(int), batch_size=4, verbose=0)
    assert len(seen) == 4
    with pytest.raises(jitgrad.errors.ConcretizationTypeError):
        plain.fit(x, y, batch_size=4, verbose=0)


# How it ends early


def interrupt_soon(seconds=0.3):
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


def test_ctrl_c_ends_an_epoch_after_a_whole_step():
    x, y = data()
    model, same = compiled(), compiled()
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0)
    same.set_state(model.get_state())
    many = np.tile(x, (100_000, 1)), np.tile(y, (100_000, 1))
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*many, batch_size=1, shuffle=False, verbose=0)
    steps = int(model.get_state()["step"]) - 40
    assert 0 < steps < 4_000_000
    rows = np.arange(steps) % 40
    same.fit(x[rows], y[rows], batch_size=1, shuffle=False, verbose=0)
    states_agree(model, same)


def test_a_loss_that_is_not_finite_leaves_the_model_before_its_step_and_says_where():
    x, y = data()
    bad = x.copy()
    bad[25, 1] = np.nan
    model, same = compiled(), compiled()
    with pytest.raises(InvalidValueError, match=r"epoch 1, at batch 4 of it.*x itself is not finite in 1 of its 40 .* example 25 "):
        model.fit(bad, y, batch_size=8, shuffle=False, verbose=0)
    same.fit(x[:24], y[:24], batch_size=8, shuffle=False, verbose=0)
    states_agree(model, same)
    with pytest.raises(InvalidValueError, match="Lower the learning rate"):
        compiled(optimizer=optim.sgd(1e20)).fit(x, y, epochs=5, verbose=0)
    with pytest.raises(InvalidValueError, match=r"at batch 4 of it"):
        model.fit(bad, y, batch_size=8, shuffle=False, callbacks=[Batches()], verbose=0)


def test_a_callback_that_fails_loses_no_step():
    x, y = data()

    class Broken(Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("no space left")

    model = compiled()
    with pytest.raises(RuntimeError, match="no space left"):
        model.fit(x, y, batch_size=8, callbacks=Broken(), verbose=0)
    assert int(model.get_state()["step"]) == 5


# Bad input


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"y": np.zeros((39, 1))}, ShapeError, "as many examples.* got 40 in x, 39 in y"),
        ({"x": np.zeros((0, 3)), "y": np.zeros((0, 1))}, ArgumentError, "there are no examples, x is empty"),
        ({"x": np.full((40, 3), "a")}, DTypeError, "x must be an array of numbers"),
        ({"x": np.float32(1.0)}, ShapeError, "must have an axis of examples"),
        ({"x": [[1.0, 2.0], [1.0]]}, ShapeError, "its rows differ in shape"),
        ({"x": np.zeros((40, 4))}, ShapeError, r"expected.*\[..., 3\]|must be \[..., 3\]|3"),
        ({"batch_size": 0}, ArgumentError, "batch_size must be an integer of 1 or more, got 0"),
        ({"epochs": 1.5}, ArgumentError, "epochs must be an integer"),
        ({"validation_split": 1.0}, ArgumentError, "validation_split must lie between 0 and 1"),
        ({"validation_split": 0.999}, ArgumentError, "leaves none for one of the two parts"),
        ({"validation_data": np.zeros((4, 3))}, ArgumentError, "validation_data"),
        ({"sample_weight": np.ones(39)}, ShapeError, "39 in sample_weight"),
        ({"sample_weight": np.ones((40, 1))}, ShapeError, "one number an example"),
        ({"class_weight": {0: 1.0}}, ArgumentError, "class_weight needs labels"),
        ({"callbacks": [print]}, ArgumentError, "callbacks are objects of train.callbacks.Callback"),
        ({"verbose": 3}, ArgumentError, "verbose is"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else None,
)
def test_bad_input_is_told(given, error, message):
    x, y = data()
    with pytest.raises(error, match=message):
        compiled().fit(**{"x": x, "y": y, "verbose": 0, **given})


def test_one_example_without_an_axis_of_examples_is_told():
    x, y = data()
    model = compiled()
    model.fit(x, y, verbose=0)
    for run in (lambda: model.predict(x[0], verbose=0), lambda: model.evaluate(list(x[0]), y[0], verbose=0)):
        with pytest.raises(ShapeError, match=r"x must have an axis of examples, its first, \[examples, 3\], got \[3\]"):
            run()


def test_lists_of_numbers_are_examples_of_one_number_as_arrays_are():
    model = train.Sequential([train.layers.Dense(1, input_shape=[1])])
    model.compile("sgd", "mse")
    model.fit([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], verbose=0)
    np.testing.assert_array_equal(model.predict([10.0, 4.0], verbose=0), model.predict(np.array([10.0, 4.0]), verbose=0))
    assert model.predict([10.0], verbose=0).shape == (1, 1)


def test_datasets_that_give_nothing_or_are_asked_too_much():
    x, y = data()
    with pytest.raises(ArgumentError, match="the dataset gave no batches in epoch 1"):
        compiled().fit(iter([]), verbose=0)
    with pytest.raises(ArgumentError, match="the dataset gave no batches in epoch 2"):
        compiled().fit(iter([(x, y)]), epochs=2, verbose=0)
    with pytest.raises(ArgumentError, match="the dataset gave no batches in epoch 1"):
        compiled().fit(iter([]), steps_per_epoch=3, verbose=0)
    with pytest.raises(ArgumentError, match="x is a dataset, whose batches say it all: leave y out"):
        compiled().fit(iter([]), y, verbose=0)
    with pytest.raises(ArgumentError, match="validation_split needs data in memory"):
        compiled().fit(iter([(x, y)]), validation_split=0.5, verbose=0)
    with pytest.raises(ShapeError, match="batch 1: .* 8 in x, 7 in y"):
        compiled().fit(iter([(x, y), (x[:8], y[:7])]), verbose=0)


def test_what_is_used_before_it_is_compiled_says_so():
    model = train.Model(nn.Linear(3, 1))
    with pytest.raises(ArgumentError, match=r"call compile\(optimizer=..., loss=...\) before"):
        model.fit(*data())
    with pytest.raises(ArgumentError, match="loss is missing"):
        model.compile("adam")
    with pytest.raises(ArgumentError, match="takes a module of jitgrad.nn, got list"):
        train.Model([nn.Linear(3, 1)])


@pytest.mark.parametrize("wrong", [3, -1])
def test_labels_out_of_range_are_told_before_training(wrong):
    x, y = classes()
    y[17] = wrong
    crossed = lambda targets, predictions: losses.cross_entropy(predictions, targets, reduction="none")
    batches = Repeated([(x[:16], y[:16]), (x[16:], y[16:])])
    for given in ((x, y), (x, jnp.asarray(y)), (batches,)):
        with pytest.raises(ArgumentError, match=rf"label.*{wrong}"):
            compiled(nn.Linear(3, 3, key=KEY), loss=crossed).fit(*given, verbose=0)
    model = compiled(nn.Linear(3, 3, key=KEY), loss=crossed)
    with pytest.raises(ArgumentError, match=rf"label.*{wrong}"):
        model.fit(x[:16], y[:16], validation_data=(x, y), verbose=0)


@pytest.mark.parametrize(("wrong", "told"), [(3, "0 to 2.*got 3"), (-1, "0 to 2.*got -1"), (0.5, "whole numbers.*got 0.5")])
def test_labels_that_came_as_floats_are_looked_at_as_well(wrong, told):
    x, y = classes()
    y = y.astype("float32")
    model = train.Sequential([nn.Linear(3, 3, key=KEY)])
    model.compile("sgd", train.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1 if wrong == 0.5 else None))
    model.fit(x, y, verbose=0)
    y[17] = wrong
    for run in (model.fit, model.evaluate, lambda x, y, verbose: model.train_on_batch(x, y)):
        with pytest.raises(ArgumentError, match=told):
            run(x, y, verbose=0)


@pytest.mark.parametrize("wrong", [3, -1])
def test_labels_out_of_range_are_told_in_evaluation_and_single_steps(wrong):
    x, y = classes()
    right = y.copy()
    y[17] = wrong
    crossed = lambda targets, predictions: losses.cross_entropy(predictions, targets, reduction="none")
    model = compiled(nn.Linear(3, 3, key=KEY), loss=crossed)
    model.fit(x, right, verbose=0)
    batches = Repeated([(x[:16], y[:16]), (x[16:], y[16:])])
    for run in (
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.evaluate(batches, verbose=0),
        lambda: model.fit(x, right, validation_data=batches, verbose=0),
        lambda: model.train_on_batch(x, y),
    ):
        with pytest.raises(ArgumentError, match=rf"label.*{wrong}"):
            run()


def test_weights_need_a_loss_for_each_example():
    with pytest.raises(ShapeError, match="must give one number an example"):
        compiled(loss=lambda y, p: jnp.mean((y - p) ** 2)).fit(*data(), sample_weight=np.ones(40), verbose=0)


def test_lines_and_bars(capsys):
    compiled().fit(*data(), epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("Epoch 2/2 - ") and "loss: " in lines[1]
    compiled().fit(*data(), epochs=2, verbose=1)
    assert "Epoch 2/2: 100%" in capsys.readouterr().err
    model = compiled()
    model.fit(*data(), verbose=0)
    model.predict(data()[0], verbose=0)
    assert capsys.readouterr() == ("", "")
    model.predict(data()[0], verbose=1)
    assert "predict: 100%" in capsys.readouterr().err
    assert model.predict(data()[0], batch_size=4, steps=3, verbose=0).shape == (12, 1)


def test_a_setting_that_would_be_ignored_is_refused():
    model = compiled(optimizer=train.optimizers.Adam(learning_rate=0.1))
    with pytest.raises(ArgumentError, match=r"model.learning_rate = "):
        train.optimizers.Adam(learning_rate=0.1).learning_rate = 0.5
    model.learning_rate = 0.5
    assert model.learning_rate == model.optimizer.learning_rate == 0.5
    model.optimizer.learning_rate = 0.25
    assert model.learning_rate == model.optimizer.learning_rate == 0.25
    scheduled = compiled(optimizer=train.optimizers.SGD(train.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)))
    with pytest.raises(ArgumentError, match="the optimizer has a schedule"):
        scheduled.learning_rate = 0.5
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'epoch'. Did you mean epochs=\?"):
        model.fit(*data(), epoch=3)
    with pytest.raises(ArgumentError, match=r"class Net\(nn.Module\)"):
        train.Model()


def test_a_summary_knows_the_inputs_so_far(capsys):
    model = train.Sequential([nn.Dense(4), nn.Dense(1)], key=KEY)
    model.compile("sgd", "mse")
    model.fit(*data(), verbose=0)
    model.summary()
    assert "layers[0]  Dense" in capsys.readouterr().out


def test_layers_find_their_sizes_in_the_first_batch_or_in_input_shape():
    first = train.Sequential([nn.Dense(4), nn.Dense(1)], key=KEY)
    assert not first.built
    first.compile("sgd", "mse")
    first.fit(*data(), verbose=0)
    second = train.Sequential([nn.Dense(4), nn.Dense(1)], input_shape=(3,), key=KEY)
    assert second.built
    second.compile("sgd", "mse")
    second.fit(*data(), verbose=0)
    states_agree(first, second)


def test_keras_code_that_says_its_input_shape_builds_at_once_or_when_its_layers_are_there():
    layers = train.layers
    whole = train.Sequential(
        [layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5), layers.Dense(5)], key=KEY
    )
    assert whole.built and [w.shape for w in whole.get_weights()] == [(3, 3, 1, 4), (4,), (144, 5), (5,), (5, 5), (5,)]
    grown = train.Sequential(key=KEY)
    for layer in (layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5), layers.Dense(5)):
        grown.add(layer)
    assert [w.shape for w in grown.get_weights()] == [w.shape for w in whole.get_weights()]
    assert abs(grown.get_weights()[4] - grown.get_weights()[2][:5]).max() > 0.1  # no two layers draw from one key
    words = train.Sequential([layers.Embedding(10, 4, input_shape=(6,)), layers.LSTM(3), layers.Dense(1)])
    assert words.built and words.count_params() == 40 + 4 * 3 * (4 + 3 + 1) + 4
    with pytest.raises(ShapeError, match=r"layers\[0\] \(Conv2D\): the input must be"):
        train.Sequential([layers.Input((5,)), layers.Conv2D(3, 3)])


def test_regularizers_of_layers_are_part_of_the_loss():
    dense = train.layers.Dense(4, kernel_regularizer="l2", input_shape=(3,))
    model = train.Sequential([dense, train.layers.Dense(1)], key=KEY)
    model.compile("sgd", "mse")
    weight = model.get_weights()[0]
    assert model.evaluate(np.zeros((4, 3)), np.zeros((4, 1)), verbose=0) == pytest.approx(0.01 * np.sum(weight**2), rel=1e-6)
    model.fit(np.zeros((4, 3)), np.zeros((4, 1)), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], weight * (1 - 0.01 * 2 * 0.01), rtol=1e-6)


def test_weights_go_with_a_loss_that_is_a_sum_and_with_one_that_is_a_mean_by_weights():
    x, y = data()
    weight = np.linspace(0, 2, len(x), dtype=np.float32)
    squares = ((compiled().predict(x, verbose=0) - y) ** 2).mean(-1)
    for reduction, expected in (
        ("sum", (squares * weight).sum()),
        ("mean_with_sample_weight", np.average(squares, weights=weight)),
        ("sum_over_batch_size", (squares * weight).mean()),
    ):
        model = compiled(loss=train.losses.MeanSquaredError(reduction=reduction))
        np.testing.assert_allclose(model.evaluate(x, y, len(x), 0, weight), expected, rtol=1e-5)


def test_what_changes_parameters_after_training_has_begun_asks_for_compile():
    model = train.Sequential([train.Input((3,)), train.layers.Dense(2), train.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(*data(), verbose=0)
    model.layers[0].trainable = False
    for train_more in (lambda: model.fit(*data(), verbose=0), lambda: model.train_on_batch(*data())):
        with pytest.raises(ArgumentError, match="call compile again"):
            train_more()
    model.compile("adam", "mse")
    kept = model.layers[0].get_weights()
    model.fit(*data(), verbose=0)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kept[0])
    assert len(model.weights) == 4 and [w.shape for w in model.trainable_weights] == [(2, 1), (1,)]


def test_a_model_is_built_by_a_dataset_before_callbacks_are_called():
    x, y = data()
    seen = []

    class Look(Callback):
        def on_train_begin(self, logs=None):
            seen.append((len(self.model.get_weights()), self.model.learning_rate))

    for batches in (1, 2):
        model = train.Sequential([train.layers.Dense(1)])
        model.compile(train.optimizers.SGD(0.5), "mse")
        model.fit(iter([(x, y)] * batches), callbacks=[Look()], verbose=0)
    assert seen == [(2, 0.5)] * 2 and int(model.get_state()["step"]) == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"class_weight": [1, 2]}, "class_weight is a dict of weights by label"),
        ({"class_weight": {"0": 1.0}}, "with integers for labels"),
        ({"shuffle": "batch"}, "shuffle must be True or False"),
    ],
)
def test_arguments_of_another_kind_are_refused(options, text):
    with pytest.raises(ArgumentError, match=text):
        compiled().fit(*data(), verbose=0, **options)


def test_a_metric_that_is_there_with_weights_and_without_has_two_names():
    model = compiled(metrics=["mae", "mse"], weighted_metrics=["mae", "cosine_similarity"])
    x, y = data()
    logs = model.evaluate(x, y, sample_weight=np.ones(len(x)), return_dict=True, verbose=0)
    assert list(logs) == ["loss", "mae", "mse", "weighted_mae", "cosine_similarity"]
