"""What users of PyTorch, TensorFlow and NumPy type, and the messages that say what it is here."""

from __future__ import annotations

import math

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, vmap
from jitgrad.numpy.methods import Elsewhere
from jitgrad.suggestions.foreign import ATTRIBUTES

X, A = jnp.ones(4), jnp.ones((2, 3))


def message(call, error=Exception):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


ATTRIBUTE_CASES = {
    "backward": "jitgrad.grad(f)(w)", "detach": "jitgrad.lax.stop_gradient(x)", "numpy": "numpy.asarray(x)", "cuda": "device_put",
    "unsqueeze": "jnp.expand_dims", "permute": "x.transpose(axes)", "assign": "x.at[i].set(v)", "add_": "x.at[i].set(v)",
    "exp": "jitgrad.numpy.exp(x)", "einsum": "jitgrad.numpy.einsum(x)", "numel": "x.size",
    "masked_fill": "jnp.where", "double": "astype(jnp.float64)",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTE_CASES)
def test_an_attribute_that_arrays_do_not_have_is_told_by_what_it_is_here(name):
    for x in (X, A):
        text = message(lambda x=x: getattr(x, name), errors.MissingNameError)
        assert ATTRIBUTE_CASES[name] in text and f"{name!r}" in text and f"at {__file__}:" in text
    assert ATTRIBUTE_CASES[name] in message(lambda: jit(lambda x: getattr(x, name)())(X), AttributeError)
    assert not hasattr(X, name) and getattr(X, name, None) is None


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_no_attribute_of_arrays_is_said_to_be_missing(name):
    assert type(vars(type(X))[name]) is Elsewhere and name not in dir(X)


def test_attributes_of_arrays_are_found_without_a_hook():
    """Python looks up attributes of classes with `__getattr__` twice as slowly, and jit reads several of each argument."""
    assert not any("__getattr__" in vars(c) or "__getattribute__" in vars(c) for c in type(X).__mro__[:-1])


