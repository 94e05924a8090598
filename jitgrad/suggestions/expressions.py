"""Tests and other expressions, written so that they take traced values: `0 < x < 1 and flag` as `(0 < x) & (x < 1) & flag`.

In go the user's expressions and the values of their names, out comes text. Next on the path: statements.py.
"""

from __future__ import annotations

import ast
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Value
from jitgrad_compiler.ir.types import BOOL

from .source import MISSING, Source, Unsuitable

_STATIC_ATTRIBUTES = {"shape", "ndim", "dtype", "size", "itemsize", "nbytes", "weak_type"}
_STATIC_CALLS = {"len", "isinstance", "issubclass", "callable", "hasattr", "type", "id"}
_ARRAY_ATTRIBUTES = {"T", "mT", "real", "imag"}
_TRUTHS = {"any", "all", "isnan", "isinf", "isfinite", "isclose", "isin", "signbit", "logical_and", "logical_or", "logical_not"}
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
NO_SHORT_CIRCUIT = "`is`, `is not` and `in` behind a traced operand would be evaluated always; decide them in a line before."


def parenthesized(text: str) -> str:
    """`text` as an operand of any operator."""
    try:
        plain = isinstance(ast.parse(text, mode="eval").body, (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Constant))
    except SyntaxError:
        plain = False
    return text if plain else f"({text})"


def holds_traced(value: Any) -> bool | None:
    """Whether a value is traced or contains one; None where only its own code knows."""
    if isinstance(value, Value):
        concrete: Any = value
        return concrete.concrete() is None
    if isinstance(value, (list, tuple, dict)):
        parts = {holds_traced(v) for v in (value.values() if isinstance(value, dict) else value)}
        return True if True in parts else None if None in parts else False
    known = (str, bytes, int, float, complex, np.ndarray, np.generic, ModuleType, FunctionType, BuiltinFunctionType, type)
    return False if value is None or isinstance(value, known) else None


