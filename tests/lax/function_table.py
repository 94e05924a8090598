"""How each function of jitgrad.lax is called, and what it is in NumPy: a row a function or family, for test_every_function.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from jitgrad import lax
from tests.numpy.drawn_calls import Call, constant, one
from tests.numpy.function_table import Row

from . import references as ref
from .drawn_elements import (
    axes_of,
    bits,
    chosen,
    chosen_of_many,
    clamped,
    converted,
    cumulated,
    elements,
    filled,
    folded,
    indexed,
    narrowed,
    of_order,
    powered,
    recast,
    reduced,
    reduced_pair,
    shifted,
    then,
)  # fmt: skip
from .drawn_shapes import (
    along_one_axis,
    batches,
    broadcast_in,
    broadcast_to_other,
    collapsed,
    cut,
    element_at,
    element_replaced,
    expanded,
    grouped_in_general,
    grouped_rows,
    indexed_along,
    joined,
    largest,
    multiplied,
    padded,
    part_replaced,
    points_taken,
    reshaped,
    sliced,
    sliced_along,
    sorted_together,
    sorted_with,
    squeezed,
    stacked,
    transformed,
    vectors_or_matrices,
    window_along,
    window_at,
    window_replaced,
)  # fmt: skip
from .drawn_windows import (
    applied,
    convolved,
    convolved_locally,
    convolved_simply,
    gathered,
    patched,
    scattered,
    transposed,
    windowed,
)  # fmt: skip

special = scipy.special


def row(names: str, draw: Any, types: str, reference: Any = None, **rest: Any) -> Row:
    return Row(names, draw, types, reference=reference, **rest)


def smooth(names: str, draw: Any, types: str, reference: Any = None, **rest: Any) -> Row:
    """Differentiable, at complex numbers, too, where it takes them."""
    return Row(names, draw, types, smooth=True, holomorphic="c" in types, reference=reference, **rest)


ALL = "biufc"
NUMPYS: dict[str, Any] = {
    "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "acosh": np.arccosh, "asinh": np.arcsinh, "atanh": np.arctanh,
    "erf": special.erf, "erfc": special.erfc, "digamma": special.digamma, "lgamma": special.gammaln, "bessel_i0e": special.i0e,
    "bessel_i1e": special.i1e, "igamma": special.gammainc, "igammac": special.gammaincc, "sub": np.subtract, "mul": np.multiply,
    "add": np.add, "max": np.maximum, "min": np.minimum, "atan2": np.arctan2, "eq": np.equal, "ne": np.not_equal, "lt": np.less,
    "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "reduce_sum": ref.folded("sum"),
    "reduce_prod": ref.folded("prod"), "reduce_max": ref.reduced_from("max"), "reduce_min": ref.reduced_from("min"),
    "reduce_and": ref.folded("all"), "reduce_or": ref.folded("any"), "argmax": ref.index_of(np.argmax),
    "argmin": ref.index_of(np.argmin), "cumsum": ref.cumulated(np.add), "cumprod": ref.cumulated(np.multiply),
    "cummax": ref.cumulated(np.maximum), "cummin": ref.cumulated(np.minimum), "scatter_add": ref.scattered(np.add),
    "scatter_sub": ref.scattered(np.subtract), "scatter_mul": ref.scattered(np.multiply), "scatter_max": ref.scattered(np.maximum),
    "scatter_min": ref.scattered(np.minimum),
}  # fmt: skip
"""NumPy's and SciPy's functions that have another name there, where a row has several."""
ROWS = [
    # one operand, element by element
    smooth("acos asin atanh", elements(1, (-0.9, 0.9)), "fc", edges="f"),
    smooth("sin cos tan sinh cosh tanh asinh atan", elements(1, (-1.4, 1.4)), "fc"),
    smooth("acosh", elements(1, (1.1, 4)), "fc"),
    smooth("exp exp2 expm1", elements(1, (-2, 2)), "fc", edges="f"),
    smooth("log log1p sqrt", elements(1, (0.5, 4)), "fc"),
    smooth("reciprocal", elements(1, (0.5, 4)), "fc", np.reciprocal, edges="f"),
    smooth("rsqrt", elements(1, (0.5, 4)), "fc", lambda x: 1 / np.sqrt(x), edges="f"),
    smooth("cbrt", elements(1), "f", np.cbrt),
    smooth("logistic", elements(1), "fc", lambda x: 1 / (1 + np.exp(-x)), edges="f"),
    smooth("erf erfc", elements(1), "f"),
    smooth("erf_inv", elements(1, (-0.9, 0.9)), "f", special.erfinv, zeros=False),
    smooth("digamma lgamma", elements(1, (0.4, 4)), "f", edges=""),
    smooth("bessel_i0e bessel_i1e", elements(1), "f", edges="", loose=3, zeros=False),
    smooth("neg", elements(1), "iufc", np.negative, edges="fciu"),
    smooth("square", elements(1), "iufc", lambda x: x * x, edges="fiu", loose=1),
    row("abs", elements(1), "iufc", np.abs, smooth=True, edges="fciu"),
    row("sign", elements(1), "iuf", np.sign, edges="fiu", zeros=False),
    row("sign", elements(1), "c", np.sign, edges="", zeros=False),
    row("ceil floor", elements(1), "f"),
    row("round", elements(1), "f", ref.round_away),
    row("round", elements(1), "f", np.rint, ours=lambda x: lax.round(x, lax.RoundingMethod.TO_NEAREST_EVEN)),
    row("is_finite", elements(1), "fc", np.isfinite),
    row("real imag", elements(1), "c"),
    row("conj", elements(1), "c", np.conj),
    row("conj", elements(1), "w", lambda x: x + 0j, edges="", zeros=False, smooth=True),
    row("bitwise_not", elements(1), "biu", np.invert, edges="iu"),
    row("population_count", elements(1), "iu", ref.ones, edges="iu"),
    row("clz", elements(1), "iu", ref.leading_zeros, edges="iu"),
    smooth("integer_pow", then(lambda d: d.one_of(0, 1, 2, 3, 5), least=0), "iufc", ref.whole_power, edges="fiu"),
    smooth("integer_pow", then(lambda d: d.one_of(-1, -2, -3), low=0.4), "fc", ref.whole_power, edges="f"),
    row("convert_element_type", converted("int8", "int16", "uint8", "int64", "uint32", "uint64"), "f", ref.converted),
    row("convert_element_type", converted("float64", "float32", "int8", "uint16", "int64", "bool"), "biu", ref.converted,
        edges="iu"),
    smooth("convert_element_type", converted("float64"), "w", ref.converted),
    row("convert_element_type", converted("complex64", "complex128"), "c", ref.converted),
    smooth("convert_element_type", converted("complex128"), "c", ref.converted),
    row("bitcast_convert_type", recast, "iuw", lambda x, t: x.view(t), edges="iu"),
    row("reduce_precision", narrowed, "w", ref.narrowed),
    # two operands and more, element by element
    smooth("add sub mul", elements(2), "iufc", edges="fiu"),
    row("add mul", elements(2), "b"),
    smooth("div", elements(2, (-3, 3), (0.5, 4)), "fc", ref.quotient, edges="f"),
    row("div", elements(2, (-9, 9), (-3, 3)), "iu", ref.quotient, edges="iu"),
    row("rem", elements(2, (-9, 9), (-3, 3)), "iuf", ref.remainder, edges="fiu"),
    smooth("rem", elements(2, (1, 9), (1, 9)), "f", ref.remainder, edges=""),
    smooth("max min", elements(2), "biuf", zeros=False, edges="fiu"),
    smooth("atan2", elements(2), "f", np.arctan2),
    row("nextafter", elements(2), "w"),
    smooth("pow", powered, "f", ref.raised, edges=""),
    smooth("pow", elements(2, (0.3, 3), (-2, 2)), "c", np.power, edges=""),
    row("eq ne", elements(2), ALL, edges="fciu"),
    row("lt le gt ge", elements(2), "biuf", edges="fiu"),
    row("bitwise_and bitwise_or bitwise_xor", bits(), "biu", edges="iu"),
    row("shift_left", shifted, "iu", ref.shifted(np.left_shift, False, np.zeros_like), edges="iu"),
    row("shift_right_logical", shifted, "iu", ref.shifted(np.right_shift, True, np.zeros_like), edges="iu"),
    row("shift_right_arithmetic", shifted, "i", ref.shifted(np.right_shift, False, lambda x: np.where(x < 0, -1, 0)), edges="i"),
    row("mulhi", elements(2, (-99, 99)), "iu", ref.upper_half, edges="iu"),
    smooth("complex", elements(2), "w", lambda x, y: x + 1j * y, edges="", zeros=False),
    smooth("igamma igammac", elements(2, (0.5, 4), (0.3, 4)), "f", edges="", loose=3),
    smooth("igamma_grad_a", elements(2, (0.5, 4), (0.3, 4)), "w", ref.gamma_slope, edges="", loose=10, order=1),
    smooth("random_gamma_grad", elements(2, (0.5, 4), (0.3, 4)), "w", ref.gamma_draw_slope, edges="", loose=30, order=1),
    row("polygamma", elements(2, (0, 3), (0.6, 4), whole=1), "w", special.polygamma, edges="", loose=3),
    smooth("polygamma", of_order(0, 3, (0.6, 4)), "w", special.polygamma, edges="", loose=3),
    smooth("zeta", elements(2, (1.5, 5), (0.6, 4)), "w", special.zeta, edges="", loose=3),
    smooth("betainc", elements(3, (0.5, 4), (0.5, 4), (0.1, 0.9)), "w", special.betainc, edges="", loose=3),
    smooth("clamp", clamped, "biuf", lambda low, x, high: np.minimum(np.maximum(x, low), high), zeros=False, edges="fiu"),
    smooth("select", chosen, ALL, np.where, edges="fciu"),
    smooth("select_n", chosen_of_many, ALL, ref.chosen, edges="fciu"),
    # folds
    smooth("reduce_sum reduce_prod", folded(), "iufc", edges="f"),
    smooth("reduce_max reduce_min", folded(finite=False), "biuf", edges="fiu", zeros=False),
    row("reduce_and reduce_or", folded(), "b"),
    row("reduce_xor", folded(), "biu", ref.exclusive_or, edges="iu"),
    row("argmax argmin", indexed, "biuf", edges="fiu"),
    smooth("cumsum cumprod", cumulated, "iufc", edges="f"),
    smooth("cummax cummin", cumulated, "iuf", edges="fiu", zeros=False),
    smooth("cumlogsumexp", cumulated, "f", ref.cumulated(np.logaddexp)),
    smooth("cumlogsumexp", cumulated, "c", ref.cumulated_exponentials, ours=ref.exponentials_of_logarithms, edges="", zeros=False),
    smooth("reduce", reduced, "iuf", ref.reduced, ours=ref.reduced_by, edges="iu", zeros=False),
    row("reduce", reduced_pair, "f", ref.largest_by_numpy, ours=ref.largest_of_pairs, edges=""),
    smooth("reduce_window", windowed, "iuf", ref.windowed, ours=ref.windowed_by, edges="", zeros=False),
    # shapes
    smooth("broadcast", then(lambda d: d.shape(most=2)), ALL, lambda x, sizes: np.broadcast_to(x, (*sizes, *x.shape))),
    smooth("broadcast_in_dim", broadcast_in, ALL, ref.spread),
    smooth("broadcast_like", broadcast_to_other, ALL, lambda x, y: np.broadcast_to(x, y.shape)),
    smooth("broadcast_to_rank", then(lambda d: d.number(3, 5)), ALL, lambda x, rank: x.reshape((1,) * (rank - x.ndim) + x.shape)),
    smooth("reshape", reshaped, ALL, ref.reshaped),
    smooth("collapse", collapsed, ALL, ref.collapsed),
    smooth("expand_dims", expanded, ALL, np.expand_dims),
    smooth("squeeze", squeezed, ALL, lambda x, axes: np.squeeze(x, axes)),
    smooth("transpose", lambda d: Call([d.array(s := d.shape())], [tuple(d.random.permutation(len(s)).tolist())]), ALL),
    smooth("rev", lambda d: Call([d.array(s := d.shape())], [axes_of(d, s)]), ALL, lambda x, axes: np.flip(x, axes)),
    smooth("pad", padded, ALL, ref.padded),
    smooth("concatenate", joined, ALL),
    smooth("stack", stacked, ALL),
    smooth("unstack", along_one_axis, ALL, lambda x, axis: np.unstack(x, axis=axis)),
    smooth("split", cut, ALL, lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis)),
    smooth("tile", lambda d: Call([d.array(s := d.shape())], [[d.number(0, 3) for _ in s]]), ALL),
    smooth("full", filled, ALL),
    row("full_like", lambda d: Call([d.array(d.shape())], [1]), ALL),
    row("zeros_like_array", one(), ALL, np.zeros_like),
    row("empty", constant(lambda d: (d.shape(), d.dtype())), ALL, np.zeros),
    row("iota", constant(lambda d: (d.one_of("int8", "int32", "uint64", "float32", "float64", "complex64"), d.number(0, 5))), "i",
        lambda dtype, n: np.arange(n).astype(dtype)),
    row("broadcasted_iota", constant(lambda d: ("int32", s := d.shape(least=1), d.axis(s, none=False))), "i",
        lambda dtype, shape, axis: np.indices(shape)[axis].astype(dtype)),
    # slices and places
    smooth("slice", sliced, ALL, lambda x, lo, hi, by: x[tuple(map(slice, lo, hi, by or [1] * x.ndim))]),
    smooth("slice_in_dim", sliced_along, ALL, lambda x, lo, hi, by, axis: np.moveaxis(np.moveaxis(x, axis, 0)[lo:hi:by], 0, axis)),
    smooth("index_in_dim", indexed_along, ALL, lambda x, i, axis, keep: np.take(x, [i] if keep else i, axis)),
    smooth("dynamic_slice", window_at, ALL, ref.window),
    smooth("dynamic_slice_in_dim", window_along, ALL, ref.window_along),
    smooth("dynamic_index_in_dim", element_at, ALL, ref.element),
    smooth("dynamic_update_slice", window_replaced, ALL, ref.replaced),
    smooth("dynamic_update_slice_in_dim", part_replaced, ALL, ref.replaced_along),
    smooth("dynamic_update_index_in_dim", element_replaced, ALL, ref.replaced_along),
    smooth("index_take", points_taken, ALL, ref.points),
    smooth("gather", gathered, ALL, ref.gathered, edges="fiu"),
    row("scatter", scattered(apart=True), ALL, ref.scattered(lambda old, new: new), smooth=True, holomorphic=True),
    smooth("scatter_add scatter_sub scatter_mul", scattered(), "iufc", edges=""),
    row("scatter_apply", applied, "iuf", ref.applied, edges=""),
    smooth("scatter_max scatter_min", scattered(), "iuf", edges="fiu", zeros=False),
    # order
    smooth("sort", along_one_axis, "biufc", np.sort, zeros=False, edges="fiu"),
    row("sort", sorted_together, "biuf", ref.sorted_together, zeros=False, edges="iu"),
    smooth("sort_key_val", sorted_with, "biuf", lambda x, y, axis: ref.sorted_together([x, y], axis, 1), zeros=False, edges="iu"),
    smooth("top_k", largest, "biuf", ref.largest, ours=lambda x, k, axis: lax.top_k(x, k, axis=axis), zeros=False, edges="iu"),
    smooth("approx_max_k", largest, "iuf", ref.largest, zeros=False, edges="iu"),
    smooth("approx_min_k", largest, "iuf", ref.smallest, zeros=False, edges="iu"),
    # products, convolutions, transforms
    smooth("dot_general", multiplied, "iufc", ref.multiplied, edges="", zeros=False),
    row("dot_general", multiplied, "b", lambda x, y, n: ref.multiplied(x.astype(int), y.astype(int), n) > 0),
    smooth("ragged_dot", grouped_rows(traced=False), "ifc", ref.grouped, edges="", zeros=False),
    row("ragged_dot", grouped_rows(traced=True), "f", ref.grouped, edges="", zeros=False),
    smooth("ragged_dot_general", grouped_in_general, "ifc", ref.grouped_in_general, edges="", zeros=False),
    smooth("dot", vectors_or_matrices, "iufc", np.dot, edges="", zeros=False),
    smooth("batch_matmul", batches, "iufc", np.matmul, edges="", zeros=False),
    smooth("conv_general_dilated", convolved, "ifc", ref.convolved, edges="", zeros=False, loose=3),
    smooth("conv", convolved_simply(), "f", ref.convolved_simply, edges="", zeros=False, loose=3),
    smooth("conv_with_general_padding", convolved_simply("lhs", "rhs"), "f", ref.convolved_simply, edges="", zeros=False, loose=3),
    smooth("conv_transpose", transposed, "f", ref.transposed, edges="", zeros=False, loose=3),
    smooth("conv_general_dilated_patches", patched, "f", ref.patches, edges="", zeros=False),
    smooth("conv_general_dilated_local", convolved_locally, "f", ref.convolved_locally, edges="", zeros=False, loose=3),
    *[smooth("fft", transformed(kind), types, f, edges="", zeros=False) for kind, types, f in (
        ("FFT", "fc", lambda x, _, n: np.fft.fftn(x, axes=range(-len(n), 0))), ("IFFT", "c", lambda x, _, n: np.fft.ifftn(x, axes=
        range(-len(n), 0))), ("RFFT", "f", lambda x, _, n: np.fft.rfftn(x, axes=range(-len(n), 0))))],
    smooth("fft", transformed("IRFFT"), "c", lambda x, _, n: np.fft.irfftn(x, n, range(-len(n), 0)), edges="", zeros=False),
    # others
    row("stop_gradient", one(), ALL, lambda x: x),
    smooth("optimization_barrier", one(), ALL, lambda x: x),
    smooth("map", lambda d: Call([d.array(d.shape(least=1))]), "f", lambda x: np.sin(x) * 2, ours=lambda x: lax.map(lambda v:
        lax.sin(v) * 2, x)),
    smooth("associative_scan", cumulated, "f", ref.cumulated(np.add), ours=lambda x, axis, reverse: lax.associative_scan(lambda a,
        b: (a + b) * 1, x, reverse, axis), edges=""),
]  # fmt: skip

ELSEWHERE = {
    "takes functions, of loops and branches: test_control_flow.py, test_implicit.py": (
        "cond switch while_loop fori_loop scan custom_linear_solve custom_root"
    ),
    "goes over named axes: test_collectives.py": (
        "all_gather all_to_all axis_index axis_size pbroadcast pmax pmean pmin ppermute pshuffle psum psum_scatter pswapaxes"
    ),
    "of shapes and types alone, or of devices: test_lax.py, test_convolution.py": (
        "broadcast_shapes conv_dimension_numbers conv_general_permutations conv_general_shape_tuple conv_shape_tuple "
        "conv_transpose_shape_tuple dtype padtype_to_pads platform_dependent reduce_window_shape_tuple shape_as_value "
        "with_sharding_constraint"
    ),
}
"""Functions without a row, by the reason."""
