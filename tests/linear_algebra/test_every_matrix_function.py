"""Every function of linear algebra on random calls: NumPy or SciPy, eager, compiled and batched agree, and derivatives are those of
finite differences. function_table.py says how each is called.
"""

from __future__ import annotations

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


def test_every_function_has_a_row_or_a_reason() -> None:
    words = {word for row in ROWS for word in row.names.split()}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    public = {name for module in NAMES.values() for name in module.__all__}
    assert public <= words | reasons, sorted(public - words - reasons)
    assert reasons <= public and not words & reasons, sorted(reasons - public | words & reasons)
