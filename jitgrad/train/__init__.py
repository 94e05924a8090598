"""Training by Keras' names and meaning: `Model` and `Sequential` own a module, and have compile, fit, evaluate and predict.

`from jitgrad import train as keras` makes a tutorial's code run. Reading map: model.py, fitting.py, learner.py, epochs.py,
steps.py; callbacks.py, losses.py, metrics/ and optimizers/ are what they take.
"""

from jitgrad.publishing import public as _public

from . import callbacks, losses, metrics, optimizers
from .model import Model, Sequential

__all__ = ["Model", "Sequential", "callbacks", "losses", "metrics", "optimizers"]

_public(__name__)
