"""The front end and the compiler come from one place: a clone's from the clone, installed ones from where both are installed.

In a clone the compiler lies in a folder of its own, which is put on the path here, before an installed compiler is found.
"""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_COMPILER = os.path.join(_ROOT, "compiler")
_is_clone = os.path.isdir(os.path.join(_COMPILER, "jitgrad_compiler"))
if _is_clone and _COMPILER not in sys.path[:1]:
    sys.path.insert(0, _COMPILER)

import jitgrad_compiler  # noqa: E402

_expected = _COMPILER if _is_clone else _ROOT
_found = os.path.dirname(os.path.dirname(os.path.abspath(str(jitgrad_compiler.__file__))))
if os.path.realpath(_found) != os.path.realpath(_expected):
    raise ImportError(
        f"jitgrad is imported from {_ROOT}, but jitgrad_compiler from {_found}: they must be of one version. Start Python in "
        "another folder, or install the one that you mean, with pip install -e for a clone."
    )
