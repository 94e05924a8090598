"""Activation functions by jax.nn's names. Those without parameters are rows made by `_activation`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.normalization import Axis, softmax
from jitgrad.operands import array_arg, axis_number, inexact_arg
from jitgrad.ranges import Number

ArrayLike = Any


def _activation(
    name: str, formula: Callable[[Array], Array], doc: str, sample: str, keeps_integers: bool = False
) -> Callable[[ArrayLike], Array]:
    """A function of each element; `sample` is "argument -> result" for the example in its documentation."""
    operand = array_arg if keeps_integers else inexact_arg

    def function(x: ArrayLike) -> Array:
        return formula(operand(f"nn.{name}", x))

    given, result = sample.split(" -> ")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}\n\n>>> from jitgrad import nn\n>>> print(nn.{name}({given}))\n{result}"
    return function


def _relu(x: Array) -> Array:
    return jnp.where(x <= 0, 0, x)  # by comparison, so that the derivative at 0 is 0, and a NaN stays


def _relu6(x: Array) -> Array:
    return jnp.where(x >= 6, 6, _relu(x))


def _sigmoid(x: Array) -> Array:
    return ops.op("logistic", x)


def _softplus(x: Array) -> Array:
    return jnp.logaddexp(x, 0.0)


def _log1mexp(x: Array) -> Array:
    """Maechler, Accurately computing log(1 - exp(-|a|)), 2012: the side of log 2 that is exact."""
    small = x < math.log(2)
    return jnp.where(small, jnp.log(-jnp.expm1(jnp.where(small, -x, -1.0))), jnp.log1p(-jnp.exp(jnp.where(small, -1.0, -x))))


def _sparse_plus(x: Array) -> Array:
    return jnp.where(x <= -1, 0.0, jnp.where(x >= 1, x, (x + 1) ** 2 / 4))


relu = _activation("relu", _relu, "max(x, 0), with the derivative 0 at 0.", "-2.0 -> 0.0", keeps_integers=True)
relu6 = _activation("relu6", _relu6, "min(max(x, 0), 6), with the derivative 0 at 0 and at 6.", "8.0 -> 6.0", keeps_integers=True)
sigmoid = _activation("sigmoid", _sigmoid, "1 / (1 + exp(-x)).", "0.0 -> 0.5")
log_sigmoid = _activation("log_sigmoid", lambda x: -_softplus(-x), "log(sigmoid(x)), without overflow.", "-100.0 -> -100.0")
softplus = _activation("softplus", _softplus, "log(1 + exp(x)), without overflow.", "100.0 -> 100.0")
soft_sign = _activation("soft_sign", lambda x: x / (jnp.abs(x) + 1), "x / (1 + |x|).", "1.0 -> 0.5")
silu = _activation("silu", lambda x: x * _sigmoid(x), "x * sigmoid(x), also called swish.", "0.0 -> 0.0")
swish = silu
mish = _activation("mish", lambda x: x * jnp.tanh(_softplus(x)), "x * tanh(softplus(x)) (Misra, 2019).", "0.0 -> 0.0")
tanh = _activation("tanh", jnp.tanh, "Hyperbolic tangent.", "0.0 -> 0.0")
hard_tanh = _activation(
    "hard_tanh", lambda x: jnp.where(x > 1, 1, jnp.where(x < -1, -1, x)), "x held between -1 and 1.", "-2.0 -> -1.0",
    keeps_integers=True,
)  # fmt: skip
hard_sigmoid = _activation("hard_sigmoid", lambda x: _relu6(x + 3) / 6, "relu6(x + 3) / 6.", "0.0 -> 0.5")
hard_silu = _activation("hard_silu", lambda x: x * (_relu6(x + 3) / 6), "x * hard_sigmoid(x), or hard_swish.", "3.0 -> 3.0")
hard_swish = hard_silu
log1mexp = _activation("log1mexp", _log1mexp, "log(1 - exp(-x)) for x > 0, accurate for small x.", "50.0 -> -1.9287499e-22")
sparse_plus = _activation("sparse_plus", _sparse_plus, "0 below -1, x above 1, and (x + 1)**2 / 4 between.", "0.0 -> 0.25")
sparse_sigmoid = _activation("sparse_sigmoid", lambda x: (jnp.clip(x, -1, 1) + 1) / 2, "(x + 1) / 2, from 0 to 1.", "0.0 -> 0.5")
identity = _activation("identity", lambda x: x, "x itself.", "3.0 -> 3.0", keeps_integers=True)


def _exponential_below(x: Array, factor: ArrayLike, scale: ArrayLike) -> Array:
    """x above 0, scale * expm1(x / factor) below; the branch that is not taken sees 0, so that its derivative is finite."""
    return jnp.where(x > 0, x, scale * jnp.expm1(jnp.where(x > 0, 0.0, x) / factor))


def elu(x: ArrayLike, alpha: Number = 1.0) -> Array:
    """x above 0, alpha * (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter, 2015).

    >>> print(elu(2.0))
    2.0
    """
    return _exponential_below(inexact_arg("nn.elu", x), 1.0, alpha)


def celu(x: ArrayLike, alpha: Number = 1.0) -> Array:
    """x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017): smooth for every alpha.

    >>> print(celu(2.0, 3.0))
    2.0
    """
    return _exponential_below(inexact_arg("nn.celu", x), alpha, alpha)


def selu(x: ArrayLike) -> Array:
    """elu of alpha 1.6733 times 1.0507: the constants that keep mean 0 and variance 1 (Klambauer et al., 2017).

    >>> print(selu(1.0))
    1.050701
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def leaky_relu(x: ArrayLike, negative_slope: Number = 0.01) -> Array:
    """x above 0, negative_slope * x below.

    >>> print(leaky_relu(-2.0, 0.5))
    -1.0
    """
    value = inexact_arg("nn.leaky_relu", x)
    return jnp.where(value >= 0, value, negative_slope * value)


