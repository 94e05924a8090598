"""Muon (Jordan et al., 2024): steps of matrices are made nearly orthogonal by a Newton-Schulz iteration; other params take AdamW.

A matrix is a whole array of two axes, or what `MuonDimensionNumbers` says of one with more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jitgrad.numpy as jnp
from jitgrad import tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError, TreeStructureError
from jitgrad.ranges import Decay, NotNegative, Number, Size
from jitgrad.tracing import is_function

from .leaves import cast, corrected_means, mean_of, next_count, no_count, zeros_like
from .masking import partition
from .moments import scale_by_adam
from .scaling import LearningRate, Schedule, add_decayed_weights, scale_by_learning_rate
from .transformation import (
    GradientTransformation,
    GradientTransformationExtraArgs,
    PyTree,
    chain,
    check_like,
    named_chain,
    stateless,
)


@dataclass(frozen=True)
class MuonDimensionNumbers:
    """Which axes of an array are the rows and which the columns of a matrix; those left over count separate matrices."""

    reduction_axis: Sequence[int] | int = 0
    output_axis: Sequence[int] | int = 1

    def of(self, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Axes of the batch, the rows and the columns of an array. Raises ShapeError where they do not make a matrix."""
        rank = len(shape)
        rows, columns = (
            tuple(a % rank if -rank <= a < rank else rank for a in ((axes,) if isinstance(axes, int) else axes))
            for axes in (self.reduction_axis, self.output_axis)
        )
        if rank in (*rows, *columns) or not rows or not columns or len({*rows, *columns}) < len(rows) + len(columns):
            raise ShapeError(f"optim.muon: an array of shape {tuple(shape)} is no matrix by {self}; each axis once")
        return tuple(a for a in range(rank) if a not in (*rows, *columns)), rows, columns


class MuonState(NamedTuple):
    """count: how many updates there have been, int32. mu: the running mean of updates. ns_coeffs: those of the iteration."""

    count: Any
    mu: PyTree
    ns_coeffs: Any


