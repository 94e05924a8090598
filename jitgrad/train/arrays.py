"""What users give `fit` and its kin, as Batches of NumPy arrays: data in memory whole, datasets batch by batch.

Floats are cast to the type that the model computes in: NumPy's are float64 unless somebody says otherwise, and would make
everything float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from jitgrad import tree
from jitgrad.errors import ArgumentError, DTypeError, ShapeError

from .steps import Batch, rows_of


def is_dataset(x: Any) -> bool:
    """Whether x gives batches, one after another, and is no data in memory."""
    return hasattr(x, "__iter__") and not hasattr(x, "__array__") and not isinstance(x, (list, tuple, dict, str, bytes))


def in_memory(where: str, x: Any, y: Any, weight: Any, dtype: Any) -> Batch:
    """All of the data as one Batch, checked: as many examples everywhere, and at least one."""
    data = Batch(arrays(where, "x", x, dtype), None if y is None else arrays(where, "y", y, dtype), None)
    if weight is not None:
        data = data._replace(weight=_weights(where, weight, dtype))
    counts = {path: leaf.shape[0] for path, leaf in _named(data)}
    if len(set(counts.values())) > 1:
        raise ShapeError(
            f"{where}: x, y and weights must have as many examples, the sizes of their first axes, got "
            f"{', '.join(f'{n} in {path}' for path, n in counts.items())}"
        )
    if not counts or not rows_of(data):
        raise ArgumentError(f"{where}: there are no examples, x is empty")
    return data


def arrays(where: str, name: str, x: Any, dtype: Any) -> Any:
    """x, an array, a tuple of arrays or a dict of arrays by name, as NumPy arrays that are contiguous."""
    if isinstance(x, tuple):
        return tuple(_array(where, f"{name}[{i}]", a, dtype) for i, a in enumerate(x))
    if isinstance(x, Mapping):
        return {k: _array(where, f"{name}[{k!r}]", a, dtype) for k, a in x.items()}
    return _array(where, name, x, dtype)


def _array(where: str, name: str, x: Any, dtype: Any) -> Any:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"{where}: {name} must be an array, but its rows differ in shape ({error})") from None
    if array.dtype.kind not in "biufcV" or array.dtype.names:  # V: the small floats of ml_dtypes
        raise DTypeError(f"{where}: {name} must be an array of numbers, got {array.dtype} ({type(x).__name__})")
    if not array.ndim:
        raise ShapeError(f"{where}: {name} must have an axis of examples, its first, got one number")
    if array.dtype.kind == "f" and array.dtype != dtype:
        array = array.astype(dtype)
    return np.ascontiguousarray(array)


def _weights(where: str, weight: Any, dtype: Any) -> Any:
    """Weights of examples, or a tuple or dict of them, one an output, None where all its examples count alike."""
    if isinstance(weight, tuple) and all(w is None or np.ndim(w) for w in weight):
        return tuple(w if w is None else _weight(where, f"sample_weight[{k}]", w, dtype) for k, w in enumerate(weight))
    if isinstance(weight, Mapping):
        return {k: w if w is None else _weight(where, f"sample_weight[{k!r}]", w, dtype) for k, w in weight.items()}
    return _weight(where, "sample_weight", weight, dtype)


def _weight(where: str, name: str, weight: Any, dtype: Any) -> Any:
    array = _array(where, name, weight, dtype).astype(dtype)
    if array.ndim != 1:
        raise ShapeError(f"{where}: {name} must have one number an example, the shape [examples], got {list(array.shape)}")
    return _usable(where, name, array)


def _usable(where: str, name: str, weights: Any) -> Any:
    """Weights, none of which is negative or not finite: losses would be made larger, or NaN."""
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        raise ArgumentError(
            f"{where}: {name} must be finite and not negative, got {weights[wrong[0]]} for example {wrong[0]}"
            f"{f' and {wrong.size - 1} others' if wrong.size > 1 else ''}. An example of weight 0 is left out."
        )
    return weights


def _named(data: Batch) -> Iterator[tuple[str, Any]]:
    for name, part in zip(("x", "y", "sample_weight"), data, strict=True):
        for keys, leaf in tree.leaves_with_path(part):
            yield name + "".join(map(str, keys)), leaf


def class_weights(where: str, data: Batch, weights: Mapping[int, float], dtype: Any) -> Batch:
    """The data with each example's weight times that of its class; classes that are not named have the weight 1."""
    if not isinstance(weights, Mapping) or not all(isinstance(k, (int, np.integer)) for k in weights):
        raise ArgumentError(
            f"{where}: class_weight is a dict of weights by label, such as {{0: 1.0, 1: 2.5}}, with integers for labels, "
            f"got {weights!r}"
        )
    for label, weight in weights.items():
        if not isinstance(weight, (int, float, np.number, np.ndarray)) or np.ndim(weight) or not 0 <= float(weight) < np.inf:
            raise ArgumentError(f"{where}: class_weight[{label}] must be a finite number that is not negative, got {weight!r}")
    labels = data.y
    if labels is None or isinstance(labels, (tuple, dict)) or isinstance(data.weight, (tuple, dict)):
        raise ArgumentError(f"{where}: class_weight needs one array of labels y, and no weights by output")
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(-1)
    labels = labels.reshape(len(labels), -1)
    if labels.shape[1] != 1 or not (np.asarray(labels) == np.floor(labels)).all():
        raise ArgumentError(
            f"{where}: class_weight needs labels, integers [examples] or one-hot rows, got y of {list(data.y.shape)}"
        )
    factor = np.ones(len(labels), dtype)
    for label, weight in weights.items():
        factor[labels[:, 0] == label] = weight
    return data._replace(weight=factor if data.weight is None else np.asarray(data.weight) * factor)


def split_last(where: str, data: Batch, fraction: float) -> tuple[Batch, Batch]:
    """The data without its last examples, and these: the share `fraction` of all."""
    if not isinstance(fraction, (int, float, np.number)) or not 0 < fraction < 1:
        raise ArgumentError(f"{where}: validation_split must lie between 0 and 1, got {fraction!r}")
    count = rows_of(data)
    first = int(count * (1 - fraction))
    if not 0 < first < count:
        raise ArgumentError(f"{where}: validation_split={fraction} of {count} examples leaves none for one of the two parts")
    return tree.map(lambda a: a[:first], data), tree.map(lambda a: a[first:], data)


def batches_of(where: str, model: Any, dataset: Iterable[Any], weights: Mapping[int, float] | None = None) -> Iterator[Batch]:
    """What a dataset gives as Batches for a model: x, (x,), (x, y) or (x, y, weight)."""
    for number, item in enumerate(dataset):
        parts = tuple(item) if isinstance(item, (tuple, list)) else (item,)
        if not 1 <= len(parts) <= 3:
            raise ArgumentError(f"{where}: a dataset gives x, (x, y) or (x, y, weight), but batch {number} is a {len(parts)}-tuple")
        x, y, weight = (*parts, None, None)[:3]
        batch = model._batch(f"{where}, batch {number}", x, y, weight)
        yield batch if weights is None else class_weights(where, batch, weights, model._dtype)


def some_batches(data: Batch, size: int, order: np.ndarray | None) -> Iterator[Batch]:
    """The batches of data in memory, in an order of its rows."""
    count = rows_of(data)
    for first in range(0, count, size):
        rows = slice(first, first + size) if order is None else order[first : first + size]
        yield tree.map(lambda a, rows=rows: np.asarray(a)[rows], data)
