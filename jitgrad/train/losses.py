"""Losses by Keras' names, arguments and formulas: functions of targets and predictions that give one number an example, and classes
that also take their mean.

    model.compile(optimizer="adam", loss=losses.SparseCategoricalCrossentropy(from_logits=True))

Next on the path: loss_formulas.py, the functions. `resolve_loss` is what `compile` asks.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import new_class
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.nn.named import found
from jitgrad.normalization import Axis
from jitgrad.publishing import public as _public

from . import loss_formulas
from .loss_formulas import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    of_one_rank,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)

MEAN = "sum_over_batch_size"
REDUCTIONS = (MEAN, "mean", "sum", "mean_with_sample_weight", "none", None)


class Loss:
    """The base of losses: a subclass has a method `call(y_true, y_pred)`, which gives one number an example.

    Called with (y_true, y_pred, sample_weight=None) a loss gives, as `reduction` says, the mean over all of them, times their
    weights ("sum_over_batch_size"), "sum", "mean_with_sample_weight", the sum divided by that of the weights, or "none". Raises
    ArgumentError for another reduction, ShapeError for weights of another shape.

    >>> import numpy as np
    >>> from jitgrad.train import losses
    >>> print(losses.MeanSquaredError()(np.zeros((2, 1)), np.array([[1.0], [3.0]])))
    5.0
    """

    reduction: str | None = MEAN
    name: str | None = None

    def __init__(self, name: str | None = None, reduction: str | None = MEAN, dtype: Any = None) -> None:
        if reduction not in REDUCTIONS:
            raise ArgumentError(
                f"train.losses.{type(self).__name__}: reduction must be one of {', '.join(map(repr, REDUCTIONS))}, "
                f"got {reduction!r}"
            )
        self.name, self.reduction = name, reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One number an example."""
        raise NotImplementedError(f"{type(self).__name__} must have a method call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self.reduced(jnp.asarray(self.call(y_true, y_pred)), sample_weight)

    def reduced(self, losses: Array, sample_weight: Any = None) -> Array:
        """Losses of examples, with weights, as `reduction` says."""
        if sample_weight is not None:
            weight = jnp.asarray(sample_weight, losses.dtype)
            if weight.shape != losses.shape[: weight.ndim]:
                raise ShapeError(
                    f"train.losses.{type(self).__name__}: sample_weight must have the shape of the losses {losses.shape} or of its "
                    f"first axes, got {weight.shape}"
                )
            weight = weight.reshape(*weight.shape, *[1] * (losses.ndim - weight.ndim))
            losses = losses * weight
            if self.reduction == "mean_with_sample_weight":
                return jnp.sum(losses) / jnp.sum(jnp.broadcast_to(weight, losses.shape))
        if self.reduction in ("none", None):
            return losses
        return jnp.sum(losses) if self.reduction == "sum" else jnp.mean(losses)


class _Formula(Loss):
    """A loss of a function of loss_formulas.py, whose options are its attributes."""

    formula: ClassVar[Callable[..., Any]]
    options: ClassVar[tuple[str, ...]]
    parameters: ClassVar[inspect.Signature]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            bound = self.parameters.bind(*args, **kwargs)
        except TypeError as error:
            where = f"train.losses.{type(self).__name__}"
            raise ArgumentError(f"{where}: {error}. It takes {', '.join(self.parameters.parameters)}.") from None
        bound.apply_defaults()
        given = dict(bound.arguments)
        super().__init__(**{n: given.pop(n) for n in ("name", "reduction", "dtype")})
        vars(self).update(given)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        result: Array = type(self).formula(y_true, y_pred, **{n: getattr(self, n) for n in self.options})
        return result

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.options)})"


def _class_of(name: str, formula: Callable[..., Any]) -> type[_Formula]:
    """The class of losses of a function: its options, then the arguments that all losses have."""
    options = list(inspect.signature(formula).parameters.values())[2:]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    common = {"reduction": (MEAN, "str | None"), "name": (formula.__name__, "str | None"), "dtype": (None, "Any")}
    shared = [inspect.Parameter(n, kind, default=default, annotation=takes) for n, (default, takes) in common.items()]
    signature = inspect.Signature([*options, *shared])
    body = {
        "formula": staticmethod(formula),
        "options": tuple(p.name for p in options),
        "parameters": signature,
        "__signature__": signature,
        "__doc__": f"The mean of `{formula.__name__}`, whose options it takes; reduction: see `Loss`.",
        "__module__": __name__,
    }
    made: type[_Formula] = new_class(name, (_Formula,), exec_body=lambda namespace: namespace.update(body))
    return made


