"""The numbers of jax 0.10 (with 64-bit types, partitionable threefry, on a CPU) come out here.

Each row is a call and what jax gives for it: type, shape and elements, or for floats the elements in float32 and in float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import random

KEY = random.key(42)

INTEGERS = {
    "random.key_data(random.key(-1))": ("uint32", (2,), [4294967295, 4294967295]),
    "random.key_data(random.key(2**40 + 5))": ("uint32", (2,), [256, 5]),
    "random.key_data(random.split(KEY, 3))": (
        "uint32", (3, 2), [1832780943, 270669613, 64467757, 2916123636, 2465931498, 255383827],
    ),
    "random.key_data(random.split(KEY, (1, 2)))": ("uint32", (1, 2, 2), [1832780943, 270669613, 64467757, 2916123636]),
    "random.key_data(random.fold_in(KEY, 7))": ("uint32", (2,), [2547012911, 1371500959]),
    "random.key_data(random.fold_in(KEY, np.int64(-3)))": ("uint32", (2,), [3870250634, 4275682102]),
    "random.bits(KEY, (4,), np.uint8)": ("uint8", (4,), [162, 217, 249, 215]),
    "random.bits(KEY, (4,), np.uint16)": ("uint16", (4,), [5026, 12505, 63993, 49623]),
    "random.bits(KEY, (4,), np.uint32)": ("uint32", (4,), [2098992034, 2919706841, 2646866425, 2409546199]),
    "random.bits(KEY, (2,))": ("uint64", (2,), [7871734211187709741, 276886910877598708]),
    "random.randint(KEY, (6,), 3, 100)": ("int64", (6,), [34, 78, 93, 73, 60, 49]),
    "random.randint(KEY, (6,), 0, 2**62)": (
        "int64", (6,), [4466307427195926069, 869870568124700350, 1104727848944880791, 1329420531636154415,
         3780175045237482401, 1820556686673082306],
    ),
    "random.randint(KEY, (6,), -128, 128, np.int8)": ("int8", (6,), [68, -110, 55, 65, 13, -21]),
    "random.randint(KEY, (6,), 0, 256, np.uint8)": ("uint8", (6,), [196, 18, 183, 193, 141, 107]),
    "random.randint(KEY, (6,), -5, 9, np.int16)": ("int16", (6,), [3, 7, 6, 6, 0, -2]),
    "random.randint(KEY, (4,), 0, 2**32, np.uint32)": ("uint32", (4,), [3125294276, 3383865362, 780371127, 1127988417]),
    "random.randint(KEY, (4,), -(2**31), 2**31, np.int32)": ("int32", (4,), [977810628, 1236381714, -1367112521, -1019495231]),
    "random.randint(KEY, (2, 3), np.array([0, 5, -7]), np.array([10, 5, 2**60]))": (
        "int64", (2, 3), [5, 5, 1104727848944880784, 1, 5, 667635182066235316],
    ),
    "random.randint(KEY, (2, 3), np.int32([0, 5, -7]), np.int32([10, 5, 2**31 - 1]), np.int32)": (
        "int32", (2, 3), [4, 5, 780371120, 9, 5, 870292836],
    ),
    "random.permutation(KEY, 8)": ("int64", (8,), [7, 4, 2, 5, 3, 6, 0, 1]),
    "random.permutation(KEY, 2000)[:6]": ("int64", (6,), [1474, 815, 539, 874, 1693, 84]),
    "random.permutation(KEY, np.array(3))": ("int64", (3,), [2, 0, 1]),
    "random.permutation(KEY, np.arange(12).reshape(3, 4), axis=1)": ("int64", (3, 4), [2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9]),
    "random.permutation(KEY, np.arange(12).reshape(3, 4), axis=1, independent=True)": (
        "int64", (3, 4), [2, 3, 0, 1, 7, 4, 5, 6, 10, 11, 8, 9],
    ),
    "random.choice(KEY, 10, (5,))": ("int64", (5,), [5, 8, 3, 1, 5]),
    "random.choice(KEY, 10, (5,), replace=False)": ("int64", (5,), [7, 4, 2, 5, 3]),
    "random.choice(KEY, np.arange(12).reshape(3, 4), (2,), axis=1)": ("int64", (3, 2), [1, 2, 5, 6, 9, 10]),
    "random.choice(KEY, np.arange(12).reshape(3, 4), (2,), replace=False, axis=1)": ("int64", (3, 2), [2, 3, 6, 7, 10, 11]),
    "random.choice(KEY, 4, (8,), p=np.float32([0.1, 0.2, 0.3, 0.4]))": ("int64", (8,), [2, 2, 2, 2, 2, 2, 3, 1]),
    "random.choice(KEY, 4, (3,), replace=False, p=np.float64([0.1, 0.2, 0.3, 0.4]))": ("int64", (3,), [3, 2, 0]),
    "random.categorical(KEY, np.float32([0.3, 1.0, -1.0, 2.0]), shape=(8,))": ("int64", (8,), [3, 3, 3, 3, 3, 3, 1, 1]),
    "random.categorical(KEY, np.arange(6.0).reshape(2, 3), axis=0)": ("int64", (3,), [1, 1, 1]),
    "random.categorical(KEY, np.zeros((2, 5), np.float32), shape=(3, 2), replace=False)": ("int32", (3, 2), [1, 4, 2, 2, 3, 3]),
    "random.bernoulli(KEY, 0.3, (8,))": ("bool", (8,), [False, True, False, False, False, False, False, False]),
    "random.bernoulli(KEY, np.float32(0.3), (8,))": ("bool", (8,), [False, False, False, False, False, False, True, False]),
    'random.bernoulli(KEY, np.float32(0.3), (8,), mode="high")': (
        "bool", (8,), [False, False, False, False, False, False, True, False],
    ),
    "random.rademacher(KEY, (8,))": ("int64", (8,), [1, 1, -1, -1, -1, -1, -1, -1]),
    "random.rademacher(KEY, (8,), np.int8)": ("int8", (8,), [1, 1, -1, -1, -1, -1, -1, -1]),
    "random.geometric(KEY, 0.1, (6,))": ("int64", (6,), [9, 40, 6, 3, 4, 5]),
    "random.geometric(KEY, np.float32(0.1), (6,), np.int32)": ("int32", (6,), [7, 4, 5, 6, 8, 6]),
    "random.poisson(KEY, np.array([0.0, 0.5, 9.0, 30.0]), (2, 4))": ("int64", (2, 4), [0, 1, 12, 26, 0, 0, 4, 22]),
    "random.poisson(KEY, 3.0, (6,), np.int8)": ("int8", (6,), [6, 2, 2, 1, 5, 2]),
    "random.binomial(KEY, np.float32(50), np.float32([0.3, 0.9, 0.01]), (2, 3), np.float32)": (
        "float32", (2, 3), [17.0, 43.0, 1.0, 13.0, 43.0, 1.0],
    ),
    "random.binomial(KEY, 8, 0.25, (5,), np.float32)": ("float32", (5,), [2.0, 1.0, 5.0, 2.0, 5.0]),
    "random.multinomial(KEY, np.float32(100), np.float32([0.3, 0.6, 0.1]), dtype=np.float32)": (
        "float32", (3,), [29.0, 64.0, 7.0],
    ),
}  # fmt: skip

FLOATS = {
    "random.uniform(KEY, (3,), DTYPE)": (
        [0.48870957, 0.6797972, 0.6162715],
        [0.4267275666499091, 0.015010069515314584, 0.5741444178995352],
    ),
    "random.uniform(KEY, (3,), DTYPE, -2.0, 3.0)": (
        [0.44354784, 1.3989859, 1.0813575],
        [0.13363783324954537, -1.924949652423427, 0.8707220894976759],
    ),
    "random.uniform(KEY, (2, 3), DTYPE, np.array([0.0, -1.0, 5.0], DTYPE), np.array([[6.0]], DTYPE))": (
        [2.9322574, 3.7585802, 5.6162715, 3.3660965, 2.1545124, 5.585866],
        [2.5603653998994544, -0.8949295133927979, 5.574144417899535, 4.378913381427785, 3.814602388613962, 5.64393774191661],
    ),
    "random.normal(KEY, (3,), DTYPE)": (
        [-0.028304616, 0.46713185, 0.29570296],
        [-0.18471174528191162, -2.169824560397754, 0.18693555179382582],
    ),
    "random.exponential(KEY, (3,), DTYPE)": (
        [0.6708175, 1.1388006, 0.95782],
        [0.5563942243855916, 0.015123860720489336, 0.8536549993431988],
    ),
    "random.gumbel(KEY, (3,), DTYPE)": (
        [0.3340934, 0.95201945, 0.72553056],
        [0.16062720630382138, -1.4348544993307841, 0.5890136500161952],
    ),
    'random.gumbel(KEY, (3,), DTYPE, mode="high")': (
        [0.399258, -0.12997562, 0.043095414],
        [0.5862781993145612, 4.191481602167404, 0.15822814885001754],
    ),
    'random.gumbel(KEY, (3,), DTYPE, mode="highest")': (
        [0.3992578, -0.12997583, 0.0430951],
        [0.5862781993145612, 4.191481602167404, 0.15822814885001754],
    ),
    "random.laplace(KEY, (3,), DTYPE)": (
        [0.022839652, -0.44565356, -0.2646729],
        [0.15846230602649014, 3.5058868215207473, -0.16050781878325354],
    ),
    "random.logistic(KEY, (3,), DTYPE)": (
        [-0.045169413, 0.7528398, 0.47375232],
        [-0.29521526220084393, -4.183910141360207, 0.29878068416298553],
    ),
    "random.cauchy(KEY, (3,), DTYPE)": (
        [-0.03548463, 0.6337261, 0.38244057],
        [-0.23434604341667786, -21.19070234669309, 0.23723777098183235],
    ),
    "random.maxwell(KEY, (3,), DTYPE)": (
        [0.5535825, 0.29328507, 1.708603],
        [2.1856811186160847, 0.866467331447922, 0.8407561365101462],
    ),
    "random.truncated_normal(KEY, -2.0, 2.0, (3,), DTYPE)": (
        [-0.027016498, 0.44438082, 0.28187707],
        [-0.17621763938261406, -1.7856590554261624, 0.1783369711817319],
    ),
    "random.truncated_normal(KEY, -0.5, np.inf, (3,), DTYPE)": (
        [0.37578568, 0.7674458, 0.6269871],
        [0.26268583502377907, -0.470730954101417, 0.5403926176200148],
    ),
    "random.lognormal(KEY, 0.5, (3,), DTYPE)": (
        [0.9859474, 1.2630961, 1.1593407],
        [0.9117806140267735, 0.33793142787224595, 1.0979752215045038],
    ),
    "random.pareto(KEY, 3.0, (3,), DTYPE)": (
        [1.2505779, 1.4617002, 1.3761275],
        [1.203777755582976, 1.0050540155743009, 1.3291659848108275],
    ),
    "random.rayleigh(KEY, np.array(2.0, DTYPE), (3,), DTYPE)": (
        [2.3933022, 1.7571814, 1.9678774],
        [2.6101486342144358, 5.795884058247333, 2.1068921475580344],
    ),
    "random.wald(KEY, np.array(2.0, DTYPE), (3,), DTYPE)": (
        [2.2265885, 3.9277124, 0.38947535],
        [5.324020671222717, 1.3862836856025678, 0.2658722707168426],
    ),
    "random.weibull_min(KEY, 2.0, 1.5, (3,), DTYPE)": (
        [1.5326145, 2.1810308, 1.943357],
        [1.3529603556444487, 0.12231276251644208, 1.7997751636072923],
    ),
    "random.triangular(KEY, -1.0, 0.5, 2.0, (3,), DTYPE)": (
        [0.48296762, 0.7996198, 0.6859306],
        [0.3857395317752146, -0.7401051889342236, 0.6156770176537227],
    ),
    "random.double_sided_maxwell(KEY, 1.0, 2.0, (3,), DTYPE)": (
        [-1.7620435, -0.35137796, 5.4440427],
        [-2.6956351413757687, -3.6877952518604795, 4.7138077011187836],
    ),
    "random.double_sided_maxwell(KEY, np.array([1.0, 2.0], DTYPE), 2.0, (1,), DTYPE)": (
        [-1.7620435, 0.64862204],
        [-2.6956351413757687, -2.6877952518604795],
    ),
    "random.gamma(KEY, np.array([0.3, 2.0, 100.0], DTYPE), (3,), DTYPE)": (
        [0.43624744, 1.0923854, 110.92301],
        [0.04064462722988022, 1.4213185612322232, 117.62439205366246],
    ),
    "random.loggamma(KEY, np.array([0.3, 2.0, 100.0], DTYPE), (3,), DTYPE)": (
        [-0.8295456, 0.0883638, 4.7088366],
        [-3.2028886231903964, 0.351585005012126, 4.7674964293792215],
    ),
    "random.beta(KEY, 0.5, 2.0, (3,), DTYPE)": (
        [0.27497146, 0.15737295, 0.5494622],
        [0.05412583995929669, 0.016976737327934654, 0.0605913600496202],
    ),
    "random.chisquare(KEY, 3.0, (3,), DTYPE)": (
        [5.870714, 1.397851, 5.5594234],
        [3.4123750492211147, 1.9269875304255157, 8.271386696089039],
    ),
    "random.t(KEY, 3.0, (3,), DTYPE)": (
        [0.08987478, -1.7357467, 2.352019],
        [-0.6930095592523876, -0.5820081154139338, 2.1891397152153647],
    ),
    "random.f(KEY, 3.0, 5.0, (3,), DTYPE)": (
        [0.7283635, 0.3569255, 0.23560737],
        [1.158641615967818, 0.4334901445978058, 6.869564969322846],
    ),
    "random.dirichlet(KEY, np.array([0.5, 2.0, 7.0], DTYPE), (), DTYPE)": (
        [0.08343216, 0.091189854, 0.825378],
        [0.014488219319387909, 0.10365973881177755, 0.8818520418688346],
    ),
    "random.generalized_normal(KEY, 1.5, (3,), DTYPE)": (
        [-0.87823755, -0.20616245, 1.160471],
        [-0.4028062414861481, -0.09948843483645729, 0.35442502223499145],
    ),
    "random.ball(KEY, 3, 2, (), DTYPE)": (
        [-0.3234023, -0.06133875, -0.018243387],
        [-0.04422263011031423, -0.26116012882271694, -0.49768540810316086],
    ),
    "random.ball(KEY, 2, 1.0, (2,), DTYPE)": (
        [-0.5438264, -0.041504383, -0.288741, 0.1389533],
        [-0.22950591730198683, -0.2676039447044714, -0.5109867477860942, 0.21672040298725762],
    ),
    "random.multivariate_normal(KEY, np.array([1.0, 2.0], DTYPE), np.array([[2.0, 0.5], [0.5, 1.0]], DTYPE), (2,), DTYPE)": (
        [0.95997125, 2.4269547, 1.4181871, 2.2481759],
        [0.738778144692716, -0.09499048743076521, 1.2643667926365265, 2.638813497128136],
    ),
    "random.orthogonal(KEY, 2, (), DTYPE)": (
        [-0.09528422, 0.9954501, 0.9954501, 0.09528429],
        [-0.7028631207310976, -0.7113251250420883, 0.7113251250420883, -0.7028631207310976],
    ),
    "random.orthogonal(KEY, 2, (), DTYPE, 3)": (
        [-0.08792734, 0.9185913, -0.38530377, 0.8722634, 0.25780204, 0.4155657],
                [-0.3323982541017758, 0.3364001079140078, 0.8811051969348128, -0.9177473674466865, 0.09995078745710319,
         -0.3843821140888083],
    ),
}  # fmt: skip


NARROW = {  # in float16 and in bfloat16
    "random.uniform(KEY, (8,), DTYPE, 0.1, 0.7)": (
        [0.145751953125, 0.2142333984375, 0.685546875, 0.55419921875, 0.36962890625, 0.28466796875, 0.5302734375, 0.185546875],
        [0.478515625, 0.60546875, 0.6796875, 0.6015625, 0.146484375, 0.60546875, 0.455078125, 0.51171875],
    ),
    "random.gumbel(KEY, (8,), DTYPE)": (
        [-0.9453125, -0.505859375, 3.69921875, 1.2783203125, 0.2227783203125, -0.1644287109375, 1.099609375, -0.6669921875],
        [0.78125, 1.7734375, 3.453125, 1.71875, -0.93359375, 1.7734375, 0.65625, 0.98046875],
    ),
    "random.logistic(KEY, (8,), DTYPE)": (
        [-2.494140625, -1.447265625, 3.6875, 1.1357421875, -0.2041015625, -0.81103515625, 0.9287109375, -1.794921875],
        [0.54296875, 1.6875, 3.4375, 1.625, -2.46875, 1.6875, 0.3828125, 0.7890625],
    ),
    "random.truncated_normal(KEY, -2.0, 2.0, (8,), DTYPE)": (
        [-1.3076171875, -0.8251953125, 1.68359375, 0.65966796875, -0.12200927734375, -0.477783203125, 0.5439453125, -1.0],
        [0.318359375, 0.9453125, 1.6015625, 0.91796875, -1.2890625, 0.9453125, 0.2265625, 0.466796875],
    ),
    "random.gamma(KEY, 2.0, (8,), DTYPE)": (
        [2.3046875, 0.83740234375, 5.89453125, 5.10546875, 0.23974609375, 0.943359375, 1.3974609375, 1.390625],
        [2.84375, 2.609375, 2.359375, 4.46875, 1.2109375, 1.3515625, 2.125, 2.328125],
    ),
}


def given(call: str, dtype: type | None = None) -> np.ndarray:
    """What a row's call gives."""
    return np.asarray(eval(call, {"random": random, "np": np, "KEY": KEY, "DTYPE": dtype}))


