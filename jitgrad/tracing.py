"""A user's function to a Graph: flatten the pytrees, run the body on traced values, gather what comes out.

Next on the path: differentiation.py, vectorization.py and jit.py, which all start here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Value, Weak, consts_in_front, each_once, staging
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.types import ArrayType

from . import tree
from .array import Array, as_value
from .errors import ArgumentError, DTypeError, NotAFunctionError, NotAnArrayError
from .promotion import strong_dtype
from .signatures import Builder, builder_of
from .tree_keys import SequenceKey
from .tree_registration import register_pytree_node


def function_name(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", None) or type(f).__name__


def is_module(x: Any) -> bool:
    """Whether x is an nn.Module: a function that is a pytree."""
    return hasattr(type(x), "__jitgrad_module__")


def is_function(x: Any) -> bool:
    """Whether x is a function where a pytree may stand, too: a module is called, but stands for its arrays there."""
    return callable(x) and not is_module(x)


def check_function(transform: str, fun: Any) -> None:
    """Raise NotAFunctionError unless fun can be called, saying what to write where it is the result of a call."""
    if callable(fun):
        return
    got = type(fun).__name__
    if isinstance(fun, Array | np.ndarray | np.generic | int | float | complex | tuple | list | dict):
        got += f", the result of a function and not the function: write {transform}(f)(x), not {transform}(f(x))"
    raise NotAFunctionError(f"{transform} needs a function, got {got}.")


FLOAT0 = np.dtype([("float0", np.void, 0)])
"""The type of the tangents of integers, which carry nothing; as in jax."""


def is_float0(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == FLOAT0


class _Float0:
    """Stands for an array of the type float0 as a container of nothing, which becomes the array again."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


register_pytree_node(_Float0, lambda x: ((), x.shape), lambda shape, _: np.zeros(shape, FLOAT0))

RESULT = "its result"
ARGUMENT = "argument"


def leaf_name(what: str, path: tuple[Any, ...]) -> str:
    """What a leaf is called in an error; ARGUMENT is for pairs of positional and keyword arguments."""
    if what != ARGUMENT:
        return what + tree.path_text(path)
    pair, place, *rest = path
    number = pair.idx == 0
    return f"{'' if number else 'keyword '}argument {place.idx if number else repr(place.key)}{tree.path_text(tuple(rest))}"


def advice(where: str, what: str, path: tuple[Any, ...], x: Any) -> str:
    """What to do with an argument that is no array."""
    if what != ARGUMENT:
        return "Lists of numbers become arrays with jitgrad.numpy.array."
    place = path[1]
    option = f"static_argnames={place.key!r}" if path[0].idx else f"static_argnums={place.idx}"
    static = f"Make it a static argument with {option}" if where.startswith(("jit of", "lower of", "make_graph")) else ""
    if isinstance(x, (str, bytes, type)) or callable(x):
        return f"{static}, or close over it." if static else "Close over it."
    kind = type(x).__name__
    register = "register_dataclass" if is_dataclass(x) else "register_pytree_node"
    container = f"ake {kind} a container of arrays with jitgrad.tree_util.{register}."
    if not static:
        return f"M{container}"
    return f"{static}{', as for the self of a method,' if len(path) == 2 else ''} or m{container}"


def array_leaves(
    where: str, items: Any, what: str, borrow: bool = False, numbers: Sequence[int] = ()
) -> tuple[list[Array], tree.PyTreeDef]:
    """The leaves of a pytree as Arrays; a leaf that is none is named by `what`, RESULT or ARGUMENT or another, and its path.

    `borrow` is `as_value`'s; `numbers` are those of the positional arguments, where some have been left out.
    Arrays of the type float0 have no elements to trace: they belong to the structure.
    """
    leaves, treedef = tree.flatten(items)
    try:
        return [x if isinstance(x, Array) else as_value(x, borrow=borrow) for x in leaves], treedef
    except (NotAnArrayError, DTypeError):
        if any(map(is_float0, leaves)):
            return array_leaves(where, _without_float0(items), what, borrow, numbers)
        for path, x in tree.leaves_with_path(items):
            if numbers and path[0].idx == 0:
                path = (path[0], SequenceKey(numbers[path[1].idx]), *path[2:])
            try:
                as_value(x, borrow=True)
            except NotAnArrayError:
                fix = "Return arrays and containers of them." if what == RESULT else advice(where, what, path, x)
                raise NotAnArrayError(
                    f"{where}: {leaf_name(what, path)} must be an array or a number, got {type(x).__name__}: {str(x)[:60]!r}. {fix}"
                ) from None
        raise


def _without_float0(items: Any) -> Any:
    return tree.map(lambda x: _Float0(x.shape) if is_float0(x) else x, items)


