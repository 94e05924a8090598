"""Mistakes that are easily made with sizes, with attributes and with changes in place: what the errors say to write instead."""

from __future__ import annotations

import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, jit, lax, nn, random, vmap

SIZES = [
    (lambda: jnp.zeros(3, 4, 5), TypeError, r"Shape is one tuple: zeros\(\(3, 4, 5\)\)\. It takes shape, dtype, device\."),
    (lambda: jnp.full(3, 4, 5, 6), TypeError, r"Shape is one tuple: full\(\(3, 4, 5\), 6\)"),
    (lambda: jnp.broadcast_to(jnp.ones(3), 2, 3), TypeError, r"Shape is one tuple: broadcast_to\(array, \(2, 3\)\)"),
    (lambda: jnp.tile(jnp.ones(3), 2, 3), TypeError, r"Reps is one tuple: tile\(A, \(2, 3\)\)"),
    (lambda: jnp.transpose(jnp.ones((2, 3)), 1, 0), TypeError, r"Axes is one tuple: transpose\(a, \(1, 0\)\)"),
    (lambda: jnp.eye((3, 4)), errors.ParametersError, r"eye: rows and columns are arguments of their own: eye\(3, 4\), not"),
    (lambda: jnp.tri((3, 4)), errors.ParametersError, r"tri: rows and columns are arguments of their own: tri\(3, 4\), not"),
    (lambda: jnp.identity((3, 3)), errors.ParametersError, r"identity: a square matrix has one size: identity\(3\)"),
    (lambda: jnp.zeros(3.0), errors.ParametersError, r"zeros: a shape is an integer or a .*, got float: '3\.0'\. Write 3;"),
    (lambda: jnp.ones((2, 3.5)), errors.ParametersError, r"ones: a shape is .* tuple of integers, got float: '3\.5'\."),
    (lambda: jnp.zeros("3"), errors.ParametersError, r"zeros: .* got str: '3'"),
    (lambda: jnp.zeros(None), errors.ParametersError, r"zeros: .* got NoneType"),
    (lambda: jnp.zeros(jnp.float32(3)), errors.ParametersError, r"zeros: .* got Array: '3\.0'\. Make it an integer with int\(\)"),
    (lambda: jnp.eye(3.0), errors.ParametersError, r"eye: a shape is .* Write 3;"),
    (lambda: jnp.ones(6).reshape(6.0), errors.ParametersError, r"reshape: a shape is .* Write 6;"),
    (lambda: jnp.linspace(0, 1, 5.0), errors.ParametersError, r"linspace: num is an integer.* Write 5;"),
    (lambda: jnp.tile(jnp.ones(3), 2.0), errors.ParametersError, r"tile: reps is an integer or a tuple of integers.* Write 2;"),
    (lambda: lax.top_k(jnp.ones(3), 2.0), errors.ParametersError, r"lax\.top_k: k must be an integer.* Write 2;"),
    (lambda: nn.one_hot(jnp.arange(3), 3.0), errors.ParametersError, r"nn\.one_hot: num_classes is an integer.* Write 3;"),
    (lambda: random.normal(random.key(0), 3.0), errors.ParametersError, r"random\.normal: a shape is .* Write 3;"),
    (lambda: random.uniform(random.key(0), 2, 3, 4, 5, 6), TypeError, r"Shape is one tuple: uniform\(key, \(2, 3, 4, 5, 6\)\)"),
    (lambda: jit(jnp.sin, jnp.ones(3)), TypeError, r"The values are arguments of the function that it gives: jit\(f\)\(x\)\."),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), SIZES, ids=lambda x: x[:40] if isinstance(x, str) else "")
def test_a_size_that_is_none_is_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()


def delete(x):
    del x[0]


def delete_at(x):
    del x.at[0]


def set_shape(x):
    x.shape = (3, 2)


def set_dtype(x):
    x.dtype = jnp.int32


def set_transposed(x):
    x.T = x


@pytest.mark.parametrize(
    ("change", "text"),
    [(delete, r"del x\[0\]: jitgrad arrays are immutable, got float32\[2, 3\]\. Write x = jnp\.delete\(x, 0, axis=0\)"),
     (delete_at, r"del x\.at\[0\]: arrays never change\. Write x = jnp\.delete\(x, 0, axis=0\)"),
     (set_shape, r"x\.shape = value: jitgrad arrays are immutable\. Write x = x\.reshape\(shape\)"),
     (set_dtype, r"x\.dtype = value: .* Write x = x\.astype\(dtype\)"), (set_transposed, r"x\.T = value: .* Write x = value\.T")],
)  # fmt: skip
def test_a_change_in_place_is_refused_with_what_to_write(change, text):
    with pytest.raises(errors.ImmutableArrayError, match=text):
        change(jnp.ones((2, 3)))


@pytest.mark.parametrize("name", ["set", "add", "multiply", "get", "min", "max", "apply", "divide", "power", "subtract", "mul"])
def test_a_method_of_at_without_an_index_is_explained(name):
    with pytest.raises(errors.MissingNameError, match=rf"x\.at\.{name}: x\.at takes its index first\. Write x\.at\[i\]\.{name}\("):
        getattr(jnp.ones(3).at, name)
    assert not hasattr(jnp.ones(3).at, name)


@pytest.mark.parametrize(
    "take", [lambda x: x.item(), lambda x: x.tolist(), "%.3f".__mod__, float, complex, int],
    ids=["item", "tolist", "format", "float", "complex", "int"],
)  # fmt: skip
@pytest.mark.parametrize("transform", [jit, lambda f: lambda x: vmap(f)(x[None])], ids=["jit", "vmap"])
def test_a_number_of_a_traced_value_is_refused_with_how_to_see_and_to_have_it(transform, take):
    with pytest.raises(errors.ConcretizationTypeError, match=r"jitgrad\.debug\.print\('\{\}', x\), .* or return the value from"):
        transform(lambda x: (take(x), x)[1])(jnp.float32(1))


@pytest.mark.parametrize("code", ["%d", "%i", "%x"])
def test_a_traced_value_in_a_format_of_integers_is_explained(code):
    with pytest.raises(TypeError, match=r"format: .* not Array\. .*jitgrad\.debug\.print"):
        jit(lambda x: code % x)(3)


def test_an_attribute_that_is_called_is_explained_where_it_can_be():
    with pytest.raises(TypeError, match=r"'Array' object is not callable\. .*x\.T without parentheses"):
        jit(lambda x: x.T())(jnp.ones((2, 3)))
    with pytest.raises(TypeError, match=r"'tuple' object is not callable\. .*x\.shape\[0\]"):
        jit(lambda x: x.shape(0))(jnp.ones((2, 3)))
