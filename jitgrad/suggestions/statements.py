"""An `if`, `while` or `for` written with lax.cond, lax.while_loop or lax.fori_loop, its variables handed over by name.

The user's statements move into functions unchanged. What a branch or a loop gives back are the variables that it assigns and that
are read behind it; what it takes are those that it reads before it assigns them, because those are local to the function.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jitgrad_compiler.ir.builder import Value

from .expressions import Expressions, parenthesized
from .names import assigned, assignments, loads, needed_behind, own_nodes, reads, returns_value
from .refusals import Refusals
from .source import Source, Unsuitable

WIDTH = 100
SAME_BRANCHES = "Both branches must give the same shapes and types."
SAME_TURNS = "Each variable must keep its shape and type from one turn to the next."


class Rewrite(NamedTuple):
    """Code for the place of lines `first` to `last`; `other` is a second way to write it, `note` what holds for it."""

    first: int
    last: int
    code: list[str]
    note: str = ""
    other: list[str] = []
    instead_of: str = ""
    """The expression that `code` takes the place of, where it is not for whole lines."""


class Statements:
    """Writes the statement `root`, at which Python has stopped, and such statements as stand directly in its branches or body."""

    def __init__(self, source: Source, expressions: Expressions, root: ast.AST) -> None:
        self.source, self.expressions, self.root = source, expressions, root
        self.scope = source.scope(root)
        self.refuse = Refusals(source, root)

    def lax(self, name: str) -> str:
        return f"{self.source.module('jitgrad.lax')}.{name}"

    # Expressions in their statement

    def replaced(self, node: ast.expr, text: str, note: str = "", other: str = "") -> Rewrite:
        """The statement around an expression with `text` in its place, or only the text where that is longer than a few lines."""
        found = self.source.substituted(node, text)
        if found is None:
            rest = [other] if other else []
            return Rewrite(node.lineno, node.end_lineno or node.lineno, [text], note, rest, self.source.text(node))
        statement, code = found
        second = self.source.substituted(node, other) if other else None
        return Rewrite(statement.lineno, statement.end_lineno or 0, code, note, second[1] if second else [])

    def conditional(self, node: ast.IfExp) -> Rewrite:
        """`a if c else b` with jnp.where, which computes both, or lax.cond, which takes containers too."""
        where = self._nested(node, "where")
        if self.expressions.shape and int(np.prod(self.expressions.shape)) != 1:
            if where is None:
                self.expressions.predicate(node.test)
            return self.replaced(node, where or "", "It chooses element by element.")
        cond = self._nested(node, "cond") or ""
        if where is None:
            return self.replaced(node, cond, SAME_BRANCHES)
        if isinstance(self.scope, ast.ClassDef):
            return self.replaced(node, where)
        return self.replaced(node, where, "where computes both values; cond only the one that is chosen.", cond)

    def _nested(self, node: ast.IfExp, kind: str) -> str | None:
        """The text of a conditional expression and of those in its branches; None where `where` cannot choose its values."""
        parts = []
        for branch in (node.body, node.orelse):
            self.refuse.movable([branch])
            self.refuse.bound(loads(branch))
            self.refuse.array_like(branch)
            container = (ast.Tuple, ast.List, ast.Dict)
            if kind == "where" and (isinstance(branch, container) or isinstance(self.source.lookup(branch), (tuple, list, dict))):
                return None
            nested = isinstance(branch, ast.IfExp) and self.expressions.traced(branch.test) is True
            text = self._nested(branch, kind) if isinstance(branch, ast.IfExp) and nested else self.source.text(branch)
            if text is None:
                return None
            parts.append(text)
        if kind == "where":
            elementwise = bool(self.expressions.shape) and int(np.prod(self.expressions.shape)) != 1
            test = self.expressions.condition(node.test) if elementwise else self.expressions.predicate(node.test)
            return f"{self.source.module('jitgrad.numpy')}.where({test}, {parts[0]}, {parts[1]})"
        return f"{self.lax('cond')}({self.expressions.predicate(node.test)}, lambda: {parts[0]}, lambda: {parts[1]})"

    def builtin(self, call: ast.Call, name: str) -> Rewrite:
        """`max(x, y)` and its kin with jitgrad.numpy."""
        numpy, args = self.source.module("jitgrad.numpy"), call.args
        if len(args) == 1 and isinstance(self.source.lookup(args[0]), Value):
            return self.replaced(call, f"{numpy}.{name}({self.source.text(args[0])})")
        if len(args) < 2 or any(isinstance(a, ast.Starred) for a in args):
            raise Unsuitable("")
        text = self.source.text(args[0])
        for other in args[1:]:
            text = f"{numpy}.{name}imum({text}, {self.source.text(other)})"
        return self.replaced(call, text)

    def check(self, node: ast.Assert) -> Rewrite:
        """An assert cannot stop compiled code; its condition can be shown."""
        test = self.expressions.condition(node.test)
        label = self.source.text(node.test).replace("{", "{{").replace("}", "}}") + ": {}"
        code = f"{self.source.module('jitgrad.debug')}.print({label!r}, {test})"
        note = "Compiled code cannot stop at an assert: this prints the value when it is known. To stop, check before the call."
        return Rewrite(node.lineno, node.end_lineno or node.lineno, [code], note)

    # Branches

    def choice(self, node: ast.If) -> Rewrite:
        """An `if` or `elif`, with everything up to the function's end where a branch returns and the others go on."""
        self._not_in_a_class()
        top: ast.If = node
        while self.source.is_elif(top):
            top = self.source.parents[top]  # type: ignore[assignment]
        rest = self.source.following(top)
        lines, used = self._choice(node, rest)
        if top is node:
            return Rewrite(top.lineno, (rest[-1] if used else top).end_lineno or 0, lines, SAME_BRANCHES)
        code = [*self.source.before(top, node), "else:", *_indented(lines)]
        return Rewrite(top.lineno, top.end_lineno or 0, code, SAME_BRANCHES)

    def _choice(self, node: ast.If, rest: Sequence[ast.stmt]) -> tuple[list[str], bool]:
        """The lines for an `if`, and whether they are for `rest` too, the statements behind it."""
        returning = any(isinstance(n, ast.Return) for n in own_nodes(node.body + node.orelse))
        self.refuse.movable([*node.body, *node.orelse], returning)
        test = self.expressions.predicate(node.test)
        if not returning:
            return self._assigning(node, test), False
        then, other = list(node.body), list(node.orelse)
        ends = [returns_value(then), returns_value(other)]
        if not any(ends):
            raise Unsuitable("Its branches return on some ways only. Give each branch one `return` at its end, or none.")
        if not all(ends):
            self.refuse.movable(rest, True)
            (other if ends[0] else then).extend(rest)
        if not (returns_value(then) and returns_value(other)):
            raise Unsuitable(
                "One branch returns a value here and the other does not; let both return arrays of one shape and type."
            )
        if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in own_nodes(getattr(self.scope, "body", []))):
            raise Unsuitable("A generator goes on behind `return`; make it a function that returns its values.")
        return self._call(node, "return ", test, [then, other], None), not all(ends)

    def _assigning(self, node: ast.If, test: str) -> list[str]:
        """An `if` whose branches assign variables."""
        branches = [node.body, node.orelse]
        same = self._same_target(branches)
        if same is not None:
            target, *values = same
            return self._cond(f"{target} = ", test, [f"lambda: {v}" for v in values], [])
        self.refuse.plain_targets(branches)
        names = assigned([*node.body, *node.orelse])
        needed = needed_behind(node, self.source.parents, self.scope)
        results = [n for n in names if needed is None or n in needed]
        if node is self.root:
            results = results or names
        if not results:
            raise Unsuitable("Its branches assign no variable, so there is nothing to choose between.")
        self.refuse.no_functions(branches, results)
        for branch in branches:
            for name in reads(*branch, *_loads(results)) & set(results):
                self.refuse.defined(name, node)
        return self._call(node, f"{', '.join(results)} = ", test, branches, results)

    def _call(
        self, node: ast.If, prefix: str, test: str, branches: Sequence[Sequence[ast.stmt]], results: list[str] | None
    ) -> list[str]:
        """`prefix` and a call of lax.cond; `results` are the variables that branches give back, None where they return."""
        bodies = []
        operands: dict[str, None] = {}
        for branch in branches:
            self.refuse.array_like(*(n.value for n in own_nodes(branch) if isinstance(n, ast.Return)))
            expression = self._expression(branch, results)
            short = expression is not None and len(expression) < WIDTH
            bodies.append((branch, expression if short else None))
            if not short:  # a function's own variables: what it reads before it assigns must be handed over
                read = reads(*branch, *_loads(results or []))
                operands |= {name: None for name in assigned(branch) if name in read}
        for name in operands:
            self.refuse.defined(name, node)
        if node is self.root:
            self.refuse.bound(set().union(*(reads(*branch) for branch in branches)))
        parameters = ", ".join(operands)
        lines, functions = [], []
        for name, (branch, expression) in zip(("true_fun", "false_fun"), bodies, strict=True):
            if expression is not None:
                functions.append(f"lambda {parameters}: {expression}" if operands else f"lambda: {expression}")
            else:
                functions.append(self.source.fresh(name))
                body = self._block(branch, results is None)
                lines += [f"def {functions[-1]}({parameters}):", *_indented(body + _return(results)), ""]
        return lines + self._cond(prefix, test, functions, list(operands))

    def _cond(self, prefix: str, test: str, functions: list[str], operands: list[str]) -> list[str]:
        return _wrapped(f"{prefix}{self.lax('cond')}", [test, *functions, *operands])

    def _expression(self, branch: Sequence[ast.stmt], results: list[str] | None) -> str | None:
        """A branch's results as one expression, where it has nothing but a return or plain assignments of its results."""
        if results is None:
            only = branch[0] if len(branch) == 1 else None
            return self.source.text(only.value) if isinstance(only, ast.Return) and only.value is not None else None
        values: dict[str, str] = {}
        for statement in branch:
            if isinstance(statement, ast.Pass):
                continue
            pairs = assignments(statement)
            if pairs is None or any(reads(statement) & values.keys()):
                return None
            for target, value, op in pairs:
                if not isinstance(target, ast.Name) or target.id in values or target.id not in results:
                    return None
                text = self.source.text(value)
                values[target.id] = f"{target.id} {op} {parenthesized(text)}" if op else text
        texts = [values.get(name, name) for name in results]
        return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"

    def _same_target(self, branches: Sequence[Sequence[ast.stmt]]) -> tuple[str, str, str] | None:
        """The target and the two values of `if c: self.x = a` `else: self.x = b`, which needs no variables; else None."""
        texts: dict[str, None] = {}
        values = []
        for branch in branches:
            pairs = assignments(branch[0]) if len(branch) == 1 else None if branch else []
            if pairs is None or len(pairs) > 1:
                return None
            for target, value, op in pairs:
                if not isinstance(target, (ast.Attribute, ast.Subscript)):
                    return None
                if isinstance(target, ast.Subscript) and not isinstance(self.source.lookup(target.value), (dict, list)):
                    return None
                if any(isinstance(n, ast.Call) for n in ast.walk(target)):
                    return None
                self.refuse.array_like(value)
                texts[self.source.text(target)] = None
                text = self.source.text(value)
                values.append(f"{self.source.text(target)} {op} {parenthesized(text)}" if op else text)
            if not pairs:
                values.append("")
        if len(texts) != 1:
            return None
        target_text = next(iter(texts))
        if "" in values:  # the other branch keeps what there is, if there is something
            kept = ast.parse(target_text, mode="eval").body
            augmented = any(isinstance(s, ast.AugAssign) for branch in branches for s in branch)
            if not augmented and not isinstance(self.source.lookup(kept), (Value, float, int)):
                return None
        return target_text, *[v or target_text for v in values]  # type: ignore[return-value]

    # Loops

    def loop(self, node: ast.While) -> Rewrite:
        """A `while` with the variables that go from turn to turn."""
        self._loop_movable(node)
        self.refuse.movable([node.test])
        carry = self._carried(node, reads(ast.Expr(node.test), *node.body))
        test = self.expressions.predicate(node.test)
        return self._loop(node, "while_loop", [], carry, ("cond_fun", test))

    def counted(self, node: ast.For) -> Rewrite:
        """`for i in range(...)` with a traced bound."""
        self._loop_movable(node)
        call = node.iter
        assert isinstance(call, ast.Call)
        bounds = list(call.args)
        if len(bounds) == 3 and isinstance(bounds[2], ast.Constant) and bounds[2].value == 1:
            bounds.pop()
        if len(bounds) > 2 or any(isinstance(b, (ast.Starred, ast.NamedExpr)) for b in bounds):
            raise Unsuitable("lax.fori_loop counts by ones: count the turns, and compute the number from the turn inside.")
        if not isinstance(node.target, ast.Name):
            raise Unsuitable("")
        index = node.target.id
        needed = needed_behind(node, self.source.parents, self.scope)
        if needed is not None and index in needed:
            raise Unsuitable(f"`{index}` is read behind the loop; compute it from the bound there.")
        self.expressions.carried.add(index)
        carry = [
            n for n in self._carried(node, reads(ast.For(node.target, ast.Tuple([], ast.Load()), node.body, []))) if n != index
        ]
        if not carry:
            raise Unsuitable("The loop assigns no variable that is read in the next turn or behind it.")
        lower = "0" if len(bounds) < 2 else self.source.text(bounds[0])
        return self._loop(node, "fori_loop", [lower, self.source.text(bounds[-1])], carry, None, index)

    def _not_in_a_class(self) -> None:
        if isinstance(self.scope, ast.ClassDef):
            raise Unsuitable("Functions in a class body do not see its variables; compute this before the class.")

    def _loop_movable(self, node: ast.While | ast.For) -> None:
        self._not_in_a_class()
        if node.orelse:
            raise Unsuitable("A loop with `else` has no counterpart; write the else part behind the loop.")
        for n in own_nodes(node.body):
            if isinstance(n, ast.Return):
                raise Unsuitable(
                    "A loop on traced values cannot return: keep the result in a variable, and return it behind the loop."
                )
        self.refuse.movable(node.body, loop="the loop's condition, with a bool variable that the body sets")
        self.refuse.plain_targets([node.body])

    def _carried(self, node: ast.While | ast.For, read: set[str]) -> list[str]:
        needed = needed_behind(node, self.source.parents, self.scope)
        names = assigned(node.body)
        self.refuse.no_functions([node.body], list(read) if needed is None else [*read, *needed])
        carry = [n for n in names if n in read or needed is None or n in needed]
        if isinstance(node, ast.While) and not carry:
            raise Unsuitable("The loop assigns no variable that is read in the next turn or behind it.")
        for name in carry:
            if not (isinstance(node, ast.For) and isinstance(node.target, ast.Name) and name == node.target.id):
                self.refuse.defined(name, node)
        self.expressions.carried.update(carry)
        return carry

    def _loop(
        self,
        node: ast.While | ast.For,
        name: str,
        bounds: list[str],
        carry: list[str],
        test: tuple[str, str] | None,
        index: str = "",
    ) -> Rewrite:
        """The functions and the call; one variable is handed over by itself, several as a tuple."""
        one = len(carry) == 1
        packed = carry[0] if one else self.source.fresh("carry")
        unpack = [] if one else [f"{', '.join(carry)} = {packed}"]
        lines, arguments = [], list(bounds)
        if test is not None:
            if one:
                arguments.append(f"lambda {packed}: {test[1]}")
            else:
                arguments.append(self.source.fresh(test[0]))
                lines += [f"def {arguments[-1]}({packed}):", *_indented([*unpack, f"return {test[1]}"]), ""]
        parameters = f"{index}, {packed}" if index else packed
        self.refuse.constants(node.body, carry)
        expression = self._expression(node.body, carry) if one else None
        if expression is not None and len(expression) < WIDTH:
            arguments.append(f"lambda {parameters}: {expression}")
        else:
            arguments.append(self.source.fresh("body_fun"))
            body = [*unpack, *self._block(node.body, False), *_return(carry)]
            lines += [f"def {arguments[-1]}({parameters}):", *_indented(body), ""]
        together = ", ".join(carry)
        arguments.append(together if one else f"({together})")
        call = _wrapped(f"{together} = {self.lax(name)}", arguments)
        return Rewrite(node.lineno, node.end_lineno or 0, lines + call, SAME_TURNS)

    # Statements that move into a function

    def _block(self, statements: Sequence[ast.stmt], tail: bool) -> list[str]:
        """The lines of a branch or body; `tail` says that it ends the user's function.

        Statements on traced values are written anew where they can be; the others stay, and will tell by themselves.
        """
        self.expressions.moved.update(assigned(statements))
        lines: list[str] = []
        for i, statement in enumerate(statements):
            try:
                rewritten, used = self._anew(statement, statements[i + 1 :] if tail else [])
            except Unsuitable:
                rewritten, used = self.source.verbatim(statement), False
            lines += rewritten
            if used:
                break
        return lines

    def _anew(self, statement: ast.stmt, rest: Sequence[ast.stmt]) -> tuple[list[str], bool]:
        traced = self.expressions.traced
        if isinstance(statement, ast.If) and traced(statement.test) is True:
            return self._within().nested(statement, rest)
        if isinstance(statement, ast.While) and traced(statement.test) is True:
            return self._within().loop(statement).code, False
        raise Unsuitable("")

    def _within(self) -> Statements:
        """For a statement in a branch or body: Python has not come to it."""
        expressions = Expressions(self.source, None)
        expressions.carried, expressions.moved = set(self.expressions.carried), set(self.expressions.moved)
        return Statements(self.source, expressions, self.root)

    def nested(self, node: ast.If, rest: Sequence[ast.stmt]) -> tuple[list[str], bool]:
        return self._choice(node, rest)


def _loads(names: Sequence[str]) -> list[ast.stmt]:
    return [ast.Expr(ast.Name(name, ast.Load())) for name in names]


def _return(results: list[str] | None) -> list[str]:
    return [] if results is None else [f"return {', '.join(results)}"]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def _wrapped(head: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or with an argument a line."""
    line = f"{head}({', '.join(arguments)})"
    return [line] if len(line) <= WIDTH else [f"{head}(", *_indented([f"{a}," for a in arguments]), ")"]
