# ruff: noqa: I001  (families in reading order, names side by side)
"""jitgrad.numpy: functions of arrays with the names, arguments and meaning of jax.numpy. Importing it gives Array its operators.

Reading map: `jitgrad/array_ops.py` (ops as functions), `jitgrad/operands.py` (operands of one type and shape), then a file a
family. Functions take Arrays, NumPy arrays and Python numbers; lists become arrays with `array`. Types promote as in jax with
64-bit types enabled, Python numbers adapt to the arrays beside them, and arrays made without a type are of
`jitgrad.config.default_float`.
"""

from typing import TYPE_CHECKING

from . import methods as _methods, protocols as _protocols, ufuncs as _ufuncs  # noqa: F401
from .elementwise import (
    absolute, angle, arccos, arccosh, arcsin, arcsinh, arctan, arctanh, around, cbrt, ceil, conj, conjugate, cos, cosh,
    deg2rad, degrees, exp, exp2, expm1, fabs, fix, floor, i0, imag, iscomplex, isfinite, isinf, isnan, isneginf, isposinf,
    isreal, log, log10, log1p, log2, negative, positive, rad2deg, radians, real, reciprocal, rint, round, sign, signbit, sin,
    sinc, sinh, sqrt, square, tan, tanh, trunc,
)  # fmt: skip
from .arithmetic import (
    add, arctan2, bitwise_and, bitwise_count, bitwise_or, bitwise_xor, copysign, divide, divmod, float_power,
    floor_divide, fmax, fmin, fmod, heaviside, hypot, invert, isclose, left_shift, logaddexp, logaddexp2, logical_and,
    logical_not, logical_or, logical_xor, maximum, minimum, mod, multiply, power, remainder, right_shift,
    subtract, true_divide,
)  # fmt: skip
from .comparison import (
    equal, greater, greater_equal, less, less_equal, not_equal,
)  # fmt: skip
from .number_parts import (
    frexp, gcd, lcm, ldexp, modf, nextafter, spacing,
)  # fmt: skip
from .selection import (
    choose, clip, nan_to_num, piecewise, select, where,
)  # fmt: skip
from .reductions import (
    all, any, argmax, argmin, count_nonzero, cumprod, cumsum, cumulative_prod, cumulative_sum, max, mean, min, prod, std, sum,
    var,
)  # fmt: skip
from .nan_reductions import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmin, nanprod, nanstd, nansum, nanvar,
)  # fmt: skip
from .statistics import average, corrcoef, cov, ptp
from .quantiles import median, nanmedian, nanpercentile, nanquantile, percentile, quantile
from .padding import pad
from .histograms import (
    bincount, histogram, histogram2d, histogram_bin_edges, histogramdd,
)  # fmt: skip
from .creation import (
    array, asarray, empty, empty_like, fromfunction, full, full_like, indices, meshgrid, ones, ones_like, zeros, zeros_like,
)  # fmt: skip
from .ranges import (
    arange, geomspace, linspace, logspace,
)  # fmt: skip
from .matrices import (
    diag, diagflat, diagonal, eye, identity, tri, tril, triu, vander,
)  # fmt: skip
from .manipulation import (
    append, astype, atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_shapes, broadcast_to, column_stack,
    concat, concatenate, dstack, expand_dims, hstack, matrix_transpose, moveaxis, permute_dims, ravel, reshape, resize,
    rollaxis, squeeze, stack, swapaxes, transpose, unstack, vstack,
)  # fmt: skip
from .rearrangement import (
    array_split, delete, dsplit, flip, fliplr, flipud, hsplit, insert, repeat, roll, rot90, split, tile, trim_zeros,
    vsplit,
)  # fmt: skip
from .indexing import (
    put_along_axis, take, take_along_axis,
)  # fmt: skip
from .sorting import (
    argpartition, argsort, argwhere, digitize, flatnonzero, lexsort, nonzero, partition, searchsorted, sort, sort_complex,
)  # fmt: skip
from .sets import (
    allclose, array_equal, array_equiv, intersect1d, isin, setdiff1d, setxor1d, union1d, unique, unique_all, unique_counts,
    unique_inverse, unique_values,
)  # fmt: skip
from .linear import (
    cross, dot, inner, kron, matmul, matvec, outer, tensordot, trace, vdot, vecdot, vecmat,
)  # fmt: skip
from .einstein import (
    einsum, einsum_path,
)  # fmt: skip
from .calculus import (
    convolve, correlate, diff, ediff1d, gradient, interp, trapezoid, unwrap,
)  # fmt: skip
from .polynomials import (
    poly, polyadd, polyder, polydiv, polyfit, polyint, polymul, polysub, polyval, roots,
)  # fmt: skip
from .windows import (
    bartlett, blackman, hamming, hanning, kaiser,
)  # fmt: skip
from .replacements import (
    place, put, putmask,
)  # fmt: skip
from .packed_bits import (
    packbits, unpackbits,
)  # fmt: skip
from .places import (
    block, compress, copy, diag_indices, diag_indices_from, extract, fill_diagonal, index_exp, ix_, mgrid, ogrid,
    mask_indices, ravel_multi_index, s_, tril_indices, tril_indices_from, triu_indices, triu_indices_from, unravel_index,
)  # fmt: skip
from .files_and_text import (
    apply_along_axis, apply_over_axes, array_repr, array_str, c_, from_dlpack, frombuffer, fromfile, fromiter, fromstring,
    get_printoptions, iterable, load, printoptions, r_, save, savez, savez_compressed, set_printoptions,
)  # fmt: skip
from .vectorized import (
    vectorize,
)  # fmt: skip
from .ufuncs import (
    frompyfunc, ufunc,
)  # fmt: skip
from .dtypes import (
    ComplexWarning, can_cast, character, complexfloating, dtype, e, euler_gamma, finfo, flexible, floating, generic,
    iinfo, inexact, inf, integer,
    iscomplexobj, isdtype, isrealobj, isscalar, issubdtype, nan, ndarray, ndim, newaxis, number, object_, pi, promote_types,
    result_type, shape, signedinteger, size, unsignedinteger,
)  # fmt: skip
from .namespace_info import (
    __array_namespace_info__,
)  # fmt: skip
from .element_types import (
    bfloat16, bool_, cdouble, complex128, complex64, csingle, double, float16, float32, float64, float8_e4m3fn, int16,
    int32, int64, int8, int_, single,
    uint, uint16, uint32, uint64, uint8,
)  # fmt: skip

