"""What is written at an index by NumPy's own indexing is what the operations of a scatter write, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.numpy import indexing

INDICES = [
    0, -1, 5, slice(1, 3), slice(None, None, -1), slice(None, None, 2), ..., (), None, True, (0, 1), (slice(None), 1),
    jnp.array([0, 0, 1]), jnp.array([[0, 1], [1, 1]]), (slice(None), jnp.array([1, 1])), (jnp.array([0, 0]), jnp.array([1, 1])),
    jnp.array([7]), jnp.array(1), (slice(0, 2), jnp.array([0, 0]), None), np.array([-1, 0, -1]),
]  # fmt: skip
METHODS = "set add subtract multiply divide power min max".split()


def values(x: Any, index: Any) -> Iterator[Any]:
    yield from (1, 2.5, -0.0, 300, 10**12, 1e300, 1j, True, np.float32(2), jnp.array(2.0), jnp.asarray(3).astype(x.dtype))
    try:
        shape = x[index].shape
    except jitgrad.errors.JitgradError:
        return
    yield (jnp.arange(int(np.prod(shape))).reshape(shape) - 1).astype(x.dtype)
    yield jnp.ones((1, *shape), x.dtype)


def outcome(f: Callable[[], Any]) -> Any:
    try:
        out = f()
    except Exception as error:
        return type(error), str(error)
    return out.dtype, out.shape, out.weak_type, np.asarray(out).tobytes()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "bfloat16", "float32", "complex64"])
def test_each_method_writes_at_each_index_what_its_operations_write(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now, taken = indexing.written_now, 0
    for shape in ((4,), (3, 4)):
        numbers = np.random.default_rng(0).choice([0.0, -0.0, 1.5, -2.0, 3.0, 0.25], shape)
        x = jnp.array(np.abs(numbers) if dtype[0] == "u" else numbers).astype(dtype)
        for index in [*INDICES, x != 0, (..., 0)]:
            for method in METHODS:
                for value in values(x, index):
                    found = []
                    for quick in (now, lambda *_: None):
                        monkeypatch.setattr(indexing, "written_now", quick)
                        found.append(outcome(lambda: getattr(x.at[index], method)(value)))  # noqa: B023
                    assert found[0] == found[1], (index, method, value)
                taken += now(x, index, x.ravel()[0], "set") is not None
    assert (taken > 0) == (dtype != "bfloat16")  # which is computed in float32


def test_what_is_written_leaves_the_array_and_follows_its_settings() -> None:
    x = jnp.zeros(3)
    y = x.at[jnp.array([1, 1])].add(2.0)
    assert x.tolist() == [0, 0, 0] and y.tolist() == [0, 4, 0]
    assert jitgrad.grad(lambda v: (x.at[0].set(v) ** 2).sum())(3.0) == 6
    assert jitgrad.jit(lambda v: x.at[0].add(v))(2.0).tolist() == [2, 0, 0]
    assert jitgrad.vmap(lambda v: x.at[0].set(v))(jnp.arange(2.0)).tolist() == [[0, 0, 0], [1, 0, 0]]
    with jitgrad.debug.checked("index"), pytest.raises(jitgrad.errors.JitgradError):
        x.at[7].set(1.0)
    with jitgrad.debug_nans(), pytest.raises(FloatingPointError):
        x.at[0].add(jnp.nan)
