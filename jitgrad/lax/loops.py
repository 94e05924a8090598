"""jax.lax's loops: scan, while_loop, fori_loop, map. Each is one equation, whose body is a Graph; compiled it is a native loop.

carries.py traces bodies and settles the types of carries; the equations are defined in jitgrad_compiler/ops/control.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from jitgrad import array_ops as ops
from jitgrad import tree
from jitgrad.array import Array, as_value
from jitgrad.config import config
from jitgrad.debug import callback
from jitgrad.errors import ArgumentError, CarryTypeError, ConcretizationTypeError, NotAScalarError, ShapeError
from jitgrad.numpy.updates import Loops
from jitgrad.operands import promote_all, strong
from jitgrad.promotion import default_float, promote, strong_dtype
from jitgrad.tracing import Traced, all_captured, array_leaves, function_name, trace
from jitgrad.vectorization import vmap
from jitgrad_compiler.ir.builder import with_weak
from jitgrad_compiler.ir.types import BOOL, ArrayType

from .bodies import Types, check_callable, check_integer, check_parameters, described, result_types, type_text
from .carries import Body, check_structure, check_types, handed_on, trace_body
from .progress import FIRST, counted

Carry = TypeVar("Carry")


def scan(
    f: Callable[[Carry, Any], tuple[Carry, Any]],
    init: Carry,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
    progress: str | None = None,
) -> tuple[Carry, Any]:
    """A function done for each slice of xs along axis 0, one after another: `f(carry, x) -> (carry, y)`.

    Returns the last carry and the ys, stacked along a new axis 0. init, xs and ys are pytrees of arrays; xs may be None where
    `length` says how many steps there are. reverse: from the last slice to the first; ys keep the order of xs. unroll: how many
    steps the compiled loop does at a time (0 is 1), True for all of them. progress: the label of a tqdm bar, shown while it runs.
    It is differentiable in both modes; reverse mode keeps what the derivative of each step needs.

    A carry keeps its structure, shapes and types, else CarryTypeError; a Python number in init takes the type that f gives it.
    Raises ShapeError for xs whose lengths differ, ArgumentError where neither xs nor length says how many steps there are.

    >>> import jitgrad.numpy as jnp
    >>> total, sums = scan(lambda c, x: (c + x, c + x), 0.0, jnp.array([1.0, 2.0, 3.0]))
    >>> print(total, sums)
    6.0 [1. 3. 6.]
    """
    where = "lax.scan"
    check_callable(where, "f", f)
    check_parameters(where, "f", f, "carry", "x")
    slices, xs_tree = array_leaves(where, xs, "xs")
    steps = _steps(where, slices, xs, length)
    together = _unrolled(where, unroll, steps)
    if progress is not None:
        with_count, bar = counted(f, progress, steps)
        (number, last), ys = scan(with_count, (FIRST, init), xs, length, reverse, unroll)
        callback(bar.close, number)
        return last, ys
    if config.disable_jit and steps:
        return _scan_in_python(where, f, init, slices, xs_tree, steps, reverse)

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        return _pair(where, f, f(carry, x))

    return _scan(where, f, step, init, slices, xs_tree, steps, bool(reverse), together)


def _scan(
    where: str, f: Callable[..., Any], step: Callable[..., Any], init: Any, slices: Sequence[Array], xs_tree: tree.PyTreeDef,
    steps: int, reverse: bool, unroll: int, counted: bool = False,
) -> Any:  # fmt: skip
    """The equation of `step`, which is the user's `f` or calls it."""
    types = [ArrayType(v.type.shape[1:], v.type.dtype) for v in slices]
    body = trace_body(where, f, step, init, types, xs_tree, counted)
    consts = all_captured(body.traced)
    graph = body.traced.with_consts(consts)
    found = ops.op_all(
        "scan", *consts, *body.start, *slices, body=graph, consts=len(consts), carry=len(body.start), length=steps,
        reverse=reverse, unroll=unroll,
    )  # fmt: skip
    assert body.out_tree is not None
    last, ys = handed_on(graph, consts, body.start, found), found[len(body.start) :]
    return tree.unflatten(body.carry_tree, last), tree.unflatten(body.out_tree, ys)


