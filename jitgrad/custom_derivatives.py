"""custom_jvp and custom_vjp: functions whose derivatives their author states.

A call on plain numbers outside any trace just runs the function. Any other call traces the function and its rules to Graphs,
which go into one equation; jitgrad_compiler/passes/custom_derivatives.py differentiates and batches it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from jitgrad_compiler.ir.builder import Value, bind_all, state, with_weak
from jitgrad_compiler.ir.graph import Graph, Var
from jitgrad_compiler.ir.types import INEXACT
from jitgrad_compiler.ops.custom import custom_jvp as jvp_op
from jitgrad_compiler.ops.custom import custom_vjp as vjp_op
from jitgrad_compiler.ops.define import zeros
from jitgrad_compiler.passes.custom_derivatives import closed_over

from . import tree
from .array import Array, as_value
from .differentiation import FLOAT0, check_tangent, stop_gradient
from .errors import ArgumentError, MissingRuleError, UnexpectedTracerError
from .tracebacks import boundary_methods
from .tracing import ARGUMENT, Traced, array_leaves, function_name, orders, trace, traced_orders

ORDERS = 4
"""Derivatives up to this order are traced of functions inside jit, vmap and loops, which may be differentiated later."""


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
    if bound.kwargs:
        raise ArgumentError(
            f"{where}: the keyword arguments {', '.join(bound.kwargs)} have no position. Rules get arguments by position, so the "
            "function must not have keyword-only parameters; wrap it in one that has none."
        )
    return bound.args


def identity(v: Value) -> int:
    """What tells one outer value from another: the array of a concrete one."""
    return id(v.ref) if v.trace is None else id(v)


def all_captured(*traced: Traced) -> list[Value]:
    """The outer values of several traced functions, each once."""
    return list({identity(v): v for t in traced for v in t.captured}.values())


def with_consts(traced: Traced, consts: Sequence[Value]) -> Graph:
    """The traced Graph with all of these outer values as its first inputs."""
    own = len(traced.graph.inputs) - len(traced.captured)
    variables = dict(zip(map(identity, traced.captured), traced.graph.inputs[own:], strict=True))
    hidden = [variables.get(identity(v)) or Var(v.type) for v in consts]
    return Graph([*hidden, *traced.graph.inputs[:own]], traced.graph.eqns, traced.graph.outputs)


def is_plain(items: Any) -> bool:
    """Whether a call with these arguments is neither traced nor differentiated, so far as they show."""
    return state.staging is None and all(not isinstance(x, Array) or x.trace is None for x in tree.leaves(items))


def _orders_wanted() -> int:
    """Up to which order derivatives of a call may be asked for: of those being taken now, in the innermost rule alone where one is
    being traced, and of those that may be taken later.
    """
    now = state.derivatives - orders.derivatives
    if orders.left is not None:
        return now + orders.left
    return now if state.staging is None else now + ORDERS


def _stand_in(value: Value) -> Array:
    """An Array of a type and weakness alone."""
    return Array(value.type, None, None, value.weak)


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
        if like.type.dtype in INEXACT:
            at = tree.path_text(path)
            found.append(check_tangent(where, at or "the output", like, as_value(x, f"{where}: the {what}{at}"), what))
    return found


def _with_float0(likes: Sequence[Array], moving: Iterable[Any]) -> list[Any]:
    """Tangents of floats, and zeros of the type float0 for integers."""
    items = iter(moving)
    return [next(items) if v.type.dtype in INEXACT else np.zeros(v.type.shape, FLOAT0) for v in likes]


class _Call:
    """One call: the arguments by position, which of them are not differentiated, and the leaves of the others."""

    def __init__(self, where: str, f: Callable[..., Any], args: tuple[Any, ...], nondiff: dict[int, Any]) -> None:
        self.where, self.f, self.args, self.nondiff = where, f, args, nondiff
        dynamic = tuple(None if n in nondiff else a for n, a in enumerate(args))
        values, self.in_tree = array_leaves(where, (dynamic, {}), ARGUMENT)
        self.values = list(values)
        self.types, self.weak = [v.type for v in values], [v.weak for v in values]
        self.floats = [v for v in values if v.type.dtype in INEXACT]

    def every(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, with these leaves."""
        dynamic, _ = tree.unflatten(self.in_tree, leaves)
        return tuple(self.nondiff.get(n, a) for n, a in enumerate(dynamic))

    def differentiated(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments that rules differentiate with respect to, with these leaves."""
        dynamic, _ = tree.unflatten(self.in_tree, leaves)
        return tuple(a for n, a in enumerate(dynamic) if n not in self.nondiff)

    def trace(self, f: Callable[..., Any], name: str, extra: Sequence[Value], left: int) -> Traced:
        """The Graph of a function of a list of the leaves and of extra values of these types."""
        every = [*self.values, *extra]
        in_tree = tree.structure(([0] * len(self.values), [0] * len(extra)))
        with traced_orders(left):
            return trace(f, name, [v.type for v in every], [v.weak for v in every], in_tree)


class _Custom:
    """What custom_jvp and custom_vjp share."""

    kind = ""
    definer = ""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        if not callable(fun):
            raise ArgumentError(f"{self.kind} needs a function, got {type(fun).__name__}")
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        if not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise ArgumentError(f"{self.kind}: nondiff_argnums must be numbers of arguments from 0 on, got {nondiff_argnums!r}")
        functools.update_wrapper(self, fun)
        self.fun, self.nondiff_argnums = fun, numbers
        self.name = function_name(fun)

    @property
    def defined(self) -> bool:
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<{self.kind} function {self.name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        where = f"{self.kind} function {self.name}"
        if not self.defined:
            raise MissingRuleError(f"{where}: no derivative is defined; call {self.name}.{self.definer} before the function")
        args = positional(where, self.fun, args, kwargs)
        for n in self.nondiff_argnums:
            if n >= len(args):
                raise ArgumentError(f"{where}: nondiff_argnums names argument {n}, but there are {len(args)}")
        nondiff = {n: self._fixed(where, n, args[n]) for n in self.nondiff_argnums}
        args = tuple(nondiff.get(n, a) for n, a in enumerate(args))
        if is_plain(args):
            out = self.fun(*args)
            if not is_plain(out):
                raise closed_over(where)
            return out
        call = _Call(where, self.fun, args, nondiff)
        traced = call.trace(lambda leaves, _: self.fun(*call.every(leaves)), self.name, (), 0)
        outs = self._bind(call, traced, _orders_wanted())
        return tree.unflatten(traced.out_tree, [with_weak(o, w) for o, w in zip(outs, traced.out_weak, strict=True)])

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        raise NotImplementedError

    def _bind(self, call: _Call, traced: Traced, wanted: int) -> Sequence[Value]:
        raise NotImplementedError


def stand_ins(traced: Traced) -> list[Array]:
    """Stand-ins for a traced function's outputs."""
    return [Array(t, None, None, w) for t, w in zip(traced.graph.output_types, traced.out_weak, strict=True)]


class custom_jvp(_Custom):
    """A function whose derivative is stated by a rule for forward mode, which serves reverse mode too.

    `f.defjvp(rule)`: rule(primals, tangents) -> (output, output tangent), both arguments tuples like f's arguments; it must be
    linear in the tangents. Tangents of integers are zeros of the type float0. `f.defjvps(*partials)` gives one function
    partial(tangent, output, *primals) an argument, or None, whose results are added.

    nondiff_argnums: arguments that are not differentiated, of any type; the rule gets them first: rule(*nondiff, primals,
    tangents). Keyword arguments are brought to their positions by f's signature.

    Arrays that f or its rule close over are constants: a derivative with respect to one raises UnexpectedTracerError. Calling f
    before a rule is defined raises MissingRuleError; a rule whose results differ from f's in structure, shape or type raises
    TreeStructureError. In a traced or differentiated call f and its rule are traced, so their arguments have no concrete values
    there. As jax.custom_jvp.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> @custom_jvp
    ... def log1pexp(x):
    ...     return jnp.log(1 + jnp.exp(x))
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), (1 - 1 / (1 + jnp.exp(x))) * t
    >>> print(jitgrad.grad(log1pexp)(100.0))
    1.0
    """

    kind, definer = "custom_jvp", "defjvp"

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self.jvp: Callable[..., Any] | None = None

    @property
    def defined(self) -> bool:
        return self.jvp is not None

    def defjvp(self, jvp: Callable[..., Any]) -> Callable[..., Any]:
        """Define the rule: jvp(primals, tangents) -> (output, output tangent). Returns it, so that this is a decorator.

        >>> f = custom_jvp(lambda x: x ** 2)
        >>> rule = f.defjvp(lambda primals, tangents: (f(*primals), 2 * primals[0] * tangents[0]))
        >>> print(f(3.0))
        9.0
        """
        self.jvp = jvp
        return jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Define the rule by one function an argument: partial(tangent, output, *primals) -> its share of the output tangent.

        None stands for an argument that does not move the output. Raises ArgumentError with nondiff_argnums.

        >>> import jitgrad
        >>> f = custom_jvp(lambda x, y: x * y)
        >>> f.defjvps(lambda t, out, x, y: t * y, None)
        >>> print(*jitgrad.grad(f, argnums=(0, 1))(2.0, 3.0))
        3.0 0.0
        """
        if self.nondiff_argnums:
            raise ArgumentError(f"custom_jvp function {self.name}: defjvps does not go with nondiff_argnums; use defjvp")

        def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
            if len(jvps) != len(primals):
                raise ArgumentError(
                    f"custom_jvp function {self.name}: defjvps got {len(jvps)} functions, but there are {len(primals)} arguments"
                )
            out = self(*primals)
            shares = [f(t, out, *primals) for f, t in zip(jvps, tangents, strict=True) if f is not None]
            if not shares:
                return out, tree.map(lambda o: zeros(as_value(o).type), out)
            return out, tree.map(lambda first, *rest: sum(rest, start=first), *shares)

        self.jvp = rule

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        return tree.map(lambda x: stop_gradient(x) if isinstance(x, Array) and x.trace is not None else x, argument)

    def _bind(self, call: _Call, traced: Traced, wanted: int) -> Sequence[Value]:
        where, likes = f"the rule of custom_jvp function {self.name}", stand_ins(traced)

        def run(leaves: Sequence[Array], moving: Sequence[Array]) -> Any:
            primals, tangents = call.differentiated(leaves), call.differentiated(_with_float0(call.values, moving))
            assert self.jvp is not None
            result = self.jvp(*call.nondiff.values(), primals, tangents)
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise ArgumentError(f"{where} must return a pair (output, output tangent), got {type(result).__name__}: {result!r}")
            outs = leaves_like(where, "output", likes, traced.out_tree, result[0])
            return outs, _tangents_like(where, "output tangent", likes, traced.out_tree, result[1])

        rules = [call.trace(run, function_name(self.jvp), call.floats, wanted - 1)] if wanted and self.jvp else []
        consts = all_captured(traced, *rules)
        graph, *made = [with_consts(t, consts) for t in (traced, *rules)]
        rule = made[0] if made else None
        return bind_all(jvp_op, *consts, *call.values, graph=graph, rule=rule, consts=len(consts), name=self.name)


class custom_vjp(_Custom):
    """A function whose derivative is stated by two functions for reverse mode.

    `f.defvjp(fwd, bwd)`: fwd(*args) -> (output, residuals), where residuals may be any pytree of arrays; bwd(residuals,
    cotangent) -> a tuple of cotangents, one for each argument, like it in structure, shapes and types; None, for an argument or
    for a part of one, is zero. What stands for integers is not looked at. Cotangents of integer outputs are zeros of the type
    float0.

    nondiff_argnums: arguments that are not differentiated, of any type. fwd gets all arguments in their places, bwd gets these
    first: bwd(*nondiff, residuals, cotangent). They must not be traced values: UnexpectedTracerError. Keyword arguments are
    brought to their positions by f's signature.

    Forward mode (jvp, jacfwd) raises NonDifferentiableError; fwd and bwd themselves are differentiated for higher derivatives.
    Arrays that the functions close over are constants: a derivative with respect to one raises UnexpectedTracerError. Calling f
    before defvjp raises MissingRuleError; results of fwd and bwd that differ from f's results and arguments raise
    TreeStructureError. In a traced or differentiated call f, fwd and bwd are traced, so their arguments have no concrete values
    there. As jax.custom_vjp.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> @custom_vjp
    ... def clipped(x, limit):
    ...     return x
    >>> clipped.defvjp(lambda x, limit: (x, limit), lambda limit, g: (jnp.clip(g, -limit, limit), None))
    >>> print(jitgrad.grad(lambda x: 10 * clipped(x, 1.0))(3.0))
    1.0
    """

    kind, definer = "custom_vjp", "defvjp"

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(fun, nondiff_argnums)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    @property
    def defined(self) -> bool:
        return self.fwd is not None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Define fwd(*args) -> (output, residuals) and bwd(residuals, cotangent) -> cotangents of the arguments.

        >>> f = custom_vjp(lambda x: x ** 2)
        >>> f.defvjp(lambda x: (x ** 2, x), lambda x, g: (2 * x * g,))
        >>> print(f(3.0))
        9.0
        """
        if not callable(fwd) or not callable(bwd):
            raise ArgumentError(f"custom_vjp function {self.name}: defvjp needs two functions, got {fwd!r} and {bwd!r}")
        self.fwd, self.bwd = fwd, bwd

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        for path, x in tree.leaves_with_path(argument):
            if isinstance(x, Array) and x.trace is not None:
                raise UnexpectedTracerError(
                    f"{where}: argument {number}{tree.path_text(path)}, which nondiff_argnums names, is a traced value. "
                    "Pass arrays as ordinary arguments, for which bwd may return None; nondiff_argnums is for sizes and functions."
                )
        return argument

    def _bind(self, call: _Call, traced: Traced, wanted: int) -> Sequence[Value]:
        rules: list[Traced] = []
        moving = [False] * len(call.values)
        if wanted:
            forward, residuals = self._forward(call, traced, wanted - 1)
            backward, moving = self._backward(call, traced, forward, residuals, wanted - 1)
            rules = [forward, backward]
        consts = all_captured(traced, *rules)
        graph, *made = [with_consts(t, consts) for t in (traced, *rules)]
        return bind_all(
            vjp_op, *consts, *call.values, graph=graph, forward=made[0] if made else None, backward=made[1] if made else None,
            consts=len(consts), moving=(*[False] * len(consts), *moving), name=self.name,
        )  # fmt: skip

    def _forward(self, call: _Call, traced: Traced, left: int) -> tuple[Traced, Any]:
        where, likes = f"fwd of custom_vjp function {self.name}", stand_ins(traced)
        record: list[Any] = []

        def run(leaves: Sequence[Array], _: Any) -> Any:
            assert self.fwd is not None
            result = self.fwd(*call.every(leaves))
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise ArgumentError(f"{where} must return a pair (output, residuals), got {type(result).__name__}: {result!r}")
            outs = leaves_like(where, "output", likes, traced.out_tree, result[0])
            residuals, treedef = array_leaves(where, result[1], "the residuals")
            record.append(treedef)
            return outs, residuals

        return call.trace(run, function_name(self.fwd or run), (), left), record[0] if record else None

    def _backward(self, call: _Call, traced: Traced, forward: Traced, treedef: Any, left: int) -> tuple[Traced, list[bool]]:
        where, likes = f"bwd of custom_vjp function {self.name}", stand_ins(traced)
        residuals = stand_ins(forward)[len(likes) :]
        floats = [v for v in likes if v.type.dtype in INEXACT]
        moving: list[bool] = []

        def run(kept: Sequence[Array], cotangents: Sequence[Array]) -> Any:
            assert self.bwd is not None
            cotangent = tree.unflatten(traced.out_tree, _with_float0(likes, cotangents))
            result = self.bwd(*call.nondiff.values(), tree.unflatten(treedef, kept), cotangent)
            found = self._cotangents(where, call, result)
            moving[:] = [x is not None for x in found]
            return [x for x in found if x is not None]

        with traced_orders(left):
            every = [*residuals, *floats]
            in_tree = tree.structure(([0] * len(residuals), [0] * len(floats)))
            name = function_name(self.bwd or run)
            made = trace(run, name, [v.type for v in every], [v.weak for v in every], in_tree)
        return made, moving

    def _cotangents(self, where: str, call: _Call, result: Any) -> list[Array | None]:
        """One cotangent for each leaf of the arguments, None for zero and for integers."""
        arguments = call.differentiated([_stand_in(v) for v in call.values])
        numbers = [n for n in range(len(call.args)) if n not in call.nondiff]
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
                items = [None] * len(likes) if given is None else treedef.flatten_up_to(given)
            except ValueError:
                tree.check_same_structure(where, argument, given, f"cotangent of argument {n}")
                raise
            for like, path, x in zip(likes, paths, items, strict=True):
                if x is None or like.type.dtype not in INEXACT:
                    found.append(None)
                    continue
                leaf = f"argument {n}{path}"
                found.append(check_tangent(where, leaf, like, as_value(x, f"{where}: the cotangent of {leaf}"), "cotangent"))
        return found


for _class in (custom_jvp, custom_vjp):
    boundary_methods(_class, plain=("__init__", "__get__", "defined"))

__all__ = ["all_captured", "custom_jvp", "custom_vjp", "leaves_like", "stand_ins", "with_consts"]
