"""Special functions by jax.scipy.special's names. Those that are one op of the compiler are rows of tables."""

from . import counterparts  # noqa: F401
from .bessel import *  # noqa: F403
from .bessel import __all__ as _bessel
from .gamma import *  # noqa: F403
from .gamma import __all__ as _gamma
from .harmonics import *  # noqa: F403
from .harmonics import __all__ as _harmonics
from .hypergeometric import *  # noqa: F403
from .hypergeometric import __all__ as _hypergeometric
from .integrals import *  # noqa: F403
from .integrals import __all__ as _integrals
from .probability import *  # noqa: F403
from .probability import __all__ as _probability

__all__ = sorted([*_bessel, *_gamma, *_harmonics, *_hypergeometric, *_integrals, *_probability])
