"""Reductions that step over NaN: nansum, nanmax, nanmean, ..."""

from __future__ import annotations

import math
from typing import Any

from jitgrad.array import Array
from jitgrad.array_ops import constant, op, select
from jitgrad.operands import ArrayLike, array_arg, is_inexact, no_out
from jitgrad_compiler.ir.types import I64

from . import reductions
from .elementwise import isnan, named
from .reductions import Axis


def _without_nan(name: str, a: ArrayLike, neutral: float) -> Array:
    x = array_arg(name, a)
    return select(isnan(x), constant(neutral, x.type.dtype), x) if is_inexact(x) else x


def _folded(name: str, plain: Any, neutral: float, doc: str, sample: str) -> Any:
    """A fold for which NaN counts as a number that changes nothing."""

    def function(
        a: ArrayLike,
        axis: Axis = None,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        no_out(name, out)
        return plain(_without_nan(name, a, neutral), axis, dtype, None, keepdims, initial, where)

    return _documented(function, name, neutral, doc, sample)


def _running(name: str, plain: Any, neutral: float, doc: str, sample: str) -> Any:
    def function(a: ArrayLike, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
        no_out(name, out)
        return plain(_without_nan(name, a, neutral), axis, dtype)

    return _documented(function, name, neutral, doc, sample)


def _documented(function: Any, name: str, neutral: float, doc: str, sample: str) -> Any:
    return named(
        function, name,
        f"""{doc}, NaN counting as {neutral:g}. Arguments as of `{name[3:]}`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([2.0, jnp.nan, 3.0])))
    {sample}
    """,
    )  # fmt: skip


nansum = _folded("nansum", reductions.sum, 0, "The sum over axes", "5.0")
nanprod = _folded("nanprod", reductions.prod, 1, "The product over axes", "6.0")
nancumsum = _running("nancumsum", reductions.cumsum, 0, "The running sum along an axis", "[2. 2. 5.]")
nancumprod = _running("nancumprod", reductions.cumprod, 1, "The running product along an axis", "[2. 2. 6.]")


def _extreme(name: str, plain: Any, losing: float, word: str, sample: str) -> Any:
    def function(
        a: ArrayLike,
        axis: Axis = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        x = array_arg(name, a)
        result: Array = plain(_without_nan(name, x, losing), axis, out, keepdims, initial, where)
        if not is_inexact(x) or initial is not None:
            return result
        nothing = reductions.all(isnan(x), axis, keepdims=keepdims)
        return select(nothing, constant(math.nan, x.type.dtype), result)

    return named(
        function, name,
        f"""The {word} element over axes that is not NaN; nan where there is none. Arguments as of `{name[3:]}`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([2.0, jnp.nan, 3.0])))
    {sample}
    """,
    )  # fmt: skip


nanmax = _extreme("nanmax", reductions.max, -math.inf, "largest", "3.0")
nanmin = _extreme("nanmin", reductions.min, math.inf, "smallest", "2.0")


def _place(name: str, plain: Any, losing: float, word: str, sample: str) -> Any:
    def function(a: ArrayLike, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
        x = array_arg(name, a)
        result: Array = plain(_without_nan(name, x, losing), axis, out, keepdims)
        if not is_inexact(x):
            return result
        nothing = reductions.all(isnan(x), axis, keepdims=bool(keepdims))
        return select(nothing, constant(-1, I64), result)

    return named(
        function, name,
        f"""The index (int64) of the first {word} element that is not NaN, along an axis or in all; -1 where there is none.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([2.0, jnp.nan, 3.0])))
    {sample}
    """,
    )  # fmt: skip


nanargmax = _place("nanargmax", reductions.argmax, -math.inf, "largest", "2")
nanargmin = _place("nanargmin", reductions.argmin, math.inf, "smallest", "0")


def _valid(name: str, x: Array, where: ArrayLike | None) -> Array:
    mask = op("not", isnan(x))
    return mask if where is None else mask & reductions.mask_arg(name, where)


def nanmean(
    a: ArrayLike, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, where: ArrayLike | None = None
) -> Array:
    """The mean over axes of what is not NaN; nan where that is nothing. Arguments as of `mean`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanmean(jnp.array([2.0, jnp.nan, 4.0])))
    3.0
    """
    x = array_arg("nanmean", a)
    return reductions.mean(x, axis, dtype, out, keepdims, where=_valid("nanmean", x, where))


def nanvar(
    a: ArrayLike,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    mean: ArrayLike | None = None,
) -> Array:
    """The variance over axes of what is not NaN. Arguments as of `var`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanvar(jnp.array([2.0, jnp.nan, 4.0])))
    1.0
    """
    x = array_arg("nanvar", a)
    return reductions.var(x, axis, dtype, out, ddof, keepdims, where=_valid("nanvar", x, where), mean=mean)


def nanstd(
    a: ArrayLike,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    where: ArrayLike | None = None,
    mean: ArrayLike | None = None,
) -> Array:
    """The standard deviation over axes of what is not NaN. Arguments as of `std`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.nanstd(jnp.array([2.0, jnp.nan, 4.0])))
    1.0
    """
    x = array_arg("nanstd", a)
    return reductions.std(x, axis, dtype, out, ddof, keepdims, where=_valid("nanstd", x, where), mean=mean)
