"""A Python float on its way into a float64 result keeps its digits: it never goes through float32, the default type."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import lax, nn, scipy
from jitgrad.tracing import trace
from jitgrad_compiler.ir.interpreter import interpret

D = "float64"
NAMES = {"jnp": jnp, "lax": lax, "nn": nn, "scipy": scipy, "jitgrad": jitgrad, "D": D, "random": jitgrad.random}
CASES = """
    jnp.arange(0.1, 0.7, 0.3, dtype=D)
    jnp.logspace(0.1, 0.7, 3, dtype=D)
    jnp.logspace(0.1, 0.7, 3, base=2.3, dtype=D)
    jnp.logspace(0.1, jnp.array(0.7, D), 3)
    jnp.geomspace(0.1, 0.7, 3, dtype=D)
    jnp.geomspace(0.1, jnp.array(0.7, D), 3)
    nn.initializers.constant(0.1)(None, (2,), D)
    random.uniform(random.key(0), (2,), D, 0.1, 0.7)
    random.truncated_normal(random.key(0), 0.1, 0.7, (2,), D)
    jnp.full((), 0.1, D)
    jnp.full((2,), 0.1, D)
    jnp.full_like(jnp.zeros(2, D), 0.1)
    jnp.full_like(jnp.zeros(2), 0.1, D)
    jnp.array(0.1, D)
    jnp.array([0.1, 0.2], D)
    jnp.asarray([[0.1], [0.7]], D)
    jnp.sum(jnp.array([1.0], D), initial=0.1)
    jnp.sum(jnp.array([1.0]), initial=0.1, dtype=D)
    jnp.prod(jnp.array([1.0], D), initial=0.1)
    jnp.max(jnp.array([-1.0], D), initial=0.1)
    jnp.min(jnp.array([1.0], D), initial=0.1)
    jnp.nansum(jnp.array([1.0], D), initial=0.1)
    jnp.nanprod(jnp.array([1.0], D), initial=0.1)
    jnp.nanmax(jnp.array([-1.0], D), initial=0.1)
    jnp.sum(jnp.array([1.0, 2.0], D), where=jnp.array([True, False]), initial=0.1)
    jnp.fill_diagonal(jnp.ones((2, 2), D), 0.1, inplace=False)
    jnp.fill_diagonal(jnp.ones((2, 2), D), jnp.array([0.1, 0.2], D), inplace=False)
    jnp.linspace(0.1, 0.7, 3, dtype=D)
    jnp.linspace(0.1, jnp.array(0.7, D), 3)
    jnp.linspace(0.1, 0.7, 3, retstep=True, dtype=D)[1]
    jnp.diff(jnp.array([1.0], D), prepend=0.1)
    jnp.diff(jnp.array([1.0], D), append=0.1)
    jnp.diff(jnp.array([1.0], D), prepend=0.1, append=0.3)
    jnp.ediff1d(jnp.array([1.0, 2.0], D), to_begin=0.1, to_end=0.3)
    jnp.gradient(jnp.array([1.0, 2.0, 4.0], D), 0.1)
    jnp.trapezoid(jnp.array([1.0, 2.0], D), dx=0.1)
    jnp.interp(jnp.array([0.0, 3.0], D), jnp.array([1.0, 2.0], D), jnp.array([1.0, 2.0], D), left=0.1, right=0.7)
    jnp.interp(0.1, jnp.array([0.0, 2.0], D), jnp.array([1.0, 2.0], D))
    jnp.interp(jnp.array([0.5], D), jnp.array([0.0, 0.3], D), jnp.array([1.0, 2.0], D), period=0.7)
    jnp.unwrap(jnp.array([0.0, 1.0], D), period=0.7)
    jnp.unwrap(jnp.array([0.0, 1.0], D), discont=0.1, period=0.7)
    jnp.pad(jnp.ones(1, D), 1, constant_values=0.1)
    jnp.pad(jnp.ones(1, D), 1, constant_values=(0.1, 0.7))
    jnp.pad(jnp.ones((1, 1), D), 1, constant_values=((0.1, 0.7), (0.3, 0.9)))
    jnp.where(jnp.array([True, False]), jnp.ones(2, D), 0.1)
    jnp.nan_to_num(jnp.array([jnp.nan, jnp.inf, -jnp.inf], D), nan=0.1, posinf=0.3, neginf=0.7)
    jnp.clip(jnp.array([0.0, 1.0], D), 0.1, 0.7)
    jnp.select([jnp.array([True, False])], [jnp.ones(2, D)], 0.1)
    jnp.select([jnp.array([True, False])], [0.1], jnp.ones(2, D))
    jnp.piecewise(jnp.array([1.0, -1.0], D), [jnp.array([True, False])], [0.1, 0.7])
    jnp.choose(jnp.array([0, 1]), [jnp.ones(2, D), 0.1], mode="clip")
    jnp.ones(2, D).at[0].set(0.1)
    jnp.ones(2, D).at[0].add(0.1)
    jnp.ones(2, D).at[0].multiply(0.1)
    jnp.ones(2, D).at[0].divide(0.1)
    jnp.ones(2, D).at[0].power(0.1)
    jnp.ones(2, D).at[0].min(0.1)
    jnp.zeros(2, D).at[0].max(0.1)
    jnp.ones(2, D).at[5].get(mode="fill", fill_value=0.1)
    jnp.take(jnp.ones(2, D), jnp.array([5]), fill_value=0.1)
    jnp.take_along_axis(jnp.ones(2, D), jnp.array([5]), 0, fill_value=0.1)
    jnp.put_along_axis(jnp.ones(2, D), jnp.array([1]), 0.1, 0, inplace=False)
    jnp.insert(jnp.ones(2, D), 1, 0.1)
    jnp.append(jnp.ones(2, D), 0.1)
    jnp.hstack([jnp.ones(2, D), 0.1])
    jnp.stack([jnp.ones((), D), 0.1])
    jnp.concatenate([jnp.ones(2, D), jnp.array([0.1], D)])
    jnp.block([jnp.ones(2, D), 0.1])
    jnp.column_stack([jnp.ones(1, D), 0.1])
    jnp.vstack([jnp.ones(1, D), 0.1])
    jnp.broadcast_arrays(jnp.ones(2, D), jnp.array(0.1, D))[1]
    jnp.searchsorted(jnp.array([0.1, 0.7], D), 0.1)
    jnp.digitize(0.1, jnp.array([0.1, 0.7], D))
    jnp.digitize(jnp.array([0.1], D), jnp.array([0.1, 0.7], D))
    jnp.isin(jnp.array([0.1, 0.7], D), 0.1)
    jnp.isin(0.1, jnp.array([0.1, 0.7], D))
    jnp.histogram(jnp.array([0.1, 0.2, 0.7], D), 2, (0.1, 0.7))[1]
    jnp.histogram_bin_edges(jnp.array([0.1, 0.2, 0.7], D), 3, (0.1, 0.7))
    jnp.percentile(jnp.array([0.1, 0.2, 0.7], D), 33.3)
    jnp.quantile(jnp.array([0.1, 0.2, 0.7], D), 0.333)
    jnp.nanquantile(jnp.array([0.1, 0.2, 0.7], D), 0.333)
    jnp.quantile(jnp.array([0.1, 0.2, 0.7], D), jnp.array([0.333], D))
    jnp.var(jnp.array([0.1, 0.2, 0.7], D), ddof=0.1)
    jnp.std(jnp.array([0.1, 0.2, 0.7], D), ddof=0.1)
    jnp.var(jnp.array([0.1, 0.2, 0.7], D), correction=0.3)
    jnp.polyval(jnp.array([1.0, 2.0], D), 0.1)
    jnp.polyadd(jnp.array([1.0, 2.0], D), jnp.array([0.1], D))
    jnp.polyint(jnp.array([1.0, 2.0], D), k=0.1)
    jnp.power(jnp.array([2.0], D), 0.1)
    jnp.power(0.1, jnp.array([2.0], D))
    jnp.float_power(0.1, jnp.array([2.0], D))
    jnp.heaviside(jnp.array([0.0], D), 0.1)
    jnp.isclose(jnp.array([0.1], D), 0.1 + 1e-9, rtol=1e-8, atol=0.0)
    jnp.isclose(jnp.array([0.1], D), 0.1)
    jnp.allclose(jnp.array([0.1], D), 0.1, rtol=1e-14, atol=0.0)
    jnp.array_equal(jnp.array(0.1, D), 0.1)
    jnp.array_equiv(jnp.array([0.1], D), 0.1)
    jnp.copysign(0.1, jnp.array([-1.0], D))
    jnp.outer(jnp.ones(1, D), 0.1)
    jnp.dot(jnp.ones(1, D), 0.1)
    jnp.inner(jnp.ones(1, D), 0.1)
    jnp.kron(jnp.ones(1, D), 0.1)
    jnp.tensordot(jnp.ones(1, D), 0.1, 0)
    jnp.einsum("i,->i", jnp.ones(1, D), 0.1)
    jnp.multiply(jnp.ones(1, D), 0.1)
    jnp.average(jnp.array([0.1, 0.3], D), weights=jnp.array([0.1, 0.7], D))
    jnp.cov(jnp.array([0.1, 0.3, 0.9], D), ddof=1)
    jnp.cumulative_sum(jnp.array([0.1, 0.3], D), include_initial=True)
    jnp.convolve(jnp.array([0.1, 0.3], D), jnp.array([0.1], D))
    jnp.trim_zeros(jnp.array([0.1, 0.0], D))
    jnp.unique(jnp.array([0.1, 0.3], D), size=3, fill_value=0.7)
    jnp.union1d(jnp.array([0.1, 0.3], D), jnp.array([0.1], D), size=4, fill_value=0.7)
    jnp.compress(jnp.array([True, False]), jnp.ones(2, D), size=2, fill_value=0.1)
    jnp.extract(jnp.array([True, False]), jnp.ones(2, D), size=2, fill_value=0.1)
    jnp.where(jnp.array([True, False]), 0.1, jnp.ones(2, D))
    jnp.tri(2, dtype=D) * 0.1
    jnp.eye(2, dtype=D) * 0.1
    jnp.vander(jnp.array([0.1, 0.3], D))
    jnp.hypot(jnp.array([1.0], D), 0.1)
    jnp.ldexp(jnp.array([0.1], D), 2)
    jnp.fmin(jnp.array([1.0], D), 0.1)
    jnp.fmod(jnp.array([1.0], D), 0.1)
    jnp.remainder(jnp.array([1.0], D), 0.1)
    jnp.floor_divide(jnp.array([1.0], D), 0.1)
    jnp.divmod(jnp.array([1.0], D), 0.1)[1]
    jnp.nextafter(jnp.array([1.0], D), 0.1)
    jnp.round(jnp.array([0.123456], D), 3)
    jnp.sinc(jnp.array([0.1], D))
    jnp.i0(jnp.array([0.1], D))
    jnp.deg2rad(jnp.array([0.1], D))
    jnp.result_type(jnp.array([0.1], D), 0.1) == D
    lax.full((2,), 0.1, D)
    lax.full_like(jnp.ones(2, D), 0.1)
    lax.pad(jnp.ones(1, D), 0.1, [(1, 1, 0)])
    lax.clamp(0.1, jnp.array([0.0, 1.0], D), 0.7)
    lax.select(jnp.array([True, False]), jnp.ones(2, D), jnp.full(2, 0.1, D))
    lax.dynamic_update_slice(jnp.ones(2, D), jnp.array([0.1], D), (0,))
    lax.dynamic_update_index_in_dim(jnp.ones(2, D), 0.1, 0, 0)
    lax.reduce(jnp.ones(2, D), 0.1, lax.add, (0,))
    lax.integer_pow(jnp.array([0.1], D), 2)
    lax.pow(jnp.array([2.0], D), 0.1)
    lax.add(jnp.array([2.0], D), 0.1)
    lax.convert_element_type(0.1, D)
    lax.fori_loop(0, 2, lambda i, c: c * 0.1, jnp.ones((), D))
    lax.fori_loop(0, 2, lambda i, c: c * jnp.ones((), D), 0.1)
    lax.scan(lambda c, x: (c + x, c), 0.1, jnp.ones(2, D))[0]
    lax.cond(True, lambda: jnp.ones((), D), lambda: 0.1)
    lax.cond(False, lambda: jnp.ones((), D), lambda: 0.1)
    lax.while_loop(lambda c: c < 1, lambda c: c + jnp.ones((), D), 0.1)
    lax.broadcast(jnp.array(0.1, D), (2,))
    lax.gather(jnp.ones(3, D), jnp.array([[9]]), lax.GatherDimensionNumbers((), (0,), (0,)), (1,), mode="fill", fill_value=0.1)
    lax.associative_scan(jnp.add, jnp.array([0.1, 0.2], D))
    nn.logsumexp(jnp.array([0.0], D), b=0.1)
    nn.logsumexp(jnp.array([0.0, 1.0], D), b=jnp.array([0.1, 0.7], D))
    scipy.special.logsumexp(jnp.array([0.0], D), b=0.1)
    nn.elu(jnp.array([-1.0], D), 0.1)
    nn.celu(jnp.array([-1.0], D), 0.1)
    nn.leaky_relu(jnp.array([-1.0], D), 0.1)
    nn.leaky_relu(jnp.array([-1.0], D))
    nn.selu(jnp.array([-1.0], D))
    nn.gelu(jnp.array([-1.0], D))
    nn.squareplus(jnp.array([-1.0], D), 0.1)
    nn.softplus(jnp.array([-1.0], D))
    nn.silu(jnp.array([-1.0], D))
    nn.hard_tanh(jnp.array([-1.0], D))
    nn.softmax(jnp.array([0.1, 0.3], D))
    nn.standardize(jnp.array([0.1, 0.3, 0.9], D), epsilon=0.1)
    nn.one_hot(jnp.array([0]), 2, dtype=D)
    nn.relu6(jnp.array([0.1], D))
    nn.initializers.constant(0.1)(None, (2,), D)
    scipy.special.xlogy(jnp.array([0.3], D), 0.1)
    scipy.special.betaln(jnp.array([0.3], D), 0.1)
    scipy.special.zeta(2.3, jnp.array([0.3], D))
    scipy.special.polygamma(1, jnp.array([0.3], D))
    scipy.special.rel_entr(jnp.array([0.3], D), 0.1)
    scipy.special.kl_div(jnp.array([0.3], D), 0.1)
    scipy.special.multigammaln(jnp.array([2.3], D), 2)
    scipy.special.logit(jnp.array([0.3], D))
    jitgrad.jvp(lambda x: x * 2, (jnp.ones(1, D),), (jnp.full(1, 0.1, D),))[1]
    jitgrad.vjp(lambda x: x * 2, jnp.ones((), D))[1](0.1)[0]
    jitgrad.jvp(lambda x: x * 2, (jnp.ones((), D),), (0.1,))[1]
    jitgrad.linearize(lambda x: x * 2, jnp.ones((), D))[1](0.1)
    jitgrad.value_and_grad(lambda x: x * 0.1)(jnp.ones((), D))[1]
"""


@pytest.fixture
def float64_by_default():
    def evaluate(case):
        jitgrad.config.default_float = "float64"
        try:
            return numbers(case)
        finally:
            jitgrad.config.default_float = "float32"

    return evaluate


def numbers(case):
    return [np.asarray(v) for v in jitgrad.tree.leaves(eval(case, NAMES))]


@pytest.mark.parametrize("case", [line.strip() for line in CASES.strip().splitlines()])
def test_digits_are_kept(case, float64_by_default):
    want = float64_by_default(case)
    traced = trace(lambda: eval(case, NAMES), case, [], [], jitgrad.tree.structure(()))
    traced_result = interpret(traced.graph, *[v.data() for v in traced.captured])
    for got in (numbers(case), [np.asarray(v) for v in traced_result]):
        for one, other in zip(got, want, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-14, atol=0)
