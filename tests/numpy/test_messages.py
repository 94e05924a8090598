"""Bad input: the class of each error, and that its message names the function and the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

A, B, V, M = jnp.ones((2, 3)), jnp.ones((4,)), jnp.ones(3), jnp.ones((3, 3))
I3 = jnp.arange(3)

BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: A + B, errors.ShapeError, r"add: shapes \(2, 3\) and \(4,\) do not broadcast"),
    (lambda: jnp.where(A > 0, A, B), errors.ShapeError, r"where: shapes \(2, 3\)"),
    (lambda: jnp.sin("no"), errors.NotAnArrayError, "sin needs an array or a number, got the string"),
    (lambda: jnp.sum([1, 2]), errors.NotAnArrayError, "Lists become arrays with jitgrad.numpy.array"),
    (lambda: jnp.sum(A, axis=2), errors.ArgumentError, "sum: axis 2 does not exist in an array with 2 axes"),
    (lambda: jnp.sum(A, axis=(0, 0)), errors.ArgumentError, "sum: axis .* names an axis twice"),
    (lambda: jnp.sum(A, out=A), errors.ArgumentError, "sum: out= is not supported"),
    (lambda: jnp.max(jnp.zeros((0, 2)), axis=0), errors.ShapeError, "max: nothing has no max.*Give initial="),
    (lambda: jnp.max(A, where=A > 0), errors.ArgumentError, "max: with where= it needs initial="),
    (lambda: jnp.max(A * 1j), errors.DTypeError, "max: complex numbers have no order"),
    (lambda: jnp.argmax(jnp.zeros((0,))), errors.ShapeError, "argmax of nothing"),
    (lambda: A @ B, errors.ShapeError, r"matmul: .*\(2, 3\) and \(4,\)"),
    (lambda: jnp.dot(A, B), errors.ShapeError, "dot: summed axes"),
    (lambda: jnp.matmul(A, 2.0), errors.ShapeError, "use \\* for numbers"),
    (lambda: jnp.tensordot(A, B, 3), errors.ArgumentError, "tensordot: cannot sum over 3 axes"),
    (lambda: jnp.einsum("ij,jk", A, B), errors.ShapeError, "names 2 axes, but the operand has 1"),
    (lambda: jnp.einsum("ij,jk", A, A), errors.ShapeError, "'j' in 'ij,jk' has sizes 3 and 2"),
    (lambda: jnp.einsum("ij->k", A), errors.ArgumentError, "must name labels of the operands"),
    (lambda: jnp.einsum("ij,j->i", A), errors.ArgumentError, "names 2 operands, but 1"),
    (lambda: jnp.cross(B, B), errors.ShapeError, "cross: vectors must have size 2 or 3, got 4"),
    (lambda: A.reshape(4, 2), errors.ShapeError, r"reshape: an array of shape \(2, 3\) with 6 elements"),
    (lambda: A.reshape(-1, -1), errors.ShapeError, "[Oo]nly one size may be -1"),
    (lambda: jnp.transpose(A, (0, 0)), errors.ArgumentError, "transpose: axes"),
    (lambda: jnp.squeeze(A, 0), errors.ShapeError, "squeeze: axis 0"),
    (lambda: jnp.broadcast_to(A, (3, 3)), errors.ShapeError, "broadcast_to"),
    (lambda: jnp.concatenate([A, M.T[:, :2]]), errors.ShapeError, "concatenate: shapes must be equal but for axis 0"),
    (lambda: jnp.concatenate([]), errors.ArgumentError, "concatenate: needs at least one array"),
    (lambda: jnp.stack([A, B]), errors.ShapeError, "stack: arrays must have one shape"),
    (lambda: jnp.split(B, 3), errors.ShapeError, "split: axis 0 of shape .* does not divide into 3"),
    (lambda: jnp.pad(A, -1), errors.ArgumentError, "pad: widths must be 0 or more"),
    (lambda: jnp.pad(A, 1, mode="spline"), errors.ArgumentError, "modes are constant, edge"),
    (lambda: jnp.zeros((-1,)), errors.ArgumentError, "zeros: a shape has sizes of 0 or more"),
    (lambda: jnp.zeros(2, dtype="float128"), errors.DTypeError, "not an element type"),
    (lambda: jnp.array([[1, 2], [3]]), errors.ShapeError, "array: the nested lists are ragged"),
    (lambda: jnp.array([V, B]), errors.ShapeError, "array"),
    (lambda: jnp.array([1, "a"]), errors.NotAnArrayError, r"item \[1\] of the list needs an array or a number, got the string"),
    (lambda: jnp.array(2**70), errors.DTypeError, "does not fit in 64 bits"),
    (lambda: jnp.arange(0, 3, 0), errors.ArgumentError, "arange: the step must not be 0"),
    (lambda: jnp.linspace(0, 1, -1), errors.ArgumentError, "linspace: num must be 0 or more"),
    (lambda: A[0, 0, 0], errors.IndexingError, "3 indices are too many for an array with 2 axes"),
    (lambda: A[..., ...], errors.IndexingError, "only one ellipsis"),
    (lambda: A[1.5], errors.DTypeError, "must be of integers or bools, got float32"),
    (lambda: A["a"], errors.DTypeError, "indices are integers, slices, None"),
    (lambda: A[[0, 1]], errors.DTypeError, "a list is no index; write"),
    (lambda: A[B > 0], errors.ShapeError, "a mask of size 4 does not go with an axis of size 2"),
    (lambda: jnp.zeros((0,))[0], errors.IndexingError, "size 0 has no element"),
    (lambda: A.at[0].set(B), errors.ShapeError, r"a value of shape \(4,\) does not broadcast to the indexed shape \(3,\)"),
    (lambda: A.at[0].set(1, mode="maybe"), errors.ArgumentError, "mode must be one of"),
    (lambda: jnp.take(A, V), errors.DTypeError, "take: indices must be integers"),
    (lambda: jnp.take(A, I3, mode="raise"), errors.ArgumentError, "take: mode must be"),
    (lambda: jnp.put_along_axis(A, I3[None], 0, 1), errors.ImmutableArrayError, "immutable"),
    (lambda: I3**-1, errors.DTypeError, "power: integers cannot be raised to the negative power -1"),
    (lambda: ~V, errors.DTypeError, "invert takes the element types bool"),
    (lambda: V & 1, errors.DTypeError, "bitwise_and takes the element types bool"),
    (lambda: (I3 > 0) - (I3 > 1), errors.DTypeError, "subtract takes the element types"),
    (lambda: jnp.floor(V * 1j), errors.DTypeError, "floor takes the element types float8_e4m3fn, bfloat16, float16, float32"),
    (lambda: jnp.gcd(V, V), errors.DTypeError, "gcd takes integers"),
    (lambda: jnp.clip(V * 1j, 0, 1), errors.DTypeError, "clip: complex numbers have no order"),
    (lambda: jnp.searchsorted(A, V), errors.ShapeError, "searchsorted: the sorted array must be a vector"),
    (lambda: jnp.bincount(V), errors.DTypeError, "bincount: needs integers"),
    (lambda: jnp.quantile(V, 0.5, method="best"), errors.ArgumentError, "quantile: method must be one of linear"),
    (lambda: jnp.interp(V, V, B), errors.ShapeError, "interp: xp and fp must be vectors of one size"),
    (lambda: jnp.diag(jnp.ones((2, 2, 2))), errors.ShapeError, "diag: needs a vector or a matrix"),
    (lambda: jnp.gradient(jnp.ones(1)), errors.ShapeError, "gradient: axis 0 .* needs at least 2 elements"),
    (lambda: jnp.select([], []), errors.ArgumentError, "select: needs as many conditions"),
    (lambda: jnp.where(A > 0, A), errors.ArgumentError, "where: give both x and y"),
    (lambda: jnp.histogram(V, bins=0), errors.ArgumentError, "histogram: needs at least 1 bin"),
]


@pytest.mark.parametrize("call, error, message", BAD, ids=[message[:40] for _, _, message in BAD])
def test_a_bad_call_says_what_is_wrong_and_where(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert isinstance(caught.value, errors.JitgradError)
    assert "test_messages.py:" in str(caught.value)


def test_assignment_to_an_element_points_to_at() -> None:
    with pytest.raises(TypeError, match=r"x.at\[i\].set"):
        jnp.zeros(3)[0] = 1


def test_a_traced_mask_as_index_is_an_error_that_teaches() -> None:
    with pytest.raises(errors.NonConcreteBooleanIndexError, match="jnp.where"):
        jitgrad.make_graph(lambda x: x[x > 0])(V)


@pytest.mark.parametrize(
    "f", [jnp.nonzero, jnp.unique, lambda x: jnp.bincount(x.astype(int)), lambda x: jnp.repeat(V, x.astype(int))]
)
def test_a_result_of_unknown_size_in_traced_code_asks_for_its_size(f: Any) -> None:
    with pytest.raises(errors.ConcretizationTypeError):
        jitgrad.make_graph(f)(V)


def test_other_classes_can_take_over_an_operator() -> None:
    class Other:
        def __radd__(self, x: Any) -> str:
            return "other"

    assert jnp.ones(2) + Other() == "other"
    with pytest.raises(TypeError, match="unsupported operand"):
        jnp.ones(2) + object()


def test_numpy_arrays_beside_an_array_come_to_it() -> None:
    assert isinstance(np.ones(3) * V, jitgrad.Array)
    assert isinstance(np.float32(2) * V, jitgrad.Array)
    assert isinstance(np.sin(V), jitgrad.Array)
