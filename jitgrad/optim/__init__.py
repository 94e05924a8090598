"""Optimizers in Optax's form: pure functions of gradients and a state, both pytrees.

transformation.py says what an optimizer is; scaling.py, moments.py, layerwise.py, masking.py and accumulation.py hold the parts,
optimizers.py, orthogonal.py and quasi_newton.py join them; schedules.py and plateau.py have learning rates; injection.py
puts their numbers into the state; minimization.py runs an optimizer.

>>> import jitgrad, jitgrad.numpy as jnp
>>> from jitgrad import optim
>>> params, opt = jnp.array([3.0, -2.0]), optim.sgd(0.5)
>>> state = opt.init(params)
>>> gradients = jitgrad.grad(lambda x: jnp.sum(x * x))(params)
>>> updates, state = opt.update(gradients, state, params)
>>> print(optim.apply_updates(params, updates))
[0. 0.]
"""

from jitgrad.publishing import public as _public

from .accumulation import (
    ApplyIfFiniteState,
    DynamicLossScaleState,
    EmaState,
    MultiSteps,
    MultiStepsState,
    all_finite,
    apply_if_finite,
    dynamic_loss_scale,
    ema,
    incremental_update,
)
from .injection import InjectHyperparamsState, inject_hyperparams
from .layerwise import FactoredState, clip_by_block_rms, scale_by_factored_rms, scale_by_param_block_rms, scale_by_trust_ratio
from .line_search import ScaleByZoomLinesearchState, ZoomLinesearchInfo, scale_by_zoom_linesearch, value_and_grad_from_state
from .masking import MaskedNode, MaskedState, PartitionState, masked, multi_transform, partition, set_to_zero
from .minimization import MinimizeResult, minimize
from .moments import (
    ScaleByAdaDeltaState,
    ScaleByAdamState,
    ScaleByAmsgradState,
    ScaleByLionState,
    ScaleByRmsState,
    ScaleByRmsWithCountState,
    ScaleByRssState,
    ScaleByRStdDevState,
    ScaleByRStdDevWithCountState,
    scale_by_adadelta,
    scale_by_adam,
    scale_by_adamax,
    scale_by_amsgrad,
    scale_by_lion,
    scale_by_radam,
    scale_by_rms,
    scale_by_rss,
    scale_by_sign,
    scale_by_stddev,
)
from .optimizers import (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamax,
    adamaxw,
    adamw,
    amsgrad,
    lamb,
    lars,
    lion,
    nadam,
    nadamw,
    radam,
    rmsprop,
    sgd,
)
from .orthogonal import MuonDimensionNumbers, MuonState, muon, scale_by_muon, scale_by_shape
from .plateau import ReduceLROnPlateauState, reduce_on_plateau
from .quasi_newton import ScaleByLBFGSState, lbfgs, scale_by_lbfgs
from .scaling import (
    ScaleByScheduleState,
    TraceState,
    add_decayed_weights,
    clip,
    clip_by_global_norm,
    global_norm,
    scale,
    scale_by_learning_rate,
    scale_by_schedule,
    trace,
)
from .schedules import (
    constant_schedule,
    cosine_decay_schedule,
    cosine_onecycle_schedule,
    exponential_decay,
    join_schedules,
    linear_onecycle_schedule,
    linear_schedule,
    piecewise_constant_schedule,
    piecewise_interpolate_schedule,
    polynomial_schedule,
    sgdr_schedule,
    warmup_constant_schedule,
    warmup_cosine_decay_schedule,
    warmup_exponential_decay_schedule,
)
from .transformation import (
    EmptyState,
    GradientTransformation,
    GradientTransformationExtraArgs,
    apply_updates,
    chain,
    identity,
    with_extra_args_support,
)

__all__ = [
    "ApplyIfFiniteState", "DynamicLossScaleState", "EmaState", "EmptyState", "FactoredState", "GradientTransformation",
    "GradientTransformationExtraArgs", "InjectHyperparamsState", "MaskedNode", "MaskedState", "MinimizeResult", "MultiSteps",
    "MultiStepsState", "MuonDimensionNumbers", "MuonState", "PartitionState", "ReduceLROnPlateauState",
    "ScaleByAdaDeltaState", "ScaleByAdamState", "ScaleByAmsgradState", "ScaleByLBFGSState", "ScaleByLionState",
    "ScaleByRStdDevState", "ScaleByRStdDevWithCountState", "ScaleByRmsState", "ScaleByRmsWithCountState", "ScaleByRssState",
    "ScaleByScheduleState", "ScaleByZoomLinesearchState", "TraceState", "ZoomLinesearchInfo", "adadelta", "adafactor",
    "adagrad", "adam", "adamax", "adamaxw", "adamw", "add_decayed_weights", "all_finite", "amsgrad", "apply_if_finite",
    "apply_updates", "chain", "clip", "clip_by_block_rms", "clip_by_global_norm", "constant_schedule",
    "cosine_decay_schedule", "cosine_onecycle_schedule", "dynamic_loss_scale", "ema", "exponential_decay", "global_norm",
    "identity", "incremental_update", "inject_hyperparams", "join_schedules", "lamb", "lars", "lbfgs",
    "linear_onecycle_schedule", "linear_schedule", "lion", "masked", "minimize", "multi_transform", "muon", "nadam", "nadamw",
    "partition", "piecewise_constant_schedule", "piecewise_interpolate_schedule", "polynomial_schedule", "radam",
    "reduce_on_plateau", "rmsprop", "scale", "scale_by_adadelta", "scale_by_adam", "scale_by_adamax", "scale_by_amsgrad",
    "scale_by_factored_rms", "scale_by_lbfgs", "scale_by_learning_rate", "scale_by_lion", "scale_by_muon",
    "scale_by_param_block_rms", "scale_by_radam", "scale_by_rms", "scale_by_rss", "scale_by_schedule", "scale_by_shape",
    "scale_by_sign", "scale_by_stddev", "scale_by_trust_ratio", "scale_by_zoom_linesearch", "set_to_zero", "sgd",
    "sgdr_schedule", "trace", "value_and_grad_from_state", "warmup_constant_schedule", "warmup_cosine_decay_schedule",
    "warmup_exponential_decay_schedule", "with_extra_args_support",
]  # fmt: skip

_public(__name__, constructors=True, arguments=True)
