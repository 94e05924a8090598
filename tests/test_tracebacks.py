"""Tracebacks hold the user's frames and none of jitgrad's, unless the setting says so."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
import traceback
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, grad, jit, lax, optim, random, tree, vmap
from jitgrad.own_frames import is_ours
from jitgrad.scipy import stats

OURS = os.path.dirname(jitgrad.__file__)
X = jnp.ones(4)


@pytest.fixture(autouse=True)
def filtering():
    jitgrad.config.traceback_filtering = "auto"
    yield
    jitgrad.config.traceback_filtering = "off"


def mistaken(x):
    return inner(x)


def inner(x):
    return x + jnp.ones(3)


CALLS = {
    "eager": (lambda: mistaken(X), ["<lambda>", "mistaken", "inner"]),
    "jit": (lambda: jit(mistaken)(X), ["<lambda>", "mistaken", "inner"]),
    "a second call": (lambda: jit(lambda x: x)(X) + jit(mistaken)(X), ["<lambda>", "mistaken", "inner"]),
    "grad of jit": (lambda: grad(lambda x: jit(mistaken)(x).sum())(X), ["<lambda>", "<lambda>", "mistaken", "inner"]),
    "vmap": (lambda: vmap(mistaken)(X[None]), ["<lambda>", "mistaken", "inner"]),
    "scan": (lambda: lax.scan(lambda c, t: (mistaken(c), t), X, X), ["<lambda>", "<lambda>", "mistaken", "inner"]),
    "checkpoint": (lambda: jitgrad.checkpoint(mistaken)(X), ["<lambda>", "mistaken", "inner"]),
    "custom_jvp": (lambda: jitgrad.custom_jvp(mistaken)(X), ["<lambda>"]),
    "tree.map": (lambda: tree.map(mistaken, {"a": X}), ["<lambda>", "mistaken", "inner"]),
    "lower": (lambda: jit(mistaken).lower(X), ["<lambda>", "mistaken", "inner"]),
    "pullback": (lambda: jitgrad.vjp(jnp.sin, X)[1](1.0), ["<lambda>"]),
    "a function": (lambda: jnp.concatenate([X, jnp.ones((1, 2))]), ["<lambda>"]),
    "a method": (lambda: X.reshape(9), ["<lambda>"]),
    "an operator": (lambda: X @ jnp.ones(5), ["<lambda>"]),
    "an index": (lambda: X[0, 0], ["<lambda>"]),
    "an update": (lambda: X.at[0, 0].set(1), ["<lambda>"]),
    "a conversion": (lambda: jit(lambda x: float(x))(1.0), ["<lambda>", "<lambda>"]),
    "a truth": (lambda: jit(lambda x: 1 if x else 2)(1.0), ["<lambda>", "<lambda>"]),
    "random": (lambda: random.normal(3), ["<lambda>"]),
    "stats": (lambda: stats.norm.logpdf(X, jnp.ones(3)), ["<lambda>"]),
    "optim": (lambda: optim.adam(0.1).update({}, {}, {"a": X}), ["<lambda>"]),
    "an exception of the user's": (lambda: jit(lambda x: 1 / 0)(X), ["<lambda>", "<lambda>"]),
}  # fmt: skip


def frames(error):
    return [f for f in traceback.extract_tb(error.__traceback__) if f.name not in ("caught", "test")]


def caught(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("name", CALLS)
def test_a_traceback_has_the_users_frames_alone(name):
    call, expected = CALLS[name]
    error = caught(call)
    assert [f.name for f in frames(error)] == expected
    assert OURS + os.sep not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("name", CALLS)
def test_a_setting_shows_jitgrads_frames(name):
    call, _ = CALLS[name]
    jitgrad.config.update("jax_traceback_filtering", "off")
    error = caught(call)
    assert isinstance(error, ZeroDivisionError) or any(f.filename.startswith(OURS) for f in frames(error))


def test_frames_are_marked_for_shells_that_hide_them():
    jitgrad.config.traceback_filtering = "tracebackhide"
    error = caught(lambda: jit(mistaken)(X))
    hidden = [f.f_locals.get("__tracebackhide__", False) for f, _ in traceback.walk_tb(error.__traceback__)]
    ours = [is_ours(f.f_code.co_filename) for f, _ in traceback.walk_tb(error.__traceback__)]
    assert hidden == ours and any(hidden)


def test_causes_stay_and_lose_our_frames_too():
    def f(x):
        try:
            inner(x)
        except errors.ShapeError as error:
            raise KeyError("mine") from error

    error = caught(lambda: jit(f)(X))
    assert isinstance(error, KeyError) and isinstance(error.__cause__, errors.ShapeError)
    assert OURS + os.sep not in "".join(traceback.format_exception(error))
    assert caught(lambda: X.at[0, 0].set(1)).__suppress_context__ in (True, False)


def test_an_error_of_our_own_tells_how_to_see_more(monkeypatch):
    def broken(*args):
        raise KeyError("a fault of jitgrad's")

    broken.__code__ = broken.__code__.replace(co_filename=os.path.join(OURS, "broken.py"))
    error = caught(lambda: jitgrad.tracebacks.boundary(broken)())
    assert error.__notes__ == [jitgrad.tracebacks.NOTE] and "JITGRAD_TRACEBACK_FILTERING=off" in error.__notes__[0]
    assert not hasattr(caught(lambda: jit(lambda x: {}["mine"])(X)), "__notes__")


def test_values_of_the_setting_are_checked():
    with pytest.raises(ValueError, match="traceback_filtering must be one of 'auto'"):
        jitgrad.config.traceback_filtering = "on"


def test_public_functions_keep_name_signature_and_identity():
    assert jitgrad.nn.logsumexp is jitgrad.scipy.special.logsumexp
    for f in (jnp.sin, jitgrad.grad, jitgrad.random.normal, lax.add, jnp.sum):
        assert pickle.loads(pickle.dumps(f)) is f
    assert list(inspect.signature(jnp.sum).parameters)[:2] == ["a", "axis"]
    assert jnp.sin.__module__ == "jitgrad.numpy" and jnp.sin.__name__ == "sin" and jnp.sin.__doc__


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_print_as_what_users_import(name):
    error = getattr(errors, name)
    assert f"{error.__module__}.{error.__qualname__}" == f"jitgrad.errors.{name}"
    assert pickle.loads(pickle.dumps(error)) is error


SCRIPT = """
import jitgrad, jitgrad.numpy as jnp
def f(x):
    return x + jnp.ones(3)
