"""Exceptions that users meet. `jitgrad.errors` lists them with the front end's own; each is also one of Python's kinds."""

from __future__ import annotations

import sys
from types import FrameType

_INSIDE = ("jitgrad", "jitgrad_compiler", "optree", "threading", "contextlib")


def user_frame() -> tuple[FrameType | None, str]:
    """The nearest frame outside jitgrad, and the name of jitgrad's function that it called."""
    frame: FrameType | None = sys._getframe(1)
    called = ""
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if name.partition(".")[0] not in _INSIDE:
            break
        called = frame.f_code.co_name
        frame = frame.f_back
    return frame, called


def user_line() -> tuple[str, int] | None:
    """File and line of the nearest frame outside jitgrad."""
    frame, _ = user_frame()
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


class JitgradError(Exception):
    """Base of every error that jitgrad raises on purpose. Its message ends with the user's file and line."""

    def __init__(self, message: str) -> None:
        self.message = message
        where = user_line()
        super().__init__(f"{message}\n  at {where[0]}:{where[1]}" if where else message)


class PackageVersionError(JitgradError, ImportError):
    """A package that is used beyond its public interface lacks what is used there, or has changed it."""


KNOWN_VERSIONS = {"llvmlite": ">=0.50,<0.51", "numba": ">=0.68,<0.69", "numpy": ">=2.0,<2.6"}
"""Of each such package those known to work, as pyproject.toml requires them. What is used is behind one gate each:
targets/private_llvmlite.py, targets/private_numba.py, runtime/private_numpy.py.
"""


def incompatible(package: str, what: str) -> PackageVersionError:
    """The error for a package whose version does not have `what`."""
    version = getattr(sys.modules.get(package), "__version__", "of an unknown version")
    known = KNOWN_VERSIONS[package]
    return PackageVersionError(
        f"{package} {version} does not go with this jitgrad: {what}. That is no part of {package}'s public interface, so it may "
        f"change with any version; known to work is {package}{known}. Install it: pip install '{package}{known}'."
    )


class ShapeError(JitgradError, ValueError):
    """Shapes that do not fit together: they do not broadcast, contract, concatenate or match."""


class DTypeError(JitgradError, TypeError):
    """An element type that an operation does not take."""


class UnexpectedTracerError(JitgradError, RuntimeError):
    """A traced value was used after the function that traced it had returned: it leaked."""


class ConcretizationTypeError(JitgradError, TypeError):
    """A traced value stood where Python needs a concrete number."""


class TracerBoolConversionError(ConcretizationTypeError):
    """`if`, `while`, `and`, `or` or `not` on a traced value."""


class TracerArrayConversionError(ConcretizationTypeError):
    """`numpy.asarray` of a traced value."""


class TracerIntegerConversionError(ConcretizationTypeError):
    """A traced value used as an index or a size by Python."""


class NonDifferentiableError(JitgradError, TypeError):
    """A derivative of something that has none."""


class DriverError(JitgradError, RuntimeError):
    """The driver of a GPU is missing, too old, or refused what was asked of it."""


class OutOfDeviceMemory(DriverError, MemoryError):
    """A GPU has not the memory that was asked for. Everything that was made before can still be used."""


class InterruptedProgramError(JitgradError, RuntimeError):
    """An array was used whose program on a GPU Ctrl-C had ended before it was computed."""


class DeviceFault(DriverError):
    """A kernel failed on a GPU, or another program's did in the same process; nothing on that device can be used any more."""
