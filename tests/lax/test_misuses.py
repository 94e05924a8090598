"""Every function of jitgrad.lax, called wrongly: an error of ours names the function, the argument, what was expected and got."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, lax

from .misuses import MISUSES

X = jnp.arange(6.0).reshape(2, 3)
NAMES = {
    "lax": lax, "jnp": jnp, "X": X, "I": jnp.arange(6, dtype="int32").reshape(2, 3), "C": X * 1j, "B": X > 2, "V": jnp.arange(3.0),
    "S": jnp.eye(3) * 2,
    "P": jnp.array([[0], [1]]), "IMAGE": jnp.ones((1, 2, 5, 5)), "KERNEL": jnp.ones((3, 2, 2, 2)),
    "GATHER": lax.GatherDimensionNumbers((1,), (0,), (0,)), "SCATTER": lax.ScatterDimensionNumbers((1,), (0,), (0,)),
}  # fmt: skip
ARRAYS = {name: x for name, x in NAMES.items() if isinstance(x, jitgrad.Array)}
ANNOTATIONS = {"ConvGeneralDilatedDimensionNumbers", "DotDimensionNumbers", "PrecisionLike"}
FUNCTIONS = [n for n in lax.__all__ if callable(getattr(lax, n)) and not isinstance(getattr(lax, n), type)]


@pytest.mark.parametrize(("call", "words"), MISUSES, ids=[call for call, _ in MISUSES])
def test_a_misuse_is_refused_in_words_that_help_also_while_tracing(call: str, words: str) -> None:
    with pytest.raises(errors.JitgradError, match=re.escape(words)) as caught:
        eval(f"lax.{call}", NAMES)
    assert re.search(rf"\b{call.partition('(')[0]}\b", str(caught.value).partition("\n")[0])
    with pytest.raises(errors.JitgradError, match=re.escape(words)):
        jitgrad.jit(lambda arrays: eval(f"lax.{call}", {**NAMES, **arrays}))(ARRAYS)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ANNOTATIONS])
def test_missing_and_unknown_arguments_are_told_with_the_functions_name(name: str) -> None:
    f: Any = getattr(lax, name)
    parameters = list(inspect.signature(f).parameters.values())
    if any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters):
        with pytest.raises(TypeError, match=name):
            f()
    if all(p.kind is not p.VAR_KEYWORD for p in parameters):
        given = [X for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        with pytest.raises(TypeError, match=f"{name}.*no_such_argument"):
            f(*given, no_such_argument=1)
