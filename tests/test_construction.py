"""Constructors of layers, metrics, losses, callbacks, schedules and data: what their annotations do not take is refused by name."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, errors, metrics, nn, optim
from jitgrad.suggestions.arguments import misfit
from jitgrad.train import callbacks, initializers, losses, regularizers, utils
from jitgrad.train import metrics as keras_metrics
from jitgrad.train.optimizers import schedules

MODULES = (nn, metrics, data, optim, callbacks, losses, keras_metrics, initializers, regularizers, utils, schedules)


class Nothing:
    def __repr__(self) -> str:
        return "Nothing()"


def classes(module: ModuleType) -> list[type]:
    names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
    found = [vars(module).get(n) for n in names]
    return [c for c in found if isinstance(c, type) and c.__module__.startswith("jitgrad.") and not issubclass(c, tuple)]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_no_public_class_takes_what_its_annotations_do_not(module: ModuleType) -> None:
    for cls in classes(module):
        parameters = inspect.signature(cls).parameters.values()
        needed = {p.name: 4 for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
        for p in parameters:
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.annotation == "Any":
                continue
            given: dict[str, Any] = {**needed, p.name: Nothing()}
            if misfit(cls, (), given, lists=True) is not None:
                with pytest.raises((errors.JitgradError, TypeError, AttributeError)):
                    cls(**given)


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (lambda: nn.LayerNorm(8, eps="small"), "LayerNorm: eps must be a number, got 'small'"),  # type: ignore[arg-type]
        (lambda: nn.ELU(alpha="x"), "ELU: alpha must be an array or a number, got 'x'"),
        (lambda: nn.Softmax(axis="x"), "Softmax: axis must be an integer, a sequence of integers or None, got 'x'"),
        (lambda: nn.Threshold(0.5, None), "Threshold: value must be a number, got None"),  # type: ignore[arg-type]
        (lambda: nn.Flatten(start_axis=1.5), "Flatten: start_axis must be an integer, got 1.5"),  # type: ignore[arg-type]
        (lambda: metrics.Perplexity(ignore_index="x"), "Perplexity: ignore_index must be an integer or None, got 'x'"),  # type: ignore[arg-type]
        (lambda: losses.Huber(delta="x"), "Huber: delta must be a number, got 'x'"),
        (lambda: losses.MeanSquaredError(name=3), "MeanSquaredError: name must be a string or None, got 3"),
        (lambda: keras_metrics.TopKCategoricalAccuracy(k=1.5), "TopKCategoricalAccuracy: k must be an integer, got 1.5"),
        (lambda: keras_metrics.Mean(name=3), "Mean: name must be a string or None, got 3"),  # type: ignore[arg-type]
        (lambda: callbacks.EarlyStopping(min_delta="x"), "EarlyStopping: min_delta must be a number, got 'x'"),  # type: ignore[arg-type]
        (lambda: data.Normalize("x", 1.0), "Normalize: mean must be a number or a sequence of numbers, got 'x'"),  # type: ignore[arg-type]
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
