"""Linear algebra by scipy.linalg's and jax.scipy.linalg's names. Matrices are the last two axes, those in front a batch.

What can't be done to a matrix, one that is singular for example, is NaN or infinite, and an error inside
`jitgrad.debug.checked("linalg")`. overwrite_a, overwrite_b and check_finite are taken, and mean nothing: arrays are immutable.

>>> import jitgrad.numpy as jnp
>>> print(solve_triangular(jnp.array([[2.0, 0.0], [1.0, 1.0]]), jnp.array([2.0, 3.0]), lower=True))
[1. 2.]
"""

from jitgrad.publishing import public as _public

from . import counterparts  # noqa: F401
from .functions import expm, expm_frechet, funm, logm, solve_sylvester, sqrtm
from .special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    dft,
    fiedler,
    fiedler_companion,
    hadamard,
    hankel,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    leslie,
    pascal,
    toeplitz,
)
from .spectra import eigh, eigh_tridiagonal, hessenberg, polar, qr, qr_multiply, rsf2csf, schur, svd
from .systems import cho_factor, cho_solve, cholesky, det, inv, lu, lu_factor, lu_solve, solve, solve_triangular

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "companion", "convolution_matrix", "det", "dft",
    "eigh", "eigh_tridiagonal", "expm", "expm_frechet", "fiedler", "fiedler_companion", "funm", "hadamard", "hankel",
    "helmert", "hessenberg", "hilbert", "inv", "invhilbert", "invpascal", "leslie", "logm", "lu", "lu_factor", "lu_solve",
    "pascal", "polar", "qr", "qr_multiply", "rsf2csf", "schur", "solve", "solve_sylvester", "solve_triangular", "sqrtm",
    "svd", "toeplitz",
]  # fmt: skip

_public(__name__, replays=True)