@pytest.mark.parametrize("call", INTEGERS)
def test_whole_numbers_are_those_of_jax(call):
    dtype, shape, elements = INTEGERS[call]
    drawn = given(call)
    assert drawn.dtype == dtype and drawn.shape == shape
    assert drawn.ravel().tolist() == elements


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("call", FLOATS)
def test_floats_are_those_of_jax(call, dtype):
    drawn = given(call, dtype)
    assert drawn.dtype == dtype
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    np.testing.assert_allclose(drawn.ravel(), FLOATS[call][dtype is np.float64], rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_floats_are_those_of_jax_to_the_bit(dtype):
    for call in (c for c in FLOATS if ".uniform(" in c):
        assert given(call, dtype).ravel().tolist() == np.array(FLOATS[call][dtype is np.float64], dtype).tolist()


@pytest.mark.parametrize("call", NARROW)
def test_narrow_floats_are_those_of_jax(call):
    """Each op is rounded; uniform numbers scaled to an interval are, too, behind the product and behind the sum."""
    for dtype, elements in zip((jnp.float16, jnp.bfloat16), NARROW[call], strict=True):
        assert given(call, dtype).astype(float).tolist() == elements


def test_small_uniform_numbers_become_the_gumbel_draws_of_jax_in_float16():
    drawn = random.gumbel(random.key(58), (8,), jnp.float16)
    assert drawn.tolist() == [
        0.8369140625, -0.398193359375, 1.9892578125, 1.58984375, 1.779296875, -0.475341796875, -1.28125, -1.671875,
    ]  # fmt: skip


def test_truncated_normal_draws_are_the_inverse_of_accurate_ends():
    """Here erf at both ends decides: an ulp of float32 moves draws at 3 by twenty."""
    u = np.asarray(random.uniform(KEY, (4000,))).astype(np.float64)
    for low, high in ((0.5, 3.0), (-3.4, 1.0)):
        first, last = (np.float32(scipy.special.erf(float(np.float32(v) / np.float32(2**0.5)))) for v in (low, high))
        inside = (u * float(last - first) + float(first)).astype(np.float32)
        wanted = 2**0.5 * scipy.special.erfinv(inside.astype(np.float64))
        drawn = np.asarray(random.truncated_normal(KEY, low, high, (4000,)))
        np.testing.assert_allclose(drawn, wanted, rtol=3e-7, atol=2e-7)


IN_32_BITS = {
    "random.key_data(random.key(-1))": ("uint32", [0, 4294967295]),
    "random.key_data(random.key(2**40 + 5))": ("uint32", [0, 5]),
    "random.key_data(random.key(np.int64(-1)))": ("uint32", [0, 4294967295]),
    "random.bits(KEY, (3,))": ("uint32", [2098992034, 2919706841, 2646866425]),
    "random.randint(KEY, (6,), 3, 100)": ("int32", [38, 79, 89, 54, 28, 39]),
    "random.bernoulli(KEY, 0.3, (8,))": ("bool", [False, False, False, False, False, False, True, False]),
    "random.rademacher(KEY, (8,))": ("int32", [1, -1, -1, -1, 1, -1, 1, -1]),
    "random.geometric(KEY, 0.1, (6,))": ("int32", [7, 4, 5, 6, 8, 6]),
    "random.choice(KEY, 10, (5,))": ("int32", [4, 4, 1, 9, 9]),
    "random.permutation(KEY, 8)": ("int32", [7, 4, 2, 5, 3, 6, 0, 1]),
    "random.poisson(KEY, 4.0, (6,))": ("int32", [6, 3, 2, 2, 5, 3]),
    "random.poisson(KEY, 40.0, (6,))": ("int32", [44, 46, 33, 35, 31, 34]),
    "random.binomial(KEY, 5, 0.3, (6,))": ("float32", [1.0, 2.0, 2.0, 1.0, 1.0, 2.0]),
    "random.binomial(KEY, 500, 0.3, (6,))": ("float32", [157.0, 159.0, 139.0, 143.0, 135.0, 140.0]),
    "random.multinomial(KEY, 50, np.float32([0.2, 0.3, 0.5]))": ("float32", [13.0, 16.0, 21.0]),
    "random.choice(KEY, 9, (6,), p=np.arange(9, dtype=np.float32) / 36)": ("int32", [6, 5, 5, 6, 6, 5]),
    "random.categorical(KEY, np.arange(4, dtype=np.float32), shape=(6,))": ("int32", [3, 3, 3, 3, 3, 3]),
}


@pytest.fixture
def in_32_bits():
    jitgrad.config.update("jax_enable_x64", False)
    yield
    jitgrad.config.update("jax_enable_x64", True)


@pytest.mark.usefixtures("in_32_bits")
@pytest.mark.parametrize("call", IN_32_BITS)
def test_in_32_bits_numbers_are_those_of_jax_without_64_bit_types(call):
    drawn = given(call)
    assert (drawn.dtype.name, drawn.tolist()) == IN_32_BITS[call]


@pytest.mark.usefixtures("in_32_bits")
def test_in_32_bits_gumbel_draws_still_come_of_64_bits():
    call = 'random.gumbel(KEY, (3,), DTYPE, mode="highest")'
    np.testing.assert_allclose(given(call, np.float32), FLOATS[call][0], rtol=1e-5)
