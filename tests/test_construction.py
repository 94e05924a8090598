"""Constructors of layers, metrics, losses, callbacks, schedules and data: what their annotations do not take is refused by name."""

from __future__ import annotations

import functools
import inspect
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, errors, metrics, models, nn, optim
from jitgrad.suggestions.arguments import misfit
from jitgrad.train import callbacks, initializers, layers, losses, regularizers, utils
from jitgrad.train import metrics as keras_metrics
from jitgrad.train.optimizers import schedules

MODULES = (nn, metrics, data, optim, callbacks, losses, keras_metrics, initializers, regularizers, utils, schedules)


SAY_THEIR_OWN = {"TensorBoard", "Metric", "PiecewiseConstantDecay"}
"""Classes that raise an error of their own for arguments like these, or are made without any."""


class Nothing:
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Nothing()"


def classes(module: ModuleType) -> list[type]:
    names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    found = [vars(module).get(n) for n in names]
    return [c for c in found if isinstance(c, type) and c.__module__.startswith("jitgrad.") and not issubclass(c, tuple)]


def called(cls: type) -> Any:
    """What has the signature that a class is made by: a layer's metaclass takes anything."""
    return cls if hasattr(cls, "__signature__") else functools.partial(vars(cls).get("__init__", cls.__init__), None)  # type: ignore[misc]


def something(annotation: str) -> Any:
    """What many constructors take."""
    if annotation == "GradientTransformation":
        return optim.sgd(0.1)
    if "PathLike" in annotation:
        return "somewhere"
    if annotation == "np.ndarray":
        return np.ones(4)
    return print if "Callable" in annotation else [4] if annotation.startswith("Sequence") else 4


