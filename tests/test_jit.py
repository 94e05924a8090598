"""jit: signatures and caches, static arguments, closures, results. Memory is in test_memory.py, `lower` in test_stages.py."""

from __future__ import annotations

import functools
import gc
import sys

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import Array, errors, grad, jit, tree, vmap
from jitgrad.testing import assert_close


class Counted:
    """A function that counts how often its Python code runs."""

    def __init__(self, f):
        self.f, self.runs = f, 0

    def __call__(self, *args, **kwargs):
        self.runs += 1
        return self.f(*args, **kwargs)


def address(x):
    return np.asarray(x).__array_interface__["data"][0]


# Caches


def test_the_same_signature_is_traced_once():
    f = Counted(lambda x, y: x + y["a"])
    compiled = jit(f)
    for scale in range(3):
        assert_close(compiled(np.ones(3) * scale, {"a": 2.0}), np.ones(3) * scale + 2)
    compiled(jnp.ones(3, "float64"), {"a": 5.0})
    assert f.runs == 1


@pytest.mark.parametrize(
    "other",
    [
        np.ones(4),
        np.ones((3, 1)),
        np.ones(3, np.float32),
        np.ones(3, np.int64),
        2.0,
        2,
        np.float32(2),
        True,
        [np.ones(3)],
        {"a": np.ones(3)},
    ],
    ids=["size", "rank", "float32", "int64", "weak float", "weak int", "float32 scalar", "bool", "list", "dict"],
)
def test_another_signature_is_traced_again_and_gives_its_own_result(other):
    f = Counted(lambda t: [x * 2 for x in tree.leaves(t)])
    compiled = jit(f)
    compiled(np.ones(3))
    found = compiled(other)
    compiled(other)
    assert f.runs == 2
    assert_close(found, [jnp.asarray(x) * 2 for x in tree.leaves(other)])


def test_a_weak_scalar_and_an_array_scalar_of_its_type_are_two_programs():
    compiled = jit(lambda x, s: x * s)
    x = np.ones(3, np.float32)
    assert compiled(x, 2.0).dtype == np.float32
    assert compiled(x, np.array(2.0)).dtype == np.float64
    assert compiled(x, np.float64(2.0)).dtype == np.float32


def test_a_changed_default_float_is_another_program():
    compiled = jit(lambda: jnp.ones(2))
    assert compiled().dtype == np.float32
    weak = jit(lambda x: jnp.sin(x * jnp.ones(2)))
    assert weak(1.0).dtype == np.float32
    jitgrad.config.default_float = "float64"
    try:
        assert compiled().dtype == np.float64
        assert weak(1.0).dtype == np.float64
    finally:
        jitgrad.config.default_float = "float32"
    assert compiled().dtype == np.float32


def test_clear_cache_traces_again():
    f = Counted(lambda x: x + 1)
    compiled = jit(f)
    compiled(1.0)
    compiled.clear_cache()
    compiled(1.0)
    assert f.runs == 2


def test_a_nested_jitted_function_is_traced_into_the_program_around_it():
    inner = jit(lambda x: jnp.sin(x) * 2)
    outer = jit(lambda x: inner(x) + inner(x + 1))
    assert_close(outer(np.ones(3)), 2 * np.sin(np.ones(3)) + 2 * np.sin(2 * np.ones(3)), 1e-12)
    assert len(outer.lower(np.ones(3)).compile().kernels) == 1


# Static arguments


def power_sum(x, n, mode="sum"):
    assert isinstance(n, int)
    powered = x**n
    return powered.sum() if mode == "sum" else powered


@pytest.mark.parametrize(
    "options",
    [
        {"static_argnums": (1, 2)},
        {"static_argnames": ("n", "mode")},
        {"static_argnums": 1, "static_argnames": "mode"},
        {"static_argnums": (-2, -1)},
    ],
    ids=["numbers", "names", "one of each", "negative"],
)
def test_static_arguments_may_be_given_either_way(options):
    f = Counted(power_sum)
    f.__signature__ = __import__("inspect").signature(power_sum)
    compiled = jit(f, **options)
    x = np.arange(3.0)
    assert float(compiled(x, 2)) == 5
    assert float(compiled(x, n=2)) == 5
    assert_close(compiled(x, 2, "each"), x**2)
    assert_close(compiled(x, n=2, mode="each"), x**2)
    assert_close(compiled(x, 3, mode="each"), x**3)
    before = f.runs
    compiled(x, 2)
    compiled(x, 2, "each")
    compiled(x, 3, mode="each")
    assert f.runs == before


