"""What loops and branches mean: types of carries and results, operands, ends of ranges, trees, and how they run eagerly."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import backend, grad, hessian, jit, lax, make_graph, tree, vjp, vmap
from jitgrad.errors import ArgumentError
from jitgrad.testing import assert_close

from .loops_and_twins import CASES, agree, newton, total

run = pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])


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


@run
def test_each_branch_may_have_an_operand_of_its_own(run):
    f = run(lambda p, a, b: lax.cond(p, a, lambda a: a["x"] * 2, b, lambda b: b + 1))
    assert f(True, {"x": 3.0}, 5.0) == 6.0 and f(False, {"x": 3.0}, 5.0) == 6.0
    assert grad(lambda a, b: f(False, {"x": a}, b), (0, 1))(3.0, 5.0) == (0.0, 1.0)


@run
def test_what_a_loop_or_a_branch_hands_on_is_one_for_a_whole_batch(run):
    x, y = jnp.arange(3), jnp.array(3.0)

    def whole(f, out_axes=(0, None)):
        return tree.map(lambda v: v.tolist(), run(vmap(f, in_axes=(0, None), out_axes=out_axes))(x, y))

    assert whole(lambda x, y: lax.cond(x < 2, lambda x, y: (x * 2, y), lambda x, y: (x * 3, y), x, y)) == ([0, 2, 6], 3.0)
    assert whole(lambda x, y: lax.cond(x < 2, lambda x: (x * 2, y), lambda x: (x * 3, y), x)) == ([0, 2, 6], 3.0)
    assert whole(lambda x, y: lax.switch(x, [lambda a: (x, a[1])] * 3, (x, y))) == ([0, 1, 2], 3.0)
    assert whole(lambda x, y: lax.while_loop(lambda s: s[0] < 9, lambda s: (s[0] + 1, s[1]), (x, y))) == ([9, 9, 9], 3.0)
    assert whole(lambda x, y: lax.fori_loop(0, x, lambda i, s: (s[0] + 1, s[1]), (x, y))) == ([0, 2, 4], 3.0)
    scanned = whole(lambda x, y: lax.scan(lambda c, _: ((c[0] + 1, c[1]), c[1]), (x, y), None, length=2), ((0, None), None))
    assert scanned == (([2, 3, 4], 3.0), [3.0, 3.0])
    for f in (
        lambda x, y: lax.while_loop(lambda s: s[0] < 9, lambda s: (s[0] + 1, s[1] * 2), (x, y)),
        lambda x, y: lax.cond(x < 2, lambda x: (x, y * 2), lambda x: (x, y), x),
    ):
        with pytest.raises(ArgumentError, match="out_axes is None for an output that differs"):
            whole(f)


@run
def test_no_steps_at_a_time_and_no_examples_at_once_are_one(run):
    total, sums = run(lambda: lax.scan(lambda c, x: (c + x, c), 0.0, jnp.arange(3.0), unroll=0))()
    assert total == 3.0 and sums.tolist() == [0.0, 0.0, 1.0]
    assert run(lambda: lax.fori_loop(0, 3, lambda i, x: x + i, 0.0, unroll=0))() == 3.0
    assert run(lambda: lax.map(lambda x: x * 2, jnp.arange(3), batch_size=0))().tolist() == [0, 2, 4]


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
def test_loops_without_steps_inside_others_keep_nothing(run):
    def f(x):
        def step(s):
            none = lax.scan(lambda c, u: (jnp.tanh(c * u), c * u), s[1], jnp.zeros((0, 2)))
            return s[0] + 1, lax.fori_loop(0, 0, lambda i, v: jnp.tanh(v * x), none[0]) * x + jnp.sum(none[1])

        return jnp.sum(lax.while_loop(lambda s: s[0] < 3, step, (0, x))[1])

    x = np.array([0.5, 2.0])
    agree(run(grad(f))(x), 4 * x**3)
    agree(run(hessian(f))(x), np.diag(12 * x**2))
    agree(run(vmap(grad(f)))(np.stack([x, x + 1])), 4 * np.stack([x, x + 1]) ** 3)


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


NESTED = {
    "fori": lambda body, x: lax.fori_loop(0, 3, lambda i, y: body(y), x),
    "while": lambda body, x: lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, body(s[1])), (0, x))[1],
    "scan": lambda body, x: lax.scan(lambda c, i: (body(c), None), x, jnp.arange(3.0))[0],
    "cond": lambda body, x: lax.cond(True, body, lambda x: x, x),
    "fori in while": lambda body, x: NESTED["while"](lambda y: NESTED["fori"](body, y), x),
    "scan in cond": lambda body, x: NESTED["cond"](lambda y: NESTED["scan"](body, y), x),
}


@pytest.mark.parametrize("start", [1.0, 1.0 + 0j, np.float32(1.0)])
@pytest.mark.parametrize("loop", NESTED)
def test_the_innermost_body_is_traced_once_however_deep_it_is(loop, start):
    traced = []

    def nested(depth, x):
        if depth == 0:
            traced.append(x)
            return jnp.sin(x)
        return NESTED[loop](lambda y: nested(depth - 1, y) * 0.5, x)

    jit(lambda x: nested(4, x))(start)
    assert len(traced) == 1


def test_a_number_is_carried_in_the_default_type_and_nothing_beside_it_is_wider():
    def step(i, c):
        return jnp.where(c > 0.5, c * 0.7 + 1.0, jnp.maximum(c, 0.1) ** 2) - jnp.sin(c) / 3

    assert "f64" not in str(make_graph(lambda: lax.fori_loop(0, 3, step, 1.0))())


@run
@pytest.mark.parametrize("default", ["float32", "float64"])
def test_numbers_carried_by_nested_loops_take_the_types_that_the_innermost_bodies_give_them(run, default):
    narrow, wide, whole = jnp.ones(3, "float32"), jnp.ones(3, "float64"), jnp.ones(3, "int32")

    def inner(start, step, xs):
        return lax.scan(lambda c, x: (step(c, x), c * 0.5), start, xs)

    def outer(start, step, xs, pick):
        def body(i, c):
            last, ys = inner(c, step, xs)
            return (last, jnp.sum(ys))[pick] * 0.5

        return lax.fori_loop(0, 2, body, start)

    jitgrad.config.default_float = default
    try:
        cases = [
            (1.0, lambda c, x: c + x, narrow, "float32"), (1.0, lambda c, x: c + x, wide, "float64"),
            (1.0, lambda c, x: c + x, whole, default), (1.0, lambda c, x: c * 2.0, narrow, default),
            (0, lambda c, x: c + x, narrow, "float32"), (0, lambda c, x: c + x, wide, "float64"),
            (1.0, lambda c, x: lax.add(c, x), wide, "float64"),
        ]  # fmt: skip
        for start, step, xs, dtype in cases:
            for pick in (0, 1):
                assert run(lambda s=start, f=step, xs=xs, pick=pick: outer(s, f, xs, pick))().dtype == dtype
    finally:
        jitgrad.config.default_float = "float32"


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
