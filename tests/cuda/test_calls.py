"""What a call of a program on a GPU asks of the driver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, lax

from .running import stand_ins


@pytest.fixture(autouse=True)
def gpu():
    with stand_ins() as devices:
        yield devices[0]


def asked(gpu, calls):
    """How often each of the driver's methods was called."""
    before = gpu.counts.copy()
    calls()
    return dict(gpu.counts - before)


def test_calls_whose_memory_takes_turns_launch_a_graph_and_do_nothing_else(gpu):
    f = jitgrad.jit(lambda x: x * 2 + 1)
    state = [jitgrad.device_put(np.zeros(40_000, "f4"), "cuda")]

    def step():
        state[0] = f(state[0])

    for _ in range(6):
        step()
    assert asked(gpu, lambda: [step() for _ in range(10)]) == {"launch": 10}
    assert float(state[0][0]) == 2**16 - 1


def test_tables_for_addresses_are_few(gpu):
    f = jitgrad.jit(lambda x, y: x - y)
    arrays = [jitgrad.device_put(np.full(20_000, n, "f4"), "cuda") for n in range(6)]
    f(*arrays[:2])
    graphs = asked(gpu, lambda: [f(x, y) for x in arrays for y in arrays])["graph"]
    assert graphs == 3
    for _ in range(2):
        for x, y in zip(arrays, arrays[1:], strict=False):
            assert float(f(x, y)[7]) == -1


def test_a_program_that_calls_itself_through_the_processor_keeps_its_tables_apart():
    def again(x):
        return np.asarray(g(jnp.asarray(x))) if x[0] > 0 else np.asarray(x)

    @jitgrad.jit
    def g(x):
        return jitgrad.pure_callback(again, jitgrad.ShapeDtypeStruct(x.shape, x.dtype), x - 1) * 2

    with jitgrad.default_device("cuda"):
        assert g(jnp.full(3, 5.0)).tolist() == [0, 0, 0]


def endless(shape):
    def run(x):
        return lax.while_loop(lambda s: s[0].sum() > -1, lambda s: (s[0] * 0.5 + 1, s[1] + 1), (x, 0))

    return jitgrad.jit(run), jitgrad.device_put(np.ones(shape, "f4"), "cuda")


def long_scan(shape):
    def run(x):
        return lax.scan(lambda c, _: (jnp.atleast_1d(c).sort().reshape(c.shape) * 0.5, None), x, None, length=1 << 40)

    return jitgrad.jit(run), jitgrad.device_put(np.ones(shape, "f4"), "cuda")


@pytest.mark.parametrize("loop", [endless, long_scan])
@pytest.mark.parametrize("shape", [(), (3,), (700,)])
def test_ctrl_c_ends_a_loop_and_what_it_was_to_compute_is_an_error(loop, shape):
    with stand_ins(deferred=True) as (gpu,):
        f, x = loop(shape)
        y = f(x)[0]
        z, w = y + 1, jitgrad.jit(jnp.tanh)(y)
        gpu.interrupts = True
        with pytest.raises(KeyboardInterrupt):
            np.asarray(z)
        for void in (y, z, w):
            for use in (np.asarray, lambda a: a + 1, jitgrad.jit(jnp.tanh), jnp.exp):
                with pytest.raises(errors.InterruptedProgramError, match="Ctrl-C ended the program"):
                    use(void)
        np.testing.assert_array_equal(x + 1, np.full(shape, 2))
        g = jitgrad.jit(lambda x: lax.while_loop(lambda s: s.sum() < 5000, lambda s: s * 2, x))
        assert float(g(x).sum()) >= 5000
        gpu.synchronize()
        assert not gpu.stopping.unfinished


def test_a_wait_for_kernels_that_do_not_loop_is_left_as_it_is():
    with stand_ins(deferred=True) as (gpu,):
        y = jitgrad.jit(lambda x: x * 2)(jitgrad.device_put(np.ones(3, "f4"), "cuda"))
        gpu.interrupts = True
        with pytest.raises(KeyboardInterrupt):
            y.block_until_ready()
        assert y.tolist() == [2, 2, 2]


def test_a_program_follows_its_arrays_from_call_to_call():
    with stand_ins(2):
        f = jitgrad.jit(lambda x, y: x + y)
        places = [jitgrad.device_put(np.arange(3.0), place) for place in ("cuda:0", "cuda:1", "cpu")]
        for n in (0, 0, 1, 2, 0, 1, 1):
            found = f(places[n], places[n])
            assert found.device == places[n].device
            np.testing.assert_array_equal(found, [0, 2, 4])
        np.testing.assert_array_equal(f(places[0], np.ones(3)), [1, 2, 3])
        assert f(places[2], places[1]).device == places[1].device
        with pytest.raises(jitgrad.errors.ArgumentError, match="Move them to one device"):
            f(places[0], places[1])


def test_a_want_of_memory_names_the_program_in_later_calls_too():
    with stand_ins() as (driver,):

        @jitgrad.jit
        def doubled(x):
            return x * 2

        x = jitgrad.device_put(np.ones(5000), "cuda")
        kept = doubled(x)
        driver.info = replace(driver.info, memory_bytes=0)
        with pytest.raises(jitgrad.errors.OutOfDeviceMemory, match="jit of doubled"):
            doubled(x)
        np.testing.assert_array_equal(kept, np.full(5000, 2))
