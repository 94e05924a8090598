"""Factories for ops: what every family shares, so that a room states only what is its own.

`elementwise` makes an op from a NumPy function, its partial derivatives and its emission. `linear_jvp`, `bilinear_jvp` and
`zero_jvp` are the derivatives of ops that are linear, linear in each operand, or constant almost everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn

import numpy as np

from ..errors import DTypeError, NonDifferentiableError, ShapeError
from ..ir.builder import Value, bind, bind_all, is_literal, literal
from ..ir.graph import BATCH, JVP, OPS, Op
from ..ir.traits import Samples
from ..ir.types import BOOL, COMPLEX, FLOATS, INEXACT, INTEGERS, U64, ArrayType, DType

ACCEPTS: dict[str, tuple[DType, ...]] = {
    "any": (BOOL, *INTEGERS, *INEXACT),
    "numeric": (*INTEGERS, *INEXACT),
    "real": (*INTEGERS, *FLOATS),
    "ordered": (BOOL, *INTEGERS, *FLOATS),
    "float": FLOATS,
    "inexact": INEXACT,
    "complex": COMPLEX,
    "integer": INTEGERS,
    "bits": (BOOL, *INTEGERS),
    U64: (U64,),
}

TRANSCENDENTAL_COST = 20.0

Tangents = Sequence[Value | None]
Operand = Value | ArrayType
"""In a transpose rule: a known value, or the type of an operand that the op is linear in."""


def is_linear(x: Operand) -> bool:
    return not isinstance(x, Value)


def type_of_operand(x: Operand) -> ArrayType:
    return x.type if isinstance(x, Value) else x


def not_linear(name: str) -> NonDifferentiableError:
    return NonDifferentiableError(
        f"reverse mode: {name} is done to what must stay linear, and is not linear in it. A custom rule must be linear in its "
        "tangents; products with functions of the primals are."
    )


def known(name: str, x: Operand) -> Value:
    """An operand that a transpose rule needs the value of."""
    if isinstance(x, Value):
        return x
    raise not_linear(name)


def zeros(type: ArrayType) -> Value:
    return full(type.shape, 0, type.dtype)


def full(shape: tuple[int, ...], number: Any, dtype: DType) -> Value:
    """An array of one number; for a scalar that number itself."""
    value = literal(number, dtype)
    return broadcast(value, shape, ()) if shape else value


def broadcast(x: Value, shape: tuple[int, ...], dims: tuple[int, ...]) -> Value:
    """`x` with its axes at `dims` of a new array of the given shape; nothing is done where that is `x` itself."""
    if x.type.shape == shape and dims == tuple(range(len(shape))) and not is_literal(x):
        return x
    return bind(OPS["broadcast"], x, shape=shape, dims=dims)


def broadcast_batch(x: Value, size: int, batched: bool) -> Value:
    """`x` with the batch axis in front, made by broadcasting where it has none."""
    if batched:
        return x
    return broadcast(x, (size, *x.type.shape), tuple(range(1, x.type.rank + 1)))


def convert(x: Value, dtype: DType) -> Value:
    return x if x.type.dtype == dtype else bind(OPS["convert_element_type"], x, dtype=dtype)


def in_front(params: Mapping[str, Any], count: int) -> tuple[int, dict[str, Any]]:
    """Where further operands go that all nested programs get (the rule `hoists`): in front of the others."""
    return 0, {}


def as_consts(params: Mapping[str, Any], count: int) -> tuple[int, dict[str, Any]]:
    """The same for an op whose first operands are consts."""
    return 0, {"consts": params["consts"] + count}


def add_tangents(a: Value | None, b: Value | None) -> Value | None:
    return b if a is None else a if b is None else a + b


def no_derivative(op: Op) -> NonDifferentiableError:
    return NonDifferentiableError(
        f"{op.name} has no derivative: {op.no_derivative or 'none is defined'}. "
        "Use stop_gradient on its operands to treat it as constant."
    )


def no_derivative_by(name: str, operand: str) -> NoReturn:
    """A partial derivative that is not there."""
    raise NonDifferentiableError(
        f"{name} has no derivative here with respect to {operand}. Use stop_gradient on that argument to treat it as constant."
    )


def zero_jvp(op: Op) -> Callable[..., Any]:
    """Constant almost everywhere, or not a number: no tangent comes out."""

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        outs = bind_all(op, *primals, **params)
        return outs, [None] * len(outs)

    return jvp


def linear_jvp(op: Op, count: int | None = None) -> Callable[..., Any]:
    """Linear in its first `count` operands taken together (all by default): the op itself, done to the tangents."""

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        outs = bind_all(op, *primals, **params)
        n = len(primals) if count is None else count
        if all(t is None for t in tangents[:n]) or not outs[0].type.dtype.is_inexact:
            return outs, [None] * len(outs)
        filled = [zeros(p.type) if t is None else t for p, t in zip(primals[:n], tangents[:n], strict=True)]
        return outs, bind_all(op, *filled, *primals[n:], **params)

    return jvp


def bilinear_jvp(op: Op) -> Callable[..., Any]:
    """Linear in each of two operands: the product rule."""

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        (x, y), (tx, ty) = primals, tangents
        left = None if tx is None else bind(op, tx, y, **params)
        right = None if ty is None else bind(op, x, ty, **params)
        return [bind(op, x, y, **params)], [add_tangents(left, right)]

    return jvp


def partials_jvp(op: Op, partials: Sequence[Callable[..., Any] | None]) -> Callable[..., Any]:
    """The chain rule from one partial derivative an operand, each a function of the operands and the output."""

    def jvp(primals: Sequence[Value], tangents: Tangents, params: dict[str, Any]) -> Any:
        out = bind(op, *primals, **params)
        total: Value | None = None
        for t, partial in zip(tangents, partials, strict=True):
            if t is None or partial is None:
                continue
            p = partial(*primals, out, **params)
            term = t if isinstance(p, int) and p == 1 else -t if isinstance(p, int) and p == -1 else t * p
            total = add_tangents(total, term)
        return [out], [total]

    return jvp


def elementwise_batch(op: Op) -> Callable[..., Any]:
    def batch(size: int, args: Sequence[Value], batched: Sequence[bool], params: dict[str, Any]) -> Any:
        shape = elementwise_shape(op.name, [ArrayType(a.type.shape[b:], a.type.dtype) for a, b in zip(args, batched, strict=True)])

        def whole(a: Value, b: bool) -> Value:
            if a.type.shape[b:] != shape:  # a scalar beside arrays
                return broadcast(a, (size, *shape), (0,)) if b else a
            return a if is_literal(a) and not a.type.shape else broadcast_batch(a, size, b)

        return bind_all(op, *map(whole, args, batched), **params)

    return batch


def elementwise_shape(name: str, types: Sequence[ArrayType]) -> tuple[int, ...]:
    shape: tuple[int, ...] = ()
    for t in types:
        if t.shape and shape and t.shape != shape:
            raise ShapeError(f"{name}: operands must have one shape, got {', '.join(map(str, types))}")
        shape = t.shape or shape
    return shape


def check_dtypes(name: str, accepts: str, types: Sequence[ArrayType]) -> None:
    for t in types:
        if t.dtype not in ACCEPTS[accepts]:
            raise DTypeError(f"{name} takes {accepts} element types ({', '.join(ACCEPTS[accepts])}), got {t}")
        if t.dtype != types[0].dtype:
            raise DTypeError(f"{name}: operands must have one element type, got {', '.join(map(str, types))}")


def elementwise(
    name: str,
    numpy: Callable[..., Any],
    emit: Callable[..., Any] | None = None,
    *,
    partials: Sequence[Callable[..., Any] | None] | None = None,
    accepts: str = "inexact",
    result: DType | Literal["real"] | None = None,
    jvp: Callable[..., Any] | None = None,
    linear: bool = False,
    transpose: Callable[..., Any] | None = None,
    infer: Callable[..., ArrayType] | None = None,
    arity: int | None = None,
    no_derivative: str = "",
    domain: tuple[float, float] | None = None,
    integer_first: bool = False,
    fixed: int = 0,
    transcendental: bool = False,
    cost: float | None = None,
    doc: str = "",
    **facts: Any,
) -> Op:
    """An op that does the same to every element.

    numpy: the reference. emit(e, *registers, **params) -> register: one vector of the op. partials: a function of the operands and
    the output for each operand, None where the output does not depend on it smoothly. linear: it is its own derivative. result: the
    output's element type, where it is not the operands'. domain, integer_first, fixed: see `Samples`.
    The other facts are fields of `Traits`; a transcendental op costs TRANSCENDENTAL_COST, unless it says what.
    """
    count = len(partials) if partials is not None else arity or 1

    def infer_same(*types: ArrayType, **params: Any) -> ArrayType:
        if len(types) != count:
            raise TypeError(f"{name} takes {count} operands, got {len(types)}")
        check_dtypes(name, accepts, types)
        dtype = types[0].dtype.real if result == "real" else result or types[0].dtype
        return ArrayType(elementwise_shape(name, types), dtype)

    if accepts not in ACCEPTS:
        raise ValueError(f"{name}: accepts must be one of {', '.join(ACCEPTS)}, got {accepts!r}")
    if cost is None:
        cost = TRANSCENDENTAL_COST if transcendental else 1.0
    op = Op(
        name, infer or infer_same, numpy, kind="elementwise", emit=emit, transpose=transpose, no_derivative=no_derivative,
        samples=Samples(domain=domain, integer_first=integer_first, fixed=fixed), doc=doc, arity=count, accepts=accepts, cost=cost,
        transcendental=transcendental, in_registers=True, **facts,
    )  # fmt: skip
    BATCH[op] = elementwise_batch(op)
    if jvp is not None:
        JVP[op] = jvp
    elif partials is not None:
        JVP[op] = partials_jvp(op, partials)
    elif not no_derivative:
        JVP[op] = linear_jvp(op) if linear else zero_jvp(op)
    return op


def first_axis_to(x: Value, axis: int) -> Value:
    """Move the axis in front to `axis`."""
    order = [*range(1, axis + 1), 0, *range(axis + 1, x.type.rank)]
    return transpose_axes(x, tuple(order))


def axis_to_front(x: Value, axis: int) -> Value:
    """Move `axis` to the front."""
    return transpose_axes(x, (axis, *[i for i in range(x.type.rank) if i != axis]))


def transpose_axes(x: Value, order: tuple[int, ...]) -> Value:
    return x if order == tuple(range(len(order))) else bind(OPS["transpose"], x, permutation=order)


def reshape(x: Value, shape: tuple[int, ...]) -> Value:
    return x if x.type.shape == shape else bind(OPS["reshape"], x, shape=shape)


def reduce_sum(x: Value, axes: tuple[int, ...]) -> Value:
    return bind(OPS["reduce_sum"], x, axes=axes) if axes else x


def as_numpy_dtype(array: Any, like: Any) -> Any:
    """A NumPy result in the element type of an operand, which NumPy may have widened."""
    if type(array) is type(like) is np.ndarray:
        return array if array.dtype is like.dtype else array.astype(like.dtype)
    return np.asarray(array, np.asarray(like).dtype)