KEYWORD_CASES = {
    "dim": (lambda: X.sum(dim=0), "In jitgrad it is axis=."),
    "keepdim": (lambda: jnp.mean(X, keepdim=True), "In jitgrad it is keepdims=."),
    "keep_dims": (lambda: jit(lambda x: jnp.max(x, keep_dims=True))(X), "In jitgrad it is keepdims=."),
    "misspelt": (lambda: jnp.sum(X, axes=0), "Did you mean axis=?"),
    "unbiased": (lambda: jnp.var(X, unbiased=False), "In jitgrad it is ddof=."),
    "others": (lambda: jnp.sum(X, colour=0), "It takes a, axis, dtype"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYWORD_CASES)
def test_a_keyword_of_another_library_is_told_by_what_it_is_here(name):
    call, part = KEYWORD_CASES[name]
    assert part in message(call, TypeError)


def test_errors_inside_the_users_function_are_left_alone():
    def f(x):
        return X.sum() + (lambda y: y)(z=x)

    assert "It takes" not in message(lambda: jit(f)(X), TypeError)


ONE_LIST = {
    "concatenate": lambda: jnp.concatenate(X, X), "concatenate of matrices": lambda: jnp.concatenate(A, A),
    "stack": lambda: jnp.stack(X, X), "hstack": lambda: jnp.hstack(X, X), "vstack": lambda: jnp.vstack(A, A),
    "of NumPy arrays": lambda: jnp.concatenate(np.ones(2), np.ones(2)), "with lists": lambda: jnp.concatenate([X], [X]),
    "three": lambda: jnp.concatenate(X, X, X),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_LIST)
def test_arrays_that_are_joined_belong_into_one_list(name):
    text = message(ONE_LIST[name], ValueError)
    assert "the arrays belong into one list" in text and "([a, b])" in text


def test_a_view_in_another_shape_is_a_reshape():
    for call, part in (
        (lambda: X.view(-1), "x.reshape(-1)"),
        (lambda: X.view(2, 2), "x.reshape(2, 2)"),
        (lambda: X.view((2, 2)), "reshape"),
    ):
        assert part in message(call, errors.ArgumentError)


# Writing in place


def test_writing_in_place_is_told_with_the_line_to_write():
    def assign(x):
        x.at[0] = 1

    def add(x):
        x.at[0] += 1

    def scale(x):
        x.at[1:] *= 2

    def item(x):
        x[0] = 1

    def more(x):
        x[0] += 1

    for f, part in (
        (assign, ".at[0].set(value)"),
        (add, ".at[0].add(value)"),
        (scale, ".multiply(value)"),
        (item, ".set"),
        (more, ".add"),
    ):
        for mode in (lambda f: f, jit):
            text = message(lambda f=f, mode=mode: mode(f)(X), errors.ImmutableArrayError)
            assert part in text and f"at {__file__}:" in text
    assert "in brackets" in message(lambda: X.at(0), errors.IndexingError)

    def into_numpy(x):
        buffer = np.zeros(4)
        buffer += x
        return buffer

    assert "into a NumPy array" in message(lambda: jit(into_numpy)(X), TypeError)


def test_a_value_that_does_not_fit_the_index_is_told_with_the_method():
    for name in ("set", "add", "subtract", "multiply", "divide", "power", "min", "max"):
        for call in (
            lambda n=name: getattr(X.at[:2], n)(jnp.ones(3)),
            lambda n=name: getattr(X.at[np.array([0, 1])], n)(jnp.ones(3)),
        ):
            text = message(call, errors.ShapeError)
            assert f"at[].{name}: " in text and "(3,)" in text and "(2,)" in text and "(4,)" in text


# Elements that are not there


def test_an_empty_axis_has_no_elements():
    empty, wide = jnp.zeros(0), jnp.zeros((0, 3))
    cases = (
        lambda: empty[0],
        lambda: jit(lambda x, i: x[i])(empty, 0),
        lambda: jit(lambda x: x[-1])(wide),
        lambda: empty[jnp.array([0])],
    )
    for call in (*cases, lambda: jit(lambda x, i: x[i])(wide, 0), lambda: vmap(lambda i: empty[i])(jnp.arange(2))):
        assert "an axis of size 0" in message(call, errors.IndexingError)


def test_a_scalar_has_no_length():
    assert "x[None] has an axis" in message(lambda: len(jnp.array(1.0)), TypeError)
    assert "x[None] has an axis" in message(lambda: list(jnp.array(1.0)), TypeError)


def test_einsum_shows_the_shapes():
    text = message(lambda: jnp.einsum("ij,jk->ik", A, A), errors.ShapeError)
    assert "'j'" in text and "3 and 2" in text and "(2, 3) and (2, 3)" in text


# Python's functions on traced values

TRACED = {
    "sorted": (lambda x: sorted(x), "`sorted`", "jitgrad.numpy.sort(x)"),
    "sorted, from the end": (lambda x: sorted(x, reverse=True), "`sorted`", "jitgrad.numpy.sort(x)"),
    "sorted of a list": (lambda x: sorted([x[0], x[1]]), "`sorted`", "jitgrad.numpy.sort(jitgrad.numpy.array([x[0], x[1]]))"),
    "in a list": (lambda x: x[0] in [1.0, 2.0], "`in`", "jitgrad.numpy.any(jitgrad.numpy.array([1.0, 2.0]) == x[0])"),
    "not in": (lambda x: x[0] not in (1.0, 2.0), "`in`", "~jitgrad.numpy.any(jitgrad.numpy.array((1.0, 2.0)) == x[0])"),
    "in an array": (lambda x: 1.0 in x, "`in`", "jitgrad.numpy.any(x == 1.0)"),
    "list.index": (lambda x: [1.5, 2.0].index(x[0]), "`list.index`", "argmax(jitgrad.numpy.array([1.5, 2.0]) == x[0])"),
    "list.sort": (lambda x: list(x).sort(), "`list.sort`", "jitgrad.numpy.sort("),
    "math": (lambda x: math.sin(x[0]), "math.sin", "jitgrad.numpy.sin"),
    "math's other names": (lambda x: math.atan2(x[0], 1.0), "math.atan2", "jitgrad.numpy.arctan2"),
    "numpy.random": (lambda x: np.random.normal(x, 1.0, 4), "np.random.normal", "jitgrad.random"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACED)
def test_pythons_functions_are_told_by_jitgrads(name):
    f, what, instead = TRACED[name]
    for transform in (jit, lambda f: jit(grad(lambda x: x.sum() * 0.0 + f(x)))):
        text = message(lambda transform=transform: transform(f)(X), errors.ConcretizationTypeError)
        assert what in text and instead in text
