"""Maps whose axes are cut by the remainders of their indices: pools' gradients, enlarged arrays, elements put between others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn
from jitgrad_compiler.kernels.fuse import fuse
from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.kernels.tuning import Tuning
from jitgrad_compiler.passes.pipeline import prepare
from jitgrad_compiler.targets.cpu.loops.schedule import Schedule, schedule

SPACES = [(32, 32), (9, 33), (8, 17), (5, 40)]


def schedules(f: Callable[..., Any], *args: Any) -> list[Schedule]:
    graph = jitgrad.make_graph(f)(*args)
    return [schedule(k, Tuning().loops) for k in fuse(prepare(graph), Tuning()) if isinstance(k, Kernel) and k.contraction is None]


def with_gradient(layer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def both(x: Any) -> Any:
        y, pull = jitgrad.vjp(layer, x)
        return y, *pull(y * y)

    return both


def image(space: tuple[int, int], channels: int, last: bool, dtype: str = "float32") -> np.ndarray:
    shape = (2, *space, channels) if last else (2, channels, *space)
    return np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape).astype(dtype) / 64


def assert_as_eager(f: Callable[..., Any], x: np.ndarray, rtol: float = 1e-6) -> None:
    with jitgrad.disable_jit():
        wanted = jitgrad.tree.leaves(f(jnp.asarray(x)))
    for got, want in zip(jitgrad.tree.leaves(jitgrad.jit(f)(x)), wanted, strict=True):
        np.testing.assert_allclose(np.asarray(got, np.float64), np.asarray(want, np.float64), rtol)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("size, stride, padding", [(2, 2, 0), (3, 2, 1), (3, 2, 0), (3, 3, 1), (4, 2, 1)])
@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
def test_pools_and_their_gradients_are_eager_modes(pool, size, stride, padding, last, space):
    layer = pool(size, stride, padding, data_format="channels_last" if last else "channels_first")
    assert_as_eager(with_gradient(layer), image(space, 17 if last else 3, last))


@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "bool"])
@pytest.mark.parametrize("space", SPACES)
def test_elements_repeated_and_put_between_others_keep_their_type(space, dtype):
    x = (image(space, 2, False) % 3).astype(dtype)
    assert_as_eager(lambda x: jnp.repeat(x, 2, axis=3), x)
    assert_as_eager(lambda x: jnp.repeat(jnp.repeat(x, 3, axis=2), 2, axis=3), x)
    assert_as_eager(lambda x: lax.pad(x, x[0, 0, 0, 0], [(0, 0, 0), (0, 0, 0), (-1, 1, 2), (1, -2, 1)]), x)
    assert_as_eager(lambda x: (lambda y: (y, y == 0))(jnp.repeat(x, 2, axis=3)), x)


def test_a_pools_gradient_is_one_kernel_that_reads_vectors():
    for layer in (nn.MaxPool2d(3, 2, 1, data_format="channels_first"), nn.AvgPool2d(3, 2, 1, data_format="channels_first")):
        forward, backward = schedules(with_gradient(layer), image((32, 32), 3, False))
        assert not forward.cuts and [c.remainder.extent for c in backward.cuts] == [2, 2]


def test_axes_that_nothing_divides_are_not_cut():
    assert not any(s.cuts for s in schedules(lambda x: jnp.tanh(x) + 1, image((32, 32), 3, False)))
    assert not any(s.cuts for s in schedules(lambda x: jnp.repeat(x, 16, axis=3), image((32, 32), 3, False)))


def test_padding_of_a_pool_is_not_computed():
    x = image((32, 32), 3, False)
    layer = nn.AvgPool2d(3, 2, 1, data_format="channels_first")
    sizes = [r.type.shape for s in schedules(with_gradient(layer), x) for r in s.kernel.outputs]
    assert sizes == [(2, 3, 16, 16), (2, 3, 32, 32)]


def test_a_largest_element_and_its_place_are_found_in_one_kernel():
    forward, _ = schedules(with_gradient(nn.MaxPool2d(2, data_format="channels_last")), image((8, 8), 16, True))
    assert len(forward.kernel.outputs) == 2
