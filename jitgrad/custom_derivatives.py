"""custom_jvp and custom_vjp: functions whose derivatives their author states.

A call on plain numbers outside any trace just runs the function. A call whose arguments are being differentiated right there runs
the rule on what these are made of, as ordinary code. A call inside a traced body becomes one equation with the Graph of the
function, and the rule is traced when somebody differentiates that: custom_rules.py does both, and
jitgrad_compiler/passes/custom_derivatives.py differentiates and batches the equation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from jitgrad_compiler.ir.builder import Builder, Value, bind_all, state
from jitgrad_compiler.ops.custom import FORWARD_MODE, Rule, custom_linear
from jitgrad_compiler.ops.custom import custom_jvp as jvp_op
from jitgrad_compiler.ops.custom import custom_vjp as vjp_op
from jitgrad_compiler.ops.define import zeros
from jitgrad_compiler.passes.custom_derivatives import CLOSED_OVER, closed_over
from jitgrad_compiler.passes.jvp import DualTrace, recorded, withheld

from . import tree
from .array import Array, as_value
from .custom_rules import (
    Call,
    CustomVJPPrimal,
    Outputs,
    SymbolicZero,
    filled_tangents,
    named_positions,
    positional,
    stand_ins,
)
from .differentiation import stop_gradient
from .errors import ArgumentError, MissingRuleError, NonDifferentiableError, UnexpectedTracerError
from .tracebacks import boundary_methods
from .tracing import check_function, function_name, trace


def innermost_trace(items: Any) -> Any:
    """The trace that a call with these arguments belongs to; None where it is neither traced nor differentiated."""
    top: Any = state.staging
    for x in tree.leaves(items):
        if isinstance(x, Array) and x.owner is not None and (top is None or x.owner.level > top.level):
            top = x.owner
    return top


class _Custom:
    """What custom_jvp and custom_vjp share."""

    kind = ""
    definer = ""

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()
    ) -> None:
        check_function(self.kind, fun)
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        if not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise ArgumentError(f"{self.kind}: nondiff_argnums must be numbers of arguments from 0 on, got {nondiff_argnums!r}")
        functools.update_wrapper(self, fun)
        self.fun, self.name, self.symbolic_zeros = fun, function_name(fun), False
        self.nondiff_argnums = tuple(sorted({*numbers, *named_positions(self.kind, fun, nondiff_argnames)}))

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
        top = innermost_trace(args)
        if top is None or isinstance(top, Builder) and top is not state.staging:  # what is linear is done to tangents as it is
            out = self.fun(*args)
            if top is None and innermost_trace(out) is not None:
                raise closed_over(where)
            return out
        call = Call(where, self.name, self.fun, args, nondiff, self.symbolic_zeros)
        if isinstance(top, DualTrace):
            return self._differentiate(call, top)
        return self._record(call)

    def _record(self, call: Call) -> Any:
        """The call as one equation, whose rule is traced when it is needed."""
        types, weak = [v.type for v in call.likes], [v.weak for v in call.likes]
        traced = trace(lambda *leaves: self.fun(*call.every(leaves)), self.name, types, weak, tree.structure((0,) * len(types)))
        consts, like = call.outer_values(traced.captured, *self._rules()), Outputs(stand_ins(traced), traced.out_tree)
        values, call.values = call.values, ()
        outs = self._equation(call, like, consts)(*consts, *values, graph=traced.with_consts(consts), consts=len(consts))
        return like.shown(outs)

    def _check_levels(self, where: str, level: int, outs: Sequence[Value], tangents: Sequence[Value] = ()) -> None:
        """Raise where a rule's results belong to the differentiation that it is the rule for, or to one inside."""
        for v in outs:
            if isinstance(v.owner, Builder) and v.owner.linear and v.owner.level > level:
                raise NonDifferentiableError(f"{where}: the rule's output must not depend on the tangents")
        if any(isinstance(v.owner, DualTrace) and v.owner.level >= level for v in (*outs, *tangents)):
            raise closed_over(where)

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        raise NotImplementedError

    def _rules(self) -> tuple[Callable[..., Any], ...]:
        raise NotImplementedError

    def _differentiate(self, call: Call, trace: DualTrace) -> Any:
        """The call's outputs with tangents, by the rule."""
        raise NotImplementedError

    def _equation(self, call: Call, like: Outputs, consts: Sequence[Value]) -> Callable[..., Sequence[Value]]:
        """`bind_all` with the op, its name and its rule."""
        raise NotImplementedError


