"""Reductions over axes: sum, prod, max, min, mean, var, std, any, all, argmax, argmin, and running sums and products.

`axis` is an axis, a tuple of axes or None for all; `keepdims` leaves reduced axes with size 1; `where` is a bool array: which
elements count. Those that step over NaN are in `nan_reductions.py`; means with weights, medians and so on in `statistics.py`.
"""

from __future__ import annotations

import math
from typing import Any

from jitgrad.array import Array, as_value
from jitgrad.array_ops import (
    Shape,
    broadcast_right,
    constant,
    convert,
    flat,
    is_number,
    limits,
    op,
    pad_axis,
    reduce_sum,
    reshape,
    select,
    spread,
)
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import (
    ArrayLike,
    array_arg,
    axes_tuple,
    axis_number,
    broadcast_shape,
    broadcasts_to,
    inexact_arg,
    is_complex,
    no_out,
    stored,
)
from jitgrad.promotion import default_float, dtype_name
from jitgrad.transfers import beside
from jitgrad_compiler.ir.types import BOOL, I64, U64, DType

from .arithmetic import truth
from .elementwise import named

Axis = int | tuple[int, ...] | None


def kept(out: Array, shape: Shape, axes: Shape, keepdims: bool) -> Array:
    """The reduced array with its axes put back as size 1 where that is wanted."""
    return reshape(out, tuple(1 if i in axes else n for i, n in enumerate(shape))) if keepdims else out


def mask_arg(name: str, mask: ArrayLike) -> Array:
    """A bool array that says which elements count. Raises DTypeError for numbers, which may be weights that were meant."""
    condition = array_arg(name, mask)
    if condition.type.dtype != BOOL:
        raise DTypeError(f"{name}: where must be a bool array, got {condition.dtype}")
    return condition


def masked(where: str, x: Array, mask: ArrayLike | None, neutral: Any) -> Array:
    """x with `neutral` where the mask is false."""
    if mask is None:
        return x
    condition = mask_arg(where, mask)
    shape = broadcast_shape(where, (x.type.shape, condition.type.shape))
    x = broadcast_right(x, shape)
    return select(broadcast_right(condition, shape), x, constant(neutral, x.type.dtype))


def sum_dtype(dtype: DType) -> DType:
    """Sums of bools and of integers are made in 64 bits."""
    return U64 if dtype.is_unsigned else I64 if dtype == BOOL or dtype.is_integer else dtype


def _folded(name: str, op_name: str, combine: str, neutral: int, doc: str, sample: str) -> Any:
    def function(
        a: ArrayLike,
        axis: Axis = None,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
        promote_integers: bool = True,
    ) -> Array:
        no_out(name, out)
        x = array_arg(name, a, dtype)
        if dtype is None and promote_integers:
            x = convert(x, sum_dtype(x.type.dtype))
        elif x.type.dtype == BOOL:
            return convert(function(convert(x, I64), axis, keepdims=keepdims, initial=initial, where=where), BOOL)
        x = masked(name, x, where, neutral)
        axes = axes_tuple(name, axis, x.type.rank)
        result = kept(op(op_name, x, axes=axes) if axes else x, x.type.shape, axes, keepdims)
        return result if initial is None else op(combine, result, _initial(name, initial, result))

    return named(
        function, name,
        f"""{doc} over axes (all by default).

    Bools and integers are taken in 64 bits, unless `dtype` is given. The {name} of nothing is {neutral}. Raises ArgumentError
    for an axis that does not exist.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([[1, 2], [3, 4]]), axis=0))
    {sample}
    """,
    )  # fmt: skip


def _initial(name: str, initial: ArrayLike, like: Array) -> Array:
    value = stored(name, initial, like.type.dtype, infinite=name.endswith(("max", "min")))
    if value.type.shape:
        raise ShapeError(f"{name}: initial must be a scalar, got shape {value.type.shape}")
    return value if is_number(value) else broadcast_right(value, like.type.shape)


sum = _folded("sum", "reduce_sum", "add", 0, "The sum of elements", "[4 6]")
prod = _folded("prod", "reduce_prod", "mul", 1, "The product of elements", "[3 8]")


