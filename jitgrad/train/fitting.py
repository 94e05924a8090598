"""The epochs of `Model.fit`: what its arguments mean, when callbacks are called, and which of the two loops runs: that of
epochs.py, one native call an epoch, or one call a batch, for datasets and for callbacks that want to see each batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import random, tree
from jitgrad.devices import CPU
from jitgrad.errors import ArgumentError, InvalidValueError, shown
from jitgrad.tracing import eval_shape

from .arrays import batches_of, class_weights, is_dataset, some_batches, split_last
from .arrivals import Arriving, device_of
from .bars import Bar, verbosity
from .callbacks import Callback, History, TerminateOnNaN
from .learner import numbers
from .steps import Batch, called, rows_of

BATCH_SIZE = 32


class Source(NamedTuple):
    """Data to train with or to test: `data` in memory, in batches of `size`, or a dataset."""

    data: Batch | None
    dataset: Iterable[Any]
    size: int

    @property
    def batches(self) -> int | None:
        """How many batches there are, where somebody knows."""
        if self.data is not None:
            return -(-rows_of(self.data) // self.size)
        return len(self.dataset) if isinstance(self.dataset, Sized) else None


@dataclass(frozen=True)
class Plan:
    """The arguments of `Model.fit`."""

    x: Any
    y: Any
    batch_size: int | None
    epochs: int
    verbose: int | str
    callbacks: Any
    validation_split: float
    validation_data: Any
    shuffle: bool
    class_weight: Mapping[int, float] | None
    sample_weight: Any
    initial_epoch: int
    steps_per_epoch: int | None
    validation_steps: int | None
    validation_batch_size: int | None
    validation_freq: int


def size_of(where: str, batch_size: int | None) -> int:
    """A batch size that was given, or the default."""
    return count(where, "batch_size", batch_size, BATCH_SIZE)


def count(where: str, name: str, value: Any, default: Any, least: int = 1) -> Any:
    """An integer of at least `least`, or the default for None."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ArgumentError(f"{where}: {name} must be an integer of {least} or more, got {value!r}")
    return int(value)


def source(where: str, model: Any, x: Any, y: Any, weight: Any, size: int | None) -> Source:
    """What is given as x, y and weights."""
    if not is_dataset(x):
        data = model._batch(where, x, y, weight)
        return Source(data, (), size_of(where, size))
    for name, value in (("y", y), ("sample_weight", weight), ("batch_size", size)):
        if value is not None:
            raise ArgumentError(f"{where}: x is a dataset, whose batches say it all: leave {name} out")
    return Source(None, x, 0)


def dispatcher(where: str, model: Any, callbacks: Any) -> list[Callback]:
    """The callbacks as a list, each with its model."""
    if callbacks is not None and not isinstance(callbacks, (Callback, Iterable)):
        raise ArgumentError(f"{where}: callbacks must be a callback, or a list of them, or None, got {shown(callbacks)}")
    given = [callbacks] if isinstance(callbacks, Callback) else [] if callbacks is None else list(callbacks)
    for callback in given:
        if not isinstance(callback, Callback):
            raise ArgumentError(f"{where}: callbacks are objects of train.callbacks.Callback, got {callback!r}")
        callback.set_model(model)
    return given


def sees_batches(callbacks: Iterable[Callback], what: str) -> bool:
    """Whether a callback has a method for batches of "train", "test" or "predict"."""
    names = f"on_{what}_batch_begin", f"on_{what}_batch_end"
    return any(getattr(type(c), n) is not getattr(Callback, n) for c in callbacks for n in names)


def _watched(model: Any, callbacks: Iterable[Callback], what: str) -> bool:
    """Whether somebody wants to see each batch: a callback, or who looks into a model that runs eagerly."""
    return model._learner.eager or sees_batches(callbacks, what)


def _on_gpu(model: Any) -> bool:
    """Whether batches are done one by one because a GPU does them, whose loops can't ask Python how they are getting on."""
    return device_of(model) != CPU


def tell(callbacks: Iterable[Callback], event: str, *args: Any) -> None:
    for callback in callbacks:
        getattr(callback, event)(*args)


