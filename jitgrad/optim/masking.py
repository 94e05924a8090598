"""A part of the params: `masked` does a transformation to it, `partition` one to each group. Next on the path: scaling.py.

What is outside is a `MaskedNode`, a container without leaves, so that the structure stays.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.errors import ArgumentError, TreeStructureError
from jitgrad.held import trainable
from jitgrad.tracing import is_function

from .transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    PyTree,
    stateless,
    with_extra_args_support,
)


class MaskedNode(NamedTuple):
    """What stands in place of a leaf that a transformation is not to see."""


class MaskedState(NamedTuple):
    """inner_state: the state of the transformation that sees a part."""

    inner_state: Any


class PartitionState(NamedTuple):
    """inner_states: the state of each group's transformation, by its label."""

    inner_states: dict[Any, Any]


def _spread(where: str, what: str, given: Any, params: PyTree) -> list[Any]:
    """One entry for each leaf of the params, of a pytree of entries (one for a whole branch will do), or of a function to one."""
    given = trainable(given(params) if is_function(given) else given)
    try:
        return tree.leaves(tree.broadcast(given, params))
    except ValueError as error:
        raise TreeStructureError(
            f"optim.{where}: the {what} must be a pytree of the structure of the params {tree.structure(params)}, or of its "
            f"beginning, or a function from params to one, got {tree.structure(given)}"
        ) from error


def masked(
    inner: GradientTransformation, mask: Any, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """`inner` done where `mask` holds; other updates stay as they are.

    mask: a pytree of bools of the structure of the params, or of its beginning (one bool for all below it), or a function from
    params to one. mask_compatible_extra_args: keywords of update of the params' structure lose the same leaves. Raises
    TreeStructureError for a mask that does not fit the params.

    >>> from jitgrad import optim
    >>> opt = masked(optim.scale(-1.0), {"w": True, "b": False})
    >>> params = {"w": 1.0, "b": 1.0}
    >>> opt.update({"w": 2.0, "b": 3.0}, opt.init(params), params)[0]
    {'w': -2.0, 'b': 3.0}
    """
    inner = with_extra_args_support(inner)

    def chosen(params: PyTree) -> list[bool]:
        entries = _spread("masked", "mask", mask, params)
        for m in entries:
            if not isinstance(m, bool) and getattr(m, "dtype", "") != "bool":
                raise ArgumentError(f"optim.masked: the mask must hold bools, got {m!r}")
        return [bool(m) for m in entries]

    def seen(x: PyTree, keep: list[bool]) -> PyTree:
        leaves, treedef = tree.flatten(x)
        return tree.unflatten(treedef, [leaf if k else MaskedNode() for leaf, k in zip(leaves, keep, strict=True)])

    def init(params: PyTree) -> MaskedState:
        return MaskedState(inner.init(seen(params, chosen(params))))

    def update(updates: PyTree, state: MaskedState, params: PyTree = None, **extra: Any) -> tuple[PyTree, MaskedState]:
        keep, structure = chosen(updates), tree.structure(updates)
        if mask_compatible_extra_args:
            extra = {name: seen(x, keep) if tree.structure(x) == structure else x for name, x in extra.items()}
        params = None if params is None else seen(params, keep)
        changed, inner_state = inner.update(seen(updates, keep), state.inner_state, params, **extra)
        fresh = iter(tree.leaves(changed))
        leaves = [next(fresh) if k else leaf for leaf, k in zip(tree.leaves(updates), keep, strict=True)]
        return tree.unflatten(structure, leaves), MaskedState(inner_state)

    return GradientTransformationExtraArgs(init, update)


def partition(
    transforms: Mapping[Any, GradientTransformation], param_labels: Any, *, mask_compatible_extra_args: bool = False
) -> GradientTransformationExtraArgs:
    """A transformation for each group of params: rates of their own, or `set_to_zero()` for those that stay.

    transforms: by label. param_labels: a pytree of labels of the structure of the params, or of its beginning, or a function from
    params to one. Raises ArgumentError for a label without a transformation.

    >>> from jitgrad import optim
    >>> opt = partition({"slow": optim.sgd(0.1), "fast": optim.sgd(1.0)}, {"w": "slow", "b": "fast"})
    >>> params = {"w": 1.0, "b": 1.0}
    >>> opt.update({"w": 2.0, "b": 3.0}, opt.init(params), params)[0]
    {'w': -0.2, 'b': -3.0}
    """

    def group(label: Any) -> GradientTransformationExtraArgs:
        def mask(params: PyTree) -> PyTree:
            labels = _spread("partition", "labels", param_labels, params)
            if unknown := sorted({str(x) for x in labels if not isinstance(x, Hashable) or x not in transforms}):
                raise ArgumentError(
                    f"optim.partition: no transformation for the labels {', '.join(unknown)}; "
                    f"there are {', '.join(map(str, transforms))}"
                )
            return tree.unflatten(tree.structure(params), [x == label for x in labels])

        return masked(transforms[label], mask, mask_compatible_extra_args=mask_compatible_extra_args)

    groups = {label: group(label) for label in transforms}

    def init(params: PyTree) -> PartitionState:
        return PartitionState({label: opt.init(params) for label, opt in groups.items()})

    def update(updates: PyTree, state: PartitionState, params: PyTree = None, **extra: Any) -> tuple[PyTree, PartitionState]:
        states = {}
        for label, opt in groups.items():
            updates, states[label] = opt.update(updates, state.inner_states[label], params, **extra)
        return updates, PartitionState(states)

    return GradientTransformationExtraArgs(init, update)


multi_transform = partition


def set_to_zero() -> GradientTransformation:
    """Updates of 0: the params stay.

    >>> opt = set_to_zero()
    >>> print(opt.update({"w": 2.0}, opt.init({"w": 1.0}))[0])
    {'w': Array(0., dtype=float32)}
    """
    return stateless("set_to_zero", lambda updates, params: tree.map(jnp.zeros_like, updates))
