"""Collectives under vmap(axis_name=): against NumPy over the whole batch, differentiated, nested, in loops and branches."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, jvp, lax, vmap
from jitgrad.testing import assert_close

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 4, 3))
both = pytest.mark.parametrize("mode", [lambda f: f, jit], ids=["eager", "jit"])


def same(rows):
    return np.broadcast_to(rows, (4, *np.shape(rows)))


CASES = {
    "psum": (lambda x: lax.psum(x, "i"), same(X.sum(0))),
    "pmean": (lambda x: lax.pmean(x, "i"), same(X.mean(0))),
    "pmax": (lambda x: lax.pmax(x, "i"), same(X.max(0))),
    "pmin": (lambda x: lax.pmin(x, "i"), same(X.min(0))),
    "all_gather": (lambda x: lax.all_gather(x, "i"), same(X)),
    "all_gather along the last axis": (lambda x: lax.all_gather(x, "i", axis=-1), same(np.moveaxis(X, 0, -1))),
    "all_gather tiled": (lambda x: lax.all_gather(x, "i", axis=1, tiled=True), same(np.concatenate(list(X), 1))),
    "ppermute": (lambda x: lax.ppermute(x, "i", [(0, 2), (3, 0), (1, 1)]), np.stack([X[3], X[1], X[0], 0 * X[0]])),
    "pshuffle": (lambda x: lax.pshuffle(x, "i", [2, 0, 3, 1]), X[[2, 0, 3, 1]]),
    "pbroadcast": (lambda x: lax.pbroadcast(x, "i", 2), same(X[2])),
    "all_to_all": (lambda x: lax.all_to_all(x, "i", 0, 1), np.moveaxis(np.swapaxes(X, 0, 1), 1, 2)),
    "all_to_all tiled": (
        lambda x: lax.all_to_all(x, "i", 0, 1, tiled=True),
        np.stack([np.concatenate([X[j, i : i + 1] for j in range(4)], 1) for i in range(4)]),
    ),
    "psum_scatter": (lambda x: lax.psum_scatter(x, "i"), X.sum(0)),
    "psum_scatter tiled": (lambda x: lax.psum_scatter(x, "i", tiled=True), X.sum(0)[:, None]),
    "pswapaxes": (lambda x: lax.pswapaxes(x, "i", 0), np.swapaxes(X, 0, 1)),
    "axis_index": (lambda x: x * lax.axis_index("i"), X * np.arange(4)[:, None, None]),
    "axis_size": (lambda x: x * lax.axis_size("i"), X * 4),
    "of a tree": (lambda x: lax.psum({"a": x, "b": [2 * x]}, "i")["b"][0], same(2 * X.sum(0))),
}


@both
@pytest.mark.parametrize("name", CASES)
def test_a_collective_sees_the_whole_batch(mode, name):
    f, expected = CASES[name]
    assert_close(mode(vmap(f, axis_name="i"))(X), expected, 1e-12)
    moved = mode(vmap(f, in_axes=1, axis_name="i", axis_size=4, spmd_axis_name="devices"))(np.moveaxis(X, 0, 1))
    assert_close(moved, expected, 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_of_a_collective_are_those_of_the_batch(name):
    f, expected = CASES[name]
    weights = RNG.normal(size=expected.shape)

    def loss(x):
        return jnp.sum(weights * vmap(lambda row: f(jnp.sin(row)), axis_name="i")(x))

    direction, eps = RNG.normal(size=X.shape), 1e-6
    slope = (float(loss(X + eps * direction)) - float(loss(X - eps * direction))) / (2 * eps)
    assert abs(float(np.sum(np.asarray(grad(loss)(X)) * direction)) - slope) < 1e-6
    assert abs(float(jvp(loss, (X,), (direction,))[1]) - slope) < 1e-6
    assert abs(float(np.sum(np.asarray(jit(grad(loss))(X)) * direction)) - slope) < 1e-6


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_one_example_gathers_the_cotangents_of_all(name):
    """So vmap(grad(f)) is the gradient of the sum over the batch, as in jax."""
    f, _ = CASES[name]
    each = vmap(grad(lambda row: jnp.sum(jnp.sin(f(row)))), axis_name="i")(X)
    whole = grad(lambda x: jnp.sum(vmap(lambda row: jnp.sum(jnp.sin(f(row))), axis_name="i")(x)))(X)
    assert_close(each, whole, 1e-12)


@both
def test_what_no_example_differs_in_needs_no_axis_in_the_result(mode):
    total = mode(vmap(lambda x: (lax.psum(x, "i"), x), axis_name="i", out_axes=(None, 0)))
    assert_close(total(X)[0], X.sum(0), 1e-12)
    nested = mode(vmap(lambda x: jit(lambda y: lax.all_gather(y, "i"))(x), axis_name="i", out_axes=None))
    assert_close(nested(X), X)
    counted = mode(vmap(lambda x: lax.fori_loop(0, 5, lambda i, c: (c[0] * x, c[1] + 2), (x, 0)), out_axes=(0, None)))
    assert int(counted(np.ones(3))[1]) == 10
    with pytest.raises(errors.ArgumentError, match="differs from example to example"):
        vmap(lambda x: lax.while_loop(lambda c: c < x, lambda c: c + 1, 0.0), out_axes=None)(np.arange(3.0))


@both
def test_operands_that_all_examples_share_count_once_for_each(mode):
    assert_close(mode(vmap(lambda x: x * 0 + lax.psum(2.0, "i"), axis_name="i"))(np.ones(5)), 10 * np.ones(5))
    shared = mode(vmap(lambda x, y: lax.psum(y, "i"), (0, None), axis_name="i"))
    assert_close(shared(np.ones(5), np.arange(2.0)), np.broadcast_to(5 * np.arange(2.0), (5, 2)))
    taken = vmap(lambda x, y: lax.all_to_all(y, "i", 0, 0) + x, (0, None), axis_name="i")
    assert_close(mode(taken)(np.zeros(3), np.arange(3.0)), np.arange(3.0)[:, None] + np.zeros((3, 3)))
    sent = vmap(lambda x, y: lax.ppermute(y, "i", [(0, 1)]) + x, (0, None), axis_name="i")
    assert_close(mode(sent)(np.zeros(3), 7.0), np.array([0.0, 7.0, 0.0]))
    assert vmap(lambda: lax.axis_index("i"), axis_name="i", axis_size=3)().tolist() == [0, 1, 2]


@both
def test_nested_axes_have_names_of_their_own(mode):
    x = RNG.normal(size=(2, 3, 2))

    def nested(f):
        return mode(vmap(vmap(f, axis_name="j"), axis_name="i"))

    assert_close(nested(lambda v: v - lax.psum(v, "i"))(x), x - x.sum(0, keepdims=True), 1e-12)
    assert_close(nested(lambda v: v - lax.psum(v, "j"))(x), x - x.sum(1, keepdims=True), 1e-12)
    assert_close(nested(lambda v: v - lax.pmean(v, ("i", "j")))(x), x - x.mean((0, 1)), 1e-12)
    assert_close(nested(lambda v: lax.pmax(v, ("i", "j")) + v)(x), x + x.max((0, 1)), 1e-12)
    assert nested(lambda v: lax.axis_index(("j", "i")))(x).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert_close(nested(lambda v: lax.all_gather(v, ("i", "j")))(x)[1, 2], x.reshape(6, 2))
    assert_close(nested(lambda v: lax.all_gather(v, "i"))(x)[0], np.moveaxis(x, 1, 0))
    assert_close(nested(lambda v: lax.pshuffle(v, "i", [1, 0]))(x), x[::-1])
    assert_close(nested(lambda v: lax.all_to_all(v, "i", 0, 0))(x), np.swapaxes(x, 0, 2))
    gathered = nested(grad(lambda v: jnp.sum(jnp.sin(lax.all_gather(v, "i")))))
    assert_close(gathered(x), 2 * np.cos(x), 1e-12)


def test_an_inner_axis_hides_an_outer_one_of_its_name():
    inner = vmap(vmap(lambda v: lax.psum(v, "i"), axis_name="i"), axis_name="i")
    assert_close(inner(np.ones((2, 3))), 3 * np.ones((2, 3)))


@both
def test_loops_and_branches_may_gather(mode):
    x = np.array([1.0, 2.0, 3.0])

    def scanned(v):
        return lax.scan(lambda c, t: (c * 0.5 + lax.pmean(jnp.sin(c), "i"), c), v, np.arange(4.0))[0]

    expected = x
    for _ in range(4):
        expected = expected * 0.5 + np.mean(np.sin(expected))
    assert_close(mode(vmap(scanned, axis_name="i"))(x), expected, 1e-12)
    slope = mode(vmap(grad(scanned), axis_name="i"))(x)
    assert_close(slope, grad(lambda v: jnp.sum(vmap(scanned, axis_name="i")(v)))(x), 1e-12)

    def until(v):
        return lax.while_loop(lambda c: c[0] < v, lambda c: (c[0] + 1.0, c[1] + lax.psum(c[0], "i")), (0.0, 0.0))

    assert_close(mode(vmap(until, axis_name="i"))(x), (x, np.array([0.0, 3.0, 8.0])))
    assert_close(mode(vmap(lambda v: jvp(until, (v,), (1.0,))[0], axis_name="i"))(x), (x, np.array([0.0, 3.0, 8.0])))

    def either(v):
        return lax.cond(v > 2, lambda v: lax.psum(v, "i"), lambda v: -v, v)

    batched = mode(vmap(either, axis_name="i"))
    assert_close(batched(x), np.array([-1.0, -2.0, 6.0]))
    assert_close(grad(lambda v: jnp.sum(batched(v) * x))(x), np.array([2.0, 1.0, 3.0]))


def test_reverse_mode_of_examples_out_of_step_is_refused():
    def until(v):
        return lax.while_loop(lambda c: c[0] < v, lambda c: (c[0] + 1.0, c[1] * lax.psum(c[0], "i")), (0.0, v))[1]

    with pytest.raises(errors.NonDifferentiableError, match="different numbers of steps"):
        vmap(grad(until), axis_name="i")(np.array([1.0, 2.0, 3.0]))


@both
def test_checkpointed_and_custom_functions_may_gather(mode):
    again = mode(vmap(grad(jitgrad.checkpoint(lambda v: jnp.sum(lax.psum(jnp.sin(v), "i")))), axis_name="i"))
    assert_close(again(X[0, 0]), 3 * np.cos(X[0, 0]), 1e-12)

    @jitgrad.custom_jvp
    def doubled(v):
        return lax.psum(v, "i")

    @doubled.defjvp
    def _(primals, tangents):
        return doubled(*primals), 2 * lax.psum(tangents[0], "i")

    assert_close(mode(vmap(grad(doubled), axis_name="i"))(X[0, 0]), 6 * np.ones(3))


def test_a_jitted_function_knows_the_size_of_the_axis_around_it():
    f = jit(lambda x: x * lax.axis_size("i"))
    for n in (2, 3):
        assert_close(vmap(f, axis_name="i")(np.ones(n)), n * np.ones(n))
    with pytest.raises(errors.UnboundAxisError):
        vmap(f)(np.ones(2))


def test_numbers_and_bools_have_jax_types():
    assert vmap(lambda x: lax.psum(x > 1, "i"), axis_name="i")(np.arange(4)).dtype == "int32"
    assert vmap(lambda x: lax.axis_index("i"), axis_name="i")(np.arange(4)).dtype == "int32"
    sizes = []
    vmap(lambda x: sizes.append(lax.psum(1, "i")) or x, axis_name="i")(np.arange(4))
    assert sizes == [4] and type(sizes[0]) is int


MISTAKES = {
    "an unbound name": (lambda x: lax.psum(x, "j"), errors.UnboundAxisError, "unbound axis name 'j'; bound here: 'i' of size 3"),
    "an integer": (lambda x: lax.psum(x, 0), NameError, "unbound axis name 0"),
    "groups": (lambda x: lax.psum(x, "i", axis_index_groups=[[0, 1, 2]]), errors.ArgumentError, "axis_index_groups"),
    "a source twice": (lambda x: lax.ppermute(x, "i", [(0, 1), (0, 2)]), errors.ArgumentError, "once"),
    "a pair outside": (lambda x: lax.ppermute(x, "i", [(0, 3)]), errors.ArgumentError, "outside an axis of 3"),
    "no permutation": (lambda x: lax.pshuffle(x, "i", [0, 1]), errors.ArgumentError, "permutation of 0 to 2"),
    "rows that do not fit": (lambda x: lax.all_to_all(jnp.ones((2, 2)), "i", 0, 0), errors.ShapeError, "must have 3"),
    "no such axis": (lambda x: lax.all_gather(x, "i", axis=2), errors.ArgumentError, "axis 2"),
    "two names": (lambda x: lax.ppermute(x, ("i", "i"), [(0, 1)]), errors.ArgumentError, "one named axis"),
    "a string": (lambda x: lax.psum("a", "i"), errors.NotAnArrayError, "lax.psum"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(name):
    f, error, text = MISTAKES[name]
    with pytest.raises(error, match=text):
        vmap(f, axis_name="i")(np.ones(3))


def test_outside_of_a_batch_no_name_is_bound():
    with pytest.raises(NameError, match="bound here: none"):
        lax.axis_index("i")
