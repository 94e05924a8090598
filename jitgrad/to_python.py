"""How an Array becomes a Python number, a NumPy array or text, and the errors where it cannot.

A traced value has no number yet. One under differentiation has, but that number alone would carry no derivative, and a gradient
through it would silently be 0: it may leave as what is constant between jumps (a truth, an integer, an index) and as text only.
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from jitgrad_compiler.ir.builder import Builder, Value, leaked

from .errors import (
    ConcretizationTypeError,
    JitgradError,
    TracerArrayConversionError,
    TracerBoolConversionError,
    TracerIntegerConversionError,
)

FUNCTIONS = "the array itself with jitgrad.numpy's functions, make the argument static"
TO_SEE = (
    "the array itself with jitgrad.numpy's functions; jitgrad.debug.print('{}', x), which prints when the program runs; or return "
    "the value from the function, whose result has a number. Or make the argument static"
)
"""Of what takes a number out of an array."""


class ToPython(Value):
    """The base of Array with everything that takes its elements out of jitgrad."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def dtype(self) -> np.dtype[Any]: ...
        @property
        def size(self) -> int: ...

    def concrete(self) -> Any:
        """The array itself where it is one, through any levels of differentiation; None for a traced value."""
        v: Any = self
        while v.owner is not None:
            if isinstance(v.owner, Builder):
                v.owner.looked_at = True
                return None
            v = v.ref[0]
        return v

    def holds(self) -> bool:
        """Whether all of a bool array is True, through any levels of differentiation. It is supposed of a traced value; a replay
        (replay.py) looks again.
        """
        v: Any = self
        while v.owner is not None:
            if isinstance(v.owner, Builder):
                v.owner.supposed.append(v)
                return True
            v = v.ref[0]
        return bool(np.all(v.data()))

    def elements(
        self, what: str, instead: str = FUNCTIONS, error: type[JitgradError] = ConcretizationTypeError, constant: bool = False
    ) -> np.ndarray:
        """The elements, for `what` (in the words of a message); `constant` where that is constant between jumps of the elements.

        Raises the error for a traced value and, unless `constant`, for one under differentiation.
        """
        concrete = self.concrete()
        if concrete is None:
            raise self._not_concrete(error, what, instead)
        if self.owner is not None and not constant and self.type.dtype.is_inexact:
            raise self._differentiated(error, what)
        return np.asarray(concrete.data()).astype(self.dtype, copy=False)

    def scalar(
        self, what: str, error: type[JitgradError] = ConcretizationTypeError, constant: bool = False, instead: str = FUNCTIONS
    ) -> Any:
        """The one element as a Python number. Raises as `elements`, and TypeError for other numbers of elements."""
        if self.size != 1:
            self.elements(what, instead, error, constant=True)
            raise TypeError(f"{what} needs an array of one element, got shape {self.shape}")
        return self.elements(what, instead, error, constant).item()

    def _not_concrete(self, error: type[JitgradError], what: str, instead: str) -> JitgradError:
        """The exception for a traced value where Python needs a number."""
        v: Any = self
        while not isinstance(v.owner, Builder):
            v = v.ref[0]
        if not v.owner.alive:
            return leaked(v)
        suggestion = importlib.import_module("jitgrad.suggestions.suggestion").suggest(self.shape, self.dtype)
        code = ""
        if suggestion is not None:
            what, instead = suggestion.what, suggestion.advice
            code = f"\n\n{suggestion.code}\n" if suggestion.code else ""
        return error(
            f"{what} needs a concrete number, got a traced value of type {self.dtype}{list(self.shape)}{v.owner.where}. Inside jit "
            f"and vmap values are not known yet. Use {instead}, or move this line out of the function.{code}"
        )

    def _differentiated(self, error: type[JitgradError], what: str) -> JitgradError:
        if self.owner is not None and not self.owner.alive:
            return leaked(self)
        return error(
            f"{what} of a value that is being differentiated ({self.dtype}{list(self.shape)}) would leave the derivative behind, "
            "and the gradient through it would silently be 0. Use jitgrad.numpy's functions on the value itself, or, where it is "
            "meant as a constant, take it of jitgrad.lax.stop_gradient(x)."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.elements("numpy.asarray", "jitgrad.numpy's function of the same name", TracerArrayConversionError)
        target = self.dtype if dtype is None else np.dtype(dtype)
        if array.dtype != target:
            if copy is False:
                raise ValueError("numpy.asarray: another type needs a copy, and copy=False was given")
            return array.astype(target)
        if copy:
            return array.copy()
        view = array.view()
        view.flags.writeable = False
        return view

    def __buffer__(self, flags: int, /) -> memoryview:  # memoryview(x) asks for it, from Python 3.12 on
        elements: Any = self.__array__()
        return memoryview(elements)

    def __bool__(self) -> bool:
        what = "`if`, `while`, `and`, `or` or `not`"
        data = self.elements(what, "jitgrad.numpy.where(condition, a, b)", TracerBoolConversionError, constant=True)
        if data.size != 1:
            raise ValueError(f"the truth of an array of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(data.reshape(()))

    def __float__(self) -> float:
        return float(self.scalar("float()", instead=TO_SEE))

    def __complex__(self) -> complex:
        return complex(self.scalar("complex()", instead=TO_SEE))

    def __int__(self) -> int:
        return int(self.scalar("int()", TracerIntegerConversionError, True, TO_SEE))

    def __trunc__(self) -> int:
        return math.trunc(self.scalar("math.trunc", constant=True))

    def __floor__(self) -> int:
        return math.floor(self.scalar("math.floor", constant=True))

    def __ceil__(self) -> int:
        return math.ceil(self.scalar("math.ceil", constant=True))

    def __index__(self) -> int:
        value = self.scalar("an index or a size", TracerIntegerConversionError, constant=True)
        if not self.type.dtype.is_integer:
            raise TypeError(f"only integer arrays can be indices, got {self.dtype}")
        return int(value)

    def item(self, *index: int) -> Any:
        """The one element, or the one at `index`, as a Python number."""
        return self.elements("x.item()", TO_SEE).item(*index)

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.elements("x.tolist()", TO_SEE).tolist()

    def shown(self) -> np.ndarray | None:
        """The elements for the reader's eyes, whether or not they are being differentiated; None for a traced value."""
        concrete = self.concrete()
        return None if concrete is None else np.asarray(concrete.data()).astype(self.dtype, copy=False)

    def __repr__(self) -> str:
        data = self.shown()
        if data is None:
            return f"Traced<{self.dtype}{list(self.shape)}>"
        text = np.array2string(data, separator=", ", prefix="Array(")
        shown = f"Array({text}, dtype={self.dtype})"
        return shown if self.owner is None else f"Dual<{shown}>"

    def __str__(self) -> str:
        data = self.shown()
        return repr(self) if data is None else str(data)

    def __format__(self, spec: str) -> str:
        data = self.shown()
        if data is not None and not data.shape:
            return format(data.item(), spec)
        try:
            return format(str(self), spec)
        except ValueError:
            pass
        if data is None:
            what, instead = (
                f"the format code {spec!r}",
                f'jitgrad.debug.print("{{x:{spec}}}", x=x), which prints when the program runs',
            )
            raise self._not_concrete(ConcretizationTypeError, what, instead)
        raise TypeError(
            f"the format code {spec!r} is for one number, got an array of shape {self.shape}. Format its elements, or round them: "
            "numpy.array2string(numpy.asarray(x), precision=3)."
        )
