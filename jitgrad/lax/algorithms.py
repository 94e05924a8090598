"""How factors are found, by the names of jax.lax.linalg: there is one way each, LAPACK's, and what asks for another is refused."""

from __future__ import annotations

from enum import Enum
from typing import Any

from jitgrad.errors import ArgumentError, shown


class SvdAlgorithm(Enum):
    """What `svd` may be asked for. LAPACK's two give the same numbers but for their rounding, and one of them serves both."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"


class EighImplementation(Enum):
    """What `eigh` may be asked for; QR is jax's name of LAPACK's."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class EigImplementation(Enum):
    """What `eig` may be asked for."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


THERE = (
    SvdAlgorithm.DEFAULT, SvdAlgorithm.QR, SvdAlgorithm.DIVIDE_AND_CONQUER, EighImplementation.QR, EigImplementation.LAPACK,
)  # fmt: skip


def check_algorithm(where: str, name: str, kind: type[Enum], given: Any) -> None:
    """Raises ArgumentError where an algorithm is asked for that there is not."""
    if given is None or (isinstance(given, kind) and given in THERE):
        return
    got = str(given) if isinstance(given, Enum) else shown(given)
    raise ArgumentError(f"{where}: {name} must be None or {' or '.join(str(a) for a in THERE if isinstance(a, kind))}, got {got}")


def check_magma(where: str, use_magma: bool | None) -> None:
    """Raises ArgumentError where MAGMA is asked for."""
    if use_magma:
        raise ArgumentError(f"{where}: use_magma must be False or None: LAPACK's routines are called, of MAGMA there are none")
