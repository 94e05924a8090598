"""Polynomials and constants of the gamma family, as functions of one number.

The coefficients interpolate at the Chebyshev nodes of the interval, in 60 digits; degrees are the least whose relative error
is under 2**-57. `python benchmarks/gamma_functions.py --coefficients` prints them. Next on the path: `gamma_functions.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

Function = Callable[[float], float]


def polynomial(name: str, doc: str, coefficients: Sequence[float]) -> Function:
    """The function z -> sum of coefficients[k] z^k, lowest first.

    The terms from z^2 on go as two interleaved Horner chains in z^2, half as deep as one. Kernels have it written out as one
    expression (`source`, which `python_source.py` asks for), to the same numbers.
    """
    first, second = coefficients[:2]
    even, odd = tuple(coefficients[2::2][::-1]), tuple(coefficients[3::2][::-1])

    def function(z: float) -> float:
        zz = z * z
        a, b = 0.0, 0.0
        for c in even:
            a = a * zz + c
        for c in odd:
            b = b * zz + c
        return first + z * (second + z * (a + z * b))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    function.source = functools.partial(_source, name, coefficients)  # type: ignore[attr-defined]
    return function


def _source(name: str, coefficients: Sequence[float]) -> str:
    even, odd = _horner(coefficients[2::2]), _horner(coefficients[3::2])
    body = f"{coefficients[0]!r} + z * ({coefficients[1]!r} + z * ({even} + z * ({odd})))"
    return f"def {name}(z):\n    zz = z * z\n    return {body}\n"


def _horner(coefficients: Sequence[float]) -> str:
    text = repr(coefficients[-1])
    for c in coefficients[-2::-1]:
        text = f"{c!r} + zz * ({text})"
    return text


_BERNOULLI = (
    (1, 1), (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510), (43867, 798), (-174611, 330),
    (854513, 138), (-236364091, 2730),
)  # fmt: skip
"""B_0, B_2, ... B_24 as numerators and denominators (NIST DLMF table 24.2.3)."""


def _bernoulli(k: int, divisor: int) -> float:
    """B_2k / divisor, rounded once."""
    numerator, denominator = _BERNOULLI[k]
    return numerator / (denominator * divisor)


stirling_series = polynomial(
    "stirling_series",
    "x * (lgamma(x) - (x - 1/2) log x + x - log(2 pi) / 2) at w = 1 / x^2, for x >= 10 (NIST DLMF 5.11.1).",
    [_bernoulli(k, 2 * k * (2 * k - 1)) for k in range(1, 10)],
)
digamma_series = polynomial(
    "digamma_series",
    "x^2 * (log x - 1 / (2 x) - digamma(x)) at w = 1 / x^2, for x >= 10 (NIST DLMF 5.11.2).",
    [_bernoulli(k, 2 * k) for k in range(1, 11)],
)
logarithm_part = polynomial(
    "logarithm_part",
    "(log((1 + s) / (1 - s)) - 2 s) / s^3 at w = s^2, for w <= 0.03 (NIST DLMF 4.6.4).",
    [2 / (2 * k + 3) for k in range(12)],
)
EULER_MACLAURIN = tuple(_bernoulli(j, math.factorial(2 * j)) for j in range(1, 13))
"""B_2j / (2j)! for j = 1 to 12 (NIST DLMF 25.11.28)."""

DIGAMMA_ROOT, DIGAMMA_ROOT_LOW = 0.46163214496836236, -1.5522348162858677e-17
"""The t at which digamma(1 + t) is zero, in two parts."""
LOG2, LOG2_LOW = 0.6931471805592082, 7.371002565167799e-13
"""log 2 in two parts; the first times a whole number under 2^13 is exact."""

lgamma_near_one = polynomial(
    "lgamma_near_one",
    "lgamma(1 + z) / z for |z| <= 1/2.",
    [
        -0.5772156649015329, 0.8224670334241132, -0.4006856343865307, 0.27058080842778387, -0.2073855510288846,
        0.16955717699761294, -0.1440498967441441, 0.1255096695007263, -0.11133426738296036, 0.10009945898417442,
        -0.09095396147817056, 0.08335378642428555, -0.07693384797749431, 0.07143424085913012, -0.0666469660070385,
        0.06247981994150854, -0.059073275414740396, 0.055798122160668526, -0.05059570584998663, 0.048020858519722875,
        -0.059467630506988924, 0.056971969494995923, 0.004945338328244218, -0.005399712296235696, -0.17396451715070047,
        0.1686556126817108, 0.19472176853583203, -0.18947756655876552, -0.24025245552681862, 0.2331921266866054,
    ],
)  # fmt: skip
lgamma_near_two = polynomial(
    "lgamma_near_two",
    "lgamma(2 + z) / z for |z| <= 1/2.",
    [
        0.42278433509846713, 0.3224670334241132, -0.06735230105319814, 0.02058080842778457, -0.0073855510286681535,
        0.002890510330738737, -0.0011927539120010226, 0.0005096695248853096, -0.00022315475074520367, 9.945750909889392e-05,
        -4.4926351103833334e-05, 2.050726741605779e-05, -9.438458716242811e-06, 4.374374916915131e-06, -2.0449201467015115e-06,
        9.578663334114758e-07, -4.303558760359961e-07, 2.0304806751615227e-07, -1.3412819758517287e-07, 6.379047507619774e-08,
    ],
)  # fmt: skip
digamma_over_root = polynomial(
    "digamma_over_root",
    "digamma(1.5 + u) / (u + 0.5 - DIGAMMA_ROOT) for |u| <= 1/2.",
    [
        0.9510558760318328, -0.4236274212814606, 0.24054248424078697, -0.14840492305388092, 0.09498872445289039,
        -0.06192213327548831, 0.040760833940846085, -0.026975796659787055, 0.017907248317313294, -0.011908220105959716,
        0.007927021796868154, -0.005279937255532708, 0.003518106563802472, -0.0023454947397380833, 0.0015633696313653504,
        -0.0010364584817312839, 0.0006909255761282986, -0.00048595039220036254, 0.00032395945401345196, -0.00014480643368061614,
        9.653646261410062e-05, -0.0001782188548855923, 0.00011881232908510335,
    ],
)  # fmt: skip
cotangent_part = polynomial(
    "cotangent_part",
    "(1/r - pi cot(pi r)) / r at w = r^2, for w <= 1/4.",
    [
        3.289868133696453, 2.1646464674222803, 2.034686123967514, 2.008154712581119, 2.001989137271178,
        2.000492722028886, 2.000107311804003, 2.0003196741577174, 1.996097485576224, 2.0382490222156067,
        1.727615124757811, 3.4058369233965187, -3.1611194298940593, 14.94347381679524, -18.39196776357757,
        18.391967765908955,
    ],
)  # fmt: skip
sine_part = polynomial(
    "sine_part",
    "sin(pi r) / r at w = r^2, for w <= 1/4.",
    [
        3.141592653589793, -5.167712780049969, 2.5501640398773007, -0.5992645293189447, 0.0821458865731029,
        -0.007370430505916944, 0.0004662998161898394, -2.1903497074626018e-05, 7.697826768224191e-07,
    ],
)  # fmt: skip
