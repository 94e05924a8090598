"""One call of a function with custom derivatives: its arguments, the rules run on values, and the rules traced to Graphs.

Next on the path: custom_derivatives.py, which decides which of the two is done; jitgrad_compiler/passes/custom_rules.py, which asks
for the Graphs.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from jitgrad_compiler.ir.builder import Value, Weak, adopting, each_once, is_capturable, outer_identity, source_of, with_weak
from jitgrad_compiler.ir.types import ArrayType
from jitgrad_compiler.ops.custom import Backward, Programs
from jitgrad_compiler.ops.define import zeros

from . import axes, tree
from .array import Array, as_value
from .errors import ArgumentError, NotAnArrayError
from .linear_maps import check_tangent
from .tracing import ARGUMENT, FLOAT0, ShapeDtypeStruct, Traced, all_captured, array_leaves, function_name, leaf_name, trace


def positional(where: str, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments by position, as f's signature has them, with its defaults."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):
        if kwargs:
            raise ArgumentError(f"{where}: {f!r} has no signature, so pass all arguments by position") from None
        return args
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    unplaced = [name for name in bound.kwargs if name in kwargs]
    if unplaced:
        raise ArgumentError(
            f"{where}: the keyword arguments {', '.join(unplaced)} have no position. Rules get arguments by position, so the "
            "function must not have keyword-only parameters; wrap it in one that has none."
        )
    return bound.args


def named_positions(where: str, f: Callable[..., Any], names: str | Sequence[str]) -> list[int]:
    """The positions of parameters of f by their names."""
    wanted = (names,) if isinstance(names, str) else tuple(names)
    if not wanted:
        return []
    parameters = list(inspect.signature(f).parameters)
    for name in wanted:
        if name not in parameters:
            raise ArgumentError(f"{where}: nondiff_argnames has {name!r}, but the parameters are {', '.join(parameters)}")
    return [parameters.index(name) for name in wanted]


class SymbolicZero:
    """Stands for a tangent that is zero, in the rule of a custom_jvp with symbolic_zeros=True; it may be given back as one."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapeDtypeStruct) -> None:
        self.aval = aval

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.aval.dtype

    def instantiate(self) -> Array:
        return as_value(np.zeros(self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval!r})"


class CustomVJPPrimal(NamedTuple):
    """A leaf of the arguments that fwd of a custom_vjp with symbolic_zeros=True gets: its value, and whether the derivative with
    respect to it is wanted, as far as that is known.
    """

    value: Any
    perturbed: bool


def _stand_in(value: Value) -> Array:
    """An Array of a type and weakness alone."""
    return Array(value.type, None, None, value.weak)


def stand_ins(traced: Traced) -> list[Array]:
    """Stand-ins for a traced function's outputs."""
    return [Array(t, None, None, w) for t, w in zip(traced.graph.output_types, traced.out_weak, strict=True)]


def leaves_like(where: str, what: str, likes: Sequence[Array], treedef: Any, given: Any) -> list[Array]:
    """The leaves of `given`, which must be of the structure, shapes and types of the stand-ins; weak ones adapt."""
    tree.check_same_structure(where, tree.unflatten(treedef, list(likes)), given, what)
    found = []
    for like, (path, x) in zip(likes, tree.leaves_with_path(given), strict=True):
        at = tree.path_text(path)
        found.append(check_tangent(where, at or "the output", like, as_value(x, f"{where}: the {what}{at}"), what))
    return found


def _tangents_like(where: str, what: str, likes: Sequence[Array], treedef: Any, given: Any) -> list[Array]:
    """The same of tangents: those of integers are left out."""
    tree.check_same_structure(where, tree.unflatten(treedef, list(likes)), given, what)
    found = []
    for like, (path, x) in zip(likes, tree.leaves_with_path(given), strict=True):
        if like.type.dtype.is_inexact:
            at = tree.path_text(path)
            given_tangent = x.instantiate() if isinstance(x, SymbolicZero) else as_value(x, f"{where}: the {what}{at}")
            found.append(check_tangent(where, at or "the output", like, given_tangent, what))
    return found


def with_float0(likes: Sequence[Array], moving: Iterable[Any]) -> list[Any]:
    """Tangents of floats, and zeros of the type float0 for integers."""
    items = iter(moving)
    return [next(items) if v.type.dtype.is_inexact else np.zeros(v.type.shape, FLOAT0) for v in likes]


