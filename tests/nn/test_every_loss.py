"""Every loss and metric on random calls, by the checks of jitgrad.numpy's functions: formulas in NumPy, eager, compiled and mapped
agree; derivatives of losses are those of finite differences. Shapes, options, weights and masks are drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from jitgrad import metrics
from jitgrad.nn import losses
from tests.every_call import cases, derivatives_agree, eager_compiled_and_batched_agree
from tests.numpy.drawn_calls import Call, Draw
from tests.numpy.function_table import Row

Formula = Callable[..., Any]


def reduced(each: Any, reduction: str, weights: Any, where: Any) -> Any:
    """A mean is the weighted one of what is present."""
    factors = np.ones(each.shape)
    for given in (weights, where):
        if given is not None:
            factors = factors * np.reshape(given, (*np.shape(given), *[1] * (each.ndim - np.ndim(given))))
    values = each * factors
    return {"none": values, "sum": values.sum(), "mean": values.sum() / factors.sum()}[reduction]


def loss(name: str, formula: Formula, draw: Callable[[Draw], Call], **more: Any) -> Row:
    """`formula` gives a loss for each element or row; the rest is the same for all."""

    def reference(*operands: Any, reduction: str, weights: Any = None, where: Any = None, **options: Any) -> Any:
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in operands]
        return reduced(formula(*wide, **options), reduction, weights, where)

    def drawn(d: Draw) -> Call:
        call = draw(d)
        losses_of = formula(*call.operands, *call.rest, **call.keywords)
        lead = losses_of.shape[: d.number(0, losses_of.ndim)]
        options = {"reduction": d.one_of("mean", "sum", "none")}
        if d.flag():
            options["weights"] = d.random.uniform(0.3, 2, losses_of.shape)
        if d.flag() and lead and losses_of.size:
            mask = d.random.random(losses_of.shape) > 0.4
            mask.flat[0] = True
            options["where"] = mask
        given, rest = call.operands, call.rest
        return Call(given, how=lambda f, *xs: f(*xs, *rest, **call.keywords, **options))

    settings = dict(smooth=True, edges="", zeros=False, loose=10.0) | more
    return Row(name, drawn, "w", ours=getattr(losses, name.split()[0]), reference=reference, **settings)


# -- formulas


def cross_entropy(x: Any, targets: Any, axis: int = -1, label_smoothing: float = 0.0) -> Any:
    logs = np.moveaxis(scipy.special.log_softmax(x, axis), axis, -1)
    n = logs.shape[-1]
    rows = np.moveaxis(targets, axis, -1) if targets.dtype.kind == "f" else np.eye(n)[targets]
    return -((rows * (1 - label_smoothing) + label_smoothing / n) * logs).sum(-1)


def nll(x: Any, labels: Any, axis: int = -1) -> Any:
    return -(np.moveaxis(x, axis, -1) * np.eye(x.shape[axis])[labels]).sum(-1)


def kl_divergence(x: Any, targets: Any, axis: int = -1, log_targets: bool = False) -> Any:
    p = np.exp(targets) if log_targets else targets
    return (p * ((targets if log_targets else np.log(p)) - x)).sum(axis)


def binary(x: Any, targets: Any) -> Any:
    return np.logaddexp(0, x) - x * targets


def focal(x: Any, targets: Any, alpha: float | None = None, gamma: float = 2.0) -> Any:
    hit = scipy.special.expit(x)
    sides = 1.0 if alpha is None else alpha * targets + (1 - alpha) * (1 - targets)
    return sides * (targets * (1 - hit) + (1 - targets) * hit) ** gamma * binary(x, targets)


def huber(x: Any, y: Any, delta: float = 1.0) -> Any:
    gap = abs(x - y)
    return np.where(gap <= delta, gap * gap / 2, delta * (gap - delta / 2))


def cosine(x: Any, y: Any, labels: Any = 1, margin: float = 0.0, axis: int = -1) -> Any:
    alike = (x * y).sum(axis) / np.sqrt((x * x).sum(axis) * (y * y).sum(axis))
    return np.where(np.asarray(labels) == 1, 1 - alike, np.maximum(alike - margin, 0))


def triplet(a: Any, p: Any, n: Any, margin: float = 1.0, axis: int = -1) -> Any:
    near, far = (np.sqrt(((a - b + 1e-6) ** 2).sum(axis)) for b in (p, n))
    return np.maximum(near - far + margin, 0)


# -- calls


def options(d: Draw, **given: Callable[[Draw], Any]) -> dict[str, Any]:
    return {name: option(d) for name, option in given.items() if d.flag()}


def elements(low: float = -3, high: float = 3, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape, dtype = d.shape(most=2, size=1 if d.apart else 0), d.dtype()
        return Call([d.array(shape, -3, 3, dtype), d.array(shape, low, high, dtype)], keywords=options(d, **given))

    return draw


def sides(d: Draw) -> Call:
    shape = d.shape(most=2)
    signs = d.random.choice([-1.0, 1.0], shape)
    return Call([d.array(shape)], [np.asarray(signs)])


def rows(count: int, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    """Rows along an axis, of at least two numbers; far enough from 0."""

    def draw(d: Draw) -> Call:
        shape, dtype = [*d.shape(most=1, size=1 if d.apart else 0), d.number(2, 4)], d.dtype()
        axis = d.number(0, len(shape) - 1)
        shape.insert(axis, shape.pop())
        operands = [d.array(tuple(shape), 0.5 - k, 4 - k, dtype) + dtype.type(0.05) for k in range(count)]
        return Call(operands, keywords={"axis": d.one_of(axis, axis - len(shape)), **options(d, **given)})

    return draw


def classes(soft: bool, **given: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        call = rows(1)(d)
        (x,), axis = call.operands, call.keywords["axis"]
        shape = tuple(np.delete(x.shape, axis))
        keywords = {**call.keywords, **options(d, **given)}
        if not soft:
            return Call([x], [np.asarray(d.random.integers(0, x.shape[axis], shape))], keywords)
        p = np.moveaxis(d.random.dirichlet(np.ones(x.shape[axis]), shape), -1, axis)
        return Call([x], [p.astype(x.dtype)], keywords)

    return draw


def logarithms(d: Draw) -> Call:
    call = rows(2)(d)
    x, y = (scipy.special.log_softmax(v, call.keywords["axis"]) for v in call.operands)
    inside = d.flag()
    return Call([x, y if inside else np.exp(y)], keywords={**call.keywords, "log_targets": inside})


def labelled(d: Draw) -> Call:
    n, k = d.number(1, 9), d.number(2, 4)
    first, second = (d.random.integers(0, k, n) for _ in range(2))  # of half the classes: twice a label is one, too
    return Call([np.asarray(first), np.asarray(second)], keywords={"num_classes": 2 * k, **options(d, weights=weights_of(n))})


def weights_of(n: int) -> Callable[[Draw], Any]:
    return lambda d: d.random.uniform(0.5, 2, n)


def averaged(d: Draw) -> Call:
    call = labelled(d)
    return Call(call.operands, keywords={**call.keywords, "average": d.one_of("macro", "micro", "weighted", None)})


def scored(d: Draw) -> Call:
    n, k = d.number(1, 7), d.number(2, 4)
    scores = d.random.permutation(n * k).reshape(n, k) / (n * k)
    y = d.random.integers(0, k, n)
    return Call([scores], [y], options(d, weights=weights_of(n)))


def near(d: Draw) -> Call:
    n = d.number(2, 7)
    operands = [d.array((n,), dtype="float64"), d.array((n,), dtype="float64") + 7 * np.arange(n)]
    return Call(operands, keywords=options(d, weights=weights_of(n)))


# -- metrics, from the matrix of confusion


def confusion(first: Any, second: Any, num_classes: int, weights: Any = None) -> Any:
    """Rows are the targets."""
    out = np.zeros((num_classes, num_classes))
    np.add.at(out, (second, first), 1.0 if weights is None else weights)
    return out


def averages(ratio: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Formula:
    def run(first: Any, second: Any, num_classes: int, average: str | None, weights: Any = None) -> Any:
        c = confusion(first, second, num_classes, weights)
        hits, taken, there = np.diag(c), c.sum(0), c.sum(1)
        if average == "micro":
            hits, taken, there = hits.sum(), taken.sum(), there.sum()
        top, bottom = ratio(hits, taken, there)
        each = np.divide(top, bottom, out=np.zeros(np.shape(top)), where=bottom > 0)
        if average == "macro":
            present = c.sum(0) + c.sum(1) > 0
            return each[present].mean()
        return (each * there).sum() / there.sum() if average == "weighted" else each

    return run


def mean(each: Any, weights: Any = None) -> Any:
    return np.average(each, weights=weights)


def metric(name: str, reference: Formula, draw: Callable[[Draw], Call], **more: Any) -> Row:
    settings = dict(edges="", zeros=False, loose=10.0, floats=True) | more
    return Row(name, draw, "w", ours=getattr(metrics, name), reference=reference, **settings)


ROWS = [
    loss("mse", lambda x, y: (x - y) ** 2, elements()),
    loss("mae", lambda x, y: abs(x - y), elements(), smooth=False),
    loss("huber", huber, elements(delta=lambda d: d.one_of(0.5, 2.0)), smooth=False),
    loss("hinge", lambda x, y: np.maximum(1 - x * y, 0), sides, smooth=False),
    loss("binary_cross_entropy_with_logits", binary, elements(0.05, 0.45)),
    loss("focal", focal, elements(0.05, 0.45, alpha=lambda d: 0.3, gamma=lambda d: d.one_of(1.0, 3.0))),
    loss("cross_entropy of labels", cross_entropy, classes(False, label_smoothing=lambda d: 0.2)),
    loss("cross_entropy of rows", cross_entropy, classes(True, label_smoothing=lambda d: 0.2), smooth=False),
    loss("nll", nll, classes(False)),
    loss("kl_divergence", kl_divergence, logarithms, smooth=False),
    loss("cosine", cosine, rows(2, labels=lambda d: d.one_of(1, -1), margin=lambda d: -0.5)),
    loss("triplet", triplet, rows(3, margin=lambda d: 9.0), smooth=False),
    metric("confusion_matrix", confusion, labelled),
    metric("precision", averages(lambda hits, taken, there: (hits, taken)), averaged),
    metric("recall", averages(lambda hits, taken, there: (hits, there)), averaged),
    metric("f1", averages(lambda hits, taken, there: (2 * hits, taken + there)), averaged),
    metric("iou", averages(lambda hits, taken, there: (hits, taken + there - hits)), averaged),
    metric("accuracy", lambda x, y, **w: mean(x.argmax(-1) == y, **w), scored),
    metric("top_k_accuracy", lambda x, y, k, **w: mean(x.shape[-1] - k <= np.argsort(np.argsort(x))[range(len(y)), y], **w),
           lambda d: Call((call := scored(d)).operands, call.rest, {"k": 2, **call.keywords})),
    metric("perplexity", lambda x, y, **w: np.exp(mean(cross_entropy(x, y), **w)), scored),
    metric("mean_squared_error", lambda x, y, **w: mean((x - y) ** 2, **w), near),
    metric("mean_absolute_error", lambda x, y, **w: mean(abs(x - y), **w), near),
    metric("r2", lambda x, y, **w: 1 - mean((x - y) ** 2, **w) / mean((y - mean(y, **w)) ** 2, **w), near),
]  # fmt: skip
ELSEWHERE = {"auc": "of pairs: tests/test_metrics.py", "label_error_rate": "of edits: tests/test_metrics_of_sequences.py"}


@cases(ROWS)
def test_formulas_eager_compiled_and_mapped_agree(row: Row) -> None:
    eager_compiled_and_batched_agree(row)


@cases([row for row in ROWS if row.smooth])
def test_derivatives_are_those_of_finite_differences(row: Row) -> None:
    derivatives_agree(row, "float64")


def test_every_metric_has_a_row_or_a_reason() -> None:
    functions = {name for name in metrics.__all__ if name.islower()}
    assert functions <= {row.names for row in ROWS} | set(ELSEWHERE)
