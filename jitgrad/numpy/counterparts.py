"""NumPy's counterparts of functions, for calls on arrays that nothing traces (at_once.py): the same numbers, to the bit.

Those that are more than one function of NumPy's are in short_ways.py. All other functions are replayed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from jitgrad.at_once import counterpart, of_one_type, replayed
from jitgrad_compiler.ir.graph import OPS

from . import (
    arithmetic,
    calculus,
    comparison,
    creation,
    einstein,
    elementwise,
    histograms,
    indexing,
    linear,
    manipulation,
    matrices,
    nan_reductions,
    number_parts,
    packed_bits,
    padding,
    places,
    polynomials,
    quantiles,
    ranges,
    rearrangement,
    reductions,
    selection,
    sets,
    sorting,
    statistics,
    windows,
)
from . import short_ways as ways


def _elementwise(module: Any, **ops: str) -> None:
    for name, op in ops.items():
        counterpart(getattr(module, name), OPS[op].numpy, alike=True)


_elementwise(
    elementwise, exp="exp", exp2="exp2", expm1="expm1", log="log", log2="log2", log10="log10", log1p="log1p", sin="sin", cos="cos",
    tan="tan", arcsin="asin", arccos="acos", arctan="atan", sinh="sinh", cosh="cosh", tanh="tanh", arcsinh="asinh", arccosh="acosh",
    arctanh="atanh", sqrt="sqrt", cbrt="cbrt", floor="floor", ceil="ceil", trunc="trunc", negative="neg", absolute="abs",
    sign="sign", conj="conj", real="real",
)  # fmt: skip
_elementwise(
    arithmetic, add="add", subtract="sub", multiply="mul", divide="div", true_divide="div", maximum="max", minimum="min",
    arctan2="atan2", hypot="hypot", logaddexp="logaddexp", copysign="copysign", bitwise_and="and", bitwise_or="or",
    bitwise_xor="xor",
)  # fmt: skip
_elementwise(number_parts, nextafter="nextafter")
_elementwise(comparison, equal="eq", not_equal="ne", less="lt", less_equal="le", greater="gt", greater_equal="ge")
ALIKE: dict[Any, Callable[..., Any]] = {
    elementwise.square: ways.square,
    arithmetic.floor_divide: of_one_type(OPS["floor_div"].numpy),
    arithmetic.remainder: of_one_type(OPS["mod"].numpy),
    arithmetic.power: ways.power,
    arithmetic.heaviside: np.heaviside,
    arithmetic.left_shift: ways.left_shift,
    sorting.digitize: ways.digitize,
    calculus.interp: ways.interp,
    calculus.convolve: ways.slid(True, "full"),
    calculus.correlate: ways.slid(False, "valid"),
    arithmetic.right_shift: ways.right_shift,
    arithmetic.fmax: ways.without_nan(ways.larger),
    arithmetic.fmin: ways.without_nan(ways.smaller),
    arithmetic.fmod: np.fmod,
    number_parts.gcd: np.gcd,
    number_parts.lcm: np.lcm,
    arithmetic.logical_and: np.logical_and,
    arithmetic.logical_or: np.logical_or,
    arithmetic.logical_xor: np.logical_xor,
    linear.matmul: ways.product,
    linear.dot: ways.product,
    linear.inner: ways.product_of_vectors,
    linear.vdot: ways.product_of_vectors,
    linear.vecdot: ways.product_of_vectors,
    linear.matvec: ways.matvec,
    places.unravel_index: np.unravel_index,
    linear.outer: ways.outer,
    sorting.searchsorted: ways.searchsorted,
    sets.array_equal: np.array_equal,
}
OTHERS: dict[Any, Callable[..., Any]] = {
    elementwise.isnan: np.isnan,
    sorting.lexsort: ways.lexsort,
    packed_bits.packbits: np.packbits,
    places.ravel_multi_index: ways.ravel_multi_index,
    selection.choose: np.choose,
    arithmetic.bitwise_count: np.bitwise_count,
    number_parts.spacing: np.spacing,
    number_parts.ldexp: np.ldexp,
    number_parts.modf: np.modf,
    number_parts.frexp: np.frexp,
    reductions.sum: ways.keeping(ways.total),
    reductions.prod: ways.keeping(ways.reduction("reduce_prod")),
    reductions.mean: ways.keeping(ways.mean),
    reductions.var: ways.keeping(ways.var),
    reductions.std: ways.keeping(ways.std),
    reductions.max: ways.keeping(ways.greatest),
    reductions.min: ways.keeping(ways.least),
    reductions.argmax: lambda x, axis=None: x.argmax(axis),
    reductions.argmin: lambda x, axis=None: x.argmin(axis),
    reductions.cumsum: ways.cumsum,
    reductions.count_nonzero: lambda x, axis=None: np.count_nonzero(x, axis),
    statistics.ptp: ways.ptp,
    linear.trace: ways.trace,
    creation.zeros: ways.of_one_number(np.zeros),
    creation.ones: ways.of_one_number(np.ones),
    creation.full: ways.full,
    creation.full_like: ways.full_like,
    creation.zeros_like: lambda x: np.zeros(x.shape, x.dtype),
    ranges.arange: ways.arange,
    matrices.eye: lambda n, m=None, k=0: np.eye(n, m, k, np.float32),
    matrices.identity: lambda n: np.eye(n, dtype=np.float32),
    matrices.tril: ways.triangle(True),
    matrices.triu: ways.triangle(False),
    matrices.diag: lambda x, k=0: np.diag(x, k),
    manipulation.reshape: lambda x, shape: x.reshape(shape),
    manipulation.ravel: lambda x: x.reshape(-1),
    manipulation.transpose: lambda x, axes=None: x.transpose(axes),
    manipulation.swapaxes: lambda x, a, b: x.swapaxes(a, b),
    manipulation.moveaxis: np.moveaxis,
    manipulation.squeeze: lambda x, axis=None: x.squeeze(axis),
    manipulation.expand_dims: np.expand_dims,
    manipulation.broadcast_to: np.broadcast_to,
    manipulation.concatenate: lambda xs, axis=0: np.concatenate(xs, axis),
    manipulation.stack: lambda xs, axis=0: np.stack(xs, axis),
    manipulation.hstack: lambda xs: np.hstack(xs),
    manipulation.vstack: lambda xs: np.vstack(xs),
    manipulation.append: lambda x, y, axis=None: np.append(x, y, axis),
    manipulation.atleast_2d: lambda x: np.atleast_2d(x),
    manipulation.astype: ways.astype,
    rearrangement.flip: lambda x, axis=None: np.flip(x, axis),
    rearrangement.flipud: lambda x: x[::-1],
    rearrangement.fliplr: lambda x: x[:, ::-1],
    rearrangement.roll: ways.whole_steps(np.roll),
    rearrangement.tile: ways.whole_steps(np.tile),
    quantiles.median: ways.median,
    selection.clip: ways.clip,
    sorting.sort: ways.ordered,
    sorting.argsort: ways.argsort,
    sorting.argpartition: ways.argpartition,
    indexing.take: lambda x, i, axis=None: x.take(i, axis),
    indexing.take_along_axis: ways.taken_along_axis,
    calculus.diff: lambda x: np.subtract(x[..., 1:], x[..., :-1]),
}
ANY_SIZE: dict[Any, Callable[..., Any]] = {
    selection.where: np.where,  # of a condition alone: the places where it holds
    sorting.nonzero: np.nonzero,
    sorting.flatnonzero: np.flatnonzero,
    sorting.argwhere: np.argwhere,
    histograms.bincount: ways.bincount,
    places.extract: ways.chosen,
    places.compress: ways.chosen,
    rearrangement.repeat: ways.repeat,
    rearrangement.delete: ways.delete,
    sets.unique: ways.unique,
    sets.unique_values: ways.differing(),
    sets.unique_counts: ways.differing(False, False, True),
    sets.unique_inverse: ways.differing(False, True),
    sets.unique_all: ways.differing(True, True, True),
}
OF_TWO_SETS: dict[Any, Callable[..., Any]] = {
    getattr(sets, name): ways.of_whole_numbers(getattr(np, name)) for name in ("intersect1d", "setdiff1d", "setxor1d", "union1d")
}
for _function, _numpys in ANY_SIZE.items():
    counterpart(_function, _numpys, any_size=True)
for _function, _numpys in OF_TWO_SETS.items():
    counterpart(_function, _numpys, alike=True, any_size=True)
for _function, _numpys in ALIKE.items():
    counterpart(_function, _numpys, alike=True)
for _function, _numpys in OTHERS.items():
    counterpart(_function, _numpys)
AS_THEY_ARE = (creation.array, creation.asarray)
"""Functions that do nothing but make an array of what is given."""
for _module in (
    arithmetic, calculus, comparison, creation, einstein, elementwise, histograms, indexing, linear, manipulation, matrices,
    nan_reductions, number_parts, packed_bits, padding, places, polynomials, quantiles, ranges, rearrangement, reductions,
    selection, sets, sorting, statistics, windows,
):  # fmt: skip
    for _name, _function in vars(_module).items():
        mine = isinstance(_function, FunctionType) and _function.__module__ == _module.__name__
        if mine and not _name.startswith("_") and _function not in AS_THEY_ARE:
            replayed(_function)
