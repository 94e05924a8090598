"""config.debug_nans and config.debug_infs: results are looked at, and the equation that made the first NaN or infinity is named.

Eager operations are looked at one by one, programs as a whole; one with a bad result is done again equation by equation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import look_at_results
from jitgrad_compiler.ir.graph import EVALUATE, Atom, Graph, Literal, Op, Source, Var
from jitgrad_compiler.ir.interpreter import as_typed
from jitgrad_compiler.ir.types import NAMES

from .config import config
from .errors import InvalidValueError


def bad_value(arrays: Iterable[Any]) -> str:
    """What is in one of the arrays that the settings do not want: "nan", "inf" or nothing."""
    for a in arrays:
        if NAMES[np.asarray(a).dtype].is_inexact:
            if config.debug_nans and np.isnan(a).any():
                return "nan"
            if config.debug_infs and np.isinf(a).any():
                return "inf"
    return ""


def check_program(name: str, graph: Graph, operands: Sequence[Any], results: Sequence[Any]) -> None:
    """Raise InvalidValueError, naming the equation, where a program has given a bad value for these operands."""
    if found := bad_value(results):
        _do_again(name, graph, operands)
        raise _invalid(found, name, None)


def _do_again(name: str, graph: Graph, operands: Sequence[Any]) -> None:
    env: dict[Var, Any] = dict(zip(graph.inputs, operands, strict=True))

    def read(a: Atom) -> Any:
        return a.value if isinstance(a, Literal) else env[a]

    for e in graph.eqns:
        if e.op.traits.effect and not e.outputs:
            continue
        with np.errstate(all="ignore"):
            outs = EVALUATE.get(e.op, e.op.numpy)(*map(read, e.inputs), **e.params)  # a call inside is looked at in its turn
        outs = outs if isinstance(outs, (tuple, list)) else (outs,)
        if found := bad_value(outs):
            raise _invalid(found, f"{e.op.name} of {name}", e.source)
        env.update({v: as_typed(out, v.type) for v, out in zip(e.outputs, outs, strict=True)})


def _check_eager(op: Op, results: Sequence[Any]) -> None:
    if found := bad_value(results):
        raise _invalid(found, op.name, None)


def _invalid(found: str, where: str, source: Source) -> InvalidValueError:
    line = f" ({os.path.basename(source[0])}:{source[1]})" if source else ""
    setting = "debug_nans" if found == "nan" else "debug_infs"
    return InvalidValueError(
        f"invalid value ({found}) encountered in {where}{line}. config.{setting} is on, so it is an error; keep the operands "
        "inside the function's domain, with jnp.where on its argument for example."
    )


def _switched(_: Any) -> None:
    look_at_results(_check_eager if config.debug_nans or config.debug_infs else None)


for _name in ("debug_nans", "debug_infs"):
    config.listen(_name, _switched)
