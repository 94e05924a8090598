"""nn.dot_product_attention against its formula in NumPy, whole and in tiles; encodings of positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, jit, nn, vmap
from jitgrad.nn import attention
from jitgrad.testing import check_grads
from jitgrad_compiler.passes.pipeline import prepare

RANDOM = np.random.default_rng(0)


def formula(q, k, v, bias=0.0, mask=True, *, scale=None, is_causal=False, window=None, keys=None):
    """Attention in float64, a head at a time; queries that see no key give the mean of the values."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    batch, queries, heads, size = q.shape
    count, groups = k.shape[1], heads // k.shape[2]
    shape = (batch, heads, queries, count)
    seen = np.array(np.broadcast_to(mask, shape))
    t, s = np.arange(queries)[:, None], np.arange(count)
    if is_causal:
        seen &= s <= t
    if window is not None:
        seen &= (s >= t - window[0]) & (s <= t + window[1])
    if keys is not None:
        seen &= s < np.asarray(keys)[:, None, None, None]
    scores = np.einsum("btnh,bsnh->bnts", q, np.repeat(k, groups, 2)) * (size**-0.5 if scale is None else scale)
    scores = np.where(seen, scores + bias, -np.inf)
    scores[~seen.any(-1)] = 0
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bnts,bsnh->btnh", weights / weights.sum(-1, keepdims=True), np.repeat(v, groups, 2))


def normal(*shape, dtype=np.float64):
    return RANDOM.standard_normal(shape).astype(dtype)


def inputs(batch=2, queries=70, keys=66, heads=4, shared=2, size=3, dtype=np.float64):
    return (
        normal(batch, queries, heads, size, dtype=dtype),
        normal(batch, keys, shared, size, dtype=dtype),
        normal(batch, keys, shared, size, dtype=dtype),
    )


@pytest.fixture(params=[None, 600, 40_000], ids=["whole", "small tiles", "tiles"])
def tiles(request, monkeypatch):
    """Attention as one formula, or in tiles of so many scores."""
    if request.param is not None:
        monkeypatch.setattr(attention, "PLAIN_SCORES", 0)
        monkeypatch.setattr(attention, "TILE_SCORES", request.param)


HIDDEN = RANDOM.random((2, 1, 70, 66)) > 0.4
HIDDEN[1, 0, 3] = False
LENGTHS = np.array([60, 0])
CASES = {
    "plain": {}, "causal": dict(is_causal=True), "window": dict(window=(5, 5)), "narrow window": dict(window=(2, 0)),
    "causal window": dict(window=(4, 9), is_causal=True), "scaled": dict(scale=0.3),
    "bias of heads": dict(bias=normal(1, 4, 1, 66)),
    "whole bias": dict(bias=normal(2, 4, 70, 66), is_causal=True), "bias of keys": dict(bias=normal(66)),
    "mask of examples": dict(mask=HIDDEN), "mask of heads": dict(mask=RANDOM.random((1, 4, 70, 66)) > 0.4, is_causal=True),
    "mask of keys": dict(mask=RANDOM.random((2, 1, 1, 66)) > 0.4), "lengths": dict(keys=LENGTHS),
    "causal lengths": dict(keys=LENGTHS, is_causal=True),
}  # fmt: skip