def fit(model: Any, plan: Plan) -> History:
    """See `Model.fit`."""
    where = f"{model._name}.fit"
    model._compiled("fit")
    if not isinstance(plan.shuffle, (bool, np.bool_)):
        raise ArgumentError(f"{where}: shuffle must be True or False, got {plan.shuffle!r}")
    first, last = count(where, "initial_epoch", plan.initial_epoch, 0, 0), count(where, "epochs", plan.epochs, 1, 0)
    verbose = verbosity(where, plan.verbose)
    training, validation = _sources(where, model, plan)
    every = count(where, "validation_freq", plan.validation_freq, 1)
    steps = count(where, "steps_per_epoch", plan.steps_per_epoch, None)
    validation_steps = count(where, "validation_steps", plan.validation_steps, None)
    history = History()
    callbacks = dispatcher(where, model, [*dispatcher(where, model, plan.callbacks), history])
    epochs = _Epochs(where, model, training, plan, steps, callbacks)
    model.history, model.stop_training = history, False
    for callback in callbacks:
        callback.set_params({"epochs": last, "steps": epochs.batches, "verbose": verbose})
    tell(callbacks, "on_train_begin", {})
    first = max([first, *(c.initial_epoch for c in callbacks)])
    for epoch in range(first, last):
        tell(callbacks, "on_epoch_begin", epoch, {})
        bar = Bar(verbose, f"Epoch {epoch + 1}/{last}", epochs.batches)
        try:
            done, logs = epochs.run(epoch, bar)
            if validation is not None and (epoch + 1) % every == 0:
                found = evaluate(model, validation, validation_steps, 0, callbacks)
                logs |= {f"val_{name}": x for name, x in found.items()}
            bar.close(done, logs)
        finally:
            bar.close()
        tell(callbacks, "on_epoch_end", epoch, logs)
        if model.stop_training:
            break
    tell(callbacks, "on_train_end", {})
    return history


def _sources(where: str, model: Any, plan: Plan) -> tuple[Source, Source | None]:
    """What to train with, and what to validate with."""
    held_back = count(where, "validation_batch_size", plan.validation_batch_size, None)
    if not isinstance(plan.validation_split, (int, float, np.number, type(None))):
        raise ArgumentError(f"{where}: validation_split must lie between 0 and 1, got {shown(plan.validation_split)}")
    training = source(where, model, plan.x, plan.y, plan.sample_weight, plan.batch_size)
    validation: Source | None = None
    if plan.validation_data is not None:
        given = plan.validation_data
        if hasattr(given, "__array__") or isinstance(given, (str, dict)) or not (isinstance(given, Iterable) or is_dataset(given)):
            raise ArgumentError(f"{where}: validation_data is (x, y), (x, y, weights) or a dataset, got {type(given).__name__}")
        parts = (given,) if is_dataset(given) else tuple(given)
        if not is_dataset(given) and not 2 <= len(parts) <= 3:
            raise ArgumentError(f"{where}: validation_data is (x, y), (x, y, weights) or a dataset, got {len(parts)} parts")
        x, y, weight = (*parts, None, None)[:3]
        size = None if is_dataset(x) else held_back or plan.batch_size
        validation = source(f"{where}, validation_data", model, x, y, weight, size)
    elif plan.validation_split:
        if training.data is None:
            raise ArgumentError(f"{where}: validation_split needs data in memory, and x is a dataset: give validation_data")
        kept, held = split_last(where, training.data, plan.validation_split)
        training = training._replace(data=kept)
        validation = Source(held, (), size_of(where, held_back or training.size))
    if plan.class_weight is not None and training.data is not None:
        training = training._replace(data=class_weights(where, training.data, plan.class_weight, model._dtype))
    if training.data is None and not model.built:
        training = _built_by(where, model, training)
    model._check_unchanged(where)
    for given in (training, validation):
        if given is not None and given.data is not None:
            make_ready(model, given.data)
    return training, validation


def _built_by(where: str, model: Any, training: Source) -> Source:
    """Build a model for the first batch of a dataset; the dataset, which has all of its batches still."""
    iterator = iter(training.dataset)
    items = list(itertools.islice(iterator, 1))
    for batch in batches_of(where, model, items):
        model._ready(batch.x)
    return training._replace(dataset=itertools.chain(items, iterator)) if iterator is training.dataset else training


def make_ready(model: Any, batch: Batch) -> None:
    """Have the model's layers made for the inputs, and its labels looked at."""
    model._ready(batch.x)
    check_labels(model, batch)


