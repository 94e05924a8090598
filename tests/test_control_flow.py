"""Loops and branches: each against its twin in plain Python, with derivatives, batched, eager and compiled."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import backend, grad, hessian, jacfwd, jacrev, jit, jvp, lax, make_graph, tree, vjp, vmap
from jitgrad.testing import assert_close, check_grads

from .loops_and_twins import CASES, newton, scanned

CONSTRUCTS = pytest.mark.parametrize("name", CASES)
run = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])


def total(f):
    """The sum over f's results of a function that is not linear."""
    return lambda *args: sum(jnp.sum(jnp.sin(y)) for y in tree.leaves(f(*args)))


def arrays(items):
    return [np.asarray(x) for x in tree.leaves(items)]


def agree(got, want, tolerance=1e-11):
    for g, w in zip(arrays(got), arrays(want), strict=True):
        np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


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
    if max(a.size for a in case.args) > 100:
        pytest.skip("a Jacobian of the large matrix is slow to interpret")
    x, rest = case.args[-1], case.args[:-1]

    def along(f):
        return lambda x: total(f)(*rest, x)

    def twice(f):
        return grad(lambda x: jnp.sum(jnp.cos(grad(along(f))(x))))

    agree(run(twice(case.f))(x), twice(case.twin)(x), 1e-9)
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


# What types carries and results have


@run
def test_a_number_as_a_carry_takes_the_type_that_the_body_gives_it(run):
    f32, i32 = np.float32([1, 2]), np.int32([1, 2])
    cases = [
        (lambda x: lax.scan(lambda c, x: (c + x, c), 0, x), f32, ["float32", "float32"]),
        (lambda x: lax.scan(lambda c, x: (c + x, c), 0.0, x), np.float64([1, 2]), ["float64", "float64"]),
        (lambda x: lax.scan(lambda c, x: (c + x, c), 0, x), i32, ["int32", "int32"]),
        (lambda x: lax.scan(lambda c, x: (c + 1, x), 0, x), f32, ["int64", "float32"]),
        (lambda x: lax.scan(lambda c, x: (c + 1.5, x), 0, x), f32, ["float32", "float32"]),
        (lambda x: lax.scan(lambda c, x: (c * 2, 1.0), 0.5, x), i32, ["float32", "float32"]),
        (lambda x: lax.scan(lambda c, x: (0.0, 1), x[0], x), f32, ["float32", "int64"]),
        (lambda x: lax.scan(lambda c, x: ((c[0] + 1, x * c[0] + c[1]), None), (0, x[0]), x)[0], i32, ["int64", "int32"]),
        (lambda x: lax.while_loop(lambda c: c < 9, lambda c: c + x[0], 0), f32, ["float32"]),
        (lambda x: lax.while_loop(lambda c: c[0] < 9, lambda c: (c[0] + 1, c[1] * x[0]), (0, 1)), f32, ["int64", "float32"]),
        (lambda x: lax.fori_loop(0, 3, lambda i, v: v + i, x[0]), i32, ["int32"]),
        (lambda x: lax.fori_loop(0, x[1], lambda i, v: v + i, x[0]), i32, ["int32"]),
        (lambda x: lax.fori_loop(0, 3, lambda i, v: (i, v[1] + i), (0, 0.5)), i32, ["int64", "float32"]),
    ]
    for n, (f, x, types) in enumerate(cases):
        outs = tree.leaves(run(f)(x))
        assert [str(o.dtype) for o in outs] == types, f"case {n}"
        assert not any(o.weak_type for o in outs), f"case {n}"
        with jitgrad.disable_jit():
            assert_close(tree.leaves(f(x)), outs)


@run
def test_a_number_from_one_branch_takes_the_type_that_the_other_gives(run):
    x = np.float32(2)
    assert run(lambda p, x: lax.cond(p, lambda: x, lambda: 0))(True, x).dtype == np.float32
    assert run(lambda p, x: lax.cond(p, lambda: 1.0, lambda: x))(True, x) == 1
    weak = run(lambda p, x: lax.cond(p, lambda: 1, lambda: 0.5))(False, x)
    assert weak.dtype == np.float32 and weak.weak_type and weak == 0.5
    assert (run(lambda p, x: lax.cond(p, lambda: 1, lambda: 2) * x)(True, x)).dtype == np.float32


