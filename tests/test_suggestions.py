"""What the errors about traced values write out is run here, on numbers in the place of the user's lines: it must do the same.

The users' functions are in the folder suggestions/, each below a line with its name and, behind double bars, arguments or parts of
the message.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, jit, tree, vmap

HEAD = "from jitgrad import lax\nimport jitgrad.numpy as jnp\n"
CONTROL = (errors.TracerBoolConversionError, errors.TracerIntegerConversionError)


def cases(file):
    """Name to source and the rest of the head line."""
    text = (Path(__file__).parent / "suggestions" / file).read_text()
    heads = [part.partition("\n") for part in text.split("#: ")[1:]]
    return {head.split(" || ")[0]: (source, *head.split(" || ")[1:]) for head, _, source in heads}


def one_bool(x):
    """A condition as lax.cond and lax.while_loop want it."""
    assert np.shape(x) == () and np.asarray(x).dtype == bool, x
    return bool(x)


def same_kind(before, after):
    assert tree.structure(before) == tree.structure(after)
    return after


def cond(pred, true_fun, false_fun, *operands):
    taken = true_fun if one_bool(pred) else false_fun
    return taken(*operands)


def while_loop(cond_fun, body_fun, init):
    while one_bool(cond_fun(init)):
        init = same_kind(init, body_fun(init))
    return init


def fori_loop(lower, upper, body_fun, init):
    for i in range(int(lower), int(upper)):
        init = same_kind(init, body_fun(i, init))
    return init


LAX = SimpleNamespace(cond=cond, while_loop=while_loop, fori_loop=fori_loop)


def module(path, source):
    """The names of a file that a user has written and imported."""
    path.write_text(source)
    names = {"__name__": path.stem}
    exec(compile(source, str(path), "exec"), names)
    return names


def message_of(f, *args):
    with pytest.raises(CONTROL) as caught:
        jit(f)(*args)
    return str(caught.value)


def blocks(message):
    """The codes that a message writes out, and the numbers of the lines that it shows."""
    shown = [int(n) for n in re.findall(r"^ +(\d+) \| ?.*$", message, re.M)]
    codes = re.findall(r"^(?:Write instead.*:|Instead of .* write.*:|or)\n\n((?:(?: {4}.*)?\n)+)", message, re.M)
    return [textwrap.dedent(code).strip("\n") for code in codes], shown


def rewritten(source, code, shown):
    """The user's file with the code in the place of the lines."""
    lines = source.splitlines()
    first, last = shown[0], shown[-1]
    margin = re.match(" *", lines[first - 1]).group()
    return "\n".join([*lines[: first - 1], textwrap.indent(code, margin), *lines[last:]]) + "\n"


def check(tmp_path, source, *calls):
    """Every code in the message of jit(f) does on these arguments what f does; returns the message."""
    source = HEAD + textwrap.dedent(source)
    f = module(tmp_path / "model.py", source)["f"]
    message = message_of(f, *calls[0])
    codes, shown = blocks(message)
    assert codes, message
    for i, code in enumerate(codes):
        compile(code if "return" not in code else f"def f():\n{textwrap.indent(code, '    ')}", "code", "exec")
        names = module(tmp_path / f"written{i}.py", rewritten(source, code, shown))
        names["lax"] = LAX
        for args in calls:
            expected, got = f(*args), names["f"](*args)
            assert tree.structure(expected) == tree.structure(got), message
            for a, b in zip(tree.leaves(expected), tree.leaves(got), strict=True):
                np.testing.assert_array_equal(np.asarray(a), np.asarray(b), message)
    return message


def reason(tmp_path, source, *args):
    """The message about a function for which no code is written."""
    f = module(tmp_path / "model.py", HEAD + textwrap.dedent(source))["f"]
    message = message_of(f, *args)
    assert not blocks(message)[0], message
    return message


SIGNS = [(2.0,), (-3.0,), (0.0,)]

WRITTEN = cases("written.txt")


@pytest.mark.parametrize("name", WRITTEN)
def test_the_code_that_is_written_out_does_what_the_users_did(tmp_path, name):
    source, *calls = WRITTEN[name]
    check(tmp_path, source, *(eval(calls[0], {"jnp": jnp}) if calls else SIGNS))


SHORT = cases("short.txt")


@pytest.mark.parametrize("line", SHORT)
def test_what_is_simple_is_written_on_one_line(tmp_path, line):
    f = module(tmp_path / "model.py", HEAD + SHORT[line][0])["f"]
    assert blocks(message_of(f, 1))[0][0] == line


