"""jax.lax's convolutions. Each is the compiler's `convolve` between transposes and reshapes, which take no memory.

[groups, batch, *space, features] with [groups, *window, features, results]: channels-last operands ("NHWC", "HWIO") are so already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from jitgrad import array_ops as ops
from jitgrad.array import Array, as_value
from jitgrad.errors import ArgumentError, DTypeError, ShapeError
from jitgrad.operands import shape_arg, size_arg, strong
from jitgrad.precision import PrecisionLike, check_precision
from jitgrad.promotion import default_float, dtype_name, promote
from jitgrad_compiler.ir.types import BOOL

from .elementwise import same_dtype
from .window_geometry import Counts, Pads, check_left, counts_arg, counts_or_ones, pads_arg, span

ArrayLike = Any


class ConvDimensionNumbers(NamedTuple):
    """Which axes of a convolution's operands and result are what.

    lhs_spec, out_spec: (batch axis, feature axis, *axes of space). rhs_spec: (axis of results, feature axis, *axes of the window).
    """

    lhs_spec: Sequence[int]
    rhs_spec: Sequence[int]
    out_spec: Sequence[int]


ConvGeneralDilatedDimensionNumbers = tuple[str, str, str] | ConvDimensionNumbers | None
"""Three strings such as ("NHWC", "HWIO", "NHWC"), a ConvDimensionNumbers, or None: ("NCHW", "OIHW", "NCHW") for two axes."""

_MARKS = (("N", "C"), ("O", "I"), ("N", "C"))


def conv_dimension_numbers(
    lhs_shape: Sequence[int], rhs_shape: Sequence[int], dimension_numbers: ConvGeneralDilatedDimensionNumbers
) -> ConvDimensionNumbers:
    """The ConvDimensionNumbers that strings, or None, stand for. Axes of space are in the second string's order.

    Raises ArgumentError for strings that are no names of all axes.

    >>> conv_dimension_numbers((1, 8, 8, 3), (3, 3, 3, 4), ("NHWC", "HWIO", "NHWC"))
    ConvDimensionNumbers(lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2))
    """
    where = "lax.conv_dimension_numbers"
    return numbers_arg(where, shape_arg(where, lhs_shape), shape_arg(where, rhs_shape), dimension_numbers)


def numbers_arg(where: str, lhs: Counts, rhs: Counts, given: Any) -> ConvDimensionNumbers:
    rank = len(lhs)
    if rank != len(rhs) or rank < 2:
        raise ShapeError(
            f"{where}: both operands must have one number of axes, two more than there are of space, got shapes {lhs} and {rhs}"
        )
    if given is None:
        order = tuple(range(rank))
        return ConvDimensionNumbers(order, order, order)
    if isinstance(given, ConvDimensionNumbers):
        for name, spec in zip(given._fields, given, strict=True):
            if sorted(spec) != list(range(rank)):
                raise ArgumentError(f"{where}: dimension_numbers.{name} must name each of {rank} axes once, got {tuple(spec)}")
        return given
    if not isinstance(given, (tuple, list)) or len(given) != 3 or not all(isinstance(s, str) for s in given):
        raise ArgumentError(
            f"{where}: dimension_numbers must be None, a ConvDimensionNumbers, or three strings such as "
            f"('NHWC', 'HWIO', 'NHWC'), got {given!r}"
        )
    for spec, (a, b) in zip(given, _MARKS, strict=True):
        if len(spec) != rank or len(set(spec)) != rank or not {a, b} <= set(spec):
            raise ArgumentError(
                f"{where}: of dimension_numbers {tuple(given)}, {spec!r} must have {rank} different letters, one for each axis of "
                f"shapes {lhs} and {rhs}, and {a!r} and {b!r} among them"
            )
    window = [c for c in given[1] if c not in _MARKS[1]]
    if any(set(spec) - set(marks) != set(window) for spec, marks in zip(given, _MARKS, strict=True)):
        raise ArgumentError(f"{where}: dimension_numbers {tuple(given)} must have the same letters for the axes of space")
    specs = [tuple(map(spec.index, (*marks, *window))) for spec, marks in zip(given, _MARKS, strict=True)]
    return ConvDimensionNumbers(*specs)


class Geometry(NamedTuple):
    """The arguments of a convolution, read: where axes are, and how the window moves."""

    numbers: ConvDimensionNumbers
    window: Counts
    strides: Counts
    padding: Pads
    lhs_dilation: Counts
    rhs_dilation: Counts

    @property
    def of_lhs(self) -> Counts:
        """The order of axes [batch, *space, features] of lhs."""
        batch, features, *space = self.numbers.lhs_spec
        return (batch, *space, features)

    @property
    def of_rhs(self) -> Counts:
        """The order of axes [*window, features, results] of rhs."""
        results, features, *window = self.numbers.rhs_spec
        return (*window, features, results)

    def result(self, out: Array) -> Array:
        """[batch, *places, results] with its axes where the caller wants them."""
        batch, features, *space = self.numbers.out_spec
        held = (batch, *space, features)
        return ops.transpose(out, tuple(map(held.index, range(len(held)))))


def geometry(
    where: str,
    shape: Counts,
    rhs_shape: Counts,
    numbers: Any,
    strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
) -> Geometry:
    numbers = numbers_arg(where, shape, rhs_shape, numbers)
    space = [shape[a] for a in numbers.lhs_spec[2:]]
    window = tuple(rhs_shape[a] for a in numbers.rhs_spec[2:])
    rank = len(space)
    by_stride = counts_arg(where, "window_strides", strides, rank)
    of_lhs, of_rhs = (
        counts_or_ones(where, "lhs_dilation", lhs_dilation, rank),
        counts_or_ones(where, "rhs_dilation", rhs_dilation, rank),
    )
    if isinstance(padding, str) and any(d > 1 for d in of_lhs):
        raise ArgumentError(
            f"{where}: beside lhs_dilation {of_lhs} padding must be pairs (before, behind), got {padding!r}. lax.conv_transpose "
            "knows what 'SAME' and 'VALID' are of a transposed convolution."
        )
    if 0 in window:
        raise ShapeError(f"{where}: a window must have at least one element along each axis, got {window}")
    pads = pads_arg(where, padding, space, [span(n, d) for n, d in zip(window, of_rhs, strict=True)], by_stride)
    check_left(where, space, of_lhs, pads)
    return Geometry(numbers, window, by_stride, pads, of_lhs, of_rhs)


def _operands(where: str, lhs: ArrayLike, rhs: ArrayLike, preferred: Any) -> tuple[Array, Array, Any]:
    """Both operands in the type that is computed in, and the result's."""
    (x, w), _ = same_dtype(where.removeprefix("lax."), [strong(as_value(v, where)) for v in (lhs, rhs)])
    dtype = x.type.dtype
    if dtype == BOOL:
        raise DTypeError(f"{where}: operands must be numbers, got bool. Convert them with .astype.")
    if preferred is None:
        return x, w, dtype
    wanted = dtype_name(preferred)
    wide, _ = promote(dtype, False, wanted, False, default_float())
    return ops.convert(x, wide), ops.convert(w, wide), wanted