class Outputs:
    """The outputs of a function or of its rule: leaves and structure."""

    def __init__(self, leaves: Sequence[Array], treedef: Any) -> None:
        self.leaves, self.treedef = list(leaves), treedef

    @property
    def likes(self) -> list[Array]:
        return [_stand_in(v) for v in self.leaves]

    def shown(self, values: Sequence[Value]) -> Any:
        return tree.unflatten(self.treedef, [with_weak(v, like.weak) for v, like in zip(values, self.leaves, strict=True)])


class Residuals:
    """What fwd keeps for bwd: arrays, and what stays as it is: Python's numbers, and the structure."""

    def __init__(self, where: str, kept: Any) -> None:
        leaves, self.treedef = tree.flatten(kept)
        self.plain = {n: x for n, x in enumerate(leaves) if type(x) in (bool, int, float, complex)}
        self.arrays: list[Array] = []
        self.weak: list[Weak] = []
        for n, x in enumerate(leaves):
            if n not in self.plain:
                try:
                    self.arrays.append(x if isinstance(x, Array) else as_value(x))
                except NotAnArrayError:
                    path = tree.leaves_with_path(kept)[n][0]
                    raise NotAnArrayError(
                        f"{where}: {leaf_name('the residuals', path)} must be an array or a number, got {type(x).__name__}: "
                        f"{str(x)[:60]!r}. Residuals are pytrees of arrays; other things can be nondiff_argnums."
                    ) from None
        self.weak = [v.weak for v in self.arrays]

    def of(self, arrays: Sequence[Value]) -> Any:
        """The residuals, with these arrays."""
        items = iter([with_weak(v, w) for v, w in zip(arrays, self.weak, strict=True)])
        count = len(self.plain) + len(arrays)
        return tree.unflatten(self.treedef, [self.plain[n] if n in self.plain else next(items) for n in range(count)])