def ours(case):
    names = {"window": "local_window_size", "keys": "key_value_seq_lengths"}
    return {names.get(n, n): v for n, v in case.items()}


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("case", CASES)
def test_attention_is_its_formula(case):
    given = inputs()
    want = formula(*given, **CASES[case])
    np.testing.assert_allclose(nn.dot_product_attention(*given, **ours(CASES[case])), want, rtol=1e-10, atol=1e-12)
    narrow = [x.astype(np.float32) for x in given]
    kept = {n: v.astype(np.float32) if n == "bias" else v for n, v in CASES[case].items()}
    got = jit(lambda q, k, v: nn.dot_product_attention(q, k, v, **ours(kept)))(*narrow)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_tiles_have_the_derivatives_of_the_whole(case, monkeypatch):
    q, k, v = inputs()
    bias, rest = CASES[case].get("bias", normal(1, 1, 1, 66)), ours({n: x for n, x in CASES[case].items() if n != "bias"})
    out_tangent = normal(*q.shape)

    def both(*args):
        def f(*args):
            return nn.dot_product_attention(*args, **rest)

        out, pull = jitgrad.vjp(f, *args)
        return out, pull(jnp.asarray(out_tangent)), jitgrad.jvp(f, args, args)[1]

    whole = jit(both)(q, k, v, bias)
    monkeypatch.setattr(attention, "PLAIN_SCORES", 0)
    monkeypatch.setattr(attention, "TILE_SCORES", 600)
    parts = jit(lambda *args: both(*args))(q, k, v, bias)
    for a, b in zip(jitgrad.tree.leaves(whole), jitgrad.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("tiles")
def test_the_processors_program_is_that_of_the_formula(monkeypatch):
    """Though attention is one equation in a traced program."""

    def loss(q, k, v):
        return jnp.sum(nn.dot_product_attention(q, k, v, is_causal=True) ** 2)

    given = inputs(size=16, dtype=np.float32)
    keeps_products = jitgrad.grad(jitgrad.checkpoint(loss, policy=jitgrad.checkpoint_policies.dots_saveable))
    for f in (loss, jitgrad.grad(loss, argnums=(0, 1, 2)), keeps_products):
        one = jitgrad.make_graph(f)(*given)
        with monkeypatch.context() as patch:
            patch.setattr(attention, "_is_one", lambda *args: False)
            written_out = jitgrad.make_graph(f)(*given)
        assert one != written_out or f is keeps_products
        assert prepare(one) == prepare(written_out)


@pytest.mark.parametrize("run", [lambda f: f, jit], ids=["eager", "compiled"])
def test_attention_to_no_keys_is_zero(run):
    q, k, v = inputs(queries=3, keys=0)
    out, residual = run(lambda q, k, v: nn.dot_product_attention(q, k, v, return_residual=True))(q, k, v)
    assert out.shape == q.shape and (out == 0).all() and np.isneginf(residual).all()
    slopes = run(jitgrad.grad(lambda *given: jnp.sum(nn.dot_product_attention(*given)), argnums=(0, 1)))(q, k, v)
    assert [s.shape for s in slopes] == [q.shape, k.shape] and (slopes[0] == 0).all()


@pytest.mark.usefixtures("tiles")
def test_attention_has_first_and_second_derivatives():
    given = inputs(batch=1, queries=19, keys=18, heads=2, shared=1, size=2)
    check_grads(lambda *args: nn.dot_product_attention(*args, is_causal=True), given, order=2, atol=1e-5, rtol=1e-5)


@pytest.mark.usefixtures("tiles")
def test_attention_under_vmap_is_that_of_each_example():
    q, k, v = (np.stack([x, 2 * x]) for x in inputs(batch=1, queries=20, keys=33))
    want = [nn.dot_product_attention(a, b, c) for a, b, c in zip(q, k, v, strict=True)]
    np.testing.assert_allclose(vmap(nn.dot_product_attention)(q, k, v), np.stack(want), rtol=1e-12)


@pytest.mark.usefixtures("tiles")
def test_queries_behind_their_length_give_zero_and_residuals_are_logarithms_of_sums():
    q, k, v = inputs(shared=4)
    out, residual = nn.dot_product_attention(q, k, v, query_seq_lengths=np.array([3, 70], np.int32), return_residual=True)
    want = formula(q, k, v)
    want[0, 3:] = 0
    np.testing.assert_allclose(out, want, rtol=1e-10, atol=1e-12)
    sums = np.log(np.exp(np.einsum("btnh,bsnh->btns", q, k) * 3**-0.5).sum(-1))
    np.testing.assert_allclose(residual[0, :3], sums[0, :3], rtol=1e-10)
    np.testing.assert_allclose(residual[1], sums[1], rtol=1e-10)
    assert (np.asarray(residual[0, 3:]) < -1e38).all()


def test_an_example_needs_no_batch_axis():
    q, k, v = inputs()
    np.testing.assert_array_equal(nn.dot_product_attention(q[0], k[0], v[0]), nn.dot_product_attention(q, k, v)[0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_are_scored_in_float32(dtype):
    given = [jnp.asarray(x).astype(dtype) for x in inputs()]
    got = nn.dot_product_attention(*given)
    assert got.dtype == dtype
    want = formula(*[x.astype(float) for x in given])
    np.testing.assert_allclose(got.astype(float), want, atol=2e-2 if dtype == "bfloat16" else 2e-3)


@pytest.mark.parametrize(("length", "heads", "causal"), [(16384, 1, True), (4096, 2, False), (4096, 2, True)])
def test_scores_of_long_sequences_are_never_in_memory(length, heads, causal):
    q = jnp.zeros((1, length, heads, 16))
    loss = jit(jitgrad.grad(lambda q: jnp.sum(nn.dot_product_attention(q, q, q, is_causal=causal))))
    assert loss.lower(q).compile().memory_analysis().temp_size_in_bytes < heads * length * length * 4 / 2


@settings(max_examples=25)
@given(st.data())
def test_attention_of_any_shape_is_its_formula(data):
    size = lambda most: data.draw(st.integers(1, most))
    shared = size(3)
    given = inputs(size(3), size(40), size(40), shared * size(3), shared, size(4))
    window = data.draw(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)))
    case = dict(is_causal=data.draw(st.booleans()), window=window)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "PLAIN_SCORES", data.draw(st.sampled_from([0, 2**22])))
        patch.setattr(attention, "TILE_SCORES", data.draw(st.sampled_from([64, 2000])))
        got = nn.dot_product_attention(*given, **ours(case))
    np.testing.assert_allclose(got, formula(*given, **case), rtol=1e-9, atol=1e-11)