def _steps(where: str, slices: Sequence[Array], xs: Any, length: Any) -> int:
    """How many steps a scan over these has."""
    names = [f"xs{tree.path_text(path)}" for path, _ in tree.leaves_with_path(xs)]
    for name, v in zip(names, slices, strict=True):
        if not v.type.shape:
            raise ShapeError(
                f"{where}: {name} must have an axis to go along, got the scalar {type_text(v.type, v.weak)}. Close over what is "
                "one for all steps, or give it in the carry."
            )
    sizes = {name: v.type.shape[0] for name, v in zip(names, slices, strict=True)}
    if length is not None:
        try:
            given = int(length.__index__()) if not isinstance(length, (float, np.floating)) or length % 1 else int(length)
        except (AttributeError, TypeError):
            given = -1
        if given < 0:
            raise ArgumentError(f"{where}: length must be an integer of at least 0, got {length!r}")
        sizes = {"length": given, **sizes}
    if not sizes:
        raise ArgumentError(
            f"{where}: there are neither xs nor a length, so nothing says how many steps there are. Give one of them."
        )
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {'is' if name == 'length' else 'has'} {n}" for name, n in sizes.items())
        fix = "Leave length out." if length is not None else "Cut them to one length."
        raise ShapeError(f"{where}: the lengths of xs along axis 0 and `length` must be equal, but {listed}. {fix}")
    return next(iter(sizes.values()))


def _unrolled(where: str, unroll: Any, steps: int) -> int:
    if isinstance(unroll, bool):
        return max(steps, 1) if unroll else 1
    if not isinstance(unroll, (int, np.integer)) or unroll < 0:
        raise ArgumentError(f"{where}: unroll must be a bool or an integer of at least 0, got {unroll!r}")
    return min(max(int(unroll), 1), max(steps, 1))


def _pair(where: str, f: Callable[..., Any], out: Any) -> tuple[Any, Any]:
    if not isinstance(out, (tuple, list)) or len(out) != 2:
        got = f"{len(out)} values" if isinstance(out, (tuple, list)) else type(out).__name__
        raise CarryTypeError(f"{where}: {described(f)} must return a pair (carry, y), got {got}. Return (carry, None) for no y.")
    return out[0], out[1]


def _scan_in_python(
    where: str, f: Callable[..., Any], init: Any, slices: Sequence[Array], xs_tree: tree.PyTreeDef, steps: int, reverse: bool
) -> Any:
    """The loop as Python's own, for debugging."""
    values, carry_tree = array_leaves(where, init, "the initial carry")
    rows: list[list[Array]] = [[]] * steps
    ys_tree: Any = None
    for i in reversed(range(steps)) if reverse else range(steps):
        x = tree.unflatten(xs_tree, [ops.reshape(ops.slice_axis(v, 0, i, i + 1), v.type.shape[1:]) for v in slices])
        carry, y = _pair(where, f, f(tree.unflatten(carry_tree, values), x))
        values = _next_carry(where, f, carry_tree, values, carry)
        rows[i], ys_tree = array_leaves(function_name(f), y, "its y")
    ys = [_stacked(column) for column in zip(*rows, strict=True)]
    return tree.unflatten(carry_tree, [strong(v) for v in values]), tree.unflatten(ys_tree, ys)


def _stacked(column: Sequence[Array]) -> Array:
    """The ys of all steps as one array. Those of the first steps may be weak still."""
    dtype = strong_dtype(*promote_all(tuple((y.type.dtype, y.weak) for y in column), default_float()))
    return ops.concatenate([ops.reshape(ops.convert(y, dtype), (1, *y.type.shape)) for y in column], 0)


def _next_carry(where: str, f: Callable[..., Any], carry_tree: tree.PyTreeDef, before: Sequence[Array], carry: Any) -> list[Array]:
    """The leaves of what a step of a loop in Python returned, checked."""
    after, new_tree = array_leaves(function_name(f), carry, "the carry")
    check_structure(where, f, carry_tree, new_tree)
    check_types(where, f, carry_tree, [(v.type, v.weak) for v in before], [(v.type, v.weak) for v in after])
    return [v if b.weak else ops.convert(v, b.type.dtype) for v, b in zip(after, before, strict=True)]