NS_COEFFS: dict[str, Any] = {
    "standard": (3.4445, -4.7750, 2.0315),
    "dion": (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
}
"""Coefficients by name: one row for every step, or one for each (Ahn et al., Dion, 2025)."""


def _coefficients(given: Any, steps: int) -> Array:
    """Rows of three, one for each step."""
    if isinstance(given, str):
        if given not in NS_COEFFS:
            raise ArgumentError(f"optim.muon: ns_coeffs is one of {', '.join(NS_COEFFS)}, or numbers, got {given!r}")
        given = NS_COEFFS[given]
    rows = jnp.asarray(given)
    if rows.ndim not in (1, 2) or rows.shape[-1] != 3 or (rows.ndim == 2 and len(rows) < steps):
        raise ArgumentError(f"optim.muon: ns_coeffs has the shape (3,) or ({steps}, 3), a row a step, got {rows.shape}")
    return rows[-steps:] if rows.ndim == 2 else rows


def _orthogonal(x: Array, coeffs: Array, steps: int, eps: Any) -> Array:
    """A matrix near U V^T of the singular value decomposition of x: a x + (b (x x^T) + c (x x^T)^2) x, again and again."""
    wide = x if x.shape[-2] <= x.shape[-1] else jnp.swapaxes(x, -1, -2)
    wide = wide / (jnp.sqrt(jnp.sum(jnp.real(wide * jnp.conj(wide)), axis=(-2, -1), keepdims=True)) + eps)
    coeffs = coeffs.astype(jnp.real(x).dtype)
    for n in range(steps):
        a, b, c = (coeffs[i] if coeffs.ndim == 1 else coeffs[n, i] for i in range(3))
        gram = wide @ jnp.conj(jnp.swapaxes(wide, -1, -2))
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide if x.shape[-2] <= x.shape[-1] else jnp.swapaxes(wide, -1, -2)


def _orthogonal_step(x: Any, numbers: MuonDimensionNumbers, coeffs: Array, steps: int, eps: Any) -> Array:
    x = jnp.asarray(x)
    batch, rows, columns = numbers.of(x.shape)
    order = (*batch, *rows, *columns)
    there = jnp.transpose(x, order)
    sizes = [math.prod(x.shape[a] for a in axes) for axes in (batch, rows, columns)]
    back = _orthogonal(there.reshape(sizes), coeffs, steps, eps).reshape(there.shape)
    return jnp.transpose(back, sorted(range(x.ndim), key=lambda a: order[a]))


def _numbers(given: Any, params: PyTree) -> list[MuonDimensionNumbers | None]:
    """What each array is: numbers, or None for those that are no matrices. By default arrays of two axes are."""
    leaves, treedef = tree.flatten(params)
    if given is None:
        return [MuonDimensionNumbers() if jnp.ndim(p) == 2 else None for p in leaves]
    given = given(params) if is_function(given) else given
    if isinstance(given, MuonDimensionNumbers):
        return [given for _ in leaves]
    try:
        return tree.flatten_up_to(treedef, given)
    except ValueError:
        raise TreeStructureError(
            f"optim.muon: the dimension numbers must be MuonDimensionNumbers, or a pytree of the params' structure {treedef} of "
            f"them "
            "and of None, or a function from params to one"
        ) from None


def _of_matrices(given: Any, updates: PyTree) -> PyTree:
    """The numbers that stand for updates of which only matrices are left: those that are not None."""
    entries = tree.leaves(given(updates) if is_function(given) else given, is_leaf=lambda x: x is None)
    return tree.unflatten(tree.structure(updates), [n for n in entries if n is not None])


def scale_by_muon(
    ns_coeffs: Any = NS_COEFFS["standard"],
    ns_steps: Size = 5,
    beta: Decay = 0.95,
    eps: NotNegative = 1e-8,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    weight_dimension_numbers: Any = None,
) -> GradientTransformation:
    """The running mean of updates, made nearly orthogonal. All params must be matrices, of two axes or by their numbers.

    ns_coeffs: three numbers of the iteration, a row of them for each step, or "standard" or "dion". adaptive: steps times their
    product with the mean, which makes them the dual norm's. weight_dimension_numbers: MuonDimensionNumbers, a pytree of them, or a
    function from params to one.
    """

    def init(params: PyTree) -> MuonState:
        return MuonState(no_count(), zeros_like(params, mu_dtype), _coefficients(ns_coeffs, ns_steps))

    def update(updates: PyTree, state: MuonState, params: PyTree = None) -> tuple[PyTree, MuonState]:
        check_like("optim.muon", updates, state.mu)
        mu, count = mean_of(updates, state.mu, beta), next_count(state.count)
        means, treedef = tree.flatten(corrected_means(updates, mu, beta, count, nesterov))
        steps = [
            _orthogonal_step(m, numbers or MuonDimensionNumbers(), state.ns_coeffs, ns_steps, eps)
            for m, numbers in zip(means, _numbers(weight_dimension_numbers, updates), strict=True)
        ]
        if adaptive:
            steps = [jnp.sum(jnp.conj(m) * s) * s for m, s in zip(means, steps, strict=True)]
        return tree.unflatten(treedef, steps), MuonState(count, cast(mu, mu_dtype), state.ns_coeffs)

    return GradientTransformation(init, update)


def scale_by_shape(weight_dimension_numbers: Any = None, consistent_rms: Number | None = None) -> GradientTransformation:
    """Steps of matrices of m rows and n columns times sqrt(max(1, n / m)), or consistent_rms * sqrt(max(m, n)) where given."""

    def scaled(u: Any, numbers: MuonDimensionNumbers) -> Any:
        rows, columns = (math.prod(u.shape[a] for a in axes) for axes in numbers.of(u.shape)[1:])
        factor = math.sqrt(max(1, columns / rows)) if consistent_rms is None else math.sqrt(max(rows, columns)) * consistent_rms
        return factor * u

    def change(updates: PyTree, params: PyTree) -> PyTree:
        leaves, treedef = tree.flatten(updates)
        numbers = _numbers(weight_dimension_numbers, updates)
        return tree.unflatten(treedef, [scaled(u, n or MuonDimensionNumbers()) for u, n in zip(leaves, numbers, strict=True)])

    return stateless("scale_by_shape", change)


def muon(
    learning_rate: LearningRate,
    ns_coeffs: Any = NS_COEFFS["standard"],
    ns_steps: Size = 5,
    beta: Decay = 0.95,
    eps: NotNegative = 1e-8,
    weight_decay: NotNegative | Schedule = 0.0,
    weight_decay_mask: Any = None,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
    adaptive: bool = False,
    adam_b1: Decay = 0.9,
    adam_b2: Decay = 0.999,
    adam_eps_root: NotNegative = 0.0,
    adam_weight_decay: NotNegative | Schedule = 0.0,
    adam_learning_rate: LearningRate | None = None,
    muon_weight_dimension_numbers: Any = None,
    consistent_rms: Number | None = None,
) -> GradientTransformationExtraArgs:
    """Muon for matrices, AdamW for all other params (Jordan et al., Muon, 2024; scales of Liu et al., Muon is scalable, 2025).

    The arguments are those of `scale_by_muon`, `scale_by_shape` and, with adam_ in front, `adamw`. adam_learning_rate: as
    learning_rate by default. muon_weight_dimension_numbers: what is a matrix, a pytree of MuonDimensionNumbers, and of None for
    what is none; by default arrays of two axes are.

    >>> import jitgrad.numpy as jnp
    >>> params = {"w": jnp.eye(2), "b": jnp.zeros(2)}
    >>> opt = muon(0.1)
    >>> updates, state = opt.update(params, opt.init(params), params)
    >>> print(jnp.round(updates["w"], 2))
    [[-0.11 -0.  ]
     [-0.   -0.11]]
    """
    given = muon_weight_dimension_numbers

    def labels(params: PyTree) -> PyTree:
        return tree.unflatten(tree.structure(params), ["adam" if n is None else "muon" for n in _numbers(given, params)])

    matrices = given if isinstance(given, MuonDimensionNumbers) or given is None else lambda updates: _of_matrices(given, updates)
    orthogonal = scale_by_muon(
        ns_coeffs, ns_steps, beta, eps, mu_dtype, nesterov=nesterov, adaptive=adaptive, weight_dimension_numbers=matrices
    )
    groups = {
        "muon": chain(
            orthogonal,
            scale_by_shape(matrices, consistent_rms),
            add_decayed_weights(weight_decay, weight_decay_mask),
            scale_by_learning_rate(learning_rate),
        ),
        "adam": chain(
            scale_by_adam(adam_b1, adam_b2, eps, adam_eps_root, mu_dtype, nesterov=nesterov),
            add_decayed_weights(adam_weight_decay),
            scale_by_learning_rate(learning_rate if adam_learning_rate is None else adam_learning_rate),
        ),
    }
    return named_chain("muon", partition(groups, labels))
