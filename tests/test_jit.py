"""jit: signatures and caches, static and donated arguments, closures, results, and what a compiled program tells of itself."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import Array, ShapeDtypeStruct, errors, grad, jit, nn, tree, value_and_grad, vmap
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
    import functools

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


# NumPy arrays in and out


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a[::2, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.T,
        lambda a: a.astype(">f8"),
        lambda a: np.broadcast_to(a[:1], (4, 6)),
        lambda a: np.frombuffer(b"\0" * 4 + a.tobytes(), np.uint8)[4:].view(np.float64).reshape(a.shape),
    ],
    ids=["strided", "Fortran", "transposed", "byte-swapped", "broadcast", "unaligned"],
)
def test_numpy_arrays_of_any_layout_are_read_right(make):
    x = make(np.arange(24.0).reshape(4, 6))
    compiled = jit(lambda x: (jnp.sin(x) + x, x.sum(0)))
    for _ in range(2):
        assert_close(compiled(x), (np.sin(x) + x, np.asarray(x).sum(0)), 1e-12)
    assert_close(compiled(jnp.asarray(x)), (np.sin(x) + x, np.asarray(x).sum(0)), 1e-12)


def test_a_numpy_argument_is_borrowed_for_the_call_only():
    x = np.ones(5000)
    compiled = jit(lambda x: (x, x * 2))
    same, doubled = compiled(x)
    x[:] = 7
    assert_close(same, np.ones(5000))
    assert_close(doubled, 2 * np.ones(5000))
    assert_close(compiled(x)[1], 14 * np.ones(5000))


def test_asarray_and_array_copy_numpy_memory():
    for make in (jnp.asarray, jnp.array, jitgrad.device_put):
        x = np.ones(3)
        made = make(x)
        x[0] = 5
        assert float(made[0]) == 1


def test_numpy_asarray_is_a_read_only_view_that_keeps_the_memory_alive():
    out = jit(lambda x: x + 1)(np.arange(5000.0))
    view = np.asarray(out)
    assert np.shares_memory(view, np.asarray(out))
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        view.flags.writeable = True
    gone = weakref.ref(out)
    del out
    gc.collect()
    assert gone() is None
    more = [jit(lambda x: x * 0)(np.ones(5000)) for _ in range(4)]
    assert_close(view, np.arange(5000.0) + 1)
    assert len(more) == 4


def test_numpy_array_is_a_copy_that_may_be_changed():
    out = jit(lambda x: x + 1)(np.zeros(3))
    copied = np.array(out)
    copied[0] = 9
    assert float(out[0]) == 1
    assert np.asarray(out, np.float32).dtype == np.float32
    assert np.sin(out).tolist() == pytest.approx(np.sin(np.ones(3)).tolist())


def test_dlpack_shares_memory_with_consumers_that_keep_it_read_only():
    out = jit(lambda x: x + 1)(np.arange(5000.0))
    taken = np.from_dlpack(out)
    assert np.shares_memory(taken, np.asarray(out))
    assert not taken.flags.writeable
    assert out.__dlpack_device__() == (1, 0)
    del out
    gc.collect()
    jit(lambda x: x * 0)(np.ones(5000))
    assert_close(taken, np.arange(5000.0) + 1)


def test_dlpack_gives_a_copy_to_consumers_that_may_write():
    out = jit(lambda x: x + 1)(np.zeros(3))

    class Old:
        def __dlpack__(self, **_):
            return out.__dlpack__()

        def __dlpack_device__(self):
            return out.__dlpack_device__()

    taken = np.from_dlpack(Old())
    assert not np.shares_memory(taken, np.asarray(out))
    assert_close(taken, np.ones(3))


@pytest.mark.parametrize(
    "x", [np.arange(6.0).reshape(2, 3), np.array(2, np.int8), np.array([True]), np.array([1 + 2j], np.complex64)]
)
def test_arrays_are_pickled_and_copied(x):
    for made in (jnp.asarray(x), jit(lambda x: x)(x)):
        for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
            assert isinstance(other, Array)
            assert (other.shape, other.dtype) == (x.shape, x.dtype)
            assert_close(other, x)


def test_pickled_trees_of_parameters_come_back():
    params = {"w": jnp.ones((2, 3)), "layers": [jnp.zeros(2), None]}
    assert_close(pickle.loads(pickle.dumps(params)), params)


# Donation

LARGE = 1 << 16


def fresh():
    return jit(lambda: jnp.arange(float(LARGE)))()


def test_a_donated_array_gives_its_memory_to_the_result():
    step = jit(lambda x: x * 2 + 1, donate_argnums=0)
    x = fresh()
    before = address(x)
    y = step(x)
    assert address(y) == before
    assert_close(y, np.arange(LARGE, dtype=np.float32) * 2 + 1)


def test_a_loop_that_donates_its_state_stays_in_the_same_memory():
    step = jit(lambda s, x: {"a": s["a"] + x, "b": s["b"] * 0.5}, donate_argnums=(0,))
    state = {"a": fresh(), "b": fresh()}
    places = {address(v) for v in state.values()}
    for _ in range(5):
        state = step(state, np.float32(1))
    assert {address(v) for v in state.values()} == places
    assert_close(state["a"], np.arange(LARGE, dtype=np.float32) + 5)
    assert_close(state["b"], np.arange(LARGE, dtype=np.float32) * 0.5**5)


@pytest.mark.parametrize("make", [fresh, lambda: jnp.ones(LARGE), lambda: jnp.ones(3), lambda: jit(lambda: jnp.ones(3))()])
def test_use_after_donation_is_an_error(make):
    x = make()
    jit(lambda x: x + 1, donate_argnums=0)(x)
    for use in (lambda: x + 1, lambda: np.asarray(x), lambda: jit(jnp.sin)(x), lambda: float(x[0]), lambda: print(x)):
        with pytest.raises(errors.DonatedBufferError, match="donated to a jitted function"):
            use()
    assert x.shape[0] in (3, LARGE)


def test_memory_that_a_numpy_view_looks_at_is_copied_not_overwritten():
    x = fresh()
    view = np.asarray(x)
    y = jit(lambda x: x * 0, donate_argnums=0)(x)
    assert_close(view, np.arange(LARGE, dtype=np.float32))
    assert_close(y, np.zeros(LARGE, np.float32))
    assert not np.shares_memory(view, np.asarray(y))


def test_an_array_that_is_donated_and_passed_again_is_copied():
    x = fresh()
    y = jit(lambda a, b: a * 2 + jnp.flip(b), donate_argnums=0)(x, x)
    at = np.arange(LARGE, dtype=np.float32)
    assert_close(y, at * 2 + at[::-1])
    with pytest.raises(errors.DonatedBufferError):
        np.asarray(x)


def test_an_array_donated_twice_serves_one_result():
    x = fresh()
    y, z = jit(lambda a, b: (a + 1, b + 2), donate_argnums=(0, 1))(x, x)
    at = np.arange(LARGE, dtype=np.float32)
    assert_close((y, z), (at + 1, at + 2))


def test_a_donated_array_that_several_results_read_is_right():
    at = np.arange(LARGE, dtype=np.float32)
    y, z, total = jit(lambda a: (a + 1, a[::-1] * 2, a.sum()), donate_argnums=0)(fresh())
    assert_close((y, z), (at + 1, at[::-1] * 2))
    assert float(total) == pytest.approx(at.sum(dtype=np.float64), rel=1e-5)
    shifted = jit(lambda a: jnp.roll(a, 1) + a, donate_argnums=0)(fresh())
    assert_close(shifted, np.roll(at, 1) + at)
    square = jit(lambda: jnp.arange(65536.0).reshape(256, 256))()
    assert_close(
        jit(lambda a: a @ a.T * 1e-6 + a.T, donate_argnums=0)(square),
        at.reshape(256, 256) @ at.reshape(256, 256).T * 1e-6 + at.reshape(256, 256).T,
        1e-4,
    )


def test_numpy_arguments_that_are_donated_are_left_alone():
    x = np.ones(LARGE, np.float32)
    assert_close(jit(lambda x: x * 2, donate_argnums=0)(x), x * 2)
    assert_close(x, np.ones(LARGE, np.float32))


def test_an_array_that_a_program_closes_over_survives_donation_elsewhere():
    w = fresh()
    reads = jit(lambda x: x + w)
    reads(np.float32(0))
    jit(lambda x: x * 0, donate_argnums=0)(w)
    assert_close(reads(np.float32(1)), np.arange(LARGE, dtype=np.float32) + 1)


# Ahead of time


def test_lower_and_compile_give_a_program_that_is_called_with_arrays():
    def f(x, y):
        return jnp.sum(jnp.tanh(x @ y), 1)

    compiled = jit(f).lower(ShapeDtypeStruct((64, 32), "float32"), ShapeDtypeStruct((32, 16), "float32")).compile()
    x, y = np.ones((64, 32), np.float32) / 32, np.ones((32, 16), np.float32)
    assert_close(compiled(x, y), np.full(64, 16 * np.tanh(1), np.float32))
    with pytest.raises(errors.ArgumentError, match=r"compiled for f32\[64,32\].*got f32\[64,31\]"):
        compiled(np.ones((64, 31), np.float32), y)


def test_a_compiled_program_tells_its_costs_and_memory():
    compiled = jit(lambda x, y: jnp.exp(x @ y)).lower(np.ones((64, 32), np.float32), np.ones((32, 16), np.float32)).compile()
    costs = compiled.cost_analysis()
    assert costs["flops"] >= 2 * 64 * 32 * 16
    assert costs["transcendentals"] == 64 * 16
    assert costs["bytes accessed"] == 4 * (64 * 32 + 32 * 16 + 64 * 16)
    memory = compiled.memory_analysis()
    assert memory.argument_size_in_bytes == 4 * (64 * 32 + 32 * 16)
    assert memory.output_size_in_bytes == 4 * 64 * 16
    assert memory.generated_code_size_in_bytes > 0
    donating = jit(lambda x: x + 1, donate_argnums=0).lower(np.ones(LARGE, np.float32)).compile()
    assert donating.memory_analysis().alias_size_in_bytes == 4 * LARGE


def test_a_compiled_program_shows_its_kernels_and_code():
    lowered = jit(lambda x: jnp.sum(jnp.exp(x) * 2)).lower(np.ones((64, 32), np.float32))
    assert "exp" in lowered.as_text()
    compiled = lowered.compile()
    (kernel,) = compiled.kernels
    assert set(kernel.fused) >= {"exp", "mul", "reduce_sum"}
    assert (kernel.bytes_read, kernel.bytes_written) == (4 * 64 * 32, 4)
    assert "add over" in kernel.text
    assert kernel.text in compiled.as_text()
    assert "define" in compiled.llvm_ir()
    assert compiled.assembly().strip()


def test_static_arguments_are_given_to_lower_and_left_out_of_the_call():
    compiled = jit(power_sum, static_argnums=(1, 2)).lower(np.arange(3.0), 2, "sum").compile()
    assert float(compiled(np.arange(3.0))) == 5


def test_eval_shape_of_a_jitted_function_gives_shapes():
    found = jit(lambda x, n: {"a": x[:n], "b": 1.0}, static_argnums=1).eval_shape(np.ones((4, 3)), 2)
    assert found == {"a": ShapeDtypeStruct((2, 3), np.float64), "b": ShapeDtypeStruct((), np.float32)}


def test_a_compiled_program_refuses_traced_values():
    compiled = jit(jnp.sin).lower(np.ones(3)).compile()
    for transform in (jit, vmap, grad):
        with pytest.raises(errors.ConcretizationTypeError, match="compiled sin needs concrete arrays.*use the jitted function"):
            transform(lambda x: jnp.sum(compiled(x)))(np.ones((3, 3)) if transform is vmap else np.ones(3))


# Fusion


def cross_entropy(logits, targets):
    shifted = logits - jnp.max(logits, axis=1, keepdims=True)
    return -jnp.mean(jnp.sum((shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=1, keepdims=True))) * targets, axis=1))


@pytest.mark.parametrize(
    ("loss", "encode"),
    [
        (cross_entropy, lambda labels: np.eye(100, dtype=np.float32)[labels]),
        (lambda z, y: -jnp.mean(jnp.sum(nn.log_softmax(z) * y, -1)), lambda labels: np.eye(100, dtype=np.float32)[labels]),
        (lambda z, y: -jnp.mean(jnp.sum(nn.log_softmax(z) * nn.one_hot(y, 100), -1)), lambda labels: labels),
    ],
    ids=["written out", "log_softmax", "integer labels"],
)
def test_softmax_cross_entropy_with_its_gradient_is_at_most_two_kernels(loss, encode):
    logits, labels = np.random.default_rng(0).standard_normal((64, 100)).astype(np.float32), np.arange(64) % 100
    f = jit(value_and_grad(loss))
    assert len(f.lower(logits, encode(labels)).compile().kernels) <= 2
    value, gradient = f(logits, encode(labels))
    wide = logits.astype(np.float64)
    probabilities = np.exp(wide) / np.exp(wide).sum(1, keepdims=True)
    assert_close(value, -np.log(probabilities[np.arange(64), labels]).mean().astype(np.float32), 1e-5)
    probabilities[np.arange(64), labels] -= 1
    assert_close(gradient, (probabilities / 64).astype(np.float32), 1e-4, 1e-7)


def layer_norm(x, scale, shift):
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * scale + shift


def test_layer_norm_with_three_gradients_is_at_most_three_kernels():
    rng = np.random.default_rng(1)
    x, scale, shift, weights = (rng.standard_normal(s).astype(np.float32) for s in ((64, 96), 96, 96, (64, 96)))

    def loss(x, scale, shift, weights):
        return jnp.sum(layer_norm(x, scale, shift) * weights)

    f = jit(value_and_grad(loss, argnums=(0, 1, 2)))
    assert len(f.lower(x, scale, shift, weights).compile().kernels) <= 3
    wide = [a.astype(np.float64) for a in (x, scale, shift, weights)]
    assert_close(
        f(x, scale, shift, weights),
        tree.map(lambda a: np.asarray(a, np.float32), value_and_grad(loss, argnums=(0, 1, 2))(*wide)),
        1e-4,
        1e-4,
    )


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
