"""vectorize: against numpy.vectorize, with signatures, excluded arguments, and mistakes."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close

A, B, M = np.arange(6.0).reshape(2, 3), np.arange(3.0), np.arange(24.0).reshape(4, 3, 2)
SIGNATURES = {
    "(n),(n,m)->(m)": (lambda x, y: x @ y, (A[:1], M)),
    "(n),(n,m)->(m),(n)": (lambda x, y: (x @ y, 2 * x), (A[:, None], M)),
    "(n)->()": (lambda x: x.sum(), (M,)),
    "(n),()->(n)": (lambda x, k: x * k, (M, np.ones((5, 1, 3)))),
    "( n , m ) , (m) -> (n)": (lambda x, y: x @ y, (M, np.ones(2))),
}


@pytest.mark.parametrize("mode", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("signature", SIGNATURES)
def test_axes_in_front_of_the_core_broadcast(mode, signature):
    f, args = SIGNATURES[signature]
    expected = np.vectorize(f, signature=signature.replace(" ", ""))(*args)
    assert_close(mode(jnp.vectorize(f, signature=signature))(*args), expected)


def test_scalars_broadcast_without_a_signature():
    assert_close(jnp.vectorize(lambda x, y: jnp.where(x > y, x, y))(A, B), np.maximum(A, B))
    assert_close(jnp.vectorize(lambda x, y: x * y)(A[:, :1], y=B), A[:, :1] * B)
    assert_close(jnp.vectorize(lambda x: x[:2], signature="(n)->(m)")(M[:0].swapaxes(1, 2)), M[:0, :2].swapaxes(1, 2))
    assert_close(jitgrad.grad(lambda x: jnp.vectorize(lambda x, y: x * y)(x, B).sum())(A), A * 0 + B)


def test_excluded_arguments_are_handed_on():
    def turned(x, way="plain"):
        return x if way == "plain" else -x

    assert_close(jnp.vectorize(turned, excluded={1})(A, "minus"), -A)
    assert_close(jnp.vectorize(turned, excluded={"way"})(A, way="minus"), -A)
    assert_close(jnp.vectorize(lambda x, y: x if y is None else y)(A, None), A)
    assert turned.__name__ == jnp.vectorize(turned).__name__


MISTAKES = {
    "a bad signature": (lambda: jnp.vectorize(np.dot, signature="n,n->n")(A, A), errors.ArgumentError, "must be like"),
    "sizes of one name": (lambda: jnp.vectorize(np.dot, signature="(n),(n)->()")(A, M), errors.ShapeError, "axis 'n' has size 3"),
    "too few axes": (lambda: jnp.vectorize(np.dot, signature="(n,m)->()")(B), errors.ShapeError, r"at least the axes \(n, m\)"),
    "another count": (lambda: jnp.vectorize(np.dot, signature="(n)->()")(B, B), errors.ArgumentError, "of 1 arguments, got 2"),
    "another result": (lambda: jnp.vectorize(lambda x: x, signature="(n)->()")(B), errors.ShapeError, "result 0"),
    "an excluded number": (lambda: jnp.vectorize(np.dot, excluded={-1}), errors.ArgumentError, "excluded"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told(name):
    call, error, text = MISTAKES[name]
    with pytest.raises(error, match=text):
        call()
