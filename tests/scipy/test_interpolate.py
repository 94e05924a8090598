"""RegularGridInterpolator: SciPy's values, on grids that rise and fall, and derivatives of all of its arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import errors, grad, jit, tree, vmap
from jitgrad.scipy.interpolate import RegularGridInterpolator
from jitgrad.test_util import check_grads


def drawn(sizes, behind, seed):
    rng = np.random.default_rng(seed)
    points = [np.cumsum(rng.uniform(0.2, 2, n)) * rng.choice([-1, 1]) for n in sizes]
    values = rng.standard_normal((*sizes, *behind))
    xi = np.stack([rng.uniform(p.min() - 0.5, p.max() + 0.5, (4, 3)) for p in points], axis=-1)
    return points, values, xi


@given(st.lists(st.integers(2, 5), min_size=1, max_size=3), st.lists(st.integers(1, 3), max_size=1), st.integers(0, 99))
@settings(max_examples=12)
def test_values_are_those_of_scipy(sizes, behind, seed):
    points, values, xi = drawn(sizes, behind, seed)
    for method in ("linear", "nearest"):
        for fill in (np.nan, -0.1, None):
            want = scipy.interpolate.RegularGridInterpolator(points, values, method, False, fill)(xi)
            ours = RegularGridInterpolator(points, values, method, fill_value=fill)
            for f in (ours, jit(lambda x, f=ours: f(x)))[: 2 if fill is None else 1]:
                np.testing.assert_allclose(f(xi), want, rtol=1e-10, atol=1e-10)


def test_points_may_be_a_vector_or_a_tuple_of_arrays():
    points, values, xi = drawn([4, 5], [], 3)
    f, g = (
        c(points, values, bounds_error=False, fill_value=None)
        for c in (RegularGridInterpolator, scipy.interpolate.RegularGridInterpolator)
    )
    for x in (xi[0, 0], xi[0], (xi[..., 0], xi[0, :1, 1]), (xi[0, 0, 0], xi[0, 0, 1])):
        found, want = f(x), g(x)
        assert found.shape == want.shape
        np.testing.assert_allclose(found, want)
    line = RegularGridInterpolator([np.array([0.0, 1.0, 3.0])], np.array([1.0, 2.0, 0.0]))
    assert line(np.array([0.5, 2.0])).tolist() == [1.5, 1.0]


def test_nodes_halves_and_no_numbers():
    f = RegularGridInterpolator([np.array([0.0, 1.0, 2.0])], np.array([1.0, 5.0, 2.0]))
    assert f(np.array([0.0, 1.0, 2.0])).tolist() == [1, 5, 2]
    assert f(np.array([0.5, 1.5]), method="nearest").tolist() == [1, 5]
    assert np.isnan(f(np.array([np.nan, -0.1]))).all() and np.isnan(f(np.array([np.nan]), "nearest")).all()
    assert RegularGridInterpolator([np.array([0, 1])], np.array([1, 2]))(np.float32([0.5])).dtype == np.float32


def test_derivatives_of_values_grid_and_points():
    points, values, xi = drawn([3, 4], [2], 7)
    f = lambda points, values, xi: RegularGridInterpolator(points, values, fill_value=None)(xi)
    check_grads(f, (points, values, xi), order=2, modes=("fwd", "rev"))


def test_an_interpolator_is_a_pytree():
    points, values, xi = drawn([3, 4], [], 1)
    f = RegularGridInterpolator(points, values, fill_value=0.0)
    np.testing.assert_allclose(jit(lambda f, x: f(x))(f, xi), f(xi))
    slopes = grad(lambda f: f(xi).sum())(f)
    assert isinstance(slopes, RegularGridInterpolator) and slopes.values.shape == (3, 4)
    rows = vmap(lambda v: RegularGridInterpolator(points, v, fill_value=0.0)(xi))(np.stack([values, 3 * values]))
    np.testing.assert_allclose(rows[1], 3 * f(xi))
    assert tree.map(lambda x: x, f).method == "linear"


GRID = [np.array([0.0, 1.0]), np.array([0.0, 1.0, 2.0])]
WRONG = [
    (lambda: RegularGridInterpolator(GRID, np.ones((2, 3)), "cubic"), errors.ArgumentError, "method must be 'linear' or 'nearest'"),
    (lambda: RegularGridInterpolator(GRID, np.ones((2, 3)), bounds_error=True), errors.ArgumentError, "use fill_value=nan"),
    (lambda: RegularGridInterpolator(GRID, np.ones(2)), errors.ShapeError, "2 arrays of points, but values has 1 axes"),
    (lambda: RegularGridInterpolator(GRID, np.ones((2, 4))), errors.ShapeError, r"points\[1\] must be a vector .* axis 1, 4; got"),
    (
        lambda: RegularGridInterpolator([np.array([0.0, 2.0, 1.0])], np.ones(3)),
        errors.ArgumentError,
        r"points\[0\] must rise, or fall",
    ),
    (lambda: RegularGridInterpolator([np.array([0.0])], np.ones(1)), errors.ShapeError, "two or more"),
    (lambda: RegularGridInterpolator(GRID, np.ones((2, 3)), fill_value=1j), errors.DTypeError, "fill_value"),
    (lambda: RegularGridInterpolator(GRID, np.ones((2, 3)))(np.ones((4, 3))), errors.ShapeError, "2 variables, the points have 3"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
