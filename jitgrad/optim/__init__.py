"""Optimizers in Optax's form: pure functions of gradients and a state, both pytrees.

transformation.py says what an optimizer is, scaling.py holds the parts, optimizers.py joins them; schedules.py has learning rates.

>>> import jitgrad, jitgrad.numpy as jnp
>>> from jitgrad import optim
>>> params, opt = jnp.array([3.0, -2.0]), optim.sgd(0.5)
>>> state = opt.init(params)
>>> gradients = jitgrad.grad(lambda x: jnp.sum(x * x))(params)
>>> updates, state = opt.update(gradients, state, params)
>>> print(optim.apply_updates(params, updates))
[0. 0.]
"""

from .optimizers import adam, adamw, sgd
from .scaling import (
    ScaleByAdamState,
    ScaleByScheduleState,
    TraceState,
    add_decayed_weights,
    clip,
    clip_by_global_norm,
    global_norm,
    scale,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_schedule,
    trace,
)
from .schedules import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    join_schedules,
    linear_schedule,
    polynomial_schedule,
    warmup_cosine_decay_schedule,
)
from .transformation import EmptyState, GradientTransformation, apply_updates, chain, identity

__all__ = [
    "EmptyState", "GradientTransformation", "ScaleByAdamState", "ScaleByScheduleState", "TraceState", "adam", "adamw",
    "add_decayed_weights", "apply_updates", "chain", "clip", "clip_by_global_norm", "constant_schedule", "cosine_decay_schedule",
    "exponential_decay", "global_norm", "identity", "join_schedules", "linear_schedule", "polynomial_schedule", "scale",
    "scale_by_adam", "scale_by_learning_rate", "scale_by_schedule", "sgd", "trace", "warmup_cosine_decay_schedule",
]  # fmt: skip
