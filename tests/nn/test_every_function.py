"""Every function of jitgrad.nn on random calls, by the checks of jitgrad.numpy's functions: formulas in NumPy and SciPy, eager and
compiled agree, vmap is a loop, derivatives are those of finite differences. This is the table of how each is called.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import nn
from tests.numpy.drawn_calls import Call, Draw, elementwise
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import close, derivatives, each_call, flat

special = scipy.special


def logsumexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.exp(a).sum(axis, keepdims=keepdims))


# -- formulas, in NumPy


def softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


def hard_sigmoid(x: Any) -> Any:
    return np.clip(x + 3, 0, 6) / 6


def gelu(x: Any, approximate: bool = True) -> Any:
    if approximate:
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def elu(x: Any, alpha: float = 1.0, scale: float = 1.0) -> Any:
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def sparse_plus(x: Any) -> Any:
    return np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4))


def glu(x: Any, axis: int = -1) -> Any:
    first, second = np.split(x, 2, axis)
    return first * special.expit(second)


def normalize(x: Any, p: float = 2.0, axis: int = -1, eps: float = 1e-12) -> Any:
    return x / np.maximum(np.linalg.norm(x, p, axis, keepdims=True), eps)


def standardize(x: Any, axis: Any = -1, epsilon: float = 1e-5) -> Any:
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + epsilon)


def logmeanexp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return logsumexp(a, axis, keepdims) - np.log(np.ones(a.shape).sum(axis, keepdims=keepdims))


def cosine_similarity(x: Any, y: Any, axis: int = -1) -> Any:
    return (normalize(x, 2.0, axis, 1e-8) * normalize(y, 2.0, axis, 1e-8)).sum(axis)


def pairwise_distance(x: Any, y: Any, p: float = 2.0, keepdims: bool = False) -> Any:
    return np.linalg.norm(x - y + 1e-6, p, -1, keepdims=keepdims)


def one_hot(x: Any, num_classes: int, *, axis: int = -1) -> Any:
    return np.moveaxis((np.asarray(x)[..., None] == np.arange(num_classes)).astype(np.float32), -1, axis)


def pooled(reduce: Callable[..., Any], outside: float) -> Callable[..., Any]:
    """A pool of windows over the axes between the first and the last, which sees `outside` in its padding."""

    def pool(x: Any, size: Any, stride: Any, padding: Any) -> Any:
        spatial = x.ndim - 2
        size, stride, padding = ([v] * spatial if isinstance(v, int) else list(v) for v in (size, stride, padding))
        x = np.pad(x, [(0, 0), *[(p, p) for p in padding], (0, 0)], constant_values=outside)
        windows = np.lib.stride_tricks.sliding_window_view(x, size, tuple(range(1, spatial + 1)))
        steps = windows[(slice(None), *[slice(None, None, s) for s in stride])]
        return reduce(steps, axis=tuple(range(-spatial, 0)))

    return pool


def adaptive(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """A pool whose n-th window along an axis of L is from floor(n L / N) to ceil((n + 1) L / N), as PyTorch's."""

    def pool(x: Any, output_size: Any) -> Any:
        spatial = x.ndim - 2
        sizes = [output_size] * spatial if isinstance(output_size, int) else list(output_size)
        out = np.empty((x.shape[0], *sizes, x.shape[-1]), x.dtype)
        for place in itertools.product(*[range(n) for n in sizes]):
            window = [slice(i * l // n, -(-(i + 1) * l // n)) for i, l, n in zip(place, x.shape[1:-1], sizes, strict=True)]
            out[(slice(None), *place)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, spatial + 1)))
        return out

    return pool


# -- calls


def with_number(low: float, high: float) -> Callable[[Draw], Call]:
    return lambda d: Call([d.array(d.shape())], [round(float(d.random.uniform(low, high)), 2)])


def with_axis(size: int = 1, even: bool = False) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = d.shape(least=1, size=size)
        axis = d.axis(shape, none=False)
        shape = tuple(2 * n if even and i == axis % len(shape) else n for i, n in enumerate(shape))
        return Call([d.array(shape)], keywords={"axis": axis})

    return draw


def with_axes(d: Draw) -> Call:
    shape = d.shape(size=1)
    return Call([d.array(shape)], keywords={"axis": d.axes(shape), "keepdims": d.flag()})


def normed(d: Draw) -> Call:
    call = with_axis()(d)
    return Call(call.operands, keywords={**call.keywords, "p": d.one_of(1.0, 2.0, 3.0, np.inf)})