@run
def test_default_float_is_the_type_of_carries_that_stay_numbers(run):
    jitgrad.config.default_float = "float64"
    try:
        assert run(lambda n: lax.fori_loop(0, n, lambda i, v: v * 0.5, 1.0))(3).dtype == np.float64
    finally:
        jitgrad.config.default_float = "float32"


# What the functions are called with


@run
def test_an_index_outside_means_the_nearest_branch(run):
    f = run(lambda i, x: lax.switch(i, [lambda x: x, lambda x: x * 2, lambda x: x * 3], x))
    assert [float(f(i, 1.0)) for i in (-(2**40), -1, 0, 1, 2, 3, 2**40)] == [1, 1, 1, 2, 3, 3, 3]
    assert float(f(np.uint8(255), 1.0)) == 3


@run
def test_a_predicate_may_be_any_number_and_holds_unless_it_is_0(run):
    f = run(lambda p: lax.cond(p, lambda: 1, lambda: 0))
    for p in (True, 1, -2, 0.5, np.float32(1e-30), np.uint8(3), float("nan")):
        assert int(f(p)) == 1, p
    for p in (False, 0, 0.0, -0.0, np.int8(0)):
        assert int(f(p)) == 0, p


@run
def test_operands_are_trees_and_may_be_given_as_a_keyword(run):
    f = run(lambda p, d: lax.cond(p, lambda d: d["a"] + d["b"][0], lambda d: d["a"], operand=d))
    assert float(f(True, {"a": 1.0, "b": [2.0]})) == 3
    nothing = run(lambda p: lax.cond(p, lambda _: 1, lambda _: 2, operand=None))
    assert int(nothing(False)) == 2
    assert run(lambda p, x: lax.cond(p, lambda x: None, lambda x: None, x))(True, 1.0) is None


def test_a_switch_with_one_branch_calls_it():
    assert lax.switch(5, [lambda x: [x, "text"]], 3)[1] == "text"


@run
def test_loops_without_steps_give_what_they_start_with(run):
    last, ys = run(lambda x: lax.scan(lambda c, x: (c + x, (c, x)), x, jnp.zeros((0,))))(np.ones(3))
    assert_close(last, np.ones(3))
    assert ys[0].shape == (0, 3) and ys[1].shape == (0,)
    assert run(lambda n: lax.fori_loop(3, n, lambda i, v: v + 1.5, 0))(1).dtype == np.float32
    assert run(lambda x: lax.while_loop(lambda c: c < 0, lambda c: c + 1, x))(3.5) == 3.5
    assert run(lambda x: lax.map(lambda x: x * 2, x))(np.zeros((0, 2))).shape == (0, 2)
    assert run(lambda x: lax.map(lambda x: x * 2, x, batch_size=2))(np.zeros((0, 2))).shape == (0, 2)
    assert run(lambda x: lax.associative_scan(jnp.add, x))(np.zeros((0, 2))).shape == (0, 2)
    assert run(grad(lambda x: jnp.sum(lax.scan(lambda c, x: (c * x, c), x, jnp.zeros((0,)))[0])))(2.0) == 1


@run
def test_trees_of_any_kind_go_through(run):
    def step(c, x):
        return {"a": c["a"] + x[0], "b": (c["b"][0] * 2, None)}, ([x[1]], None)

    xs = (np.arange(3.0), np.ones((3, 2)))
    last, ys = run(lambda xs: lax.scan(step, {"a": 0.0, "b": (1, None)}, xs))(xs)
    assert_close(last, {"a": np.float64(3), "b": (np.int64(8), None)})
    assert_close(ys, ([np.ones((3, 2))], None))
    assert lax.scan(lambda c, _: (c, None), (), None, length=2) == ((), None)
    assert lax.scan(lambda c, _: (c, None), None, None, 2) == (None, None)


