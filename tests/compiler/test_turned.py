"""Maps that read along one axis and write along another go by squares, and move every bit to where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.runtime import pool
from jitgrad_compiler.targets.cpu.loops.schedule import schedule

DTYPES = ["bool", "int8", "uint8", "int16", "int32", "uint32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]


def squares(f: Callable[..., Any], *args: Any) -> list[bool]:
    """Whether each kernel goes by squares."""
    kernels = fuse(prepare(jitgrad.make_graph(f)(*args)), Tuning())
    return [schedule(k, Tuning().loops).turned is not None for k in kernels if isinstance(k, Kernel) and k.contraction is None]


def numbers(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return jnp.asarray(np.random.default_rng(0).integers(0, 100, shape)).astype(dtype)


def assert_as_eager(f: Callable[..., Any], *args: Any) -> None:
    with jitgrad.disable_jit():
        want = np.asarray(f(*args))
    got = np.asarray(jitgrad.jit(f)(*args))
    assert (got.dtype, got.shape, got.tobytes()) == (want.dtype, want.shape, want.tobytes())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(256, 128), (257, 131), (9, 4001), (4001, 9)])
def test_a_transposed_array_of_any_type_has_the_same_bits(shape, dtype):
    x = numbers(shape, dtype)
    assert_as_eager(lambda x: x.T, x)
    assert dtype == "complex64" or squares(lambda x: x.T, x) == [True]


def test_payloads_of_nans_are_moved_as_they_are():
    x = np.arange(0x7F800001, 0x7F800001 + 250 * 250, dtype=np.uint32).view(np.float32).reshape(250, 250)
    assert np.asarray(jitgrad.jit(jnp.transpose)(x)).tobytes() == x.T.tobytes()


@pytest.mark.parametrize("axes", [(0, 3, 1, 2), (0, 2, 3, 1), (3, 2, 1, 0), (2, 3, 0, 1), (1, 3, 2, 0)])
@pytest.mark.parametrize("around", [
    lambda x: jnp.pad(x, ((0, 0), (1, 2), (1, 0), (3, 1))),
    lambda x: jnp.flip(x, 2)[:, ::-1, 1:],
    lambda x: x.reshape(-1, 10) * 3,
    lambda x: jnp.repeat(x, 2, axis=-1),
    lambda x: jnp.repeat(x, 2, axis=-2),
    lambda x: jnp.concatenate([x, x[..., :5]], -1),
    lambda x: jnp.stack([x, x + 1], -1),
    lambda x: x[:, jnp.arange(5) * 2],
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_what_is_fused_with_a_transposition_finds_its_elements(axes, around, dtype):
    assert_as_eager(lambda x: around(jnp.transpose(x, axes)), numbers((10, 17, 20, 33), dtype))


def test_arrays_of_both_orders_and_of_several_sizes_meet_in_one_kernel():
    x, y, z = numbers((300, 210)), numbers((210, 300), "float64"), numbers((300, 210), "int8")
    f = lambda x, y, z: jnp.where(z.T > 50, x.T * 2 + y[:, ::-1], z.T - x.T[:, :1])  # noqa: E731
    assert squares(f, x, y, z) == [True]
    assert_as_eager(f, x, y, z)


@pytest.mark.parametrize("size", [(28, 28), (13, 28), (28, 13), (9, 9)])
def test_phases_put_together_features_first_are_turned_in_pairs(size):
    phases = [numbers((3, *size, 40)) + n for n in range(4)]

    def together(a, b, c, d):
        both = jnp.stack([jnp.stack([a, b], 3), jnp.stack([c, d], 3)], 2)
        return jnp.transpose(both.reshape(3, 2 * size[0], 2 * size[1], 40), (0, 3, 1, 2))

    assert squares(together, *phases) == [True]
    assert_as_eager(together, *phases)


def test_small_arrays_and_short_axes_are_gathered():
    assert squares(lambda x: x.T, numbers((20, 30))) == squares(lambda x: x.T, numbers((4, 10_000))) == [False]


@pytest.fixture
def any_number_of_threads() -> Iterator[None]:
    before = pool.num_threads()
    yield
    pool.set_num_threads(before)


def test_results_do_not_depend_on_the_threads(any_number_of_threads):
    x = numbers((700, 611))
    f = jitgrad.jit(lambda x: jnp.exp(x.T / 50) + 1)
    results = []
    for threads in (1, 2, 3):
        pool.set_num_threads(threads)
        results.append(np.asarray(f(x)).tobytes())
    assert len(set(results)) == 1
