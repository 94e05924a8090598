"""Loops and branches: each against its twin in plain Python, with derivatives, batched, eager and compiled."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import grad, hessian, jacfwd, jacrev, jit, jvp, lax, tree, vjp, vmap
from jitgrad.testing import check_grads

from .loops_and_twins import CASES, agree, arrays, newton, scanned, total

CONSTRUCTS = pytest.mark.parametrize("name", CASES)
run = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])


@run
@CONSTRUCTS
def test_values_are_those_of_the_twin(run, name):
    case = CASES[name]
    got, want = run(case.f)(*case.args), case.twin(*case.args)
    assert tree.structure(got) == tree.structure(want)
    agree(got, want, 1e-13)


@run
@CONSTRUCTS
def test_first_derivatives_are_those_of_the_twin_in_both_modes(run, name):
    case = CASES[name]
    every = tuple(range(len(case.args)))
    want = grad(total(case.twin), every)(*case.args)
    agree(grad(run(total(case.f)), every)(*case.args), want)
    agree(run(grad(total(case.f), every))(*case.args), want)
    moves = tuple(jnp.asarray(np.random.default_rng(1).uniform(-1, 1, a.shape)) for a in case.args)
    value, tangent = run(lambda a, t: jvp(case.f, a, t))(case.args, moves)
    wanted = jvp(case.twin, case.args, moves)
    agree((value, tangent), wanted)
    for n in every:
        agree(run(jacfwd(total(case.f), n))(*case.args), want[n])


@run
@CONSTRUCTS
def test_second_derivatives_are_those_of_the_twin_in_all_orders_of_modes(run, name):
    case = CASES[name]
    x, rest = case.args[-1], case.args[:-1]

    def along(f):
        return lambda x: total(f)(*rest, x)

    def twice(f):
        return grad(lambda x: jnp.sum(jnp.cos(grad(along(f))(x))))

    agree(run(twice(case.f))(x), twice(case.twin)(x), 1e-9)
    if max(a.size for a in case.args) > 100:  # whole Hessians are slow to interpret: their product with a direction
        v = jnp.asarray(np.random.default_rng(2).uniform(-1, 1, x.shape))
        want = jvp(grad(along(case.twin)), (x,), (v,))[1]
        agree(run(lambda x: jvp(grad(along(case.f)), (x,), (v,))[1])(x), want, 1e-9)
        agree(run(grad(lambda x: jvp(along(case.f), (x,), (v,))[1]))(x), want, 1e-9)
        return
    want = jacrev(jacrev(along(case.twin)))(x) if x.size < 4 else None
    found = [run(two(one(along(case.f))))(x) for one, two in itertools.product((jacfwd, jacrev), repeat=2)]
    for h in found:
        agree(h, found[0] if want is None else want, 1e-9)


@run
@CONSTRUCTS
def test_derivatives_agree_with_finite_differences(run, name):
    case = CASES[name]
    f = lambda *args: case.f(*map(jnp.asarray, args))  # noqa: E731 - numbers of NumPy are weak
    check_grads(run(f), case.args, order=1)
    if max(a.size for a in case.args) < 100:
        check_grads(run(total(f)), case.args, order=2, atol=1e-4, rtol=1e-4)


@run
@pytest.mark.parametrize("unroll", [2, 99, True, False])
def test_unrolling_changes_no_result(run, unroll):
    for reverse in (False, True):
        case, plain = scanned(reverse, unroll), scanned(reverse)
        agree(run(case.f)(*case.args), plain.f(*case.args))
        agree(run(grad(total(case.f)))(*case.args), grad(total(plain.twin))(*case.args))
    agree(run(lambda x: lax.fori_loop(0, 7, lambda i, v: jnp.sin(v) + i, x, unroll=unroll))(1.0),
          lax.fori_loop(0, 7, lambda i, v: jnp.sin(v) + i, 1.0), 1e-6)  # fmt: skip


ROWS = 3


@run
@CONSTRUCTS
def test_a_batch_is_the_twin_done_to_each_example_for_every_set_of_batched_operands(run, name):
    case = CASES[name]
    rng = np.random.default_rng(2)
    for batched in itertools.product((False, True), repeat=len(case.args)):
        if not any(batched):
            continue
        axes = tuple(0 if b else None for b in batched)
        args = [jnp.asarray(np.stack([a + 0.3 * k * rng.uniform(0, 1, a.shape) for k in range(ROWS)])) if b else a
                for a, b in zip(case.args, batched, strict=True)]  # fmt: skip
        rows = [[a[k] if b else a for a, b in zip(args, batched, strict=True)] for k in range(ROWS)]
        want = tree.map(lambda *ys: np.stack(list(map(np.asarray, ys))), *[case.twin(*row) for row in rows])
        agree(run(vmap(case.f, axes))(*args), want, 1e-12)
        every = tuple(range(len(args)))
        gradients = [grad(total(case.twin), every)(*row) for row in rows]
        agree(run(vmap(grad(total(case.f), every), axes))(*args), [np.stack(g) for g in zip(*map(arrays, gradients), strict=True)])


@run
@pytest.mark.parametrize("name", ["scan", "newton", "cond", "cond in while in scan", "loops in branches"])
def test_a_batch_may_lie_along_any_axis_and_gradients_of_batches_are_batches_of_gradients(run, name):
    case = CASES[name]
    x, rest = case.args[-1], case.args[:-1]
    batch = jnp.stack([x, x + 0.2, x + 0.7], -1)
    axes = (*[None] * len(rest), -1)
    want = [grad(total(case.twin), len(rest))(*rest, batch[..., k]) for k in range(3)]
    outside = grad(lambda b: jnp.sum(vmap(total(case.f), axes)(*rest, b)))
    agree(run(outside)(batch), np.stack(list(map(np.asarray, want)), -1))
    inside = vmap(grad(total(case.f), len(rest)), axes, out_axes=-1)
    agree(run(inside)(*rest, batch), np.stack(list(map(np.asarray, want)), -1))


# Newton's method


def damped(a, w, x):
    """Square roots by Newton's method with steps made shorter by w: as many steps as w says."""
    return lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-13 * a, lambda x: x - w * (x * x - a) / (2 * x), x)


