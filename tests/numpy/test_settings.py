"""Settings that another argument makes idle, or that mean something in jax alone, are checked all the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, lax
from jitgrad.scipy import linalg, special

V, S, X, I = jnp.arange(3.0), jnp.array([[2.0, 1.0], [1.0, 3.0]]), jnp.arange(6.0).reshape(2, 3), jnp.array([0, 1, 0])
MASK = jnp.array([True, False, True])
NO_NUMBER = "needs an array or a number, got the string 'junk', which is no number"

FILLED: dict[str, Callable[..., Any]] = {
    "nonzero": lambda **more: jnp.nonzero(X, **more), "flatnonzero": lambda **more: jnp.flatnonzero(X, **more),
    "argwhere": lambda **more: jnp.argwhere(X, **more), "argwhere ": lambda **more: jnp.argwhere(X[0, 0], **more),
    "where": lambda **more: jnp.where(X, **more), "compress": lambda **more: jnp.compress(MASK, V, **more),
    "extract": lambda **more: jnp.extract(MASK, V, **more), "unique": lambda **more: jnp.unique(V, **more),
    "unique_all": lambda **more: jnp.unique_all(V, **more), "unique_counts": lambda **more: jnp.unique_counts(V, **more),
    "unique_inverse": lambda **more: jnp.unique_inverse(V, **more), "unique_values": lambda **more: jnp.unique_values(V, **more),
    "union1d": lambda **more: jnp.union1d(V, V, **more), "intersect1d": lambda **more: jnp.intersect1d(V, V, **more),
    "setdiff1d": lambda **more: jnp.setdiff1d(V, V[:1], **more), "setxor1d": lambda **more: jnp.setxor1d(V, V[:1], **more),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLED)
@pytest.mark.parametrize("size", [{}, {"size": 3}])
def test_a_fill_value_is_a_number_whether_or_not_a_size_is_given(name: str, size: dict[str, int]) -> None:
    with pytest.raises(errors.NotAnArrayError, match=rf"\b{name.strip()}\b.*{NO_NUMBER}"):
        FILLED[name](fill_value="junk", **size)
    FILLED[name](fill_value=1, **size)


def test_compress_fills_with_traced_numbers() -> None:
    filled = jitgrad.jit(lambda x, number: jnp.compress(MASK, x, size=3, fill_value=number))(V, 9.0)
    np.testing.assert_array_equal(filled, [0, 2, 9])


IDLE: dict[str, tuple[str, Callable[[], Any]]] = {
    "get, mode": ("mode must be one of .*, got 'junk'", lambda: V.at[0].get(mode="junk")),
    "get, fill_value": (NO_NUMBER, lambda: V.at[0].get(mode="clip", fill_value="junk")),
    "convolve": ("convolve: precision must be None", lambda: jnp.convolve(V, V, precision="junk")),
    "correlate": ("correlate: precision must be None", lambda: jnp.correlate(V, V, precision="junk")),
    "diff, append": (f"diff {NO_NUMBER}", lambda: jnp.diff(V, 0, append="junk")),
    "diff, prepend": (f"diff {NO_NUMBER}", lambda: jnp.diff(V, 0, prepend="junk")),
    "edges, weights": (NO_NUMBER, lambda: jnp.histogram_bin_edges(V, weights="junk")),
    "edges, few weights": ("weights must have the size of a, 3; got 2", lambda: jnp.histogram_bin_edges(V, weights=V[:2])),
    "nan_to_num, nan": (NO_NUMBER, lambda: jnp.nan_to_num(I, nan="junk")),
    "nan_to_num, posinf": (NO_NUMBER, lambda: jnp.nan_to_num(I, posinf="junk")),
    "nan_to_num, neginf": (NO_NUMBER, lambda: jnp.nan_to_num(I, neginf="junk")),
    "polyval": ("polyval: unroll must be an integer", lambda: jnp.polyval(V, 2.0, unroll="junk")),
    "matrix_rank, tol": (NO_NUMBER, lambda: jnp.linalg.matrix_rank(V, tol="junk")),
    "matrix_rank, rtol": (NO_NUMBER, lambda: jnp.linalg.matrix_rank(jnp.zeros((0, 2)), rtol="junk")),
    "expm": ("expm: max_squarings must be an integer", lambda: linalg.expm(jnp.zeros((0, 0)), max_squarings="junk")),
    "polar, eps": (NO_NUMBER, lambda: linalg.polar(X, eps="junk")),
    "polar, iterations": ("polar: max_iterations must be an integer", lambda: linalg.polar(X, max_iterations="junk")),
    "qdwh, eps": (NO_NUMBER, lambda: lax.linalg.qdwh(X.T, eps="junk")),
    "qdwh, iterations": ("qdwh: max_iterations must be an integer", lambda: lax.linalg.qdwh(X.T, max_iterations="junk")),
    "qdwh, shape": (
        re.escape("qdwh: dynamic_shape must be None or that of x, (3, 2), got (2, 2)"),
        lambda: lax.linalg.qdwh(X.T, dynamic_shape=(2, 2)),
    ),
    "solve_sylvester": (NO_NUMBER, lambda: linalg.solve_sylvester(S, S, S, tol="junk")),
    "solve_triangular": ("debug must be True or False, got 'junk'", lambda: linalg.solve_triangular(S, S, debug="junk")),
}  # fmt: skip


@pytest.mark.parametrize("name", IDLE)
def test_a_setting_that_changes_nothing_here_is_still_checked(name: str) -> None:
    words, call = IDLE[name]
    for _ in range(3):  # once, written down, and replayed
        with pytest.raises((errors.JitgradError, TypeError), match=words):
            call()


PADDINGS = {
    "constant": "constant_values", "linear_ramp": "end_values", "reflect": "reflect_type", "symmetric": "reflect_type",
    "maximum": "stat_length", "minimum": "stat_length", "mean": "stat_length", "median": "stat_length", "edge": None, "wrap": None,
    "empty": None,
}  # fmt: skip
VALUES = {"constant_values": 0, "end_values": 0, "reflect_type": "even", "stat_length": 2}


@pytest.mark.parametrize("mode", PADDINGS)
def test_pad_takes_the_keywords_of_its_mode_alone(mode: str) -> None:
    for keyword, value in VALUES.items():
        if keyword == PADDINGS[mode]:
            np.testing.assert_array_equal(
                jnp.pad(V, 1, mode, **{keyword: value}),
                np.pad(np.arange(3.0), 1, mode, **{keyword: value}),  # type: ignore[call-overload]
            )
        else:
            words = f"pad: unsupported keyword arguments for mode '{mode}': {keyword}; it takes {PADDINGS[mode] or 'none of them'}"
            with pytest.raises(errors.ArgumentError, match=words):
                jnp.pad(V, 1, mode, **{keyword: value})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linalg.hadamard(2**70), "hadamard: n is an integer of 64 bits, got 1180591620717411303424"),
        (lambda: linalg.hadamard(2**40), "hadamard"),
        (
            lambda: linalg.pascal(2**40),
            "pascal: n must be 515 or less, because float64 does not hold the elements of more, got 109",
        ),
        (lambda: linalg.pascal(516), "pascal: n must be 515 or less"),
        (lambda: linalg.pascal(1031, "lower"), "pascal: n must be 1030 or less"),
        (lambda: linalg.invpascal(518), "invpascal: n must be 517 or less"),
        (lambda: linalg.invpascal(1031, "upper"), "invpascal: n must be 1030 or less"),
        (lambda: linalg.invhilbert(204), "invhilbert: n must be 203 or less"),
        (lambda: special.bernoulli(2**70), "bernoulli: n is an integer of 64 bits, got 1180591620717411303424"),
        (lambda: special.multigammaln(5.0, 2**70), "multigammaln: d must be an integer of 64 bits, got 1180591620717411303424"),
        (lambda: special.multigammaln(5.0, 0), "multigammaln: d must be an integer of 1 or more, got 0"),
        (lambda: special.multigammaln(5.0, 1.5), "multigammaln: d must be an integer, got float: '1.5'"),
    ],
)
def test_sizes_that_no_machine_has_room_for_are_refused_at_once(call: Callable[[], Any], words: str) -> None:
    with pytest.raises((errors.JitgradError, ValueError), match=words):
        call()


def test_the_largest_matrix_that_float64_holds_is_made() -> None:
    assert linalg.invhilbert(203)[0, 0] == 203**2


def test_bernoulli_numbers_out_of_range_are_infinite_with_their_signs() -> None:
    numbers = np.asarray(special.bernoulli(263), np.float64)[258:]
    np.testing.assert_array_equal(numbers[1:], [0, -np.inf, 0, np.inf, 0])
