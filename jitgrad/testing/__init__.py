"""Checks for tests: `check_grads` compares derivatives with differences of the function, `assert_close` compares pytrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from jitgrad_compiler.ir.types import C64, C128, F32, F64, NAMES

from .. import tree
from ..array import as_value
from ..differentiation import jvp, vjp
from ..errors import ArgumentError
from ..publishing import public as _public
from ..tracing import FLOAT0

TOLERANCE = {F32: 1e-2, C64: 1e-2, F64: 1e-5, C128: 1e-5}
EPSILON = {F32: 1e-2, C64: 1e-2, F64: 1e-4, C128: 1e-4}
_WIDE = {"float32": np.float64, "complex64": np.complex128}


def _arrays(items: Any) -> Any:
    """A pytree's leaves as NumPy arrays of their types."""
    return tree.map(lambda x: np.asarray(as_value(x)), items)


def _widened(items: Any) -> Any:
    return tree.map(lambda x: np.asarray(x, _WIDE.get(x.dtype.name, x.dtype)), _arrays(items))


def _is_inexact(x: np.ndarray) -> bool:
    return x.dtype in NAMES and NAMES[x.dtype].is_inexact


def assert_close(actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, message: str = "") -> None:
    """Raise AssertionError, naming the path, unless two pytrees of numbers agree within atol + rtol * |expected|.

    The tolerances follow the leaves' types where none are given: 1e-2 for 16 bits, 1e-5 for float32, 1e-12 for float64, 0 for
    integers.

    >>> assert_close({"a": 1.0}, {"a": 1.0})
    """
    tree.check_same_structure("testing.assert_close", expected, actual, "actual value")
    for (path, x), y in zip(tree.leaves_with_path(_arrays(actual)), tree.leaves(_arrays(expected)), strict=True):
        coarse = min((a.dtype.itemsize // (2 if a.dtype.kind == "c" else 1) for a in (x, y) if _is_inexact(a)), default=0)
        default = {0: 0.0, 1: 0.1, 2: 1e-2, 4: 1e-5, 8: 1e-12}[coarse]
        where = f"{message or 'values differ'} at {tree.path_text(path) or 'the only leaf'}"
        np.testing.assert_allclose(x, y, default if rtol is None else rtol, default if atol is None else atol, err_msg=where)


def _direction(rng: np.random.Generator, items: Any) -> Any:
    """A random tangent for each leaf; that of integers is float0."""

    def draw(x: np.ndarray) -> np.ndarray:
        if not _is_inexact(x):
            return np.zeros(x.shape, FLOAT0)
        drawn = rng.standard_normal(x.shape)
        return np.asarray(drawn + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else drawn, x.dtype)

    return tree.map(draw, items)


def _step(items: Any, direction: Any, size: float) -> Any:
    # arrays also where NumPy makes scalars, which are weak
    return tree.map(lambda x, d: np.asarray(x + size * d, x.dtype) if _is_inexact(x) else x, items, direction)


def _difference(f: Callable[..., Any], args: Any, direction: Any, eps: float) -> Any:
    """The central difference of f along a direction."""
    ahead, behind = (_arrays(f(*_step(args, direction, s))) for s in (eps / 2, -eps / 2))
    return tree.map(lambda a, b: (a - b) / eps if _is_inexact(a) else np.zeros(a.shape), ahead, behind)


def _real_tangent(x: Any) -> np.ndarray:
    """An output tangent as numbers: those of integer outputs are 0."""
    if isinstance(x, np.ndarray) and x.dtype.names == ("float0",):
        return np.zeros(x.shape)
    array = np.asarray(x)
    return array if _is_inexact(array) else np.zeros(array.shape)


def _inner(a: Any, b: Any) -> float:
    """The real part of the sum of products of two pytrees, which is what a cotangent means; integers take no part."""
    pairs = zip(tree.leaves(a), tree.leaves(b), strict=True)
    return float(sum(np.real(np.sum(np.asarray(x) * np.asarray(y))) for x, y in pairs if _is_inexact(np.asarray(x))))


def _settings(args: Any, atol: float | None, rtol: float | None, eps: float | None) -> tuple[float, float, float]:
    kinds = [{"float32": F32, "complex64": C64}.get(x.dtype.name, F64) for x in tree.leaves(args) if _is_inexact(x)]
    name = F32 if any(k in (F32, C64) for k in kinds) else F64
    return (
        TOLERANCE[name] if atol is None else atol,
        TOLERANCE[name] if rtol is None else rtol,
        EPSILON[name] if eps is None else eps,
    )


@dataclass(frozen=True)
class _Measured:
    """What differences tell of f at some arguments: its value, and how it moves along a random direction. All checks of one
    function at one point share it."""

    args: Any
    value: Any
    direction: Any
    moved: Any
    rng: np.random.Generator
    near: tuple[float, float]
    """rtol, atol"""

    @staticmethod
    def of(f: Callable[..., Any], args: Sequence[Any], atol: float | None, rtol: float | None, eps: float | None) -> _Measured:
        arrays = _arrays(tuple(args))
        atol, rtol, eps = _settings(arrays, atol, rtol, eps)
        rng = np.random.default_rng(0)
        direction = _direction(rng, arrays)
        moved = _difference(f, arrays, direction, eps)
        return _Measured(arrays, _arrays(f(*arrays)), direction, moved, rng, (rtol, atol))

    def check_jvp(self, f_jvp: Callable[..., Any], err_msg: str) -> None:
        value, tangent = f_jvp(self.args, self.direction)
        assert_close(_arrays(value), self.value, *self.near, f"{err_msg} jvp's value differs from the function's")
        assert_close(tree.map(_real_tangent, tangent), self.moved, *self.near, f"{err_msg} jvp differs from differences")

    def check_vjp(self, f_vjp: Callable[..., Any], err_msg: str) -> None:
        value, pullback = f_vjp(*self.args)
        assert_close(_arrays(value), self.value, *self.near, f"{err_msg} vjp's value differs from the function's")
        cotangent = _direction(self.rng, _arrays(value))
        pulled = tree.map(_real_tangent, tuple(pullback(cotangent)))
        forward, backward = _inner(cotangent, self.moved), _inner(self.direction, pulled)
        assert_close(backward, forward, *self.near, f"{err_msg} vjp differs from differences")


def check_jvp(
    f: Callable[..., Any],
    f_jvp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Check `f_jvp(primals, tangents) -> (output, tangent)` against differences of f along a random direction."""
    _Measured.of(f, args, atol, rtol, eps).check_jvp(f_jvp, err_msg)


def check_vjp(
    f: Callable[..., Any],
    f_vjp: Callable[..., Any],
    args: Sequence[Any],
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Check `f_vjp(*args) -> (output, pullback)` against differences of f: for a random direction and a random cotangent, the
    cotangent times the difference is the pulled-back cotangent times the direction.
    """
    _Measured.of(f, args, atol, rtol, eps).check_vjp(f_vjp, err_msg)


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Check f's derivatives at `args` up to an order against differences, in forward ("fwd") and reverse ("rev") mode.

    float32 arguments are widened to float64 first, where differences tell more; f may return any pytree. Each order is checked
    along random directions (always the same ones), which suffices to find a wrong derivative. atol, rtol: how far derivatives may
    be from differences of step eps; by default 1e-5 at 1e-4. Raises AssertionError, with the mode, the order and the path.

    >>> import jitgrad.numpy as jnp
    >>> check_grads(jnp.sin, (0.5,), order=2)
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or order < 1:
        raise ArgumentError(f"testing.check_grads: modes must be 'fwd' and 'rev', and order at least 1, got {modes} and {order}")
    _check_orders(f, _widened(tuple(args)), order, modes, atol, rtol, eps, "")


def _check_orders(
    f: Callable[..., Any],
    args: Any,
    order: int,
    modes: Sequence[str],
    atol: float | None,
    rtol: float | None,
    eps: float | None,
    taken: str,
) -> None:
    measured = _Measured.of(f, args, atol, rtol, eps)
    for mode in modes:
        label = f"{taken}{mode}:"
        if mode == "fwd":
            measured.check_jvp(partial(jvp, f), label)
        else:
            measured.check_vjp(partial(vjp, f), label)
        if order > 1:
            derivative = partial(_forward if mode == "fwd" else _reverse, f)
            _check_orders(derivative, args, order - 1, modes, atol, rtol, eps, f"{taken}{mode} of ")


def _forward(f: Callable[..., Any], *args: Any) -> Any:
    """The derivative of f along a fixed direction, as a function of the point."""
    direction = _direction(np.random.default_rng(1), _shaped(args))
    value, tangent = jvp(f, args, direction)
    return [t for v, t in zip(tree.leaves(value), tree.leaves(tangent), strict=True) if as_value(v).type.dtype in TOLERANCE]


def _reverse(f: Callable[..., Any], *args: Any) -> Any:
    """The pulled-back fixed cotangent of f, as a function of the point."""
    value, pullback = vjp(f, *args)
    cotangent = _direction(np.random.default_rng(1), _shaped(value))
    pulled = pullback(cotangent)
    return [t for v, t in zip(tree.leaves(args), tree.leaves(pulled), strict=True) if as_value(v).type.dtype in TOLERANCE]


def _shaped(items: Any) -> Any:
    """Arrays of the leaves' shapes and types, whatever level of differentiation they belong to."""

    def stand_in(x: Any) -> np.ndarray:
        value = as_value(x)
        return np.zeros(value.type.shape, value.dtype if not value.weak else "f8")

    return tree.map(stand_in, items)


_public(__name__, arguments=True)
