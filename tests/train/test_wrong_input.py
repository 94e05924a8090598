"""What fit, evaluate, predict and compile refuse, and how: the errors name what the user called, what was wrong, and the fix."""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad import optim, train
from jitgrad.errors import ArgumentError, JitgradError, NotAnArrayError, ShapeError
from jitgrad.train.layers import Dense

X = np.random.default_rng(0).normal(size=(12, 4)).astype("f4")
Y = X.sum(1, keepdims=True)
LABELS = np.arange(12) % 3


def made(outputs=1, loss="mse", **options):
    model = train.Sequential([Dense(3), Dense(outputs)])
    model.compile(optimizer="sgd", loss=loss, **options)
    return model


def fit(model=None, x=X, y=Y, **options):
    return (model or made()).fit(x, y, epochs=1, verbose=0, **options)


CALLS = {
    "targets of another shape": (
        lambda: fit(y=np.ones((12, 2))), "fit: train.losses.mean_squared_error: targets and predictions must have one shape",
    ),
    "no targets": (lambda: fit(y=None), r"fit: train.losses: MeanSquaredError\(\) needs targets"),
    "a loss that gives no number": (lambda: fit(made(loss=lambda y, p: "a")), "fit: asarray needs an array or a number"),
    "batches that differ": (
        lambda: made().fit(iter([(X, Y), (X[:, :2], Y)]), verbose=0), r"fit: Sequential.layers\[0\] .*must be \[..., 4\]",
    ),
    "a name of no loss": (lambda: made(loss="msee"), "compile: train.losses: there is no loss 'msee'. Did you mean"),
    "a name of no metric": (lambda: made(metrics=["acc1"]), "compile: train.metrics: there is no metric 'acc1'"),
    "validation data of another width": (
        lambda: fit(validation_data=(X[:, :2], Y)), r"fit: Sequential.layers\[0\] .*must be \[..., 4\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CALLS)
def test_an_error_inside_names_the_method_that_was_called_and_no_loop_that_runs_it(what):
    call, message = CALLS[what]
    with pytest.raises((ShapeError, ArgumentError, NotAnArrayError), match=rf"^{message}") as caught:
        call()
    assert "while_loop" not in str(caught.value)


def test_predictions_name_predict_and_no_map():
    model = made()
    fit(model)
    with pytest.raises(ShapeError, match=r"^predict: Sequential.layers\[0\] \(Dense\): the input must be \[..., 4\]"):
        model.predict(X[:, :3], verbose=0)


def test_one_number_an_example_needs_an_axis_of_features():
    with pytest.raises(ShapeError, match=r"of one number an example, x\[:, None\]"):
        fit(x=X[:, 0])


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_weights_of_examples_are_finite_and_not_negative(wrong):
    weights = np.ones(12, "f4")
    weights[[5, 7]] = wrong
    message = f"sample_weight must be finite and not negative, got {wrong} for example 5 and 1 others"
    model = made()
    with pytest.raises(ArgumentError, match=f"train.Sequential.fit: {message}"):
        fit(model, sample_weight=weights)
    with pytest.raises(ArgumentError, match=f"train.Sequential.fit, batch 0: {message}"):
        model.fit(iter([(X, Y, weights)]), verbose=0)
    with pytest.raises(ArgumentError, match=f"train.Sequential.fit, validation_data: {message}"):
        fit(model, validation_data=(X, Y, weights))
    with pytest.raises(ArgumentError, match=f"train.Sequential.evaluate: {message}"):
        model.evaluate(X, Y, sample_weight=weights, verbose=0)
    with pytest.raises(ArgumentError, match=message):
        model.train_on_batch(X, Y, sample_weight=weights)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf, "a", None, [1, 2]])
def test_weights_of_classes_are_finite_and_not_negative(wrong):
    with pytest.raises(ArgumentError, match=r"fit: class_weight\[1\] must be a finite number that is not negative"):
        fit(made(3, "sparse_categorical_crossentropy"), y=LABELS, class_weight={0: 1.0, 1: wrong})


