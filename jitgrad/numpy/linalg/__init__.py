"""Linear algebra by numpy.linalg's and jax.numpy.linalg's names. Matrices are the last two axes, those in front a batch.

What can't be done to a matrix, one that is singular for example, is NaN or infinite, and an error inside
`jitgrad.debug.checked("linalg")`.

>>> import jitgrad.numpy as jnp
>>> print(jnp.linalg.norm(jnp.array([3.0, 4.0])))
5.0
"""

from jitgrad.numpy.linear import matmul, tensordot, vecdot
from jitgrad.numpy.manipulation import matrix_transpose
from jitgrad.publishing import public as _public

from .norms import matrix_norm, norm, vector_norm
from .products import cross, diagonal, matrix_power, multi_dot, outer, tensorinv, tensorsolve, trace
from .spectra import cond, eig, eigh, eigvals, eigvalsh, lstsq, matrix_rank, pinv, qr, svd, svdvals
from .systems import cholesky, det, inv, slogdet, solve

__all__ = [
    "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "svd", "svdvals", "tensordot", "tensorinv", "tensorsolve", "trace", "vecdot", "vector_norm",
]  # fmt: skip

_public(__name__, replays=True)