def by_hand(a, w, x):
    """The same, with its first and second derivative in a, and the number of steps."""
    d = e = 0.0
    steps = 0
    while abs(x * x - a) > 1e-13 * a:
        # y = x - w/2 (x - a/x)
        gx, gxx, ga, gxa = 1 + a / x**2, -2 * a / x**3, -1 / x, 1 / x**2
        e = e - w / 2 * (gx * e + gxx * d * d + 2 * gxa * d)
        d = d - w / 2 * (gx * d + ga)
        x = x - w * (x * x - a) / (2 * x)
        steps += 1
    return x, d, e, steps


@run
def test_newtons_method_is_differentiated_to_1e_8_for_trip_counts_from_1_to_1000_under_vmap(run):
    a = np.array([2.0, 3.0, 0.5, 10.0, 2.0, 7.0])
    w = np.array([1.0, 1.0, 0.8, 0.3, 0.1, 0.031])
    x = np.array([np.sqrt(2.0) + 1e-9, 2.0, 3.0, 1.0, 3.0, 5.0])
    rows = [by_hand(*row) for row in zip(a, w, x, strict=True)]
    value, first, second, steps = map(np.array, zip(*rows, strict=True))
    assert steps.min() == 1 and 900 < steps.max() <= 1000
    agree(run(vmap(damped))(a, w, x), value, 1e-12)
    agree(run(vmap(grad(damped)))(a, w, x), first, 1e-8)
    agree(run(grad(lambda a: jnp.sum(vmap(damped)(a, w, x))))(a), first, 1e-8)
    agree(run(vmap(grad(grad(damped))))(a, w, x), second, 1e-8)
    agree(first, 0.5 / np.sqrt(a), 1e-8)
    agree(second[1:], -0.25 * a[1:] ** -1.5, 1e-8)
    for k in (0, 2, 5):
        row = [jnp.asarray(v)[k] for v in (a, w, x)]  # NumPy's own scalars are weak
        agree(run(grad(damped))(*row), first[k], 1e-8)
        agree(run(grad(grad(damped)))(*row), second[k], 1e-8)


@run
@pytest.mark.parametrize("checkpoint", [1, 2, 7, "auto"])
def test_a_while_loop_that_keeps_states_gives_the_derivatives_of_one_that_keeps_all(run, checkpoint):
    def loop(kept):
        def f(w, x):
            def step(s):
                return s[0] + 1, {"a": jnp.sin(s[1]["a"] * w) + 0.1 * s[0], "b": s[1]["b"] + jnp.sum(s[1]["a"])}

            return lax.while_loop(lambda s: s[0] < 23, step, (0, {"a": x, "b": jnp.sum(w)}), checkpoint=kept)[1]

        return total(f)

    w, x = np.array([0.7, 1.2]), np.array([0.1, -0.4])
    mine, plain = loop(checkpoint), loop(None)
    agree(run(mine)(w, x), plain(w, x), 1e-14)
    agree(run(grad(mine, (0, 1)))(w, x), grad(plain, (0, 1))(w, x), 1e-12)
    agree(run(hessian(mine))(w, x), hessian(plain)(w, x), 1e-12)
    agree(run(jacrev(jacrev(mine)))(w, x), hessian(plain)(w, x), 1e-11)
    batch = np.stack([w, w + 0.1, w * 2])
    agree(run(vmap(grad(mine), (0, None)))(batch, x), [np.stack([grad(plain)(row, x) for row in batch])], 1e-12)


@run
def test_third_derivatives_of_a_while_loop(run):
    f = lambda a: newton(a, 3.0)  # noqa: E731
    agree(run(grad(grad(grad(f))))(2.0), 0.375 * 2**-2.5, 1e-8)
    agree(run(jacfwd(jacrev(jacfwd(f))))(2.0), 0.375 * 2**-2.5, 1e-8)
    agree(run(vmap(grad(grad(grad(f)))))(np.array([2.0, 5.0])), 0.375 * np.array([2.0, 5.0]) ** -2.5, 1e-8)


def test_a_derivative_of_a_loop_that_ends_when_it_may_goes_into_programs_and_comes_out_of_them():
    def root(a):
        return lax.while_loop(lambda x: abs(x * x - a) > 1e-5, lambda x: (x + a / x) / 2, a)

    back = vjp(root, 2.0)[1]
    given = jit(lambda back, y: back(y))
    returned = jit(lambda x: vjp(root, x)[1])
    for step in (jit(back), lambda y: given(back, y), returned(2.0), jit(returned(2.0)), lambda y: given(returned(2.0), y)):
        for y in (1.0, 3.0):
            agree(step(y), y * 0.5 * 2**-0.5, 1e-4)
    agree(given(vjp(root, 9.0)[1], 1.0), 1 / 6, 1e-4)