def check_labels(model: Any, batch: Batch) -> None:
    """Have the losses look at the examples of the least and the greatest label, and at one that is no whole number: they refuse
    labels out of range where they are concrete, which they are not within a compiled step.
    """
    if model._learner.eager or batch.y is None:
        return
    labels = {tree.path_text(path): rows for path, y in tree.leaves_with_path(batch.y) if (rows := _labels(y)) is not None}
    ranges = {output: (rows.min(), rows.max(), bool(_parts(rows).any())) for output, rows in labels.items()}
    seen = {output: model._labels.get(output, (np.inf, -np.inf, False)) for output in ranges}
    new = [k for k, (low, high, parts) in ranges.items() if low < seen[k][0] or seen[k][1] < high or parts > seen[k][2]]
    if not new:
        return
    chosen = [
        int(found.any(1).argmax())
        for k in new
        for found in (labels[k] == ranges[k][0], labels[k] == ranges[k][1], _parts(labels[k]))
    ]
    few = tree.map(lambda a: np.asarray(a)[chosen], batch)
    predictions = eval_shape(called, model.module, few.x)
    model._learner.recipe.objective(few.y, tree.map(lambda p: jnp.zeros(p.shape, p.dtype), predictions), None)
    for k in new:
        (low, high, parts), before = ranges[k], seen[k]
        model._labels[k] = min(low, before[0]), max(high, before[1]), before[2] or parts


def _labels(y: Any) -> Any:
    """Targets as rows of numbers, None where they are no labels."""
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "iuf":
        return None
    rows = y.reshape(len(y), -1)
    return None if rows.dtype.kind == "f" and rows.shape[1] != 1 else rows  # perhaps many numbers


def _parts(rows: Any) -> Any:
    """Where numbers are not whole."""
    return rows != np.floor(rows) if rows.dtype.kind == "f" else np.zeros(rows.shape, bool)


class _Epochs:
    """Runs the epochs of one `fit`."""

    def __init__(self, where: str, model: Any, training: Source, plan: Plan, steps: int | None, callbacks: list[Callback]) -> None:
        self.where, self.model, self.training, self.plan = where, model, training, plan
        self.steps, self.callbacks = steps, callbacks
        self.watched = _watched(model, callbacks, "train")
        self.iterator: Iterator[Batch] | None = None
        """The batches that are left, where steps_per_epoch makes an epoch end before they do."""
        self.batches = steps or training.batches

    def run(self, epoch: int, bar: Bar) -> tuple[int, dict[str, Any]]:
        """An epoch: how many batches it had, and its logs."""
        if self.training.data is not None and not self.watched and self.steps is None and not _on_gpu(self.model):
            return self._native(epoch, bar)
        return self._by_batches(epoch, bar)

    def _native(self, epoch: int, bar: Bar) -> tuple[int, dict[str, Any]]:
        model, data = self.model, self.training.data
        state = model._state()
        size = min(self.training.size, rows_of(data))
        trained = model._learner.epoch(state, self._order_key(), data, size, self.plan.shuffle, bar.show, model._keep)
        done = int(trained.done)
        logs = numbers(trained.logs)
        if not trained.finite:
            self._not_finite(epoch, done, logs)
        return done, logs

    def _order_key(self) -> Any:
        return random.fold_in(self.model._order_key, self.model._steps)

    def _by_batches(self, epoch: int, bar: Bar) -> tuple[int, dict[str, Any]]:
        model, learner = self.model, self.model._learner
        totals, done, lost = learner.recipe.start(), 0, False
        batches = Arriving(self.where, model, itertools.islice(self._iterate(), self.steps))
        for batch, there in batches:
            make_ready(model, batch)
            tell(self.callbacks, "on_train_batch_begin", done, {})
            state, totals, finite = learner.step(model._state(), totals, there())
            model._keep(state)
            batches.look_ahead()
            done += 1
            lost = not finite
            if lost or self.watched or bar.due():
                logs = learner.logs(totals)
                if lost:
                    self._not_finite(epoch, done, logs)
                bar.show(done, logs)
                tell(self.callbacks, "on_train_batch_end", done - 1, logs)
            if model.stop_training:
                break
        if not done:
            raise ArgumentError(
                f"{self.where}: the dataset gave no batches in epoch {epoch + 1}. It is empty, or an iterator that has ended: give "
                "a dataset that can be iterated again, such as those of jitgrad.data, or steps_per_epoch"
            )
        return done, logs if lost else learner.logs(totals)

    def _iterate(self) -> Iterator[Batch]:
        """The batches of an epoch. With steps_per_epoch they go on where the last epoch has ended, and begin again at their end."""
        if self.steps is None:
            return self._pass()
        if self.iterator is None:
            self.iterator = self._endless()
        return self.iterator

    def _endless(self) -> Iterator[Batch]:
        given = True
        while given:
            given = False
            for batch in self._pass():
                given = True
                yield batch

    def _pass(self) -> Iterator[Batch]:
        training, plan = self.training, self.plan
        if training.data is None:
            return batches_of(self.where, self.model, training.dataset, plan.class_weight)
        order = np.asarray(random.permutation(self._order_key(), rows_of(training.data))) if plan.shuffle else None
        return some_batches(training.data, training.size, order)

    def _not_finite(self, epoch: int, done: int, logs: dict[str, Any]) -> None:
        """The loss of the last batch was not finite: end the training where a callback wants that, and raise otherwise."""
        if any(isinstance(c, TerminateOnNaN) for c in self.callbacks):
            logs["loss"] = math.nan
            self.model.stop_training = True
            return
        raise InvalidValueError(
            f"{self.where}: the loss was not finite in epoch {epoch + 1}, at batch {done} of it. The model is as it was before "
            f"that batch.{self._reason()}"
        )

    def _reason(self) -> str:
        """What may be the cause, and what to do about it."""
        for name, part in zip(("x", "y", "sample_weight"), self.training.data or (), strict=False):
            for leaf in tree.leaves(part):
                bad = np.flatnonzero(~np.isfinite(np.asarray(leaf)).reshape(len(leaf), -1).all(1))
                if len(bad):
                    return f" {name} itself is not finite in {len(bad)} of its {len(leaf)} examples, example {bad[0]} among them."
        return (
            " Lower the learning rate, clip gradients (clipnorm=, optim.clip_by_global_norm), or look for logarithms of 0 in the "
            "loss; jitgrad.config.update('debug_nans', True) with compile(run_eagerly=True) finds the line."
        )


