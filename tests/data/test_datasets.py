"""jitgrad.data: what stages give, in which order, epoch after epoch; what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, errors

X = np.arange(40, dtype=np.float32).reshape(10, 4)
Y = np.arange(10)


def numbers(n=10):
    return data.from_arrays(np.arange(n))


def stream(n=10):
    return data.from_iterable(lambda: iter(range(n)))


def values(dataset):
    return [int(v) for v in dataset]


# Arrays


def test_batches_are_the_rows_of_every_array():
    batches = list(data.from_arrays(X, Y).batch(4))
    assert [type(b) for b in batches] == [tuple] * 3
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), Y)
    assert batches[0][0].dtype == np.float32 and batches[0][1].dtype == Y.dtype


def test_shuffled_batches_keep_rows_together():
    for x, y in data.from_arrays(X, Y).shuffle(seed=3).batch(3):
        np.testing.assert_array_equal(x, X[y])


def test_batches_are_not_the_arrays_memory():
    kept = X.copy()
    for dataset in (data.from_arrays(X), data.from_arrays(X).batch(5), data.from_arrays(X).shuffle(seed=0).batch(5)):
        for x in dataset:
            x += 1
    np.testing.assert_array_equal(X, kept)


def test_an_element_may_be_a_tuple_or_a_dict_of_arrays():
    nested = data.from_arrays({"image": X, "more": (Y, Y + 1)}, Y)
    element, label = nested[2]
    assert list(element) == ["image", "more"] and element["more"] == (2, 3) and label == 2
    batch, _ = next(iter(nested.batch(3)))
    assert batch["image"].shape == (3, 4) and batch["more"][1].tolist() == [1, 2, 3]


def test_arrays_of_jitgrad_and_lists_are_taken():
    x, y = next(iter(data.from_arrays(jnp.ones((3, 2)), [1.0, 2.0, 3.0]).batch(2)))
    assert type(x) is np.ndarray and x.dtype == np.float32
    assert y.dtype == np.float32, "Python's floats are default_float"
    assert data.from_arrays([[1, 2.5], [3, 4]]).arrays.dtype == np.float32, "whole ones among them, too"
    assert next(iter(data.from_arrays(np.ones(3)).batch(2))).dtype == np.float64
    assert data.from_arrays([np.float64(1), 2.0]).arrays.dtype == np.float64


def test_a_memory_map_stays_on_disk_and_gives_plain_arrays(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    dataset = data.from_arrays(mapped)
    assert isinstance(dataset.arrays, np.memmap) or np.shares_memory(dataset.arrays, mapped)
    for batch in (next(iter(dataset.batch(3))), next(iter(dataset.shuffle(seed=0).batch(3)))):
        assert type(batch) is np.ndarray and batch.flags.writeable


# Orders and epochs


def test_an_order_depends_on_seed_and_epoch_alone():
    def epochs(seed, count=3):
        dataset = numbers(50).shuffle(seed=seed)
        return [values(dataset) for _ in range(count)]

    first, second, third = epochs(7)
    assert epochs(7) == [first, second, third]
    assert sorted(first) == sorted(second) == list(range(50))
    assert len({tuple(e) for e in (first, second, third, *epochs(8))}) == 6
    dataset = numbers(50).shuffle(seed=7)
    next(iter(dataset.batch(5)))
    assert values(dataset) == first, "a stage of it counts for itself"
    assert values(dataset.epoch(2)) == third


def test_one_order_for_all_epochs_is_there_when_asked_for():
    dataset = numbers(50).shuffle(seed=7, reshuffle_each_iteration=False)
    assert values(dataset) == values(dataset) == values(dataset.repeat(2).skip(50))


def test_without_a_seed_orders_follow_the_process_generator():
    jitgrad.random.seed(5)
    first = numbers(50).shuffle(), numbers(50).shuffle()
    jitgrad.random.seed(5)
    again = numbers(50).shuffle(), numbers(50).shuffle()
    assert [values(d) for d in first] == [values(d) for d in again]
    assert values(first[0].epoch(0)) != values(first[1].epoch(0))
    jitgrad.random.seed(None)


def test_repeated_epochs_are_shuffled_each_its_own_way():
    dataset = numbers(20).shuffle(seed=1)
    twice = values(dataset.repeat(2))
    assert twice == values(dataset.epoch(0)) + values(dataset.epoch(1))
    endless = dataset.repeat()
    assert values(endless.take(45)) == twice + values(dataset.epoch(2))[:5]
    batches = list(dataset.repeat(2).batch(15))
    assert [len(b) for b in batches] == [15, 15, 10] and np.concatenate(batches).tolist() == twice


def test_numbered_elements_repeat_without_end_and_batches_stay_quick():
    read = []

    class Watched:
        def __len__(self):
            return 6

        def __getitem__(self, i):
            read.append(i)
            return i

    dataset = data.from_indexable(Watched()).shuffle(seed=3)
    endless = dataset.repeat().batch(4)
    batches = [b.tolist() for b in endless.take(5)]
    expected = [v for n in range(4) for v in values(dataset.epoch(n))]
    assert batches == [expected[4 * i : 4 * i + 4] for i in range(5)]
    assert "unknown" in repr(endless) and len(endless.take(7)) == 7
    rows = data.from_arrays(X, Y).shuffle(seed=0).repeat().batch(7)
    assert type(rows).__name__ == "Batched", "whole batches are indexed, not rows stacked"
    assert all((x == X[y]).all() for x, y in rows.take(9))
    ahead = iter(rows.map(lambda x, y: y).prefetch(3, threads=2))
    assert [next(ahead).tolist() for _ in range(4)] == [y.tolist() for _, y in rows.take(4).epoch(0)]
    ahead.close()
    assert [(int(a), int(b)) for a, b in data.zip(numbers(3).repeat(), numbers(2).repeat()).take(4)] == [
        (0, 0),
        (1, 1),
        (2, 0),
        (0, 1),
    ]
    assert values(data.concatenate(numbers(2), numbers(2).repeat()).take(5)) == [0, 1, 0, 1, 0]
    assert sorted(values(numbers(4).repeat().shuffle(3, seed=0).take(2)))[1] < 4


def test_two_iterations_at_once_do_not_disturb_each_other():
    dataset = numbers(30).shuffle(seed=2)
    a, b = iter(dataset), iter(dataset)
    mixed = [(int(next(a)), int(next(b))) for _ in range(30)]
    assert [p[0] for p in mixed] == values(dataset.epoch(0))
    assert [p[1] for p in mixed] == values(dataset.epoch(1))


def test_a_stream_is_shuffled_through_its_buffer():
    dataset = stream(100).shuffle(10, seed=0)
    first, second = values(dataset), values(dataset)
    assert sorted(first) == sorted(second) == list(range(100)) and first != second
    assert first == values(dataset.epoch(0))
    assert all(v < i + 10 for i, v in enumerate(first)), "an element goes out once it is in the buffer"
    assert values(stream(5).shuffle(100, seed=0)) != list(range(5)) or values(stream(5).shuffle(100, seed=1)) != list(range(5))


def test_random_numbers_of_map_are_the_elements_own():
    def noisy(n, random):
        return n + random.random()

    for source in (numbers(6), stream(6)):
        dataset = source.map(noisy, seed=4)
        first = list(dataset)
        assert first == list(dataset.epoch(0)) != list(dataset.epoch(1))
        assert len({float(v) % 1 for v in first}) == 6
    assert numbers(6).map(noisy, seed=4)[5] == first[5]


# Stages are those of lists, whatever they stand on


STAGES = {
    "batch": (lambda d, n: d.batch(n + 1), lambda v, n: [v[i : i + n + 1] for i in range(0, len(v), n + 1)]),
    "map": (lambda d, n: d.map(lambda v: v + n), lambda v, n: [add(e, n) for e in v]),
    "take": (lambda d, n: d.take(n + 1), lambda v, n: v[: n + 1]),
    "repeat": (lambda d, n: d.repeat(n % 3 + 1), lambda v, n: v * (n % 3 + 1)),
    "cache": (lambda d, n: d.cache(), lambda v, n: v),
    "prefetch": (lambda d, n: d.prefetch(n + 1), lambda v, n: v),
    "filter": (lambda d, n: d.filter(lambda v: True), lambda v, n: v),
}


def add(element, n):
    return [add(e, n) for e in element] if isinstance(element, list) else element + n


@settings(max_examples=60)
@given(
    count=st.integers(1, 12),
    stages=st.lists(st.tuples(st.sampled_from(sorted(STAGES)), st.integers(0, 6)), max_size=4),
    start=st.sampled_from([numbers, stream]),
)
def test_stages_are_those_of_lists(count, stages, start):
    dataset, expected, batched = start(count), list(range(count)), False
    for name, n in stages:
        if name == "batch" and batched:
            continue  # of batches of different sizes there is none
        batched |= name == "batch"
        dataset, expected = STAGES[name][0](dataset, n), STAGES[name][1](expected, n)
    for _ in range(2):
        assert [np.asarray(v).tolist() for v in dataset] == expected
    if dataset._count() is not None:
        assert len(dataset) == len(expected)


def test_zip_ends_with_the_shortest():
    for a, b in ((numbers(3), numbers(5)), (stream(3), numbers(5)), (numbers(5), stream(3))):
        assert [(int(i), int(j)) for i, j in data.zip(a, b)] == [(0, 0), (1, 1), (2, 2)]
    x, (y, _) = next(iter(data.zip(numbers(4), data.from_arrays(Y, Y)).batch(3)))
    assert x.tolist() == y.tolist() == [0, 1, 2]


@settings(max_examples=60)
@given(counts=st.lists(st.integers(1, 7), min_size=1, max_size=4), size=st.integers(1, 9), seed=st.integers(0, 5))
def test_concatenated_datasets_are_one(counts, size, seed):
    ends = np.cumsum(counts)
    pieces = [np.arange(end - n, end) for n, end in zip(counts, ends, strict=True)]
    both = data.concatenate(*(data.from_arrays(p, p + 1) for p in pieces))
    assert len(both) == ends[-1] and [int(x) for x, _ in both] == list(range(ends[-1]))
    batches = list(both.shuffle(seed=seed).batch(size))
    assert all((y == x + 1).all() for x, y in batches)
    order = np.concatenate([x for x, _ in batches])
    assert sorted(order) == list(range(ends[-1])) and order.tolist() == values(both.shuffle(seed=seed).map(lambda x, y: x))
    mixed = data.concatenate(data.from_iterable(pieces[0].tolist()), *(data.from_arrays(p) for p in pieces[1:]))
    assert values(mixed) == values(mixed) == list(range(ends[-1]))


def test_unbatch_undoes_batch():
    dataset = data.from_arrays(X, Y)
    for (x, y), (a, b) in zip(dataset, dataset.batch(4).unbatch(), strict=True):
        assert (x == a).all() and y == b


def test_a_cache_reads_once_and_is_not_written_to():
    reads = []

    def read(v):
        reads.append(int(v))
        return np.full(2, v)

    for source in (numbers(4).shuffle(seed=0), stream(4)):
        reads.clear()
        dataset = source.map(read).cache()
        first = [v.tolist() for v in dataset]
        for v in dataset:
            v[:] = -1
        assert [v.tolist() for v in dataset] == first and len(reads) == 4


def test_a_cache_that_was_left_early_is_whole_later():
    dataset = stream(5).cache()
    next(iter(dataset))
    assert values(dataset) == values(dataset) == list(range(5))


def test_elements_known_by_number_are_asked_for_by_it():
    dataset = data.from_arrays(X, Y).skip(2).batch(3).map(lambda x, y: y)
    assert dataset[0].tolist() == [2, 3, 4] and dataset[-1].tolist() == [8, 9]
    with pytest.raises(IndexError, match="element 3 of a dataset of 3"):
        dataset[3]
    with pytest.raises(errors.ParametersError, match="integers as numbers"):
        dataset["x"]


def test_a_map_style_dataset_is_read_when_it_is_needed():
    class Squares:
        read: list[int] = []

        def __len__(self):
            return 6

        def __getitem__(self, i):
            self.read.append(i)
            return np.float32(i), i * i

    source = Squares()
    dataset = data.from_indexable(source).shuffle(seed=1).batch(2, drop_remainder=True)
    assert source.read == []
    batches = list(dataset)
    assert sorted(source.read) == list(range(6)) and all(type(i) is int for i in source.read)
    for x, y in batches:
        np.testing.assert_array_equal(y, (x * x).astype(int))


def test_all_elements_come_as_arrays():
    x, y = data.from_arrays(X, Y).shuffle(seed=0).to_arrays()
    np.testing.assert_array_equal(x, X[y])
    assert stream(4).to_arrays().tolist() == [0, 1, 2, 3]


def test_a_long_stream_keeps_a_batch_and_a_buffer_alone():
    import tracemalloc

    def rows():
        for _ in range(400):
            yield np.zeros(10_000)

    dataset = data.from_iterable(rows).shuffle(8, seed=0).map(lambda r: r + 1).batch(4).prefetch(2)
    tracemalloc.start()
    for _ in dataset:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60 * 80_000, "32 MB went through"


# Errors


def test_arrays_of_unequal_length_are_refused():
    with pytest.raises(errors.ShapeError, match=r"equally many examples .* 10 at \[0\] and 9 at \[1\]"):
        data.from_arrays(X, Y[:9])
    with pytest.raises(errors.ShapeError, match=r"10 at \[0\]\['a'\] and 3 at \[0\]\['b'\]"):
        data.from_arrays({"a": X, "b": Y[:3]}, Y)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: data.from_arrays(X[:0], Y[:0]), errors.ArgumentError, "the dataset is empty"),
        (lambda: data.from_arrays(), errors.ArgumentError, "at least one array"),
        (lambda: data.from_arrays(3.0), errors.ShapeError, "single number"),
        (lambda: data.from_arrays([[1, 2], [3]]), errors.ShapeError, "no array can be made"),
        (lambda: data.from_arrays(np.array([object()])), errors.DTypeError, "numbers or strings"),
        (lambda: data.from_indexable([]), errors.ArgumentError, "empty"),
        (lambda: data.from_indexable(iter([1])), errors.ParametersError, "from_iterable"),
        (lambda: data.from_iterable(iter([1])), errors.ParametersError, "second epoch"),
        (lambda: data.from_iterable(3), errors.ParametersError, "iterable"),
        (lambda: numbers().batch(0), errors.ArgumentError, "1 or more, got 0"),
        (lambda: numbers().batch(-1), errors.ArgumentError, "1 or more"),
        (lambda: numbers().batch(2.0), errors.ParametersError, "an integer, got 2.0"),
        (lambda: numbers().batch(True), errors.ArgumentError, "got True"),
        (lambda: numbers().batch(11, drop_remainder=True), errors.ArgumentError, "10 elements make no batch"),
        (lambda: list(stream().batch(11, drop_remainder=True)), errors.ArgumentError, "before there was one batch, after 10"),
        (lambda: list(stream().filter(lambda v: False).batch(2)), errors.ArgumentError, "before there was one batch, after 0"),
        (lambda: list(stream().filter(lambda v: False).repeat()), errors.ArgumentError, "empty"),
        (lambda: numbers().skip(10).batch(2), errors.ArgumentError, "empty"),
        (lambda: stream().shuffle(seed=0), errors.ArgumentError, "buffer"),
        (lambda: numbers().shuffle(seed=-1), errors.ArgumentError, "seed"),
        (lambda: numbers().shuffle(seed=0.5), errors.ArgumentError, "seed"),
        (lambda: numbers().take(-1), errors.ArgumentError, "0 or more"),
        (lambda: len(stream()), TypeError, "no length"),
        (lambda: len(numbers().repeat()), TypeError, "no length"),
        (lambda: numbers().repeat().shuffle(seed=0), errors.ArgumentError, "in front of repeat"),
        (lambda: numbers().repeat().cache(), errors.ArgumentError, "in front of repeat"),
        (lambda: numbers().repeat().to_arrays(), errors.ArgumentError, "endless"),
        (lambda: numbers().take(0).repeat(), errors.ArgumentError, "empty"),
        (lambda: data.train_test_split(numbers().repeat()), TypeError, "no length"),
        (lambda: data.train_test_split(stream()), errors.ArgumentError, "take"),
        (lambda: data.zip(), errors.ParametersError, "nothing"),
        (lambda: data.zip(numbers(), X), errors.ParametersError, "ndarray"),
        (lambda: numbers().map(None), errors.NotAFunctionError, "map: expected a function, got None"),
        (lambda: numbers().filter(3), errors.NotAFunctionError, "filter"),
        (lambda: numbers().augment(seed=0), errors.ParametersError, "steps"),
        (lambda: numbers().augment(3, seed=0), errors.NotAFunctionError, "got 3"),
        (lambda: data.concatenate(X), errors.ParametersError, "data.concatenate: expected datasets, got ndarray"),
    ],
)  # fmt: skip
def test_what_makes_no_dataset_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_elements_that_make_no_batch_are_named():
    ragged = data.from_iterable([np.zeros(3), np.zeros(3), np.zeros(4)])
    with pytest.raises(errors.ShapeError, match=r"\(3,\) and, 2 elements later, \(4,\).*pad, cut or resize"):
        list(ragged.batch(3))
    with pytest.raises(errors.ShapeError, match=r"built alike, got a tuple of 2 and a tuple of 1"):
        list(data.from_iterable([(1, 2), (1,)]).batch(2))
    with pytest.raises(errors.ShapeError, match=r"built alike, got a int and a tuple of 1"):
        list(data.from_iterable([1, (1,)]).batch(2))


def test_an_error_of_a_record_tells_its_number():
    class Broken:
        def __len__(self):
            return 5

        def __getitem__(self, i):
            if i == 3:
                raise OSError("disk")
            return i

    with pytest.raises(OSError, match="disk") as caught:
        list(data.from_indexable(Broken()).batch(2))
    assert caught.value.__notes__ == ["data: this was raised for element 3 of a dataset"]


def test_an_error_of_map_tells_the_elements_number():
    for source in (numbers(5), stream(5)):
        with pytest.raises(ZeroDivisionError) as caught:
            list(source.map(lambda v: 1 // (int(v) - 2)))
        assert caught.value.__notes__ == ["data: this was raised for element 2 of a dataset"]


def test_a_function_of_another_number_of_arguments_is_told_how_many_there_are():
    for f in (lambda pair: pair, lambda x, y, random: x):
        with pytest.raises(TypeError) as caught:
            list(data.from_arrays(X, Y).map(f))
        assert "called with 2 arguments: the parts of a tuple" in caught.value.__notes__[0]


@pytest.mark.parametrize(("source", "count"), [(range(3), "3"), (itertools.count, "more")])
def test_a_length_that_was_promised_is_held_to(source, count):
    dataset = data.from_iterable(source, length=4)
    assert len(dataset) == 4
    with pytest.raises(errors.ArgumentError, match=f"length=4 was promised, and there were {count}"):
        list(dataset)
    assert values(data.from_iterable(range(4), length=4)) == [0, 1, 2, 3]


def test_a_dataset_is_true_and_prints_its_length():
    assert stream() and numbers()
    assert repr(numbers().batch(3)) == "<Batched of 4 elements>" and "unknown" in repr(stream())
