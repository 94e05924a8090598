"""The examples in docs/ show what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import jitgrad

PAGES = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_examples_of_a_page_show_what_they_say(page):
    settings = {name: getattr(jitgrad.config, name) for name in ("default_float", "jax_platforms")}
    test = doctest.DocTestParser().get_doctest(page.read_text(), {}, page.name, str(page), 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(test, out=output.append)
    for name, value in settings.items():
        jitgrad.config.update(name, value)
    assert test.examples and not runner.failures, "".join(output)
