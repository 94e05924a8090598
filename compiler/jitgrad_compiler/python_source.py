"""The syntax tree of a Python function, found in its file. Users: `ops/scalar_formula.py` and `targets/scalar_translation.py`."""

from __future__ import annotations

import ast
import functools
import inspect
from types import CodeType, FunctionType


def find_source(function: FunctionType) -> ast.FunctionDef | ast.Lambda:
    """The syntax tree of a function, with the line numbers of its file; of one that has a `source`, of that text, or of
    what it gives when it is called.

    Raises:
        OSError, SyntaxError: The source cannot be read.
        LookupError: The file is not any more what the function was compiled from.
    """
    if "source" in function.__dict__:
        source = function.__dict__["source"]
        made = _parsed(source() if callable(source) else source).body[0]
        assert isinstance(made, ast.FunctionDef)
        return made
    lines, _ = inspect.findsource(function)
    code = function.__code__
    for node in ast.walk(_parsed("".join(lines))):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno:
                return node
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and _holds(node.body, code):
            return node
    raise LookupError(f"{function.__name__} is not in {code.co_filename} as it was when it was defined")


@functools.lru_cache(maxsize=16)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _holds(body: ast.expr, code: CodeType) -> bool:
    """Whether the expression is what the code of a lambda was compiled from: two lambdas may share a line."""
    start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    positions = [[part or 0 for part in position] for position in code.co_positions() if None not in position]
    spans = [((line, column), (end_line, end_column)) for line, end_line, column, end_column in positions]
    spans = [span for span in spans if span[0] != span[1]]
    return bool(spans) and min(s for s, _ in spans) == start and max(e for _, e in spans) == end
