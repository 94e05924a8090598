"""What programs ask of jax.core: whether a value is traced, and its shape and type. Programs are `Graph`s here.

>>> import jitgrad, jitgrad.numpy as jnp
>>> isinstance(jnp.ones(3), Tracer), jitgrad.jit(lambda x: jnp.zeros(2) if isinstance(x, Tracer) else x)(1.0).shape
(False, (2,))
>>> get_aval(jnp.ones(3))
ShapedArray(float32[3])
"""

from __future__ import annotations

from typing import Any

from .array import Array, as_value
from .devices import SingleDeviceSharding
from .tracing import ShapeDtypeStruct


class _Traced(type):
    def __instancecheck__(cls, x: object) -> bool:
        return isinstance(x, Array) and x.owner is not None


class Tracer(metaclass=_Traced):
    """For `isinstance(x, Tracer)` alone: true of Arrays inside jit, vmap and loops, and of those under differentiation."""

    def __new__(cls) -> Tracer:
        raise TypeError("core.Tracer is for isinstance; traced values are made by jit, grad, vmap and their kin")


class ShapedArray(ShapeDtypeStruct):
    """The shape and element type of a value, as `get_aval` and `typeof` give them."""

    __slots__ = ()

    @property
    def sharding(self) -> SingleDeviceSharding:
        return SingleDeviceSharding()

    def str_short(self, short_dtypes: bool = False) -> str:
        """`float32[3,4]`."""
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def __str__(self) -> str:
        return self.str_short()

    def __repr__(self) -> str:
        return f"ShapedArray({self.str_short()}{', weak_type=True' if self.weak_type else ''})"


def get_aval(x: Any) -> ShapedArray:
    """The shape and element type of an array, traced or not, or of a number. Raises NotAnArrayError for anything else."""
    value = as_value(x, "core.get_aval", borrow=True)
    return ShapedArray(value.type.shape, value.dtype, value.weak_type)


typeof = get_aval

__all__ = ["ShapedArray", "Tracer", "get_aval", "typeof"]
