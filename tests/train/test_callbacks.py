"""Callbacks are called when Keras calls them, and do to the model what they say."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import io, nn, optim, train
from jitgrad.errors import ArgumentError
from jitgrad.train import callbacks as cb

KEY = jitgrad.random.key(0)


def model_of(rate=0.05):
    model = train.Model(nn.Linear(2, 1, key=KEY), key=KEY)
    model.compile(optim.inject_hyperparams(optim.sgd)(rate), lambda y, p: jnp.mean((y - p) ** 2, axis=-1))
    return model


def data(count=16):
    x = np.random.default_rng(0).normal(size=(count, 2)).astype(np.float32)
    return x, x @ np.float32([[1.0], [2.0]])


def fit(model, *callbacks, **options):
    return model.fit(*data(), **{"verbose": 0, "batch_size": 8, "callbacks": list(callbacks), **options})


class Scripted(cb.Callback):
    """Puts the values of a log that are wanted, epoch by epoch, before the callbacks behind it."""

    def __init__(self, name, values):
        self.name, self.values = name, values

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def test_everything_is_called_in_keras_order():
    seen = []

    class All(cb.Callback):
        pass

    for name in [n for n in vars(cb.Callback) if n.startswith("on_")]:
        setattr(All, name, lambda self, *args, name=name: seen.append((name.removeprefix("on_"), *args[:-1])))
    fit(model_of(), All(), epochs=2, validation_data=data(8))
    epoch = lambda n: [
        ("epoch_begin", n),
        *[(f"train_batch_{when}", batch) for batch in (0, 1) for when in ("begin", "end")],
        ("test_begin",), ("test_batch_begin", 0), ("test_batch_end", 0), ("test_end",),
        ("epoch_end", n),
    ]  # fmt: skip
    assert seen == [("train_begin",), *epoch(0), *epoch(1), ("train_end",)]


def test_a_lambda_callback_is_one_of_functions():
    seen = []
    fit(model_of(), cb.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"]))), epochs=2)
    assert [epoch for epoch, _ in seen] == [0, 1] and seen[1][1] < seen[0][1]
    with pytest.raises(ArgumentError, match="there is no on_epoch; there are "):
        cb.LambdaCallback(on_epoch=print)


def test_early_stopping_waits_and_restores_the_best():
    model, kept = model_of(), []
    stop = cb.EarlyStopping("score", patience=2, mode="max", restore_best_weights=True)
    keep = cb.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.module.weight))
    history = fit(model, Scripted("score", [1.0, 3.0, 2.0, 2.5, 9.0]), stop, keep, epochs=5)
    assert history.epoch == [0, 1, 2, 3] and stop.stopped_epoch == 3 and stop.best_epoch == 1
    assert (model.module.weight == kept[1]).all() and (kept[3] != kept[1]).any()


def test_early_stopping_without_patience_goes_on_while_there_is_progress():
    stop = cb.EarlyStopping("loss2")
    history = fit(model_of(), Scripted("loss2", [4.0, 3.0, 2.0, 2.5, 1.0]), stop, epochs=5)
    assert history.epoch == [0, 1, 2, 3] and stop.best == 2.0
    late = fit(model_of(), Scripted("loss2", [1.0, 2.0, 3.0, 2.5, 4.0]), cb.EarlyStopping("loss2", start_from_epoch=2), epochs=5)
    assert late.epoch == [0, 1, 2, 3, 4]
    unmet = cb.EarlyStopping("loss2", patience=2, baseline=0.5)
    assert fit(model_of(), Scripted("loss2", [4.0, 3.0, 2.0, 1.0, 0.9]), unmet, epochs=5).epoch == [0, 1]


def test_min_delta_and_the_direction_that_a_name_has():
    def found(monitor, *metrics):
        model = train.Model(nn.Linear(1, 1))
        model.compile("sgd", "mse", metrics=metrics)
        callback = cb.EarlyStopping(monitor)
        callback.set_model(model)
        callback.better(1.0, None)
        return callback.mode

    assert found("val_accuracy") == "max" and found("val_loss") == "min"
    assert found("val_prc", train.metrics.AUC(curve="PR", name="prc")) == "max"
    assert found("off", train.metrics.MeanAbsoluteError(name="off")) == "min"
    assert found("val_auc", train.metrics.BinaryCrossentropy(name="auc")) == "min"
    with pytest.raises(ArgumentError, match="say whether 'val_score' is to be large or small, mode='max' or mode='min'"):
        found("val_score", lambda t, x: x[:, 0])
    history = fit(model_of(), Scripted("loss2", [1.0, 0.95, 0.9]), cb.EarlyStopping("loss2", min_delta=0.2, patience=1), epochs=3)
    assert history.epoch == [0, 1]
    with pytest.raises(ArgumentError, match="there is no 'val_loss' to look at; there are loss. Give fit validation data"):
        fit(model_of(), cb.EarlyStopping())
    with pytest.raises(ArgumentError, match='mode is "auto", "min" or "max"'):
        cb.EarlyStopping(mode="least")


def test_checkpoints_are_written_where_a_log_became_better(tmp_path):
    model = model_of()
    best = cb.ModelCheckpoint(tmp_path / "{epoch:02d}-{score:.1f}.safetensors", "score", save_best_only=True, mode="max")
    fit(model, Scripted("score", [1.0, 0.5, 2.0]), best, epochs=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["01-1.0.safetensors", "03-2.0.safetensors"]
    again = model_of()
    again.load(tmp_path / "03-2.0.safetensors")
    assert (again.module.weight == model.module.weight).all() and int(again.get_state()["step"]) == 6
    fit(model, cb.ModelCheckpoint(tmp_path / "weights.safetensors", save_weights_only=True))
    assert (io.load(tmp_path / "weights.safetensors", like=model.module).weight == model.module.weight).all()
    with pytest.raises(ArgumentError, match="can't be made of epoch and loss"):
        fit(model, cb.ModelCheckpoint(tmp_path / "{val_loss}"))


def test_a_csv_file_has_a_line_an_epoch_and_goes_on(tmp_path):
    path, model = tmp_path / "log.csv", model_of()
    first = fit(model, cb.CSVLogger(path), epochs=2).history["loss"]
    second = fit(model, cb.CSVLogger(path, append=True), epochs=3, initial_epoch=2).history["loss"]
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [int(r["epoch"]) for r in rows] == [0, 1, 2] and [float(r["loss"]) for r in rows] == [*first, *second]


def test_a_learning_rate_schedule_by_epoch():
    model = model_of(0.1)
    history = fit(model, cb.LearningRateScheduler(lambda epoch, rate: rate / 2), epochs=3)
    np.testing.assert_allclose(history.history["learning_rate"], [0.05, 0.025, 0.0125], rtol=1e-6)
    before = model.module.weight
    model.learning_rate = 0
    fit(model)
    assert (model.module.weight == before).all()


def test_a_training_that_was_cut_off_goes_on(tmp_path):
    class Cut(cb.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole = model_of()
    fit(whole, epochs=4)
    cut = model_of()
    with pytest.raises(KeyboardInterrupt):
        fit(cut, cb.BackupAndRestore(tmp_path / "backup"), Cut(), epochs=4)
    again = model_of()
    history = fit(again, cb.BackupAndRestore(tmp_path / "backup"), epochs=4)
    assert history.epoch == [2, 3] and not any((tmp_path / "backup").iterdir())
    assert (again.module.weight == whole.module.weight).all()


def test_a_schedule_may_take_the_epoch_alone():
    history = fit(model_of(0.1), cb.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), epochs=2)
    np.testing.assert_allclose(history.history["learning_rate"], [0.1, 0.05], rtol=1e-6)


def test_batches_may_be_seen_by_keras_short_names():
    class Seen(cb.Callback):
        batches = 0

        def on_batch_end(self, batch, logs=None):
            self.batches += 1

    seen = Seen()
    fit(model_of(), seen, epochs=2)
    assert seen.batches == 4


def test_tensorboard_writes_scalars_and_histograms(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder):
            self.folder = folder

        def add_scalar(self, name, value, step):
            written.append((name, step))

        def add_histogram(self, name, values, step):
            written.append((name, values.shape))

        def flush(self):
            pass

        def close(self):
            written.append("closed")

    monkeypatch.setattr(cb, "_writer", lambda: Writer)
    fit(model_of(), cb.TensorBoard(tmp_path, histogram_freq=1))
    assert ("epoch_loss", 0) in written
    assert ("weight", (2, 1)) in written
    assert written[-1] == "closed"


def test_the_learning_rate_is_reduced_on_a_plateau():
    reduce = cb.ReduceLROnPlateau("score", mode="min", factor=0.1, patience=2, min_lr=1e-4)
    history = fit(model_of(0.01), Scripted("score", [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), reduce, epochs=7)
    np.testing.assert_allclose(history.history["learning_rate"], [1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4], rtol=1e-5)


def test_a_learning_rate_that_nobody_can_set():
    model = train.Model(nn.Linear(2, 1, key=KEY), key=KEY)
    model.compile(optim.sgd(0.1), "mse")
    with pytest.raises(ArgumentError, match=r"does not keep it in its state.*optim.inject_hyperparams"):
        model.learning_rate = 0.1


@pytest.mark.parametrize(
    "others", [(), (cb.LambdaCallback(on_train_batch_end=lambda batch, logs: None),)], ids=["whole", "by batches"]
)
def test_a_training_ends_quietly_on_nan_where_that_is_wanted(others):
    model = model_of(1e30)
    history = fit(model, cb.TerminateOnNaN(), *others, epochs=5)
    assert len(history.epoch) < 5 and np.isnan(history.history["loss"][-1]) and np.isfinite(model.module.weight).all()


def test_a_history_is_drawn(tmp_path):
    history = fit(model_of(), epochs=3, validation_split=0.25)
    history.plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 1000


def test_callbacks_see_predictions():
    seen = []
    whole = cb.LambdaCallback(on_predict_begin=lambda logs: seen.append("begin"), on_predict_end=lambda logs: seen.append("end"))
    each = cb.LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append((batch, logs["outputs"].shape)))
    model, x = model_of(), np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)
    expected = model.predict(x, 2, verbose=0, callbacks=whole)
    assert seen == ["begin", "end"]
    np.testing.assert_allclose(model.predict(x, 2, verbose=0, callbacks=[whole, each]), expected, rtol=1e-6)
    assert seen[2:] == ["begin", (0, (2, 1)), (1, (2, 1)), (2, (1, 1)), "end"]
