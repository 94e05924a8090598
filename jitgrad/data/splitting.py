"""Two parts of the examples: what is learnt from, and what is held back to test with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError, ParametersError

from . import elements as parts
from .dataset import Dataset
from .indexed import Indexed, Positions, Selected
from .seeds import check_seed, generator

WHERE = "data.train_test_split"


def train_test_split(
    *arrays: Any,
    test_size: float | int | None = None,
    train_size: float | int | None = None,
    seed: int | None = None,
    shuffle: bool = True,
    stratify: Any = None,
) -> list[Any]:
    """Of each array, or dataset whose elements have numbers, a part for training and one for tests: x_train, x_test, y_train, ...

    Arguments, sizes and their rounding are scikit-learn's.

    test_size, train_size: a fraction of the examples, or how many; one follows from the other, and a quarter is for tests.
    seed: equal seeds give equal parts; None takes one from the generator that `jitgrad.random.seed` sets.
    shuffle: without it the last examples are for tests.
    stratify: a label for each example; each label then has the same share of both parts, up to one example.

    Raises ShapeError for arrays of different lengths, ArgumentError for sizes that leave a part empty, or a label of one example.

    >>> import numpy as np
    >>> from jitgrad import data
    >>> x, y = np.arange(20).reshape(10, 2), np.array([0, 1] * 5)
    >>> x_train, x_test, y_train, y_test = data.train_test_split(x, y, test_size=0.4, seed=0, stratify=y)
    >>> x_train.shape, x_test.shape, sorted(y_test.tolist())
    ((6, 2), (4, 2), [0, 0, 1, 1])
    """
    if any(isinstance(a, Dataset) and not isinstance(a, Indexed) for a in arrays):
        raise ArgumentError(f"{WHERE}: a stream has no numbered elements to pick from; .take(n) and .skip(n) of it are two parts")
    given = tuple(a if isinstance(a, Indexed) else parts.as_numbers(WHERE, a) for a in arrays)
    count = parts.common_length(WHERE, given)
    train, test = _sizes(count, train_size, test_size)
    if not shuffle:
        if stratify is not None:
            raise ArgumentError(f"{WHERE}: stratify= picks examples of each label at random, so it goes with shuffle=True only")
        picked: tuple[Positions, Positions] = range(train), range(train, train + test)
    else:
        random = generator(check_seed(WHERE, seed))
        if stratify is None:
            order = random.permutation(count)
            picked = order[test : test + train], order[:test]
        else:
            picked = _stratified(random, stratify, count, train, test)
    return [_select(a, rows) for a in given for rows in picked]


def _select(array: np.ndarray | Indexed, rows: Positions) -> Any:
    if isinstance(array, Indexed):
        return Selected(array, rows)
    return array[rows.start : rows.stop] if isinstance(rows, range) else array[rows]


def _sizes(count: int, train_size: float | int | None, test_size: float | int | None) -> tuple[int, int]:
    """How many examples are for training and for tests."""
    test = None if test_size is None else _number("test_size", test_size, count, math.ceil)
    train = None if train_size is None else _number("train_size", train_size, count, math.floor)
    if test is None:
        test = math.ceil(0.25 * count) if train is None else count - train
    if train is None:
        train = count - test
    if train < 1 or test < 1 or train + test > count:
        raise ArgumentError(
            f"{WHERE}: of {count} examples {train} would be for training and {test} for tests; each part needs one at least, and "
            "together they can't have more than there are"
        )
    return train, test


def _number(name: str, size: float | int, count: int, rounded: Any) -> int:
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 1:
        return int(size)
    if isinstance(size, (float, np.floating)) and 0 < size < 1:
        return int(rounded(size * count))
    raise ArgumentError(f"{WHERE}: {name} is a fraction between 0 and 1 or a number of examples, got {size!r}")


def _stratified(random: np.random.Generator, stratify: Any, count: int, train: int, test: int) -> tuple[np.ndarray, np.ndarray]:
    labels = parts.as_numbers(f"{WHERE}: stratify", stratify)
    if labels.shape != (count,):
        raise ParametersError(f"{WHERE}: stratify= is one label for each of the {count} examples, got shape {labels.shape}")
    kinds, kind, members = np.unique(labels, return_inverse=True, return_counts=True)
    if members.min() < 2:
        raise ArgumentError(
            f"{WHERE}: label {kinds[members.argmin()]!r} has one example, which can't be in both parts. Leave it out, or join "
            "rare labels"
        )
    if min(train, test) < len(kinds):
        raise ArgumentError(f"{WHERE}: {len(kinds)} labels need as many examples in each part at least, got {train} and {test}")
    for_test = _shares(random, members, test)
    for_train = _shares(random, members - for_test, train)
    train_rows, test_rows = [], []
    for k in range(len(kinds)):
        rows = random.permutation(np.flatnonzero(kind == k))
        test_rows.append(rows[: for_test[k]])
        train_rows.append(rows[for_test[k] : for_test[k] + for_train[k]])
    return random.permutation(np.concatenate(train_rows)), random.permutation(np.concatenate(test_rows))


def _shares(random: np.random.Generator, members: np.ndarray, total: int) -> np.ndarray:
    """`total` shared out in proportion, by largest remainders; equal ones at random."""
    exact = members * (total / members.sum())
    shares = np.floor(exact).astype(int)
    order = np.lexsort((random.random(len(members)), shares - exact))
    shares[order[: total - shares.sum()]] += 1
    return shares
