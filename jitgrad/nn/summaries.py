"""`summary`: a table of a model's layers, the shapes of what they give, and their parameters."""

from __future__ import annotations

from typing import Any, TextIO

from jitgrad import tree
from jitgrad.errors import ArgumentError
from jitgrad.tracing import eval_shape

from .calls import running
from .holding import parameter_count
from .module import Module
from .parts import is_module, modules, shown
from .sizes import check_built, stand_in


def summary(module: Module, *inputs: Any, dtype: Any = None, file: TextIO | None = None) -> None:
    """Print a table of the modules in a model: where they are, the shapes of what they give for inputs, and their parameters.

    inputs: for each argument of the call its shape, the batch's axis included, of arrays of `dtype` (config.default_float), or an
    array or a ShapeDtypeStruct. Nothing is computed. file: where to print to, the standard output by default. Rows are in the order
    of the model; a module that is called more than once has the shapes of all its calls, one that is not called has none.

    >>> from jitgrad import nn
    >>> summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), (1, 4))
    Layer                    Output   Parameters
    --------------------------------------------
    Sequential               (1, 2)           58
      layers[0]  Linear      (1, 8)           40
      layers[1]  ReLU        (1, 8)            0
      layers[2]  Linear      (1, 2)           18
    --------------------------------------------
    58 parameters, 58 of them trained; 0 numbers in buffers; 232 bytes
    """
    if not is_module(module):
        raise ArgumentError(f"nn.summary: the first argument must be a Module, got {type(module).__name__}.")
    if not inputs:
        raise ArgumentError("nn.summary: give the input's shape, the batch's axis included: nn.summary(module, (1, 28, 28, 1)).")
    check_built("nn.summary", module)
    given = [stand_in("nn.summary", x, dtype) for x in inputs]
    paths = {id(m): (path, m) for path, m in modules(module)}
    outputs: dict[int, list[str]] = {key: [] for key in paths}

    def record(m: Any, out: Any) -> None:
        if id(m) in outputs:
            text = _shapes(out)
            outputs[id(m)] += [text] if text not in outputs[id(m)] else []

    before, running.record = running.record, record
    try:
        eval_shape(lambda *xs: module(*xs), *given)
    finally:
        running.record = before
    rows = [("Layer", "Output", "Parameters")]
    for key, (path, m) in paths.items():
        depth = sum(path != other and path.startswith((f"{other}.", f"{other}[")) for other, _ in paths.values())
        name = f"{'  ' * depth}{shown(path)}  {type(m).__name__}" if path else type(m).__name__
        rows.append((name, ", ".join(outputs[key]), f"{parameter_count(m):,}"))
    _print(rows, module, file)


def _print(rows: list[tuple[str, str, str]], module: Module, file: TextIO | None) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{name:{widths[0] + 6}}{shape:{widths[1] + 3}}{count:>{widths[2]}}" for name, shape, count in rows]
    line = "-" * max(map(len, lines))
    leaves = [x for x in tree.leaves(module) if hasattr(x, "nbytes")]
    total, trained = parameter_count(module), parameter_count(module, trainable=True)
    buffers = sum(x.size for x in leaves) - total
    size = sum(x.nbytes for x in leaves)
    print(lines[0], line, *lines[1:], line, sep="\n", file=file)
    print(f"{total:,} parameters, {trained:,} of them trained; {buffers:,} numbers in buffers; {size:,} bytes", file=file)


def _shapes(out: Any) -> str:
    """The shapes in a result: one alone, or several in the structure's order."""
    shapes = [str(tuple(x.shape)) if hasattr(x, "shape") else type(x).__name__ for x in tree.leaves(out)]
    return ", ".join(shapes)
