"""Choices of replays that go one way: the numbers are those of all operations, to the bit, and the other way is not gone."""

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import replay
from jitgrad.replay_branches import LISTED
from jitgrad.scipy import special

WAYS = {
    "all low": [1.0, 2.0, 0.5, 3.0],
    "all high": [11.0, 12.0, 20.5, 13.0],
    "some": [1.0, 12.0, 3.0, 14.0],
    "ends": [np.nan, np.inf, -np.inf, -0.0],
}


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def in_sides(x):
    """A choice inside of a side of another, and sides that others read, too."""
    high, huge = x > 10, x > 12.5
    both = jnp.exp(x) * 2
    inner = jnp.where(huge, jnp.sqrt(jnp.cos(x) + 2) * x, jnp.log(jnp.sin(x) + 2) * both)
    outer = jnp.where(high, inner + jnp.cos(x) * x, jnp.tanh(x * 3) - x * x + both)
    return jnp.where(x == 0, 1.0, jnp.where(jnp.isnan(x), jnp.sin(x) * x + 1, outer)), both


def of_rows(x):
    """A side that is a broadcast, and one that is a number."""
    wide = jnp.broadcast_to(jnp.exp(x[:1] * 2) - x[:1], x.shape)
    first = jnp.where(x > 10, wide, jnp.cos(x * x) + x)
    return jnp.where(x > 10, 0.0, jnp.sin(first) * x - 2), jnp.where(x > 10, x, jnp.sin(x) * x - 2)


@pytest.mark.parametrize("count", [4, LISTED + 4])
@pytest.mark.parametrize("function", [in_sides, of_rows])
@pytest.mark.parametrize("first", WAYS)
def test_every_way_gives_what_all_operations_give(function, first, count):
    arrays = {name: np.resize(np.array(numbers, np.float32), count) for name, numbers in WAYS.items()}
    again = replay.recorded(function, (jnp.array(arrays[first]),), {}, [arrays[first]])
    for numbers in arrays.values():
        for found, wanted in zip(again(numbers), function(jnp.array(numbers)), strict=True):
            assert found.dtype == wanted.dtype
            assert found.tobytes() == np.asarray(wanted).tobytes()
            assert not np.may_share_memory(found, numbers)


def test_a_side_that_no_element_takes_is_not_computed(monkeypatch):
    counted = []
    monkeypatch.setattr(replay, "direct", counting(replay.direct, counted))
    low, high = np.array([1.0, 2.0], np.float32), np.array([11.0, 2.0], np.float32)
    again = replay.recorded(lambda x: jnp.where(x > 10, jnp.exp(jnp.cos(x) * 2), jnp.sin(x)), (jnp.array(low),), {}, [low])
    counted.clear()
    again(low)
    assert [name for name in counted if name in ("cos", "exp")] == []
    again(high)
    assert [name for name in counted if name in ("cos", "exp")] == ["cos", "exp"]


def counting(direct, names):
    """Calls that note the operation's name."""

    def noting(e):
        numpys, more, params = direct(e)

        def call(*xs, **named):
            names.append(e.op.name)
            return numpys(*xs, **named)

        return call, more, params

    return noting


@pytest.mark.parametrize("function", [special.beta, special.betaln, special.poch, special.comb])
def test_special_functions_go_every_way_again(function):
    rows = [[1.0, 2.5, 0.25], [9.0, 20.0, 400.0], [1e3, 0.5, 3.0], [-0.5, -2.0, 0.0], [np.inf, np.nan, 1e30]]
    pairs = [(np.array(a, np.float32), np.array(b, np.float32)) for a in rows for b in rows]
    again = replay.recorded(function, tuple(map(jnp.array, pairs[0])), {}, pairs[0])
    for a, b in pairs:
        found = again(a, b)
        wanted = function.__wrapped__(jnp.array(a), jnp.array(b))
        np.testing.assert_array_equal(found, wanted)
        numbers = ~np.isnan(found)
        np.testing.assert_array_equal(np.signbit(found)[numbers], np.signbit(np.asarray(wanted))[numbers])


def test_equal_operations_are_done_once(monkeypatch):
    counted = []
    monkeypatch.setattr(replay, "direct", counting(replay.direct, counted))
    x = np.array([1.0, 2.0], np.float32)
    again = replay.recorded(lambda x: jnp.exp(x) + jnp.exp(x) * jnp.exp(x), (jnp.array(x),), {}, [x])
    counted.clear()
    np.testing.assert_array_equal(again(x), np.exp(x) + np.exp(x) * np.exp(x))
    assert counted.count("exp") == 1


def test_many_choices_inside_of_each_other_are_written_down():
    def function(x):
        total = jnp.sin(x)
        for k in range(150):
            total = jnp.where(x > k, total * x - jnp.cos(x), jnp.tanh(total) + k)
        return total

    numbers = [np.array(row, np.float32) for row in ([0.5, 1.5], [200.0, 300.0], [-1.0, 75.0], [np.nan, 0.0])]
    again = replay.recorded(function, (jnp.array(numbers[0]),), {}, numbers[:1])
    for x in numbers:
        np.testing.assert_array_equal(again(x), function(jnp.array(x)))
