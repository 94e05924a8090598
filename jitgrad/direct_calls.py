"""What an operation's NumPy reference comes to where its operands' types are known: the one call of NumPy's that it ends in.

replay.py writes this down in place of references that look at their operands first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.graph import OPS, Atom, Eqn, Literal, Var
from jitgrad_compiler.ir.types import I64
from jitgrad_compiler.ops.summation import SHORT

Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
"""A function, and what it is given behind the operands: by position, and by name."""

_OF_NUMBERS = {"div": np.divide}
_OF_FLOATS = {
    "rem": np.fmod, "mod": np.remainder, "floor_div": np.floor_divide, "log1p": np.log1p, "expm1": np.expm1,
}  # fmt: skip
_EXTREMES = {"max": np.maximum, "min": np.minimum}


def direct(e: Eqn) -> Call:
    """The call that gives an equation's results, of operands of its types."""
    name, params, x = e.op.name, e.params, e.inputs[0].type if e.inputs else None
    kind = "" if x is None else x.dtype.numpy.kind
    numpys: Any = _OF_NUMBERS.get(name) if kind in "fc" else None
    if kind == "f":
        numpys = _OF_FLOATS.get(name, numpys)
    if name in _EXTREMES and (kind in "biu" or any(isinstance(a, Literal) and a.value for a in e.inputs)):
        numpys = _EXTREMES[name]  # no two zeros
    if numpys is not None:
        return numpys, (), params
    if x is None or isinstance(e.inputs[0], Literal):
        return e.op.numpy, (), params
    if name == "reshape":
        return np.ndarray.reshape, (params["shape"],), {}
    if name == "slice":
        places = tuple(map(slice, params["start"], params["limit"], params["strides"]))
        return np.ndarray.__getitem__, (places,), {}
    if name == "gather" and _is_of_elements(e):
        return _elements, (x.shape,), {}
    if name == "transpose":
        return np.ndarray.transpose, (params["permutation"],), {}
    if name == "reduce_sum" and params["axes"] and math.prod([x.shape[a] for a in params["axes"]]) <= SHORT:
        return np.add.reduce, (params["axes"], x.dtype.numpy), {}
    if name == "convert_element_type" and not params["dtype"].is_storage:
        to = params["dtype"].numpy
        if kind in "biu" or (kind == "f" and to.kind in "fc") or kind == to.kind == "c":
            return np.ndarray.astype, (to,), {}
    return e.op.numpy, (), params


def _is_of_elements(e: Eqn) -> bool:
    """Whether a gather takes single elements, at places that are clipped, and there are such."""
    x, indices = (a.type for a in e.inputs)
    whole = e.params["axes"] == tuple(range(x.rank)) and e.params["mode"] == "clip" and x.rank > 0
    return whole and min(x.size, indices.size) > 0 and indices.dtype == I64


def _elements(x: Any, indices: Any, shape: tuple[int, ...]) -> Any:
    columns = [indices[..., a] for a in range(len(shape))]
    return x.reshape(-1).take(np.ravel_multi_index(columns, shape, "clip"))


def spread(e: Eqn) -> Call:
    """The call in place of a broadcast that is left to those that read its result: axes of size 1 where it would repeat."""
    inner = [1] * len(e.params["shape"])
    for d, n in zip(e.params["dims"], e.inputs[0].type.shape, strict=True):
        inner[d] = n
    reshape: Any = np.ndarray.reshape if isinstance(e.inputs[0], Var) else np.reshape
    return reshape, (tuple(inner),), {}


def left_to_readers(equations: Sequence[Eqn], outputs: Sequence[Atom]) -> set[Any]:
    """The results of broadcasts that need not be made: all that read them spread their operands by themselves, and have another
    operand of the whole shape.
    """
    broadcast = OPS["broadcast"]
    made: set[Any] = {v for e in equations if e.op is broadcast for v in e.outputs}
    needed = {*outputs}
    for e in equations:
        read = made.intersection(v for v in e.inputs if isinstance(v, Var))
        if not read:
            continue
        spreads = isinstance(call := direct(e)[0], np.ufunc) or call is np.where
        shape = e.outputs[0].type.shape
        if not spreads or not any([isinstance(v, Var) and v not in made and v.type.shape == shape for v in e.inputs]):
            needed |= read
    return made - needed
