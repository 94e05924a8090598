"""Files: pytrees saved and loaded, checkpoints of long runs, and weights of other libraries. All are safetensors, never pickle.

Reading map: trees.py (`save`, `load`, and what a file of ours says), leaves.py (what of a leaf is stored), safetensors.py (the
format), atomic.py (a file is there whole or not at all); checkpoints.py; torch_files.py,
keras_files.py.

>>> import os, tempfile
>>> import jitgrad.numpy as jnp
>>> from jitgrad import io
>>> path = os.path.join(tempfile.mkdtemp(), "numbers.safetensors")
>>> io.save(path, {"x": jnp.arange(3), "rate": 0.1})
>>> io.load(path)
{'x': Array([0, 1, 2], dtype=int64), 'rate': 0.1}
"""

from jitgrad.publishing import public as _public

from .checkpoints import Checkpoints
from .keras_files import load_keras
from .torch_files import load_torch, save_torch
from .trees import load, metadata, save

__all__ = ["Checkpoints", "load", "load_keras", "load_torch", "metadata", "save", "save_torch"]

_public(__name__, constructors=True, arguments=True)
