"""`elementwise`: a user's plain Python function of numbers as an op of its own, compiled by Numba, inlined into fused kernels."""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import re
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad_compiler.ir.graph import OPS, Op
from jitgrad_compiler.ops.define import elementwise as define_elementwise
from jitgrad_compiler.ops.define import partials_jvp
from jitgrad_compiler.ops.scalar_derivative import ScalarDerivativeError, differentiate_scalar

from . import backend
from .errors import ArgumentError
from .operands import elementwise as apply_elementwise
from .tracebacks import boundary
from .tracing import function_name


def _reference(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function done by Python, element by element: eager mode, which waits for no compiler. Numba's functions for devices are
    called as they were written.
    """
    plain = getattr(f, "py_func", f)
    call = plain if getattr(f, "targetoptions", {}).get("device") else f

    def run(*arrays: Any) -> Any:
        spread = np.broadcast_arrays(*arrays)
        out = np.empty(spread[0].shape, spread[0].dtype)
        for place in np.ndindex(out.shape):
            try:
                out[place] = call(*[float(a[place]) for a in spread])
            except (ZeroDivisionError, ValueError, OverflowError):  # Python raises where IEEE arithmetic goes on
                out[place] = _by_ieee(plain, [a[place] for a in spread])
        return out

    return run


class _IeeeMath:
    """`math` with NumPy's functions, which give infinities and NaN, where NumPy has them under the same names."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name, None) or getattr(math, name)


def _by_ieee(f: Any, numbers: Sequence[Any]) -> Any:
    """The function of NumPy scalars, whose operators and functions give infinities and NaN, as the compiled ones do; NaN where a
    function that only `math` has is out of its domain.
    """
    names = {name: _IeeeMath() for name, value in f.__globals__.items() if value is math}
    lenient = FunctionType(f.__code__, {**f.__globals__, **names}, f.__name__, f.__defaults__, f.__closure__)
    try:
        return lenient(*[np.float64(x) for x in numbers])
    except (ZeroDivisionError, ValueError, OverflowError):
        return np.nan


def _partials(f: Callable[..., Any], op: Op, count: int) -> list[Callable[..., Any] | None]:
    """The derivatives found in f's source, each an elementwise function itself; made when first needed."""

    @functools.cache
    def found() -> tuple[Callable[..., Any], ...]:
        return tuple(elementwise(p) for p in differentiate_scalar(f))

    def partial(i: int) -> Callable[..., Any]:
        def derivative(*operands_and_out: Any) -> Any:
            try:
                return found()[i](*operands_and_out[:-1])
            except ScalarDerivativeError as error:
                op.no_derivative = str(error)
                raise

        return derivative

    return [partial(i) for i in range(count)]


def elementwise(f: Callable[..., Any] | None = None, *, partials: Sequence[Callable[..., Any] | None] | None = None) -> Any:
    """f, a Python function of numbers, plain or decorated by numba.njit or as a device function by numba.cuda.jit, done to every
    element of arrays that broadcast together.

    Inside jit it is compiled by Numba and inlined into the kernels it is used in; outside it runs as Python, element by element.
    Operands are promoted to one float type, which is the result's.

    partials: for each operand a function of (*operands, output), arrays all, that gives the partial derivative, or None where there
    is none. Without partials, f must be straight-line code of operators and functions of `math`, which is then differentiated;
    of anything else a derivative raises an error that names the construct.

    Raises ArgumentError for a function without a fixed number of positional parameters.

    >>> import math, jitgrad, jitgrad.numpy as jnp
    >>> @jitgrad.elementwise(partials=[lambda x, out: 2 * x])
    ... def squared(x):
    ...     return x * x
    >>> print(squared(jnp.array([1.0, 3.0])), jitgrad.grad(squared)(3.0))
    [1. 9.] 6.0
    """
    if f is None:
        return functools.partial(elementwise, partials=partials)
    name = function_name(f)
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        raise ArgumentError(f"elementwise needs a Python function of numbers, got {f!r}") from None
    if not parameters or any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        raise ArgumentError(f"elementwise: {name} must have a fixed number of positional parameters, got {inspect.signature(f)}")
    count = len(parameters)
    if partials is not None and len(partials) != count:
        raise ArgumentError(
            f"elementwise: {name} has {count} parameters, but {len(partials)} partials were given; use None for a missing one"
        )
    op = _op_of(f, name, count, partials)

    @boundary
    @functools.wraps(f)
    def on_arrays(*operands: Any) -> Any:
        if len(operands) != count:
            raise ArgumentError(f"{name} takes {count} operands, got {len(operands)}")
        return apply_elementwise(name, op.name, *operands, inexact=True)

    return on_arrays


def _op_of(f: Callable[..., Any], name: str, count: int, partials: Sequence[Callable[..., Any] | None] | None) -> Op:
    """The op of a function; equal functions with derivatives from their source share one."""
    content = backend.scalar_name(f, count) + ("" if partials is None else str(next(_numbers)))
    op_name = f"user_{re.sub(r'[^a-z0-9]', '_', name.lower()).strip('_')}_{hashlib.sha256(content.encode()).hexdigest()[:10]}"
    if op_name in OPS:
        return OPS[op_name]
    op = define_elementwise(
        op_name, _reference(f), arity=count, accepts="float", scalar=f, transcendental=True, no_derivative="",
        jvp=lambda *operands: jvp(*operands), doc=(f.__doc__ or name).strip().splitlines()[0],
    )  # fmt: skip
    jvp = partials_jvp(op, _partials(f, op, count) if partials is None else partials)
    return op


_numbers = iter(range(1 << 62))
