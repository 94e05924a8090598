"""Where arrays lie and programs run, of the functions that users call, on a stand-in of a GPU."""

import copy
import pickle

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.at_once import at_once
from jitgrad.errors import ArgumentError, InvalidValueError, OutOfDeviceMemory

from .running import stand_ins


@pytest.fixture
def x():
    with stand_ins():
        yield jitgrad.device_put(np.arange(6, dtype="f4"), "cuda")


def lie_on_the_gpu(found):
    return {str(a.device) for a in jitgrad.tree.leaves(found)} == {"cuda:0"}


def test_a_program_that_closes_over_an_array_on_a_gpu_runs_there(x):
    assert lie_on_the_gpu([jitgrad.jit(lambda a: a + x)(np.ones(6, "f4")), jitgrad.jit(lambda: x + 1)()])


def test_numbers_are_put_on_a_gpu_and_stay_weak(x):
    number = jitgrad.device_put(1.5, "cuda")
    assert lie_on_the_gpu([number, jitgrad.device_put(np.float16(2), "cuda"), jnp.float32(3).to_device("cuda")])
    assert number.weak_type and (number + jnp.ones(2, "float16")).dtype == "float16"


def test_what_is_made_like_an_array_lies_where_it_does(x):
    made = [jnp.zeros_like(x), jnp.ones_like(x), jnp.empty_like(x), jnp.full_like(x, 2), lax.full_like(x, 2)]
    assert lie_on_the_gpu(made) and str(jnp.zeros_like(x, device="cpu").device) == "cpu:0"
    assert str(jnp.zeros_like(jnp.ones(3)).device) == "cpu:0"


def test_what_no_op_computes_lies_where_the_arrays_do_that_it_is_of(x):
    weak = jitgrad.device_put(2.5, "cuda")
    whole = [x.at[:].set(1), x.at[...].set(0), x.at[jnp.arange(6)].set(1), x[:1].at[0].set(3)]
    assert lie_on_the_gpu([jnp.array([x[0], x[1]]), jnp.asarray([[weak, 1]]), lax.full((2,), x[0]), weak.astype("float16"), *whole])
    assert lie_on_the_gpu([jnp.nonzero(x), jnp.nonzero(x, size=2), jnp.argwhere(x), jnp.unique(x, return_counts=True), x == 2**70])


def test_indices_on_a_gpu_stay_there(x):
    driver, places = x.ref.device.driver, jitgrad.device_put(np.array([3, -1, 9]), "cuda")
    x[places], x.at[places].add(1), x.reshape(2, 3)[places % 2, places]
    before = driver.counts["download"]
    rows = x.reshape(2, 3)
    found = (
        x[places],
        x.at[places].add(1),
        x.at[places].set(0, mode="drop"),
        rows[places % 2, places],
        jnp.take(x, places, mode="fill"),
    )
    assert driver.counts["download"] == before and lie_on_the_gpu(found)
    np.testing.assert_array_equal(found[0], [3, 5, 5])
    np.testing.assert_array_equal(found[1], [0, 1, 2, 4, 4, 6])
    np.testing.assert_array_equal(found[4], [3, 5, np.nan])


@pytest.mark.parametrize(
    "f", [jnp.sum, lambda a: jnp.sum(a * 3), lambda a: jnp.sum(a * jnp.ones_like(a)), lambda a: jnp.zeros(()), jitgrad.jit(jnp.sum)]
)
def test_a_gradient_that_does_not_depend_on_the_array_lies_where_the_array_does(x, f):
    assert lie_on_the_gpu([jitgrad.grad(f)(x), jitgrad.grad(lambda a, b: f(a), (0, 1))(x, x), jitgrad.grad(jitgrad.grad(f))(x[0])])


def test_jacobians_and_directional_derivatives_lie_where_the_array_does(x):
    def double(a):
        return a * 2

    assert lie_on_the_gpu([jitgrad.jacrev(double)(x), jitgrad.jacfwd(double)(x), jitgrad.hessian(jnp.sum)(x)])
    assert lie_on_the_gpu(jitgrad.jvp(double, (x,), (x,)))


def test_an_array_under_differentiation_says_where_it_lies(x):
    places = []

    def f(a):
        places.append(a.device)
        return jnp.sum(jitgrad.device_put(a, "cuda") ** 2)

    np.testing.assert_array_equal(jitgrad.grad(f)(x), 2 * np.arange(6))
    assert places == [x.device]


