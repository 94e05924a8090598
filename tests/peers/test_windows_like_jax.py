"""Convolutions and reductions of windows give jax's numbers on random arguments: values, and first and second derivatives."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax

if importlib.util.find_spec("jax") is None:
    pytest.skip("jax is not installed (extra test-peers)", allow_module_level=True)

few = settings(max_examples=12)


@pytest.fixture(scope="module", autouse=True)
def jax():
    import jax

    with jax.enable_x64(True):
        yield jax


def counts(rank, most=3):
    return st.lists(st.integers(1, most), min_size=rank, max_size=rank).map(tuple)


def pairs(rank, least=0):
    return st.lists(st.tuples(st.integers(0, 3), st.integers(least, 3)), min_size=rank, max_size=rank)


@st.composite
def cases(draw, names=("VALID", "SAME", "SAME_LOWER"), least_rank=0):
    """Shapes in random orders of axes, and the arguments that all convolutions have."""
    rank = draw(st.integers(least_rank, 3))
    letters = "HWD"[:rank]
    numbers = tuple("".join(draw(st.permutations(marks + letters))) for marks in ("NC", "OI", "NC"))
    sizes = dict(zip(letters, draw(st.lists(st.integers(3, 6), min_size=rank, max_size=rank)), strict=True))
    window = dict(zip(letters, draw(counts(rank)), strict=True))
    padding = draw(st.one_of(st.sampled_from(names), pairs(rank, -1)))
    of = {"window_strides": draw(counts(rank)), "padding": padding, "rhs_dilation": draw(counts(rank, 2))}
    of["lhs_dilation"] = None if isinstance(padding, str) else draw(counts(rank, 2))
    of["dimension_numbers"] = numbers
    batch, features, results = draw(st.integers(0, 2)), draw(st.integers(0, 2)), draw(st.integers(1, 2))
    return sizes, window, batch, features, results, of, draw(st.integers(0, 99))


def array(spec, seed, kind="float64", **sizes):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal([sizes[c] for c in spec])
    return (x + 1j * rng.standard_normal(x.shape) if kind == "complex128" else x).astype(kind)


def assert_like(jax, f, *arguments, derivatives=True):
    """`f(lax)` of ours and of jax agree in values and in the first and second derivative with respect to each argument."""

    def of(where, numpy, grad):
        call = f(where)
        yield call(*arguments)
        for n in range(len(arguments)) if derivatives else ():
            first = grad(lambda *a: numpy.sum(call(*a) ** 2), n)
            yield first(*arguments)
            yield grad(lambda *a, g=first: numpy.sum(g(*a) ** 2), n)(*arguments)

    for ours, theirs in zip(of(lax, jnp, jitgrad.grad), of(jax.lax, jax.numpy, jax.grad), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@few
@given(cases(), st.sampled_from([(1, 1), (2, 1), (3, 1), (1, 2)]), st.sampled_from(["float64", "complex128"]))
def test_convolutions(jax, case, groups, kind):
    sizes, window, batch, features, results, of, seed = case
    by_feature, by_batch = groups
    numbers = of["dimension_numbers"]
    x = array(numbers[0], seed, kind, **sizes, N=batch * by_batch, C=features * by_feature)
    w = array(numbers[1], seed + 1, kind, **window, I=features, O=results * by_feature * by_batch)
    of = {**of, "feature_group_count": by_feature, "batch_group_count": by_batch}
    whole = features > 0 and batch > 0
    assert_like(
        jax, lambda where: lambda x, w: where.conv_general_dilated(x, w, **of), x, w, derivatives=kind == "float64" and whole
    )


@few
@given(cases(("VALID", "SAME"), 1), st.booleans(), st.booleans())
def test_transposed_convolutions(jax, case, turned, consistent):
    sizes, window, batch, features, results, of, seed = case
    numbers = of["dimension_numbers"]
    x = array(numbers[0], seed, **sizes, N=batch + 1, C=features + 1)
    swapped = {"I": results, "O": features + 1} if turned else {"O": results, "I": features + 1}
    w = array(numbers[1], seed + 1, **window, **swapped)
    assert_like(
        jax,
        lambda where: lambda x, w: where.conv_transpose(
            x, w, of["window_strides"], of["padding"], of["rhs_dilation"], numbers, turned, use_consistent_padding=consistent
        ),
        x, w, derivatives=False,
    )  # fmt: skip


@few
@given(cases(least_rank=1))
def test_patches_and_local_convolutions(jax, case):
    sizes, window, batch, features, results, of, seed = case
    numbers = of["dimension_numbers"]
    shape = tuple(window[c] for c in numbers[1] if c not in "OI")
    x = array(numbers[0], seed, **sizes, N=batch, C=features + 1)
    assert_like(jax, lambda where: lambda x: where.conv_general_dilated_patches(x, shape, **of), x, derivatives=False)
    patches = lax.conv_general_dilated_patches(x, shape, **of)
    places = dict(zip(numbers[2], patches.shape, strict=True))
    w = array(numbers[1], seed + 1, **places | {"I": places["C"], "O": results})
    assert_like(
        jax, lambda where: lambda x, w: where.conv_general_dilated_local(x, w, filter_shape=shape, **of), x, w, derivatives=False
    )


@few
@given(st.data(), st.sampled_from(["add", "mul", "max", "min"]), st.sampled_from(["float64", "float32", "int32", "bfloat16"]))
def test_reductions_of_windows(jax, data, name, kind):
    rank = data.draw(st.integers(1, 3))
    shape = data.draw(counts(rank, 6))
    x = np.asarray(jnp.asarray(np.random.default_rng(data.draw(st.integers(0, 99))).integers(-3, 4, shape), kind))
    neutral = {"add": 0, "mul": 1, "max": -3, "min": 4}[name]
    padding = data.draw(st.one_of(st.sampled_from(["VALID", "SAME", "SAME_LOWER"]), pairs(rank)))
    of = [data.draw(counts(rank)), data.draw(counts(rank)), padding, data.draw(counts(rank, 2)), data.draw(counts(rank, 2))]
    if kind == "float64":
        neutral = {"max": -np.inf, "min": np.inf}.get(name, neutral)
    init = np.asarray(neutral, x.dtype)
    assert_like(
        jax,
        lambda where: lambda x: where.reduce_window(x, init, getattr(where, name), *of),
        x, derivatives=kind == "float64" and name == "add",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize(
    "window", [((1, 2, 2, 1), (1, 2, 2, 1), "VALID"), ((1, 3, 3, 1), (1, 2, 2, 1), "SAME")], ids=["apart", "same"]
)
def test_derivatives_of_equal_elements(jax, name, window):
    x = np.random.default_rng(1).integers(0, 3, (2, 7, 8, 3)).astype("float64")
    init = -np.inf if name == "max" else np.inf

    def derivative(where, numpy, grad):
        return grad(lambda x: numpy.sum(where.reduce_window(x, init, getattr(where, name), *window) ** 3))(x)

    np.testing.assert_allclose(derivative(lax, jnp, jitgrad.grad), derivative(jax.lax, jax.numpy, jax.grad), rtol=1e-12)