def while_loop(
    cond_fun: Callable[[Carry], Any], body_fun: Callable[[Carry], Carry], init_val: Carry, *, checkpoint: int | str | None = None
) -> Carry:
    """`body_fun` done to a value as long as `cond_fun` of it holds: `while cond_fun(val): val = body_fun(val)`.

    init_val is a pytree of arrays, whose structure, shapes and types body_fun keeps, else CarryTypeError; cond_fun returns a scalar
    bool, else NotAScalarError. It is differentiable in both modes. Reverse mode keeps what the derivative of each step needs, and
    so takes memory in proportion to the number of steps; with checkpoint=n it keeps n states and does the steps between them again,
    with "auto" about as many states as there are steps between two.

    >>> print(while_loop(lambda x: x < 100, lambda x: x * 2, 3))
    192
    """
    where = "lax.while_loop"
    check_callable(where, "cond_fun", cond_fun)
    check_callable(where, "body_fun", body_fun)
    check_parameters(where, "cond_fun", cond_fun, "value")
    check_parameters(where, "body_fun", body_fun, "value")
    kept = _checkpoint(where, checkpoint)
    if config.disable_jit:
        try:
            return _while_in_python(where, cond_fun, body_fun, init_val)
        except ConcretizationTypeError:  # inside vmap, where nothing is known before it is traced
            pass
    return _while(where, cond_fun, body_fun, body_fun, init_val, kept)


def _while(
    where: str, cond_fun: Callable[..., Any], body_fun: Callable[..., Any], step: Callable[..., Any], init: Any,
    checkpoint: int | None, counted: bool = False,
) -> Any:  # fmt: skip
    """The equation of `step`, which is the user's `body_fun` or calls it."""
    body = trace_body(where, body_fun, step, init, counted=counted)
    condition = _trace_condition(where, cond_fun, body)
    consts = all_captured(condition, body.traced)
    cond_graph, body_graph = condition.with_consts(consts), body.traced.with_consts(consts)
    found = ops.op_all(
        "while_loop", *consts, *body.start, cond=cond_graph, body=body_graph, consts=len(consts), saved=0, states=False,
        checkpoint=checkpoint,
    )  # fmt: skip
    return tree.unflatten(body.carry_tree, handed_on(body_graph, consts, body.start, found))


def _checkpoint(where: str, checkpoint: Any) -> int | None:
    if checkpoint is None:
        return None
    if isinstance(checkpoint, str) and checkpoint == "auto":
        return 0
    if isinstance(checkpoint, bool) or not isinstance(checkpoint, (int, np.integer)) or checkpoint < 1:
        raise ArgumentError(f'{where}: checkpoint must be None, "auto" or how many states to keep, at least 1; got {checkpoint!r}')
    return int(checkpoint)


def _trace_condition(where: str, cond_fun: Callable[..., Any], body: Body) -> Traced:
    in_tree = tree.structure((tree.unflatten(body.carry_tree, body.weak),))
    test = trace(cond_fun, function_name(cond_fun), [v.type for v in body.start], body.weak, in_tree)
    _check_condition(where, cond_fun, test.out_tree, result_types(test))
    return test


def _check_condition(where: str, cond_fun: Callable[..., Any], out_tree: tree.PyTreeDef, results: Types) -> None:
    if out_tree == tree.structure(0) and results[0][0] == ArrayType((), BOOL):
        return
    got = type_text(*results[0]) if out_tree == tree.structure(0) else f"a value of structure {out_tree}"
    raise NotAScalarError(
        f"{where}: cond_fun must return a scalar bool, but {described(cond_fun)} returned {got}. Compare, and combine with "
        "jitgrad.numpy.all or any."
    )


def _while_in_python(where: str, cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init: Any) -> Any:
    """The loop as Python's own, for debugging."""
    values, carry_tree = array_leaves(where, init, "the initial carry")
    while True:
        carry = tree.unflatten(carry_tree, values)
        (*tests,), test_tree = array_leaves(function_name(cond_fun), cond_fun(carry), "its result")
        _check_condition(where, cond_fun, test_tree, [(t.type, t.weak) for t in tests])
        if not bool(tests[0]):
            return tree.unflatten(carry_tree, [strong(v) for v in values])
        values = _next_carry(where, body_fun, carry_tree, values, body_fun(carry))


