"""Derivatives of plain Python functions of numbers, by their source: straight-line formulas in, Python functions out.

`differentiate_scalar` reads a function's syntax tree as a formula (a list of assignments and a result, `scalar_formula.py`),
carries tangents through it line by line (forward mode), and writes the partial derivative by each argument as another plain
function, which Numba compiles and which can be differentiated again.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import math
from collections.abc import Callable, Mapping

from .scalar_formula import Formula, ScalarDerivativeError, read_formula

__all__ = ["ScalarDerivativeError", "differentiate_scalar"]

Tangent = ast.expr | None  # None is zero

# The partial derivatives by a and b; `out` is the value itself. An empty one is zero.
_POWER = ("(b * a ** (b - 1) if a != 0 or b != 0 else 0.0)", "(out * math.log(a) if a != 0 else 0.0)")
PARTIALS: dict[str, tuple[str, ...]] = {
    "exp": ("out",),
    "exp2": ("0.6931471805599453 * out",),
    "expm1": ("(out + 1)",),
    "log": ("1 / a",),
    "log2": ("1.4426950408889634 / a",),
    "log10": ("0.4342944819032518 / a",),
    "log1p": ("1 / (1 + a)",),
    "sqrt": ("0.5 / out",),
    "cbrt": ("1 / (3 * out * out)",),
    "sin": ("math.cos(a)",),
    "cos": ("-math.sin(a)",),
    "tan": ("(1 + out * out)",),
    "asin": ("1 / math.sqrt((1 - a) * (1 + a))",),
    "acos": ("-1 / math.sqrt((1 - a) * (1 + a))",),
    "atan": ("1 / (1 + a * a)",),
    "atan2": ("b / (a * a + b * b)", "-a / (a * a + b * b)"),
    "hypot": ("a / out", "b / out"),
    "sinh": ("math.cosh(a)",),
    "cosh": ("math.sinh(a)",),
    "tanh": ("(1 - out * out)",),
    "asinh": ("1 / math.sqrt(a * a + 1)",),
    "acosh": ("1 / math.sqrt((a - 1) * (a + 1))",),
    "atanh": ("1 / ((1 - a) * (1 + a))",),
    "erf": ("1.1283791670955126 * math.exp(-a * a)",),
    "erfc": ("-1.1283791670955126 * math.exp(-a * a)",),
    "pow": _POWER,
    "fabs": ("math.copysign(1.0, a)",),
    "abs": ("math.copysign(1.0, a)",),
    "float": ("1",),
    "copysign": ("math.copysign(1.0, a) * math.copysign(1.0, b)", ""),
    "degrees": ("57.29577951308232",),
    "radians": ("0.017453292519943295",),
    "floor": ("",),
    "ceil": ("",),
    "trunc": ("",),
    "isnan": ("",),
    "isinf": ("",),
    "isfinite": ("",),
}
_OPERATOR_PARTIALS: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Div: ("1 / b", "-out / b"),
    ast.Pow: _POWER,
    ast.Mod: ("1", "-math.floor(a / b)"),
    ast.FloorDiv: ("", ""),
}


def differentiate_scalar(function: Callable[..., float]) -> tuple[Callable[..., float], ...]:
    """The partial derivatives of a straight-line function of numbers, one plain Python function an argument.

    `function` may use + - * / // % **, comparisons, `and`, `or`, `not`, `a if c else b`, abs, float, the functions of `math`
    in `PARTIALS`, numbers from outside (taken as constants now), assignments to local names and one return at the end. Each
    derivative takes the same arguments, has its text as `.source`, and can be differentiated again.

    >>> import math
    >>> def f(x, y):
    ...     return x * math.sin(y)
    >>> f.source = "def f(x, y): return x * math.sin(y)"  # a doctest has no file to read
    >>> by_x, by_y = differentiate_scalar(f)
    >>> print(by_y.source, end="")
    def f_by_y(x, y):
        d_v1 = math.cos(y)
        return x * d_v1

    Raises ScalarDerivativeError, which names the construct and its line, for anything else.
    """
    formula = read_formula(function, {name: len(partials) for name, partials in PARTIALS.items()})
    return tuple(_compile(_partial_derivative(formula, argument)) for argument in formula.arguments)


def _partial_derivative(formula: Formula, argument: str) -> Formula:
    names = {*formula.arguments, *(name for name, _ in formula.assignments)}
    tangents: dict[str, Tangent] = {argument: ast.Constant(1)}
    assignments = []
    for name, value in formula.assignments:
        assignments.append((name, value))
        tangent = _differentiate(value, tangents, ast.Name(name))
        if tangent is not None and not isinstance(tangent, ast.Name | ast.Constant):
            tangent_name = f"d_{name}"
            while tangent_name in names:
                tangent_name += "_"
            names.add(tangent_name)
            assignments.append((tangent_name, tangent))
            tangent = ast.Name(tangent_name)
        tangents[name] = tangent
    result = _differentiate(formula.result, tangents) or ast.Constant(0.0)
    return Formula(f"{formula.name}_by_{argument}", formula.arguments, _live(assignments, result), result)


def _live(assignments: list[tuple[str, ast.expr]], result: ast.expr) -> list[tuple[str, ast.expr]]:
    """The assignments that the result needs."""
    needed, kept = _names(result), []
    for name, value in reversed(assignments):
        if name in needed:
            needed |= _names(value)
            kept.append((name, value))
    return kept[::-1]


def _names(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def _compile(formula: Formula) -> Callable[..., float]:
    source = formula.source()
    # The text is in linecache, so that tracebacks through a derivative show its lines.
    file = f"<{formula.name} {hashlib.sha256(source.encode()).hexdigest()[:12]}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Callable[..., float]] = {}
    exec(compile(source, file, "exec"), {"math": math, "__name__": __name__}, scope)  # noqa: S102 - of a checked tree
    function = scope[formula.name]
    function.__dict__["source"] = source
    return function


# -- the derivative of one expression


def _differentiate(value: ast.expr, tangents: Mapping[str, Tangent], out: ast.Name | None = None) -> Tangent:
    """The tangent of an expression, `out` being a name that holds the expression's value, if one does."""
    match value:
        case ast.Name(id=name):
            return tangents.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return _negative(_differentiate(a, tangents))
        case ast.UnaryOp(op=ast.UAdd(), operand=a):
            return _differentiate(a, tangents)
        case ast.BinOp(op=ast.Add(), left=a, right=b):
            return _sum(_differentiate(a, tangents), _differentiate(b, tangents))
        case ast.BinOp(op=ast.Sub(), left=a, right=b):
            return _difference(_differentiate(a, tangents), _differentiate(b, tangents))
        case ast.BinOp(op=ast.Mult(), left=a, right=b):
            return _sum(_product(_differentiate(a, tangents), b), _product(a, _differentiate(b, tangents)))
        case ast.BinOp(op=ast.Pow(), left=a, right=ast.Constant(value=int() | float() as n)):
            return _product(_power_partial(a, n), _differentiate(a, tangents))
        case ast.BinOp(op=operator, left=a, right=b):
            return _chain(_OPERATOR_PARTIALS[type(operator)], [a, b], out or value, tangents)
        case ast.Call(func=function, args=arguments):
            name = function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
            return _chain(PARTIALS[name], arguments, out or value, tangents)
        case ast.IfExp(test=test, body=a, orelse=b):
            da, db = _differentiate(a, tangents), _differentiate(b, tangents)
            if da is None and db is None:
                return None
            return ast.IfExp(test, da or ast.Constant(0.0), db or ast.Constant(0.0))
        case _:  # constants, comparisons, `and`, `or`, `not`
            return None


