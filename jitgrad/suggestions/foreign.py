"""Names that users know from other libraries, and what they are here: attributes of arrays, keyword arguments, calls.

In goes what was not found, out comes advice, or nothing. array.py asks about attributes, tracebacks.py about calls.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any

PYTHONS = (
    (
        r"^'Array' object is not callable$",
        "An array is no function: write x.T without parentheses, x[i] with brackets.",
    ),
    (r"^'(tuple|int)' object is not callable$", "x.shape, x.ndim and x.size of an array stand without parentheses: x.shape[0]."),
    (
        r"^%. format: an? .* is required, not Array$",
        'A traced array has no number yet: jitgrad.debug.print("{x}", x=x) prints when the program runs; or return it.',
    ),
)
"""What Python itself says of mistakes with arrays, and what to do about it."""


def explain_python(error: BaseException) -> None:
    """Add to an error that Python raised in a user's function, of an array, what it is about."""
    text = str(error.args[0]) if len(error.args) == 1 else ""
    for pattern, advice in PYTHONS:
        if re.search(pattern, text):
            error.args = (f"{text}. {advice}",)


IMMUTABLE = "x = x + y or x = x.at[i].set(v): arrays never change"
ON_CPU = "jitgrad.device_put(x), or nothing: arrays are in the computer's memory"

ATTRIBUTES = {
    "backward": "jitgrad.grad(f)(w), the gradient of a function f of w",
    "grad": "jitgrad.grad(f)(w), the gradient of a function f of w",
    "requires_grad": "jitgrad.grad(f), which differentiates f by its argument",
    "requires_grad_": "jitgrad.grad(f), which differentiates f by its argument",
    "grad_fn": "jitgrad.make_graph(f)(w), which shows the program", "retain_grad": "jitgrad.grad(f)",
    "detach": "jitgrad.lax.stop_gradient(x)", "detach_": "jitgrad.lax.stop_gradient(x)", "numpy": "numpy.asarray(x)",
    "cuda": ON_CPU, "cpu": ON_CPU, "to": "x.astype(dtype) for a type, jitgrad.device_put(x) for a device", "is_cuda": "x.device",
    "get_device": "x.device", "clone": "x itself: arrays never change; jnp.copy(x) for memory of its own",
    "contiguous": "x itself: arrays are contiguous", "assign": IMMUTABLE, "assign_add": IMMUTABLE, "itemset": IMMUTABLE,
    "set": "x.at[i].set(v): arrays never change",
    "fill": "jnp.full_like(x, value): arrays never change", "put": "x.at[i].set(v): arrays never change",
    "resize_": "x.reshape(...)", "unsqueeze": "jnp.expand_dims(x, axis), or x[None]", "permute": "x.transpose(axes)", "t": "x.T",
    "dim": "x.ndim", "ndimension": "x.ndim", "numel": "x.size", "expand": "jnp.broadcast_to(x, shape)",
    "expand_as": "jnp.broadcast_to(x, y.shape)", "view_as": "x.reshape(y.shape)", "reshape_as": "x.reshape(y.shape)",
    "type_as": "x.astype(y.dtype)", "masked_fill": "jnp.where(mask, value, x)",
    "masked_select": "x[mask]", "index_select": "jnp.take(x, indices, axis)", "gather": "jnp.take_along_axis(x, indices, axis)",
    "scatter": "x.at[indices].set(v)", "index_add": "x.at[indices].add(v)", "topk": "jitgrad.lax.top_k(x, k)",
    "chunk": "jnp.array_split(x, n)", "mm": "x @ y", "bmm": "x @ y", "matmul": "x @ y", "mv": "x @ y", "addmm": "z + x @ y",
    "norm": "jnp.sqrt(jnp.sum(x * x))", "get_shape": "x.shape", "set_shape": "x.reshape(...)", "eval": "x itself",
    "values": "x itself, or numpy.asarray(x)", "tofile": "numpy.asarray(x).tofile(file)",
    "dump": "numpy.save(file, x)", "append": "jnp.append(x, values), or a Python list and jnp.stack",
    "strides": "numpy.asarray(x).strides", "stride": "numpy.asarray(x).strides", "flags": "numpy.asarray(x).flags",
    "base": "numpy.asarray(x)", "ctypes": "numpy.asarray(x).ctypes", "flat": "x.ravel()",
    "setflags": "numpy.array(x), which can be written to", "float": "x.astype(jnp.float32)", "double": "x.astype(jnp.float64)",
    "half": "x.astype(jnp.float16)", "long": "x.astype(jnp.int64)", "int": "x.astype(jnp.int32)",
    "short": "x.astype(jnp.int16)", "byte": "x.astype(jnp.uint8)", "bool": "x.astype(jnp.bool_)",
    "unsafe_buffer_pointer": "numpy.asarray(x).ctypes.data", "is_deleted": "x: a donated array raises where it is used",
    "addressable_data": "x itself: there is one device", "addressable_shards": "x itself: there is one device",
    "aval": "jitgrad.typeof(x)", "primal": "jitgrad.lax.stop_gradient(x)",
}  # fmt: skip
"""Of an array: what PyTorch, TensorFlow, NumPy and jax call something that is called otherwise here."""

