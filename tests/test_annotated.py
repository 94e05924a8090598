"""Functions of modules that check arguments: what their annotations do not take is refused by name, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, metrics, nn, optim, tree
from jitgrad.annotated import check_kinds, checks_of
from jitgrad.suggestions.arguments import kind_of
from tests.test_construction import Nothing

PARAMS = {"w": jnp.array([1.0, 2.0])}


def checked(module: Any) -> list[tuple[str, FunctionType]]:
    """The functions of a module that users call, with what is asked of their arguments."""
    found = [(n, getattr(module, n, None)) for n in module.__all__]
    return [(n, f) for n, f in found if isinstance(f, FunctionType) and checks_of(getattr(f, "__wrapped__", None))]


def test_items_are_told_apart_by_commas_outside_of_brackets() -> None:
    assert kind_of("p", "Sequence[Callable[..., Any] | None] | None").fits([None, abs])
    assert kind_of("p", "tuple[int, str]").fits((1, "a")) and not kind_of("p", "tuple[int, str]").fits((1, 2.5))
    jitgrad.util.subvals([1, 2, 3], [(0, "x")])


@pytest.mark.parametrize("flag", [True, False, np.bool_(False)], ids=repr)
def test_bools_are_numbers(flag: Any) -> None:
    for words in ("float", "Number", "NotNegative", "Fraction", "Part", "Amount", "Real"):
        assert kind_of("p", words).fits(flag)
    jitgrad.train.callbacks.EarlyStopping(verbose=flag, baseline=-jnp.inf)
    jitgrad.data.RandomFlip(horizontal=flag, vertical=flag)
    optim.sgd(0.1, momentum=False)
    nn.LSTM(2, 3, dropout=False)


@pytest.mark.parametrize("compiled", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
def test_infinities_are_the_ends_of_integers_where_the_largest_is_looked_for(compiled: Callable[..., Any]) -> None:
    x, none = jnp.array([3, 5]), jnp.array([False, False])
    assert int(compiled(lambda v: jnp.max(v, initial=-jnp.inf, where=~none))(x)) == 5
    assert int(compiled(lambda v: jnp.min(v, initial=jnp.inf, where=~none))(x)) == 3
    assert compiled(lambda v: v.at[0].max(-jnp.inf).at[1].min(jnp.inf))(x).tolist() == [3, 5]
    for run in (lambda: x.at[0].set(jnp.inf), lambda: x.at[0].max(jnp.nan), lambda: jnp.max(x, initial=jnp.nan)):
        with pytest.raises(errors.DTypeError, match="does not fit in an array of int64"):
            run()


@pytest.mark.parametrize(
    "made",
    [lambda n: jitgrad.train.metrics.MeanIoU(n), lambda n: metrics.TopKAccuracy(n), lambda n: metrics.AUC(n),
     lambda n: optim.MultiSteps(optim.sgd(0.1), n), lambda n: jitgrad.train.layers.Cropping2D(n)],
    ids=["MeanIoU", "TopKAccuracy", "AUC", "MultiSteps", "Cropping2D"],
)  # fmt: skip
def test_integers_of_numpy_are_integers(made: Callable[[Any], Any]) -> None:
    assert made(np.int64(3)) is not None


def test_a_triplets_largest_difference_is_its_distance_of_infinite_p() -> None:
    a, b, c = jnp.array([0.0, 0.0]), jnp.array([3.0, 4.0]), jnp.array([0.0, 2.0])
    assert abs(float(nn.losses.triplet(a, b, c, p=jnp.inf, eps=0.0)) - 3.0) < 1e-6


@pytest.mark.parametrize(
    "module", [optim, jitgrad.nn, jitgrad.data, jitgrad.metrics, jitgrad.io, jitgrad.image, jitgrad.audio, jitgrad]
)
def test_functions_of_modules_are_asked_for_what_their_annotations_take(module: Any) -> None:
    functions = checked(module)
    assert functions
    for name, f in functions:
        for place, parameter, kind in checks_of(f.__wrapped__) or ():  # type: ignore[attr-defined]
            assert not kind.fits(Nothing()), (name, parameter)
            with pytest.raises(errors.ParametersError, match=f"^{name}: {parameter} must be .*, got Nothing"):
                check_kinds(name, ((place, parameter, kind),), (), {parameter: Nothing()})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: optim.scale(b"x"), "scale: step_size must be a finite number, got b'x'"),  # type: ignore[arg-type]
        (lambda: optim.scale([[1, 2], [3]]), "scale: step_size must be a finite number"),  # type: ignore[arg-type]
        (lambda: optim.scale(float("nan")), "scale: step_size must be a finite number, got nan"),
        (lambda: optim.sgd(0.1, momentum="heavy"), "sgd: momentum must be a number from 0 to 1 or None, got 'heavy'"),  # type: ignore[arg-type]
        (lambda: optim.sgd(0.1, momentum=1.5), "sgd: momentum must be a number from 0 to 1 or None, got 1.5"),
        (lambda: optim.sgd(b"x"), "sgd: learning_rate must be a number or a function, got b'x'"),  # type: ignore[arg-type]
        (lambda: optim.sgd(1j), "sgd: learning_rate must be a number or a function, got 1j"),  # type: ignore[arg-type]
        (lambda: optim.clip_by_global_norm({}), "clip_by_global_norm: max_norm must be a number that is not negative"),  # type: ignore[arg-type]
        (lambda: optim.clip(-1.0), "clip: max_delta must be a number that is not negative, got -1.0"),
        (lambda: optim.adam(0.1, b2=1.0), "adam: b2 must be a number from 0 to less than 1, got 1.0"),
        (lambda: optim.adam(0.1, mu_dtype="x"), "adam: mu_dtype must be an element type or None, got 'x'"),
        (lambda: optim.adamw(0.1, weight_decay="x"), "adamw: weight_decay must be .* or a function, got 'x'"),  # type: ignore[arg-type]
        (lambda: optim.MultiSteps("x", 2), "MultiSteps: opt must be an optimizer, which has init and update, got 'x'"),  # type: ignore[arg-type]
        (lambda: optim.partition({"a": 1}, "a"), "partition: transforms must be a dict of optimizers, got"),  # type: ignore[dict-item]
        (lambda: optim.linear_schedule(1.0, 0.0, float("nan")), "linear_schedule: transition_steps must be a positive"),
        (lambda: nn.one_hot(jnp.array([1]), -3), "one_hot: num_classes must be an integer of 0 or more, got -3"),
        (lambda: nn.causal_mask(-3), "causal_mask: queries must be an integer of 0 or more, got -3"),
        (lambda: nn.freeze(nn.Linear(2, 2), 3), "freeze: where must be a string, .* got 3"),  # type: ignore[arg-type]
        (lambda: nn.summary(nn.Linear(2, 2), (1, 2), file="x"), "summary: file must be a file to write to or None"),  # type: ignore[arg-type]
        (
            lambda: nn.losses.cross_entropy(jnp.ones((1, 2)), jnp.array([1]), label_smoothing="x"),
            "label_smoothing must be a number",
        ),  # type: ignore[arg-type]
        (lambda: nn.losses.huber(jnp.ones(2), jnp.ones(2), delta=-1.0), "huber: delta must be a number that is not negative"),
        (lambda: nn.squareplus(jnp.ones(2), "x"), "squareplus: b must be an array or a number, got 'x'"),  # type: ignore[arg-type]
        (lambda: nn.rotary_embedding(jnp.ones((1, 2, 1, 4)), base=0), "rotary_embedding: base must be a positive, finite"),
        (lambda: optim.apply_if_finite(optim.sgd(0.1), -1), "apply_if_finite: max_consecutive_errors must be an integer of 0 or"),
    ],
)
def test_the_function_the_argument_and_what_it_takes_are_told(call: Callable[[], Any], words: str) -> None:
    for _ in range(3):  # replays are asked, too
        with pytest.raises(errors.ParametersError, match=words):
            call()


def test_what_a_function_says_itself_is_kept() -> None:
    with pytest.raises(errors.ArgumentError, match="To climb, negate the loss, or use optim.scale"):
        optim.sgd(-1.0)


def test_numbers_of_every_kind_are_numbers() -> None:
    for rate in (1, 0.5, np.float32(0.5), np.int8(1), np.array(0.5), jnp.array(0.5), jnp.bfloat16(0.5), lambda count: 0.5):
        opt = optim.sgd(rate, momentum=np.float64(0.0))
        updates = opt.update(PARAMS, opt.init(PARAMS))[0]
        assert np.all(np.asarray(updates["w"]) < 0)


def test_traced_numbers_are_numbers() -> None:
    def step(rate: Any, b1: Any) -> Any:
        opt = optim.adam(rate, b1)
        return opt.update(PARAMS, opt.init(PARAMS))[0]["w"]

    assert np.allclose(jitgrad.jit(step)(0.1, 0.9), step(0.1, 0.9))
    assert jitgrad.vmap(step, in_axes=(0, None))(jnp.array([0.1, 0.2]), 0.9).shape == (2, 2)


def test_a_schedule_that_gives_no_number_is_named() -> None:
    def forgetful(count: Any) -> None:
        """It returns nothing."""

    for opt in (optim.sgd(forgetful), optim.scale_by_schedule(forgetful), optim.add_decayed_weights(forgetful)):  # type: ignore[arg-type]
        with pytest.raises(errors.ArgumentError, match="a schedule, here .*forgetful.*, must give a number, got None"):
            opt.update(PARAMS, opt.init(PARAMS), PARAMS)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tree.unflatten("x", [1]), "tree.unflatten: treedef must be a structure, as tree.structure gives, got 'x'"),  # type: ignore[arg-type]
        (lambda: tree.unflatten(tree.structure([1]), 3), "tree.unflatten: leaves must be a sequence, got 3"),  # type: ignore[arg-type]
        (lambda: tree.unflatten(tree.structure([1]), [1, 2]), "tree.unflatten: the structure has 1 leaves, and leaves has 2"),
        (lambda: tree.leaves([1], is_leaf="x"), "tree.leaves: is_leaf must be a function or None, got 'x'"),  # type: ignore[arg-type]
        (lambda: tree.flatten([1], 3), "tree.flatten: is_leaf must be a function or None, got 3"),  # type: ignore[arg-type]
        (lambda: tree.structure([1], 3), "tree.structure: is_leaf must be a function or None, got 3"),  # type: ignore[arg-type]
        (lambda: tree.transpose("x", None, [1]), "transpose: outer_treedef must be a structure, as tree.structure gives"),  # type: ignore[arg-type]
        (lambda: jitgrad.vmap(jnp.sin, axis_name=[1]), "vmap: axis_name must be hashable, got .1."),  # type: ignore[arg-type]
        (lambda: jitgrad.make_graph(jnp.sin, 3)(1.0), "make_graph of sin: static_argnums names argument 3, but there are 1"),
        (lambda: jitgrad.data.read_text(None), "read_text: path must be a path, got None"),  # type: ignore[arg-type]
        (
            lambda: metrics.accuracy(jnp.array([1]), jnp.array([1]), weights=1j),
            "accuracy: weights must be real numbers, got complex",
        ),
        (lambda: metrics.r2(jnp.arange(3.0), jnp.array(1j)), "r2: predictions and targets must be real numbers, got complex"),
    ],
)
def test_trees_transforms_and_files_tell_what_is_wrong(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(errors.JitgradError, match=f"(?i)^.*{words}"):
        call()
