"""`agrees`: one expression in the words of jitgrad.numpy and of NumPy, eager and traced, with the same numbers coming out."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad_compiler.ir.interpreter import interpret
from jitgrad_compiler.ir.verify import verify

WORDS = {name: getattr(jnp, name) for name in jnp.__all__}
NUMPY_WORDS = {name: getattr(np, name) for name in jnp.__all__ if hasattr(np, name)}


_random = np.random.default_rng(0)
ARRAYS: dict[str, np.ndarray] = dict(
    x=_random.normal(size=(3, 4)),
    y=_random.normal(size=(3, 4)),
    v=_random.normal(size=4),
    w=_random.normal(size=5),
    p=_random.uniform(0.1, 0.9, size=(3, 4)),
    i=_random.integers(-5, 6, size=(3, 4)),
    j=_random.integers(1, 5, size=(3, 4)),
    b=_random.random((3, 4)) > 0.5,
    c=_random.normal(size=(3, 4)) + 1j * _random.normal(size=(3, 4)),
    t=_random.normal(size=(2, 3, 4)),
    n=np.array([1.0, np.nan, -2.0, np.inf]),
    k=np.array([2, 0, 3, 1]),
    u=_random.integers(0, 9, size=(3, 4)).astype(np.uint8),
    s=np.sort(_random.normal(size=6)),
    q=_random.integers(0, 4, size=12),
    m=_random.normal(size=(4, 5)),
    f=_random.normal(size=(3, 4)).astype(np.float32),
    z=_random.normal(size=(1, 3, 1)),
)
"""The arrays that expressions name by a letter."""


def tolerance(array: np.ndarray) -> dict[str, float]:
    narrow = array.dtype in (np.float32, np.complex64)
    return dict(rtol=2e-5, atol=2e-5) if narrow else dict(rtol=1e-11, atol=1e-11)


def same(got: Any, want: Any, what: str) -> None:
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want), what
        for g, w in zip(got, want, strict=True):
            same(g, w, what)
        return
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, wanted {want.shape}"
    assert got.dtype.kind == want.dtype.kind or {got.dtype.kind, want.dtype.kind} <= set("iu"), (
        f"{what}: {got.dtype} for {want.dtype}"
    )
    np.testing.assert_allclose(got, want, err_msg=what, **tolerance(got))


def check_agreement(case: str, traced: bool = True) -> None:
    """Evaluate with jitgrad.numpy's functions on Arrays, eagerly, as a graph and under vmap, and with NumPy's; compare all.

    A case is an expression in ARRAYS; behind " :: " may stand how it is said in NumPy, where that differs.
    """
    expression, _, reference = case.partition(" :: ")
    used = {node.id for node in ast.walk(ast.parse(expression, mode="eval")) if isinstance(node, ast.Name)}
    arrays = {name: array for name, array in ARRAYS.items() if name in used}
    code = compile(expression, expression, "eval")
    own = {k: jnp.array(v) for k, v in arrays.items()}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = eval(reference or expression, {**NUMPY_WORDS, "np": np, **ARRAYS})
    got = eval(code, {**WORDS, "jnp": jnp, **own})
    same(got, want, expression)
    if not traced or not arrays:
        return

    def run(*xs: Any) -> Any:
        return eval(code, {**WORDS, "jnp": jnp, **dict(zip(arrays, xs, strict=True))})

    graph = verify(jitgrad.make_graph(run)(*own.values()))
    if len(graph.inputs) == len(arrays):  # no hidden ones
        outs = interpret(graph, *[np.asarray(v) for v in own.values()])
        same(list(outs), jitgrad.tree.leaves(got), f"{expression}, traced:\n{graph}")
    batched = jitgrad.vmap(run)(*[jnp.array(np.asarray(v)[None]) for v in own.values()])
    same([v[0] for v in jitgrad.tree.leaves(batched)], jitgrad.tree.leaves(got), f"{expression}, under vmap")


@pytest.fixture
def agrees() -> Callable[..., None]:
    return check_agreement