def _extreme(name: str, op_name: str, word: str, sample: str) -> Any:
    def function(
        a: ArrayLike,
        axis: Axis = None,
        out: None = None,
        keepdims: bool = False,
        initial: ArrayLike | None = None,
        where: ArrayLike | None = None,
    ) -> Array:
        no_out(name, out)
        x = array_arg(name, a)
        if is_complex(x):
            raise DTypeError(f"{name}: complex numbers have no order, got {x.dtype}")
        if where is not None and initial is None:
            raise ArgumentError(f"{name}: with where= it needs initial=, the result where nothing is selected")
        axes = axes_tuple(name, axis, x.type.rank)
        if where is not None:
            x = masked(name, x, where, lowest(x.type.dtype) if name == "max" else highest(x.type.dtype))
        if any_empty(x, axes):
            if initial is None:
                raise ShapeError(
                    f"{name}: nothing has no {name}, and shape {x.type.shape} is empty along axis {axis}. Give initial=."
                )
            shape = tuple(n for i, n in enumerate(x.type.shape) if i not in axes)
            return kept(beside(broadcast_right(_initial(name, initial, x), shape), x), x.type.shape, axes, keepdims)
        result = kept(op(op_name, x, axes=axes) if axes else x, x.type.shape, axes, keepdims)
        return result if initial is None else op(name, result, _initial(name, initial, result))

    return named(
        function, name,
        f"""The {word} element over axes (all by default); nan where one is. Ties share the derivative.

    Raises ShapeError for an empty array without `initial`, DTypeError for complex ones, ArgumentError for `where` without
    `initial`.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([[1, 5], [3, 4]]), axis=1))
    {sample}
    """,
    )  # fmt: skip


def lowest(dtype: DType) -> Any:
    return False if dtype == BOOL else -math.inf if dtype.is_inexact else limits(dtype).min


def highest(dtype: DType) -> Any:
    return True if dtype == BOOL else math.inf if dtype.is_inexact else limits(dtype).max


def any_empty(x: Array, axes: Shape) -> bool:
    return 0 in [x.type.shape[i] for i in axes]


max = _extreme("max", "reduce_max", "largest", "[5 4]")
min = _extreme("min", "reduce_min", "smallest", "[1 3]")


def count_of(name: str, x: Array, axes: Shape, where: ArrayLike | None) -> Array | int:
    """How many elements each result is made of: a number, or with `where` an array."""
    if where is None:
        return math.prod(x.type.shape[i] for i in axes)
    condition = broadcast_right(mask_arg(name, where), x.type.shape)
    return reduce_sum(convert(condition, I64), axes)


def _mean(name: str, x: Array, axes: Shape, where: ArrayLike | None) -> Array:
    """The mean over axes, which are gone from it."""
    total = reduce_sum(masked(name, x, where, 0), axes)
    count = count_of(name, x, axes, where)
    return op("div", total, constant(count, x.type.dtype) if isinstance(count, int) else convert(count, x.type.dtype))


def mean_arg(name: str, a: ArrayLike, dtype: Any) -> Array:
    """An operand in the type that its mean is made in: integers as default_float."""
    return inexact_arg(name, a) if dtype is None else array_arg(name, a, dtype)


def mean(
    a: ArrayLike, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: ArrayLike | None = None
) -> Array:
    """The arithmetic mean over axes (all by default); of integers and bools in default_float. The mean of nothing is nan.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.mean(jnp.array([[1, 2], [3, 6]]), axis=0))
    [2. 4.]
    """
    no_out("mean", out)
    x = mean_arg("mean", a, dtype)
    kind = x.type.dtype
    if kind.is_storage:  # the sum, which may be larger than any number of the type, is float32's
        return convert(mean(convert(x, kind.accumulated), axis, keepdims=keepdims, where=where), kind)
    if not x.type.dtype.is_inexact:
        x = convert(mean(convert(x, default_float()), axis, keepdims=keepdims, where=where), x.type.dtype)
        return x
    x = _with_shape_of_mask("mean", x, where)
    axes = axes_tuple("mean", axis, x.type.rank)
    return kept(_mean("mean", x, axes, where), x.type.shape, axes, keepdims)


def _with_shape_of_mask(name: str, x: Array, where: ArrayLike | None) -> Array:
    if where is None:
        return x
    return broadcast_right(x, broadcast_shape(name, (x.type.shape, array_arg(name, where).type.shape)))


