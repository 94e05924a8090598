"""Every function's docstring has an example that runs."""

from __future__ import annotations

import doctest
import types

import pytest

import jitgrad.numpy as jnp

FUNCTIONS = [name for name in jnp.__all__ if isinstance(getattr(jnp, name), types.FunctionType)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_in_the_docstring_shows_what_it_says(name: str) -> None:
    text = getattr(jnp, name).__doc__
    assert text, f"{name} has no docstring"
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    assert example.examples, f"{name} has no example"
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=output.append)
    assert not runner.failures, "".join(output)


def test_every_public_name_exists_once() -> None:
    assert len(set(jnp.__all__)) == len(jnp.__all__)
    assert len(FUNCTIONS) > 250