KEYWORDS = {
    "dim": "axis", "dims": "axis", "keepdim": "keepdims", "keep_dims": "keepdims", "reduction_indices": "axis", "input": "a",
    "unbiased": "ddof", "correction": "ddof", "descending": "descending", "reverse": "descending", "num_segment": "num_segments",
    "lr": "learning_rate", "betas": "b1 and b2", "seed": "key", "size": "shape", "low": "minval", "high": "maxval",
}  # fmt: skip
"""Keyword arguments of other libraries."""

MEANINGLESS = {
    "out_sharding": "an array lies whole on one device", "in_shardings": "an array lies whole on one device",
    "out_shardings": "an array lies whole on one device", "sharding": "an array lies whole on one device",
    "accuracy": "functions are accurate to a few units in the last place", "compiler_options": "programs are compiled in one way",
}  # fmt: skip
"""Keyword arguments of jax that choose among what there is but one of."""


CHANGING = (
    "sub",
    "mul",
    "div",
    "pow",
    "neg",
    "copy",
    "zero",
    "fill",
    "clamp",
    "relu",
    "normal",
    "uniform",
    "masked_fill",
    "scatter",
)
"""What PyTorch does to an array in place, with a `_` behind the name, beside the functions of `jitgrad.numpy`."""


def attribute(name: str, functions: Collection[str]) -> str:
    """What to use instead of an attribute that arrays do not have."""
    if name in ATTRIBUTES:
        return f"Use {ATTRIBUTES[name]}."
    return f"Use the function jitgrad.numpy.{name}(x)." if name in functions else f"Use {IMMUTABLE}."


SHAPES = ("shape", "newshape", "reps", "axes")
"""Parameters that take several integers as one tuple."""


def explain_call(error: TypeError, f: Callable[..., Any], called: str, args: tuple[Any, ...]) -> None:
    """Add to the error of a call f(*args, ...), by the name `called`, that does not fit f's signature what the signature has."""
    try:
        parameters = inspect.signature(f).parameters
    except (TypeError, ValueError):
        return
    advice = ""
    if found := re.search(r"unexpected keyword argument '(\w+)'", str(error)):
        name = found[1]
        here = KEYWORDS.get(name, "")
        near = get_close_matches(name, parameters, 1, 0.6)
        if here.split()[:1] and here.split()[0] in parameters:
            advice = f"In jitgrad it is {here}=."
        elif name in MEANINGLESS:
            advice = f"Leave it out: {MEANINGLESS[name]}."
        elif near:
            advice = f"Did you mean {near[0]}=?"
    elif re.search(r"takes .*positional arguments? but", str(error)):
        many = [n for n in ("arrays", "tup", "arys") if n in parameters]
        advice = f"Several arrays go into one list or tuple: {called}([a, b])." if many else ""
        names = list(parameters)
        place = next((names.index(n) for n in SHAPES if n in names), len(args))
        if len(sizes := args[place:]) > 1 and all(type(n) is int for n in sizes):
            more = sum(p.default is p.empty for p in list(parameters.values())[place + 1 :])
            sizes, rest = sizes[: len(sizes) - more], sizes[len(sizes) - more :]
            right = ", ".join([*names[:place], str(sizes), *map(str, rest)])
            advice = f"{names[place].capitalize()} is one tuple: {called}({right})."
        elif not many and names and names[0] in ("f", "fun"):
            advice = f"The values are arguments of the function that it gives: {called}(f)(x)."
    if advice or isinstance(error.args[0], str):
        listed = ", ".join(n for n in parameters if n != "self")
        said = str(error).replace(f"{f.__name__}()", f"{called}()", 1)
        error.args = (" ".join(filter(None, [f"{said}.", advice, f"It takes {listed}." if listed else ""])),)