def fori_loop(
    lower: Any,
    upper: Any,
    body_fun: Callable[[Any, Carry], Carry],
    init_val: Carry,
    *,
    unroll: int | bool | None = None,
    checkpoint: int | str | None = None,
) -> Carry:
    """`body_fun(i, val)` done for each integer i from lower to below upper: `for i in range(lower, upper): val = body_fun(i, val)`.

    init_val is a pytree of arrays, whose structure, shapes and types body_fun keeps, else CarryTypeError. The bounds are integer
    scalars, else NotAScalarError. Where they are known when it is traced it is a `scan`, for which `unroll` may be given; else, or
    with `checkpoint`, a `while_loop`.

    >>> print(fori_loop(0, 5, lambda i, total: total + i, 0))
    10
    """
    where = "lax.fori_loop"
    check_callable(where, "body_fun", body_fun)
    check_parameters(where, "body_fun", body_fun, "i", "value")
    first, last = _bounds(where, lower, upper)
    kept = _checkpoint(where, checkpoint)
    a, b = first.concrete(), last.concrete()

    def step(state: Any) -> Any:
        return state[0] + 1, body_fun(state[0], state[1])

    if a is None or b is None or kept is not None:
        if unroll is not None and unroll is not False and unroll != 1:
            raise ArgumentError(
                f"{where}: unroll={unroll!r} needs bounds that are known when it is traced, and no checkpoint. Leave unroll out."
            )
        return _while(where, lambda state: state[0] < last, body_fun, step, (first, init_val), kept, counted=True)[1]
    count = max(int(b) - int(a), 0)
    together = _unrolled(where, 1 if unroll is None else unroll, count)
    if config.disable_jit:
        values, carry_tree = array_leaves(where, init_val, "the initial carry")
        for i in range(int(a), int(b)):
            carry = body_fun(as_value(i), tree.unflatten(carry_tree, values))
            values = _next_carry(where, body_fun, carry_tree, values, carry)
        return tree.unflatten(carry_tree, [strong(v) for v in values])
    start, nothing = as_value(int(a)), tree.structure(None)
    return _scan(where, body_fun, lambda s, _: (step(s), None), (start, init_val), [], nothing, count, False, together, True)[0][1]


def _bounds(where: str, lower: Any, upper: Any) -> tuple[Array, Array]:
    """Both bounds as Arrays of one type; a weak one takes the other's."""
    bounds = [as_value(lower, f"{where}: lower"), as_value(upper, f"{where}: upper")]
    for name, v in zip(("lower", "upper"), bounds, strict=True):
        check_integer(where, name, v)
    dtype, weak = promote(*[part for v in bounds for part in (v.type.dtype, v.weak)], default_float())
    if len({v.type.dtype for v in bounds if not v.weak}) > 1:
        listed = " and ".join(type_text(v.type) for v in bounds)
        raise NotAScalarError(f"{where}: lower and upper must be of one integer type, got {listed}. Convert one with .astype.")
    return tuple(with_weak(ops.convert(v, dtype), weak) for v in bounds)  # type: ignore[return-value]


def map(f: Callable[[Any], Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """f done to each slice of xs along axis 0, one after another; the results stacked along a new axis 0.

    xs and f's result are pytrees of arrays. batch_size: how many slices are done at once, by `vmap`; 0 or None for one. Use `vmap`
    alone where memory suffices for all of them.

    >>> import jitgrad.numpy as jnp
    >>> print(map(lambda x: x * x, jnp.arange(4)))
    [0 1 4 9]
    """
    where = "lax.map"
    check_callable(where, "f", f)
    check_parameters(where, "f", f, "x")
    slices, xs_tree = array_leaves(where, xs, "xs")
    steps = _steps(where, slices, xs, None)
    if batch_size is None or type(batch_size) is int and batch_size == 0:
        return scan(lambda _, x: (None, f(x)), None, xs)[1]
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 0:
        raise ArgumentError(f"{where}: batch_size must be None or an integer of at least 0, got {batch_size!r}")
    whole = steps // batch_size
    cut = whole * batch_size
    pieces = []
    if whole or not steps:
        batches = [ops.reshape(ops.slice_axis(v, 0, 0, cut), (whole, int(batch_size), *v.type.shape[1:])) for v in slices]
        ys = scan(lambda _, x: (None, vmap(f)(x)), None, tree.unflatten(xs_tree, batches))[1]
        pieces.append(tree.map(lambda y: ops.reshape(y, (cut, *y.type.shape[2:])), ys))
    if cut < steps:
        pieces.append(vmap(f)(tree.unflatten(xs_tree, [ops.slice_axis(v, 0, cut, steps) for v in slices])))
    return pieces[0] if len(pieces) == 1 else tree.map(lambda *parts: ops.concatenate(list(parts), 0), *pieces)


Loops.scan = staticmethod(scan)
Loops.repeat = staticmethod(lambda count, step, x: fori_loop(1, count, step, x))