def _chain(partials: tuple[str, ...], arguments: list[ast.expr], out: ast.expr, tangents: Mapping[str, Tangent]) -> Tangent:
    """The sum over arguments of partial * tangent."""
    values = dict(zip("ab", arguments, strict=False)) | {"out": out}
    total: Tangent = None
    for text, argument in zip(partials, arguments, strict=True):
        tangent = _differentiate(argument, tangents)
        if text and tangent is not None:
            total = _sum(total, _product(_Substitute(values).visit(ast.parse(text, mode="eval").body), tangent))
    return total


def _power_partial(a: ast.expr, n: float) -> Tangent:
    """n * a ** (n - 1) for a literal n."""
    if n == 0:
        return None
    power = ast.Constant(1) if n == 1 else a if n == 2 else ast.BinOp(a, ast.Pow(), ast.Constant(n - 1))
    return _product(ast.Constant(n), power)


class _Substitute(ast.NodeTransformer):
    """Puts expressions in the places of a template's a, b and out."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node)


# -- arithmetic on tangents, which leaves zeros and ones out


def _is_one(a: ast.expr) -> bool:
    return isinstance(a, ast.Constant) and a.value == 1


def _opposite(a: ast.expr) -> ast.expr | None:
    """b, where a is written -b."""
    return a.operand if isinstance(a, ast.UnaryOp) and isinstance(a.op, ast.USub) else None


def _sum(a: Tangent, b: Tangent) -> Tangent:
    if a is None or b is None:
        return a or b
    opposite = _opposite(b)
    return ast.BinOp(a, ast.Add(), b) if opposite is None else ast.BinOp(a, ast.Sub(), opposite)


def _difference(a: Tangent, b: Tangent) -> Tangent:
    return _sum(a, _negative(b))


def _negative(a: Tangent) -> Tangent:
    return None if a is None else _opposite(a) or ast.UnaryOp(ast.USub(), a)


def _product(a: Tangent, b: Tangent) -> Tangent:
    if a is None or b is None:
        return None
    if (opposite := _opposite(a)) is not None:
        return _negative(_product(opposite, b))
    if (opposite := _opposite(b)) is not None:
        return _negative(_product(a, opposite))
    match a:
        case ast.BinOp(op=ast.Div(), left=ast.Constant(value=1), right=divisor):
            return ast.BinOp(b, ast.Div(), divisor)  # one rounding less
    return b if _is_one(a) else a if _is_one(b) else ast.BinOp(a, ast.Mult(), b)