@dataclass
class Traced:
    """A function's Graph; `captured` are the outer values that its last inputs stand for, and `build` makes the result of an
    iterator of leaves.
    """

    graph: Graph
    captured: list[Value]
    out_tree: tree.PyTreeDef
    out_weak: list[Weak]
    build: Builder | None = None

    def with_consts(self, consts: Sequence[Value]) -> Graph:
        """The Graph with all of these outer values, `captured` among them, as its first inputs."""
        return consts_in_front(self.graph, self.captured, consts)


def all_captured(*traced: Traced) -> list[Array]:
    """The outer values of several traced functions, each once."""
    return each_once(v for t in traced for v in t.captured)  # type: ignore[return-value]


def trace(f: Callable[..., Any], name: str, types: Sequence[ArrayType], weak: Sequence[Weak], in_tree: tree.PyTreeDef) -> Traced:
    """Run `f(*args)` on traced values of the given types, `args` being of the structure `in_tree`."""
    with staging(f" ({name})") as builder:
        inputs = [builder.input(t, w) for t, w in zip(types, weak, strict=True)]
        out = f(*tree.unflatten(in_tree, inputs))
        outputs, out_tree = array_leaves(name, out, RESULT)
        build = builder_of(out_tree, _without_float0(out) if any(map(is_float0, tree.leaves(out))) else out)
        graph, captured = builder.finish(outputs)
    return Traced(graph, captured, out_tree, [v.weak for v in outputs], build)


class ShapeDtypeStruct:
    """The shape and element type of an array that need not exist; stands for one in `eval_shape` and `jit(f).lower`."""

    __slots__ = ("dtype", "shape", "weak_type")

    def __init__(self, shape: Sequence[int], dtype: Any, weak_type: bool = False) -> None:
        self.shape, self.dtype, self.weak_type = tuple(shape), np.dtype(dtype), weak_type

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


def abstract_leaves(where: str, args: Any) -> tuple[list[ArrayType], list[Weak], tree.PyTreeDef]:
    """The types of a pytree of arrays or ShapeDtypeStructs, and which are weak."""

    def from_struct(x: Any) -> bool:
        return isinstance(x, ShapeDtypeStruct)

    leaves, treedef = tree.flatten(args, is_leaf=from_struct)
    stand_ins = [np.broadcast_to(np.zeros((), x.dtype), x.shape) if from_struct(x) else x for x in leaves]
    values, _ = array_leaves(where, tree.unflatten(treedef, stand_ins), ARGUMENT, borrow=True)
    return [v.type for v in values], [v.weak for v in values], treedef


def make_graph(
    f: Callable[..., Any], static_argnums: int | Sequence[int] = (), *, return_shape: bool = False
) -> Callable[..., Any]:
    """A function that traces `f` for given arguments and returns its Graph, whose `str()` is its text.

    static_argnums: positional arguments that f gets as they are. return_shape: the function returns a pair, of the Graph and what
    `eval_shape` gives. Arrays that f closes over are hidden inputs behind its arguments.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> x = jnp.ones(3)
    >>> jitgrad.make_graph(lambda x: jnp.sin(x) * 2)(x).key == jitgrad.make_graph(lambda y: jnp.sin(y) * 2)(x).key
    True
    """
    check_function("make_graph", f)
    name = function_name(f)
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)

    def traced(*args: Any, **kwargs: Any) -> Any:
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise ArgumentError(
                    f"make_graph of {name}: static_argnums names argument {n}, but there are {len(args)}, counted from 0"
                )
        static = {n % len(args): args[n] for n in numbers}
        types, weak, in_tree = abstract_leaves(
            f"make_graph of {name}", (tuple(a for n, a in enumerate(args) if n not in static), kwargs)
        )

        def run(given: Sequence[Any], named: Mapping[str, Any]) -> Any:
            items = iter(given)
            return f(*[static[n] if n in static else next(items) for n in range(len(args))], **named)

        found = trace(run, name, types, weak, in_tree)
        return (found.graph, _shape_of(found)) if return_shape else found.graph

    return traced


make_jaxpr = make_graph
"""jax's name of it; what it gives is a Graph, with equations, inputs and outputs of its own kind."""


def eval_shape(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The shapes and types that `f(*args)` would have, without computing it; a pytree of ShapeDtypeStruct.

    >>> import jitgrad.numpy as jnp
    >>> eval_shape(lambda a, b: a @ b, ShapeDtypeStruct((2, 3), "float32"), ShapeDtypeStruct((3, 4), "float32"))
    ShapeDtypeStruct(shape=(2, 4), dtype=float32)
    """
    check_function("eval_shape", f)
    name = function_name(f)
    types, weak, in_tree = abstract_leaves(f"eval_shape of {name}", (args, kwargs))
    return _shape_of(trace(lambda a, k: f(*a, **k), name, types, weak, in_tree))


def _shape_of(traced: Traced) -> Any:
    outs = [
        ShapeDtypeStruct(t.shape, Array(ArrayType((), strong_dtype(t.dtype, w)), None, None).dtype, bool(w))
        for t, w in zip(traced.graph.output_types, traced.out_weak, strict=True)
    ]
    return tree.unflatten(traced.out_tree, outs)
