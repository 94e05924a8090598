"""How the distributions are written: formulas in a table, from which the public functions come, with promotion and documentation.

A formula takes float Arrays of one type that broadcast. Next on the path: `continuous.py` and `discrete.py`.
"""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import array_ops as ops
from jitgrad.array import Array
from jitgrad.at_once import replayed
from jitgrad.errors import DTypeError
from jitgrad.operands import operands
from jitgrad.promotion import default_float
from jitgrad.tracebacks import boundary

Formula = Callable[..., Array]

MEANINGS = {
    "logpdf": "The logarithm of the density at x.", "pdf": "The density at x.",
    "logpmf": "The logarithm of the probability of k.", "pmf": "The probability of k.",
    "cdf": "The probability of at most x.", "logcdf": "The logarithm of the probability of at most x.",
    "sf": "The probability of more than x.", "logsf": "The logarithm of the probability of more than x.",
    "ppf": "The number at which cdf is {0}; NaN for {0} outside [0, 1].",
    "isf": "The number at which sf is {0}; NaN for {0} outside [0, 1].",
    "entropy": "The entropy in nats.",
}  # fmt: skip


def float_arguments(where: str, *xs: Any) -> list[Array]:
    """Operands of one float type and one shape, not weak any more."""
    values, weak = operands(where, *xs, inexact=True, whole=True)
    if not values[0].type.dtype.is_float:
        raise DTypeError(f"{where}: takes real numbers, got {values[0].dtype}")
    return [jnp.asarray(ops.convert(v, default_float()) if weak else v) for v in values]


def log_chance(chance: Array, rest: Array) -> Array:
    """The logarithm of a chance, of which `rest` is what is missing to 1: accurate where that is small, too."""
    near = chance > 0.5
    return jnp.where(near, jnp.log1p(-jnp.where(near, rest, 0.0)), jnp.log(jnp.where(near, 1.0, chance)))


class Distribution(types.ModuleType):
    """A family of distributions, importable as a module, as in jax. Its functions take a value and parameters, which broadcast."""

    def __init__(self, name: str, doc: str, methods: dict[str, Callable[..., Array]]) -> None:
        super().__init__(f"{__package__}.{name}", doc)
        for method, f in methods.items():
            self.__dict__[method] = boundary(f, known=True, name=None if f.__name__ == method else method)
        sys.modules[self.__name__] = self  # so that `import jitgrad.scipy.stats.norm` finds it

    def __getattr__(self, name: str) -> Any:
        there = ", ".join(m for m in MEANINGS if m in self.__dict__)
        raise AttributeError(f"{self.__name__} has no {name}; it has {there}")


def distribution(
    name: str, doc: str, example: str, holds: Formula | None = None, wide: bool = False, **formulas: Formula
) -> Distribution:
    """`example` is "method(arguments) -> result" for the documentation. pdf and pmf follow from their logarithms.

    holds: of the parameters but loc and scale, for which of them there is a distribution. Everything else is NaN, as scales are
    that are not positive. wide: formulas are done in float64 and rounded once, as sums of terms of the size of a count are.
    """
    for log, plain in (("logpdf", "pdf"), ("logpmf", "pmf")):
        if log in formulas and plain not in formulas:
            formulas[plain] = lambda *args, f=formulas[log]: jnp.exp(f(*args))
            formulas[plain].__signature__ = inspect.signature(formulas[log])  # type: ignore[attr-defined]
    methods = {method: _public(name, method, formula, holds, wide) for method, formula in formulas.items()}
    call, result = example.split(" -> ")
    return Distribution(name, f"{doc}\n\n>>> from jitgrad.scipy.stats import {name}\n>>> print({name}.{call})\n{result}", methods)


def _public(name: str, method: str, formula: Formula, holds: Formula | None, wide: bool) -> Callable[..., Array]:
    where, signature = f"scipy.stats.{name}.{method}", inspect.signature(formula)
    shapes = list(inspect.signature(holds).parameters) if holds else []

    def function(*args: Any, **kwargs: Any) -> Array:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        values = float_arguments(where, *given.args)
        dtype = values[0].dtype
        if wide:
            values = [v.astype(np.float64) for v in values]
        arguments = dict(zip(signature.parameters, values, strict=True))
        found = formula(*arguments.values())
        if "scale" in arguments:
            found = jnp.where(arguments["scale"] > 0, found, math.nan)
        if holds:
            found = jnp.where(holds(*[arguments[shape] for shape in shapes]), found, math.nan)
        return found.astype(dtype)

    function.__name__, function.__qualname__ = method, f"{name}.{method}"
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__doc__ = MEANINGS[method].format(next(iter(signature.parameters), ""))
    replayed(function)
    return function