@run
def test_associative_scan_goes_along_any_axis_from_either_end(run):
    for n in (1, 2, 3, 4, 7, 8, 16, 17):
        x = np.random.default_rng(n).uniform(0.5, 1.5, (2, n, 3))
        agree(run(lambda x: lax.associative_scan(jnp.multiply, x, axis=1))(x), np.cumprod(x, 1), 1e-13)
        back = np.flip(np.cumprod(np.flip(x, 1), 1), 1)
        agree(run(lambda x: lax.associative_scan(jnp.multiply, x, reverse=True, axis=-2))(x), back, 1e-13)


@run
def test_the_constants_of_a_body_and_of_its_condition_are_found_wherever_they_are(run):
    table = np.arange(6.0)

    def f(n, w):
        scale = jnp.asarray(table) * w

        def outer(c, x):
            return lax.while_loop(lambda s: s[0] < n + x, lambda s: (s[0] + 1, s[1] + scale[s[0]] * table[2]), (x, c))[1], None

        return lax.scan(outer, 0.5, jnp.arange(3))[0]

    def twin(n, w):
        c = 0.5
        for x in range(3):
            for i in range(x, n + x):
                c = c + table[i] * w * table[2]
        return c

    agree(run(f)(2, 1.5), twin(2, 1.5))
    agree(run(grad(f, 1))(2, 1.5), twin(2, 1.5) - twin(2, 0.5), 1e-12)


def test_a_body_is_traced_once_where_its_types_stay():
    calls = []

    def step(c, x):
        calls.append(1)
        return c + x, c

    lax.scan(step, jnp.zeros(()), jnp.ones(10))
    assert len(calls) == 1


def test_a_loop_is_one_equation_of_the_program():
    graph = make_graph(lambda x: newton(x))(np.float64(2))
    assert [e.op.name for e in graph.eqns] == ["while_loop"]
    graph = make_graph(lambda x: lax.fori_loop(0, 10, lambda i, v: v * x, 1.0))(np.float64(2))
    assert [e.op.name for e in graph.eqns] == ["scan"] and graph.eqns[0].params["length"] == 10


# Eager


def test_without_jit_loops_are_pythons_own(capsys):
    with jitgrad.disable_jit():

        def step(c, x):
            if x > 1:
                print(float(c))
            return c + x, c

        last, ys = lax.scan(step, 0.0, jnp.arange(3.0))
        assert float(last) == 3 and ys.tolist() == [0, 0, 1]
        assert capsys.readouterr().out == "1.0\n"
        assert float(grad(lambda a: lax.while_loop(lambda x: bool(x < 10), lambda x: x * a, 1.0))(2.0)) == 32
        assert lax.cond(True, lambda: 1, lambda: 1 / 0) == 1
        assert lax.fori_loop(0, 3, lambda i, v: v + int(i), 0) == 3
        for name in ("cond in while in scan", "loops in branches", "fori of computed bounds"):
            case = CASES[name]
            agree(case.f(*case.args), case.twin(*case.args))
        agree(vmap(newton)(np.array([2.0, 3.0])), np.sqrt([2, 3]))


@pytest.mark.parametrize("budget", [0, 7, 100, 10**9])
def test_loops_on_concrete_arrays_do_not_depend_on_how_much_is_interpreted(monkeypatch, budget):
    monkeypatch.setattr(backend, "INTERPRETED", budget)
    for name in ("scan", "newton", "while over a tree", "cond in while in scan", "switch", "while, checkpoint=2"):
        case = CASES[name]
        agree(case.f(*case.args), case.twin(*case.args))
        agree(grad(total(case.f))(*case.args), grad(total(case.twin))(*case.args))
    agree(vmap(newton)(np.array([2.0, 900.0])), np.sqrt([2, 900]))


def test_pullbacks_of_loops_may_be_used_again():
    one, two = jnp.asarray([1.0, 2.0], "float64")
    value, pullback = vjp(newton, two)
    agree(value, np.sqrt(2))
    agree([pullback(one), pullback(two)], [0.5 / np.sqrt(2), 1 / np.sqrt(2)])
