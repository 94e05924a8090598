"""Linear algebra by numpy.linalg's and jax.numpy.linalg's names. Matrices are the last two axes, those in front a batch.

What can't be done to a matrix, one that is singular for example, is NaN or infinite, and an error inside
`jitgrad.debug.checked("linalg")`.

>>> import jitgrad.numpy as jnp
>>> print(jnp.linalg.norm(jnp.array([3.0, 4.0])))
5.0
"""

from jitgrad.publishing import public as _public

from .norms import matrix_norm, norm, vector_norm
from .systems import cholesky, det, inv, slogdet, solve

__all__ = ["cholesky", "det", "inv", "matrix_norm", "norm", "slogdet", "solve", "vector_norm"]

_public(__name__)
