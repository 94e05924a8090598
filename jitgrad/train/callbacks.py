"""What `fit` calls while it runs: `Callback` by Keras' interface, and those that people use.

A callback changes the training by its model: `self.model.stop_training = True`, `self.model.learning_rate = 1e-4`. With data in
memory an epoch is one native call as long as no callback has a method for batches; then it is one call a batch.
"""

from __future__ import annotations

import csv
import importlib
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jitgrad import io, tree
from jitgrad.errors import ArgumentError
from jitgrad.publishing import public as _public
from jitgrad.ranges import Amount, Count, NotNegative, Real, Steps

from .metrics.metric import Metric, snake
from .objective import OfOutput

Logs = Mapping[str, Any]


class Callback:
    """The base of callbacks: what is called does nothing unless a subclass says otherwise.

    `self.model` is the Model that is being trained, `self.params` the arguments epochs, steps and verbose of its fit. logs: losses
    and metrics by name.
    """

    model: Any
    params: dict[str, Any]
    initial_epoch: int = 0
    """After on_train_begin: the epoch to begin with, where it is a later one than that of `fit`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for when in ("begin", "end"):  # Keras' short names
            if f"on_batch_{when}" in vars(cls) and f"on_train_batch_{when}" not in vars(cls):
                setattr(cls, f"on_train_batch_{when}", vars(cls)[f"on_batch_{when}"])

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Any = None) -> None:
        """After the last one; not where an error ends the training."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """After an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a step."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a step; logs are those of the epoch so far."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Before an evaluation."""

    def on_test_end(self, logs: Any = None) -> None:
        """After an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Before `predict`."""

    def on_predict_end(self, logs: Any = None) -> None:
        """After it."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of `predict`; logs["outputs"] are its results."""


