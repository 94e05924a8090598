"""Solutions of equations as functions of what the equations are made of: custom_linear_solve and custom_root.

The solver is any program; its derivative is found from the equation that its result fulfils (implicit function theorem), and
never by differentiating the solver's own steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.custom_derivatives import custom_jvp
from jitgrad.custom_rules import leaves_like
from jitgrad.differentiation import linearize
from jitgrad.errors import ArgumentError
from jitgrad.tracing import Traced, all_captured, array_leaves, function_name, trace
from jitgrad_compiler.ir.builder import Value, bind_all, with_weak
from jitgrad_compiler.ir.graph import Graph
from jitgrad_compiler.ir.interpreter import evaluate
from jitgrad_compiler.ops.define import zeros
from jitgrad_compiler.ops.linear_solve import linear_solve
from jitgrad_compiler.passes.custom_rules import supplied
from jitgrad_compiler.passes.jvp import jvp
from jitgrad_compiler.passes.linear_transpose import linear_transpose_graph

from .bodies import check_callable, check_parameters


class _Space:
    """A pytree of arrays as a vector: its structure, and stand-ins for its leaves."""

    def __init__(self, where: str, what: str, x: Any) -> None:
        self.where = where
        self.leaves, self.treedef = array_leaves(where, x, what)
        self.likes = [Array(v.type, None, None, v.weak) for v in self.leaves]

    def checked(self, name: str, f: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose result must be like this pytree."""

        def run(*args: Any) -> Any:
            return tree.unflatten(self.treedef, self.take(f"{name}'s result", f(*args)))

        run.__name__ = function_name(f)
        return run

    def take(self, what: str, x: Any) -> list[Array]:
        return leaves_like(self.where, what, self.likes, self.treedef, x)

    def trace(self, name: str, f: Callable[..., Any], has_aux: bool = False, arity: int = 1) -> Traced:
        """The Graph of a function of such pytrees, whose result is one, too, and with has_aux a pair of one and anything."""

        def run(*args: Any) -> Any:
            out, aux = f(*args), ()
            if has_aux:
                if not isinstance(out, (tuple, list)) or len(out) != 2:
                    raise ArgumentError(
                        f"{self.where}: with has_aux=True {name} must return a pair (x, aux), got {type(out).__name__}: {out!r}"
                    )
                out, aux = out
            return tree.unflatten(self.treedef, self.take(f"{name}'s result", out)), aux

        in_tree = tree.structure((tree.unflatten(self.treedef, [0] * len(self.likes)),) * arity)
        every = self.likes * arity
        return trace(run, function_name(f), [v.type for v in every], [v.weak for v in every], in_tree)

    def shown(self, traced: Traced, outs: Sequence[Value], has_aux: bool) -> Any:
        weak = [v.weak for v in self.likes] + list(traced.out_weak[len(self.likes) :])
        x, aux = tree.unflatten(traced.out_tree, [with_weak(o, w) for o, w in zip(outs, weak, strict=True)])
        return (x, aux) if has_aux else x


def _check_functions(where: str, called: Sequence[tuple[str, Any, tuple[str, ...]]]) -> None:
    """Raise for what is no function, or cannot be called with arguments of these names."""
    for name, f, given in called:
        check_callable(where, name, f)
        check_parameters(where, name, f, *given)


