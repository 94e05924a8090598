"""Which argument of a failed call is of no kind that its parameter takes: by annotations, and in the words of the error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad.scipy import signal
from jitgrad.suggestions.arguments import misfit

V, M = jnp.array([1.0, 2.0, 3.0]), jnp.eye(3)


def called(
    a: ArrayLike,  # type: ignore[name-defined]  # noqa: F821
    n: int | None = None,
    flag: bool = False,
    name: str = "x",
    axes: int | Sequence[int] | None = None,
    f: Callable[[int], Any] | None = None,
    size: float = 1.0,
    anything: Any = None,
    *rest: int,
    **more: str,
) -> None:
    """Its annotations are what is asked."""


@pytest.mark.parametrize(
    ("args", "keywords", "name", "takes"),
    [
        (("x",), {}, "a", "an array or a number"),
        ((V, 1.5), {}, "n", "an integer or None"),
        ((V,), {"flag": "yes"}, "flag", "True or False"),
        ((V,), {"flag": V}, "flag", "True or False"),
        ((V,), {"flag": jnp.array(True)}, None, ""),
        ((V,), {"name": 3}, "name", "a string"),
        ((V,), {"axes": (0, 1.5)}, "axes", "an integer, a sequence of integers or None"),
        ((V,), {"axes": "ab"}, "axes", "an integer, a sequence of integers or None"),
        ((V,), {"f": 3}, "f", "a function or None"),
        ((V,), {"size": 1j}, "size", "a number"),
        ((V,), {"size": "1"}, "size", "a number"),
        ((V, 1, True, "x", [0], abs, np.float32(2), object(), 1, 2.5), {}, "rest[1]", "an integer"),
        ((V,), {"other": 1}, "other", "a string"),
        ((V, np.int8(1), np.True_, "x", np.array([0, 1]), abs, jnp.array(2.0)), {"other": "y"}, None, ""),
    ],
)
def test_the_first_argument_that_does_not_fit_is_found(args: Any, keywords: Any, name: str | None, takes: str) -> None:
    found = misfit(called, args, keywords, lists=False)
    assert (found and (found.name, found.takes)) == (name and (name, takes))


def test_lists_of_numbers_fit_where_a_function_takes_them() -> None:
    for value, fits in (([1.0, 2.0], True), ([[1, 2], [3]], False), ([1, "x"], False)):
        assert (misfit(called, (value,), {}, lists=True) is None) is fits
        assert misfit(called, (value,), {}, lists=False) is not None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: jnp.linalg.lstsq(M, V, rcond="x"), r"^lstsq: rcond must be a number or None, got 'x' \(.*\). It was called as"),
        (lambda: jnp.linalg.cross(V, V, axis=None), "^cross: axis must be an integer, got None"),
        (
            lambda: jnp.linalg.norm("abc"),
            "^linalg.norm needs an array or a number, got the string 'abc'.* That is the argument x[.]",
        ),
        (lambda: jnp.sum([1, 2]), r"^sum needs an array or a number, got list.* That is the argument a[.]"),
        (lambda: jnp.trace(M, dtype="x"), "^trace: 'x' is not an element type of jitgrad.* That is the argument dtype[.]"),
        (lambda: jnp.concatenate([M, "x"]), "^concatenate .* That is the argument arrays[.]"),
        (lambda: signal.fftconvolve(V, "x"), "That is the argument in2[.]"),
        (lambda: jnp.zeros((2, 1.5)), "^zeros: a shape is an integer or a tuple of integers, got float: '1.5'"),
    ],
)
def test_the_error_names_the_argument(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(Exception, match=words) as caught:
        call()
    assert isinstance(caught.value, (TypeError, ValueError))
