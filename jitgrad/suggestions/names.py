"""Which variables statements read and assign, and which are still needed behind a statement. Syntax alone, no frame.

Every answer errs towards more reads: a variable that is handed over needlessly does no harm. Next on the path: statements.py.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
LOOPS = (ast.For, ast.AsyncFor, ast.While)


OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**", ast.MatMult: "@",
    ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip


def own_nodes(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The nodes inside, in order; functions, classes and comprehensions defined there stand for theirs."""
    for node in nodes:
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, *COMPREHENSIONS)):
            yield from own_nodes(list(ast.iter_child_nodes(node)))


def assigned(nodes: Sequence[ast.AST]) -> list[str]:
    """The variables that get a value somewhere inside, in the order of their first one."""
    names: dict[str, None] = {}
    for node in own_nodes(nodes):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names[name] = None
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names[name] = None
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names[name] = None
            case ast.MatchMapping(rest=str(name)):
                names[name] = None
            case ast.alias(name=name, asname=alias):
                names[alias or name.partition(".")[0]] = None
    return list(names)


def loads(node: ast.AST | None) -> set[str]:
    """The variables that an expression or a whole statement may read from around it."""
    if node is None:
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    children = [loads(child) for child in ast.iter_child_nodes(node)]
    inside = set().union(*children)
    if isinstance(node, FUNCTIONS):
        args = node.args
        own = {a.arg for a in ast.walk(args) if isinstance(a, ast.arg)}
        body = node.body if isinstance(node.body, list) else [node.body]
        outer = {n.id for n in ast.walk(args) if isinstance(n, ast.Name)}  # defaults and annotations
        shared = {name for n in own_nodes(body) if isinstance(n, (ast.Nonlocal, ast.Global)) for name in n.names}
        return (inside - own - (set(assigned(body)) - shared)) | outer
    if isinstance(node, COMPREHENSIONS):
        own = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        return (inside - own) | loads(node.generators[0].iter)
    return inside


class Reads:
    """Walks statements in order and collects in `read` the variables that may be read before the walk has seen their value.

    `known` are the variables that surely have got a value on the way.
    """

    def __init__(self, known: set[str] | None = None) -> None:
        self.read: set[str] = set()
        self.known: set[str] = set(known or ())

    def expression(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            self.read |= loads(node) - self.known

    def target(self, *targets: ast.expr | None) -> None:
        for target in targets:
            if target is not None:
                self.expression(target)
                self.known |= set(assigned([target]))

    def apart(self, statements: Sequence[ast.stmt], head: ast.expr | None = None) -> set[str]:
        """Walk what may not run at all; returns what is known behind it."""
        inner = Reads(self.known)
        inner.target(head)
        inner.statements(statements)
        self.read |= inner.read
        return inner.known

    def statements(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                self.expression(value)
                self.target(*targets)
            case ast.AnnAssign(target=target, value=value):
                self.expression(value)
                if value is not None:
                    self.target(target)
            case ast.AugAssign(target=target, value=value):
                self.expression(value)
                if isinstance(target, ast.Name):
                    self.read |= {target.id} - self.known
                self.target(target)
            case ast.If(test=test, body=body, orelse=orelse):
                self.expression(test)
                then, other = self.apart(body), self.apart(orelse)
                self.known |= other if leaves(body) else then if leaves(orelse) else then & other
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self.expression(iterable)
                self.apart(body, target)
                self.apart(orelse)
            case ast.While(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.apart(body)
                self.apart(orelse)
            case ast.With(items=items, body=body):
                for item in items:
                    self.expression(item.context_expr)
                    self.target(item.optional_vars)
                self.apart(body)  # an exception may end it early, and be swallowed
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef() | ast.Import() | ast.ImportFrom():
                self.expression(statement)
                self.known |= set(assigned([statement]))
            case _:
                self.expression(statement)


def reads(*statements: ast.stmt) -> set[str]:
    """The variables that these statements may read before they have given them a value."""
    walk = Reads()
    walk.statements(statements)
    return walk.read


def leaves(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block never goes on behind its end."""
    return bool(statements) and isinstance(statements[-1], (ast.Return, ast.Raise, ast.Break, ast.Continue))


def returns_value(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block surely ends by returning a value, and not None."""
    match statements[-1] if statements else None:
        case ast.Return(value=ast.expr() as value):
            return not (isinstance(value, ast.Constant) and value.value is None)
        case ast.If(body=body, orelse=orelse):
            return returns_value(body) and returns_value(orelse)
        case ast.With(body=body):
            return returns_value(body)
    return False


def _ends(statement: ast.stmt) -> bool:
    """Whether nothing in its function runs behind a statement."""
    return isinstance(statement, (ast.Return, ast.Raise)) or returns_value([statement])


def needed_behind(node: ast.stmt, parents: Mapping[ast.AST, ast.AST], scope: ast.AST) -> set[str] | None:
    """The variables whose values may be read behind `node`, before they get others; None for all: those of a module."""
    if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    walk, inner = Reads(), set(ast.walk(node))
    for other in ast.walk(scope):
        if other not in inner and other is not scope:
            if isinstance(other, FUNCTIONS):  # may be called later than it is written
                walk.read |= loads(other)
            elif isinstance(other, (ast.Nonlocal, ast.Global)):
                walk.read |= set(other.names)
    guarded = any(isinstance(n, (ast.Try, ast.TryStar)) and inner & set(ast.walk(n)) for n in ast.walk(scope) if n not in inner)
    child: ast.AST = node
    while child is not scope:
        parent = parents[child]
        for name, block in ast.iter_fields(parent):
            if isinstance(block, list) and child in block:
                rest = [s for s in block[block.index(child) + 1 :] if isinstance(s, ast.stmt)]
                walk.statements(rest)
                if any(map(_ends, rest)) and not guarded:
                    return walk.read
                if isinstance(parent, LOOPS) and name == "body":  # the next turn
                    turn = Reads(walk.known)
                    turn.expression(getattr(parent, "test", None))
                    turn.target(getattr(parent, "target", None))
                    turn.statements(parent.body)
                    walk.read |= turn.read
                    walk.apart(parent.orelse)
        if isinstance(parent, (ast.Try, ast.TryStar)):
            walk.read |= loads(parent)
            walk.known.clear()
        child = parent
    return walk.read


def assignments(statement: ast.AST) -> list[tuple[ast.expr, ast.expr, str]] | None:
    """Targets, values and operators of a plain assignment, all values computed before any target is set; None for what is none."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            if not any(isinstance(n, ast.Starred) for n in [*targets, *values]):
                return [(t, v, "") for t, v in zip(targets, values, strict=True)]
        case ast.Assign(targets=[target], value=value):
            return [(target, value, "")]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return [(target, value, "")]
        case ast.AugAssign(target=target, op=op, value=value):
            return [(target, value, OPERATORS[type(op)])]
    return None