def test_static_values_that_are_equal_but_of_other_types_are_other_programs():
    compiled = jit(lambda x, s: x * s, static_argnums=1)
    x = np.arange(3)
    assert compiled(x, 1).dtype == np.int64
    assert compiled(x, 1.0).dtype == np.float32
    assert compiled(x, True).dtype == np.int64


def test_functions_and_strings_may_be_static():
    compiled = jit(lambda f, x: f(x), static_argnums=0)
    assert_close(compiled(jnp.sin, np.ones(2)), np.sin(np.ones(2)), 1e-12)
    assert_close(compiled(jnp.cos, np.ones(2)), np.cos(np.ones(2)), 1e-12)


def test_static_arguments_stand_in_gradients():
    compiled = jit(power_sum, static_argnames=("n", "mode"))
    assert_close(grad(compiled)(np.arange(3.0), 3), 3 * np.arange(3.0) ** 2)
    assert_close(vmap(lambda x: compiled(x, n=2))(np.ones((2, 3))), np.full(2, 3.0))


# Ways to write it


def test_jit_is_a_decorator_with_and_without_arguments():
    @jit
    def plain(x):
        """Doubles."""
        return x * 2

    @jit(static_argnames="n")
    def with_options(x, n=3):
        return x * n

    @jit()
    def with_empty(x):
        return x + 1

    assert plain.__doc__ == "Doubles."
    assert plain.__name__ == "plain"
    assert float(plain(1.0)) == 2
    assert float(with_options(1.0)) == 3
    assert float(with_options(1.0, n=4)) == 4
    assert float(with_empty(1.0)) == 2


def test_methods_are_jitted_with_self_static_or_as_a_container():
    class Scaled:
        def __init__(self, factor):
            self.factor = factor

        @jit(static_argnums=0)
        def by_identity(self, x):
            return x * self.factor

    assert float(Scaled(3.0).by_identity(2.0)) == 6
    assert float(Scaled(4.0).by_identity(2.0)) == 8

    @tree.register_pytree_node_class
    class Model:
        def __init__(self, w):
            self.w = w

        def tree_flatten(self):
            return (self.w,), None

        @classmethod
        def tree_unflatten(cls, _, children):
            return cls(*children)

        @jit
        def __call__(self, x):
            return self.w * x

    assert float(Model(3.0)(2.0)) == 6
    assert float(grad(lambda m: m(2.0))(Model(jnp.array(3.0))).w) == 2


def test_partial_and_lambda_and_callable_objects_are_jitted():
    assert float(jit(functools.partial(lambda a, b: a - b, 5.0))(2.0)) == 3
    assert float(jit(Counted(lambda x: x + 1))(2.0)) == 3


def test_keyword_arguments_are_arrays_in_any_order():
    f = Counted(lambda x, *, a, b: x * a - b)
    compiled = jit(f)
    assert float(compiled(2.0, a=3.0, b=1.0)) == 5
    assert float(compiled(2.0, b=1.0, a=3.0)) == 5
    assert f.runs == 1


def test_variable_arguments_are_taken():
    compiled = jit(lambda *xs, **named: sum(xs) + named["last"])
    assert float(compiled(1.0, 2.0, 3.0, last=4.0)) == 10


# Closures


def test_an_array_that_is_closed_over_is_a_constant_of_the_program():
    w = np.arange(3.0)
    compiled = jit(lambda x: x + w)
    assert_close(compiled(np.ones(3)), np.array([1.0, 2.0, 3.0]))
    w[:] = 100
    assert_close(compiled(np.ones(3)), np.array([1.0, 2.0, 3.0]))


def test_results_of_compiled_programs_are_closed_over():
    held = [jit(lambda: jnp.arange(3.0))()]
    compiled = jit(lambda x: x * held[0])
    for _ in range(2):
        assert_close(compiled(np.float32(2)), np.array([0, 2, 4], np.float32))
    held.clear()
    gc.collect()
    assert_close(compiled(np.float32(3)), np.array([0, 3, 6], np.float32))


def test_a_closure_over_a_value_of_an_outer_grad_is_not_kept_for_the_next_call():
    def f(w):
        inner = jit(lambda x: x * w)
        return inner(3.0) + inner(4.0)

    for w in (1.0, 2.0, 5.0):
        assert float(f(w)) == 7 * w
        assert float(grad(f)(w)) == 7


