"""Every function of jitgrad.numpy on arrays of a GPU, by random calls: the processor's results, on the GPU."""

from __future__ import annotations

from typing import Any

import pytest

import jitgrad
import jitgrad.numpy as jnp
from tests.numpy.drawn_calls import Call
from tests.numpy.function_table import Row
from tests.numpy.test_every_function import cases, close, each_call, flat, named

from .running import stand_ins


@pytest.fixture(autouse=True)
def gpu() -> Any:
    with stand_ins() as devices:
        yield devices[0]


def arrays(out: Any) -> list[Any]:
    return [leaf for part in out for leaf in arrays(part)] if isinstance(out, (list, tuple)) else [out]


@cases(lambda row: True)
def test_a_functions_results_lie_where_its_operands_do_and_are_the_processors(name: str, row: Row) -> None:
    ours = row.ours or named(jnp, name)

    def check(call: Call) -> None:
        want = call(ours, *[jnp.array(x) for x in call.operands])
        if call.operands:
            got = call(ours, *[jitgrad.device_put(x, "cuda") for x in call.operands])
        else:
            with jitgrad.default_device("cuda"):
                got = call(ours)
        close(row, flat(got), flat(want), call)
        for g, w in zip(arrays(got), arrays(want), strict=True):
            assert type(g) is type(w)
            assert not isinstance(w, jitgrad.Array) or (str(g.device), g.weak_type) == ("cuda:0", w.weak_type), call

    each_call(name, row, check)
