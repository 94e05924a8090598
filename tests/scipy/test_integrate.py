"""scipy.integrate's trapezoid is jitgrad.numpy's."""

import numpy as np
import scipy.integrate

from jitgrad.scipy.integrate import trapezoid


def test_integrals_are_those_of_scipy():
    rng = np.random.default_rng(0)
    y, x = rng.standard_normal((3, 5)), np.sort(rng.standard_normal(5))
    np.testing.assert_allclose(trapezoid(y, x), scipy.integrate.trapezoid(y, x))
    np.testing.assert_allclose(trapezoid(y, dx=0.3, axis=0), scipy.integrate.trapezoid(y, dx=0.3, axis=0))
