"""Every public function of arrays, called wrongly: the error names the function, and says what it got."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, lax, random, vmap
from jitgrad.scipy import fft, linalg, ndimage, signal, special, stats

MODULES = (jnp, jnp.linalg, jnp.fft, lax, lax.linalg, random, special, linalg, signal, fft, ndimage, stats)
TAKES_ANYTHING = set(
    "isscalar iterable get_printoptions set_printoptions printoptions key_dtype optimization_barrier stop_gradient "
    "with_sharding_constraint array_repr array_str".split()
)
"""Functions that take any object, or no array."""
FILES = set("load save savez savez_compressed fromfile".split())
V, M = jnp.array([1.0, 2.0, 3.0]), jnp.eye(3) * 2
KNOWN = {"key": random.key(0), "shape": (3,), "newshape": (3,), "arrays": [V, V], "tup": [V, V], "arys": [V, V]}
BAD = {"a string": "abc", "a ragged list": [[1.0, 2.0], [3.0]], "an object": object(), "a dict": {"a": 1}}


def functions() -> Iterator[Any]:
    for module in MODULES:
        for name in getattr(module, "__all__", dir(module)):
            f = getattr(module, name)
            if name.startswith("_") or name in TAKES_ANYTHING | FILES or isinstance(f, type) or not hasattr(f, "__code__"):
                continue
            yield pytest.param(
                f, module in (jnp.linalg, lax.linalg, linalg), id=f"{module.__name__.removeprefix('jitgrad.')}.{name}"
            )


def arguments(f: Callable[..., Any], matrices: bool) -> tuple[list[Any], list[str]]:
    """What f takes without doubt, and the names of its parameters."""
    parameters = inspect.signature(f).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.KEYWORD_ONLY)]
    return [KNOWN.get(p.name, M if matrices else V) for p in needed], [p.name for p in parameters]


def refused(f: Callable[..., Any], args: list[Any], keywords: dict[str, Any], required: bool = True) -> None:
    try:
        f(*args, **keywords)
    except Exception as error:
        told = str(error).split("\n")[0] + " ".join(getattr(error, "__notes__", ()))
        assert re.search(rf"\b{f.__name__}\b", told), f"{type(error).__name__}: {told}"
    else:
        assert not required, f"{f.__name__} takes {args}, {keywords}"


@pytest.mark.parametrize(("f", "matrices"), list(functions()))
def test_a_wrong_argument_is_refused_in_the_functions_name(f: Any, matrices: bool) -> None:
    args, names = arguments(f, matrices)
    with np.errstate(all="ignore"):
        for bad in BAD.values():
            refused(f, [bad, *args[1:]] if args else [], {}, required=False)
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(f).parameters.values()):
            refused(f, args, {"no_such_keyword": 1})
        if "axis" in names and inspect.signature(f).parameters["axis"].default is not inspect.Parameter.empty:
            for axis in (7, -9, "x"):
                refused(f, args, {"axis": axis})


def test_what_python_says_of_an_argument_is_told_with_the_call() -> None:
    with pytest.raises(TypeError, match=r"^frombuffer: .*It was called as frombuffer\(buffer=None, dtype='float32'\)"):
        jnp.frombuffer(None, dtype="float32")


def test_an_inner_functions_error_is_told_in_the_outer_ones_name() -> None:
    with pytest.raises(errors.ArgumentError, match="^nancumsum: axis 7 does not exist") as caught:
        jnp.nancumsum(V, axis=7)
    assert caught.value.message.startswith("nancumsum: ")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: jnp.permute_dims(V, (1,)), "permute_dims: axis 1 does not exist"),
        (lambda: jnp.trace(M, offset="x"), "trace: offset must be an integer, got str: 'x'"),
        (lambda: jnp.trace(M, axis1="x"), "trace: axis must be an integer, got 'x'. That is the argument axis1"),
        (lambda: jnp.nanmax(V, out=V), "nanmax: out= is not supported"),
        (lambda: jnp.nansum(V, where=V), "nansum: where must be a bool array"),
        (lambda: jnp.around(V, out=V), "around: out= is not supported"),
        (lambda: jnp.triu_indices_from(M, "x"), "triu_indices_from: k must be an integer"),
        (lambda: jnp.ravel(V, "x"), "ravel: order must be 'C' or 'F', got 'x'"),
        (lambda: V.reshape((3,), order=M), "reshape: order must be"),
        (lambda: V.view("x"), "view: 'x' is not an element type"),
        (lambda: jnp.trace(V), "trace: diagonal: needs an array with at least 2 axes"),  # what diagonal needs, no argument says
    ],
)
def test_a_name_is_said_once_where_the_message_is_about_an_argument_of_the_call(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(errors.JitgradError, match=f"^{words}"):
        call()


def test_a_shape_without_room_is_told_with_the_call() -> None:
    with pytest.raises(MemoryError) as caught:
        jnp.zeros((2**40, 2**20))
    assert "zeros(shape=(1099511627776, 1048576))" in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def test_a_users_own_error_keeps_its_words() -> None:
    def fails(x: Any) -> Any:
        raise ValueError("as it was")

    for call in (
        lambda: jnp.vectorize(fails)(V),
        lambda: vmap(fails)(V),
        lambda: lax.map(fails, V),
        lambda: jnp.piecewise(V, [V > 0], [fails]),
    ):
        with pytest.raises(ValueError, match="^as it was$"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: jnp.sort(V, kind="best"), "sort: kind must be one of None, 'quicksort'"),
        (lambda: jnp.argsort(V, order="x"), "argsort: order must be one of None, got 'x'"),
        (lambda: jnp.round(V, 1, V), "round: out= is not supported"),
        (lambda: jnp.isposinf(V, V), "isposinf: out= is not supported"),
        (lambda: jnp.outer(V, V, V), "outer: out= is not supported"),
        (lambda: jnp.stack([V], 0, V), "stack: out= is not supported"),
        (lambda: jnp.modf(V, V), "modf: out= is not supported"),
        (lambda: jnp.ptp(V, out=V), "ptp: out= is not supported"),
        (lambda: jnp.searchsorted(V, V, method="x"), "searchsorted: method must be one of 'scan'"),
        (lambda: jnp.digitize(V, V, method="x"), "digitize: method must be one of None, 'scan'"),
        (lambda: jnp.isin(V, V, method="x"), "isin: method must be one of 'auto'"),
        (lambda: jnp.trim_zeros(V, "x"), "trim_zeros: trim must be 'f', 'b' or 'fb', got 'x'"),
        (lambda: jnp.array(V, order="x"), "array: order must be one of None, 'K'"),
        (lambda: jnp.copy(V, order="x"), "copy: order must be one of None, 'K'"),
        (lambda: jnp.vectorize("x"), "vectorize: needs a function, got the string 'x'"),
        (lambda: jnp.astype(V, "float64", device="x"), "astype: a device is 'cpu'"),
        (lambda: random.choice(random.key(0), V, mode="x"), "random.choice: mode must be 'low'"),
        (lambda: jnp.linalg.norm(M, axis=(0, 9)), "linalg.norm: axis 9 does not exist"),
        (lambda: jnp.linalg.norm(M, axis=(0, -2)), r"linalg.norm: axis \(0, -2\) names an axis twice"),
        (lambda: jnp.linalg.norm(M, ord=1j), "^linalg.norm: ord must be 'fro'.* got 1j"),
        (lambda: jnp.linalg.norm(V, ord="x"), "^linalg.norm: ord must be a real number, inf or -inf, got 'x'"),
        (lambda: jnp.linalg.tensorsolve(M, V, axes=(9,)), "linalg.tensorsolve: axis 9 does not exist"),
        (lambda: jnp.diagonal(M, np.nan), "diagonal: offset must be an integer, got float: 'nan'"),
        (lambda: jnp.tril(M, 1.5), "tril: k must be an integer, got 1.5"),
        (lambda: jnp.fft.fftshift(M, 1.5), "fft.fftshift: axis must be an integer, got 1.5"),
    ],
)
def test_an_option_that_means_nothing_is_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(errors.ArgumentError, match=words):
        call()


def test_a_convolution_is_computed_in_the_type_that_is_asked_for() -> None:
    x = np.array([0.1, 0.2, 0.7], np.float32)
    for name in ("convolve", "correlate"):
        found = getattr(jnp, name)(x, x, preferred_element_type="float64")
        np.testing.assert_allclose(found, getattr(np, name)(x.astype(float), x.astype(float)), rtol=1e-15)


def test_a_keyword_of_shardings_or_accuracy_says_to_leave_it_out() -> None:
    for call in (lambda: jnp.zeros(3, out_sharding=None), lambda: random.normal(random.key(0), out_sharding=None)):
        with pytest.raises(TypeError, match="Leave it out: an array lies whole on one device"):
            call()
    with pytest.raises(TypeError, match=r"exp\(\) got an unexpected .*Leave it out: functions are accurate"):
        lax.exp(1.0, accuracy=None)


def test_indices_come_in_the_integer_type_that_is_asked_for() -> None:
    x = jnp.array([3.0, 1.0, 2.0])
    for found in (jnp.argsort(x, dtype="int16"), jnp.argsort(x, descending=True, dtype="int16")[::-1]):
        assert found.dtype == np.int16
        np.testing.assert_array_equal(found, [1, 2, 0])
    assert jnp.ravel_multi_index((np.array([1]), np.array([2])), (2, 3), dtype="uint8").dtype == np.uint8
    with pytest.raises(errors.DTypeError, match="argsort: dtype must be an integer type, got float32"):
        jnp.argsort(x, dtype="float32")
