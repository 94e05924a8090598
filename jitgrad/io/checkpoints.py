"""`Checkpoints`: the last states of a long run, in one folder."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import Any

from jitgrad.errors import ArgumentError, MissingFileError
from jitgrad.operands import size_arg

from .atomic import BEGINNING, END, path_arg
from .trees import load, metadata, save

_NAME = re.compile(r"step-(\d+)\.safetensors")


class Checkpoints:
    """A folder with what a run saved at its last steps: a file "step-100.safetensors" for step 100.

    keep: how many of the last ones stay; None: all. The first `save` makes the folder, which is one run's: no other writes there.
    Raises ArgumentError for a keep below 1.

    >>> import tempfile, jitgrad.numpy as jnp
    >>> from jitgrad import io
    >>> checkpoints = io.Checkpoints(tempfile.mkdtemp(), keep=2)
    >>> for step in (10, 20, 30):
    ...     checkpoints.save(step, {"w": jnp.full(2, step)})
    >>> checkpoints.steps, checkpoints.latest
    ([20, 30], 30)
    >>> checkpoints.restore({"w": jnp.zeros(2, int)})
    {'w': Array([30, 30], dtype=int64)}
    """

    def __init__(self, folder: Any, keep: int | None = 3) -> None:
        self.folder = path_arg("io.Checkpoints", folder)
        self.keep = None if keep is None else size_arg("io.Checkpoints", keep, "keep must be an integer or None")
        if self.keep is not None and self.keep < 1:
            raise ArgumentError(f"io.Checkpoints: keep must be at least 1, or None for all, got {keep}")

    def __repr__(self) -> str:
        return f"Checkpoints({self.folder!r}, keep={self.keep})"

    @property
    def steps(self) -> list[int]:
        """The steps that there are files of, from the first to the last."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted({int(found[1]) for found in map(_NAME.fullmatch, names) if found})

    @property
    def latest(self) -> int | None:
        """The last step that there is a file of; None where there is none."""
        steps = self.steps
        return steps[-1] if steps else None

    def path(self, step: int) -> str:
        """The file of a step."""
        return os.path.join(self.folder, f"step-{step}.safetensors")

    def save(self, step: int, tree: Any, *, metadata: Any = None) -> None:
        """Save a pytree as `io.save` does, and remove the files of the first steps, so that `keep` are left.

        A file of the same step is replaced. Raises ArgumentError where there is one of a later step, which `latest` would go on to
        be: that of another run, or of what is to be done again.
        """
        where = "io.Checkpoints.save"
        number = size_arg(where, step, "step must be an integer")
        if number < 0:
            raise ArgumentError(f"{where}: step must not be negative, got {step}")
        before = self.steps
        if before and before[-1] > number:
            raise ArgumentError(
                f"{where}: {self.folder!r} has a checkpoint of step {before[-1]}, which is later than {number}, so that restore "
                "would go on to give that one. Save to another folder, or remove the files of later steps."
            )
        os.makedirs(self.folder, exist_ok=True)
        save(self.path(number), tree, metadata=metadata)
        for old in [] if self.keep is None else self.steps[: -self.keep]:
            _remove(self.path(old))
        for unfinished in glob.glob(os.path.join(glob.escape(self.folder), f"{BEGINNING}*{END}")):
            _remove(unfinished)  # of a process that was killed

    def restore(self, like: Any, step: int | None = None, *, strict: bool = True) -> Any:
        """The pytree of the latest step, or of another one, as `io.load` gives it. Raises MissingFileError where there is none."""
        return load(self.path(self._step("restore", step)), like, strict=strict)

    def metadata(self, step: int | None = None) -> Any:
        """What was given to `save` as metadata at the latest step, or at another one. Raises MissingFileError."""
        return metadata(self.path(self._step("metadata", step)))

    def _step(self, where: str, step: int | None) -> int:
        steps = self.steps
        if step is None and steps:
            return steps[-1]
        if step is None or step not in steps:
            raise MissingFileError(
                f"io.Checkpoints.{where}: {self.folder!r} has no checkpoint{'' if step is None else f' of step {step}'}; it has "
                f"{'those of ' + ', '.join(map(str, steps)) if steps else 'none'}"
            )
        return step


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
