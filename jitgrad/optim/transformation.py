"""What an optimizer is: a pair of functions `init` and `update`, as in Optax. Next on the path: `scaling.py`, whose pairs `chain`
joins, and `optimizers.py`, which names the joined ones.

    state = opt.init(params)
    updates, state = opt.update(gradients, state, params)
    params = apply_updates(params, updates)

Parameters, gradients, updates and states are pytrees of arrays, so all of it can stand inside jit, vmap and loops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree, tree_util
from jitgrad.array import as_value
from jitgrad.errors import ArgumentError, TreeStructureError
from jitgrad.held import Open, open_leaves, trainable
from jitgrad.tracebacks import boundary
from jitgrad.tracing import is_function

PyTree = Any


class _Pair(NamedTuple):
    init: Callable[[PyTree], Any]
    update: Callable[..., tuple[PyTree, Any]]


class GradientTransformation(_Pair):
    """init(params) -> state; update(updates, state, params=None) -> (updates, state).

    The two functions are called without what params and updates hold (`nn.trainable`): buffers and frozen parameters of modules
    have no state, and nothing is done to them. Functions of params among `extra` get all of the params.
    """

    __slots__ = ()

    def __new__(cls, init: Callable[[PyTree], Any], update: Callable[..., tuple[PyTree, Any]]) -> GradientTransformation:
        @boundary
        @functools.wraps(init)
        def init_trainable(params: PyTree) -> Any:
            return init(trainable(params))

        @boundary
        @functools.wraps(update)
        def update_trainable(updates: PyTree, state: Any, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
            parts, opened = open_leaves(params)
            if opened.held:
                params = opened.gradient(parts)
                extra = {name: _of_whole(x, opened) if is_function(x) else trainable(x) for name, x in extra.items()}
            return update(trainable(updates), state, params, **extra)

        return super().__new__(cls, init_trainable, update_trainable)


class GradientTransformationExtraArgs(GradientTransformation):
    """A transformation whose update takes keywords beside: `value`, `grad` and `value_fn` of a line search, `value` of a plateau.

    `chain` and its kin give every keyword to all such parts; each takes its own and lets the others be.
    """

    __slots__ = ()


def with_extra_args_support(opt: GradientTransformation) -> GradientTransformationExtraArgs:
    """The same transformation, which takes keywords that it has no use for."""
    if isinstance(opt, GradientTransformationExtraArgs):
        return opt
    return GradientTransformationExtraArgs(
        opt.init, lambda updates, state, params=None, **extra: opt.update(updates, state, params)
    )


def _of_whole(f: Callable[..., Any], opened: Open) -> Callable[..., Any]:
    """A function of params, as one of the params without what they hold."""
    return functools.wraps(f)(lambda params, *args, **kwargs: f(opened.unflatten(tree.leaves(params)), *args, **kwargs))


@tree_util.register_static
@dataclass(frozen=True)
class EmptyState:
    """The state of a transformation that remembers no numbers, but, where `init` made it, the structure of the params."""

    structure: tree.PyTreeDef | None = field(default=None, repr=False)


def stateless(where: str, change: Callable[[PyTree, PyTree], PyTree]) -> GradientTransformation:
    """The transformation change(updates, params), for updates of the structure of the params."""

    def update(updates: PyTree, state: EmptyState, params: PyTree = None) -> tuple[PyTree, EmptyState]:
        expected = getattr(state, "structure", None)
        if expected is not None and tree.structure(updates) != expected:
            like = tree.unflatten(expected, [0] * expected.num_leaves)
            tree.check_same_structure(f"optim.{where}", like, updates, "gradients")
        return change(updates, params), state

    return GradientTransformation(lambda params: EmptyState(tree.structure(params)), update)


def check_like(where: str, given: PyTree, expected: PyTree, what: str = "gradients", like: str = "params") -> None:
    """Raise TreeStructureError, with the path of the first difference, unless two pytrees agree in structure and leaf shapes."""
    tree.check_same_structure(where, expected, given, what)
    for (path, x), y in zip(tree.leaves_with_path(given), tree.leaves(expected), strict=True):
        got, wanted = as_value(x, where, borrow=True).shape, as_value(y, where, borrow=True).shape
        if got != wanted:
            raise TreeStructureError(
                f"{where}: the {what}{tree.path_text(path)} must have the shape {wanted} of the {like}, got {got}. "
                "Differentiate with respect to the same params that the optimizer was made with."
            )


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """params + updates, each leaf in its parameter's element type. What params hold (`nn.trainable`) stays the same.

    Raises TreeStructureError, naming the path, where the two differ in structure or shapes.

    >>> import jitgrad.numpy as jnp
    >>> print(apply_updates({"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([0.5, 0.5])})["w"])
    [1.5 2.5]
    """
    parts, opened = open_leaves(params)
    check_like("optim.apply_updates", trainable(updates), opened.gradient(parts), "updates")
    return opened.unflatten([_applied(p, u) for p, u in zip(parts, open_leaves(updates)[0], strict=True)])


def _applied(p: Any, u: Any) -> Any:
    p = jnp.asarray(p)
    return (p + u).astype(p.dtype)


def identity() -> GradientTransformation:
    """Updates as they are."""
    return stateless("identity", lambda updates, params: updates)


def chain(*transformations: GradientTransformation) -> GradientTransformationExtraArgs:
    """Transformations one after another; the state is the tuple of their states. Keywords of update go to those that take any.

    >>> from jitgrad import optim
    >>> opt = chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1))
    >>> len(opt.init({"w": 1.0}))
    2
    """
    return named_chain("chain", *transformations)


def named_chain(name: str, *transformations: GradientTransformation) -> GradientTransformationExtraArgs:
    """A chain that speaks in its own name of gradients that do not fit the params."""
    for t in transformations:
        if not (hasattr(t, "init") and hasattr(t, "update")):
            raise ArgumentError(
                f"optim.{name}: takes transformations, which have init and update, got {type(t).__name__}; optim.sgd(0.1) is one"
            )
    parts = [with_extra_args_support(t) for t in transformations]

    @boundary
    def init(params: PyTree) -> tuple[Any, ...]:
        return tuple(t.init(params) for t in parts)

    @boundary
    def update(updates: PyTree, state: Any, params: PyTree = None, **extra: Any) -> tuple[PyTree, Any]:
        if params is not None:
            check_like(f"optim.{name}", updates, params)
        if len(state) != len(parts):
            raise TreeStructureError(f"optim.{name}: the state must be a tuple of {len(parts)} states, got {len(state)}")
        states = []
        for t, s in zip(parts, state, strict=True):
            updates, s = t.update(updates, s, params, **extra)
            states.append(s)
        return updates, tuple(states)

    return GradientTransformationExtraArgs(init, update)
