"""Memory: NumPy arrays that go in and out of compiled programs, copies and views, DLPack, donation."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import Array, errors, jit
from jitgrad.testing import assert_close


def address(x):
    return np.asarray(x).__array_interface__["data"][0]


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


def test_dlpack_gives_a_copy_that_lives_on_and_may_be_written_to():
    out = jit(lambda x: x + 1)(np.arange(5000.0))
    taken = np.from_dlpack(out)
    assert not np.shares_memory(taken, np.asarray(out))
    assert out.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="immutable"):
        np.from_dlpack(out, copy=False)
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


def trained(state, x, y):
    """A step of Adam for a perceptron of two layers."""
    ps, m, v = state
    loss = lambda ps: jnp.mean((jnp.tanh(x @ ps[0]) @ ps[1] - y) ** 2)
    value, g = jitgrad.value_and_grad(loss)(ps)
    m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
    v = [0.99 * a + 0.01 * b * b for a, b in zip(v, g, strict=True)]
    return ([p - 0.01 * a / (jnp.sqrt(b) + 1e-3) for p, a, b in zip(ps, m, v, strict=True)], m, v), value


@pytest.mark.parametrize("batch", [3, 64, 5000])
def test_an_epoch_that_is_given_its_state_s_memory_does_what_its_steps_do(batch):
    random = np.random.default_rng(0)
    make = lambda *shape: random.standard_normal(shape).astype(np.float32)
    ps = [make(37, 130) / 6, make(130, 19) / 11]
    state = ps, [np.zeros_like(p) for p in ps], [np.zeros_like(p) for p in ps]
    xs, ys = make(4, batch, 37), make(4, batch, 19)
    want, losses = state, []
    for x, y in zip(xs, ys, strict=True):
        want, loss = jit(trained)(want, x, y)
        losses.append(loss)
    given = jit(lambda s: jitgrad.tree.map(lambda a: a * 1, s))(state)
    places = {address(a) for a in jitgrad.tree.leaves(given)}
    epoch = jit(lambda state, xs, ys: jitgrad.lax.scan(lambda s, b: trained(s, *b), state, (xs, ys)), donate_argnums=0)
    got, found = epoch(given, xs, ys)
    assert {address(a) for a in jitgrad.tree.leaves(got)} == places
    assert_close(found, jnp.stack(losses))
    for a, b in zip(jitgrad.tree.leaves(got), jitgrad.tree.leaves(want), strict=True):
        assert_close(a, b)


def test_a_while_loop_that_is_given_its_state_stays_in_the_same_memory():
    loop = jit(
        lambda x: jitgrad.lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * 2 + 1), (0, x))[1], donate_argnums=0
    )
    x = fresh()
    before = address(x)
    y = loop(x)
    assert address(y) == before
    assert_close(y, np.arange(LARGE, dtype=np.float32) * 16 + 15)


def test_what_a_loop_begins_with_and_reads_in_every_step_is_not_written_over():
    loop = jit(lambda x: jitgrad.lax.fori_loop(0, 3, lambda i, s: s * 2 + x, x), donate_argnums=0)
    assert_close(loop(fresh()), np.arange(LARGE, dtype=np.float32) * 15)


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
