"""Every function of the tables, called with what fits but for one argument: what no function takes is refused in its name, whatever
the argument is for; of a number, a size or an axis that has no place the error says so, too.
"""

from __future__ import annotations

import inspect
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, jit, lax, random
from jitgrad.scipy import interpolate, linalg, signal, special, stats
from jitgrad.scipy.spatial.transform import Rotation
from tests.lax import function_table as of_lax
from tests.linear_algebra import function_table as of_linear_algebra
from tests.numpy import function_table as of_numpy
from tests.numpy.drawn_calls import Draw
from tests.numpy.function_table import Row
from tests.scipy import test_every_function, test_every_special, test_every_statistic
from tests.test_random_calls import KEY


class Nothing:
    """No container, and no number."""


NEVER: dict[str, Any] = {
    "an object": Nothing(),
    "an ellipsis": ...,
    "text": "abc",
    "a dict": {"a": 1},
    "ragged lists": [[1.0, 2.0], [3.0]],
}
"""What is refused wherever it stands, but for those that take anything."""
SELDOM: dict[str, Any] = {
    "an ellipsis": ...,    "bytes": b"x", "a set": {1}, "a key": KEY, "an array of text": np.array(["a"]),
    "half": 1.5, "a complex number": 1j,
    "nan": np.nan, "a negative size": -9, "2**63": 2**63, "-2**70": -(2**70), "twice": (0, 0), "nothing": (),
    "halves": np.array([0.5, 1.5]), "four axes": np.ones((1, 1, 1, 1)),
}  # fmt: skip
"""What some functions take in some places. Others refuse it in their names."""
TAKES = ("optimization_barrier", "stop_gradient")
"""Functions of any container, and of what is no array in it."""
PYTHONS = (TypeError, ValueError, IndexError, OverflowError, MemoryError)


def rows() -> Iterator[Any]:
    tables: list[tuple[list[Row], Any]] = [
        (of_numpy.ROWS, jnp), (of_lax.ROWS, lax), (test_every_special.ROWS, special), (test_every_statistic.ROWS, stats),
        (test_every_function.ROWS, None), (of_linear_algebra.ROWS, None),
    ]  # fmt: skip
    seen: set[Any] = set()
    for table, module in tables:
        for row in table:
            for name in row.names.split():
                f = vars(module).get(name, row.ours) if module else row.ours
                if f not in seen and isinstance(f, FunctionType) and f.__module__.startswith("jitgrad."):
                    seen.add(f)
                    yield pytest.param(f, row, id=f"{f.__module__.removeprefix('jitgrad.')}.{f.__name__}")


class Bound(Exception):
    """The arguments of a call that was not done."""