def threshold(x: ArrayLike, threshold: ArrayLike, value: ArrayLike) -> Array:
    """x where it is above a threshold, else a value; NaN stays NaN.

    >>> print(threshold(0.1, 0.5, 20.0))
    20.0
    """
    given = inexact_arg("nn.threshold", x)
    return jnp.where(given <= threshold, value, given)


def hard_shrink(x: ArrayLike, lambd: Number = 0.5) -> Array:
    """0 from -lambd to lambd, x elsewhere.

    >>> print(hard_shrink(0.4))
    0.0
    """
    value = inexact_arg("nn.hard_shrink", x)
    return jnp.where(jnp.abs(value) <= lambd, 0, value)


def soft_shrink(x: ArrayLike, lambd: Number = 0.5) -> Array:
    """x, nearer to 0 by lambd: 0 where that is beyond.

    >>> print(soft_shrink(2.0))
    1.5
    """
    value = inexact_arg("nn.soft_shrink", x)
    return jnp.where(jnp.abs(value) <= lambd, 0, value - lambd * jnp.sign(value))


def tanh_shrink(x: ArrayLike) -> Array:
    """x - tanh(x).

    >>> print(tanh_shrink(0.0))
    0.0
    """
    value = inexact_arg("nn.tanh_shrink", x)
    return value - jnp.tanh(value)


def softmin(x: ArrayLike, axis: Axis = -1) -> Array:
    """softmax of -x along an axis.

    >>> import jitgrad.numpy as jnp
    >>> print(softmin(jnp.array([1.0, 1.0])))
    [0.5 0.5]
    """
    return softmax(-inexact_arg("nn.softmin", x), axis)


def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    """(x + sqrt(x * x + b)) / 2 (Barron, 2021).

    >>> print(squareplus(0.0))
    1.0
    """
    value = inexact_arg("nn.squareplus", x)
    return (value + jnp.sqrt(value * value + b)) / 2


def gelu(x: ArrayLike, approximate: bool | str = True) -> Array:
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016), by their tanh formula, or exactly.

    approximate: True or "tanh", as in PyTorch, for the formula, False or "none" for the function itself. Raises ArgumentError for
    other strings.

    >>> print(gelu(0.0))
    0.0
    """
    value = inexact_arg("nn.gelu", x)
    if isinstance(approximate, str) and approximate not in ("tanh", "none"):
        raise ArgumentError(f"nn.gelu: approximate must be True, False, 'tanh' or 'none', got {approximate!r}")
    if not approximate or approximate == "none":
        return value * 0.5 * ops.op("erfc", value * -math.sqrt(0.5))
    inner = math.sqrt(2 / math.pi) * (value + 0.044715 * (value * value * value))
    return value * 0.5 * (1.0 + jnp.tanh(inner))


def glu(x: ArrayLike, axis: int = -1) -> Array:
    """The first half along an axis times the sigmoid of the second (Dauphin et al., 2016). ShapeError for an axis of odd size.

    >>> import jitgrad.numpy as jnp
    >>> print(glu(jnp.array([4.0, 0.0])))
    [2.]
    """
    value = inexact_arg("nn.glu", x)
    along = axis_number("nn.glu", axis, value.ndim)
    size = value.shape[along]
    if size % 2:
        raise ShapeError(f"nn.glu: the size of axis {axis} must be even, got shape {value.shape}")
    first, second = ops.slice_axis(value, along, 0, size // 2), ops.slice_axis(value, along, size // 2, size)
    return first * _sigmoid(second)
