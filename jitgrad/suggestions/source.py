"""A frame's source: the expression that Python is evaluating, the text of any node, and the names at hand.

In goes the user's frame, out come nodes of the file's syntax tree. Next on the path: names.py and expressions.py.
"""

from __future__ import annotations

import ast
import builtins
import linecache
import sys
import warnings
from opcode import opname
from types import FrameType, ModuleType
from typing import Any

MISSING = object()
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Module)

_TESTS = ("POP_JUMP", "JUMP_IF", "UNARY_NOT", "TO_BOOL")
_BETWEEN = ("CACHE", "COPY", "SWAP", "NOP", "EXTENDED_ARG")
"""Instructions that may stand between an operand and its test, or are no instructions."""

_IMPORTS = {
    "jitgrad.lax": ("lax", "from jitgrad import lax"),
    "jitgrad.numpy": ("jnp", "import jitgrad.numpy as jnp"),
    "jitgrad.debug": ("jitgrad.debug", "import jitgrad"),
}


class Unsuitable(Exception):
    """No code can be written that would surely do the same; the text says why, to the user."""


class Source:
    """The file of a frame. `tested` is what a truth was asked of, `called` the call that runs, `contained` an `in`; each
    None where it is not so.
    """

    def __init__(self, frame: FrameType, lines: list[str], tree: ast.Module) -> None:
        self.frame, self.lines, self.tree = frame, lines, tree
        self.parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
        self.locals: dict[str, Any] = dict(frame.f_locals)
        self.imports: list[str] = []
        self.tested: ast.expr | ast.Assert | None = None
        self.called: ast.Call | None = None
        self.contained: ast.Compare | None = None
        self._find()

    @classmethod
    def at(cls, frame: FrameType) -> Source | None:
        """The source of a frame, or None: typed at a prompt, made by exec, or changed so that it no longer parses."""
        lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
        if not lines:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in the user's strings, which Python has told already
            try:
                return cls(frame, lines, ast.parse("".join(lines)))
            except SyntaxError:
                return None

    def _find(self) -> None:
        code = self.frame.f_code
        positions, at = list(code.co_positions()), self.frame.f_lasti // 2
        names = [opname[op] for op in code.co_code[::2]]
        if names[at].startswith("CALL"):
            node = self._node(positions[at])
            self.called = node if isinstance(node, ast.Call) else None
        elif names[at] == "CONTAINS_OP":
            node = self._node(positions[at])
            self.contained = node if isinstance(node, ast.Compare) and len(node.ops) == 1 else None
        elif names[at].startswith(_TESTS):
            # A jump's own position may be another operand's (3.11), so look at the instruction that made the operand.
            before = at - 1
            while before > 0 and names[before] in _BETWEEN:
                before -= 1
            self.tested = self._node(positions[before])
        elif names[at] == "COMPARE_OP" and sys.version_info >= (3, 13) and code.co_code[2 * at + 1] & 16:
            # From 3.13 on a comparison asks for the truth of its result itself; one of tuples asks for that of their elements.
            node = self._node(positions[at])
            if isinstance(node, ast.Compare) and not any(map(self._container, [node.left, *node.comparators])):
                self.tested = node

    def _node(self, position: tuple[int | None, ...]) -> Any:
        """The expression (or assert, where pytest rewrote one) that covers exactly these lines and columns."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.expr, ast.Assert)):
                if (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset) == position:
                    return node
        return None

    def _container(self, node: ast.expr) -> bool:
        return not isinstance(node, (ast.Name, ast.Constant)) or isinstance(self.lookup(node), (tuple, list, dict))

    # Names

    def lookup(self, node: ast.expr) -> Any:
        """The object that a name or a chain of plain attributes has in the frame, else MISSING. Runs none of the user's code."""
        if isinstance(node, ast.Name):
            for names in (self.locals, self.frame.f_globals, vars(builtins)):
                if node.id in names:
                    return names[node.id]
        if isinstance(node, ast.Attribute):
            owner = self.lookup(node.value)
            if owner is not MISSING and type(owner).__getattribute__ in (object.__getattribute__, ModuleType.__getattribute__):
                return getattr(owner, "__dict__", {}).get(node.attr, MISSING)
        return MISSING

    def is_builtin(self, node: ast.expr, name: str) -> bool:
        return isinstance(node, ast.Name) and node.id == name and self.lookup(node) is getattr(builtins, name)

    def module(self, name: str) -> str:
        """How the user's code calls this module of jitgrad; where it has no name yet, `imports` gains what gives it one."""
        hidden = set(self.frame.f_code.co_varnames)
        at_hand = {k: v for k, v in self.frame.f_globals.items() if k not in hidden} | self.locals
        for wanted, rest in ((name, ""), ("jitgrad", name.removeprefix("jitgrad"))):
            for alias, value in at_hand.items():
                if isinstance(value, ModuleType) and value.__name__ == wanted:
                    return alias + rest
        short, line = _IMPORTS[name]
        if short in at_hand or short in hidden:
            short, line = name, "import jitgrad"
        if line not in self.imports:
            self.imports.append(line)
        return short

    def fresh(self, name: str) -> str:
        """`name`, or one like it that the user's file does not use."""
        used = {n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name)}
        while name in used:
            name += "_"
        return name

    # Places

    def scope(self, node: ast.AST) -> ast.AST:
        """The function, lambda, class or module that the node belongs to."""
        node = self.parents[node]
        while not isinstance(node, SCOPES):
            node = self.parents[node]
        return node

    def statement(self, node: ast.AST) -> ast.stmt:
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def following(self, node: ast.stmt) -> list[ast.stmt]:
        """The statements behind this one in its block."""
        for _, block in ast.iter_fields(self.parents[node]):
            if isinstance(block, list) and node in block:
                return block[block.index(node) + 1 :]
        return []

    def is_elif(self, node: ast.stmt) -> bool:
        parent = self.parents[node]
        return isinstance(parent, ast.If) and parent.orelse == [node] and self._row(node.lineno, node.col_offset).startswith("elif")

    # Text

    def _row(self, line: int, start: int, end: int | None = None) -> str:
        return self.lines[line - 1].encode()[start:end].decode()

    def text(self, node: ast.expr) -> str:
        """The user's own spelling where it is one line; a tuple has its parentheses."""
        if node.lineno == node.end_lineno and not isinstance(node, ast.Tuple):
            return self._row(node.lineno, node.col_offset, node.end_col_offset)
        return ast.unparse(node)

    def verbatim(self, node: ast.stmt) -> list[str]:
        """A statement's lines, moved to the left margin."""
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        assert node.end_lineno is not None
        if first == node.end_lineno:
            row = self._row(first, node.col_offset, node.end_col_offset)
            return [row.removeprefix("el") if self.is_elif(node) else row]
        rows = [line.rstrip("\n") for line in self.lines[first - 1 : node.end_lineno - 1]]
        rows.append(self._row(node.end_lineno, 0, node.end_col_offset))
        margin = rows[0][: len(rows[0]) - len(rows[0].lstrip())]
        if self.is_elif(node):
            rows[0] = rows[0].replace("elif", "if", 1)
        strings = any(
            isinstance(n, (ast.Constant, ast.JoinedStr)) and n.lineno != n.end_lineno for n in ast.walk(node)
        )  # their inner lines cannot be moved
        whole = len(margin.encode()) == node.col_offset and all(row.startswith(margin) or not row.strip() for row in rows)
        return [row[len(margin) :].rstrip() for row in rows] if whole and not strings else ast.unparse(node).splitlines()

    def before(self, top: ast.stmt, node: ast.stmt) -> list[str]:
        """The lines from `top` up to `node`, an elif of it, moved to the left margin."""
        rows = self.lines[top.lineno - 1 : node.lineno - 1]
        strings = any(isinstance(n, (ast.Constant, ast.JoinedStr)) and n.lineno != n.end_lineno for n in ast.walk(top))
        margin = self._row(top.lineno, 0, top.col_offset)
        if strings or not all(row.startswith(margin) or not row.strip() for row in rows):
            raise Unsuitable("")
        return [row[len(margin) :].rstrip() for row in rows]

    def substituted(self, node: ast.expr, text: str) -> tuple[ast.stmt, list[str]] | None:
        """The simple statement around an expression, with `text` in the expression's place; None where it is a block's head."""
        statement = self.statement(node)
        if hasattr(statement, "body") or hasattr(statement, "cases") or statement.end_lineno is None:
            return None
        if statement.end_lineno - statement.lineno > 3:
            return None
        whole = self._between((statement.lineno, statement.col_offset), (node.lineno, node.col_offset)) + text
        whole += self._between((node.end_lineno, node.end_col_offset), (statement.end_lineno, statement.end_col_offset))
        first, *rest = whole.splitlines()
        margin = " " * statement.col_offset
        if rest and (any(not row.startswith(margin) for row in rest) or '"""' in whole or "'''" in whole):
            return statement, ast.unparse(ast.parse(whole)).splitlines()
        return statement, [first, *(row.removeprefix(margin).rstrip() for row in rest)]

    def _between(self, start: tuple[Any, Any], end: tuple[Any, Any]) -> str:
        rows = [line.encode() for line in self.lines[start[0] - 1 : end[0]]]
        rows[-1] = rows[-1][: end[1]]
        rows[0] = rows[0][start[1] :]
        return b"".join(rows).decode()

    def shown(self, first: int, last: int, most: int) -> str:
        """Lines of the file with their numbers, `most` of them at most."""
        rows = [line.rstrip().expandtabs() for line in self.lines[first - 1 : last]]
        margin = min((len(row) - len(row.lstrip()) for row in rows if row), default=0)
        numbered = [f"    {first + i:{len(str(last))}} | {row[margin:]}".rstrip() for i, row in enumerate(rows)]
        return "\n".join(numbered if len(rows) <= most else [*numbered[: most - 1], "    ..."])