def arguments(f: Callable[..., Any], row: Row) -> dict[str, Any] | None:
    """The arguments of the largest of some drawn calls by their parameters' names, those of *args as one tuple."""
    signature, found = inspect.signature(f), []

    def bind(*args: Any, **kwargs: Any) -> None:
        raise Bound(signature.bind(*args, **kwargs))

    @seed(zlib.crc32(f.__name__.encode()))
    @settings(max_examples=4, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def draw(data: Any) -> None:
        drawn = row.draw(Draw(data.draw, row.types))
        try:
            drawn(bind, *drawn.operands)
        except Bound as bound:
            found.append(bound.args[0].arguments)
        except TypeError:  # called otherwise, by a function of the table
            return

    draw()
    return max(found, key=lambda given: sum(np.size(x) for x in given.values() if isinstance(x, np.ndarray)), default=None)


def call(f: Callable[..., Any], given: dict[str, Any]) -> Any:
    """f of arguments by name, where it takes them by name."""
    positional, named = [], {}
    whole = True
    for name, p in inspect.signature(f).parameters.items():
        if p.kind is p.VAR_POSITIONAL:
            positional += given.get(name, ())
        elif p.kind is p.VAR_KEYWORD:
            named |= given.get(name, {})
        elif p.kind is p.KEYWORD_ONLY or not whole:
            named |= {name: given[name]} if name in given else {}
        elif name in given:
            positional.append(given[name])
        else:
            whole = False
    return f(*positional, **named)


def is_refused(f: Callable[..., Any], given: dict[str, Any], of: str) -> bool:
    """Whether a call is refused; if so by an error of ours, or one of Python's with the call, that names the function."""
    try:
        call(f, given)
    except (errors.JitgradError, *PYTHONS) as error:
        told = " ".join([str(error), *getattr(error, "__notes__", ())])
        assert re.search(rf"\b{f.__name__}\b", told), f"{of}: {type(error).__name__}: {told}"
        assert isinstance(error, errors.JitgradError) or "It was called as" in told, f"{of}: {type(error).__name__}: {told}"
        return True
    return False


@pytest.mark.parametrize(("f", "row"), list(rows()))
def test_what_no_argument_may_be_is_refused_in_the_functions_name(f: Any, row: Row) -> None:
    fit = arguments(f, row)
    if fit is None:
        pytest.skip("the row does not call the function itself")
    where = f"{f.__module__.removeprefix('jitgrad.')}.{f.__name__}"
    turn = itertools.cycle(SELDOM.items())
    for parameter in inspect.signature(f).parameters.values():
        name = parameter.name
        if parameter.kind is parameter.VAR_KEYWORD or f.__name__ in TAKES:
            continue
        instead = lambda bad, name=name, several=parameter.kind is parameter.VAR_POSITIONAL: (
            fit | {name: (bad, *fit.get(name, ())[1:]) if several else bad}
        )
        with np.errstate(all="ignore"):
            for kind, bad in NEVER.items():
                assert is_refused(f, instead(bad), f"{where}({name}={kind})"), f"{where} takes {kind} for {name}"
            for kind, bad in itertools.islice(turn, 3):
                is_refused(f, instead(bad), f"{where}({name}={kind})")


V, M, PLACES = jnp.array([1.0, 2.0, 3.0]), jnp.eye(3) * 2, jnp.array([2, 0, 1])
FIT = {"key": KEY, "keys": KEY, "shape": (2,), "d": 2, "n": 2, "num": 2, "seed": 0, "data": 1, "cov": M} | dict.fromkeys(
    ("x", "logits", "alpha", "mean"), V
)
OTHERWISE = {"multinomial": {"n": 4, "p": V / 6}, "choice": {"a": V}}
"""What fits the parameters of random functions that must be given; 0.5 fits all others."""
DRAWS = [f for f in vars(random).values() if isinstance(f, FunctionType) and f.__name__ in random.__all__ and f.__name__ != "seed"]


@pytest.mark.parametrize("f", [f for f in DRAWS if f.__name__ not in ("key_dtype", "wrap_key_data")], ids=lambda f: f.__name__)
def test_what_no_argument_of_a_draw_may_be_is_refused_in_its_name(f: Any) -> None:
    parameters = inspect.signature(f).parameters.values()
    fit = {p.name: (FIT | OTHERWISE.get(f.__name__, {})).get(p.name, 0.5) for p in parameters if p.default is p.empty}
    call(f, fit)
    for p in parameters:
        for kind, bad in (NEVER | SELDOM).items():
            if p.name not in ("key", "keys") or kind != "a key":
                refused = is_refused(f, fit | {p.name: bad}, f"{f.__name__}({p.name}={kind})")
                assert refused or kind in SELDOM, f"{f.__name__} takes {kind} for {p.name}"


NONSENSE: list[tuple[Callable[[], Any], str]] = [
    (lambda: jnp.max(PLACES, initial=jnp.ones(2)), "max: initial must be a scalar, got shape (2,)"),
    (lambda: jnp.sum(V, initial=jnp.ones(3)), "sum: initial must be a scalar, got shape (3,)"),
    (lambda: jnp.min(PLACES, initial=np.nan), "min: nan does not fit in an array of int64"),
    (lambda: jnp.full((2,), np.inf, int), "full: inf does not fit in an array of int64"),
    (lambda: PLACES.at[0].set(np.nan), "at[].set: nan does not fit in an array of int64"),
    (lambda: jnp.insert(PLACES, 0, np.nan), "insert: nan does not fit in an array of int64"),
    (lambda: jnp.choose(jnp.array([0.5, 1.5]), [V[:2], V[:2]]), "choose: a must be integers, got float32"),
    (lambda: jnp.choose(PLACES, b"abc"), "choose: choices must be a sequence of arrays, got b'abc'"),
    (lambda: jnp.select(b"a", [V]), "select: condlist must be a sequence of arrays, got b'a'"),
    (lambda: jnp.cov(M, dtype=int), "cov: dtype must be a float type, got int64"),
    (lambda: jnp.corrcoef(M, dtype="int8"), "corrcoef: dtype must be a float type, got int8"),
    (lambda: jnp.convolve(V, V, preferred_element_type=int), "convolve: preferred_element_type must be a float type, got int64"),
    (lambda: jnp.std(V, ddof=1, correction=2), "std: ddof and correction are names of one number, got 1 and 2"),
    (lambda: jnp.var(V, ddof=1, correction=1), "var: ddof and correction are names of one number"),
    (lambda: jnp.ediff1d(PLACES, to_end=1j), "ediff1d: a complex number does not fit in an array of int64"),
    (lambda: jnp.einsum("ij,jk", M, M, optimize=("a", "b")), "einsum: optimize must be a way"),
    (lambda: jnp.einsum_path("ij,jk", M, M, optimize="abc"), "optimize must be a way"),
    (lambda: jnp.einsum(None, V, V), "einsum: subscripts must be a string in front of the operands"),
    (lambda: jnp.einsum(V, 0, V, [0]), "behind each one a list of numbers below 52, for its axes; got float32[3] in front and 0"),
    (lambda: jnp.kaiser(5, 1j), "kaiser: beta must be a real number, got 1j"),
    (lambda: jnp.kaiser(5, V), "kaiser: beta must be a real number, got float32[3]"),
    (lambda: jnp.hanning(5.5), "hanning: M must be an integer, got float: '5.5'"),
    (lambda: jnp.searchsorted(V, V, sorter=PLACES[:2]), "searchsorted: sorter must have the shape (3,) of a, got (2,)"),
    (lambda: jnp.unpackbits(jnp.zeros(1, "uint8"), count=-9), "unpackbits: count must be -8 or more, got -9"),
    (lambda: jnp.unwrap(V, period=V), "unwrap: period must be a real number, got float32[3]"),
    (lambda: jnp.unwrap(V[:1], "x"), "unwrap"),
    (lambda: jnp.trapezoid(V, V, dx="x"), "trapezoid"),
    (lambda: jnp.tril(M, PLACES), "tril: k must be an integer"),
    (lambda: jnp.roll(V, b"a"), "roll"),
    (lambda: jnp.tile(V, b"a"), "tile: reps is an integer or a tuple of integers, got bytes"),
    (lambda: jnp.tile(V, {2}), "tile: reps is an integer or a tuple of integers, got set"),
    (lambda: jnp.reshape(V, {3}), "reshape: a shape is an integer or a tuple of integers, got set"),
    (lambda: jnp.moveaxis(M, b"\0", 1), "moveaxis: axis must be an integer, got b'\\x00'"),
    (lambda: jnp.zeros(3, KEY), "is not an element type of jitgrad"),
    (lambda: jnp.sum(V, keepdims=KEY), "sum: keepdims must be True or False"),
    (lambda: jnp.dot(M, M, precision=()), "dot: precision must be one, or a pair, one for each operand, got ()"),
    (lambda: jnp.linalg.pinv(M, rtol=1j), "linalg.pinv: takes real numbers, got complex"),
    (lambda: jnp.linalg.matrix_rank(M, tol=1j), "linalg.matrix_rank: takes real numbers, got complex"),
    (lambda: lax.approx_max_k(V, 2, recall_target=2), "lax.approx_max_k: recall_target must be a number above 0, of 1 or less"),
    (lambda: lax.approx_min_k(V, 2, recall_target="x"), "lax.approx_min_k: recall_target must be a number above 0"),
    (lambda: lax.approx_max_k(V, 2, reduction_input_size_override=1.5), "reduction_input_size_override must be an integer"),
    (lambda: lax.shape_as_value({2}), "lax.shape_as_value: shape must be a sequence of integers, got {2}"),
    (lambda: lax.conv(jnp.ones((1, 1, 4, 4)), jnp.ones((1, 1, 2, 2)), b"ab", "SAME"), "window_strides must be a sequence of 2"),
    (lambda: lax.linalg.qdwh(M, eps=1j), "lax.linalg.qdwh: eps must be a real number, got 1j"),
    (lambda: linalg.solve_sylvester(M, M, M, tol=V), "scipy.linalg.solve_sylvester: tol must be a real number, got float32[3]"),
    (lambda: linalg.dft(3, dtype=int), "scipy.linalg.dft: dtype must be a complex type, got int64"),
    (lambda: linalg.qr(M, lwork="x"), "scipy.linalg.qr: lwork must be an integer or None, got str: 'x'"),
    (lambda: signal.detrend(V, type="constant", bp="x"), "scipy.signal.detrend: bp must be an integer, or several, got str: 'x'"),
    (lambda: signal.convolve2d(M, M, boundary="wrap", fillvalue="x"), "convolve2d"),
    (lambda: special.log_ndtr(V, series_order="x"), "scipy.special.log_ndtr: series_order must be an integer, got str: 'x'"),
    (lambda: special.bessel_jn(V, v=1, n_iter="x"), "scipy.special.bessel_jn: n_iter must be an integer, got str: 'x'"),
    (lambda: random.key(2**64), "random.key: seed must be an integer of 64 bits, got 18446744073709551616"),
    (lambda: random.key(-(2**70)), "random.key: seed must be an integer of 64 bits, got -1180591620717411303424"),
]


@pytest.mark.parametrize(("wrong", "words"), NONSENSE, ids=[words for _, words in NONSENSE])
def test_what_would_be_left_out_or_mean_something_else_is_refused_in_traced_code_too(wrong: Callable[[], Any], words: str) -> None:
    for run in (wrong, wrong, lambda: jit(lambda _: wrong())(V)):
        with pytest.raises(errors.JitgradError, match=re.escape(words)):
            run()


@pytest.mark.parametrize(
    "given", ["norm.logpdf", "beta.cdf", "poisson.logpmf", "dirichlet.logpdf", "multinomial.logpmf", "multivariate_normal.logpdf"]
)
@pytest.mark.parametrize("kind", [*NEVER, "a key", "an array of text", "a complex number"])
def test_what_no_argument_of_a_distribution_may_be_is_refused_in_its_name(given: str, kind: str) -> None:
    family, method = given.split(".")
    f, bad = getattr(getattr(stats, family), method), (NEVER | SELDOM)[kind]
    names = [p.name for p in inspect.signature(f).parameters.values() if p.default is p.empty]
    for name in names:
        fit = {n: {"n": 4, "cov": M, "mean": V, "x": V, "p": V / 6, "alpha": V}.get(n, 2.0) for n in names}
        if kind != "a complex number" or family in ("norm", "beta", "poisson"):
            assert is_refused(f, fit | {name: bad}, f"{given}({name}={kind})"), f"{given} takes {kind} for {name}"


@pytest.mark.parametrize("kind", [*NEVER, "a key", "a complex number", "halves"])
def test_points_of_an_interpolation_and_a_bandwidth_are_refused_by_name(kind: str) -> None:
    bad = (NEVER | SELDOM)[kind]
    with pytest.raises(errors.JitgradError, match="RegularGridInterpolator"):
        interpolate.RegularGridInterpolator(bad, V)
    with pytest.raises(errors.JitgradError, match="gaussian_kde"):
        stats.gaussian_kde(jnp.ones((2, 5)), bad)
    if kind != "halves":
        with pytest.raises(errors.JitgradError, match="from_quat"):
            Rotation.from_quat(bad)
