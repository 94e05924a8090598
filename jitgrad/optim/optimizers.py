"""Named optimizers: chains of the parts in `scaling.py`. Names, arguments and formulas are Optax's."""

from __future__ import annotations

from typing import Any

from .scaling import LearningRate, add_decayed_weights, scale_by_adam, scale_by_learning_rate, trace
from .transformation import GradientTransformation, named_chain, stateless


def sgd(learning_rate: LearningRate, momentum: Any = None, nesterov: bool = False) -> GradientTransformation:
    """Gradient descent, with momentum where it is given.

    learning_rate: a number, or a schedule: a function of the count of updates so far. momentum: the part of the last step that
    stays, in [0, 1). nesterov: step from where the momentum leads.

    >>> import jitgrad.numpy as jnp
    >>> opt = sgd(0.5)
    >>> updates, state = opt.update({"w": jnp.array([2.0])}, opt.init({"w": jnp.array([0.0])}))
    >>> print(updates["w"])
    [-1.]
    """
    momentum_part = stateless("sgd", lambda updates, params: updates) if momentum is None else trace(momentum, nesterov)
    return named_chain("sgd", momentum_part, scale_by_learning_rate(learning_rate))


def adam(
    learning_rate: LearningRate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0, *, nesterov: bool = False
) -> GradientTransformation:
    """Adam (Kingma and Ba, 2014).

    learning_rate: a number or a schedule. b1, b2: how much of the running means of gradients and of their squares stays at each
    step. eps, eps_root: added outside and inside the root. nesterov: NAdam (Dozat, 2016).

    >>> import jitgrad.numpy as jnp
    >>> params = {"w": jnp.array([1.0])}
    >>> opt = adam(0.1)
    >>> updates, state = opt.update({"w": jnp.array([3.0])}, opt.init(params), params)
    >>> print(jnp.round(updates["w"], 4))
    [-0.1]
    """
    return named_chain("adam", scale_by_adam(b1, b2, eps, eps_root, nesterov=nesterov), scale_by_learning_rate(learning_rate))


def adamw(
    learning_rate: LearningRate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-4,
    mask: Any = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
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
        scale_by_adam(b1, b2, eps, eps_root, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