def pairs(size: int = 1, **options: Callable[[Draw], Any]) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shapes, n, dtype = d.broadcast(2), d.number(size, 4), d.dtype()
        return Call([d.array((*s, n), *b, dtype) for s, b in zip(shapes, [(-3, 3), (4, 9)], strict=True)],
                    keywords={k: option(d) for k, option in options.items()})  # fmt: skip

    return draw


def labels(d: Draw) -> Call:
    shape = d.shape()
    return Call([d.array(shape, 0, 5)], [d.number(0, 4)], {"axis": d.number(-1, len(shape))})


def windows(spatial: int) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        size, stride = ([d.number(1, 3) for _ in range(spatial)] for _ in "ab")
        padding = [d.number(0, n // 2) for n in size]
        x = d.array((d.number(0 if not d.apart else 1, 2), *[d.number(n, n + 3) for n in size], d.number(1, 2)))
        return Call([x], [tuple(size), tuple(stride), tuple(padding)])

    return draw


def parts(spatial: int) -> Callable[[Draw], Call]:
    def draw(d: Draw) -> Call:
        shape = [d.number(1, 5) for _ in range(spatial)]
        return Call([d.array((d.number(1, 2), *shape, d.number(1, 2)))], [tuple(d.number(1, n) for n in shape)])

    return draw


def sites(name: str, reference: Callable[..., Any], draw: Callable[[int], Callable[[Draw], Call]]) -> list[Row]:
    return [Row(f"{name}{n}d", draw(n), "f", True, reference=reference, edges="", loose=4, zeros=False) for n in (1, 2, 3)]


X = elementwise(1)
ROWS = [
    Row("relu", X, "f", True, reference=lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0)), zeros=False),
    Row("relu6", X, "f", True, reference=lambda x: np.clip(x, 0, 6), zeros=False),
    Row("identity", X, "f", True, reference=lambda x: x),
    Row("tanh", X, "f", True, reference=np.tanh),
    Row("sigmoid", X, "f", True, reference=special.expit),
    Row("log_sigmoid", X, "f", True, reference=lambda x: -softplus(-x), zeros=False),
    Row("softplus", X, "f", True, reference=softplus),
    Row("silu swish", X, "f", True, reference=lambda x: x * special.expit(x), edges="", zeros=False),
    Row("mish", X, "f", True, reference=lambda x: x * np.tanh(softplus(x)), edges="", zeros=False),
    Row("hard_sigmoid", X, "f", True, reference=hard_sigmoid),
    Row("hard_silu hard_swish", X, "f", True, reference=lambda x: x * hard_sigmoid(x), edges="", zeros=False),
    Row("hard_tanh", X, "f", True, reference=lambda x: np.clip(x, -1, 1)),
    Row("soft_sign", X, "f", True, reference=lambda x: x / (1 + abs(x)), edges=""),
    Row("gelu", lambda d: Call([d.array(d.shape())], [d.flag()]), "f", True, reference=gelu, edges="", zeros=False),
    Row("elu", with_number(0.3, 2), "f", True, reference=elu, zeros=False),
    Row("celu", with_number(0.3, 2), "f", True, reference=lambda x, a: elu(x / a, a) * np.where(x > 0, a, 1), zeros=False),
    Row("selu", X, "f", True, reference=lambda x: elu(x, 1.6732632423543772, 1.0507009873554805), zeros=False),
    Row("leaky_relu", with_number(0.1, 0.5), "f", True, reference=lambda x, a: np.where(x >= 0, x, a * x), zeros=False),
    Row("hard_shrink", with_number(0.1, 2), "f", True, reference=lambda x, a: np.where(abs(x) <= a, 0, x), zeros=False),
    Row("soft_shrink", with_number(0.1, 2), "f", True, zeros=False,
        reference=lambda x, a: np.where(abs(x) <= a, 0, x - a * np.sign(x))),
    Row("tanh_shrink", X, "f", True, reference=lambda x: x - np.tanh(x), zeros=False),
    Row("threshold", lambda d: Call([d.array(d.shape())], [0.35, -2.0]), "f", True, zeros=False,
        reference=lambda x, at, value: np.where(np.isnan(x) | (x > at), x, value)),
    Row("sparse_plus", X, "f", True, reference=sparse_plus),
    Row("sparse_sigmoid", X, "f", True, reference=lambda x: np.clip((x + 1) / 2, 0, 1)),
    Row("squareplus", with_number(0.5, 5), "f", True, reference=lambda x, b: (x + np.sqrt(x * x + b)) / 2, edges="", loose=2),
    Row("log1mexp", elementwise(1, 0.3, 4), "f", True, reference=lambda x: np.log(-np.expm1(-x)), edges=""),
    Row("glu", with_axis(even=True), "f", True, reference=glu, edges="", zeros=False),
    Row("softmax", with_axis(), "f", True, reference=special.softmax, edges=""),
    Row("log_softmax", with_axis(), "f", True, reference=special.log_softmax, edges="", zeros=False),
    Row("softmin", with_axis(), "f", True, reference=lambda x, axis: special.softmax(-x, axis), edges=""),
    Row("logsumexp", with_axes, "f", True, reference=logsumexp, edges="", zeros=False),
    Row("logmeanexp", with_axes, "f", True, reference=logmeanexp, edges="", zeros=False),
    Row("standardize", with_axis(size=2), "f", True, reference=standardize, edges="", loose=10, zeros=False),
    Row("normalize", normed, "f", True, reference=normalize, edges="", zeros=False),
    Row("cosine_similarity", pairs(), "f", True, reference=cosine_similarity, edges="", loose=3, zeros=False),
    Row("pairwise_distance", pairs(p=lambda d: d.one_of(1.0, 2.0, 3.0, np.inf), keepdims=Draw.flag), "f", True,
        reference=pairwise_distance, edges="", loose=3, zeros=False),
    Row("one_hot", labels, "iu", reference=one_hot),
    *sites("avg_pool", pooled(np.mean, 0), windows), *sites("max_pool", pooled(np.max, -np.inf), windows),
    *sites("adaptive_avg_pool", adaptive(np.mean), parts), *sites("adaptive_max_pool", adaptive(np.max), parts),
]  # fmt: skip
ELSEWHERE = {
    "whose windows are those of avg_pool2d and max_pool2d: test_window_layers.py": "avg_pool max_pool min_pool",
    "attention and positions: test_attention.py, test_transformer.py": "causal_mask dot_product_attention rotary_embedding "
    "sinusoidal_positions",
    "test_ctc.py, test_ctc_decoding.py": "ctc_loss ctc_greedy_decode ctc_beam_decode",
    "test_space_layers.py": "interpolate",
    "of modules: test_module.py": "apply build freeze unfreeze trainable load_torch parameter_count summary",
}
CASES = [pytest.param(name, row, id=name) for row in ROWS for name in row.names.split()]


