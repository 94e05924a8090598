"""NumPy's own functions given Arrays: they do jitgrad's of the same name, under every transformation, or say why not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors

M = np.arange(12.0, dtype=np.float32).reshape(4, 3) / 7
CASES = {
    "sin": lambda np, x: np.sin(x),
    "two operands": lambda np, x: np.arctan2(x, M) + np.add(M, x) * 2.0,
    "dot": lambda np, x: np.dot(M, x),
    "mean": lambda np, x: np.mean(M * x, axis=0, keepdims=True),
    "sum": lambda np, x: np.sum(M * x, axis=(0, 1), initial=2.0),
    "var": lambda np, x: np.var(M * x, ddof=1, axis=1),
    "where": lambda np, x: np.where(x > 0.5, x, 0),
    "concatenate": lambda np, x: np.concatenate([x, 2 * x]) ** 2,
    "concatenate along an axis": lambda np, x: np.concatenate([M, x[None] * M], axis=1),
    "stack": lambda np, x: np.stack([x[0], x[1] * x[2]]),
    "vstack": lambda np, x: np.vstack([x, x * x]),
    "clip": lambda np, x: np.clip(x * x, 0.3, 2.0),
    "clip with keywords": lambda np, x: np.clip(x * x, min=0.3, max=2.0),
    "linspace": lambda np, x: np.linspace(x[0], x[1], 5),
    "interp": lambda np, x: np.interp(M, np.cumsum(x), x),
    "cumsum": lambda np, x: np.cumsum(x * x),
    "prod": lambda np, x: np.prod(x),
    "max": lambda np, x: np.max(x * M, axis=1),
    "sort": lambda np, x: np.sort(x * -1),
    "einsum": lambda np, x: np.einsum("ij,j->i", M, x),
    "tensordot": lambda np, x: np.tensordot(M, x, 1),
    "outer": lambda np, x: np.outer(x, x),
    "trace": lambda np, x: np.trace(np.outer(x, x)),
    "pad": lambda np, x: np.pad(x, 1, constant_values=3),
    "diff": lambda np, x: np.diff(x, prepend=0.5),
    "polyval": lambda np, x: np.polyval(x, x),
    "reshape and transpose": lambda np, x: np.transpose(np.reshape(M * x, (2, 2, 3)), (2, 0, 1)),
    "expand_dims": lambda np, x: np.expand_dims(x, 1) * M.T,
    "zeros_like": lambda np, x: np.zeros_like(x) + np.ones_like(x) * x,
    "broadcast_to": lambda np, x: np.broadcast_to(x, (2, 3)),
    "divmod": lambda np, x: np.divmod(x, 0.3)[1],
    "average": lambda np, x: np.average(M, axis=1, weights=x),
    "histogram's weights, named": lambda np, x: np.histogram(M, bins=3, range=(0, 2), weights=M * x)[0],
    "operators with ndarrays": lambda np, x: (M * x + M / x - M**x) @ x,
    "take": lambda np, x: np.take(x, np.array([2, 0])),
    "unwrap": lambda np, x: np.unwrap(x * 9),
}  # fmt: skip
SPELT_OTHERWISE = {
    "a list beside an array": (
        lambda x: np.dot([1.0, 2.0, 3.0], x) + np.add(x, [1, 2, 3]),
        lambda x: x @ jnp.array([1.0, 2, 3]) + x + jnp.array([1, 2, 3]),
    ),
    "reduce": (np.add.reduce, jnp.sum),
    "reduce along an axis": (
        lambda x: np.multiply.reduce(M * x, axis=1, keepdims=True),
        lambda x: jnp.prod(M * x, 1, keepdims=True),
    ),
    "accumulate": (np.multiply.accumulate, jnp.cumprod),
    "maximum.accumulate": (lambda x: np.maximum.accumulate(M * x), lambda x: jitgrad.lax.cummax(M * x)),
    "ufunc outer": (lambda x: np.subtract.outer(x, M), lambda x: x[:, None, None] - M),
    "logaddexp.reduce": (np.logaddexp.reduce, jitgrad.nn.logsumexp),
}  # fmt: skip
X = np.float32([0.7, 0.2, 1.1])


@pytest.mark.parametrize("name", [*CASES, *SPELT_OTHERWISE])
def test_numpys_function_is_jitgrads_under_every_transformation(name):
    case = CASES.get(name)
    theirs, ours = SPELT_OTHERWISE.get(name) or (lambda x: case(np, x), lambda x: case(jnp, x))
    x, total = jnp.array(X), lambda f: lambda x: jnp.sum(jnp.sin(f(x)))
    for transform in (
        lambda f: f,
        jitgrad.jit,
        lambda f: jitgrad.grad(total(f)),
        lambda f: jitgrad.jit(jitgrad.grad(total(f))),
        lambda f: lambda x: jitgrad.vmap(f)(jnp.stack([x, 2 * x])),
        lambda f: jitgrad.jacfwd(f),
    ):
        got, want = transform(theirs)(x), transform(ours)(x)
        assert isinstance(got, jitgrad.Array) and got.dtype == want.dtype
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(theirs(x)), np.asarray(theirs(X)), rtol=1e-5)


def test_operators_of_numpy_arrays_and_scalars_come_to_the_array():
    x = jnp.array(X)
    for made in (np.float64(2) * x, x * np.float64(2), np.float64(2) - x, np.int64(2) ** x, X * x, np.float64(2) / x):
        assert isinstance(made, jitgrad.Array) and made.dtype == np.float32
    assert (X.astype(np.float64) * x).dtype == np.float64
    for made in (np.float64(2) < x, X == x, X.astype(np.float64) >= x):
        assert isinstance(made, jitgrad.Array) and made.dtype == np.bool_


@pytest.mark.parametrize("transform", [jitgrad.jit, lambda f: jitgrad.grad(lambda x: jnp.sum(f(x)))])
def test_in_place_operators_of_an_ndarray_take_concrete_arrays_alone(transform):
    def f(x):
        total = np.ones(3)
        total += x
        return total

    assert isinstance(f(jnp.array(X)), np.ndarray) and np.allclose(f(jnp.array(X)), X + 1)
    with pytest.raises(errors.TracerArrayConversionError, match=r"numpy\.add into a NumPy array"):
        transform(f)(jnp.array(X))


LACKING = {
    "numpy.copy with subok=": lambda x: np.copy(x, subok=True)[0],
    "numpy.real_if_close": lambda x: np.real_if_close(x)[0],
    "scipy.special.voigt_profile": lambda x: scipy.special.voigt_profile(x, 1, 1)[0],
}  # fmt: skip


@pytest.mark.parametrize("name", LACKING)
def test_what_jitgrad_lacks_works_on_plain_arrays_and_raises_by_name_elsewhere(name):
    f = LACKING[name]
    plain = f(jnp.array(X))
    assert not isinstance(plain, jitgrad.Array)
    np.testing.assert_allclose(plain, f(X), rtol=1e-5)
    for transform in (jitgrad.grad, jitgrad.jit, lambda f: lambda x: jitgrad.vmap(f)(x[None])):
        with pytest.raises(errors.TracerArrayConversionError, match=name.replace(".", r"\.")):
            transform(f)(jnp.array(X))


def test_functions_of_scipy_that_jitgrad_has_are_jitgrads():
    got = jitgrad.grad(lambda x: jnp.sum(scipy.special.gammaln(x)))(jnp.array(X))
    np.testing.assert_allclose(np.asarray(got), scipy.special.digamma(X), rtol=1e-4)


def test_out_is_honoured_for_ndarrays_and_refused_for_arrays():
    x = jnp.array(X)
    for into in (lambda out: np.sin(x, out=out), lambda out: np.sin(x, out), lambda out: np.add(x, 1, out=out)):
        out = np.zeros(3, np.float32)
        assert into(out) is out and out.any()
        with pytest.raises(errors.ImmutableArrayError, match="immutable"):
            into(x)
    out = np.zeros((), np.float32)
    assert np.sum(x, out=out) is out and out == X.sum()
    with pytest.raises(errors.ImmutableArrayError, match="immutable"):
        np.sum(X, out=jnp.zeros(()))
    with pytest.raises(errors.TracerArrayConversionError, match="out="):
        jitgrad.jit(lambda x: np.sum(x, out=np.zeros(())))(x)


def test_dtype_is_honoured_or_refused():
    x = jnp.array(X)
    assert np.add(x, x, dtype=np.float64).dtype == np.float64
    assert np.sum(x, dtype=np.float64).dtype == np.float64
    assert np.add.reduce(x, dtype=np.float64).dtype == np.float64
    assert np.add(jnp.array([1, 2]), 1, dtype="float32").dtype == np.float32
    assert np.equal(x, x, dtype=bool).dtype == np.bool_
    for wrong in (lambda: np.add(x, x, dtype=np.int32), lambda: np.sin(x, dtype=int), lambda: np.sin(jnp.array([1]), dtype=int)):
        with pytest.raises(errors.DTypeError, match="dtype="):
            wrong()


def test_where_of_a_ufunc_needs_out():
    x, mask = jnp.array(X), np.array([True, False, True])
    with pytest.raises(errors.ArgumentError, match=r"numpy\.sin: where= without out="):
        np.sin(x, where=mask)
    assert np.sin(x, where=mask, out=np.full(3, 7.0, np.float32))[1] == 7
    assert np.add.reduce(x, where=mask) == np.sum(x, where=mask) == np.add.reduce(X, where=mask)


@pytest.mark.parametrize(
    "write",
    [
        lambda x: np.fill_diagonal(x, 1), lambda x: np.copyto(x, 0), lambda x: np.put(x, [0], 1), lambda x: np.place(x, x > 0, [1]),
        lambda x: np.putmask(x, x > 0, 1), lambda x: np.put_along_axis(x, np.array([[0]]), 1, 1), lambda x: np.add.at(x, [0], 1),
    ],
)  # fmt: skip
def test_functions_that_write_into_their_argument_refuse_arrays(write):
    with pytest.raises(errors.ImmutableArrayError, match=r"x\.at\[i\]\.set"):
        write(jnp.ones((2, 2)))


def test_writing_an_array_into_an_ndarray_needs_concrete_elements():
    target = np.zeros(3)
    np.copyto(target, jnp.array(X))
    np.add.at(target, [0, 0], jnp.array([1.0, 2.0]))
    assert np.allclose(target, X + [3, 0, 0])
    with pytest.raises(errors.TracerArrayConversionError, match=r"numpy\.copyto, which writes"):
        jitgrad.jit(lambda x: np.copyto(target, x))(jnp.array(X))


def test_shapes_and_types_of_traced_arrays_are_known_to_numpy():
    seen = []

    def f(x):
        seen.extend([np.shape(x), np.ndim(x), np.size(x), np.result_type(x, np.int8), np.iscomplexobj(x)])
        return x

    jitgrad.jit(f)(jnp.ones((2, 3)))
    assert seen == [(2, 3), 2, 6, np.float32, False]


def test_printing_by_numpy_stays_allowed_under_differentiation():
    seen = []
    jitgrad.grad(lambda x: (seen.append(np.array2string(x, precision=1)), jnp.sum(x))[1])(jnp.array(X))
    assert seen == ["[0.7 0.2 1.1]"]


def test_another_library_that_answers_numpy_is_asked():
    class Other:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return "other"

    assert np.add(jnp.array(X), Other()) == "other"


def test_masked_arrays_keep_their_masks_or_are_refused():
    masked = np.ma.array(X, mask=[False, True, False])
    with pytest.raises(errors.NotAnArrayError, match="masked"):
        jnp.array(X) * masked
    try:
        product = masked * jnp.array(X)
    except errors.NotAnArrayError:
        return
    assert np.ma.is_masked(product)