def test_operations_and_programs_on_a_gpu_are_looked_at_for_nans(x):
    with jitgrad.debug_nans():
        with pytest.raises(InvalidValueError, match="in log"):
            jnp.log(x - 9)
        for f in (jitgrad.jit(lambda a: jnp.log(a - 9)), jitgrad.grad(jitgrad.jit(lambda a: jnp.log(a - 9).sum()))):
            with pytest.raises(InvalidValueError, match="in log of <lambda>"):
                f(x)
        assert float(jnp.log(x + 9)[0]) == pytest.approx(np.log(9))
    with jitgrad.debug_infs(), pytest.raises(InvalidValueError, match="in div"):
        1 / x


def test_arrays_on_the_processor_stay_with_numpys_counterparts_once_a_gpu_is_open(x):
    here, now = jnp.arange(6.0), at_once(jnp.sum.__wrapped__)
    assert now((x,), {}) is None
    now((here,), {})
    found = now((here,), {})
    assert found == 15 and str(found.device) == "cpu:0"
    with jitgrad.default_device("cuda"):
        assert now((here,), {}) is None and lie_on_the_gpu([jnp.sum(here), jnp.zeros(3)])


A = np.arange(6, dtype="f4").reshape(2, 3)
SAME = {
    "vmap": lambda: jitgrad.vmap(lambda a: a)(A),
    "jvp": lambda: jitgrad.jvp(lambda a: a, (A,), (A,)),
    "vjp": lambda: jitgrad.vjp(lambda a: a, A)[1](A),
    "jit": lambda: jitgrad.jit(lambda a: a)(A),
    "scan": lambda: lax.scan(lambda c, a: (c, a), A[0], A),
    "scan of no steps": lambda: lax.scan(lambda c, a: (c, a), A[0], A[:0]),
    "fori_loop": lambda: lax.fori_loop(0, 0, lambda i, c: c * 2, A),
    "while_loop": lambda: lax.while_loop(lambda c: c[0, 0] > 9, lambda c: c * 2, A),
    "cond": lambda: lax.cond(True, lambda a: a, lambda a: a * 2, A),
    "stop_gradient": lambda: lax.stop_gradient(A),
    "reshape": lambda: [jnp.reshape(A, A.shape), jnp.squeeze(A), jnp.atleast_2d(A), lax.squeeze(A, ()), lax.transpose(A, (0, 1))],
    "moves": lambda: [
        jnp.roll(A, 0),
        jnp.pad(A, 0),
        jnp.concatenate([A]),
        jnp.tile(A, 1),
        jnp.split(A, 1),
        jnp.broadcast_arrays(A),
    ],
    "numbers": lambda: [jnp.real(A), jnp.conj(A), jnp.clip(A), jnp.positive(A), jnp.astype(A, "f4"), jnp.sum(A, axis=())],
    "pickle": lambda: pickle.loads(pickle.dumps(jnp.asarray(A))),
    "copy": lambda: [copy.copy(jnp.asarray(A)), copy.deepcopy(jnp.asarray(A)), jitgrad.tree.map(jnp.copy, A)],
}


@pytest.mark.parametrize("name", SAME)
def test_what_is_given_back_as_it_was_lies_on_the_default_device(x, name):
    with jitgrad.default_device("cuda"):
        assert lie_on_the_gpu(SAME[name]())
    assert {str(a.device) for a in jitgrad.tree.leaves(SAME[name]())} == {"cpu:0"}


@pytest.mark.parametrize("call", [jitgrad.pure_callback, jitgrad.experimental.io_callback])
def test_what_a_function_of_pythons_gives_lies_where_its_operands_do(x, call):
    def double(a):
        return 2 * np.asarray(a)

    for f in (lambda a: call(double, a, a), jitgrad.jit(lambda a: call(double, a, a))):
        found = f(x)
        np.testing.assert_array_equal(found, 2 * np.arange(6))
        assert lie_on_the_gpu(found) and str(f(jnp.asarray(A)).device) == "cpu:0"


@pytest.mark.parametrize("dtype", ["bool", "int8", "bfloat16", "float32", "int64", "complex64", "complex128"])
def test_arrays_of_one_number_are_filled_on_the_gpu(x, dtype):
    driver, known = x.ref.device.driver, x.astype(dtype)
    with jitgrad.default_device("cuda"):
        before = len(driver.calls)
        made = [jnp.zeros((4, 50), dtype), jnp.ones(200, dtype), jnp.full((200,), 1, dtype), jnp.empty(200, dtype)]
    made += [jnp.zeros_like(known), jnp.ones_like(known), jnp.full_like(known, 1)]
    sent = [call.arguments[2] for call in list(driver.calls)[before:] if call.name == "upload"]
    assert lie_on_the_gpu(made) and (dtype == "complex128" or max(sent) <= 8)
    for a, number in zip(made, (0, 1, 1, 0, 0, 1, 1), strict=True):
        np.testing.assert_array_equal(np.asarray(a).astype("c16"), np.full(a.shape, number))


