"""The shapes of results that convolutions and windowed reductions would have, of operands' shapes alone."""

from __future__ import annotations

from collections.abc import Sequence

from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import shape_arg, size_arg

from .convolution import (
    ConvDimensionNumbers,
    ConvGeneralDilatedDimensionNumbers,
    check_features,
    geometry,
    numbers_arg,
    transposed_pads,
)
from .window_geometry import check_left, counts_arg, counts_or_ones, pads_arg, span

Shape = tuple[int, ...]


def _places(size: int, window: int, stride: int) -> int:
    """How many windows an axis has, padding included."""
    return max(0, (size - window) // stride + 1)


def _ordered(numbers: ConvDimensionNumbers, batch: int, results: int, space: Sequence[int]) -> Shape:
    out = dict(zip(numbers.out_spec, (batch, results, *space), strict=True))
    return tuple(out[i] for i in range(len(out)))


def conv_general_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dimension_numbers: ConvGeneralDilatedDimensionNumbers,
) -> Shape:
    """The shape of `conv_general_dilated`'s result, of operands of two shapes; raises what it raises for shapes that do not fit.

    >>> conv_general_shape_tuple((2, 8, 8, 3), (3, 3, 3, 4), (1, 2), "SAME", ("NHWC", "HWIO", "NCHW"))
    (2, 4, 8, 4)
    """
    where = "lax.conv_general_shape_tuple"
    lhs, rhs = shape_arg(where, lhs_shape), shape_arg(where, rhs_shape)
    g = geometry(where, lhs, rhs, dimension_numbers, window_strides, padding, None, None)
    check_features(where, lhs, rhs, g.numbers, 1, 1)
    sizes = [lhs[a] + low + high for a, (low, high) in zip(g.numbers.lhs_spec[2:], g.padding, strict=True)]
    space = [_places(*each) for each in zip(sizes, g.window, g.strides, strict=True)]
    return _ordered(g.numbers, lhs[g.numbers.lhs_spec[0]], rhs[g.numbers.rhs_spec[0]], space)


def conv_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    strides: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    batch_group_count: int = 1,
) -> Shape:
    """The shape of a convolution of [batch, features, *space] with [results, features, *window].

    >>> conv_shape_tuple((2, 3, 8, 8), (4, 3, 3, 3), (2, 2), "SAME")
    (2, 4, 4, 4)
    """
    where = "lax.conv_shape_tuple"
    lhs, rhs = shape_arg(where, lhs_shape), shape_arg(where, rhs_shape)
    g = geometry(where, lhs, rhs, None, strides, pads, None, None)
    groups = size_arg(where, batch_group_count, "batch_group_count must be an integer", 1)
    if lhs[0] % groups:
        raise ShapeError(f"{where}: batch_group_count {groups} must divide the batch of lhs_shape {lhs}")
    sizes = [n + low + high for n, (low, high) in zip(lhs[2:], g.padding, strict=True)]
    return (lhs[0] // groups, rhs[0], *[_places(*each) for each in zip(sizes, g.window, g.strides, strict=True)])


def conv_transpose_shape_tuple(
    lhs_shape: Sequence[int],
    rhs_shape: Sequence[int],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dimension_numbers: ConvGeneralDilatedDimensionNumbers,
) -> Shape:
    """The shape of `conv_transpose`'s result.

    >>> conv_transpose_shape_tuple((1, 4, 4, 3), (3, 3, 3, 5), (2, 2), "SAME", ("NHWC", "HWIO", "NHWC"))
    (1, 8, 8, 5)
    """
    where = "lax.conv_transpose_shape_tuple"
    lhs, rhs = shape_arg(where, lhs_shape), shape_arg(where, rhs_shape)
    numbers = numbers_arg(where, lhs, rhs, dimension_numbers)
    window = [rhs[a] for a in numbers.rhs_spec[2:]]
    strides = counts_arg(where, "window_strides", window_strides, len(window))
    of_lhs = [lhs[a] for a in numbers.lhs_spec[2:]]
    by_name = isinstance(padding, str)
    pads = transposed_pads(where, padding, window, strides) if by_name else pads_arg(where, padding, of_lhs, window, strides)
    check_left(where, of_lhs, strides, pads)
    sizes = [span(n, s) + low + high for n, s, (low, high) in zip(of_lhs, strides, pads, strict=True)]
    space = [_places(n, k, 1) for n, k in zip(sizes, window, strict=True)]
    return _ordered(numbers, lhs[numbers.lhs_spec[0]], rhs[numbers.rhs_spec[0]], space)


def conv_general_permutations(dimension_numbers: tuple[str, str, str]) -> tuple[Shape, Shape, Shape]:
    """The orders of axes that three strings stand for, as in the fields of ConvDimensionNumbers.

    >>> conv_general_permutations(("NHWC", "HWIO", "NCHW"))
    ((0, 3, 1, 2), (3, 2, 0, 1), (0, 1, 2, 3))
    """
    where = "lax.conv_general_permutations"
    strings = isinstance(dimension_numbers, (tuple, list)) and all(isinstance(s, str) for s in dimension_numbers)
    if not strings or len(dimension_numbers) != 3:
        raise ArgumentError(
            f"{where}: dimension_numbers must be three strings such as ('NHWC', 'HWIO', 'NHWC'), got {dimension_numbers!r}"
        )
    shape = (1,) * len(dimension_numbers[0])
    lhs, rhs, out = numbers_arg(where, shape, shape, dimension_numbers)
    return tuple(lhs), tuple(rhs), tuple(out)


def reduce_window_shape_tuple(
    operand_shape: Sequence[int],
    window_dimensions: Sequence[int],
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Shape:
    """The shape of `reduce_window`'s result, of an operand's shape and what it takes for windows.

    >>> reduce_window_shape_tuple((5, 7), (2, 3), (2, 1), [(0, 1), (1, 1)])
    (3, 7)
    """
    where = "lax.reduce_window_shape_tuple"
    shape = shape_arg(where, operand_shape)
    rank = len(shape)
    sizes = counts_arg(where, "window_dimensions", window_dimensions, rank)
    strides = counts_arg(where, "window_strides", window_strides, rank)
    apart, dilation = (
        counts_or_ones(where, "base_dilation", base_dilation, rank),
        counts_or_ones(where, "window_dilation", window_dilation, rank),
    )
    spans = [span(n, d) for n, d in zip(sizes, dilation, strict=True)]
    pads = pads_arg(where, padding, shape, spans, strides)
    check_left(where, shape, apart, pads)
    whole = [span(n, d) + low + high for n, d, (low, high) in zip(shape, apart, pads, strict=True)]
    return tuple(_places(*each) for each in zip(whole, spans, strides, strict=True))
