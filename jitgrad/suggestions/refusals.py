"""What keeps a statement from being written anew: each method raises `Unsuitable`, with the reason for the user, or does nothing.

Code inside a function that is traced runs once, whichever way the values decide, and gives back arrays. Next on the path:
statements.py.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Value

from .names import LOOPS, assignments, own_nodes
from .source import MISSING, Source, Unsuitable

_MUTATORS = {"append", "extend", "insert", "pop", "popitem", "remove", "clear", "setdefault"}
_IMPURE = {"print", "input", "next", "setattr", "delattr"}
_OF_SCOPE = {"super", "locals", "vars", "eval", "exec"}
_SCOPED = {
    ast.Delete: "del", ast.Global: "global", ast.Nonlocal: "nonlocal", ast.Import: "import", ast.ImportFrom: "import",
    ast.NamedExpr: ":=", ast.ClassDef: "class", ast.Yield: "yield", ast.YieldFrom: "yield", ast.Await: "await",
    ast.AsyncFor: "async", ast.AsyncWith: "async",
}  # fmt: skip


class Refusals:
    """For the code of the statement `root`, at which Python has stopped, in its own or another place."""

    def __init__(self, source: Source, root: ast.AST) -> None:
        self.source, self.root = source, root
        self.scope = source.scope(root)

    def movable(self, nodes: Sequence[ast.AST], returns: bool = False, loop: str = "lax.while_loop's condition") -> None:
        """Refuse what would do something else inside a function that is traced once, whichever way the values decide."""
        loops = {n for outer in own_nodes(nodes) if isinstance(outer, LOOPS) for n in ast.walk(outer)}
        for n in own_nodes(nodes):
            match n:
                case ast.Return() if not returns:
                    raise Unsuitable("It returns from inside; let every way return, or none.")
                case ast.Break() | ast.Continue() if n not in loops:
                    word = "break" if isinstance(n, ast.Break) else "continue"
                    raise Unsuitable(f"`{word}` on line {n.lineno} cannot depend on a traced value; make it part of {loop}.")
                case ast.Raise():
                    raise Unsuitable(
                        f"The exception on line {n.lineno} cannot depend on a traced value: compiled code does not stop. Check "
                        "before the call, outside jit, or in a function given to jitgrad.debug.callback."
                    )
                case ast.Expr(value=value) if not isinstance(value, ast.Constant) and not self._debugs(value):
                    self._effect(value)
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in _MUTATORS:
                    self._effect(n)
                case ast.Call(func=ast.Name(id=name)) if name in _IMPURE:
                    self._effect(n)
                case ast.Call(func=ast.Name(id=name)) if name in _OF_SCOPE:
                    raise Unsuitable(f"`{name}` on line {n.lineno} would mean another function's scope inside a branch.")
            if type(n) in _SCOPED:
                raise Unsuitable(f"`{_SCOPED[type(n)]}` on line {getattr(n, 'lineno', '')} cannot move into a function of its own.")
        for inner in nodes:  # calls in comprehensions and lambdas count as well
            for n in ast.walk(inner):
                if isinstance(n, (ast.NamedExpr, ast.Await)):
                    raise Unsuitable(f"`{_SCOPED[type(n)]}` on line {n.lineno} cannot move into a function of its own.")
                if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in _IMPURE:
                    self._effect(n)

    def _effect(self, node: ast.expr) -> None:
        text = self.source.text(node)
        advice = " Print with jitgrad.debug.print." if text.startswith("print(") else ""
        raise Unsuitable(
            f"`{text if len(text) < 60 else text[:57] + '...'}` on line {node.lineno} does more than give a value, and would "
            f"happen once, while tracing, whatever the values are.{advice}"
        )

    def _debugs(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("debug.print", "debug.callback"))

    def plain_targets(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        for n in own_nodes([s for block in blocks for s in block]):
            if isinstance(n, (ast.Attribute, ast.Subscript)) and isinstance(n.ctx, ast.Store):
                raise Unsuitable(
                    f"`{self.source.text(n)}` on line {n.lineno} belongs to an object, which a function that is traced must not "
                    "change: assign a variable there, and set the object from it behind."
                )
            if isinstance(n, ast.AugAssign) and isinstance(self.source.lookup(n.target), (list, dict, set)):
                raise Unsuitable(f"`{self.source.text(n.target)}` is a container that line {n.lineno} changes in place.")

    def no_functions(self, blocks: Sequence[Sequence[ast.stmt]], results: Sequence[str]) -> None:
        """Refuse results that are functions, strings or None, as far as their assignments show it."""
        for n in own_nodes([s for block in blocks for s in block]):
            if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name in results:
                raise Unsuitable(f"`{n.name}` becomes a function, and only arrays can depend on a traced value.")
        for block in blocks:
            self.constants(block, results)

    def constants(self, block: Sequence[ast.stmt], results: Sequence[str]) -> None:
        for n in own_nodes(block):
            for target, value, _ in assignments(n) or []:
                if isinstance(target, ast.Name) and target.id in results:
                    self.array_like(value)

    def array_like(self, *values: ast.expr | None) -> None:
        for value in values:
            found = self.source.lookup(value) if isinstance(value, (ast.Name, ast.Attribute)) else None
            odd = isinstance(value, (ast.JoinedStr, ast.Lambda)) or isinstance(found, (str, bytes)) or callable(found)
            if isinstance(value, ast.Constant) and not isinstance(value.value, (int, float, complex)):
                odd = True
            if odd and value is not None:
                text = self.source.text(value)
                raise Unsuitable(
                    f"`{text}` on line {value.lineno} is no array or number, and only those can depend on a traced value."
                )

    def defined(self, name: str, node: ast.AST) -> None:
        """Refuse a variable that has no value, or none that can be handed over, before the statement `node`."""
        inside = set(ast.walk(node))
        stores = self._stores(name)
        outside = any(n not in inside for n in stores) or name in _parameters(self.scope)
        before = any(n not in inside and n.lineno < getattr(node, "lineno", 0) for n in stores)
        here = name in self.source.locals
        if not (here and outside if node is self.root else here or before):
            raise Unsuitable(f"`{name}` has no value on some way through here; give it one before, of the same shape and type.")
        value: Any = self.source.locals.get(name)
        if here and (node is self.root or not before) and not _can_be_chosen(value):
            raise Unsuitable(f"`{name}` is {_article(type(value).__name__)} here, and only arrays can depend on a traced value.")

    def bound(self, names: set[str]) -> None:
        """Refuse to read variables that have no value yet: both branches of a choice are traced."""
        if isinstance(self.scope, ast.ClassDef):
            return  # its frame does not tell the variables of the function around it
        for name in sorted(names - self.source.locals.keys()):
            local = not isinstance(self.scope, ast.Module) and self._stores(name)
            if local or self.source.lookup(ast.Name(name, ast.Load())) is MISSING:
                raise Unsuitable(f"`{name}` has no value here yet, and jit runs both ways when it traces; give it one before.")

    def _stores(self, name: str) -> list[ast.Name]:
        return [
            n for n in own_nodes(_body(self.scope)) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
        ]


def _body(scope: ast.AST) -> list[ast.AST]:
    body: Any = getattr(scope, "body", [])
    return body if isinstance(body, list) else [body]


def _can_be_chosen(value: Any) -> bool:
    if isinstance(value, (list, tuple, dict)):
        return all(map(_can_be_chosen, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (Value, np.ndarray, np.generic, int, float, complex))


def _article(word: str) -> str:
    return "None" if word == "NoneType" else f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _parameters(scope: ast.AST) -> set[str]:
    args = getattr(scope, "args", None)
    return {a.arg for a in ast.walk(args) if isinstance(a, ast.arg)} if args is not None else set()
