"""The examples in docs/ show what they say."""

from __future__ import annotations

import doctest
import re
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


ROOT = Path(__file__).parents[1]
SOURCES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("jitgrad/**/*.py"), *ROOT.glob("compiler/**/*.py")]
FOLDERS = ("jitgrad", "compiler", "tests", "benchmarks", "examples", "tools")
FILES = ["/" + str(p.relative_to(ROOT)) for folder in FOLDERS for p in ROOT.glob(f"{folder}/**/*.py")]
MENTION = re.compile(r"(?<![\w/<.-])((?:[\w.]+/)*\w+\.py)\b(?!:\d)")


def test_files_that_are_spoken_of_exist():
    """In pages, docstrings and comments; with as much of the path as is given. `model.py:2` is the user's."""
    mentions = {(str(p.relative_to(ROOT)), found.lstrip("./")) for p in SOURCES for found in MENTION.findall(p.read_text())}
    assert [] == sorted(m for m in mentions if not any(f.endswith("/" + m[1]) for f in FILES))
