"""Every kernel that the tests compile is written a second time, from a copy of its record, and must come out as the same text.

What depended on addresses, or on the order of a set of objects that are compared by identity, would differ: a copy's are others.
`pytest --emit-twice=1` does it for all programs, as CI does; without it one in eight, by its text, is looked at.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping

from jitgrad_compiler.kernels.kernel import Kernel
from jitgrad_compiler.targets.cpu import program
from jitgrad_compiler.targets.cpu.codes import Code


def _text(codes: program._Codes) -> str:
    return "\n".join(m.text() for m, _ in codes._modules)


class CodesEmittedTwice(program._Codes):
    every = 8
    """One program in so many."""

    def _emit(self, k: Kernel) -> Code:
        code = super()._emit(k)
        self.__dict__.setdefault("emitted", []).append(k)  # a nested one before the one around it
        return code

    def compile(self, symbols: Mapping[str, int]) -> None:
        kernels, text = self.__dict__.get("emitted"), _text(self)
        if kernels and zlib.crc32(text.encode()) % self.every == 0:
            again = program._Codes(*self._how[:2])
            made = [again.of(k) for k in pickle.loads(pickle.dumps(kernels))]
            assert _text(again) == text, f"written twice, these kernels gave two texts:\n{text}\n{_text(again)}"
            assert [c.phases for c in made] == [self.used[k].phases for k in kernels]
        super().compile(symbols)
