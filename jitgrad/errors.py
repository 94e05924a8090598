"""Every exception that jitgrad raises on purpose. Each is also one of Python's own kinds, named as in jax where jax has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitgrad_compiler.errors import (
    ConcretizationTypeError,
    DeviceFault,
    DriverError,
    DTypeError,
    InterruptedProgramError,
    JitgradError,
    NonDifferentiableError,
    OutOfDeviceMemory,
    PackageVersionError,
    ShapeError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
    UnexpectedTracerError,
)


class NumberRangeError(DTypeError, OverflowError):
    """A Python number that the integer type it should become cannot hold."""


class TreeStructureError(JitgradError, ValueError):
    """Two pytrees that must have one structure, or leaves of one shape and type, differ."""


class NotAnArrayError(JitgradError, TypeError):
    """Something stands where an array or a number is needed."""


class NotAScalarError(JitgradError, TypeError):
    """A predicate, an index of branches or a bound of a loop that is no scalar of the right type."""


class CarryTypeError(JitgradError, TypeError):
    """What a loop's body returns does not go with what it was given: another structure, another shape or type of the carry."""


class BranchTypeError(JitgradError, TypeError):
    """Branches of a cond or switch whose results differ in structure, shape or type."""


class ArgumentError(JitgradError, ValueError):
    """An argument that a transform or function cannot use: an argnum out of range, an axis that does not exist."""


class ParametersError(ArgumentError, TypeError):
    """A function that cannot be called with the arguments that it is to get."""


class NotAFunctionError(ArgumentError, TypeError):
    """Something that can't be called stands where a transform needs a function: often the function's result."""


class NonHashableStaticArgumentError(JitgradError, ValueError):
    """A static argument of jit that cannot be hashed."""


class IndexingError(JitgradError, IndexError):
    """An index that does not go with an array: too many of them, or of a kind that arrays are not indexed with."""


class NonConcreteBooleanIndexError(JitgradError, IndexError):
    """A traced bool array as an index: how many elements it selects, and so the shape of the result, is not known."""


class UnboundAxisError(JitgradError, NameError):
    """A collective names an axis that no vmap around it has given a name."""


class MissingNameError(JitgradError, AttributeError):
    """A name of jax's, or of another library's, that is not here; the message says what to use."""


class MissingRuleError(JitgradError, AttributeError):
    """A function with custom derivatives was called before they were defined."""


class ImmutableArrayError(JitgradError, TypeError):
    """Assignment to an element of an array; arrays never change."""


class InvalidValueError(JitgradError, FloatingPointError):
    """A NaN or an infinity, where config.debug_nans or config.debug_infs is on."""


class SingularMatrixError(JitgradError, np.linalg.LinAlgError):
    """A matrix that a function of linear algebra can't be done to, inside `debug.checked("linalg")`."""


class KeyReuseError(JitgradError, TypeError):
    """A random key was used a second time, while `config.debug_key_reuse` was on."""


class BadRecordError(JitgradError, ValueError):
    """A file that can't be read as what it should be; the message names it and the record, line or byte."""


class MissingPackageError(JitgradError, ImportError):
    """A function needs a package that is not installed; the message says which extra of jitgrad has it."""


class DonatedBufferError(JitgradError, RuntimeError):
    """An array was used after its memory had been donated to a jitted function."""


class FileFormatError(JitgradError, ValueError):
    """A file that is broken, or of another kind or a newer version than what reads it."""


class MissingFileError(JitgradError, FileNotFoundError):
    """A file or folder that is not there."""


def shown(x: Any) -> str:
    """An argument as errors show it: an array by its type, anything else as Python writes it, cut where that is long."""
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    text = f"{dtype}{list(shape)}" if isinstance(shape, tuple) and dtype is not None else repr(x)
    return text if len(text) <= 60 else f"{text[:60]}..."


__all__ = [
    "ArgumentError",
    "BadRecordError",
    "BranchTypeError",
    "CarryTypeError",
    "ConcretizationTypeError",
    "DTypeError",
    "DeviceFault",
    "DonatedBufferError",
    "DriverError",
    "InterruptedProgramError",
    "FileFormatError",
    "ImmutableArrayError",
    "IndexingError",
    "JitgradError",
    "MissingFileError",
    "MissingNameError",
    "MissingPackageError",
    "MissingRuleError",
    "NonConcreteBooleanIndexError",
    "NonDifferentiableError",
    "NonHashableStaticArgumentError",
    "NotAFunctionError",
    "NotAScalarError",
    "NotAnArrayError",
    "NumberRangeError",
    "OutOfDeviceMemory",
    "PackageVersionError",
    "ShapeError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "TreeStructureError",
    "UnboundAxisError",
    "UnexpectedTracerError",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # those of the compiler, too, print as what users import