def evaluate(model: Any, given: Source, steps: int | None, verbose: int, callbacks: list[Callback]) -> dict[str, Any]:
    """The loss and the metrics over a source, by name."""
    where, learner = f"{model._name}.evaluate", model._learner
    steps = count(where, "steps", steps, None)
    watched = _watched(model, callbacks, "test")
    tell(callbacks, "on_test_begin", {})
    bar, data = Bar(verbose, "evaluate", steps or given.batches), given.data
    if data is None:
        batches: Iterable[Batch] = batches_of(where, model, given.dataset)
    else:
        make_ready(model, data)
        batches = some_batches(data, given.size, None)
    try:
        if data is not None and steps is None and not watched and not _on_gpu(model):
            done = -(-rows_of(data) // given.size)
            logs = learner.tests(model.module, data, min(given.size, rows_of(data)), bar.show)
        else:
            totals, done = learner.recipe.start(), 0
            arriving = Arriving(where, model, itertools.islice(batches, steps))
            for batch, there in arriving:
                make_ready(model, batch)
                tell(callbacks, "on_test_batch_begin", done, {})
                totals = learner.test(model.module, totals, there())
                arriving.look_ahead()
                done += 1
                if watched or bar.due():
                    logs = learner.logs(totals)
                    bar.show(done, logs)
                    tell(callbacks, "on_test_batch_end", done - 1, logs)
            if not done:
                raise ArgumentError(f"{where}: the dataset gave no batches")
            logs = learner.logs(totals)
        bar.close(done, logs)
    finally:
        bar.close()
    tell(callbacks, "on_test_end", logs)
    return logs


def train_on_batch(model: Any, x: Any, y: Any, weight: Any, by_class: Mapping[int, float] | None) -> dict[str, Any]:
    """See `Model.train_on_batch`."""
    where = f"{model._name}.train_on_batch"
    learner = model._compiled("train_on_batch")
    batch = model._batch(where, x, y, weight)
    if by_class is not None:
        batch = class_weights(where, batch, by_class, model._dtype)
    make_ready(model, batch)
    model._check_unchanged(where)
    state, totals, finite = learner.step(model._state(), learner.recipe.start(), batch)
    if not finite:
        raise InvalidValueError(f"{where}: the loss was not finite. The model is as it was before.")
    model._keep(state)
    return learner.logs(totals)
