"""The workloads of a folder, `--frozen FOLDER`, on each library: its run.py says how they are measured, workloads.py what they are.

What is asked of run.py is `jax_shaped`, `torch_shaped` and `measure`, so that its own command gives the same figures.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import jitgrad

from .checks import PLACE, Check, Figures, NotRun

SECONDS = 0.4
"""Of repeated calls of each."""
_folder: Path | None = None


def use(folder: Path | None) -> None:
    """Have the workloads of a folder measured."""
    global _folder
    _folder = folder


@cache
def _module(name: str) -> Any:
    if _folder is None or not (_folder / f"{name}.py").exists():
        raise NotRun(f"there is no {name}.py: give the folder that has it and workloads.py by --frozen")
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
    spec = importlib.util.spec_from_file_location(name, _folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _prepare(system: str) -> Callable[[str], Any]:
    run, workloads = _module("run"), _module("workloads")
    if system == "jitgrad":
        jitgrad.config.default_device = PLACE.device
    try:
        if system.startswith("torch"):
            return run.torch_shaped(system == "torch.compile", workloads, True)
        return run.jax_shaped(system, workloads)
    except ImportError as error:
        raise NotRun(f"{system} is not installed: {error}") from error


def _measured(system: str, name: str) -> Figures:
    if system == "jitgrad":
        return _figures(system, name)
    try:
        return _figures(system, name)
    except NotRun:
        raise
    except Exception as error:  # what fails elsewhere is no fault of the device's or ours
        raise NotRun(f"{type(error).__name__}: {str(error)[:500]}") from error


def _figures(system: str, name: str) -> Figures:
    found, _ = _module("run").measure(_prepare(system), name, SECONDS)
    return {"us": found["steady"] * 1e6, "best_us": found["best"] * 1e6, "first_seconds": found["first"]}


def checks(system: str) -> Iterator[Check]:
    for name in _module("workloads").WORKLOADS if _folder is not None else ():
        yield Check(name, partial(_measured, system, name))