class Call:
    """The arguments of a call by position, which of them are not differentiated, and the leaves of the others."""

    def __init__(
        self, where: str, name: str, f: Callable[..., Any], args: tuple[Any, ...], nondiff: dict[int, Any], symbolic_zeros: bool
    ) -> None:
        self.where, self.name, self.f, self.nondiff, self.symbolic_zeros = where, name, f, nondiff, symbolic_zeros
        self.count = len(args)
        self.axes = axes.current()
        dynamic = tuple(None if n in nondiff else a for n, a in enumerate(args))
        values, self.in_tree = array_leaves(where, (dynamic, {}), ARGUMENT)
        self.likes = [_stand_in(v) for v in values]
        self.floats = [v.type.dtype.is_inexact for v in values]
        self.values: Sequence[Array] = values

    def every(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, with these leaves."""
        dynamic, _ = tree.unflatten(self.in_tree, leaves)
        return tuple(self.nondiff.get(n, a) for n, a in enumerate(dynamic))

    def differentiated(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments that rules differentiate with respect to, with these leaves."""
        dynamic, _ = tree.unflatten(self.in_tree, leaves)
        return tuple(a for n, a in enumerate(dynamic) if n not in self.nondiff)

    def outer_values(self, captured: Sequence[Value], *rules: Callable[..., Any]) -> list[Value]:
        """What the equation of this call takes beside the arguments: what the function closes over, and what the rules may ask
        for: traced values in their closures, arrays that are not differentiated, and the numbers of examples that named axes
        stand for.
        """
        numbers = [axis.number for axis in self.axes.values()]
        fixed = [x for x in tree.leaves(list(self.nondiff.values())) if isinstance(x, Array)]
        return each_once([*captured, *numbers, *fixed, *_in_closures(rules)])

    def _trace(
        self, f: Callable[..., Any], rule: Callable[..., Any], first: Sequence[Array], second: Sequence[Array],
        consts: Sequence[Value],
    ) -> Traced:  # fmt: skip
        """The Graph of a function of two lists of values like these, traced perhaps long after the call: the values that the call's
        function closes over are inputs, though their traces may have ended, and names of axes mean what they meant.
        """
        every = [*first, *second]
        types: list[ArrayType] = [v.type for v in every]
        in_tree = tree.structure(([0] * len(first), [0] * len(second)))
        with adopting(consts, self.where), axes.restored(self.axes), source_of(None):
            return trace(f, function_name(rule), types, [v.weak for v in every], in_tree)

    # -- custom_jvp

    def run_jvp(
        self, jvp: Callable[..., Any], leaves: Sequence[Value], moving: Sequence[Any], like: Outputs | None = None
    ) -> tuple[Outputs, list[Array]]:
        """The rule's outputs and tangents of the float ones, for the leaves of arguments and tangents of the float ones. `like`:
        what the function's outputs are, where it has been traced.
        """
        where = f"the rule of {self.where}"
        primals, tangents = self.differentiated(leaves), self.differentiated(with_float0(self.likes, moving))
        first, second = result_pair(where, "(output, output tangent)", jvp(*self.nondiff.values(), primals, tangents))
        outs = _outputs(where, first, like)
        return outs, _tangents_like(where, "output tangent", outs.leaves, outs.treedef, second)

    def trace_jvp(self, jvp: Callable[..., Any], like: Outputs, consts: Sequence[Value]) -> Programs:
        def run(leaves: Sequence[Array], moving: Sequence[Array]) -> Any:
            outs, tangents = self.run_jvp(jvp, leaves, moving, like)
            return outs.leaves, tangents

        floats = [v for v, f in zip(self.likes, self.floats, strict=True) if f]
        return _programs(consts, [self._trace(run, jvp, self.likes, floats, consts)])

    # -- custom_vjp

    def run_forward(
        self, fwd: Callable[..., Any], leaves: Sequence[Value], perturbed: Sequence[bool], like: Outputs | None = None
    ) -> tuple[Outputs, Residuals]:
        where = f"fwd of {self.where}"
        given = list(map(CustomVJPPrimal, leaves, perturbed)) if self.symbolic_zeros else leaves
        first, kept = result_pair(where, "(output, residuals)", fwd(*self.every(given)))
        return _outputs(where, first, like), Residuals(where, kept)

    def run_backward(self, bwd: Callable[..., Any], outs: Outputs, kept: Any, moving: Sequence[Value]) -> list[Array | None]:
        """The cotangents of the leaves for those of the float outputs; None for zero and for integers."""
        floats = [v for v in outs.leaves if v.type.dtype.is_inexact]
        cotangents = [with_weak(ct, v.weak) for ct, v in zip(moving, floats, strict=True)]
        cotangent = tree.unflatten(outs.treedef, with_float0(outs.leaves, cotangents))
        return self._cotangents(f"bwd of {self.where}", bwd(*self.nondiff.values(), kept, cotangent))

    def backward(self, bwd: Callable[..., Any], outs: Outputs, residuals: Residuals, active: Sequence[bool]) -> Backward:
        """The backward rule for a derivative that is being taken now, of those leaves that are active."""
        outs = Outputs(outs.likes, outs.treedef)
        residuals.arrays = []

        def run(known: Sequence[Value], moving: Sequence[Value]) -> list[Value | None]:
            with adopting((), self.where):
                found = self.run_backward(bwd, outs, residuals.of(known), moving)
            return [x for x, a in zip(found, active, strict=True) if a]

        return Backward(self.name, [v.type for v in outs.leaves if v.type.dtype.is_inexact], run)

    def trace_vjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any], like: Outputs, consts: Sequence[Value]) -> Programs:
        record: list[Residuals] = []

        def forward(leaves: Sequence[Array], _: Any) -> Any:
            outs, residuals = self.run_forward(fwd, leaves, self.floats, like)
            record.append(residuals)
            return outs.leaves, residuals.arrays

        traced_forward = self._trace(forward, fwd, self.likes, [], consts)
        (residuals,) = record
        moving: list[bool] = []

        def backward(kept: Sequence[Array], cotangents: Sequence[Array]) -> Any:
            found = self.run_backward(bwd, like, residuals.of(kept), cotangents)
            moving[:] = [x is not None for x in found]
            return [x for x in found if x is not None]

        floats = [v for v in like.likes if v.type.dtype.is_inexact]
        traced_backward = self._trace(backward, bwd, stand_ins(traced_forward)[len(like.leaves) :], floats, consts)
        residuals.arrays = []
        return _programs(consts, [traced_forward, traced_backward], moving)

    def _cotangents(self, where: str, result: Any) -> list[Array | None]:
        """One cotangent for each leaf of the arguments, None for zero and for integers."""
        arguments = self.differentiated(self.likes)
        numbers = [n for n in range(self.count) if n not in self.nondiff]
        if not isinstance(result, (tuple, list)) or len(result) != len(arguments):
            got = f"{len(result)} of them" if isinstance(result, (tuple, list)) else f"{type(result).__name__}: {result!r}"
            comma = " For one argument that is (cotangent,)." if len(arguments) == 1 else ""
            raise tree.TreeStructureError(
                f"{where} must return a tuple of {len(arguments)} cotangents, one for each differentiated argument, got "
                f"{got}.{comma}"
            )
        found: list[Array | None] = []
        for n, argument, given in zip(numbers, arguments, result, strict=True):
            likes, treedef = tree.flatten(argument)
            paths = [tree.path_text(path) for path, _ in tree.leaves_with_path(argument)]
            try:
                items = [None] * len(likes) if given is None else tree.flatten_up_to(treedef, given)
            except ValueError:
                tree.check_same_structure(where, argument, given, f"cotangent of argument {n}")
                raise
            for like, path, x in zip(likes, paths, items, strict=True):
                if x is None or not like.type.dtype.is_inexact:
                    found.append(None)
                    continue
                leaf = f"argument {n}{path}"
                found.append(check_tangent(where, leaf, like, as_value(x, f"{where}: the cotangent of {leaf}"), "cotangent"))
        return found


