"""Named optimizers: chains of the parts in scaling.py, moments.py and layerwise.py. Names, arguments and formulas are Optax's.

In all of them `learning_rate` is a number, or a schedule: a function of the count of updates so far; `mask` and its kin say which
params a part sees, as `masked` takes it; `mu_dtype` is the element type that the running mean of gradients is kept in.
"""

from __future__ import annotations

from typing import Any

from jitgrad.ranges import Count, Decay, Fraction, NotNegative, Number

from .accumulation import ema
from .layerwise import clip_by_block_rms, scale_by_factored_rms, scale_by_param_block_rms, scale_by_trust_ratio
from .masking import masked
from .moments import (
    scale_by_adadelta,
    scale_by_adam,
    scale_by_adamax,
    scale_by_amsgrad,
    scale_by_lion,
    scale_by_radam,
    scale_by_rms,
    scale_by_rss,
    scale_by_stddev,
)
from .scaling import LearningRate, Schedule, add_decayed_weights, scale, scale_by_learning_rate, trace
from .transformation import GradientTransformationExtraArgs, named_chain, stateless


def _momentum(name: str, momentum: Any, nesterov: bool, accumulator_dtype: Any = None) -> Any:
    """`trace`, or nothing where momentum is None."""
    if momentum is None:
        return stateless(name, lambda updates, params: updates)
    return trace(momentum, nesterov, accumulator_dtype)


def sgd(
    learning_rate: LearningRate, momentum: Fraction | None = None, nesterov: bool = False, accumulator_dtype: Any = None
) -> GradientTransformationExtraArgs:
    """Gradient descent, with momentum where it is given.

    momentum: the part of the last step that stays, in [0, 1). nesterov: step from where the momentum leads.
    accumulator_dtype: the element type that the momentum is kept in.

    >>> import jitgrad.numpy as jnp
    >>> opt = sgd(0.5)
    >>> updates, state = opt.update({"w": jnp.array([2.0])}, opt.init({"w": jnp.array([0.0])}))
    >>> print(updates["w"])
    [-1.]
    """
    return named_chain("sgd", _momentum("sgd", momentum, nesterov, accumulator_dtype), scale_by_learning_rate(learning_rate))


def adam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam (Kingma and Ba, 2014).

    b1, b2: how much of the running means of gradients and of their squares stays at each step. eps, eps_root: added outside and
    inside the root. nesterov: NAdam (Dozat, 2016).

    >>> import jitgrad.numpy as jnp
    >>> params = {"w": jnp.array([1.0])}
    >>> opt = adam(0.1)
    >>> updates, state = opt.update({"w": jnp.array([3.0])}, opt.init(params), params)
    >>> print(jnp.round(updates["w"], 4))
    [-0.1]
    """
    return named_chain(
        "adam", scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov), scale_by_learning_rate(learning_rate)
    )


def nadam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam with Nesterov's momentum (Dozat, 2016): `adam` with nesterov=True.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), nadam(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.1474]
    """
    return named_chain(
        "nadam", scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov), scale_by_learning_rate(learning_rate)
    )


def adamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    weight_decay: NotNegative | Schedule = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017): steps also take learning_rate * weight_decay * params.

    mask: which params decay, a pytree of bools or a function from params to one; all by default. `update` needs the params.

    >>> import jitgrad.numpy as jnp
    >>> params = {"w": jnp.array([1.0])}
    >>> opt = adamw(0.1, weight_decay=0.5)
    >>> updates, state = opt.update({"w": jnp.array([3.0])}, opt.init(params), params)
    >>> print(jnp.round(updates["w"], 4))
    [-0.15]
    """
    return named_chain(
        "adamw",
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


def nadamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    weight_decay: NotNegative | Schedule = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = True,
) -> GradientTransformationExtraArgs:
    """NAdam with decoupled weight decay: `adamw` with nesterov=True.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), nadamw(0.1, weight_decay=0.5)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.1974]
    """
    return named_chain(
        "nadamw",
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


def amsgrad(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    mu_dtype: Any = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformationExtraArgs:
    """Adam by the largest mean square so far (Reddi, Kale and Kumar, 2018).

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), amsgrad(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.1]
    """
    part = scale_by_amsgrad(b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu)
    return named_chain("amsgrad", part, scale_by_learning_rate(learning_rate))


def adamax(
    learning_rate: LearningRate, b1: Decay = 0.9, b2: Decay = 0.999, eps: NotNegative = 1e-8
) -> GradientTransformationExtraArgs:
    """Adam with the largest decayed gradient in place of the root mean square (Kingma and Ba, 2014, section 7.1).

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), adamax(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.1]
    """
    return named_chain("adamax", scale_by_adamax(b1, b2, eps), scale_by_learning_rate(learning_rate))


def adamaxw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    weight_decay: NotNegative | Schedule = 1e-4,
    mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Adamax with decoupled weight decay.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), adamaxw(0.1, weight_decay=0.5)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.15]
    """
    return named_chain(
        "adamaxw", scale_by_adamax(b1, b2, eps), add_decayed_weights(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )


def radam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-8,
    eps_root: NotNegative = 0.0,
    threshold: NotNegative = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Rectified Adam (Liu et al., 2019): plain momentum in the first steps, when few gradients tell their mean square.

    threshold: the length of the mean from which on it is used.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), radam(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.3]
    """
    part = scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov)
    return named_chain("radam", part, scale_by_learning_rate(learning_rate))


def lion(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    mu_dtype: Any = None,
    weight_decay: NotNegative | Schedule = 1e-3,
    mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Signs of a running mean, with weight decay (Chen et al., 2023). Rates are 3 to 10 times smaller than Adam's.

    b1: how much of the mean is in the sign, b2: how much of it stays.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), lion(0.1, weight_decay=0.5)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.15]
    """
    return named_chain(
        "lion", scale_by_lion(b1, b2, mu_dtype), add_decayed_weights(weight_decay, mask), scale_by_learning_rate(learning_rate)
    )