def parameters_of(cls: type) -> list[inspect.Parameter]:
    return list(inspect.signature(called(cls)).parameters.values())


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_no_public_class_takes_what_its_annotations_do_not(module: ModuleType) -> None:
    for cls in classes(module):
        parameters = [] if cls.__name__ in SAY_THEIR_OWN else parameters_of(cls)
        needed = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        for p in parameters:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.annotation == "Any":
                continue
            given: dict[str, Any] = {**{n.name: something(str(n.annotation)) for n in needed}, p.name: Nothing()}
            if misfit(called(cls), (), given, lists=True) is not None:
                with pytest.raises(errors.JitgradError, match=f"{p.name}|Nothing"):
                    cls(**given)


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (lambda: nn.LayerNorm(8, eps="small"), "LayerNorm: eps must be a finite number of 0 or more, got 'small'"),  # type: ignore[arg-type]
        (lambda: nn.ELU(alpha="x"), "ELU: alpha must be a finite number, got 'x'"),
        (lambda: nn.Softmax(axis="x"), "Softmax: axis must be an integer, a sequence of integers or None, got 'x'"),
        (lambda: nn.Threshold(0.5, None), "Threshold: value must be a finite number, got None"),  # type: ignore[arg-type]
        (lambda: nn.Flatten(start_axis=1.5), "Flatten: start_axis must be an integer, got 1.5"),  # type: ignore[arg-type]
        (lambda: metrics.Perplexity(ignore_index="x"), "Perplexity: ignore_index must be an integer or None, got 'x'"),  # type: ignore[arg-type]
        (lambda: losses.Huber(delta="x"), "Huber: delta must be a positive number, got 'x'"),
        (lambda: losses.MeanSquaredError(name=3), "MeanSquaredError: name must be a string or None, got 3"),
        (
            lambda: keras_metrics.TopKCategoricalAccuracy(k=1.5),
            "TopKCategoricalAccuracy: k must be an integer of 1 or more",
        ),
        (lambda: keras_metrics.Mean(name=3), "Mean: name must be a string or None, got 3"),  # type: ignore[arg-type]
        (lambda: callbacks.EarlyStopping(min_delta="x"), "EarlyStopping: min_delta must be a finite number, got 'x'"),  # type: ignore[arg-type]
        (lambda: data.Normalize("x", 1.0), "Normalize: mean must be a finite number or a sequence of finite numbers, got 'x'"),  # type: ignore[arg-type]
        (lambda: nn.BatchNorm2d(4, eps=float("nan")), "BatchNorm2d: eps must be a finite number of 0 or more, got nan"),
        (lambda: nn.BatchNorm1d(4, momentum=1.5), "BatchNorm1d: momentum must be a number from 0 to 1 or None, got 1.5"),
        (lambda: nn.Linear(4, True), "Linear: out_features must be an integer of 0 or more, got True"),
        (lambda: nn.Dense(4, key="x"), "Dense: key must be a random key or None, got 'x'"),
        (lambda: nn.Linear(4, 4, weight_init="x"), "Linear: weight_init must be a function or None, got 'x'"),  # type: ignore[arg-type]
        (lambda: nn.LeakyReLU(1j), "LeakyReLU: negative_slope must be a finite number, got 1j"),
        (lambda: layers.Dense(-3), ".*Dense: (units|out_features) must be an integer of 0 or more, got -3"),
        (lambda: layers.Conv2D(4, "x"), ".*Conv2D: kernel_size must be .*'x'"),
        (
            lambda: layers.DepthwiseConv2D(2, depth_multiplier=0),
            "DepthwiseConv2D: depth_multiplier must be an integer of 1",
        ),
        (lambda: layers.BatchNormalization(momentum=2), "BatchNormalization: momentum must be a number from 0 to 1, got 2"),
        (lambda: layers.GaussianNoise(float("nan")), "GaussianNoise: stddev must be a finite number of 0 or more, got nan"),
        (lambda: layers.PReLU(shared_axes="x"), "PReLU: shared_axes must be an integer, a sequence of integers or None, got 'x'"),
        (lambda: layers.CenterCrop(-1, 4), "CenterCrop: height must be an integer of 1 or more, got -1"),
        (lambda: layers.RandomContrast(1j), "RandomContrast: factor must be a finite number or a sequence of"),
        (lambda: data.Standardizer("x", np.ones(2)), "Standardizer: mean must be an array, got 'x'"),  # type: ignore[arg-type]
        (lambda: data.Table([1]), "Table: columns must be a dict of arrays by strings"),  # type: ignore[arg-type]
        (lambda: data.BytePairs("x"), "BytePairs: tokenizer must be a tokenizer"),
        (lambda: metrics.Collection("x"), "Collection: metrics must be a dict of metrics by strings, got 'x'"),  # type: ignore[arg-type]
        (lambda: metrics.F1(zero_division="x"), "F1: zero_division must be a number, got 'x'"),  # type: ignore[arg-type]
        (lambda: keras_metrics.Precision(thresholds="x"), "Precision: thresholds must be .*, got 'x'"),  # type: ignore[arg-type]
        (lambda: keras_metrics.AUC(thresholds="x"), "AUC: thresholds must be a sequence of numbers from 0 to 1"),  # type: ignore[arg-type]
        (lambda: keras_metrics.AUC(num_thresholds=2.5), "AUC: num_thresholds must be an integer of 1 or more, got 2.5"),  # type: ignore[arg-type]
        (lambda: keras_metrics.F1Score(num_classes="x"), "F1Score: num_classes must be an integer of 1 or more or None"),  # type: ignore[arg-type]
        (lambda: losses.Huber(dtype="x"), "Huber: dtype must be an element type or None, got 'x'"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=2), "CategoricalCrossentropy: label_smoothing must be"),
        (lambda: schedules.CosineDecay(0.1, float("nan")), "CosineDecay: decay_steps must be a positive, finite number, got nan"),
        (lambda: regularizers.L2(-1.0), "L2: l2 must be a finite number of 0 or more, got -1.0"),
        (lambda: callbacks.CSVLogger(3), "CSVLogger: filename must be a string or a path, got 3"),  # type: ignore[arg-type]
    ],
)
def test_the_class_the_argument_and_what_it_takes_are_told(construct: Any, words: str) -> None:
    with pytest.raises(errors.ParametersError, match=f"^{words}"):
        construct()


def test_what_a_constructor_says_itself_is_kept() -> None:
    with pytest.raises(errors.ArgumentError, match="height, width"):
        data.RandomCrop(32)  # type: ignore[arg-type]