class custom_jvp(_Custom):
    """A function whose derivative is stated by a rule for forward mode, which serves reverse mode too.

    `f.defjvp(rule)`: rule(primals, tangents) -> (output, output tangent), both arguments tuples like f's arguments; it must be
    linear in the tangents. Tangents of integers are zeros of the type float0. `f.defjvps(*partials)` gives one function
    partial(tangent, output, *primals) an argument, or None, whose results are added.

    nondiff_argnums: arguments that are not differentiated, of any type; the rule gets them first: rule(*nondiff, primals,
    tangents). Keyword arguments are brought to their positions by f's signature.

    The rule is ordinary code, run when a derivative is taken: outside jit on numbers, so that Python's `if` works in it. In a
    program it is traced at the first derivative of that program, and f without it at the first call.

    Arrays that f or its rule close over are constants: a derivative of f with respect to one raises UnexpectedTracerError, while
    an outer derivative of a gradient taken inside goes through them. Calling f before a rule is defined raises MissingRuleError; a
    rule whose results differ from f's in structure, shape or type raises TreeStructureError. As jax.custom_jvp.

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

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.jvp: Callable[..., Any] | None = None

    @property
    def defined(self) -> bool:
        return self.jvp is not None

    def defjvp(self, jvp: Callable[..., Any], symbolic_zeros: bool = False) -> Callable[..., Any]:
        """Define the rule: jvp(primals, tangents) -> (output, output tangent). Returns it, so that this is a decorator.

        symbolic_zeros: tangents that are known to be zero come as objects of SymbolicZero, with shape and dtype, where the rule is
        run at once; in a program that is traced they are arrays of zeros.

        >>> f = custom_jvp(lambda x: x ** 2)
        >>> rule = f.defjvp(lambda primals, tangents: (f(*primals), 2 * primals[0] * tangents[0]))
        >>> print(f(3.0))
        9.0
        """
        self.jvp, self.symbolic_zeros = jvp, symbolic_zeros
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

        self.jvp, self.symbolic_zeros = rule, False

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        return tree.map(lambda x: stop_gradient(x) if isinstance(x, Array) and x.owner is not None else x, argument)

    def _rules(self) -> tuple[Callable[..., Any], ...]:
        assert self.jvp is not None
        return (self.jvp,)

    def _differentiate(self, call: Call, trace: DualTrace) -> Any:
        assert self.jvp is not None
        primals, tangents = zip(*map(trace.lower, call.values), strict=True)
        with withheld(trace, CLOSED_OVER.format(call.where)):
            outs, moved = call.run_jvp(self.jvp, primals, filled_tangents(primals, tangents, self.symbolic_zeros))
        self._check_levels(call.where, trace.level, outs.leaves, moved)
        moving = iter(moved)
        return outs.shown([trace.lift(o, next(moving)) if o.type.dtype.is_inexact else o for o in outs.leaves])

    def _equation(self, call: Call, like: Outputs, consts: Sequence[Value]) -> Callable[..., Sequence[Value]]:
        jvp = self.jvp
        assert jvp is not None
        return functools.partial(bind_all, jvp_op, rule=Rule(self.name, lambda: call.trace_jvp(jvp, like, consts)), name=self.name)


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
    fwd runs when a derivative is taken and bwd when a cotangent comes: outside jit on numbers, so that Python's `if` works in them.
    In a program they are traced at its first derivative. Arrays that the functions close over are constants: a derivative of f with
    respect to one raises UnexpectedTracerError, while an outer derivative of a gradient taken inside goes through them. Calling f
    before defvjp raises MissingRuleError; results of fwd and bwd that differ from f's results and arguments raise
    TreeStructureError. As jax.custom_vjp.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> @custom_vjp
    ... def clipped(x, limit):
    ...     return x
    >>> clipped.defvjp(lambda x, limit: (x, limit), lambda limit, g: (jnp.clip(g, -limit, limit), None))
    >>> print(jitgrad.grad(lambda x: 10 * clipped(x, 1.0))(3.0))
    1.0
    """

    kind, definer = "custom_vjp", "defvjp"

    def __init__(
        self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = (), nondiff_argnames: str | Sequence[str] = ()
    ) -> None:
        super().__init__(fun, nondiff_argnums, nondiff_argnames)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None

    @property
    def defined(self) -> bool:
        return self.fwd is not None

    def defvjp(
        self, fwd: Callable[..., Any], bwd: Callable[..., Any], symbolic_zeros: bool = False, optimize_remat: bool = False
    ) -> None:
        """Define fwd(*args) -> (output, residuals) and bwd(residuals, cotangent) -> cotangents of the arguments.

        symbolic_zeros: each leaf of fwd's arguments is a pair (value, perturbed), which says whether a derivative with respect to
        it is wanted; in a program that is traced that is said of all floats. optimize_remat is accepted for likeness with jax:
        what nobody reads of fwd is left out of programs anyway.

        >>> f = custom_vjp(lambda x: x ** 2)
        >>> f.defvjp(lambda x: (x ** 2, x), lambda x, g: (2 * x * g,))
        >>> print(f(3.0))
        9.0
        """
        if not callable(fwd) or not callable(bwd):
            raise ArgumentError(f"custom_vjp function {self.name}: defvjp needs two functions, got {fwd!r} and {bwd!r}")
        self.fwd, self.bwd, self.symbolic_zeros = fwd, bwd, symbolic_zeros

    def _fixed(self, where: str, number: int, argument: Any) -> Any:
        for path, x in tree.leaves_with_path(argument):
            if isinstance(x, Array) and x.owner is not None:
                raise UnexpectedTracerError(
                    f"{where}: argument {number}{tree.path_text(path)}, which nondiff_argnums names, is a traced value. "
                    "Pass arrays as ordinary arguments, for which bwd may return None; nondiff_argnums is for sizes and functions."
                )
        return argument

    def _rules(self) -> tuple[Callable[..., Any], ...]:
        assert self.fwd is not None and self.bwd is not None
        return self.fwd, self.bwd

    def _differentiate(self, call: Call, trace: DualTrace) -> Any:
        assert self.fwd is not None and self.bwd is not None
        primals, tangents = zip(*map(trace.lower, call.values), strict=True)
        if not recorded(tangents):
            raise NonDifferentiableError(FORWARD_MODE.format(name=self.name))
        with withheld(trace, CLOSED_OVER.format(call.where)):
            outs, residuals = call.run_forward(self.fwd, primals, [t is not None for t in tangents])
        kept = residuals.arrays
        self._check_levels(call.where, trace.level, [*outs.leaves, *kept])
        active = tuple(t is not None for t in tangents)
        backward = call.backward(self.bwd, outs, residuals, active)
        given = [t for t in tangents if t is not None]
        moved = iter(
            bind_all(custom_linear, *kept, *given, backward=backward, known=len(kept), active=active, name=self.name)
            if backward.types
            else ()
        )
        return outs.shown([trace.lift(o, next(moved)) if o.type.dtype.is_inexact else o for o in outs.leaves])

    def _equation(self, call: Call, like: Outputs, consts: Sequence[Value]) -> Callable[..., Sequence[Value]]:
        fwd, bwd = self.fwd, self.bwd
        assert fwd is not None and bwd is not None
        rule = Rule(self.name, lambda: call.trace_vjp(fwd, bwd, like, consts))
        return functools.partial(bind_all, vjp_op, rule=rule, moving=(), name=self.name)


for _class in (custom_jvp, custom_vjp):
    boundary_methods(_class, plain=("__init__", "__get__", "defined"))

__all__ = ["CustomVJPPrimal", "SymbolicZero", "custom_jvp", "custom_vjp"]
