"""Mistakes in loops and branches and what is said about them: both sides, the path in the pytree, the lines, the fix."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import disable_jit, errors, grad, jit, lax, vmap

X3, X4 = jnp.ones(3), jnp.ones(4)
STEP = {"n": 0, "x": X3}


def widens(c, x=None):
    return {"n": c["n"] + 1, "x": c["x"].astype("float64")}


def grows(c, x=None):
    return {"n": c["n"] + 1, "x": jnp.concatenate([c["x"], c["x"]])}


def loses(c, x=None):
    return {"x": c["x"]}


def renames(c, x=None):
    return {"n": c["n"], "y": c["x"]}


def keeps(c):
    return c


def pair(f):
    @functools.wraps(f)
    def step(c, x):
        return f(c), x

    return step


def counted(f):
    @functools.wraps(f)
    def step(i, c):
        return f(c)

    return step


def line(f):
    """Where a function is defined, as messages say it."""
    return f"{f.__name__} ({__file__}:{inspect.unwrap(f).__code__.co_firstlineno})"


def fails(error, call, *parts, loop=None):
    """Check that `call`, a lambda written in a test, raises this error with the parts and, last, the line of the lambda or of the
    loop that it calls.
    """
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    first = inspect.getsourcelines(loop or call)[1]
    at, _, number = message.rpartition(":")
    assert at.endswith(f"at {__file__}"), message
    assert first - 4 <= int(number) <= first + 6, message
    assert isinstance(caught.value, errors.JitgradError)
    return message


LOOPS = {
    "scan": lambda f: lax.scan(pair(f), STEP, jnp.arange(3)),
    "while_loop": lambda f: lax.while_loop(lambda c: c["n"] < 3, f, STEP),
    "fori_loop": lambda f: lax.fori_loop(0, 3, counted(f), STEP),
    "fori_loop of computed bounds": lambda f: lax.fori_loop(0, jnp.argmax(X3) + 2, counted(f), STEP, checkpoint=1),
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "mode", [lambda f: f(), lambda f: jit(f)(), lambda f: vmap(f, axis_size=2)()], ids=["eager", "jit", "vmap"]
)
def test_a_carry_that_changes_names_both_types_the_path_and_the_line(loop, mode):
    where, f = f"lax.{loop.split()[0]}: ", LOOPS[loop]
    for step, parts in [
        (widens, ["carry['x'] was float32[3] and became float64[3]", "Convert it in the body with .astype"]),
        (grows, ["carry['x'] was float32[3] and became float32[6]", "init of that shape"]),
        (loses, ["missing: ['n']", "built like the"]),
        (renames, ["missing: ['x']; unexpected: ['y']"]),
    ]:
        fails(errors.CarryTypeError, lambda: mode(lambda: f(step)), where, line(step), *parts, loop=f)  # noqa: B023
    assert issubclass(errors.CarryTypeError, TypeError)


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_in_python_check_their_carries_too(loop):
    with disable_jit():
        with pytest.raises(errors.CarryTypeError, match="float32\\[3\\] and became float64\\[3\\]"):
            LOOPS[loop](widens)
        with pytest.raises(errors.CarryTypeError, match="missing: \\['n'\\]"):
            LOOPS[loop](loses)


def test_several_carries_that_change_are_all_named():
    message = fails(
        errors.CarryTypeError, lambda: lax.scan(lambda c, x: ((c[0] > 0, c[1] + X4.astype("float64"), c[2]), x), (X3, X4, 0), X3)
    )
    assert "carry[0] was float32[3] and became bool[3]; carry[1] was float32[4] and became float64[4]." in message


def test_a_carry_that_is_one_array_has_no_path():
    fails(errors.CarryTypeError, lambda: lax.while_loop(lambda c: c < 3, lambda c: c + 0.5, jnp.asarray(1)), "carry was int64[]")
    fails(errors.CarryTypeError, lambda: lax.scan(lambda c, x: ((c, c), x), 0.0, X3), "PyTreeSpec(*)", "(*, *)")
    fails(errors.CarryTypeError, lambda: lax.scan(lambda c, x: (c + X3, x), 0.0, X3), "carry was float32[] and became float32[3]")


def test_partials_methods_and_jitted_functions_are_found_by_their_lines():
    class Model:
        def __call__(self, c):
            return c * 0.5

        def method(self, c):
            return c * 0.5

    def halve(c, by):
        return c * by

    whole = jnp.asarray(3)
    first = inspect.getsourcelines(Model)[1]
    fails(errors.CarryTypeError, lambda: lax.fori_loop(0, 3, lambda i, c: c * 0.5, whole), "<lambda> (", "float32[]")
    fails(errors.CarryTypeError, lambda: lax.while_loop(lambda c: c > 3, Model(), whole), f"Model ({__file__}:{first + 1})")
    fails(errors.CarryTypeError, lambda: lax.while_loop(lambda c: c > 3, Model().method, whole), f"method ({__file__}:{first + 4})")
    halved = functools.partial(halve, by=0.5)
    fails(errors.CarryTypeError, lambda: lax.while_loop(lambda c: c > 3, halved, whole), line(halve))
    fails(errors.CarryTypeError, lambda: lax.while_loop(lambda c: c > 3, jit(lambda c: c * 0.5), whole), f"<lambda> ({__file__}:")


# scan


def test_a_body_of_scan_returns_a_pair():
    fails(
        errors.CarryTypeError,
        lambda: lax.scan(lambda c, x: c, X3, X4),
        "<lambda> (",
        "must return a pair",
        "got Array",
        "(carry, None)",
    )
    fails(errors.CarryTypeError, lambda: lax.scan(lambda c, x: (c, x, x), 0, X4), "got 3 values")
    fails(errors.CarryTypeError, lambda: lax.scan(lambda c, x: None, 0, X4), "got NoneType")


def test_the_lengths_of_xs_must_agree():
    f = lambda c, x: (c, None)  # noqa: E731
    fails(errors.ShapeError, lambda: lax.scan(f, 0, {"a": X3, "b": (X4,)}), "xs['a'] has 3, xs['b'][0] has 4", "Cut them")
    fails(errors.ShapeError, lambda: lax.scan(f, 0, X3, length=4), "length is 4, xs has 3", "Leave length out")
    fails(errors.ShapeError, lambda: lax.scan(f, 0, (X3, 1.0)), "xs[1]", "an axis to go along", "float32[]", "Close over")
    fails(errors.ArgumentError, lambda: lax.scan(f, 0), "how many steps", "Give one of them")
    fails(errors.ArgumentError, lambda: lax.scan(f, 0, None), "how many steps")
    for length in (-1, 2.5, "3", [3]):
        fails(errors.ArgumentError, lambda: lax.scan(f, 0, None, length), "length must be an integer of at least 0", repr(length))  # noqa: B023
    assert issubclass(errors.ShapeError, ValueError) and issubclass(errors.ArgumentError, ValueError)


@pytest.mark.parametrize("unroll", [-1, 2.0, None, "2"])
def test_unroll_is_a_bool_or_not_negative(unroll):
    fails(
        errors.ArgumentError, lambda: lax.scan(lambda c, x: (c, x), 0, X3, unroll=unroll), "lax.scan: unroll must be", repr(unroll)
    )
    if unroll is not None:
        fails(errors.ArgumentError, lambda: lax.fori_loop(0, 3, lambda i, c: c, 0, unroll=unroll), "lax.fori_loop: unroll must")


def test_what_is_no_array_in_a_carry_or_a_result_is_named():
    fails(errors.NotAnArrayError, lambda: lax.scan(lambda c, x: (c, x), {"a": "text"}, X3), "the initial carry['a']", "str")
    fails(errors.NotAnArrayError, lambda: lax.scan(lambda c, x: (c, {"y": "text"}), 0, X3), "its result[1]['y']", "str")
    fails(errors.NotAnArrayError, lambda: lax.scan(lambda c, x: (c, x), 0, {"b": object()}), "xs['b']")
    fails(errors.NotAnArrayError, lambda: lax.cond(True, lambda x: x, lambda x: x, "text"), "operands[0]", "str")


# while_loop, fori_loop


def test_a_condition_is_a_scalar_bool():
    for test, got in [
        (lambda x: x, "float32[3]"), (lambda x: x > 0, "bool[3]"), (lambda x: x[0], "float32[]"), (lambda x: 1, "int64[]"),
        (lambda x: (x[0] > 0, True), "PyTreeSpec((*, *))"), (lambda x: None, "PyTreeSpec(None)"),
    ]:  # fmt: skip
        call = lambda: lax.while_loop(test, keeps, X3)  # noqa: E731, B023
        with pytest.raises(errors.NotAScalarError) as caught:
            call()
        for part in ("cond_fun must return a scalar bool", f"<lambda> ({__file__}:", got, "jitgrad.numpy.all"):
            assert part in str(caught.value)
        with disable_jit(), pytest.raises(errors.NotAScalarError):
            call()
    assert issubclass(errors.NotAScalarError, TypeError)


def test_checkpoint_is_none_auto_or_positive():
    for kept in (0, -3, 2.5, "all", True, [2]):
        fails(
            errors.ArgumentError, lambda: lax.while_loop(lambda x: x < 3, lambda x: x + 1, 0, checkpoint=kept),  # noqa: B023
            'lax.while_loop: checkpoint must be None, "auto" or how many states', repr(kept),
        )  # fmt: skip
        fails(errors.ArgumentError, lambda: lax.fori_loop(0, 3, lambda i, x: x, 0, checkpoint=kept), "lax.fori_loop: checkpoint")  # noqa: B023


def test_bounds_are_integer_scalars_of_one_type():
    f = lambda i, c: c  # noqa: E731
    fails(errors.NotAScalarError, lambda: lax.fori_loop(0, 3.0, f, 0), "upper must be an integer scalar", "float32[]", ".astype")
    fails(
        errors.NotAScalarError, lambda: lax.fori_loop(X3, 3, f, 0), "lower must be an integer scalar", "float32[3]", "one element"
    )
    fails(errors.NotAScalarError, lambda: lax.fori_loop(True, 3, f, 0), "lower", "bool[]")
    fails(errors.NotAScalarError, lambda: lax.fori_loop(np.int8(0), jnp.int32(3), f, 0), "one integer type", "int8[] and int32[]")
    fails(errors.NotAnArrayError, lambda: lax.fori_loop("0", 3, f, 0), "lower", "str")


def test_unrolling_needs_bounds_that_are_known():
    loop = lambda n: lax.fori_loop(0, n, lambda i, c: c + i, 0, unroll=2)  # noqa: E731
    with pytest.raises(errors.ArgumentError, match="unroll=2 needs bounds that are known when it is traced"):
        jit(loop)(3)
    assert int(loop(3)) == 3


# cond, switch


def test_branches_that_differ_name_both_with_their_lines():
    def one(x):
        return {"a": x, "b": [x[0], 1]}

    def wide(x):
        return {"a": x, "b": [x[0], x.astype("float64")[0]]}

    def long(x):
        return {"a": jnp.concatenate([x, x]), "b": [x[0], 1]}

    def other(x):
        return {"a": x}

    fails(
        errors.BranchTypeError, lambda: lax.cond(True, wide, lambda x: {"a": x, "b": [x[0], x[1]]}, X3),
        "lax.cond", "the result['b'][1] is float32[] from false_fun <lambda> (", f"and float64[] from true_fun {line(wide)}",
    )  # fmt: skip
    fails(
        errors.BranchTypeError, lambda: lax.cond(True, one, long, X3), "float32[6] from false_fun", line(one), line(long), "reshape"
    )
    fails(
        errors.BranchTypeError, lambda: lax.switch(0, [one, one, other], X3),
        "lax.switch", "one structure", f"branch 0 {line(one)}", f"branch 2 {line(other)}", "missing: ['b'][0], ['b'][1]",
    )  # fmt: skip
    fails(errors.BranchTypeError, lambda: lax.switch(0, [one, one, long], X3), "from branch 0", f"from branch 2 {line(long)}")
    fails(errors.BranchTypeError, lambda: lax.cond(True, lambda: 1.5, lambda: jnp.asarray(1)), "int64[]", "float32[]")
    fails(errors.BranchTypeError, lambda: jit(lambda x: lax.cond(x, lambda: X3, lambda: None))(True), "PyTreeSpec")
    fails(errors.BranchTypeError, lambda: grad(lambda x: lax.cond(True, one, long, x)["a"][0])(X3), line(one), line(long))
    assert issubclass(errors.BranchTypeError, TypeError)


def test_a_predicate_is_a_scalar_number():
    one = lambda: 1  # noqa: E731
    fails(errors.NotAScalarError, lambda: lax.cond(X3 > 0, one, one), "pred must be a scalar", "bool[3]")
    fails(errors.NotAScalarError, lambda: lax.cond(1j, one, one), "pred", "complex64[]")
    fails(errors.NotAScalarError, lambda: lax.cond("yes", one, one), "pred", "str: 'yes'")
    fails(errors.NotAScalarError, lambda: lax.cond(None, one, one), "pred", "NoneType")


def test_an_index_of_branches_is_an_integer_scalar():
    branches = [lambda: 1, lambda: 2]
    fails(errors.NotAScalarError, lambda: lax.switch(1.0, branches), "index must be an integer scalar", "float32[]", ".astype")
    fails(errors.NotAScalarError, lambda: lax.switch(True, branches), "index", "bool[]")
    fails(errors.NotAScalarError, lambda: lax.switch(jnp.arange(2), branches), "index", "int64[2]")
    fails(errors.NotAScalarError, lambda: lax.switch("1", branches), "index", "str")
    fails(errors.NotAScalarError, lambda: lax.switch(2.5, branches[:1]), "index", "float32[]")


def test_a_switch_has_branches():
    fails(errors.ArgumentError, lambda: lax.switch(0, []), "at least one branch", "empty list")
    fails(errors.ArgumentError, lambda: lax.switch(0, lambda: 1), "a sequence of functions", "function")
    fails(errors.ArgumentError, lambda: lax.switch(0, 7), "a sequence of functions", "int")


def test_operands_are_given_in_one_way():
    fails(errors.ArgumentError, lambda: lax.cond(True, keeps, keeps, 1, operand=2), "by position or as the keyword operand")


@pytest.mark.parametrize(
    "call",
    [
        lambda: lax.scan(3, 0, X3), lambda: lax.while_loop(3, keeps, 0), lambda: lax.while_loop(keeps, 3, 0),
        lambda: lax.fori_loop(0, 3, 3, 0), lambda: lax.map(3, X3), lambda: lax.associative_scan(3, X3),
        lambda: lax.cond(True, 3, keeps, 0), lambda: lax.cond(True, keeps, 3, 0), lambda: lax.switch(0, [keeps, 3], 0),
    ],
)  # fmt: skip
def test_what_must_be_a_function_is_one(call):
    with pytest.raises(errors.ArgumentError, match="must be a function, got int: '3'"):
        call()


# functions with other parameters


@pytest.mark.parametrize(
    ("call", "called", "takes"),
    [
        (lambda: lax.fori_loop(0, 3, lambda x: x, 0.0), "lax.fori_loop: body_fun is called as body_fun(i, value)", "takes (x)"),
        (lambda: lax.while_loop(lambda a, b: a < 3, lambda s: s, (0, 0)), "cond_fun is called as cond_fun(value)", "takes (a, b)"),
        (
            lambda: lax.while_loop(lambda s: s[0] < 3, lambda a, b: a, (0, 0)),
            "body_fun is called as body_fun(value)",
            "takes (a, b)",
        ),
        (lambda: lax.scan(lambda c: (c, None), 0.0, X3), "lax.scan: f is called as f(carry, x)", "takes (c)"),
        (lambda: lax.map(lambda a, b: a, (X3, X3)), "lax.map: f is called as f(x)", "takes (a, b)"),
        (lambda: lax.cond(True, lambda x: x, lambda: 1, 3), "lax.cond: false_fun is called as false_fun(operand 0)", "takes ()"),
        (lambda: lax.switch(0, [lambda: 1, lambda x: x]), "lax.switch: branch 1 is called as branch 1()", "takes (x)"),
        (lambda: lax.scan(lambda c, x, *, gain: (c, x), 0.0, X3), "lax.scan: f is called as f(carry, x)", "gain"),
    ],
)
def test_a_function_with_other_parameters_is_told_how_it_is_called(call, called, takes):
    for mode in (call, lambda: jit(lambda: call())()):
        with pytest.raises(errors.ParametersError) as caught:
            mode()
        assert called in str(caught.value) and takes in str(caught.value)
        assert isinstance(caught.value, TypeError)


def test_parameters_with_defaults_and_functions_that_do_not_say_are_taken():
    assert lax.fori_loop(0, 3, lambda i, x, by=2: x * by, 1) == 8
    assert lax.fori_loop(0, 3, lambda *args: args[1] + 1, 0) == 3
    assert lax.fori_loop(0, 3, functools.partial(lambda gain, i, x: x * gain, 2), 1) == 8
    assert lax.fori_loop(0, 3, jit(lambda i, x: x + i), 0) == 3


# map, associative_scan


def test_map_needs_slices_and_a_batch_size_that_is_not_negative():
    for size in (-1, 2.0, True, "2"):
        fails(errors.ArgumentError, lambda: lax.map(lambda x: x, X3, batch_size=size), "lax.map: batch_size must be", repr(size))  # noqa: B023
    fails(errors.ArgumentError, lambda: lax.map(lambda x: x, None), "lax.map", "how many steps")
    fails(errors.ShapeError, lambda: lax.map(lambda x: x, (X3, X4)), "lax.map", "xs[0] has 3, xs[1] has 4")


def test_associative_scan_keeps_what_it_is_given():
    def widen(a, b):
        return (a + b).astype("float64")

    def shorten(a, b):
        return (a + b)[:1]

    fails(
        errors.ShapeError, lambda: lax.associative_scan(jnp.add, {"a": X3, "b": X4}), "axis 0", "elems['a'] has 3, elems['b'] has 4"
    )
    fails(errors.ShapeError, lambda: lax.associative_scan(jnp.add, (X3, 1.0)), "elems[1]", "an axis to go along")
    fails(errors.ArgumentError, lambda: lax.associative_scan(jnp.add, X3, axis=1), "associative_scan", "axis 1")
    fails(errors.ArgumentError, lambda: lax.associative_scan(jnp.add, ()), "at least one array")
    fails(errors.CarryTypeError, lambda: lax.associative_scan(widen, X3), line(widen), "float32[1]", "float64[1]")
    fails(errors.CarryTypeError, lambda: lax.associative_scan(shorten, jnp.ones(8)), line(shorten), "float32[4]", "float32[1]")
    fails(errors.CarryTypeError, lambda: lax.associative_scan(lambda a, b: (a, b), X3), "<lambda> (", "PyTreeSpec")