def test_weights_of_zero_leave_examples_out():
    kept = np.where(np.arange(12) < 6, 1.0, 0.0)
    assert np.isfinite(fit(sample_weight=kept).history["loss"][0])
    assert np.isfinite(fit(made(3, "sparse_categorical_crossentropy"), y=LABELS, class_weight={0: 0, 1: 1}).history["loss"][0])


@pytest.mark.parametrize("rate", [-0.1, np.nan, np.inf, np.float32(-1)])
@pytest.mark.parametrize("make", [train.optimizers.SGD, train.optimizers.Adam, optim.sgd, optim.adam, optim.lion])
def test_a_learning_rate_is_finite_and_not_negative(make, rate):
    with pytest.raises(ArgumentError, match=f"{make.__name__}.*the learning rate must be finite and not negative, got"):
        make(rate)


def test_a_learning_rate_of_zero_and_a_schedule_are_taken():
    optim.sgd(0.0), optim.adam(optim.constant_schedule(0.1)), train.optimizers.SGD(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(momentum=-1), "momentum must lie between 0 and 1, got -1"),
        (dict(momentum=float("nan")), "momentum must lie between 0 and 1, got nan"),
        (dict(clipnorm=-1.0), "clipnorm must be more than 0, got -1.0"),
        (dict(clipvalue=0), "clipvalue must be more than 0, got 0"),
    ],
)
def test_options_of_optimizers_lie_in_their_ranges(options, message):
    with pytest.raises(ArgumentError, match=f"train.optimizers.SGD: {message}"):
        train.optimizers.SGD(**options)


@pytest.mark.parametrize("given", ["a", 2, 1.5, float("nan"), [0.1]])
def test_a_share_for_validation_is_a_number_between_0_and_1(given):
    with pytest.raises(ArgumentError, match="train.Sequential.fit: validation_split must lie between 0 and 1"):
        fit(validation_split=given)


@pytest.mark.parametrize("given", [X, "a", {"x": X}])
def test_validation_data_is_a_pair_or_a_dataset(given):
    with pytest.raises(JitgradError, match=r"fit: validation_data is \(x, y\), \(x, y, weights\) or a dataset, got"):
        fit(validation_data=given)


@pytest.mark.parametrize(
    ("name", "argument", "junk", "takes"),
    [
        ("SGD", "learning_rate", b"x", "a number or a function"),
        ("SGD", "learning_rate", [[1, 2], [3]], "a number or a function"),
        ("SGD", "momentum", None, "a number from 0 to 1"),
        ("SGD", "nesterov", "no", "True or False"),
        ("Adam", "beta_1", "x", "a number from 0 to 1"),
        ("Adam", "epsilon", float("nan"), "a finite number of 0 or more"),
        ("AdamW", "weight_decay", -1.0, "a finite number of 0 or more or None"),
        ("RMSprop", "clipnorm", "x", "a finite number of 0 or more or None"),
        ("Adagrad", "initial_accumulator_value", [1], "a finite number of 0 or more"),
        ("Lion", "name", 3, "a string or None"),
    ],
)
def test_options_of_optimizers_are_checked_when_they_are_made(name, argument, junk, takes):
    with pytest.raises(ArgumentError, match=f"train.optimizers.{name}: {argument} must be {takes}, got "):
        train.optimizers.OPTIMIZERS[name](**{argument: junk})


@pytest.mark.parametrize(
    ("argument", "junk"),
    [
        ("callbacks", object()),
        ("callbacks", np.ones(2)),
        ("validation_data", object()),
        ("validation_data", 3),
        ("validation_steps", "x"),
        ("validation_steps", 0),
        ("validation_batch_size", "x"),
        ("validation_split", np.ones(2)),
        ("validation_split", "x"),
    ],
)
def test_what_fit_has_no_use_for_yet_is_checked_too(argument, junk):
    model = train.Sequential([Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ArgumentError, match=f"fit: .*{argument[:9]}"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, **{argument: junk})