def _cosine(y_true: Any, y_pred: Any, axis: Axis = -1) -> Array:
    return -cosine_similarity(y_true, y_pred, axis)


_cosine.__name__ = "cosine_similarity"

BinaryCrossentropy = _class_of("BinaryCrossentropy", binary_crossentropy)
BinaryFocalCrossentropy = _class_of("BinaryFocalCrossentropy", binary_focal_crossentropy)
CategoricalCrossentropy = _class_of("CategoricalCrossentropy", categorical_crossentropy)
CategoricalFocalCrossentropy = _class_of("CategoricalFocalCrossentropy", categorical_focal_crossentropy)
CategoricalHinge = _class_of("CategoricalHinge", categorical_hinge)
CosineSimilarity = _class_of("CosineSimilarity", _cosine)
Hinge = _class_of("Hinge", hinge)
Huber = _class_of("Huber", huber)
KLDivergence = _class_of("KLDivergence", kl_divergence)
LogCosh = _class_of("LogCosh", log_cosh)
MeanAbsoluteError = _class_of("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError = _class_of("MeanAbsolutePercentageError", mean_absolute_percentage_error)
MeanSquaredError = _class_of("MeanSquaredError", mean_squared_error)
MeanSquaredLogarithmicError = _class_of("MeanSquaredLogarithmicError", mean_squared_logarithmic_error)
Poisson = _class_of("Poisson", poisson)
SparseCategoricalCrossentropy = _class_of("SparseCategoricalCrossentropy", sparse_categorical_crossentropy)
SquaredHinge = _class_of("SquaredHinge", squared_hinge)

CLASSES: dict[str, type[_Formula]] = {
    made.__name__: made
    for made in (
        BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy, CategoricalHinge,
        CosineSimilarity, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
        MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge,
    )
}  # fmt: skip
ALIASES = {
    "mse": MeanSquaredError, "mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError,
    "bce": BinaryCrossentropy, "kld": KLDivergence, "logcosh": LogCosh, "huber_loss": Huber,
}  # fmt: skip
BY_NAME = {
    **{made.formula.__name__: made for made in CLASSES.values()},
    **ALIASES,
    **{name.upper(): made for name, made in ALIASES.items()},
    **CLASSES,
}


class Examples:
    """A loss as training wants it: called with targets and predictions it gives one number an example; `reduced` makes one of
    them."""

    def __init__(self, loss: Loss) -> None:
        self.loss, self.name = loss, loss.name
        self.from_logits: bool = getattr(loss, "from_logits", False)

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        if y_true is None:
            raise ArgumentError(f"train.losses: {self!r} needs targets: give y, or a dataset of (x, y)")
        return self.loss.call(*of_one_rank(y_true, y_pred))

    def reduced(self, losses: Array, sample_weight: Any) -> Array:
        return jnp.mean(self.loss.reduced(losses, sample_weight))

    def __repr__(self) -> str:
        return repr(self.loss)


def resolve_loss(loss: Any) -> Callable[[Any, Any], Any]:
    """A loss as a function of targets and predictions that gives one number an example.

    loss: a name, such as "mse" or "sparse_categorical_crossentropy"; a `Loss`, or a class of one; a function of
    `jitgrad.nn.losses`, which takes predictions first; or another function of targets and predictions, as it is. Raises
    ArgumentError for another name, with the near ones, and for what is no loss.

    >>> import numpy as np
    >>> print(resolve_loss("mae")(np.zeros((2, 2)), np.ones((2, 2))))
    [1. 1.]
    """
    if isinstance(loss, str):
        return Examples(found("train.losses", "loss", loss, BY_NAME)())
    if isinstance(loss, type) and issubclass(loss, Loss):
        return Examples(loss())
    if isinstance(loss, Loss):
        return Examples(loss)
    inner = loss.func if isinstance(loss, functools.partial) else loss
    if getattr(inner, "__module__", None) == "jitgrad.nn.losses":
        options = {} if isinstance(loss, functools.partial) and "reduction" in loss.keywords else {"reduction": "none"}
        return lambda y_true, y_pred: loss(y_pred, y_true, **options)
    if isinstance(loss, type) or not callable(loss):
        raise ArgumentError(
            "train.losses: takes a name such as 'mse', a loss such as losses.MeanSquaredError(), or a function of targets and "
            f"predictions, got {loss!r}"
        )
    return lambda y_true, y_pred: loss(*of_one_rank(y_true, y_pred))


get = resolve_loss
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kl_divergence

__all__ = [*CLASSES, *loss_formulas.__all__, "Loss", "get", "resolve_loss"]

_public(__name__, constructors=True, arguments=True)
