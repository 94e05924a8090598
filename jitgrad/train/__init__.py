"""Training by Keras' names and meaning: `Model` and `Sequential` own a module, and have compile, fit, evaluate and predict.

`from jitgrad import train as keras` makes a tutorial's code run. Reading map: model.py, fitting.py, learner.py, epochs.py,
steps.py; predicting.py; callbacks.py, losses.py, metrics/ and optimizers/ are what they take.
"""

from jitgrad.publishing import public as _public

from . import (
    activations,
    backend,
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    utils,
)
from .functional import Input
from .layers import Layer
from .model import Model
from .sequential import Sequential

__all__ = [
    "Input", "Layer", "Model", "Sequential", "activations", "backend", "callbacks", "datasets", "initializers", "layers",
    "losses", "metrics", "models", "optimizers", "regularizers", "utils",
]  # fmt: skip

_public(__name__, arguments=True)