def var(
    a: ArrayLike,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    correction: float | None = None,
) -> Array:
    """The variance over axes (all by default): the mean of |x - mean(x)|**2, with n - ddof in place of n; a float.

    In two passes, so that nothing cancels; `mean`, where it is known, is taken as given with the axes in it (keepdims=True).
    `correction` is another name of ddof; nan where n <= ddof.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.var(jnp.array([1.0, 2.0, 6.0])), jnp.var(jnp.array([1, 2, 6]), ddof=1))
    4.6666665 7.0
    """
    no_out("var", out)
    return _var("var", a, axis, dtype, _degrees("var", ddof, correction), keepdims, where, mean)


def _degrees(name: str, ddof: float, correction: float | None) -> float:
    if correction is None:
        return ddof
    if ddof != 0:
        raise ArgumentError(f"{name}: ddof and correction are names of one number, got {ddof} and {correction}")
    return correction


def _var(
    name: str,
    a: ArrayLike,
    axis: Axis,
    dtype: Any,
    ddof: float,
    keepdims: bool,
    where: ArrayLike | None,
    mean: ArrayLike | None,
) -> Array:
    x = mean_arg(name, a, dtype)
    kind = x.type.dtype
    if kind.is_storage:
        return convert(_var(name, convert(x, kind.accumulated), axis, None, ddof, keepdims, where, mean), kind)
    if not x.type.dtype.is_inexact:
        raise DTypeError(f"{name}: dtype must be a float type, got {x.dtype}")
    # Masked before it is squared, so that what is left out has no part in derivatives either, not even if it is nan.
    x = masked(name, _with_shape_of_mask(name, x, where), where, 0)
    axes = axes_tuple(name, axis, x.type.rank)
    middle = spread(_mean(name, x, axes, where), x.type.shape, axes) if mean is None else _given_mean(name, mean, x)
    centred = masked(name, x - middle, where, 0)
    squares = op("real", centred * op("conj", centred)) if is_complex(x) else centred * centred
    total = reduce_sum(squares, axes)
    count = count_of(name, x, axes, where)
    if isinstance(count, int):
        degrees: Any = count - ddof if count > ddof else math.nan
    else:
        degrees = convert(count, x.type.dtype.real) - ddof
        degrees = select(degrees > 0, degrees, constant(math.nan, degrees.type.dtype))
    return kept(total / degrees, x.type.shape, axes, keepdims)


def _given_mean(name: str, mean: ArrayLike, x: Array) -> Array:
    value = as_value(mean, name)
    if not broadcasts_to(value.type.shape, x.type.shape):
        raise ShapeError(
            f"{name}: mean= must broadcast to the array's shape {x.type.shape}, got shape {value.type.shape}; make it with "
            "keepdims=True"
        )
    if is_complex(value) and not is_complex(x):
        raise DTypeError(f"{name}: the mean= of real numbers must be real, got {value.dtype}")
    return broadcast_right(convert(value, x.type.dtype), x.type.shape)


def std(
    a: ArrayLike,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
    *,
    where: ArrayLike | None = None,
    mean: ArrayLike | None = None,
    correction: float | None = None,
) -> Array:
    """The standard deviation over axes (all by default): the square root of `var`.

    Its derivative is infinite or nan where it is 0, but 0 where there is but one element, whose deviation is 0 whatever it is.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.std(jnp.array([1.0, 3.0])))
    1.0
    """
    no_out("std", out)
    degrees = _degrees("std", ddof, correction)
    x = mean_arg("std", a, dtype)
    variance = _var("std", x, axis, dtype, degrees, keepdims, where, mean)
    count = math.prod(x.type.shape[i] for i in axes_tuple("std", axis, x.type.rank))
    alone = count == 1 and mean is None and not degrees
    return variance if alone else op("sqrt", variance)


