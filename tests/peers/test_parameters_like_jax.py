"""What jax's functions take by keyword, ours of the same name take, too, whatever else they take."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from typing import Any

import pytest

if importlib.util.find_spec("jax") is None:
    pytest.skip("jax is not installed (extra test-peers)", allow_module_level=True)

MODULES = (
    "numpy", "numpy.linalg", "numpy.fft", "lax", "lax.linalg", "random", "nn", "nn.initializers", "scipy.special", "scipy.linalg",
    "scipy.fft", "scipy.signal", "scipy.stats", "scipy.ndimage", "scipy.interpolate", "scipy.integrate", "scipy.optimize",
    "scipy.cluster.vq", "scipy.sparse.linalg", "experimental.ode", "tree", "tree_util",
)  # fmt: skip
FAMILIES = (
    "bernoulli beta betabinom binom cauchy chi2 dirichlet expon gamma gennorm geom gumbel_l gumbel_r laplace logistic multinomial "
    "multivariate_normal nbinom norm pareto poisson t truncnorm uniform vonmises wrapcauchy"
).split()
LEFT_OUT = {"out_sharding", "sharding", "accuracy", "to"}
"""Where arrays lie, and how accurate functions may be: errors say to leave these out."""
ARRAYS_ARE_IMMUTABLE = {"out", "where"}
"""Parameters of jax's ufuncs, which take None alone for them."""


def keywords(f: Any) -> set[str]:
    """Names of parameters that may be given by keyword."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return set()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and not p.name.startswith("_")}


@pytest.mark.parametrize("name", [*MODULES, *[f"scipy.stats.{f}" for f in FAMILIES]])
def test_what_jax_takes_by_keyword_is_taken_by_keyword(name: str) -> None:
    theirs, ours = (importlib.import_module(f"{package}.{name}") for package in ("jax", "jitgrad"))
    lacking = {}
    for function in [n for n in dir(theirs) if not n.startswith("_") and hasattr(ours, n)]:
        f, g = getattr(theirs, function), getattr(ours, function)
        if not callable(g) or isinstance(f, type) or type(f).__name__ == "_ScalarMeta":
            continue
        lacks = keywords(f) - keywords(g) - LEFT_OUT - (ARRAYS_ARE_IMMUTABLE if type(f).__name__ == "ufunc" else set())
        if lacks:
            lacking[function] = sorted(lacks)
    assert not lacking