def test_constructors_of_users_classes_take_what_they_like() -> None:
    class Stop(callbacks.EarlyStopping):
        def __init__(self, patience: int) -> None:
            super().__init__(patience=len(str(patience)))

    class Norm(nn.LayerNorm):
        def __init__(self, eps: float) -> None:
            super().__init__(8, eps=float(eps))

    assert Stop("abc").patience == 3  # type: ignore[arg-type]
    assert Norm("1e-3").eps == 1e-3  # type: ignore[arg-type]


def test_numbers_of_every_kind_are_numbers_traced_ones_too() -> None:
    for eps in (1, 1e-3, jnp.float32(0.5), jnp.array(0.5)):
        assert float(nn.LayerNorm(8, eps=eps).eps) == float(eps)
    assert jitgrad.jit(lambda eps: nn.Threshold(eps, 0.0)(jnp.ones(2)))(0.5).shape == (2,)


def test_the_traceback_of_a_refused_constructor_ends_at_the_users_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitgrad.config, "traceback_filtering", "auto")
    with pytest.raises(errors.ParametersError) as caught:
        losses.Huber(delta="x")
    assert [entry.path.name for entry in caught.traceback] == ["test_construction.py"]


def test_numbers_that_stand_for_others_are_taken() -> None:
    """Steps as floats, several axes, a number for each output, an imaginary one, no function."""
    schedule = (
        schedules.ExponentialDecay(0.1, 1e5, 0.96),
        schedules.CosineDecay(0.1, 1e5),
        schedules.PiecewiseConstantDecay([10.0], [1, 2]),
    )
    assert [round(float(s(10)), 4) for s in schedule] == [0.1, 0.1, 1.0]
    x = jnp.ones((2, 2, 2))
    for layer in (nn.Softmin(axis=(0, 1)), nn.Softmax(axis=(0, 1)), layers.Softmax(axis=[0, 1])):
        assert float(layer(x)[0, 0, 0]) == 0.25
    assert losses.CosineSimilarity(axis=(0, 1))(x, x).shape == ()
    assert losses.Huber(delta=np.array([0.1, 0.2]))(x, x).shape == ()
    assert complex(nn.ConstantPad1d(1, 1j)(jnp.ones((1, 1, 1), "complex64"))[0, 0, 0]) == 1j
    assert callbacks.EarlyStopping(patience=3.0).patience == 3
    callbacks.LambdaCallback(on_epoch_end=None)


def test_a_class_that_predictions_do_not_have_is_refused() -> None:
    with pytest.raises(errors.ArgumentError, match="Precision: class_id must be one of 2 classes, counted from 0, got 5"):
        keras_metrics.Precision(class_id=5).update_state(np.eye(2), np.eye(2))
    with pytest.raises(errors.JitgradError, match="categorical_crossentropy: axis 7"):
        losses.CategoricalCrossentropy(axis=7)(np.eye(2), np.eye(2))


def test_what_a_constructor_does_inside_is_told_by_its_own_name() -> None:
    with pytest.raises(MemoryError) as caught:
        keras_metrics.F1Score(num_classes=1 << 50)
    assert "It was called as F1Score(num_classes=" in " ".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (lambda: nn.RNN(3, 4, num_layers=10**6), "RNN: num_layers must be at most 10,000, got 1000000"),
        (lambda: nn.Transformer(8, 2, num_encoder_layers=10**6), "Transformer: num_encoder_layers must be at most 10,000"),
        (lambda: nn.Transformer(8, 2, num_decoder_layers=-1), "Transformer: num_decoder_layers must be at least 0, got -1"),
        (lambda: models.GPT(layers=10**6), "GPT: layers must be at most 10,000"),
        (
            lambda: nn.Linear(4, 4, weight_init=print),
            r"Linear: weight_init must give .* \(4, 4\), got None",
        ),
        (lambda: nn.Conv1d(4, 4, 3, bias_init=lambda key, shape, dtype: jnp.ones(3)), r"Conv1d: bias_init must give .* \(4,\)"),
    ],
)
def test_what_would_take_minutes_or_fail_later_is_refused_at_once(construct: Any, words: str) -> None:
    with pytest.raises(errors.ArgumentError, match=words):
        construct()


def test_an_argument_of_a_layer_inside_is_named() -> None:
    with pytest.raises(errors.ArgumentError, match="MultiHeadAttention: kdim must be an integer of 0 or more or None, got -3"):
        nn.MultiHeadAttention(4, 2, kdim=-3)