def test_one_jitted_function_that_reads_a_changing_outer_traced_value_sees_each():
    holder = {}
    inner = jit(lambda x: x * holder["w"])

    def f(w):
        holder["w"] = w
        return inner(2.0) * w

    for w in (1.0, 3.0):
        assert float(grad(f)(w)) == 4 * w
        assert_close(jit(grad(f))(w), np.float32(4 * w))
        assert_close(vmap(f)(np.array([w, w + 1])), 2 * np.array([w, w + 1]) ** 2)
    holder.clear()


def test_a_closure_over_a_row_of_an_outer_vmap_sees_every_row():
    x = np.arange(6.0).reshape(3, 2)
    found = vmap(lambda row: jit(lambda s: jnp.sum(row) * s)(2.0))(x)
    assert_close(found, 2 * x.sum(1))


# Results


def test_results_that_are_inputs_constants_or_each_other_are_arrays_of_their_own():
    constant = jnp.arange(2000.0)

    def f(x):
        y = x + 1
        return {"in": x, "twice": [y, y], "constant": constant, "number": 3, "none": None, "deep": {"b": (x,), "a": ()}}

    x = np.arange(2000.0)
    out = jit(f)(x)
    assert_close(
        out,
        {"in": x, "twice": [x + 1, x + 1], "constant": constant, "number": np.array(3), "none": None, "deep": {"b": (x,), "a": ()}},
    )
    pieces = [out["in"], *out["twice"], out["constant"], out["deep"]["b"][0]]
    assert len({address(p) for p in [*pieces, x, constant]}) == 7
    assert out["none"] is None
    assert out["deep"]["a"] == ()


def test_a_function_without_arguments_or_without_results_runs():
    assert_close(jit(lambda: jnp.arange(3))(), np.arange(3))
    assert jit(lambda x: None)(1.0) is None
    assert jit(lambda x: {})(1.0) == {}
    assert float(jit(lambda: 2.5)()) == 2.5


def test_arrays_of_no_elements_go_in_and_come_out():
    f = jit(lambda x: (x * 2, x.sum(), x @ np.ones((3, 0)), jnp.concatenate([x, x])))
    doubled, total, product, joined = f(np.zeros((0, 3)))
    assert (doubled.shape, product.shape, joined.shape) == ((0, 3), (0, 0), (0, 3))
    assert float(total) == 0
    assert_close(jit(lambda x: x @ x.T)(np.zeros((3, 0))), np.zeros((3, 3)))


def test_weak_scalars_stay_weak_through_a_program():
    doubled = jit(lambda x: x * 2)(3.0)
    assert doubled.dtype == np.float32
    assert (doubled * np.ones(2)).dtype == np.float64
    assert (doubled * np.ones(2, np.float32)).dtype == np.float32
    assert (jit(lambda x: jnp.asarray(x))(3.0) * np.ones(2, np.int32)).dtype == np.float32
    assert jit(lambda n: n + 1)(3).dtype == np.int64


def test_python_numbers_keep_their_64_bits_inside_a_program():
    tiny = 1e-40
    assert float(np.asarray(jit(lambda x, y: x * 1e30 * y)(tiny, np.ones(1)))[0]) == pytest.approx(1e-10)


def test_programs_of_complex_numbers_run():
    z = np.array([1 + 2j, 3 - 1j])
    assert_close(
        jit(lambda z: (jnp.exp(z), jnp.abs(z), z @ z.conj(), z.real))(z), (np.exp(z), np.abs(z), z @ z.conj(), z.real), 1e-12
    )
    assert_close(jit(grad(lambda z: jnp.sum(jnp.abs(z) ** 2)))(z), 2 * z.conj(), 1e-12)


# Debugging


def test_disable_jit_runs_the_function_on_concrete_arrays():
    seen = []

    @jit
    def f(x):
        seen.append(isinstance(x, Array) and x.concrete() is not None)
        return x.at[0].set(5.0) if x[0] > 0 else -x

    with jitgrad.disable_jit():
        assert_close(f(np.ones(2)), np.array([5.0, 1.0]))
        assert_close(f(-np.ones(2)), np.ones(2))
        assert_close(grad(lambda x: f(x).sum())(-np.ones(2)), -np.ones(2))
    assert seen == [True, True, True]
    with pytest.raises(errors.TracerBoolConversionError):
        f(np.ones(2))


