"""Every function of linear algebra on random calls: NumPy or SciPy, eager, compiled and batched agree, and derivatives are those of
finite differences. function_table.py says how each is called.
"""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import jit, vmap
from jitgrad.scipy import linalg
from tests.every_call import cases, derivatives_agree, eager_compiled_and_batched_agree
from tests.numpy.function_table import Row

from .function_table import ELSEWHERE, NAMES, ROWS

SMOOTH = [row for row in ROWS if row.smooth]


@cases(ROWS)
def test_eager_compiled_and_batched_agree_with_the_reference(row: Row) -> None:
    eager_compiled_and_batched_agree(row)


@cases(SMOOTH)
def test_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "float64")


@cases([row for row in SMOOTH if "c" in row.types])
def test_complex_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "complex128")


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "jit"])
def test_many_right_sides_of_one_matrix_are_solved_for_as_one_by_one(run) -> None:
    a, b = np.array([[3.0, 1.0], [1.0, 2.0]]), np.random.default_rng(0).standard_normal((3, 2, 2))
    for solve in (
        jnp.linalg.solve,
        linalg.solve_triangular,
        lambda a, b: linalg.lu_solve(linalg.lu_factor(a), b, 1),
        lambda a, b: linalg.cho_solve(linalg.cho_factor(a), b),
    ):
        found = run(vmap(solve, in_axes=(None, 0)))(a, b)
        np.testing.assert_allclose(found, [solve(a, one) for one in b], rtol=1e-12)


def test_every_function_has_a_row_or_a_reason() -> None:
    words = {word for row in ROWS for word in row.names.split()}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    public = {name for module in NAMES.values() for name in module.__all__}
    assert public <= words | reasons, sorted(public - words - reasons)
    assert reasons <= public and not words & reasons, sorted(reasons - public | words & reasons)