Q = np.zeros((2, 5, 4, 3), np.float32)
REFUSED = {
    "query's heads must be a multiple of key's, got 4 and 3": (Q, Q[:, :, :3], Q[:, :, :3]),
    "value must have key's shape": (Q, Q, Q[:, 1:]),
    "one batch size and one number of features": (Q, Q[..., :2], Q[..., :2]),
    "got key of float64, query float32": (Q, Q.astype(float), Q),
    "without batch, got query of shape (2, 5)": (Q[:, :, 0, 0], Q, Q),
    "bias must broadcast to [batch, heads, queries, keys] = (2, 4, 5, 5), got (2, 5, 5)": (
        Q,
        Q,
        Q,
        np.zeros((2, 5, 5), np.float32),
    ),
    "mask must be booleans": (Q, Q, Q, None, np.ones((5, 5))),
}


@pytest.mark.parametrize("message", REFUSED)
def test_operands_that_do_not_fit_are_named(message):
    with pytest.raises((errors.ShapeError, errors.DTypeError)) as error:
        nn.dot_product_attention(*REFUSED[message])
    assert message in str(error.value)


@pytest.mark.parametrize("options", [
    dict(implementation="flash"), dict(local_window_size=(1, 2, 3)), dict(local_window_size=-1), dict(local_window_size=1.5),
    dict(key_value_seq_lengths=np.arange(3)), dict(query_seq_lengths=np.ones(2)),
])  # fmt: skip
def test_bad_options_are_named(options):
    with pytest.raises((errors.ArgumentError, errors.ShapeError), match=next(iter(options))):
        nn.dot_product_attention(Q, Q, Q, **options)


def test_sinusoidal_positions_are_sines_and_cosines():
    got = nn.sinusoidal_positions(2000, 6, dtype="float64")
    for i in range(3):
        angles = np.arange(2000) / 10000 ** (2 * i / 6)
        np.testing.assert_allclose(got[:, 2 * i], np.sin(angles), atol=1e-12)
        np.testing.assert_allclose(got[:, 2 * i + 1], np.cos(angles), atol=1e-12)
    assert nn.sinusoidal_positions(3, 2).dtype == np.float32
    with pytest.raises(errors.ArgumentError, match="features must be even"):
        nn.sinusoidal_positions(3, 5)


@pytest.mark.parametrize("interleaved", [False, True])
def test_products_of_rotated_vectors_depend_on_distances(interleaved):
    q, k = normal(1, 1, 6), normal(1, 1, 6)

    def product(at, other):
        a = nn.rotary_embedding(q, jnp.array([at]), interleaved=interleaved)
        return float(jnp.sum(a * nn.rotary_embedding(k, jnp.array([other]), interleaved=interleaved)))

    assert product(1007, 1000) == pytest.approx(product(7, 0), rel=1e-10)
    assert product(3, 3) == pytest.approx(float(np.sum(q * k)), rel=1e-12)
    turned = nn.rotary_embedding(np.tile(q, (4, 2, 1)), interleaved=interleaved)
    pair = slice(0, 2) if interleaved else slice(0, 6, 3)
    first, second = q[0, 0, pair]
    np.testing.assert_allclose(turned[3, 1, pair][0], first * np.cos(3.0) - second * np.sin(3.0), rtol=1e-12)
    with pytest.raises(errors.ShapeError, match="even number of features"):
        nn.rotary_embedding(q[..., :5])


def test_a_causal_mask_of_fewer_queries_is_its_last_rows():
    np.testing.assert_array_equal(nn.causal_mask(5), np.tril(np.ones((5, 5), bool)))
    np.testing.assert_array_equal(nn.causal_mask(2, 5), np.tril(np.ones((5, 5), bool))[3:])