REFUSED = cases("refused.txt")


@pytest.mark.parametrize("name", REFUSED)
def test_where_the_code_might_do_something_else_there_is_a_reason_instead(tmp_path, name):
    source, *parts = REFUSED[name]
    message = reason(tmp_path, source, 1)
    for part in [*parts, "model.py:"]:
        assert part in message, message


def test_without_the_source_there_is_the_general_advice():
    names = {}
    exec("def f(x):\n    return x if x > 0 else -x", names)
    message = message_of(names["f"], 1.0)
    assert "jitgrad.numpy.where" in message
    assert "|" not in message
    assert message.endswith("at <string>:2")


def test_a_file_that_has_changed_and_no_longer_parses_is_left_alone(tmp_path):
    path = tmp_path / "model.py"
    f = module(path, "def f(x):\n    return x if x > 0 else -x")["f"]
    path.write_text("def f(x:\n    return x")
    assert "|" not in message_of(f, 1.0)


def test_the_message_shows_the_lines_with_their_numbers_and_ends_with_the_place(tmp_path):
    source = HEAD + "def f(x):\n    if x > 0:\n        y = 2 * x\n    else:\n        y = -x\n    return y"
    message = message_of(module(tmp_path / "model.py", source)["f"], 1.0)
    assert "\n    4 | if x > 0:\n    5 |     y = 2 * x\n    6 | else:\n    7 |     y = -x\n" in message
    assert message.endswith(f"\n  at {tmp_path / 'model.py'}:4")


def test_the_users_own_names_of_the_modules_are_used_or_their_import_is_named(tmp_path):
    body = "def f(x):\n    return (x, x) if x > 0 else (x, -x)\n"
    for head, name, advice in [
        ("from jitgrad import lax as L\n", "L.cond(", "Write instead:"),
        ("import jitgrad as jg\n", "jg.lax.cond(", "Write instead:"),
        ("", "lax.cond(", "with `from jitgrad import lax`:"),
        ("lax = 3\n", "jitgrad.lax.cond(", "with `import jitgrad`:"),
    ]:
        message = message_of(module(tmp_path / f"m{len(name)}.py", head + body)["f"], 1.0)
        assert f"return {name}" in message
        assert advice in message


def test_array_conditions_of_an_expression_choose_element_by_element(tmp_path):
    source = HEAD + "def f(x):\n    return x if x > 0 else -x\n"
    codes, _ = blocks(message_of(module(tmp_path / "model.py", source)["f"], jnp.ones(3)))
    assert codes == ["return jnp.where(x > 0, x, -x)"]


def test_functions_inside_vmap_are_told_the_same(tmp_path):
    f = module(tmp_path / "model.py", HEAD + "def f(x):\n    return x if x > 0 else -x\n")["f"]
    with pytest.raises(errors.TracerBoolConversionError, match=r"return jnp\.where\(x > 0, x, -x\)"):
        vmap(f)(jnp.ones(3))


def test_what_jitgrad_itself_asks_for_is_no_statement_of_the_user(tmp_path):
    f = module(tmp_path / "model.py", HEAD + "def f(x):\n    if jnp.zeros(x).shape == ():\n        x = x + 1\n    return x\n")["f"]
    assert "|" not in message_of(f, 1)


def test_the_elif_that_fails_is_the_one_that_is_written_anew(tmp_path):
    message = check(tmp_path, WRITTEN["elif behind a static if"][0], *SIGNS)
    assert "`elif` needs a concrete number" in message
    assert "    if flag:\n        y = x\n    else:\n        y = lax.cond(x > 0, lambda: 2 * x, lambda: -x)\n" in message


def test_an_assert_that_pytest_has_rewritten_is_found_too():
    def f(x):
        assert x > 0
        return x

    message = message_of(f, 1.0)
    assert "`assert` needs a concrete number" in message
    assert "debug.print('x > 0: {}', x > 0)" in message


def test_a_fault_while_a_suggestion_is_made_does_not_hide_the_error(tmp_path, monkeypatch):
    f = module(tmp_path / "model.py", HEAD + "def f(x):\n    return x if x > 0 else -x\n")["f"]
    monkeypatch.setattr("ast.parse", lambda *args: 1 / 0)
    assert "jitgrad.numpy.where" in message_of(f, 1.0)
