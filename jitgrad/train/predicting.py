"""What `Model.predict` does: the module's results for data in memory in one native call, or batch by batch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.jit import jit

from . import fitting
from .arrays import batches_of, is_dataset, some_batches
from .bars import Bar, verbosity
from .epochs import predict_all
from .steps import Batch, called, rows_of

_all = jit(predict_all, static_argnames=("size",))
_one = jit(called)


def predict(model: Any, x: Any, batch_size: int | None, verbose: int | str, steps: int | None, callbacks: Any) -> Any:
    """See `Model.predict`."""
    where = f"{model._name}.predict"
    size = fitting.size_of(where, batch_size)
    total = steps = fitting.count(where, "steps", steps, None)
    told = fitting.dispatcher(where, model, callbacks)
    inputs = None
    if not is_dataset(x):
        inputs = model._batch(where, x, None, None).x
        if steps is not None:
            inputs = tree.map(lambda a: a[: steps * size], inputs)
        total = -(-rows_of(inputs) // size)
        model._ready(inputs)
    bar = Bar(min(verbosity(where, verbose), 1), "predict", total)
    fitting.tell(told, "on_predict_begin", {})
    try:
        if inputs is not None and not fitting.sees_batches(told, "predict"):
            results = _all(model._module, inputs, size=size)
            bar.show(total or 0, {})
        else:
            batches = batches_of(where, model, x) if inputs is None else some_batches(Batch(inputs), size, None)
            results = _by_batches(where, model, itertools.islice(batches, steps), bar, told)
    finally:
        bar.close()
    fitting.tell(told, "on_predict_end", {})
    return tree.map(np.array, results)


def _by_batches(where: str, model: Any, batches: Any, bar: Bar, told: Any) -> Any:
    found: list[Any] = []
    for batch in batches:
        model._ready(batch.x)
        fitting.tell(told, "on_predict_batch_begin", len(found), {})
        found.append(_one(model._module, batch.x))
        bar.show(len(found), {})
        fitting.tell(told, "on_predict_batch_end", len(found) - 1, {"outputs": found[-1]})
    if not found:
        raise ArgumentError(f"{where}: the dataset gave no batches")
    return tree.map(lambda *parts: np.concatenate(parts), *found)
