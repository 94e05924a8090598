"""jitgrad.random: the generator's known answers, properties of keys, and statistics at fixed keys."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from jitgrad import array_ops as ops
from jitgrad import errors, grad, jit, random, tree, vmap
from jitgrad.array import as_value

KEY = random.key(2024)
MANY = 50_000
SURE = 1e-4
"""The significance at which a fixed key's draws count as wrong."""


def test_the_generator_gives_the_published_answers():
    """The known answers of threefry2x32 with 20 rounds that come with Random123."""
    known = [
        ("00000000 00000000", "00000000 00000000", "6b200159 99ba4efe"),
        ("ffffffff ffffffff", "ffffffff ffffffff", "1cb996fc bb002be7"),
        ("243f6a88 85a308d3", "13198a2e 03707344", "c4923a9c 483df7a0"),
    ]
    counters, keys, results = (np.array([int(row[i].replace(" ", ""), 16) for row in known], np.uint64) for i in range(3))
    np.testing.assert_array_equal(ops.op("threefry2x32", as_value(keys), as_value(counters)), results)


def test_a_key_is_a_pytree_of_one_array():
    leaves, structure = tree.flatten(KEY)
    assert [leaf.shape for leaf in leaves] == [(2,)]
    assert tree.unflatten(structure, leaves).shape == ()


