"""Optimizers by Keras' names, arguments and formulas, each an `optim.GradientTransformation` whose learning rate is in its state.

    model.compile(optimizer=optimizers.Adam(learning_rate=1e-3, clipnorm=1.0), loss="mse")

moments.py has the formulas in which Keras' Adam and its kin differ from Optax's; schedules.py has learning rates that change.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace, new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import optim, tree
from jitgrad.errors import ArgumentError, ParametersError, shown
from jitgrad.nn.named import found
from jitgrad.optim.leaves import norm
from jitgrad.optim.scaling import check_rate
from jitgrad.optim.transformation import stateless
from jitgrad.publishing import public as _public
from jitgrad.suggestions.arguments import misfit

from . import schedules
from .moments import adam, adamax, nadam

COMMON = {"weight_decay": None, "clipnorm": None, "clipvalue": None, "global_clipnorm": None, "name": None}
"""Arguments that all optimizers have, and their defaults."""
SHARES = {"momentum", "rho", "beta_1", "beta_2"}
"""What of the past is kept, from step to step."""
RATE = "learning_rate"
ANNOTATIONS = {
    RATE: "LearningRate", "weight_decay": "Amount | None", "clipnorm": "Amount | None", "clipvalue": "Amount | None",
    "global_clipnorm": "Amount | None", "momentum": "Part", "rho": "Part", "beta_1": "Part", "beta_2": "Part",
    "epsilon": "Amount", "initial_accumulator_value": "Amount", "nesterov": "bool", "centered": "bool", "amsgrad": "bool",
    "name": "str | None",
}  # fmt: skip
"""What arguments take, in the words of suggestions/arguments.py."""


class Optimizer(optim.GradientTransformationExtraArgs):
    """What all optimizers share.

    learning_rate: a number, a schedule of `optimizers.schedules`, or a function of the number of steps. weight_decay: each step
    takes learning_rate * weight_decay * parameters away, too. clipnorm: the largest norm of each parameter's gradient;
    global_clipnorm: that of all of them together; clipvalue: the largest element. At most one of the three may be given. Raises
    ArgumentError for arguments that there are not, and for several ways to clip.

    It is an `optim.GradientTransformation`: `optimizer.init(params)`, `optimizer.update(gradients, state, params)`. The learning
    rate is `state.hyperparams["learning_rate"]`.
    """

    parameters: ClassVar[inspect.Signature]
    core: ClassVar[Callable[..., optim.GradientTransformation]]
    _rate: Any

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        where = f"train.optimizers.{cls.__name__}"
        if not hasattr(cls, "parameters"):
            raise ArgumentError(f"{where}: is no optimizer by itself. Use one of {', '.join(OPTIMIZERS)}.")
        try:
            bound = cls.parameters.bind(*args, **kwargs)
        except TypeError as error:
            advice = " The learning rate is learning_rate=." if "lr" in kwargs else ""
            raise ArgumentError(f"{where}: {error}. It takes {', '.join(cls.parameters.parameters)}.{advice}") from None
        bound.apply_defaults()
        options = SimpleNamespace(**bound.arguments)
        clips = [n for n in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(options, n) is not None]
        if len(clips) > 1:
            raise ArgumentError(f"{where}: at most one way to clip may be given, got {' and '.join(clips)}")
        for n in clips:
            if isinstance(size := getattr(options, n), (int, float)) and not size > 0:
                raise ArgumentError(f"{where}: {n} must be more than 0, got {size}")
        for n in SHARES & vars(options).keys():
            if isinstance(share := getattr(options, n), (int, float)) and not 0 <= share <= 1:
                raise ArgumentError(f"{where}: {n} must lie between 0 and 1, got {share}")
        rate = getattr(options, RATE)
        if not callable(rate) and (isinstance(rate, (bool, str)) or not hasattr(rate, "__mul__")):
            raise ArgumentError(f"{where}: learning_rate must be a number or a schedule, got {rate!r}")
        if wrong := misfit(cls, args, kwargs, lists=False):
            raise ParametersError(f"{where}: {wrong.name} must be {wrong.takes}, got {shown(wrong.value)}")
        check_rate(where, rate)

        def chained(learning_rate: Any) -> optim.GradientTransformation:
            parts = [_CLIPS[n](getattr(options, n)) for n in clips]
            parts.append(cls.core(learning_rate, options))
            if options.weight_decay:
                parts.append(optim.add_decayed_weights(-learning_rate * options.weight_decay))
            return optim.chain(*parts)

        made = optim.inject_hyperparams(chained)(rate)
        optimizer: Any = super().__new__(cls, made.init, made.update)
        optimizer._rate = rate
        return optimizer

    _model: Any = None
    """The model whose optimizer it is."""

    def of(self, model: Any) -> Optimizer:
        """The optimizer as that of a model, whose learning rate is `learning_rate` then, to be read and to be assigned."""
        made: Optimizer = tuple.__new__(type(self), self)
        made._rate, made._model = self._rate, model
        return made

    @property
    def learning_rate(self) -> Any:
        """The learning rate or schedule that it was made with; of `model.optimizer`, the present one. A number may be assigned
        there, and elsewhere raises ArgumentError."""
        return self._rate if self._model is None else self._model.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._model is not None:
            self._model.learning_rate = value
            return
        raise ArgumentError(
            f"train.optimizers.{type(self).__name__}: an optimizer does not change, its learning rate is in the state of training. "
            "Set it there: model.learning_rate = ..., or state.hyperparams['learning_rate']"
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate})"


def _clip_by_norm(largest: Any) -> optim.GradientTransformation:
    """Each leaf made smaller where its norm is larger."""
    return stateless("clip_by_norm", lambda updates, _: tree.map(lambda u: u * (largest / jnp.maximum(norm(u), largest)), updates))


_CLIPS: dict[str, Callable[[Any], optim.GradientTransformation]] = {
    "clipnorm": _clip_by_norm,
    "clipvalue": optim.clip,
    "global_clipnorm": optim.clip_by_global_norm,
}


def _sgd(rate: Any, o: Any) -> Any:
    # The rate is inside the momentum, as in Keras: a new rate holds for new gradients alone.
    step = optim.scale_by_learning_rate(rate)
    return optim.chain(step, optim.trace(o.momentum, o.nesterov)) if o.momentum else step


def _rmsprop(rate: Any, o: Any) -> Any:
    return optim.rmsprop(rate, o.rho, o.epsilon, centered=o.centered, momentum=o.momentum or None)


def _lamb(rate: Any, o: Any) -> Any:
    return optim.lamb(rate, o.beta_1, o.beta_2, o.epsilon)


_BETAS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

_TABLE: dict[str, tuple[Callable[..., Any], float, dict[str, Any], str]] = {
    "SGD": (_sgd, 0.01, {"momentum": 0.0, "nesterov": False}, "Gradient descent, with momentum where it is given."),
    "RMSprop": (
        _rmsprop, 0.001, {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
        "Gradients divided by the root of their running mean square (Hinton and Tieleman, 2012).",
    ),
    "Adam": (adam, 0.001, {**_BETAS, "amsgrad": False}, "Adam (Kingma and Ba, 2014)."),
    "AdamW": (
        adam, 0.001, {"weight_decay": 0.004, **_BETAS, "amsgrad": False},
        "Adam with weight decay of 0.004 by default (Loshchilov and Hutter, 2017).",
    ),
    "Adagrad": (
        lambda rate, o: optim.adagrad(rate, o.initial_accumulator_value, o.epsilon), 0.001,
        {"initial_accumulator_value": 0.1, "epsilon": 1e-7},
        "Gradients divided by the root of the sum of all their squares so far (Duchi, Hazan and Singer, 2011).",
    ),
    "Adadelta": (
        lambda rate, o: optim.adadelta(rate, o.rho, o.epsilon), 0.001, {"rho": 0.95, "epsilon": 1e-7},
        "Gradients scaled by the ratio of the running root mean squares of steps and of gradients (Zeiler, 2012).",
    ),
    "Adamax": (adamax, 0.001, _BETAS, "Adam by the largest decayed gradient (Kingma and Ba, 2014, section 7.1)."),
    "Nadam": (nadam, 0.001, _BETAS, "Adam with Nesterov's momentum, with a schedule of it (Dozat, 2016)."),
    "Lion": (
        lambda rate, o: optim.lion(rate, o.beta_1, o.beta_2, weight_decay=0.0), 0.001, {"beta_1": 0.9, "beta_2": 0.99},
        "Signs of a running mean (Chen et al., 2023).",
    ),
    "Lamb": (_lamb, 0.001, _BETAS, "Adam with a rate for each layer by the norms of its parameters and steps (You et al., 2019)."),
}  # fmt: skip
"""Name: the formula, the learning rate by default, other arguments with their defaults, what it is."""


def _optimizer(name: str) -> type[Optimizer]:
    core, rate, options, text = _TABLE[name]
    arguments = {RATE: rate, **options, **{n: d for n, d in COMMON.items() if n not in options}}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(n, kind, default=d, annotation=ANNOTATIONS[n]) for n, d in arguments.items()])
    doc = f"{text} Arguments are Keras'; see `train.optimizers.Optimizer` for those that all optimizers have."
    body = {"core": staticmethod(core), "parameters": signature, "__signature__": signature, "__doc__": doc, "__module__": __name__}
    made: type[Optimizer] = new_class(name, (Optimizer,), exec_body=lambda namespace: namespace.update(body))
    return made


OPTIMIZERS = {name: _optimizer(name) for name in _TABLE}
SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, Lamb = OPTIMIZERS.values()
_BY_NAME = {**OPTIMIZERS, **{name.lower(): made for name, made in OPTIMIZERS.items()}}


def resolve_optimizer(optimizer: Any) -> Any:
    """An optimizer by name, such as "adam" with its default arguments; one of this module or `jitgrad.optim` as it is.

    Raises ArgumentError for another name, with the near ones, and for what is no optimizer.

    >>> resolve_optimizer("sgd")
    SGD(learning_rate=0.01)
    """
    if isinstance(optimizer, str):
        return found("train.optimizers", "optimizer", optimizer, _BY_NAME)()
    if isinstance(optimizer, type):
        raise ArgumentError(f"train.optimizers: takes an optimizer, got the class {optimizer.__name__}: {optimizer.__name__}(...)")
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise ArgumentError(
            "train.optimizers: takes a name such as 'adam', an optimizer such as optimizers.Adam(1e-3), or one of jitgrad.optim, "
            f"got {optimizer!r}"
        )
    return optimizer


get = resolve_optimizer

__all__ = [*OPTIMIZERS, "Optimizer", "get", "resolve_optimizer", "schedules"]

_public(schedules.__name__, constructors=True, arguments=True)
_public(__name__, arguments=True)
