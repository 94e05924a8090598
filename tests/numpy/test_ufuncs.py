"""The methods of ufuncs: folds written out with NumPy's function, eagerly and in programs, with their derivatives."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close, check_grads

RUNS = pytest.mark.parametrize("run", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
RNG = np.random.default_rng(0)
WHOLE = RNG.integers(1, 7, (3, 4, 2))
NUMBERS = WHOLE + RNG.normal(size=WHOLE.shape) / 10
FLOATS = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "fmax", "logaddexp", "hypot", "arctan2", "fmod")
INTEGERS = ("add", "subtract", "multiply", "bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm", "left_shift", "floor_divide")
CASES = [(n, NUMBERS) for n in FLOATS] + [(n, WHOLE) for n in INTEGERS] + [(n, WHOLE > 3) for n in ("logical_xor", "logical_and")]
NAMED = pytest.mark.parametrize(("name", "x"), CASES, ids=[f"{n}-{x.dtype}" for n, x in CASES])


def fold(name, rows):
    return functools.reduce(getattr(np, name), rows)


@RUNS
@NAMED
def test_reduce_folds_along_axes(name, x, run):
    f = getattr(jnp, name)
    assert_close(run(f.reduce)(x), fold(name, x), 1e-6)
    assert_close(run(lambda x: f.reduce(x, axis=-1, keepdims=True))(x), fold(name, np.moveaxis(x, -1, 0))[..., None], 1e-6)
    rows = x.transpose(0, 2, 1).reshape(-1, 4)
    assert_close(run(lambda x: f.reduce(x, axis=(0, 2)))(x), fold(name, rows), 1e-6)
    assert_close(run(lambda x: f.reduce(x, axis=None))(x), fold(name, x.reshape(-1)), 1e-6)


@RUNS
@NAMED
def test_accumulate_gives_every_fold(name, x, run):
    wanted = np.stack([fold(name, x[:, : k + 1].swapaxes(0, 1)) for k in range(4)], 1)
    assert_close(run(lambda x: getattr(jnp, name).accumulate(x, axis=1))(x), wanted, 1e-6)


@RUNS
@NAMED
@pytest.mark.parametrize("starts", [[0, 2, 1], [3], [1, 1, 3], []], ids=str)
def test_reduceat_folds_between_indices(name, x, starts, run):
    ends = [*starts[1:], 4]
    rows = [fold(name, x[:, a : max(b, a + 1)].swapaxes(0, 1)) for a, b in zip(starts, ends[: len(starts)], strict=True)]
    wanted = np.stack(rows, 1) if rows else fold(name, x.swapaxes(0, 1))[:, None][:, :0]
    f = lambda x, i: getattr(jnp, name).reduceat(x, i, axis=1)
    assert_close(run(f)(x, np.array(starts, int)), wanted, 1e-6)
    assert_close(run(lambda x: f(x, starts) if starts else f(x, np.array([], int)))(x), wanted, 1e-6)


@RUNS
@NAMED
def test_outer_pairs_all_elements(name, x, run):
    f = getattr(jnp, name)
    assert_close(run(f.outer)(x[0], x[:, 0, 0]), getattr(np, name).outer(x[0], x[:, 0, 0]), 1e-6)


@RUNS
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "hypot"])
def test_at_takes_repeated_places_one_after_the_other(name, run):
    x, places, values = NUMBERS[0, :, 0], np.array([0, 2, 0]), np.array([1.5, 2.0, 0.5])
    wanted = x.copy()
    for place, value in zip(places, values, strict=True):
        wanted[place] = getattr(np, name)(wanted[place], value)
    at = lambda x, i, v: getattr(jnp, name).at(x, i, v, inplace=False)
    assert_close(run(at)(x, places, values), wanted, 1e-12)
    assert_close(run(lambda x: at(x, [0, 2, 0], list(values)))(x), wanted, 1e-12)
    check_grads(lambda x, v: at(x, places, v), (x, values), order=1)


@RUNS
def test_at_of_a_function_of_one_argument(run):
    assert run(lambda x: jnp.negative.at(x, jnp.array([0, 0, 1]), inplace=False))(jnp.arange(1, 4)).tolist() == [1, -2, 3]


@pytest.mark.parametrize("name", ["add", "multiply", "hypot", "logaddexp", "subtract", "arctan2"])
def test_folds_have_derivatives_and_batches(name):
    f, x = getattr(jnp, name), NUMBERS[:, :, 0]
    for fold_of in (f.reduce, lambda x: f.accumulate(x, 1), lambda x: f.reduceat(x, [0, 2, 1], 1)):
        check_grads(fold_of, (x,), order=2)
        each = np.stack([np.asarray(fold_of(v)) for v in NUMBERS])
        assert_close(jitgrad.vmap(fold_of)(NUMBERS), each, 1e-6)


@RUNS
def test_initial_where_and_empty_folds(run):
    keep = NUMBERS > 3
    for name, start in (("hypot", 2.0), ("fmax", 4.0), ("subtract", 1.5), ("add", 1.0), ("logaddexp", 0.5)):
        wanted = np.full(NUMBERS.shape[1:], start)
        for kept, row in zip(keep, NUMBERS, strict=True):
            wanted = np.where(kept, getattr(np, name)(wanted, row), wanted)
        assert_close(run(lambda x: getattr(jnp, name).reduce(x, initial=start, where=x > 3))(NUMBERS), wanted, 1e-6)  # noqa: B023
    assert run(jnp.hypot.reduce)(jnp.zeros((0, 2))).tolist() == [0, 0]
    assert run(lambda x: jnp.subtract.reduce(x, initial=3.0))(jnp.zeros(0)) == 3
    with pytest.raises(errors.ShapeError, match="subtract.reduce: there is nothing to fold in shape"):
        run(jnp.subtract.reduce)(jnp.zeros((0, 2)))
    with pytest.raises(errors.ArgumentError, match="where= needs initial="):
        run(lambda x: jnp.subtract.reduce(x, where=x > 0))(jnp.ones(2))


def test_functions_are_ufuncs_and_tell_so():
    assert isinstance(jnp.add, jnp.ufunc) and isinstance(jnp.sin, jnp.ufunc) and not isinstance(jnp.sum, jnp.ufunc)
    assert (jnp.add.nin, jnp.add.nout, jnp.add.nargs, jnp.add.identity) == (2, 1, 3, 0)
    assert jnp.subtract.identity is None and jnp.sin.nin == 1 and not hasattr(jnp.sin, "reduce")
    assert jnp.pow.reduce(jnp.array([2, 3])) == 8
    with pytest.raises(errors.ImmutableArrayError, match="add.at: arrays are immutable"):
        jnp.add.at(jnp.ones(2), 0, 1.0)
    with pytest.raises(errors.DTypeError, match="reduceat: indices must be integers"):
        jnp.add.reduceat(jnp.ones(2), [0.5])
    with pytest.raises(errors.ArgumentError, match="add.reduce: axis 2 does not exist"):
        jnp.add.reduce(jnp.ones(2), axis=2)


def test_numpys_ufuncs_methods_do_these():
    for method, args in (("reduce", ()), ("accumulate", (1,)), ("reduceat", ([0, 2],)), ("outer", (NUMBERS[0],))):
        made = getattr(np.hypot, method)(jnp.array(NUMBERS), *args)
        assert isinstance(made, jitgrad.Array)
        assert_close(made, getattr(np.hypot, method)(NUMBERS, *args), 1e-12)
    assert_close(jitgrad.grad(lambda x: np.add.reduceat(x, [0, 1])[0])(jnp.array([1.0, 2.0])), np.array([1.0, 0.0]))


@RUNS
def test_a_function_of_numbers_becomes_a_ufunc(run):
    join = jnp.frompyfunc(lambda x, y: 10 * x + y, nin=2, nout=1, identity=0)
    assert run(join)(jnp.array([1, 2]), 3).tolist() == [13, 23]
    assert run(join.reduce)(jnp.array([1, 2, 3])) == 123
    assert run(lambda x: join.accumulate(x))(jnp.array([1, 2, 3])).tolist() == [1, 12, 123]
    assert isinstance(join, jnp.ufunc) and join.identity == 0
    both = jnp.ufunc(lambda x: (x, -x), 1, 2)
    assert [v.tolist() for v in run(both)(jnp.arange(2))] == [[0, 1], [0, -1]]
    with pytest.raises(errors.ParametersError, match="takes 2 arguments, got 1"):
        join(1)
