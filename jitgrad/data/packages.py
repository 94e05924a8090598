"""The gate for packages that readers need and that are slow to import, or may not be installed: loaded when they are first used."""

from __future__ import annotations

import importlib
from typing import Any

from jitgrad.errors import MissingPackageError

NAMES = {"PIL": "Pillow"}
"""What is installed, where that is called otherwise than what is imported."""


def package(where: str, module: str) -> Any:
    """A module. Raises MissingPackageError, which says what to install, where there is none."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = NAMES.get(module.partition(".")[0], module.partition(".")[0])
        raise MissingPackageError(
            f"{where} needs {name}, which is not installed ({error}). Try pip install 'jitgrad[train]', or pip install {name}"
        ) from None