def _logical(name: str, op_name: str, neutral: bool, doc: str, sample: str) -> Any:
    def function(
        a: ArrayLike, axis: Axis = None, out: None = None, keepdims: bool = False, *, where: ArrayLike | None = None
    ) -> Array:
        no_out(name, out)
        x = masked(name, truth(array_arg(name, a)), where, neutral)
        axes = axes_tuple(name, axis, x.type.rank)
        return kept(op(op_name, x, axes=axes) if axes else x, x.type.shape, axes, keepdims)

    return named(
        function, name,
        f"""{doc} over axes (all by default). Numbers are true where they are not 0; of nothing it is {neutral}.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([[True, False], [True, True]]), axis=1))
    {sample}
    """,
    )  # fmt: skip


any = _logical("any", "reduce_or", False, "Whether any element is true", "[ True  True]")
all = _logical("all", "reduce_and", True, "Whether all elements are true", "[False  True]")


def _place(name: str, word: str, sample: str) -> Any:
    def function(a: ArrayLike, axis: int | None = None, out: None = None, keepdims: bool | None = None) -> Array:
        no_out(name, out)
        x = array_arg(name, a)
        if x.type.dtype.is_complex:
            raise DTypeError(f"{name}: complex numbers have no order, got {x.dtype}")
        shape = x.type.shape
        if axis is None or not shape:
            if axis is not None:
                axis_number(name, axis, x.type.rank)
            x, number, axes = flat(x), 0, tuple(range(len(shape)))
        else:
            number = axis_number(name, axis, x.type.rank)
            axes = (number,)
        if not x.type.shape[number]:
            raise ShapeError(
                f"{name}: the {name} of nothing is not defined, and the array of shape {shape} is empty along axis {axis}"
            )
        return kept(op(name, x, axis=number, dtype=I64), shape, axes, bool(keepdims))

    return named(
        function, name,
        f"""The index (int64) of the first {word} element along an axis, or in all; of the first nan where there is one.

    Raises ShapeError for an empty axis.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([[1, 5], [3, 2]]), axis=1))
    {sample}
    """,
    )  # fmt: skip


argmax = _place("argmax", "largest", "[1 0]")
argmin = _place("argmin", "smallest", "[0 1]")


def count_nonzero(a: ArrayLike, axis: Axis = None, keepdims: bool = False) -> Array:
    """The number (int64) of elements that are not 0, over axes (all by default).

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.count_nonzero(jnp.array([0, 3, 0, 1])))
    2
    """
    result: Array = sum(truth(array_arg("count_nonzero", a)), axis, keepdims=keepdims)
    return result


def _running(name: str, op_name: str, word: str, sample: str) -> Any:
    def function(a: ArrayLike, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
        no_out(name, out)
        x = array_arg(name, a, dtype)
        if x.type.dtype == BOOL:
            if dtype is not None and dtype_name(dtype) == BOOL:
                return convert(function(convert(x, I64), axis), BOOL)
            x = convert(x, I64)
        if axis is None:
            x, axis = flat(x), 0
        return op(op_name, x, axis=axis_number(name, axis, x.type.rank), reverse=False)

    return named(
        function, name,
        f"""The {word} of the elements up to each one along an axis, or in the flattened array; of bools in int64.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([2, 3, 4])))
    {sample}
    """,
    )  # fmt: skip


cumsum = _running("cumsum", "cumsum", "sum", "[2 5 9]")
cumprod = _running("cumprod", "cumprod", "product", "[ 2  6 24]")


def _cumulative(name: str, running: Any, neutral: int, word: str, sample: str) -> Any:
    def function(x: ArrayLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
        value = array_arg(name, x, dtype)
        if dtype is None:
            value = convert(value, sum_dtype(value.type.dtype))
        if axis is None:
            if value.type.rank != 1:
                raise ArgumentError(f"{name}: axis is needed for an array with {value.type.rank} axes")
            axis = 0
        out: Array = running(value, axis, dtype)
        number = axis_number(name, axis, value.type.rank)
        return pad_axis(out, number, 1, 0, constant(neutral, out.type.dtype)) if include_initial else out

    return named(
        function, name,
        f"""The {word} of the elements up to each one along an axis, with include_initial behind a first {neutral}. (Array API)

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.{name}(jnp.array([2, 3, 4]), include_initial=True))
    {sample}
    """,
    )  # fmt: skip


cumulative_sum = _cumulative("cumulative_sum", cumsum, 0, "sum", "[0 2 5 9]")
cumulative_prod = _cumulative("cumulative_prod", cumprod, 1, "product", "[ 1  2  6 24]")