class Expressions:
    """Writes the expressions of one statement.

    `failed` is the operand whose truth was asked for, of the given shape and type. `carried` are variables that will be traced in
    the code that is written, `moved` those that it assigns and that may be.
    """

    def __init__(self, source: Source, failed: ast.expr | None, shape: tuple[int, ...] = (), dtype: Any = bool) -> None:
        self.source, self.failed, self.shape, self.dtype = source, failed, shape, np.dtype(dtype)
        self.carried: set[str] = set()
        self.moved: set[str] = set()

    # What is known of an expression

    def traced(self, node: ast.AST) -> bool | None:
        """Whether an expression's value is traced; None where it cannot be known."""
        if node is self.failed:
            return True
        match node:
            case ast.Constant() | ast.Lambda():
                return False
            case ast.Name(id=name) if name in self.carried or name in self.moved:
                return True
            case ast.Name():
                return holds_traced(self.source.lookup(node))
            case ast.Attribute(attr=attr) if attr in _STATIC_ATTRIBUTES:
                return False
            case ast.Attribute(value=value):
                found = self.source.lookup(node)
                return self.traced(value) if found is MISSING else holds_traced(found)
            case ast.Call(func=ast.Name(id=name)) if name in _STATIC_CALLS:
                return False
            case ast.Compare(ops=ops) if all(isinstance(op, (ast.Is, ast.IsNot)) for op in ops):
                return False
        kinds = (ast.expr, ast.keyword, ast.comprehension)
        parts = {self.traced(child) for child in ast.iter_child_nodes(node) if isinstance(child, kinds)}
        if True in parts:
            return True
        return None if None in parts or isinstance(node, ast.Call) else False

    def array(self, node: ast.expr) -> bool:
        """Whether an expression surely is one traced array, which `!= 0` makes a bool."""
        if node is self.failed:
            return True
        match node:
            case ast.Name(id=name):
                return name in self.carried or (isinstance(self.source.lookup(node), Value) and self.traced(node) is True)
            case ast.Attribute(value=value, attr=attr):
                found = self.source.lookup(node)
                return holds_traced(found) is True if isinstance(found, Value) else attr in _ARRAY_ATTRIBUTES and self.array(value)
            case ast.Subscript(value=operand) | ast.UnaryOp(operand=operand):
                return self.array(operand)
            case ast.Call(func=ast.Attribute(value=operand, attr="any" | "all")):
                return self.array(operand)
            case ast.BinOp(left=left, right=right):
                return self.array(left) or self.array(right)
        return False

    def is_bool(self, node: ast.expr) -> bool:
        """Whether an expression surely is True or False, or a bool array."""
        if node is self.failed and not isinstance(node, (ast.BoolOp, ast.UnaryOp, ast.Compare)):
            return bool(self.dtype == bool)
        match node:
            case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
                return True
            case ast.BoolOp(values=values):
                return all(map(self.is_bool, values))
            case ast.NamedExpr(value=value):
                return self.is_bool(value)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self.is_bool(operand)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor(), left=left, right=right):
                return self.is_bool(left) and self.is_bool(right)
            case ast.Call(func=ast.Attribute(attr=attr)):
                return attr in _TRUTHS
            case ast.Name(id=name) if name in self.carried or name in self.moved:
                return False
            case ast.Name() | ast.Attribute():
                found = self.source.lookup(node)
                return isinstance(found, (bool, np.bool_)) or (isinstance(found, Value) and found.type.dtype == BOOL)
        return False

    # What is written for it

    def predicate(self, test: ast.expr) -> str:
        """A test as one bool, for lax.cond and lax.while_loop."""
        size = int(np.prod(self.shape))
        if size != 1:
            raise Unsuitable(
                f"Its condition has shape {self.shape}, and one branch is taken for one number. Choose element by element with "
                f"{self.source.module('jitgrad.numpy')}.where(condition, a, b), or make it one number with .any() or .all()."
            )
        text = self._bool(test)
        return f"{self.source.module('jitgrad.numpy')}.squeeze({text})" if self.shape else text

    def _bool(self, node: ast.expr) -> str:
        """`condition` as a bool, where `node` may be a number."""
        text = self.condition(node)
        if isinstance(node, ast.BoolOp) or self.is_bool(node):
            return text
        if not self.array(node):
            raise Unsuitable("")
        return f"{parenthesized(text)} != 0"

    def condition(self, node: ast.expr) -> str:
        """An expression that is true where `node` is."""
        match node:
            case ast.BoolOp():
                return self._joined(node)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                if self.traced(operand) is False:
                    return self.source.text(node)
                # not `~`, which makes -2 of Python's True where the function is called with plain numbers, outside jit
                return f"{self.source.module('jitgrad.numpy')}.logical_not({self.condition(operand)})"
            case ast.Compare(left=left, comparators=others, ops=ops) if len(ops) > 1 and self.traced(node) is not False:
                if not all(isinstance(op, _ORDER) for op in ops):
                    raise Unsuitable(NO_SHORT_CIRCUIT)
                terms = [left, *others]
                texts = [self._term(term) for term in terms]
                return " & ".join(f"({a} {_SIGNS[type(op)]} {b})" for a, op, b in zip(texts, ops, texts[1:], strict=False))
            case ast.Compare(ops=[ast.In() | ast.NotIn()]) if self.traced(node) is True:
                raise Unsuitable("`in` compares one by one in Python; use jitgrad.numpy.isin, or `(x == values).any()`.")
        return self.source.text(node)

    def value(self, node: ast.expr) -> str:
        """An expression with the value of `node`: `a and b` is one of its operands."""
        if not isinstance(node, ast.BoolOp) or self.is_bool(node):
            return self.condition(node)
        start = self._start(node)
        if start is None:
            return self.source.text(node)
        where, operands = f"{self.source.module('jitgrad.numpy')}.where", node.values[start:]
        for operand in operands:
            if isinstance(operand, (ast.Constant, ast.JoinedStr)) and not isinstance(getattr(operand, "value", ""), (int, float)):
                raise Unsuitable(f"{self.source.text(operand)} is no array or number, and only those can depend on a traced value.")
        text = self.value(operands[-1])
        for operand in reversed(operands[:-1]):
            test, other = self.condition(operand), self.value(operand)
            text = f"{where}({test}, {text}, {other})" if isinstance(node.op, ast.And) else f"{where}({test}, {other}, {text})"
        word = " and " if isinstance(node.op, ast.And) else " or "
        return word.join([*(parenthesized(self.source.text(v)) for v in node.values[:start]), text])

    def _term(self, node: ast.expr) -> str:
        text = self.source.text(node)
        loose = (ast.Compare, ast.BoolOp, ast.IfExp, ast.Lambda, ast.NamedExpr, ast.UnaryOp)
        return f"({text})" if isinstance(node, loose) and not _is_number(node) else text

    def _start(self, node: ast.BoolOp) -> int | None:
        """The first operand that arrays must decide; Python decides those before it, as it has done until it came to `failed`."""
        values = node.values
        at = next((i for i, v in enumerate(values) if any(n is self.failed for n in ast.walk(v))), None)
        if at is not None:
            return next((i for i in range(at) if self._becomes_traced(values[i])), at)
        return next((i for i, v in enumerate(values) if self.traced(v) is not False), None)

    def _becomes_traced(self, node: ast.expr) -> bool:
        return self.traced(node) is True and any(isinstance(n, ast.Name) and n.id in self.carried for n in ast.walk(node))

    def _joined(self, node: ast.BoolOp) -> str:
        start = self._start(node)
        if start is None:
            return self.source.text(node)
        operands = node.values[start:]
        for operand in operands[1:]:
            if any(isinstance(n, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for n in ast.walk(operand)):
                raise Unsuitable(NO_SHORT_CIRCUIT)
        texts = [self.condition(v) for v in operands]
        if len(texts) == 1:
            text = self._bool(operands[0])
        elif all(map(self.is_bool, operands)):
            text = (" & " if isinstance(node.op, ast.And) else " | ").join(map(parenthesized, texts))
        else:
            name = f"{self.source.module('jitgrad.numpy')}.logical_{'and' if isinstance(node.op, ast.And) else 'or'}"
            text = texts[0]
            for other in texts[1:]:
                text = f"{name}({text}, {other})"
        word = " and " if isinstance(node.op, ast.And) else " or "
        head = [
            parenthesized(self.source.text(v)) if self.is_bool(v) else f"bool({self.source.text(v)})" for v in node.values[:start]
        ]
        return word.join([*head, f"({text})" if head and isinstance(operands[-1], ast.BoolOp) else text])


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)
