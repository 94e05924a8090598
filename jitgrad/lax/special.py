"""Special functions by lax's names, of operands of one float type; those of `jitgrad.scipy.special` promote theirs."""

from __future__ import annotations

from collections.abc import Callable

from jitgrad.array import Array
from jitgrad.at_once import one_op
from jitgrad.operands import ArrayLike
from jitgrad_compiler.ir.graph import OPS

from .elementwise import apply

EXAMPLE = "\n\n    >>> print({name}({arguments}))\n    {value}\n    "


def _of_one(name: str, op: str, doc: str, value: str) -> Callable[[ArrayLike], Array]:
    def function(x: ArrayLike) -> Array:
        return apply(name, op, x)

    one_op(function, OPS[op])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + EXAMPLE.format(name=name, arguments="1.0", value=value)
    return function


def _of_two(name: str, op: str, doc: str, value: str) -> Callable[[ArrayLike, ArrayLike], Array]:
    def function(a: ArrayLike, x: ArrayLike) -> Array:
        return apply(name, op, a, x)

    one_op(function, OPS[op])
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + EXAMPLE.format(name=name, arguments="1.0, 1.0", value=value)
    return function


bessel_i0e = _of_one("bessel_i0e", "i0e", "exp(-|x|) times the modified Bessel function of order 0.", "0.4657596")
bessel_i1e = _of_one("bessel_i1e", "i1e", "exp(-|x|) times the modified Bessel function of order 1.", "0.20791042")
igamma = _of_two("igamma", "gammainc", "The regularised lower incomplete gamma function P(a, x).", "0.63212055")
igammac = _of_two("igammac", "gammaincc", "The regularised upper incomplete gamma function 1 - P(a, x).", "0.36787945")
igamma_grad_a = _of_two("igamma_grad_a", "gammainc_slope", "The derivative of `igamma` by a.", "-0.4317297")


def betainc(a: ArrayLike, b: ArrayLike, x: ArrayLike) -> Array:
    """The regularised incomplete beta function I_x(a, b).

    >>> print(betainc(1.0, 2.0, 0.5))
    0.75
    """
    return apply("betainc", "betainc", a, b, x)


def polygamma(m: ArrayLike, x: ArrayLike) -> Array:
    """The m-th derivative of `digamma` at x. It has no derivative by m.

    >>> print(polygamma(1.0, 1.0))
    1.644934
    """
    return apply("polygamma", "polygamma", m, x)


def zeta(x: ArrayLike, q: ArrayLike) -> Array:
    """Hurwitz' zeta function: the sum of (q + k)**-x over k = 0, 1, 2, ...

    >>> print(zeta(2.0, 1.0))
    1.644934
    """
    return apply("zeta", "zeta", x, q)


def random_gamma_grad(a: ArrayLike, x: ArrayLike) -> Array:
    """The derivative of a draw x of gamma's distribution by its shape a, at a fixed value of the distribution function P(a, x).

    That is -(dP/da) / (dP/dx) (Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018).

    >>> print(random_gamma_grad(2.0, 2.5))
    1.2123193
    """
    return apply("random_gamma_grad", "gamma_draw_slope", a, x)
