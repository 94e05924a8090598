"""Every function of jitgrad.scipy.special on random calls: SciPy, eager and compiled agree, vmap is a loop, derivatives are those
of finite differences. The checks are those of jitgrad.numpy's functions; this is the table of how each is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.special

import jitgrad
from jitgrad.scipy import special
from tests.numpy.drawn_calls import Call, Draw, elementwise, reduction
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import close, derivatives, each_call, flat


def mixed(*bounds: tuple[float, float], whole: int = 0) -> Callable[[Draw], Call]:
    """Operands that broadcast, each between bounds of its own; the first `whole` of them whole numbers. To be differentiated they
    are not, where all are; else it is done by the others alone.
    """

    def draw(d: Draw) -> Call:
        dtype = d.dtype()
        operands = [d.array(s, low, high, dtype) for s, (low, high) in zip(d.broadcast(len(bounds)), bounds, strict=True)]
        if d.apart and whole == len(bounds):
            return Call(operands)
        orders, others = [np.round(x) for x in operands[:whole]], operands[whole:]
        return Call(others, how=lambda f, *xs: f(*orders, *xs)) if d.apart else Call([*orders, *others])

    return draw


def weighted(d: Draw) -> Call:
    call = reduction(1)(d)
    if call.keywords["axis"] == ():  # SciPy gives a number an axis then
        return weighted(d)
    b = d.array(call.operands[0].shape, 0.5, 2, call.operands[0].dtype)
    return Call([*call.operands, b], how=lambda f, x, b: f(x, b=b, **call.keywords))


ROWS = [
    Row("erf erfc ndtr expit i0e i1e dawsn spence", elementwise(1, 0.3, 3), "iuf", True, edges=""),
    Row("erf erfc ndtr expit i0 i0e i1 i1e dawsn", elementwise(1), "f", True, edges="", zeros=False),
    Row("erfcx exp1 expi gamma gammaln digamma loggamma entr", elementwise(1, 0.4, 4), "f", True, edges=""),
    Row("gammasgn", elementwise(1), "f", edges=""),
    Row("log_ndtr", elementwise(1, -4, 4), "f", True, edges=""),
    Row("logit ndtri", elementwise(1, 0.1, 0.9), "f", True, edges=""),
    Row("erfinv", elementwise(1, -0.9, 0.9), "f", True, edges="", zeros=False),
    Row("sici fresnel", elementwise(1, 0.3, 3), "f", True, edges=""),
    Row("xlogy xlog1py rel_entr kl_div beta betaln", elementwise(2, 0.4, 3), "f", True, edges=""),
    Row("boxcox boxcox1p", mixed((0.5, 3), (0.3, 2)), "f", True, edges=""),
    Row("gammainc gammaincc", mixed((0.5, 4), (0.3, 4)), "f", True, edges=""),
    Row("gammaincinv gammainccinv", mixed((0.5, 4), (0.1, 0.9)), "f", True, edges="", loose=3),
    Row("betainc", mixed((0.5, 4), (0.5, 4), (0.1, 0.9)), "f", True, edges=""),
    Row("betaincinv", mixed((0.5, 4), (0.5, 4), (0.1, 0.9)), "f", True, edges="", loose=3),
    Row("poch", mixed((0.5, 3), (0.5, 3)), "f", True, edges=""),
    Row("hyp1f1", mixed((0.5, 3), (0.5, 3), (-2, 2)), "f", True, order=1, edges=""),
    Row("hyp2f1", mixed((0.5, 2), (0.5, 2), (1.5, 3), (-0.8, 0.8)), "f", True, order=1, edges="", loose=3),
    Row("owens_t", mixed((-2, 2), (-2, 2)), "f", True, edges="", zeros=False),
    Row("polygamma", mixed((0, 3), (0.6, 4), whole=1), "f", True, edges="", loose=3),
    Row("zeta", mixed((1.5, 5), (0.6, 4)), "f", True, edges="", loose=3),
    Row("expn", mixed((1, 4), (0.3, 4), whole=1), "f", True, edges=""),
    Row("comb", mixed((3, 6), (0, 3), whole=2), "f", True, edges=""),
    Row("factorial", mixed((0, 5), whole=1), "f", True, edges=""),
    Row("wofz", elementwise(1, -2, 2), "c", holomorphic=True, edges=""),
    Row("logsumexp", weighted, "f", True, edges=""),
    Row("softmax log_softmax", lambda d: Call([d.array(s := d.shape(least=1, size=1))], keywords={"axis": d.axis(s)}), "f", True,
        edges=""),
]  # fmt: skip
ELSEWHERE = {
    "of whole numbers or of one order: test_special.py, test_special_families.py": "bernoulli bessel_jn multigammaln sph_harm_y",
}
CASES = [pytest.param(name, row, id=f"{name} of {row.types}") for row in ROWS for name in row.names.split()]


@pytest.mark.parametrize(("name", "row"), CASES)
def test_scipy_eager_compiled_and_batched_agree(name: str, row: Row) -> None:
    ours = getattr(special, name)

    def check(call: Call) -> None:
        wide = [x.astype(np.float64) if x.dtype.kind not in "c" else x for x in call.operands]
        want = [w.real if np.iscomplexobj(w) and row.types != "c" else w for w in flat(call(getattr(scipy.special, name), *wide))]
        got = flat(call(ours, *[jitgrad.numpy.array(x) for x in call.operands]))
        close(row, got, want, call, types=False)
        close(row, flat(jitgrad.jit(lambda *xs: call(ours, *xs))(*call.operands)), got, f"compiled, {call}")
        batch = [np.stack([x, x[::-1] if x.ndim else x]) for x in call.operands]
        found = flat(jitgrad.vmap(lambda *xs: call(ours, *xs))(*batch))
        pairs = zip(*[flat(call(ours, *[jitgrad.numpy.array(x[i]) for x in batch])) for i in (0, 1)], strict=True)
        close(row, found, [np.stack(pair) for pair in pairs], f"vmap, {call}")

    each_call(name, row, check)


@pytest.mark.parametrize(("name", "row"), [c for c in CASES if c.values[1].smooth])
def test_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, replace(row, ours=getattr(special, name)), "float64")


@pytest.mark.parametrize(("name", "row"), [c for c in CASES if c.values[1].holomorphic])
def test_complex_derivatives_are_those_of_finite_differences(name: str, row: Row) -> None:
    derivatives(name, replace(row, ours=getattr(special, name)), "complex128")


def test_every_function_has_a_row_or_a_reason() -> None:
    rows = {name for row in ROWS for name in row.names.split()}
    reasons = {name for names in ELSEWHERE.values() for name in names.split()}
    assert rows | reasons == set(special.__all__), sorted((rows | reasons) ^ set(special.__all__))
    assert not rows & reasons