def _in_closures(functions: Iterable[Any]) -> list[Array]:
    """The traced values that functions close over, directly or in containers, partials and further functions."""
    found: list[Array] = []
    seen: set[int] = set()
    left = list(functions)
    while left:
        f = left.pop()
        if id(f) in seen:
            continue
        seen.add(id(f))
        items: list[Any] = [getattr(f, "__wrapped__", None)]
        if isinstance(f, functools.partial):
            items += [f.func, f.args, f.keywords]
        elif isinstance(f, FunctionType):
            items += [f.__defaults__, f.__kwdefaults__]
            for cell in f.__closure__ or ():
                with contextlib.suppress(ValueError):  # not filled yet
                    items.append(cell.cell_contents)
        leaves = tree.leaves(items)
        found += [x for x in leaves if isinstance(x, Array) and is_capturable(x)]
        left += [x for x in leaves if callable(x) and not isinstance(x, type)]
    return found


def result_pair(where: str, what: str, result: Any) -> tuple[Any, Any]:
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise ArgumentError(f"{where} must return a pair {what}, got {type(result).__name__}: {result!r}")
    return result[0], result[1]


def _outputs(where: str, given: Any, like: Outputs | None) -> Outputs:
    if like is not None:
        return Outputs(leaves_like(where, "output", like.likes, like.treedef, given), like.treedef)
    return Outputs(*array_leaves(where, given, "the output"))


def _programs(consts: Sequence[Value], traced: Sequence[Traced], moving: Sequence[bool] = ()) -> Programs:
    """The Graphs, whose first inputs stand for what only the rules close over, the next for consts."""
    known = set(map(outer_identity, consts))
    captured: list[Value] = [v for v in all_captured(*traced) if outer_identity(v) not in known]
    return Programs(tuple(t.with_consts([*captured, *consts]) for t in traced), captured, tuple(moving))


def filled_tangents(primals: Sequence[Value], tangents: Sequence[Value | None], symbolic_zeros: bool) -> list[Any]:
    """The tangents of the float ones, zeros for None."""

    def zero(p: Value) -> Any:
        return (
            SymbolicZero(ShapeDtypeStruct(p.type.shape, p.type.dtype.numpy)) if symbolic_zeros else with_weak(zeros(p.type), p.weak)
        )

    return [
        zero(p) if t is None else with_weak(t, p.weak) for p, t in zip(primals, tangents, strict=True) if p.type.dtype.is_inexact
    ]


__all__ = [
    "Call", "CustomVJPPrimal", "Outputs", "SymbolicZero", "filled_tangents", "leaves_like", "named_positions",
    "positional", "result_pair", "stand_ins", "with_float0",
]  # fmt: skip