def test_config_disable_jit_is_the_same_switch():
    jitgrad.config.disable_jit = True
    try:
        assert float(jit(lambda x: x * 2 if x > 0 else x)(3.0)) == 6
    finally:
        jitgrad.config.disable_jit = False


SAME_MEMORY = {
    "reshape": lambda x: jnp.reshape(x, (2, 3)),
    "flip": jnp.flip,
    "split": lambda x: jnp.split(x, 2)[0],
    "stop_gradient": jitgrad.stop_gradient,
    "vmap": vmap(lambda x: x),
    "jvp": lambda x: jitgrad.jvp(lambda y: y, (x,), (x,))[0],
    "vjp": lambda x: jitgrad.vjp(lambda y: y, x)[0],
    "a constant of vmap": lambda x: vmap(lambda y: jnp.reshape(x, (2, 3)))(np.ones(2))[0],
}


@pytest.mark.parametrize("name", SAME_MEMORY)
def test_what_is_written_to_a_numpy_array_later_does_not_reach_an_eager_result(name):
    x = np.arange(6, dtype=np.float32)
    result = SAME_MEMORY[name](x)
    before = np.array(result)
    x[:] = -1
    assert np.array_equal(result, before)


def test_a_pullback_and_a_pushforward_use_numpy_arrays_as_they_were():
    x = np.arange(3, dtype=np.float32)
    _, pullback = jitgrad.vjp(lambda y: jnp.sum(y * y), x)
    _, pushforward = jitgrad.linearize(lambda y: y * x, np.ones(3, np.float32))
    x[:] = 7
    assert np.array_equal(pullback(1.0)[0], [0, 2, 4])
    assert np.array_equal(pushforward(np.ones(3, np.float32)), [0, 1, 2])


def test_one_numpy_array_closed_over_twice_is_one_input():
    x = np.arange(3, dtype=np.float32)
    assert len(jitgrad.make_graph(lambda y: y * x + x)(x).inputs) == 2


# Many levels, arguments and results


def nested(f, count):
    for _ in range(count):
        f = jit(lambda x, f=f: f(x) + 1)
    return f


def test_jitted_functions_nest_three_hundred_deep():
    f = nested(lambda x: x * 1.5, 300)
    assert float(f(1.0)) == 301.5
    assert float(grad(f)(1.0)) == 1.5
    assert_close(vmap(f)(np.arange(2.0)), np.array([300.0, 301.5]))
    assert jit(f) is f


def test_nested_programs_are_no_deeper_than_walks_through_them_can_be():
    assert jitgrad.make_graph(nested(lambda x: x, 100))(1.0).depth <= 10


def test_a_function_that_calls_itself_for_ever_ends_in_a_recursion_error():
    limit = sys.getrecursionlimit()

    @jit
    def forever(x):
        return forever(x)

    for _ in range(2):
        with pytest.raises(RecursionError):
            forever(1.0)
    assert sys.getrecursionlimit() == limit


def test_a_thousand_arguments_are_added_and_given_back():
    given = [jnp.asarray(float(n)) for n in range(1000)]
    assert float(jit(lambda *xs: sum(xs))(*given)) == sum(range(1000))
    gradient = jit(grad(lambda xs: sum(x * x for x in xs)))(given[:200])
    assert [float(g) for g in gradient] == [2.0 * n for n in range(200)]


@pytest.mark.parametrize(
    "number", [np.complex128(1 + 2j), np.complex64(1 + 2j), 1 + 2j], ids=["complex128", "complex64", "complex"]
)
def test_a_complex_constant_is_a_result(number):
    alone = jit(lambda: number)()
    beside, real = jit(lambda x: (number, x + jnp.abs(jnp.asarray(number))))(1.0)
    assert alone == beside == number
    assert alone.dtype == (np.complex128 if isinstance(number, np.complex128) else np.complex64)
    assert abs(real - (1 + np.sqrt(5))) < 1e-6


def test_an_integer_that_no_int64_holds_is_refused_as_an_argument():
    with pytest.raises(OverflowError, match="jit of .* does not fit in int64. Give numpy.uint64"):
        jit(lambda x, v: x + v)(jnp.zeros(2, "int64"), 2**63)
    assert jit(lambda v: v)(np.uint64(2**63)).dtype == np.uint64