class LambdaCallback(Callback):
    """A callback of functions, given by the names of the methods: `LambdaCallback(on_epoch_end=lambda epoch, logs:
    print(epoch))`."""

    def __new__(cls, **functions: Callable[..., Any] | None) -> Any:
        known = {n for n in vars(Callback) if n.startswith("on_")}
        if unknown := functions.keys() - known:
            raise ArgumentError(
                f"train.callbacks.LambdaCallback: there is no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            )
        methods = {n: staticmethod(f) for n, f in functions.items() if f is not None}
        return object.__new__(type(cls.__name__, (cls,), methods))  # a class of its own: fit looks for its methods there

    def __init__(self, **functions: Callable[..., Any] | None) -> None: ...


class History(Callback):
    """What `fit` gives: `epoch`, the numbers of the epochs, and `history`, lists of the losses and metrics by name, an item an
    epoch."""

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def plot(self, path: Any = None) -> Any:
        """Curves of the losses and metrics by epoch, those of validation dashed, as a matplotlib figure; written to `path` if
        given.

        Raises ArgumentError where matplotlib is not installed.
        """
        try:
            figures = importlib.import_module("matplotlib.figure")
        except ImportError:
            raise ArgumentError("History.plot: draws by matplotlib. Install it with pip install 'jitgrad[train]'.") from None
        names = [n for n, values in self.history.items() if not n.startswith("val_") and not np.ndim(values[0])]
        figure = figures.Figure(figsize=(4.5 * max(len(names), 1), 3.5), layout="constrained")
        for axes, name in zip(np.atleast_1d(figure.subplots(1, max(len(names), 1))), names, strict=False):
            for key, style, label in ((name, "-", "training"), (f"val_{name}", "--", "validation")):
                if key in self.history:
                    values = self.history[key]
                    axes.plot(self.epoch[-len(values) :], values, style, label=label)
            axes.set(title=name, xlabel="epoch")
            axes.legend()
        if path is not None:
            figure.savefig(path)
        return figure


class TerminateOnNaN(Callback):
    """End the training where the loss is not finite, instead of raising; the model is as it was before that step."""


class _Monitor(Callback):
    """Compares a log by name. mode: "min", "max", or "auto", which is "min" for losses and errors and "max" for accuracies and the
    like, whatever their names in logs; ArgumentError for a metric that may be either.
    """

    GREATER = ("acc", "auc", "precision", "recall", "f1", "f_beta", "r2", "io_u", "iou", "cosine_similarity")
    LESS = (
        "loss", "error", "hinge", "crossentropy", "poisson", "divergence", "log_cosh", "perplexity", "false_positives",
        "false_negatives",
    )  # fmt: skip

    def __init__(self, monitor: str, mode: str, min_delta: Real = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ArgumentError(f'{self._name}: mode is "auto", "min" or "max", got {mode!r}')
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.best: float | None = None

    @property
    def _name(self) -> str:
        return f"train.callbacks.{type(self).__name__}"

    def value(self, logs: Logs) -> float:
        """The log of the present epoch."""
        if self.monitor not in logs:
            raise ArgumentError(
                f"{self._name}: there is no {self.monitor!r} to look at; there are {', '.join(logs) or 'none'}"
                f"{'. Give fit validation data.' if self.monitor.startswith('val_') else ''}"
            )
        return float(logs[self.monitor])

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value is better by more than min_delta; it is where there is none so far."""
        if self.mode == "auto":
            self.mode = self._direction()
        if than is None:
            return True
        return value > than + self.min_delta if self.mode == "max" else value < than - self.min_delta

    def _direction(self) -> str:
        """What "auto" is for the metric of this name."""
        name = self.monitor.removeprefix("val_")
        metric = self.model.metrics_by_name.get(name)
        if isinstance(metric, OfOutput):
            metric = metric.metric
        if metric is None and name.endswith("_loss"):  # an output's, which may be called what accuracies are
            return "min"
        kind = name if metric is None else metric.kind if isinstance(metric, Metric) else snake(type(metric).__name__)
        for mode, words in (("max", self.GREATER), ("min", self.LESS)):
            if any(word in kind for word in words):
                return mode
        raise ArgumentError(f"{self._name}: say whether {self.monitor!r} is to be large or small, mode='max' or mode='min'")


class EarlyStopping(_Monitor):
    """End the training when a log has not become better for `patience` epochs, by more than min_delta.

    baseline: what it must be better than within `patience` epochs. restore_best_weights: give the model back the parameters of the
    best epoch. start_from_epoch: the first epoch that is looked at. `stopped_epoch` is the epoch where it ended the training, or 0.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: Real = 0,
        patience: NotNegative = 0,
        verbose: bool | Count = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: Count = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self._module: Any = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch < self.start_from_epoch:
            return
        value = self.value(logs)
        self.wait += 1
        if self.better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self._module = self.model.module
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
                return
        if self.wait >= self.patience and epoch > self.start_from_epoch:
            self.stopped_epoch, self.model.stop_training = epoch, True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self._module is not None:
            self.model.module = self._module
            if self.verbose:
                print(f"Weights of epoch {self.best_epoch + 1}, the best one, are restored")


class ModelCheckpoint(_Monitor):
    """Write the model to a file after each epoch, or with save_best_only after those in which a log became better.

    filepath: may hold the epoch's number, from 1, and logs, as "run-{epoch:02d}-{val_loss:.2f}.safetensors". save_weights_only: the
    module alone, otherwise all that `Model.load` needs to go on.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: bool | Count = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch":
            raise ArgumentError(
                f"{self._name}: save_freq must be 'epoch', got {save_freq!r}. Write a Callback with on_train_batch_end."
            )
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.best = initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_best_only:
            value = self.value(logs)
            if not self.better(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except (KeyError, ValueError) as error:
            raise ArgumentError(
                f"{self._name}: filepath {self.filepath!r} can't be made of epoch and {', '.join(logs)} ({error})"
            ) from None
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: the model is saved to {path}")


class BackupAndRestore(Callback):
    """Save all of the training after each epoch, to a file in a folder, and go on from it where a training was cut off: the same
    `fit` again begins with the epoch behind. The file is removed when the training has ended, but with delete_checkpoint=False.
    """

    def __init__(self, backup_dir: str | os.PathLike[str], save_freq: str = "epoch", delete_checkpoint: bool = True) -> None:
        if save_freq != "epoch":
            raise ArgumentError(f"train.callbacks.BackupAndRestore: save_freq must be 'epoch', got {save_freq!r}")
        self.path, self.delete_checkpoint = os.path.join(os.fspath(backup_dir), "backup.safetensors"), delete_checkpoint

    def on_train_begin(self, logs: Any = None) -> None:
        self.initial_epoch = 0
        if os.path.exists(self.path):
            if not self.model.built:
                raise ArgumentError("train.callbacks.BackupAndRestore: build the model before fit, model.build((None, 28, 28, 1))")
            self.model.set_state(io.load(self.path, like=self.model.get_state()))
            self.initial_epoch = io.metadata(self.path)["epoch"] + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        io.save(self.path, self.model.get_state(), metadata={"epoch": epoch})

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint and os.path.exists(self.path):
            os.remove(self.path)


class CSVLogger(Callback):
    """Write a line of epoch and logs to a CSV file after each epoch. append: go on behind what the file has."""

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if len(separator) != 1:
            raise ArgumentError(f"train.callbacks.CSVLogger: separator must be one character, got {separator!r}")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._names: list[str] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self._names = []
        if self.append and os.path.exists(self.filename):
            with open(self.filename, newline="", encoding="utf-8") as file:
                self._names = next(csv.reader(file, delimiter=self.separator), [])
        else:
            open(self.filename, "w", encoding="utf-8").close()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {"epoch": epoch, **{n: x.tolist() if isinstance(x, np.ndarray) else x for n, x in logs.items()}}
        with open(self.filename, "a", newline="", encoding="utf-8") as file:
            if not self._names:
                self._names = list(row)
                csv.writer(file, delimiter=self.separator).writerow(self._names)
            csv.DictWriter(file, self._names, restval="", extrasaction="ignore", delimiter=self.separator).writerow(row)


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch: schedule(epoch, learning rate so far) -> learning rate, or schedule(epoch)."""

    def __init__(self, schedule: Callable[..., float], verbose: bool | Count = 0) -> None:
        if not callable(schedule):
            raise ArgumentError(f"train.callbacks.LearningRateScheduler: schedule must be a function, got {schedule!r}")
        self.schedule, self.verbose = schedule, verbose
        try:
            inspect.signature(schedule).bind(0, 0.0)
            self._takes_rate = True
        except (TypeError, ValueError):
            self._takes_rate = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        given = (epoch, self.model.learning_rate) if self._takes_rate else (epoch,)
        self.model.learning_rate = rate = float(self.schedule(*given))
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["learning_rate"] = self.model.learning_rate


class ReduceLROnPlateau(_Monitor):
    """Multiply the learning rate by `factor`, down to min_lr, when a log has not become better for `patience` epochs; then wait for
    `cooldown` epochs.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: Steps = 0.1,
        patience: NotNegative = 10,
        verbose: bool | Count = 0,
        mode: str = "auto",
        min_delta: Real = 1e-4,
        cooldown: Count = 0,
        min_lr: Amount = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not factor < 1:
            raise ArgumentError(f"{self._name}: factor must be less than 1, got {factor!r}")
        self.factor, self.patience, self.verbose, self.cooldown, self.min_lr = factor, patience, verbose, cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.cooling = 0
        self.best = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value, rate = self.value(logs), self.model.learning_rate
        logs["learning_rate"] = rate
        if self.cooling:
            self.cooling, self.wait = self.cooling - 1, 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                self.model.learning_rate = reduced = max(rate * self.factor, self.min_lr)
                self.cooling, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate {reduced:g}")


class TensorBoard(Callback):
    """Write losses and metrics to a folder that TensorBoard reads, by the writer of tensorboardX or of PyTorch.

    histogram_freq: write histograms of all arrays of the model every so many epochs; 0 for none. Other arguments of Keras' are
    taken, and there is no graph, and no images and profile to write. Raises ArgumentError where neither writer is installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        self.log_dir, self.histogram_freq = os.fspath(log_dir), histogram_freq
        self._writer = _writer()

    def on_train_begin(self, logs: Any = None) -> None:
        self._open = {name: self._writer(os.path.join(self.log_dir, name)) for name in ("train", "validation")}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in logs.items():
            if isinstance(value, float):
                part = "validation" if name.startswith("val_") else "train"
                self._open[part].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for keys, leaf in tree.leaves_with_path(self.model.module):
                self._open["train"].add_histogram("".join(map(str, keys)).lstrip("."), np.asarray(leaf), epoch)
        for writer in self._open.values():
            writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        for writer in self._open.values():
            writer.close()


def _writer() -> Any:
    for name in ("tensorboardX", "torch.utils.tensorboard"):
        try:
            return importlib.import_module(name).SummaryWriter
        except ImportError:
            pass
    raise ArgumentError("train.callbacks.TensorBoard: needs a writer: pip install tensorboardX")


__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
