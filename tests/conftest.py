"""For all tests: subprocesses find this clone, too; errors show jitgrad's own frames, so that a failing test tells where."""

import os
from pathlib import Path

import jitgrad

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT), str(ROOT / "compiler"), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, PATHS))
jitgrad.config.traceback_filtering = "off"
