"""jitgrad under jax's name: `install()` before a library that imports jax is imported. Used in processes of their own."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import jitgrad

PRIVATE = {"jax._src.flatten_util": "jitgrad.flatten_util"}
"""Modules that libraries import from behind jax's doors."""


def install() -> None:
    for found in pkgutil.walk_packages(jitgrad.__path__, "jitgrad."):
        sys.modules["jax" + found.name.removeprefix("jitgrad")] = importlib.import_module(found.name)
    for name, ours in PRIVATE.items():
        sys.modules[name] = importlib.import_module(ours)
    for name in jitgrad.scipy.stats.__all__:  # modules in jax
        sys.modules[f"jax.scipy.stats.{name}"] = getattr(jitgrad.scipy.stats, name)
    sys.modules["jax"] = jitgrad
