"""A straight-line Python function of numbers as a formula: its source comes in, assignments and a result go out.

Every name that is assigned has one assignment, numbers from outside stand as literals, and calls, quotients and powers have
names of their own, so that a derivative can mention them without computing them twice. Next on the path:
`scalar_derivative.py`.
"""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..errors import NonDifferentiableError
from ..python_source import find_source

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv)
_NAMED = (ast.Div, ast.Pow, ast.Mod)  # operators whose operands and result get names
_CONSTRUCTS = {
    ast.For: "a for loop", ast.While: "a while loop", ast.If: "an if statement (use `a if condition else b`)",
    ast.Try: "a try statement", ast.With: "a with statement", ast.FunctionDef: "an inner function", ast.Lambda: "a lambda",
    ast.Raise: "a raise statement", ast.Assert: "an assert statement", ast.Subscript: "indexing", ast.List: "a list",
    ast.Tuple: "a tuple", ast.Dict: "a dict", ast.ListComp: "a comprehension", ast.GeneratorExp: "a comprehension",
    ast.NamedExpr: "an assignment inside an expression", ast.Delete: "a del statement", ast.Match: "a match statement",
    ast.MatMult: "the operator @", ast.Global: "a global statement", ast.Nonlocal: "a nonlocal statement",
    ast.Constant: "a constant that is no number",
    ast.Import: "an import", ast.ImportFrom: "an import", ast.Expr: "an expression whose value is dropped",
}  # fmt: skip


class ScalarDerivativeError(NonDifferentiableError, ValueError):
    """A function that is no straight-line formula, so that its derivatives must be given with partials=."""


class Formula(NamedTuple):
    """`result` in terms of the arguments and of the names assigned before it, in order."""

    name: str
    arguments: tuple[str, ...]
    assignments: list[tuple[str, ast.expr]]
    result: ast.expr

    def source(self) -> str:
        """The formula as a Python function that needs nothing but `math`."""
        lines = [f"def {self.name}({', '.join(self.arguments)}):"]
        lines += [f"    {name} = {ast.unparse(value)}" for name, value in self.assignments]
        return "\n".join([*lines, f"    return {ast.unparse(self.result)}", ""])


def read_formula(function: Callable[..., Any], known: Mapping[str, int]) -> Formula:
    """Read `function`, in which the functions of `math` and of the builtins in `known` may be called, with that many arguments.

    Raises ScalarDerivativeError for anything that is not straight-line code of operators and such calls.
    """
    plain = getattr(function, "py_func", function)  # a function that Numba compiled carries the plain one
    if not isinstance(plain, FunctionType):
        raise ScalarDerivativeError(f"elementwise: {function!r} has no Python source to differentiate; pass partials=")
    return _Reader(plain, known).read()


