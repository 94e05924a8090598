"""For all tests: subprocesses find this clone, too; errors show jitgrad's own frames, so that a failing test tells where; kernels
are written twice (emitted_twice.py) and assembled for GPUs (assembled.py); property tests look at no clock and draw the same cases
each time, others with --hypothesis-seed=N. Where Python is to write no bytecode, the processes of a run share a folder for it.
"""

import gc
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

import jitgrad
from jitgrad_compiler.targets.cpu import program

from . import assembled
from .emitted_twice import CodesEmittedTwice

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT), str(ROOT / "compiler"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PATHS))
jitgrad.config.traceback_filtering = "off"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--emit-twice", type=int, default=CodesEmittedTwice.every, help="of so many programs one is written twice")
    parser.addoption(
        "--assemble", type=int, default=assembled.Assembling.every, help="of so many programs one is assembled for a GPU"
    )


def pytest_configure(config: pytest.Config) -> None:
    CodesEmittedTwice.every = config.getoption("--emit-twice")
    program._Codes = CodesEmittedTwice
    assembled.install(config.getoption("--assemble"))
    settings.register_profile("fixed", deadline=None, derandomize=config.getoption("--hypothesis-seed") is None)
    settings.load_profile("fixed")
    if sys.dont_write_bytecode:
        _share_bytecode(config)


def _share_bytecode(config: pytest.Config) -> None:
    """Modules are compiled once a run, not once a process: a second of each subprocess. Workers have it from the process before."""
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    os.environ["PYTHONPYCACHEPREFIX"] = folder.name
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: thousands of tests, which no collection of garbage need look at again."""
    gc.collect()
    gc.freeze()