@pytest.mark.parametrize(("name", "row"), CASES)
def test_formulas_eager_compiled_and_mapped_agree(name: str, row: Row) -> None:
    ours = getattr(nn, name)

    def check(call: Call) -> None:
        wide = [x.astype(np.float64) if x.dtype.kind not in "iu" else x for x in call.operands]
        got = flat(call(ours, *[jnp.array(x) for x in call.operands]))
        close(row, got, flat(call(row.reference, *wide)), call, types=False)
        assert row.types != "f" or got[0].dtype == call.operands[0].dtype
        batch = [np.stack([x, x[::-1] if x.ndim else x]) for x in call.operands]
        found = flat(jitgrad.jit(jitgrad.vmap(lambda *xs: call(ours, *xs)))(*batch))
        pairs = zip(*[flat(call(ours, *[jnp.array(x[i]) for x in batch])) for i in (0, 1)], strict=True)
        close(row, found, [np.stack(pair) for pair in pairs], f"compiled and mapped, {call}")

    each_call(name, row, check)


@pytest.mark.parametrize(("name", "row"), [c for c in CASES if c.values[1].smooth])
def test_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, Row(**{**vars(row), "ours": getattr(nn, name)}), "float64")


def test_every_function_has_a_row_or_a_reason() -> None:
    functions = {n for n in nn.__all__ if callable(getattr(nn, n)) and not isinstance(getattr(nn, n), type)}
    rows = {name for row in ROWS for name in row.names.split()}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == functions and not rows & reasons, sorted((rows | reasons) ^ functions)


def test_vectors_of_zeros_of_few_bits_have_no_direction() -> None:
    for dtype in ("float16", "bfloat16", "float32"):
        zeros = jnp.zeros(3, dtype)
        assert not np.asarray(nn.normalize(zeros)).any() and not np.asarray(nn.normalize(zeros, 1.0)).any()
        assert nn.cosine_similarity(zeros, zeros) == 0
    assert np.isnan(nn.threshold(np.nan, 0.5, 1.0))