def _find_source(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    try:
        return find_source(function)
    except (OSError, SyntaxError) as error:
        raise ScalarDerivativeError(
            f"elementwise: the source of {function.__name__} can't be read ({error}), so it can't be differentiated; pass partials="
        ) from error
    except LookupError as error:
        raise ScalarDerivativeError(f"elementwise: {error}; pass partials=") from error


class _Reader:
    """Reads one function's syntax tree into a formula."""

    def __init__(self, function: FunctionType, known: Mapping[str, int]) -> None:
        self.function, self.known = function, known
        self.node = _find_source(function)
        self.file = function.__code__.co_filename
        self.assignments: list[tuple[str, ast.expr]] = []
        self.current: dict[str, str] = {}  # a local name of the source -> the name that holds its value now
        self.shared: dict[str, str] = {}  # an expression -> the name that holds it
        self.taken: set[str] = {n.id for n in ast.walk(self.node) if isinstance(n, ast.Name)}

    def read(self) -> Formula:
        arguments = self.arguments()
        self.taken |= {*arguments, "math", "abs", "float"}
        self.current = {a: a for a in arguments}
        if isinstance(self.node, ast.Lambda):
            result = self.value(self.node.body)
            return Formula("function", arguments, self.assignments, result)
        *body, last = self.node.body
        for position, statement in enumerate(body):
            if not (position == 0 and ast.get_docstring(self.node, clean=False) is not None):
                self.statement(statement)
        if not isinstance(last, ast.Return) or last.value is None:
            self.fail(last, f"{_describe(last)} at its end, where `return value` is expected")
        return Formula(self.node.name, arguments, self.assignments, self.value(last.value))

    def arguments(self) -> tuple[str, ...]:
        found = self.node.args
        if found.vararg or found.kwarg or found.kwonlyargs or found.defaults:
            self.fail(self.node, "arguments that are not plain positional ones")
        return tuple(a.arg for a in (*found.posonlyargs, *found.args))

    def fail(self, node: ast.AST, construct: str) -> NoReturn:
        line = getattr(node, "lineno", self.node.lineno)
        raise ScalarDerivativeError(
            f"elementwise: {self.function.__name__} can't be differentiated: it has {construct} ({self.file}:{line}). Only "
            f"operators, functions of math, assignments and one return at the end are; pass partials= to give the derivatives"
        )

    # -- statements

    def statement(self, node: ast.stmt) -> None:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                self.assign(name, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name) as target, op=operator, value=value):
                combined = ast.BinOp(ast.Name(name, ast.Load()), operator, value)
                self.assign(name, self.value(ast.copy_location(combined, target)))
            case ast.Pass():
                pass
            case ast.Return():
                self.fail(node, "a return before its end")
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self.fail(node, "an assignment to something that is not one name")
            case _:
                self.fail(node, _describe(node))

    def assign(self, name: str, value: ast.expr) -> None:
        """One name, one assignment: a name that holds a value already gets a numbered copy; a value that has a name keeps it."""
        text = ast.unparse(value)
        if text not in self.shared:
            self.shared[text] = name if name not in self.current else self.fresh(name)
            self.assignments.append((self.shared[text], value))
        self.current[name] = self.shared[text]

    def fresh(self, hint: str) -> str:
        number = 1
        while f"{hint}{number}" in self.taken:
            number += 1
        self.taken.add(f"{hint}{number}")
        return f"{hint}{number}"

    # -- expressions

    def value(self, node: ast.expr, naming: bool = True) -> ast.expr:
        """The expression with names resolved; with `naming`, calls, quotients and powers inside it are assigned to names.

        Inside the branches of a conditional expression nothing is: they may be valid only where they are taken.
        """
        match node:
            case ast.Constant(value=bool() | int() | float()):
                return node
            case ast.Name(id=name) if name in self.current:
                return ast.Name(self.current[name], ast.Load())
            case ast.Name() | ast.Attribute():
                return self.constant(node)
            case ast.UnaryOp(op=operator, operand=a) if not isinstance(operator, ast.Invert):
                return ast.UnaryOp(operator, self.part(a, naming))
            case ast.BinOp(op=operator, left=a, right=b) if isinstance(operator, _NAMED):
                return ast.BinOp(self.operand(a, naming), operator, self.operand(b, naming))
            case ast.BinOp(op=operator, left=a, right=b) if isinstance(operator, _OPERATORS):
                return ast.BinOp(self.part(a, naming), operator, self.part(b, naming))
            case ast.Compare(left=a, ops=comparisons, comparators=others):
                if any(isinstance(c, ast.Is | ast.IsNot | ast.In | ast.NotIn) for c in comparisons):
                    self.fail(node, "a comparison that is not of numbers")
                return ast.Compare(self.value(a, False), comparisons, [self.value(b, False) for b in others])
            case ast.BoolOp(op=operator, values=values):
                return ast.BoolOp(operator, [self.value(v, False) for v in values])
            case ast.IfExp(test=test, body=a, orelse=b):
                return ast.IfExp(self.value(test, False), self.value(a, False), self.value(b, False))
            case ast.Call():
                return self.call(node, naming)
            case ast.BinOp(op=operator):
                self.fail(node, _describe(operator))
            case _:
                self.fail(node, _describe(node))

    def part(self, node: ast.expr, naming: bool) -> ast.expr:
        value = self.value(node, naming)
        shared = isinstance(value, ast.Call) or (isinstance(value, ast.BinOp) and isinstance(value.op, _NAMED))
        return self.named(value, naming) if shared else value

    def operand(self, node: ast.expr, naming: bool) -> ast.expr:
        return self.named(self.value(node, naming), naming)

    def named(self, value: ast.expr, naming: bool) -> ast.expr:
        negative_number = isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant)
        if not naming or negative_number or isinstance(value, ast.Name | ast.Constant):
            return value
        text = ast.unparse(value)
        if text not in self.shared:
            self.shared[text] = self.fresh("v")
            self.assignments.append((self.shared[text], value))
        return ast.Name(self.shared[text], ast.Load())

    def call(self, node: ast.Call, naming: bool) -> ast.expr:
        function = self.outer(node.func)
        name = getattr(function, "__name__", "")
        of_math = getattr(math, name, None) is function
        if name not in self.known or not (of_math or getattr(builtins, name, None) is function):
            self.fail(node, f"a call of {ast.unparse(node.func)}, whose derivative is not known")
        if node.keywords or len(node.args) != self.known[name] or any(isinstance(a, ast.Starred) for a in node.args):
            self.fail(node, f"a call of {name} with other than {self.known[name]} plain arguments")
        target: ast.expr = ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()) if of_math else ast.Name(name, ast.Load())
        return ast.Call(target, [self.operand(a, naming) for a in node.args], [])

    def constant(self, node: ast.Name | ast.Attribute) -> ast.expr:
        """A number from outside as a literal."""
        value = self.outer(node)
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, bool | int | float):
            self.fail(node, f"{ast.unparse(node)}, which is no number but a {type(value).__name__},")
        if isinstance(value, float) and not math.isfinite(value):
            name = ast.Attribute(ast.Name("math", ast.Load()), "nan" if math.isnan(value) else "inf", ast.Load())
            return ast.UnaryOp(ast.USub(), name) if value < 0 else name
        return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)

    def outer(self, node: ast.expr) -> Any:
        """What a name that is not local, or an attribute of a module, stands for; None if there is no such value."""
        if isinstance(node, ast.Attribute):
            module = self.outer(node.value)
            return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        if not isinstance(node, ast.Name) or node.id in self.current:
            return None
        cells = zip(self.function.__code__.co_freevars, self.function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name == node.id:
                return cell.cell_contents
        return self.function.__globals__.get(node.id, getattr(builtins, node.id, None))


def _describe(node: ast.AST) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return f"a call of {ast.unparse(node.value.func)} whose value is dropped"
    return _CONSTRUCTS.get(type(node), f"the construct {type(node).__name__}")