def test_keys_beside_leaves_are_mapped_whole():
    model = {"a": np.zeros(2), "b": [np.zeros(3)]}
    keys = tree.unflatten(tree.structure(model), random.split(KEY, 2))
    drawn = tree.map(lambda x, key: random.normal(key, x.shape), model, keys)
    again = tree.map(lambda key, x: random.normal(key, x.shape), keys, model)
    for one, other in zip(tree.leaves(drawn), tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(drawn["b"][0], random.normal(random.split(KEY, 2)[1], (3,)))


def test_key_data_goes_back_and_forth():
    again = random.wrap_key_data(random.key_data(KEY))
    np.testing.assert_array_equal(random.bits(again, (5,)), random.bits(KEY, (5,)))


def test_a_seed_fills_the_key():
    np.testing.assert_array_equal(random.PRNGKey(2**32 + 7), np.array([1, 7], np.uint32))
    np.testing.assert_array_equal(random.PRNGKey(-1), np.full(2, 2**32 - 1, np.uint32))
    np.testing.assert_array_equal(random.PRNGKey(np.int32(7)), np.array([0, 7], np.uint32))


def test_raw_keys_draw_what_typed_keys_draw():
    raw = random.key_data(KEY)
    np.testing.assert_array_equal(random.normal(raw, (3,)), random.normal(KEY, (3,)))
    np.testing.assert_array_equal(random.split(raw, 3), random.key_data(random.split(KEY, 3)))


def test_split_keys_differ_from_each_other():
    keys = random.split(KEY, 1000)
    assert keys.shape == (1000,)
    assert len({tuple(row) for row in np.asarray(random.key_data(keys)).tolist()}) == 1000


def test_fold_in_depends_on_key_and_number():
    made = [random.key_data(random.fold_in(k, i)).tolist() for k in random.split(KEY) for i in (0, 1, -1, 2**31)]
    assert len({tuple(m) for m in made}) == 8


def test_fold_in_refuses_numbers_whose_high_bits_would_be_lost():
    with pytest.raises(errors.DTypeError, match="32 bits"):
        random.fold_in(KEY, 2**40)


def test_keys_iterate_and_reshape():
    keys = random.split(KEY, (2, 3))
    assert keys.shape == (2, 3)
    assert len(keys) == 2
    assert keys.reshape(6).shape == (6,)
    first, _ = keys
    np.testing.assert_array_equal(random.key_data(first), np.asarray(random.key_data(keys))[0])
    np.testing.assert_array_equal(random.key_data(keys[1, 2]), np.asarray(random.key_data(keys))[1, 2])


def test_vmap_over_keys_draws_with_each():
    keys = random.split(KEY, 3)
    np.testing.assert_array_equal(
        vmap(lambda k: random.normal(k, (4,)))(keys), np.stack([np.asarray(random.normal(k, (4,))) for k in keys])
    )


@pytest.mark.parametrize("not_a_key", [0, 1.5, np.zeros(2), np.zeros(3, np.uint32)])
def test_what_is_no_key_is_an_error_that_says_how_to_make_one(not_a_key):
    with pytest.raises(TypeError, match=r"random.normal.*random\.key\(seed\)"):
        random.normal(not_a_key, (3,))


def test_drawing_with_several_keys_is_an_error_that_says_vmap():
    with pytest.raises(errors.ShapeError, match="vmap"):
        random.normal(random.split(KEY), (3,))


def test_equal_keys_give_equal_draws_of_every_shape():
    flat = np.asarray(random.uniform(KEY, (12,)))
    np.testing.assert_array_equal(random.uniform(KEY, (3, 4)), flat.reshape(3, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_every_bit_is_fair(dtype):
    drawn = np.asarray(random.bits(KEY, (MANY,), dtype))
    assert drawn.dtype == dtype
    for bit in range(drawn.itemsize * 8):
        ones = int(np.sum((drawn >> dtype(bit)) & dtype(1)))
        assert scipy.stats.binomtest(ones, MANY).pvalue > SURE


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_draws_fill_the_mantissa(dtype):
    drawn = np.asarray(random.uniform(KEY, (MANY,), dtype))
    assert drawn.dtype == dtype and drawn.min() >= 0 and drawn.max() < 1
    grid = 2.0 ** np.finfo(dtype).nmant
    whole = (drawn * dtype(grid)).astype(np.int64)
    np.testing.assert_array_equal(whole / grid, drawn)
    assert 0.49 < np.mean(whole % 2) < 0.51


def test_uniform_never_reaches_its_upper_bound():
    drawn = np.asarray(random.uniform(KEY, (MANY,), np.float32, 1.0, np.nextafter(np.float32(1), np.float32(2))))
    assert (drawn == 1).all()


def test_the_moments_of_normal_draws_are_those_of_the_distribution():
    drawn = np.asarray(random.normal(KEY, (MANY,), np.float64))
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs(np.mean(drawn**power) - moment) < 4 * math.sqrt(variance / MANY)


def test_draws_of_split_keys_do_not_correlate():
    a, b = (np.asarray(random.normal(k, (MANY,))) for k in random.split(KEY))
    for x, y in ((a, b), (a[1:], a[:-1])):
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / math.sqrt(MANY)


def test_truncated_normal_stays_inside_its_bounds():
    drawn = np.asarray(random.truncated_normal(KEY, np.array([-1.0, 3.0]), np.array([-0.5, 4.0]), (1000, 2)))
    assert (drawn > [-1.0, 3.0]).all() and (drawn < [-0.5, 4.0]).all()


def test_bernoulli_is_true_as_often_as_asked():
    drawn = np.asarray(random.bernoulli(KEY, np.array([0.0, 0.3, 1.0], np.float32), (MANY, 3)))
    assert drawn.dtype == np.bool_
    assert drawn[:, 0].sum() == 0 and drawn[:, 2].all()
    assert scipy.stats.binomtest(int(drawn[:, 1].sum()), MANY, 0.3).pvalue > SURE


def test_rademacher_draws_signs():
    drawn = np.asarray(random.rademacher(KEY, (MANY,), np.float32))
    assert set(drawn.tolist()) == {-1.0, 1.0}
    assert scipy.stats.binomtest(int((drawn > 0).sum()), MANY).pvalue > SURE


def test_geometric_counts_trials():
    drawn = np.asarray(random.geometric(KEY, 0.3, (MANY,)))
    counts = np.bincount(np.minimum(drawn, 12), minlength=13)[1:]
    expected = scipy.stats.geom(0.3).pmf(np.arange(1, 13))
    expected[-1] = scipy.stats.geom(0.3).sf(11)
    assert scipy.stats.chisquare(counts, expected * MANY).pvalue > SURE


def test_points_of_the_ball_are_uniform():
    drawn = np.asarray(random.ball(KEY, 3, shape=(MANY,)))
    lengths = np.linalg.norm(drawn.astype(np.float64), axis=1)
    assert scipy.stats.kstest(np.minimum(lengths, 1) ** 3, "uniform").pvalue > SURE


@pytest.mark.parametrize("bounds", [(0, 6), (-3, 3), (0, 2**32 * 3), (-(2**63), 2**63)])
@pytest.mark.parametrize("concrete", [True, False])
def test_randint_is_uniform(bounds, concrete):
    low, high = bounds
    given = bounds if concrete else (np.array(low), np.array(min(high, 2**63 - 1)))
    drawn = np.asarray(random.randint(KEY, (MANY,), *given))
    assert drawn.dtype == np.int64 and drawn.min() >= low and drawn.max() < high
    cells = ((drawn.astype(object) - low) * 6 // (high - low)).astype(np.int64)
    assert scipy.stats.chisquare(np.bincount(cells, minlength=6)).pvalue > SURE


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.uint64])
def test_randint_covers_narrow_types(dtype):
    info = np.iinfo(dtype)
    drawn = np.asarray(random.randint(KEY, (MANY,), int(info.min), int(info.max) + 1, dtype)).astype(np.float64)
    cells = np.floor((drawn - info.min) / (float(info.max) + 1 - info.min) * 8).astype(np.int64)
    assert scipy.stats.chisquare(np.bincount(np.minimum(cells, 7), minlength=8)).pvalue > SURE


def test_an_empty_range_gives_its_lower_bound():
    np.testing.assert_array_equal(random.randint(KEY, (3,), 5, 5), [5, 5, 5])
    np.testing.assert_array_equal(random.randint(KEY, (2,), np.array([5, 0]), np.array([4, 1])), [5, 0])


def test_permutation_keeps_elements_and_mixes_them():
    drawn = np.asarray(random.permutation(KEY, 1000))
    np.testing.assert_array_equal(np.sort(drawn), np.arange(1000))
    assert abs(np.corrcoef(drawn, np.arange(1000))[0, 1]) < 0.13
    x = np.arange(12).reshape(3, 4)
    columns = np.asarray(random.permutation(KEY, x, axis=1))
    np.testing.assert_array_equal(columns[1] - columns[0], np.full(4, 4))
    lines = np.asarray(random.permutation(KEY, np.broadcast_to(np.arange(100), (3, 100)), axis=1, independent=True))
    np.testing.assert_array_equal(np.sort(lines, 1), np.broadcast_to(np.arange(100), (3, 100)))
    assert (lines[0] != lines[1]).any()


def test_all_orders_of_three_are_equally_likely():
    orders = np.asarray(vmap(lambda k: random.permutation(k, 3))(random.split(KEY, 6000)))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6 and scipy.stats.chisquare(counts).pvalue > SURE


CHANCES = np.array([0.1, 0.0, 0.6, 0.3])


def test_categorical_draws_by_softmax():
    with np.errstate(divide="ignore"):
        logits = np.log(CHANCES)
    counts = np.bincount(np.asarray(random.categorical(KEY, logits, shape=(MANY,))), minlength=4)
    assert counts[1] == 0
    assert scipy.stats.chisquare(counts[[0, 2, 3]], CHANCES[[0, 2, 3]] * MANY).pvalue > SURE
    assert random.categorical(KEY, np.zeros((3, 5)), axis=0).shape == (5,)
    assert random.categorical(KEY, np.zeros((3, 5)), shape=(7, 3)).shape == (7, 3)


def test_categorical_without_replacement_repeats_nothing():
    drawn = np.asarray(random.categorical(KEY, np.zeros((2, 5)), shape=(5, 2), replace=False))
    np.testing.assert_array_equal(np.sort(drawn, 0), np.arange(5)[:, None] * np.ones(2, np.int64))


@pytest.mark.parametrize("p", [None, CHANCES])
def test_choice_draws_elements_by_their_chances(p):
    drawn = np.asarray(random.choice(KEY, np.arange(4) * 10, (MANY,), p=p))
    counts = np.bincount(drawn // 10, minlength=4)
    expected = np.full(4, 0.25) if p is None else p
    assert (counts[expected == 0] == 0).all()
    some = expected > 0
    assert scipy.stats.chisquare(counts[some], expected[some] * MANY).pvalue > SURE


@pytest.mark.parametrize("p", [None, np.array([0.5, 0.2, 0.2, 0.1])])
def test_choice_without_replacement_repeats_nothing(p):
    assert sorted(random.choice(KEY, 4, (4,), replace=False, p=p).tolist()) == [0, 1, 2, 3]
    with pytest.raises(errors.ArgumentError, match="without replacement"):
        random.choice(KEY, 4, (5,), replace=False, p=p)


def test_choice_takes_slices_along_an_axis():
    x = np.arange(12).reshape(3, 4)
    drawn = np.asarray(random.choice(KEY, x, (2, 5), axis=1))
    assert drawn.shape == (3, 2, 5)
    np.testing.assert_array_equal(drawn[1] - drawn[0], np.full((2, 5), 4))


DRAWS = {
    "bits": lambda k: random.bits(k, (7,), np.uint64), "uniform": lambda k: random.uniform(k, (7,), np.float64),
    "randint": lambda k: random.randint(k, (7,), -5, 9), "wide randint": lambda k: random.randint(k, (7,), -(2**60), 2**61),
    "bernoulli": lambda k: random.bernoulli(k, 0.3, (7,)), "permutation": lambda k: random.permutation(k, 7),
    "choice": lambda k: random.choice(k, 7, (3,), p=np.full(7, 1 / 7)), "split": lambda k: random.key_data(random.split(k, 3)),
    "fold_in": lambda k: random.key_data(random.fold_in(k, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_a_jitted_draw_gives_the_eager_numbers(name):
    np.testing.assert_array_equal(jit(DRAWS[name])(KEY), DRAWS[name](KEY))
    keys = random.split(KEY, 3)
    np.testing.assert_array_equal(jit(vmap(DRAWS[name]))(keys), np.stack([np.asarray(DRAWS[name](k)) for k in keys]))


def test_a_key_may_be_made_inside_jit():
    drawn = jit(lambda seed: random.bits(random.fold_in(random.key(seed), 1), (5,)))(7)
    np.testing.assert_array_equal(drawn, random.bits(random.fold_in(random.key(7), 1), (5,)))


def test_the_parameters_of_draws_are_differentiated():
    drawn = random.uniform(KEY, (5,), np.float64)
    slope = grad(lambda high: random.uniform(KEY, (5,), np.float64, 0.0, high).sum())(2.0)
    np.testing.assert_allclose(slope, np.asarray(drawn).sum(), rtol=1e-6)