jitgrad.jit(f)(jnp.ones(4))
"""


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_what_python_prints(mode):
    environment = {**os.environ, "JITGRAD_TRACEBACK_FILTERING": mode, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert (OURS + os.sep in done.stderr) == (mode == "off")
    assert "jitgrad.errors.ShapeError: add: shapes (4,) and (3,)" in done.stderr


def test_numpy_calls_that_come_to_us_are_filtered():
    error = caught(lambda: np.concatenate([X, jnp.ones((1, 2))]))
    assert [f.name for f in frames(error) if OURS in f.filename] == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: jnp.abs("a"), "abs needs an array or a number, got the string 'a'"),
        (lambda: jnp.absolute("a"), "absolute needs an array or a number, got the string 'a'"),
        (lambda: jnp.arccos("a"), "arccos needs an array or a number"),
        (lambda: jnp.acos("a"), "acos needs an array or a number"),
        (lambda: jnp.amax(jnp.ones(2), axis=3), "amax: axis 3 does not exist"),
        (lambda: jnp.max(jnp.ones(2), axis=3), "max: axis 3 does not exist"),
        (lambda: jnp.amin(jnp.ones(2), keepdims="no"), "amin: keepdims must be True or False, got 'no'"),
        (lambda: jnp.bitwise_not(1.5), "bitwise_not"),
        (lambda: jnp.pow(jnp.ones(2), jnp.ones(3)), "pow: shapes"),
        (lambda: jnp.mod(1.0, nowhere=2), r"mod\(\) got an unexpected keyword argument 'nowhere'"),
        (lambda: jitgrad.tree_util.keystr((), simple="no"), "keystr: simple must be True or False"),
    ],
)
def test_errors_have_the_name_by_which_a_function_was_called(call: Any, words: str) -> None:
    for _ in range(2):
        with pytest.raises((errors.JitgradError, TypeError), match=f"^{words}"):
            call()


def test_other_names_of_a_function_are_pickled_as_themselves() -> None:
    for name in ("abs", "absolute", "acos", "amax", "pow"):
        assert pickle.loads(pickle.dumps(getattr(jnp, name))) is getattr(jnp, name)
        assert getattr(jnp, name).__name__ == name