HALF = np.ones(4, "f4")
MET = {
    "an operand": lambda a: [a + HALF, HALF * a, jnp.dot(np.ones((4, 4), "f4"), a), jnp.where(HALF > 0, a, HALF)],
    "an index": lambda a: [a[np.array([0, 1])], a.at[np.array([0, 1])].set(HALF[:2]), jnp.take(a, np.array([0, 1]))],
    "a part": lambda a: [jnp.concatenate([HALF, a]), jnp.stack([a, HALF])],
    "in a program": lambda a: [jitgrad.jit(lambda x: x + HALF)(a), jitgrad.jit(jnp.add)(HALF, a)],
    "in a transform": lambda a: [jitgrad.grad(lambda x: (x * HALF).sum())(a), jitgrad.vmap(jnp.add)(HALF, a)],
    "made of numbers": lambda a: [jnp.ones(4) + a, a * jnp.arange(4), a + (jnp.asarray(HALF) * 2)[::-1]],
    "in a loop": lambda a: lax.scan(lambda c, x: (c + x, c), a, np.ones((3, 4), "f4")),
}


@pytest.mark.parametrize("how", MET)
def test_numpy_arrays_go_where_they_meet_an_array_that_was_put_elsewhere_than_the_default(how):
    with stand_ins(2):
        a = jitgrad.device_put(HALF, "cuda:0")
        for default in ("cuda:1", "cuda:0", "cpu"):
            with jitgrad.default_device(default):
                assert lie_on_the_gpu(MET[how](a))


APART = {
    "an operation": lambda a, b: a + b,
    "a program": lambda a, b: jitgrad.jit(lambda x, y: x)(a, b),
    "what a program closes over": lambda a, b: jitgrad.jit(lambda x: x + b)(a),
    "a list of numbers": lambda a, b: jnp.array([a[0], b[0]]),
    "nested lists": lambda a, b: jnp.asarray([[1.0, a[0]], [b[0], 2.0]]),
    "a list of arrays": lambda a, b: jnp.array([a, b]),
    "what fills an array": lambda a, b: jnp.full_like(a, b[0]),
    "what fills an array of lax": lambda a, b: lax.full_like(a, b[0]),
    "places": lambda a, b: a[b.astype(int)],
    "a gradient": lambda a, b: jitgrad.grad(lambda x: (x * b).sum())(a),
    "a loop": lambda a, b: lax.scan(lambda c, x: (c + x, c), a[0], b),
}


@pytest.mark.parametrize("how", APART)
def test_arrays_that_were_put_on_two_gpus_do_not_meet(how):
    with stand_ins(2):
        a, b = (jitgrad.device_put(HALF, f"cuda:{n}") for n in range(2))
        with pytest.raises(ArgumentError, match=r"lie on cuda:. and on cuda:.\. Move them to one device: jitgrad\.device_put"):
            APART[how](a, b)
        with jitgrad.default_device("cuda:1"):
            made = jnp.ones(4)  # what lies somewhere by default alone goes along
            for x, y in ((a, made), (made, a)):
                assert lie_on_the_gpu([jnp.array([x, y]), jnp.array([x[0], y[0], 1.0]), jnp.full_like(x, y[0])])


def outer(a):
    return a[:, None] * a


TOO_LARGE = {
    "device_put": lambda x: jitgrad.device_put(np.ones(1 << 19, "f4"), "cuda"),
    "an operation": lambda x: [x * n for n in range(2, 9)],
    "a function": lambda x: jnp.concatenate([x] * 20),
    "what is made": lambda x: jnp.ones((1000, 1000), device="cuda"),
    "a program": lambda x: jitgrad.jit(outer)(x),
    "a gradient through a program": lambda x: jitgrad.grad(lambda a: jitgrad.jit(outer)(a).sum())(x),
}
ASKED_FOR = {
    "an operation": "mul", "a function": "concatenate", "what is made": "ones", "a program": "jit of outer",
    "a gradient through a program": "jit of outer",
}  # fmt: skip


@pytest.mark.parametrize("how", TOO_LARGE)
def test_memory_that_is_out_is_told_with_what_it_was_asked_for_and_what_was_there_works_on(how):
    with stand_ins(memory_bytes=1 << 20):
        x = jitgrad.device_put(np.ones(50_000, "f4"), "cuda")
        with pytest.raises(OutOfDeviceMemory, match=r"\d+ bytes \(.*\) were asked for, and .* are free") as error:
            TOO_LARGE[how](x)
        assert str(error.value).startswith(f"{ASKED_FOR.get(how, how)}: ")
        assert float(jnp.sum(x * 2)) == 100_000