def rmsprop(
    learning_rate: LearningRate,
    decay: Decay = 0.9,
    eps: NotNegative = 1e-8,
    initial_scale: NotNegative = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Fraction | None = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> GradientTransformationExtraArgs:
    """Gradients divided by the root of their running mean square (Hinton and Tieleman, 2012).

    decay: how much of the mean stays. initial_scale: what it begins with. eps_in_sqrt: whether eps is added inside the root, as
    here, or outside, as PyTorch does. centered: by the variance (Graves, 2013). momentum, nesterov: of the steps, as in `sgd`.
    bias_correction: correct the mean for its start.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), rmsprop(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.3162]
    """
    part = (scale_by_stddev if centered else scale_by_rms)(decay, eps, initial_scale, eps_in_sqrt, bias_correction)
    return named_chain("rmsprop", part, scale_by_learning_rate(learning_rate), _momentum("rmsprop", momentum, nesterov))


def adagrad(
    learning_rate: LearningRate, initial_accumulator_value: NotNegative = 0.1, eps: NotNegative = 1e-7
) -> GradientTransformationExtraArgs:
    """Gradients divided by the root of the sum of all their squares so far (Duchi, Hazan and Singer, 2011).

    initial_accumulator_value: what the sum begins with. eps: added inside the root.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), adagrad(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.0994]
    """
    return named_chain("adagrad", scale_by_rss(initial_accumulator_value, eps), scale_by_learning_rate(learning_rate))


def adadelta(
    learning_rate: LearningRate = 1.0,
    rho: Decay = 0.9,
    eps: NotNegative = 1e-6,
    weight_decay: NotNegative | Schedule = 0.0,
    weight_decay_mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Gradients scaled by the ratio of the running root mean squares of steps and of gradients (Zeiler, 2012).

    rho: how much of the means stays. weight_decay is added to the gradients.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([1.0]), adadelta()
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 5))
    [-0.00316]
    """
    return named_chain(
        "adadelta",
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(learning_rate),
    )


def lars(
    learning_rate: LearningRate,
    weight_decay: NotNegative | Schedule = 0.0,
    weight_decay_mask: Any = True,
    trust_coefficient: NotNegative = 0.001,
    eps: NotNegative = 0.0,
    trust_ratio_mask: Any = True,
    momentum: Fraction | None = 0.9,
    nesterov: bool = False,
) -> GradientTransformationExtraArgs:
    """Momentum with a rate for each layer by the norms of its params and gradients, for large batches (You et al., 2017).

    trust_coefficient: times the ratio of the norms. eps: added to the gradient's. trust_ratio_mask: which params have a ratio.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([2.0]), lars(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 6))
    [-0.0002]
    """
    return named_chain(
        "lars",
        add_decayed_weights(weight_decay, weight_decay_mask),
        masked(scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps), trust_ratio_mask),
        scale_by_learning_rate(learning_rate),
        _momentum("lars", momentum, nesterov),
    )


def lamb(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NotNegative = 1e-6,
    eps_root: NotNegative = 0.0,
    weight_decay: NotNegative | Schedule = 0.0,
    mask: Any = None,
) -> GradientTransformationExtraArgs:
    """AdamW with a rate for each layer by the norms of its params and steps, for large batches (You et al., 2019).

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([2.0]), lamb(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.2]
    """
    return named_chain(
        "lamb",
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )


def adafactor(
    learning_rate: LearningRate | None = None,
    min_dim_size_to_factor: Count = 128,
    decay_rate: Number = 0.8,
    decay_offset: Number = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: NotNegative | None = 1.0,
    momentum: Fraction | None = None,
    dtype_momentum: Any = None,
    weight_decay_rate: NotNegative | None = None,
    eps: NotNegative = 1e-30,
    factored: bool = True,
    weight_decay_mask: Any = None,
) -> GradientTransformationExtraArgs:
    """Adam of little memory: mean squares of large matrices are kept by rows and columns (Shazeer and Stern, 2018).

    learning_rate: a number, a schedule, or None for 1. min_dim_size_to_factor: the least size of an array's second largest axis for
    that. decay_rate: means stay by 1 - t**-decay_rate at update t, counted from decay_offset. multiply_by_parameter_scale: steps
    times the root mean square of each array's params. clipping_threshold: the largest root mean square of a step, or None.
    momentum: of the steps, kept in dtype_momentum. weight_decay_rate: times the params, apart from the rate.

    >>> import jitgrad.numpy as jnp
    >>> params, opt = jnp.array([2.0]), adafactor(0.1)
    >>> print(jnp.round(opt.update(jnp.array([3.0]), opt.init(params), params)[0], 4))
    [-0.2]
    """
    parts = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        parts.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        parts.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        parts.append(scale_by_param_block_rms())
    if momentum is not None:
        parts.append(ema(momentum, debias=False, accumulator_dtype=dtype_momentum))
    if weight_decay_rate is not None:
        parts.append(add_decayed_weights(weight_decay_rate, weight_decay_mask))
    return named_chain("adafactor", *parts, scale(-1))
