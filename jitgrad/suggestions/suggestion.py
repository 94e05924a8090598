"""What an error about a traced value suggests: the user's own `if`, `while` or `for`, written for the compiler.

`array.py` asks when Python wants the truth or the integer of a traced value. source.py finds the expression in the user's file,
names.py knows which variables a statement reads and assigns, expressions.py writes tests, statements.py writes whole statements.
Where one of them cannot be sure that the code would do the same, it raises `Unsuitable`, and the error gives its reason and general
advice.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jitgrad_compiler.errors import user_frame
from jitgrad_compiler.ir.builder import Value

from .expressions import Expressions
from .names import loads
from .refusals import Refusals
from .source import Source, Unsuitable
from .statements import Rewrite, Statements

REWRITTEN_LINES, REFUSED_LINES = 40, 8
"""How many of the user's lines are shown at most."""

INTEGER = "the array itself with jitgrad.numpy's functions, make the argument static"
CHOICE = "jitgrad.numpy.where or jitgrad.lax.cond, which choose between values"
LOGIC = "`&` and `|`, or jitgrad.numpy.logical_and, logical_or and logical_not, which take arrays"
CHECK = "jitgrad.debug.print or jitgrad.debug.callback, which see the value once it is known"
LENGTH = "Values decide how many elements a comprehension with `if` has, and a traced value does not tell."


class Suggestion(NamedTuple):
    """What the message calls the cause, what it advises in general, and the lines that show the statement and rewrite it."""

    what: str
    advice: str
    code: str = ""


MATH = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "pow": "power", "fabs": "abs", "dist": "hypot"}
"""Functions of Python's math that jitgrad.numpy calls otherwise."""
CONVERSIONS = ("__array__", "__float__", "__complex__")
GENERAL = {
    "__bool__": Suggestion("`if`, `while`, `and`, `or` or `not`", "jitgrad.numpy.where(condition, a, b)"),
    "__index__": Suggestion("an index or a size", INTEGER),
}


def suggest(shape: tuple[int, ...], dtype: Any) -> Suggestion | None:
    """For a traced value of this type that the code outside jitgrad has just used as a truth or an index; else None."""
    frame, method = user_frame()
    general = GENERAL.get(method)
    if frame is None or general is None and method not in CONVERSIONS:
        return None
    try:
        source = Source.at(frame)
        if source is None:
            return general
        if method in CONVERSIONS:
            return _of_conversion(source)
        if method == "__index__":
            return _of_range(source, dtype) or general
        return _of_truth(source, shape, dtype) or general
    except Exception:  # whatever is wrong in here must not hide the user's error
        return general


def _of_range(source: Source, dtype: Any) -> Suggestion | None:
    """`for i in range(traced)`."""
    loop = source.parents[source.called] if source.called is not None else None
    if not isinstance(loop, ast.For) or loop.iter is not source.called or dtype.kind not in "iu":
        return None
    assert source.called is not None
    if not source.is_builtin(source.called.func, "range"):
        return None
    statements = Statements(source, Expressions(source, None), loop)
    advice = "jitgrad.lax.fori_loop, which takes traced bounds, make the argument static"
    return _suggestion(source, loop, GENERAL["__index__"].what, advice, lambda: statements.counted(loop))


def _of_truth(source: Source, shape: tuple[int, ...], dtype: Any) -> Suggestion | None:
    if source.called is not None:
        return _of_order(source, source.called) or _of_call(source, source.called)
    if source.contained is not None:
        node = source.contained
        inside = f"jitgrad.numpy.any({_as_array(source, node.comparators[0])} == {source.text(node.left)})"
        return Suggestion("`in`", inside if isinstance(node.ops[0], ast.In) else f"~{inside}")
    if source.tested is None:
        return None
    failed = source.tested.test if isinstance(source.tested, ast.Assert) else source.tested
    test: ast.AST = failed
    while _passes_truth_on(source.parents[test], test):
        test = source.parents[test]
    assert isinstance(test, ast.expr)
    owner = source.parents[test]
    expressions = Expressions(source, failed, shape, dtype)
    statements = Statements(source, expressions, owner)
    is_test = getattr(owner, "test", None) is test
    if isinstance(owner, ast.If) and is_test:
        what = "`elif`" if source.is_elif(owner) else "`if`"
        return _suggestion(source, owner, what, CHOICE, lambda: statements.choice(owner), test)
    if isinstance(owner, ast.While) and is_test:
        advice = "jitgrad.lax.while_loop, which loops on traced values"
        return _suggestion(source, owner, "`while`", advice, lambda: statements.loop(owner), test)
    if isinstance(owner, ast.Assert) and is_test:
        return _suggestion(source, owner, "`assert`", CHECK, lambda: statements.check(owner), test)
    if isinstance(owner, ast.IfExp) and is_test:
        return _suggestion(source, owner, "`if`", CHOICE, lambda: statements.conditional(owner), test)
    if isinstance(owner, ast.comprehension):
        return _suggestion(source, owner, "`if` in a comprehension", CHOICE, _refuse(LENGTH))
    if isinstance(test, ast.BoolOp):
        what = "`and`" if isinstance(test.op, ast.And) else "`or`"
    elif isinstance(test, ast.UnaryOp):
        what = "`not`"
    elif isinstance(test, ast.Compare) and len(test.ops) > 1:
        what = "a chain of comparisons"
    else:
        return None
    return _suggestion(source, test, what, LOGIC, lambda: statements.replaced(test, expressions.value(test)), test)