# other names of the same functions, most of them from the Array API standard
abs = absolute
acos = arccos
acosh = arccosh
asin = arcsin
asinh = arcsinh
atan = arctan
atanh = arctanh
atan2 = arctan2
pow = power
bitwise_not = invert
bitwise_invert = invert
bitwise_left_shift = left_shift
bitwise_right_shift = right_shift
amax = max
amin = min
bool = bool_
float_ = double
complex_ = cdouble

__array_api_version__ = _methods.API_VERSIONS[-1]

__all__ = [
    "ComplexWarning", "__array_api_version__", "__array_namespace_info__", "abs", "absolute", "acos", "acosh", "add", "all",
    "allclose", "amax", "amin", "angle", "any", "append", "apply_along_axis", "apply_over_axes", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argpartition", "argsort",
    "argwhere", "around", "array", "array_equal", "array_equiv", "array_repr", "array_split", "array_str", "asarray", "asin",
    "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d", "average", "bartlett", "bfloat16",
    "bincount", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "blackman", "block", "bool", "bool_", "broadcast_arrays", "broadcast_shapes",
    "broadcast_to", "c_", "can_cast", "cbrt", "cdouble", "ceil", "character", "choose", "clip", "column_stack", "complex128",
    "complex64", "complex_", "complexfloating", "compress", "concat", "concatenate", "conj", "conjugate", "convolve", "copy",
    "copysign", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross", "csingle", "cumprod", "cumsum",
    "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "diag", "diag_indices", "diag_indices_from",
    "diagflat", "diagonal", "diff", "digitize", "divide", "divmod", "dot", "double", "dsplit", "dstack", "dtype", "e",
    "ediff1d", "einsum", "einsum_path", "empty", "empty_like", "equal", "euler_gamma", "exp", "exp2", "expand_dims", "expm1",
    "extract", "eye", "fabs", "fill_diagonal", "finfo", "fix", "flatnonzero", "flexible", "flip", "fliplr", "flipud",
    "float16", "float32", "float64", "float8_e4m3fn", "float_", "float_power", "floating", "floor", "floor_divide", "fmax",
    "fmin", "fmod", "frexp", "from_dlpack", "frombuffer", "fromfile", "fromfunction", "fromiter", "frompyfunc", "fromstring",
    "full", "full_like", "gcd", "generic", "geomspace", "get_printoptions", "gradient", "greater", "greater_equal",
    "hamming", "hanning", "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd", "hsplit", "hstack",
    "hypot", "i0", "identity", "iinfo", "imag", "index_exp", "indices", "inexact", "inf", "inner", "insert", "int16",
    "int32", "int64", "int8", "int_", "integer", "interp", "intersect1d", "invert", "isclose", "iscomplex", "iscomplexobj",
    "isdtype", "isfinite", "isin", "isinf", "isnan", "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "issubdtype",
    "iterable", "ix_", "kaiser", "kron", "lcm", "ldexp", "left_shift", "less", "less_equal", "lexsort", "linspace", "load",
    "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "mask_indices", "matmul", "matrix_transpose", "matvec", "max", "maximum", "mean", "median", "meshgrid",
    "mgrid", "min", "minimum", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin",
    "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile",
    "nanstd", "nansum", "nanvar", "ndarray", "ndim", "negative", "newaxis", "nextafter", "nonzero", "not_equal", "number",
    "object_", "ogrid", "ones", "ones_like", "outer", "packbits", "pad", "partition", "percentile", "permute_dims", "pi",
    "piecewise", "place", "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval",
    "positive", "pow", "power", "printoptions", "prod", "promote_types", "ptp", "put", "put_along_axis", "putmask",
    "quantile", "r_", "rad2deg", "radians", "ravel", "ravel_multi_index", "real", "reciprocal", "remainder", "repeat",
    "reshape", "resize", "result_type", "right_shift", "rint", "roll", "rollaxis", "roots", "rot90", "round", "s_", "save",
    "savez", "savez_compressed", "searchsorted", "select", "set_printoptions", "setdiff1d", "setxor1d", "shape", "sign",
    "signbit", "signedinteger", "sin", "sinc", "single", "sinh", "size", "sort", "sort_complex", "spacing", "split", "sqrt",
    "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh",
    "tensordot", "tile", "trace", "transpose", "trapezoid", "tri", "tril", "tril_indices", "tril_indices_from", "trim_zeros",
    "triu", "triu_indices", "triu_indices_from", "true_divide", "trunc", "ufunc", "uint", "uint16", "uint32", "uint64",
    "uint8", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "unpackbits",
    "unravel_index", "unsignedinteger", "unstack", "unwrap", "vander", "var", "vdot", "vecdot", "vecmat", "vectorize",
    "vsplit", "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip

if TYPE_CHECKING:
    from . import fft as fft, linalg as linalg

for _name in __all__:
    if callable(_function := globals()[_name]) and not isinstance(_function, type):
        _ufuncs.of_numpy(_function)

_methods.add_elsewhere(__all__)
