"""Keys for who gives none: a generator for the whole process, which `seed` sets. Layers that are made without a key ask it.

It gives a stream of keys, the count of those asked for so far folded into the seed's key.
"""

from __future__ import annotations

import os
import threading

from jitgrad.errors import ArgumentError
from jitgrad_compiler.ir.builder import state

from .keys import KeyArray, key
from .splitting import fold_in


class _Generator:
    """The seed's key, made when it is first needed, and how many keys it gave."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.root: KeyArray | None = None
        self.count = 0

    def start(self, root: KeyArray | None) -> None:
        with self.lock:
            self.root, self.count = root, 0

    def next(self) -> KeyArray:
        with self.lock:
            if self.root is None:
                self.root = key(int.from_bytes(os.urandom(8), "little", signed=True))
            number, root = self.count, self.root
            self.count += 1
        return fold_in(root, number)


_generator = _Generator()


def seed(number: int | None) -> None:
    """Set the generator that gives the keys of layers which are made without `key=`: from here on they are the same in every run.

    Until it is set, or with None, it starts from the operating system's entropy, as NumPy's and PyTorch's do, so that every run of
    a program differs. Functions of `jitgrad.random` never use it: they take a key.

    Raises DTypeError for a seed that is no integer, ArgumentError inside jit, vmap and loops.

    >>> import jitgrad
    >>> from jitgrad import nn
    >>> jitgrad.random.seed(0)
    >>> first = nn.Linear(3, 2)
    >>> jitgrad.random.seed(0)
    >>> bool((nn.Linear(3, 2).weight == first.weight).all())
    True
    """
    _check_untraced("random.seed", "Call it outside, before the function is traced.")
    _generator.start(None if number is None else key(number))


def next_key(where: str) -> KeyArray:
    """A new key of the generator, for `where`. Raises ArgumentError while a function is traced: once, for many runs."""
    _check_untraced(where, "Give it a key: key=jitgrad.random.key(0), or one that is an argument of the function.")
    return _generator.next()


def _check_untraced(where: str, advice: str) -> None:
    if state.staging is not None:
        raise ArgumentError(
            f"{where}: the generator that random.seed sets can't be used inside jit, vmap or a loop, which read it once, when they "
            f"are traced, and not in every run. {advice}"
        )
