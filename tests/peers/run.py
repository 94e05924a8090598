"""Runs programs that import jax, with jax itself or with jitgrad under its name, and prints their numbers.

usage: python run.py jax|jitgrad MODULE [WORD ...]      the programs whose name holds a WORD, by default all

MODULE has PROGRAMS, a function without arguments for each name. A line of JSON a program: name, and numbers or an error. Both sides
have 64-bit types and floats.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


def prepare(which: str) -> None:
    if which == "jitgrad":
        import alias

        import jitgrad

        alias.install()
        jitgrad.config.default_float = "float64"
    else:
        import jax

        jax.config.update("jax_enable_x64", True)


def numbers(result: Any) -> list[Any]:
    """Shape, type and elements of each leaf."""
    import jax
    import numpy as np

    arrays = [np.asarray(leaf) for leaf in jax.tree.leaves(result)]
    return [[a.dtype.name, list(a.shape), a.astype(np.float64).ravel().tolist()] for a in arrays]


def main(which: str, module: str, words: list[str]) -> None:
    prepare(which)
    for name, program in importlib.import_module(module).PROGRAMS.items():
        if words and not any(word in name for word in words):
            continue
        try:
            answer: Any = {"numbers": numbers(program())}
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            answer = {"error": f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"}
        print(json.dumps({"name": name, **answer}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
