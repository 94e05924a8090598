"""The functions that vjp and linearize return: linear maps at a point. Each is a pytree of the arrays that it keeps.

As a pytree it can be a result of a jitted function, an argument of one, or a residual of a custom_vjp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from jitgrad_compiler.ir.builder import Value, with_weak
from jitgrad_compiler.ir.types import DType
from jitgrad_compiler.ops.define import convert, zeros
from jitgrad_compiler.passes.linearize import Linearized

from . import tree
from .array import Array, as_value
from .errors import ArgumentError, TreeStructureError
from .tracebacks import boundary
from .tracing import FLOAT0, is_float0
from .transfers import beside
from .tree_registration import Partial


def check_tangent(where: str, name: str, expected: Array, given: Array, what: str) -> Array:
    """A tangent or cotangent of the primal's shape and type; a weak scalar adapts."""
    if given.type.shape != expected.type.shape:
        raise TreeStructureError(
            f"{where}: the {what} of {name} must have shape {list(expected.type.shape)}, got {list(given.type.shape)}"
        )
    if given.type.dtype != expected.type.dtype:
        if not (given.weak or expected.weak) or _drops(given.type.dtype, expected.type.dtype):
            raise TreeStructureError(
                f"{where}: the {what} of {name} must be of type {expected.dtype}, got {given.dtype}. Convert it with .astype."
            )
        return convert(given, expected.type.dtype)  # type: ignore[return-value]
    return given


def _drops(given: DType, expected: DType) -> bool:
    """Whether a number of one type loses its imaginary part or its fraction in the other."""
    return given.is_complex and not expected.is_complex or given.is_inexact and not expected.is_inexact


def _check_float0(where: str, name: str, expected: Array, given: Any, what: str) -> None:
    """What stands for the derivative of an integer or a bool, which has none."""
    shape = expected.type.shape
    if not is_float0(given) or given.shape != shape:
        got = "None" if given is None else f"{getattr(given, 'dtype', type(given).__name__)}{list(np.shape(given))}"
        raise TreeStructureError(
            f"{where}: the {what} of {name} must be of type float0 and shape {list(shape)}, as {expected.dtype} has no derivative, "
            f"got {got}. Give numpy.zeros({shape}, jitgrad.float0), or make it a float with .astype."
        )


def matched(where: str, what: str, reference: Any, values: Sequence[Value], given: Any) -> list[Array | None]:
    """The leaves of `given`, which must be like the tree `reference` of `values`; None for integers, whose are float0."""
    tree.check_same_structure(where, reference, given, what)
    found: list[Array | None] = []
    for v, (path, t) in zip(values, tree.leaves_with_path(given), strict=True):
        if not v.type.dtype.is_inexact:
            _check_float0(where, tree.path_text(path) or "the value", cast(Array, v), t, what)
            found.append(None)
            continue
        item = as_value(t, f"{where}: the {what}{tree.path_text(path)}")
        found.append(check_tangent(where, f"{tree.path_text(path) or 'the value'}", cast(Array, v), item, what))
    return found


def cotangent_shown(cotangent: Value | None, primal: Array) -> Any:
    """A cotangent as users get it: of the primal's type, zeros where there was no influence."""
    if not primal.type.dtype.is_inexact:
        return np.zeros(primal.type.shape, FLOAT0)
    found = with_weak(zeros(primal.type) if cotangent is None else cotangent, primal.weak)
    return beside(cast(Array, found), primal)


def tangent_shown(out: Value, tangent: Value | None) -> Any:
    if not out.type.dtype.is_inexact:
        return np.zeros(out.type.shape, FLOAT0)
    return beside(cast(Array, with_weak(zeros(out.type) if tangent is None else tangent, out.weak)), out)


class _LinearMap:
    """What a linear map is beside the arrays that it keeps, which come first in a call."""

    def __init__(
        self, where: str, lin: Linearized, inputs: Sequence[Value], in_tree: Any, count: int, out_tree: Any
    ) -> None:  # fmt: skip
        self.where, self.in_tree, self.count, self.out_tree = where, in_tree, count, out_tree
        self.inputs = [Array(v.type, None, None, v.weak) for v in inputs]
        self.outputs = [Array(v.type, None, None, v.weak) for v in lin.outputs]
        self.record = lin.inputs, lin.eqns, lin.tangents
        self.known = tuple(lin.known)
        self.weak = [v.weak for v in lin.known.values()]

    def at(self, kept: Sequence[Value]) -> Linearized:
        """The recorded map, with these arrays."""
        values = [with_weak(v if isinstance(v, Value) else as_value(v), w) for v, w in zip(kept, self.weak, strict=True)]
        return Linearized(list(self.outputs), *self.record, dict(zip(self.known, values, strict=True)))


class Pullback(_LinearMap):
    """From a cotangent of the output to a tuple of cotangents of the arguments."""

    @boundary
    def __call__(self, *kept_and_cotangent: Any) -> Any:
        count = len(self.known)
        kept, given_cotangents = kept_and_cotangent[:count], kept_and_cotangent[count:]
        if len(given_cotangents) != 1:
            raise ArgumentError(
                f"{self.where}: the pullback takes one cotangent, of the output's structure, got {len(given_cotangents)} arguments"
            )
        outs = self.outputs[: self.count]
        given = matched(self.where, "cotangents", tree.unflatten(self.out_tree, outs), outs, given_cotangents[0])
        filled = [zeros(o.type) if ct is None else ct for o, ct in zip(outs, given, strict=True)]
        found = self.at(kept).transpose([*filled, *[zeros(o.type) for o in self.outputs[self.count :]]])
        return tree.unflatten(self.in_tree, [cotangent_shown(ct, p) for ct, p in zip(found, self.inputs, strict=True)])


class Pushforward(_LinearMap):
    """From tangents of the arguments to the tangent of the output."""

    @boundary
    def __call__(self, *kept_and_tangents: Any) -> Any:
        count = len(self.known)
        kept, tangents = kept_and_tangents[:count], kept_and_tangents[count:]
        given = matched(self.where, "tangents", tree.unflatten(self.in_tree, self.inputs), self.inputs, tangents)
        moved = self.at(kept).apply(given)[: self.count]
        return tree.unflatten(self.out_tree, [tangent_shown(o, t) for o, t in zip(self.outputs, moved, strict=False)])


def linear_map(
    kind: Callable[..., Any], where: str, lin: Linearized, inputs: Sequence[Value], in_tree: Any, count: int, out_tree: Any
) -> Partial:
    """A Pullback or a Pushforward as users get it. Of lin's outputs `count` are results, of the structure out_tree."""
    return Partial(kind(where, lin, inputs, in_tree, count, out_tree), *lin.known.values())
