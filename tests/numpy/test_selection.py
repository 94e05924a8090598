"""Choosing between values, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError, ConcretizationTypeError

CASES = [
    "nan_to_num(n)",
    "nan_to_num(n, nan=1.0, posinf=2.0, neginf=3.0)",
    "where(b, x, y)",
    "where(b, x, 0)",
    "where(b, 1, 0)",
    "where(b, i, x)",
    "where(x > 0, v, 1.5)",
    "where(i, x, y)",
    "select([x > 1, x > 0], [x, y], 3.0)",
    "select([b, i > 0], [i, j])",
    "clip(x, -0.5, 0.5)",
    "clip(i, 0, None)",
    "clip(x, None, v)",
    "clip(i, 0.5, 2)",
    "piecewise(x, [x < 0, x >= 0], [-1.0, 1.0])",
    "piecewise(x, [x < -0.5, x > 0.5], [lambda a: -a, lambda a: a * 2, 7.0])",
    'choose(k % 2, [v, v * 2], mode="clip")',
    'choose(k, [v, v * 2], mode="wrap")',
    "where(True, x, y)",
    "where(False, 1.0, y)",
    "piecewise(x, [x > -0.5, x > 0.5], [1.0, 2.0, 3.0])",
    "piecewise(x, array([x > 0.5, x < 0.0]), [1.0, 2.0, 3.0]) :: piecewise(x, [x > 0.5, x < 0.0], [1.0, 2.0, 3.0])",
    "piecewise(v, v > 0.0, [1.0, 2.0])",
]

CONCRETE_CASES = [
    "where(b)",
    "choose(k % 2, [v, 0.5])",
    "choose(0, [v, 0.5])",
]
"""Those whose result has a shape that depends on the elements."""


@pytest.mark.parametrize("case", CASES)
def test_selection_agrees_with_numpy_eagerly_traced_and_batched(case: str, agrees: Callable[..., None]) -> None:
    agrees(case)


@pytest.mark.parametrize("case", CONCRETE_CASES)
def test_results_of_unknown_size_agree_with_numpy_on_concrete_arrays(case: str, agrees: Callable[..., None]) -> None:
    agrees(case, traced=False)


def test_choose_by_mode_raise_refuses_numbers_outside_and_traced_ones() -> None:
    with pytest.raises(ArgumentError, match="outside the 2 choices"):
        jnp.choose(jnp.array([2]), [1, 2])
    with pytest.raises(ConcretizationTypeError, match="clip"):
        jitgrad.jit(lambda k: jnp.choose(k, [1, 2]))(0)


@pytest.mark.parametrize("transform", [lambda f: f, jitgrad.jit])
def test_functions_of_piecewise_give_no_derivative_where_another_was_chosen(
    transform: Callable[..., Callable[..., jnp.ndarray]],
) -> None:
    def f(x: jnp.ndarray) -> jnp.ndarray:
        return jnp.piecewise(x, [x < 0, x > 1, x > 3], [lambda v: v**2, jnp.log, jnp.sqrt, 0.0])

    x = jnp.array([-1.0, 0.0, 2.0, 4.0])
    wanted = [-2.0, 0.0, 0.5, 0.25]
    assert transform(jitgrad.grad(lambda x: f(x).sum()))(x).tolist() == wanted
    assert transform(jitgrad.vmap(jitgrad.grad(f)))(x).tolist() == wanted
    assert transform(jitgrad.jacfwd(f))(x).diagonal().tolist() == wanted
