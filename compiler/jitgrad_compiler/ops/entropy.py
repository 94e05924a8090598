"""Products with a logarithm: the terms of entropies. 0 times a logarithm is 0, whatever that is, but its derivative is not."""

from __future__ import annotations

from typing import Any

from ..ir.builder import Value
from .arithmetic import op, where
from .define import elementwise, zeros
from .scipy_special import of_float64


def _unless_zero(e: Any, x: Any, y: Any, product: Any) -> Any:
    """The product, and 0 where x is 0 and y no NaN."""
    known = e.compare("eq", y, y)
    return e.select(e.and_(e.compare("eq", x, 0.0), known), e.const(0.0, x.type), product)


def _quotient(x: Value, y: Value) -> Value:
    """x / y, and 0 for 0 / 0."""
    both = op("and", op("eq", x, zeros(x.type)), op("eq", y, zeros(y.type)))
    return x / where(both, 1, y)


xlogy = elementwise(
    "xlogy", of_float64("xlogy"), lambda e, x, y: _unless_zero(e, x, y, e.mul(x, e.vector_math.log(y))), accepts="float",
    partials=[lambda x, y, out: op("log", y), lambda x, y, out: _quotient(x, y)], domain=(0.1, 9), transcendental=True,
    doc="x * log(y), and 0 where x is 0. The derivative by x is log(y) there too.",
)  # fmt: skip
xlog1py = elementwise(
    "xlog1py", of_float64("xlog1py"), lambda e, x, y: _unless_zero(e, x, y, e.mul(x, e.vector_math.log1p(y))), accepts="float",
    partials=[lambda x, y, out: op("log1p", y), lambda x, y, out: _quotient(x, y + 1)], domain=(0.1, 9), transcendental=True,
    doc="x * log(1 + y), and 0 where x is 0. The derivative by x is log(1 + y) there too.",
)  # fmt: skip


def _emit_rel_entr(e: Any, p: Any, q: Any) -> Any:
    """By log1p of the relative difference where p and q are near, and by two logarithms where p / q leaves the type's range."""
    log, ratio = e.vector_math.log, e.div(p, q)
    near = e.and_(e.compare("gt", ratio, 0.5), e.compare("lt", ratio, 2.0))
    inside = e.and_(e.compare("gt", ratio, 1e-37), e.compare("lt", ratio, 1e38))
    logarithm = e.select(inside, log(ratio), e.sub(log(p), log(q)))
    logarithm = e.select(near, e.vector_math.log1p(e.div(e.sub(p, q), q)), logarithm)
    nothing = e.and_(e.compare("eq", p, 0.0), e.compare("ge", q, 0.0))
    outside = e.or_(e.compare("lt", p, 0.0), e.compare("le", q, 0.0))
    value = e.select(outside, e.const(float("inf"), p.type), e.mul(p, logarithm))
    value = e.select(nothing, e.const(0.0, p.type), value)
    return e.select(e.compare("unordered", p, q), e.add(p, q), value)


def _inside(p: Value, q: Value, derivative: Value) -> Value:
    """The derivative where p and q are positive or p is 0 below a positive q; 0 where the value is constant."""
    outside = op("or", op("lt", p, zeros(p.type)), op("le", q, zeros(q.type)))
    return where(outside, 0, derivative)


rel_entr = elementwise(
    "rel_entr", of_float64("rel_entr"), _emit_rel_entr, accepts="float", domain=(0.1, 9), transcendental=True,
    partials=[
        lambda p, q, out: _inside(p, q, op("log", p) - op("log", q) + 1), lambda p, q, out: _inside(p, q, -p / q),
    ],
    doc="p * log(p / q), 0 where p is 0, and inf where one is negative or q alone is 0. The derivative by p is -inf where p is 0.",
)  # fmt: skip


def _emit_entr(e: Any, x: Any) -> Any:
    value = _unless_zero(e, x, x, e.neg(e.mul(x, e.vector_math.log(x))))
    return e.select(e.compare("lt", x, 0.0), e.const(-float("inf"), x.type), value)


entr = elementwise(
    "entr", of_float64("entr"), _emit_entr, accepts="float", domain=(0.1, 9), transcendental=True,
    partials=[lambda x, out: where(op("lt", x, zeros(x.type)), 0, -1 - op("log", x))],
    doc="-x * log(x), 0 at 0 and -inf below: the terms of an entropy in nats. The derivative at 0 is inf.",
)  # fmt: skip