def custom_linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    transpose_solve: Callable[[Callable[[Any], Any], Any], Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """x with matvec(x) = b, by a solver of yours, whose derivative is one more solution.

    matvec: a linear function from a pytree like b to one like b; what it closes over may be differentiated. solve(matvec, b) -> x;
    its steps are not differentiated. transpose_solve(vecmat, b) -> x solves the transposed system, which reverse mode needs; vecmat
    is matvec's transpose. symmetric: matvec is its own transpose, and solve serves both. has_aux: solve and transpose_solve return
    pairs (x, aux), and so does this function; aux is a constant to derivatives.

    Raises TreeStructureError where matvec or a solver returns what is not like b, NonDifferentiableError in reverse mode without
    transpose_solve, and where matvec is not linear. As jax.lax.custom_linear_solve.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> def divide(a, b):
    ...     return custom_linear_solve(lambda x: a * x, b, lambda matvec, b: b / a, symmetric=True)
    >>> print(divide(2.0, 6.0), *jitgrad.grad(divide, argnums=(0, 1))(2.0, 6.0))
    3.0 -1.5 0.5
    """
    called: list[tuple[str, Any, tuple[str, ...]]] = [("matvec", matvec, ("x",)), ("solve", solve, ("matvec", "b"))]
    if transpose_solve is not None:
        called.append(("transpose_solve", transpose_solve, ("vecmat", "b")))
    _check_functions("lax.custom_linear_solve", called)
    where = f"custom_linear_solve of {function_name(matvec)}"
    space = _Space(where, "b", b)
    operator = space.checked("matvec", matvec)
    traced_matvec = space.trace("matvec", operator)
    traced_solve = space.trace("solve", lambda rhs: solve(operator, rhs), has_aux)
    parts = [traced_matvec, traced_solve]
    if symmetric:
        parts += [traced_matvec, traced_solve]
        if transpose_solve is not None:
            parts[3] = space.trace("transpose_solve", lambda rhs: transpose_solve(operator, rhs), has_aux)
    elif transpose_solve is not None:
        turned = _transposed(space, traced_matvec)

        def vecmat(x: Any) -> Any:
            leaves = space.take("vecmat's argument", x)
            return tree.unflatten(space.treedef, evaluate(turned.graph, [*leaves, *turned.captured]))

        parts += [turned, space.trace("transpose_solve", lambda rhs: transpose_solve(vecmat, rhs), has_aux)]
    consts = all_captured(*parts)
    graphs: list[Graph | None] = [t.with_consts(consts) for t in parts]
    graphs += [None] * (4 - len(graphs))
    outs = bind_all(
        linear_solve, *consts, *space.leaves, matvec=graphs[0], graph=graphs[1], vecmat=graphs[2], transposed=graphs[3],
        consts=len(consts), name=where,
    )  # fmt: skip
    return space.shown(traced_solve, outs, has_aux)


def _transposed(space: _Space, matvec: Traced) -> Traced:
    """The transpose of a traced operator, with the same outer values behind its inputs, and those of rules behind them."""
    size = len(space.likes)
    operator, closed_over = supplied(matvec.graph, [True] * size + [False] * len(matvec.captured))
    captured = [*matvec.captured, *closed_over]
    hidden = len(captured)
    graph = linear_transpose_graph(operator, [True] * size + [False] * hidden, f"{space.where}: matvec")
    turned = Graph([*graph.inputs[hidden:], *graph.inputs[:hidden]], graph.eqns, graph.outputs)
    return Traced(turned, captured, matvec.out_tree, matvec.out_weak)


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[[Callable[[Any], Any], Any], Any],
    tangent_solve: Callable[[Callable[[Any], Any], Any], Any],
    has_aux: bool = False,
) -> Any:
    """x with f(x) = 0, by a solver of yours, whose derivative follows from the equation.

    f: from a pytree like initial_guess to one like it; what it closes over may be differentiated. solve(f, initial_guess) -> x;
    its steps are not differentiated, nor is the guess. tangent_solve(g, y) -> x solves the linear system g(x) = y, where g is f's
    derivative at the root; for a scalar that is `lambda g, y: y / g(1.0)`. It must be differentiable itself, in reverse mode too
    where that is wanted: custom_linear_solve is. has_aux: solve returns a pair (x, aux), and so does this function; aux is a
    constant to derivatives.

    By the implicit function theorem f(x(m), m) = 0 gives dx = -(df/dx)^-1 df/dm dm. Raises TreeStructureError where f, solve or
    tangent_solve return what is not like the guess. As jax.lax.custom_root.

    >>> import jitgrad
    >>> def newton(f, x):
    ...     for _ in range(20):
    ...         value, slope = jitgrad.jvp(f, (x,), (1.0,))
    ...         x = x - value / slope
    ...     return x
    >>> def root(a):
    ...     return custom_root(lambda x: x * x - a, 1.0, newton, lambda g, y: y / g(1.0))
    >>> print(root(4.0), jitgrad.grad(root)(4.0))
    2.0 0.25
    """
    called = [("f", f, ("x",)), ("solve", solve, ("f", "x")), ("tangent_solve", tangent_solve, ("g", "y"))]
    _check_functions("lax.custom_root", called)
    where = f"custom_root of {function_name(f)}"
    space = _Space(where, "initial_guess", initial_guess)
    function = space.checked("f", f)

    def step(x: Any, y: Any) -> Any:
        return tangent_solve(linearize(function, x)[1], y)

    step.__name__ = function_name(tangent_solve)
    traced_solve = space.trace("solve", lambda x: solve(function, x), has_aux)
    parts = [space.trace("f", function), traced_solve, space.trace("tangent_solve", step, arity=2)]
    consts = all_captured(*parts)
    equation, solver, tangents_solver = (t.with_consts(consts) for t in parts)
    n, size = len(consts), len(space.likes)

    def root(*operands: Any) -> Any:
        return tuple(evaluate(solver, [as_value(x) for x in operands]))

    root.__name__ = where
    solved = custom_jvp(root)

    def rule(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        outs = solved(*primals)
        values, solution = list(primals[:n]), list(outs[:size])
        moves = [t if v.type.dtype.is_inexact else None for v, t in zip(values, tangents, strict=False)]
        _, moved = jvp(lambda inner: evaluate(equation, [*inner, *solution]), values, moves)
        rhs = [zeros(x.type) if m is None else m for m, x in zip(moved, solution, strict=True)]
        found = evaluate(tangents_solver, [*values, *solution, *rhs])
        return outs, (*[-t for t in found], *[zeros(o.type) for o in outs[size:]])

    solved.defjvp(rule)
    return space.shown(traced_solve, solved(*consts, *space.leaves), has_aux)


__all__ = ["custom_linear_solve", "custom_root"]