def conv_general_dilated(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """The sums of products of each window of lhs with the kernel rhs, which is not turned round, over any number of axes of space.

    window_strides: how far apart windows are. padding: "VALID", "SAME", "SAME_LOWER" (`padtype_to_pads`) or pairs of numbers of
    zeros before and behind each axis of space, negative ones cut off. lhs_dilation, rhs_dilation: how far apart elements are set
    before, by zeros between them. dimension_numbers: which axis is what; None stands for ("NCHW", "OIHW", "NCHW") for two axes
    of space. Strides, paddings and dilations are in the second string's order of these.
    feature_group_count: that many groups of features, each with a part of the results. batch_group_count: the same of the batch.
    preferred_element_type: the result's type; where it is wider than the operands', it is computed in.

    Raises DTypeError for operands of two types, ShapeError for shapes that do not go together, ArgumentError for other arguments.

    >>> import jitgrad.numpy as jnp
    >>> x, kernel = jnp.arange(5.0), jnp.array([1.0, 0.0, -1.0])
    >>> print(conv_general_dilated(x.reshape(1, 5, 1), kernel.reshape(3, 1, 1), (1,), "VALID", None, None, ("NWC", "WIO", "NCW")))
    [[[-2. -2. -2.]]]
    """
    where = "lax.conv_general_dilated"
    by_feature = _group_count(where, "feature_group_count", feature_group_count)
    by_batch = _group_count(where, "batch_group_count", batch_group_count)
    return _convolved(
        where, lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers, by_feature, by_batch, precision,
        preferred_element_type,
    )  # fmt: skip


def _group_count(where: str, name: str, count: Any) -> int:
    number = size_arg(where, count, f"{name} must be an integer")
    if number < 1:
        raise ArgumentError(f"{where}: {name} must be 1 or more, got {number}")
    return number


def _convolved(
    where: str,
    lhs: ArrayLike,
    rhs: ArrayLike,
    strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    numbers: Any,
    feature_groups: int,
    batch_groups: int,
    precision: Any,
    preferred: Any,
) -> Array:
    check_precision(where, precision)
    x, w, dtype = _operands(where, lhs, rhs, preferred)
    g = geometry(where, x.type.shape, w.type.shape, numbers, strides, padding, lhs_dilation, rhs_dilation)
    check_features(where, x.type.shape, w.type.shape, g.numbers, feature_groups, batch_groups)
    x, w = ops.transpose(x, g.of_lhs), ops.transpose(w, g.of_rhs)
    batch, *space, features = x.type.shape
    groups = max(feature_groups, batch_groups)
    each = w.type.shape[-1] // groups
    if groups == 1:
        x, w = ops.reshape(x, (1, *x.type.shape)), ops.reshape(w, (1, *w.type.shape))
    else:
        rank = len(space) + 2
        if feature_groups > 1:
            apart = ops.reshape(x, (batch, *space, groups, features // groups))
            x = ops.transpose(apart, (rank - 1, *range(rank - 1), rank))
        else:
            x = ops.reshape(x, (groups, batch // groups, *space, features))
        apart = ops.reshape(w, (*w.type.shape[:-1], groups, each))
        w = ops.transpose(apart, (rank - 1, *range(rank - 1), rank))
    out = ops.op(
        "convolve", x, w, strides=g.strides, padding=g.padding, x_dilation=g.lhs_dilation, w_dilation=g.rhs_dilation
    )  # fmt: skip
    joined = ops.transpose(out, (*range(1, out.type.rank - 1), 0, out.type.rank - 1)) if groups > 1 else out
    shape = (*out.type.shape[1:-1], groups * each)
    return ops.convert(g.result(ops.reshape(joined, shape)), dtype)


def check_features(
    where: str, lhs: Counts, rhs: Counts, numbers: ConvDimensionNumbers, feature_groups: int, batch_groups: int
) -> None:
    features, wanted = lhs[numbers.lhs_spec[1]], rhs[numbers.rhs_spec[1]]
    batch, results = lhs[numbers.lhs_spec[0]], rhs[numbers.rhs_spec[0]]
    shapes = f"lhs of shape {lhs} and rhs of shape {rhs}"
    if feature_groups > 1 and batch_groups > 1:
        raise ArgumentError(
            f"{where}: only one of feature_group_count and batch_group_count may be above 1, "
            f"got {feature_groups} and {batch_groups}"
        )
    if features % feature_groups or results % feature_groups:
        raise ShapeError(
            f"{where}: feature_group_count {feature_groups} must divide the {features} features and the {results} results "
            f"of {shapes}"
        )
    if batch % batch_groups or results % batch_groups:
        raise ShapeError(
            f"{where}: batch_group_count {batch_groups} must divide the batch of {batch} and the {results} results of {shapes}"
        )
    if features // feature_groups != wanted:
        in_groups = f" in {feature_groups} groups" if feature_groups > 1 else ""
        raise ShapeError(
            f"{where}: lhs has {features} features{in_groups} (its axis {numbers.lhs_spec[1]}) and rhs takes {wanted} (its axis "
            f"{numbers.rhs_spec[1]}), of {shapes}. dimension_numbers says which axis is what."
        )


def conv(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """`conv_general_dilated` of [batch, features, *space] with [results, features, *window].

    >>> import jitgrad.numpy as jnp
    >>> conv(jnp.ones((1, 3, 8, 8)), jnp.ones((4, 3, 3, 3)), (2, 2), "SAME").shape
    (1, 4, 4, 4)
    """
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, precision=precision, preferred_element_type=preferred_element_type
    )


def conv_with_general_padding(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """`conv_general_dilated` of [batch, features, *space] with [results, features, *window], with dilations.

    >>> import jitgrad.numpy as jnp
    >>> conv_with_general_padding(jnp.ones((1, 3, 8)), jnp.ones((4, 3, 3)), (1,), [(0, 0)], (2,), (1,)).shape
    (1, 4, 13)
    """
    return conv_general_dilated(
        lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation, precision=precision,
        preferred_element_type=preferred_element_type,
    )  # fmt: skip


_CHANNELS_LAST = {
    2: ("NC", "IO", "NC"), 3: ("NHC", "HIO", "NHC"), 4: ("NHWC", "HWIO", "NHWC"), 5: ("NHWDC", "HWDIO", "NHWDC"),
}  # fmt: skip


def conv_transpose(
    lhs: ArrayLike,
    rhs: ArrayLike,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    transpose_kernel: bool = False,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
    use_consistent_padding: bool = False,
) -> Array:
    """A convolution of lhs with zeros between its elements, `strides` apart: the transpose of a convolution with such strides.

    padding: "SAME" and "VALID" are those of that convolution; pairs pad lhs itself, or, with use_consistent_padding, are that
    convolution's, too. dimension_numbers: channels-last by default, ("NHWC", "HWIO", "NHWC") for two axes of space.
    transpose_kernel: rhs is that convolution's kernel: it is turned round along the axes of space, and "I" and "O" change places.

    >>> import jitgrad.numpy as jnp
    >>> conv_transpose(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 5)), (2, 2), "SAME").shape
    (1, 8, 8, 5)
    """
    where = "lax.conv_transpose"
    x, w = as_value(lhs, where), as_value(rhs, where)
    if dimension_numbers is None:
        dimension_numbers = _CHANNELS_LAST.get(x.type.rank)
        if dimension_numbers is None:
            raise ArgumentError(f"{where}: dimension_numbers must be given for operands of {x.type.rank} axes")
    numbers = numbers_arg(where, x.type.shape, w.type.shape, dimension_numbers)
    window = [w.type.shape[a] for a in numbers.rhs_spec[2:]]
    by_stride = counts_arg(where, "strides", strides, len(window))
    dilation = counts_or_ones(where, "rhs_dilation", rhs_dilation, len(window))
    pads = padding
    if isinstance(padding, str) or use_consistent_padding:
        spans = [span(n, d) for n, d in zip(window, dilation, strict=True)]
        pads = transposed_pads(where, padding, spans, by_stride)
    if transpose_kernel:
        results, features, *space = numbers.rhs_spec
        order = list(range(w.type.rank))
        order[results], order[features] = features, results
        w = ops.transpose(ops.op("reverse", w, axes=tuple(sorted(space))), tuple(order))
    ones = (1,) * len(window)
    return _convolved(where, x, w, ones, pads, by_stride, dilation, numbers, 1, 1, precision, preferred_element_type)


def transposed_pads(where: str, padding: Any, spans: Sequence[int], strides: Counts) -> Pads:
    """The paddings of a transposed convolution, of those of the convolution that it is the transpose of."""
    if not isinstance(padding, str):
        pairs = pads_arg(where, padding, spans, spans, strides)
        return tuple((k - 1 - low, k - 1 - high) for k, (low, high) in zip(spans, pairs, strict=True))
    name = padding.upper()
    if name not in ("SAME", "VALID"):
        raise ArgumentError(f"{where}: padding must be 'SAME', 'VALID' or pairs (before, behind), got {padding!r}")
    out = []
    for k, s in zip(spans, strides, strict=True):
        whole = k + s - 2 + (max(k - s, 0) if name == "VALID" else 0)
        low = k - 1 if name == "VALID" or s > k - 1 else -(-whole // 2)
        out.append((low, whole - low))
    return tuple(out)


def _patches(where: str, x: Array, g: Geometry) -> Array:
    """[batch, *places, features of all elements of the window], the elements counted within each feature."""
    x = ops.transpose(x, g.of_lhs)
    around = [(low, high, d - 1) for (low, high), d in zip(g.padding, g.lhs_dilation, strict=True)]
    if any(p != (0, 0, 0) for p in around):
        x = ops.op("pad", x, ops.constant(0, x.type.dtype), padding=((0, 0, 0), *around, (0, 0, 0)))
    seen = ops.op(
        "windows", x, sizes=(1, *g.window, 1), strides=(1, *g.strides, 1), dilation=(1, *g.rhs_dilation, 1)
    )  # fmt: skip
    places = seen.type.shape[: x.type.rank]
    return ops.reshape(seen, (*places[:-1], places[-1] * math.prod(g.window)))


def conv_general_dilated_patches(
    lhs: ArrayLike,
    filter_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
    preferred_element_type: Any = None,
) -> Array:
    """The windows that a convolution with a kernel of filter_shape reads, each with its elements in a row along the feature axis.

    That axis has the features in order, and within each the window's elements. Other arguments are `conv_general_dilated`'s.

    >>> import jitgrad.numpy as jnp
    >>> print(conv_general_dilated_patches(jnp.arange(4.0).reshape(1, 1, 4), (2,), (1,), "VALID"))
    [[[0. 1. 2.]
      [1. 2. 3.]]]
    """
    where = "lax.conv_general_dilated_patches"
    check_precision(where, precision)
    x = strong(as_value(lhs, where))
    g = _patchgeometry(
        where, x.type.shape, filter_shape, dimension_numbers, window_strides, padding, lhs_dilation, rhs_dilation
    )  # fmt: skip
    out = g.result(_patches(where, x, g))
    return out if preferred_element_type is None else ops.convert(out, dtype_name(preferred_element_type))


def _patchgeometry(where: str, shape: Counts, filter_shape: Any, numbers: Any, *of: Any) -> Geometry:
    window = counts_arg(where, "filter_shape", filter_shape, max(len(shape) - 2, 0))
    spec = numbers_arg(where, shape, (1, 1, *window), numbers)
    kernel = [1] * len(shape)
    for a, n in zip(spec.rhs_spec[2:], window, strict=True):
        kernel[a] = n
    return geometry(where, shape, tuple(kernel), spec, *of)


def conv_general_dilated_local(
    lhs: ArrayLike,
    rhs: ArrayLike,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    filter_shape: Sequence[int],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: ConvGeneralDilatedDimensionNumbers = None,
    precision: PrecisionLike = None,
) -> Array:
    """A convolution with a kernel of its own at each place: `conv_general_dilated_patches` times rhs.

    rhs has the places where a kernel has its window, and all features of a patch along "I". Other arguments are
    `conv_general_dilated`'s. Raises ShapeError where rhs has other places or other features.

    >>> import jitgrad.numpy as jnp
    >>> conv_general_dilated_local(jnp.ones((1, 3, 8)), jnp.ones((4, 6, 7)), (1,), "VALID", (2,)).shape
    (1, 4, 7)
    """
    where = "lax.conv_general_dilated_local"
    check_precision(where, precision)
    x, w, dtype = _operands(where, lhs, rhs, None)
    if w.type.rank != x.type.rank:
        raise ShapeError(f"{where}: operands must have one number of axes, got shapes {x.type.shape} and {w.type.shape}")
    g = _patchgeometry(
        where, x.type.shape, filter_shape, dimension_numbers, window_strides, padding, lhs_dilation, rhs_dilation
    )  # fmt: skip
    patches = _patches(where, x, g)
    kernels = ops.transpose(w, g.of_rhs)
    _, *places, features = patches.type.shape
    if kernels.type.shape[:-1] != (*places, features):
        raise ShapeError(
            f"{where}: rhs must have the places {tuple(places)} along its axes of space and {features} features, each patch's, "
            f"got shape {w.type.shape}"
        )
    rank = len(places)
    dims = (((rank + 1,), (rank,)), (tuple(range(1, rank + 1)), tuple(range(rank))))
    out = ops.op("dot_general", patches, kernels, dims=dims)  # [*places, batch, results]
    return ops.convert(g.result(ops.transpose(out, (rank, *range(rank), rank + 1))), dtype)
