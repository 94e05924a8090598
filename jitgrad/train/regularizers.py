"""What layers add to the loss for the sizes of their weights, by Keras' names: L1, L2, both.

>>> import numpy as np
>>> print(L2(0.1)(np.array([1.0, 2.0])))
0.5
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jitgrad.numpy as jnp
from jitgrad.errors import ArgumentError
from jitgrad.nn.named import found
from jitgrad.publishing import public as _public
from jitgrad.ranges import Amount

Regularizer = Callable[[Any], Any]


@dataclass(frozen=True)
class L1L2:
    """l1 * sum(|x|) + l2 * sum(x**2)."""

    l1: Amount = 0.0
    l2: Amount = 0.0

    def __call__(self, x: Any) -> Any:
        value = jnp.asarray(x)
        parts = [self.l1 * jnp.sum(jnp.abs(value))] if self.l1 else []
        parts += [self.l2 * jnp.sum(jnp.square(value))] if self.l2 else []
        return sum(parts)


class L1(L1L2):
    """l1 * sum(|x|)."""

    def __init__(self, l1: Amount = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """l2 * sum(x**2)."""

    def __init__(self, l2: Amount = 0.01) -> None:
        super().__init__(l2=l2)


l1, l2 = L1, L2


def l1_l2(l1: Amount = 0.01, l2: Amount = 0.01) -> L1L2:
    """Both of them, 0.01 each by default."""
    return L1L2(l1, l2)


_NAMES: dict[str, Callable[[], L1L2]] = {"l1": L1, "L1": L1, "l2": L2, "L2": L2, "l1_l2": l1_l2, "l1l2": l1_l2, "L1L2": l1_l2}


def get(regularizer: Any) -> Regularizer:
    """A regularizer by name, "l1", "l2" or "l1_l2", or a function of a weight. Raises ArgumentError for others."""
    if isinstance(regularizer, str):
        named: Regularizer = found("train.regularizers", "regularizer", regularizer, _NAMES)()
        return named
    if isinstance(regularizer, type) or not callable(regularizer):
        raise ArgumentError(
            "train.regularizers: takes a name such as 'l2', a regularizer such as regularizers.L2(0.01), or a function of a "
            f"weight, got {regularizer!r}"
        )
    given: Regularizer = regularizer
    return given


__all__ = ["L1", "L1L2", "L2", "get", "l1", "l1_l2", "l2"]

_public(__name__, constructors=True, arguments=True)