def _passes_truth_on(parent: ast.AST, child: ast.AST) -> bool:
    """Whether asking `child` for its truth is a part of finding that of `parent`."""
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    return isinstance(parent, ast.BoolOp) or (isinstance(parent, ast.NamedExpr) and parent.target is child)


def _of_call(source: Source, call: ast.Call) -> Suggestion | None:
    """Builtins that ask for truth: `max(x, y)` and its kin."""
    name = next((n for n in ("max", "min", "any", "all") if source.is_builtin(call.func, n)), None)
    if name is None or call.keywords:
        return None
    pair = name in ("max", "min") and len(call.args) > 1
    statements = Statements(source, Expressions(source, None), call)
    advice = f"jitgrad.numpy.{name}{'imum' if pair else ''}"
    return _suggestion(source, call, f"`{name}`", advice, lambda: statements.builtin(call, name))


def _as_array(source: Source, node: ast.expr) -> str:
    """The text of a list as that of an array."""
    text = source.text(node)
    return text if isinstance(source.lookup(node), Value) else f"jitgrad.numpy.array({text})"


def _of_order(source: Source, call: ast.Call) -> Suggestion | None:
    """What compares the items of a list: sorted(x), and the methods sort, index and count of lists."""
    if source.is_builtin(call.func, "sorted") and call.args:
        return Suggestion("`sorted`", f"jitgrad.numpy.sort({_as_array(source, call.args[0])})")
    if not isinstance(call.func, ast.Attribute) or isinstance(source.lookup(call.func.value), Value):
        return None
    items, name = _as_array(source, call.func.value), call.func.attr
    if name == "sort":
        return Suggestion("`list.sort`", f"jitgrad.numpy.sort({items})")
    if name in ("index", "count") and len(call.args) == 1:
        function = "argmax" if name == "index" else "sum"
        return Suggestion(f"`list.{name}`", f"jitgrad.numpy.{function}({items} == {source.text(call.args[0])})")
    return None


def _of_conversion(source: Source) -> Suggestion | None:
    """What NumPy's random numbers and Python's math take a traced value for."""
    function = source.called.func if source.called is not None else None
    if not isinstance(function, ast.Attribute):
        return None
    owner = source.lookup(function.value)
    if getattr(owner, "__name__", "") == "numpy.random" or type(owner).__module__.startswith("numpy.random"):
        advice = "jitgrad.random's functions, which take a key: NumPy's would draw once, while the function is traced"
        return Suggestion(source.text(function), advice)
    if owner is math:
        return Suggestion(source.text(function), f"jitgrad.numpy.{MATH.get(function.attr, function.attr)}")
    return None


def _refuse(reason: str) -> Callable[[], Rewrite]:
    def write() -> Rewrite:
        raise Unsuitable(reason)

    return write


def _suggestion(
    source: Source, node: ast.AST, what: str, advice: str, write: Callable[[], Rewrite], test: ast.expr | None = None
) -> Suggestion:
    """`test` is the expression all of whose operands the code evaluates, where Python stops at the one that decides."""
    try:
        Refusals(source, node).bound(loads(test))
        rewrite = write()
    except Unsuitable as reason:
        place = source.statement(node)
        shown = source.shown(place.lineno, place.end_lineno or place.lineno, REFUSED_LINES)
        return Suggestion(what, advice, "\n\n".join([shown, *filter(None, [str(reason)])]))
    with_imports = f", with {' and '.join(f'`{line}`' for line in source.imports)}" if source.imports else ""
    place_of = f"Instead of `{rewrite.instead_of}` write" if rewrite.instead_of else "Write instead"
    parts = [
        source.shown(rewrite.first, rewrite.last, REWRITTEN_LINES),
        f"{place_of}{with_imports}:",
        _block(rewrite.code),
        *(["or", _block(rewrite.other)] if rewrite.other else []),
        *filter(None, [rewrite.note]),
    ]
    return Suggestion(what, advice, "\n\n".join(parts))


def _block(lines: list[str]) -> str:
    return "\n".join(f"    {line}" if line else "" for line in lines)
