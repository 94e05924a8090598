"""Where arrays lie and programs run, of the functions that users call, on a stand-in of a GPU."""

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax
from jitgrad.at_once import at_once
from jitgrad.errors import InvalidValueError

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
