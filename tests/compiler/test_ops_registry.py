"""Every op of the registry keeps its promises: type rule, reference, compiled kernel and text agree.

The ops come from `ir.OPS`, their operands from `op_examples.py`. Derivatives and batching are in `test_ops_derivatives.py` and
`test_ops_batching.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

from jitgrad_compiler.errors import DTypeError
from jitgrad_compiler.ir import OPS, ArrayType, Eqn, Graph, Literal, Var, interpret, parse, verify
from jitgrad_compiler.ir.graph import BATCH, JVP
from jitgrad_compiler.ir.storage import computes
from jitgrad_compiler.ir.types import C64, COMPLEX, DTYPES, F64, FLOATS, NAMES
from jitgrad_compiler.ops.define import ACCEPTS, elementwise
from jitgrad_compiler.runtime.executable import run_graph

from .agreement import assert_same
from .op_agreement import (
    ELEMENTWISE,
    KERNELS,
    OTHERS,
    assert_examples_agree,
    assert_kernels_agree,
    elementwise_kernels,
    example_kernels,
    seeded,
)
from .op_examples import (
    EXAMPLES,
    accepted,
    draw,
    dtypes_of,
    elementwise_params,
    elementwise_types,
    examples,
    runs,
)


@pytest.mark.parametrize("name", OPS)
def test_every_op_has_examples_a_documentation_and_all_rules(name: str) -> None:
    op = OPS[name]
    assert op.kind == "elementwise" or EXAMPLES[name]
    assert op.doc.endswith(".")
    assert (op in JVP) != bool(op.no_derivative), f"{name} must have a jvp or say why there is none"
    assert op in BATCH or name == "iota"
    if op.kind == "elementwise":
        assert op.traits.accepts in ACCEPTS
        assert op.emit or op.traits.scalar or op.traits.complex_only


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_elementwise_op_refuses_the_element_types_it_does_not_take(name: str) -> None:
    op = OPS[name]
    for dtype in DTYPES.values():
        if dtype not in dtypes_of(op):
            with pytest.raises(DTypeError):
                op.types(elementwise_types(op, dtype, (3,)), elementwise_params(op, F64)[0])


@pytest.mark.parametrize("name", [n for n in OPS if runs(n)])
def test_the_type_rule_is_what_the_reference_gives(name: str) -> None:
    op, rng = OPS[name], seeded(name)
    for example in examples(name):
        for dtype in [*accepted(example), *COMPLEX]:
            try:
                graph = example.graph(dtype)
            except TypeError:
                continue
            if dtype.is_storage and computes(OPS[example.op], example.params):
                continue  # whose reference is float32's, rounded
            arrays = example.arrays(dtype, rng)
            with np.errstate(all="ignore"):
                outs = OPS[example.op].numpy(*arrays, **example.params)
            outs = outs if isinstance(outs, (tuple, list)) else (outs,)
            got = [ArrayType(np.shape(out), np.asarray(out).dtype) for out in outs]
            exact = op.kind != "argreduce"  # whose index type is a param, and given by the interpreter
            want = [ArrayType(t.shape, t.dtype.numpy if exact else g.dtype) for t, g in zip(graph.output_types, got, strict=True)]  # type: ignore[arg-type]
            assert got == want, f"{example} in {dtype}"


@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS}))
def test_the_kernel_of_an_elementwise_op_agrees_at_special_numbers_and_at_every_length_and_rank(name: str) -> None:
    assert_kernels_agree(OPS[name], elementwise_kernels(OPS[name]))


@pytest.mark.parametrize("name", OTHERS)
def test_the_kernel_agrees_with_the_interpreter_for_every_element_type(name: str) -> None:
    assert_examples_agree(name, example_kernels(name), seeded(name))


@pytest.mark.parametrize(
    "name",
    [n for n in OTHERS if OPS[n].kind in ("reduce", "argreduce", "cumulative", "layout") or n in ("sort", "linear_recurrence")],
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_nans_and_infinities_go_through_as_in_the_reference(name: str, dtype: str) -> None:
    rng = seeded(name, dtype)
    for example, accepted_dtype in example_kernels(name):
        if accepted_dtype != dtype:
            continue
        graph, arrays = example.graph(dtype), example.arrays(dtype, rng)
        for array in arrays:
            if NAMES[array.dtype].is_float and array.size > 2:
                array.flat[rng.integers(0, array.size, 3)] = [np.inf, np.nan, -np.inf]
        for got, want in zip(run_graph(graph, arrays), interpret(graph, *arrays), strict=True):
            if got.dtype in NAMES and NAMES[got.dtype].is_storage:
                assert_same(got, want, ulps=1, context=f"{example} in {dtype}")
            else:
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5, err_msg=f"{example} in {dtype}")


@pytest.mark.parametrize("name", OPS)
def test_the_text_of_every_example_reads_back(name: str) -> None:
    for example in examples(name):
        for dtype in [*accepted(example), *([C64] if OPS[name].traits.accepts in ("complex", "any", "numeric") else [])]:
            graph = verify(example.graph(dtype), "the example")
            again = verify(parse(str(graph)), "parse")
            assert again == graph and str(again) == str(graph)


@pytest.mark.parametrize("name", sorted({name for name, _ in KERNELS if OPS[name].traits.arity == 2}))
def test_a_literal_stands_for_an_array_of_the_other_operands_shape(name: str) -> None:
    op, rng = OPS[name], seeded(name, "literal")
    dtype = next(d for d in (F64, *dtypes_of(op)) if d in dtypes_of(op))
    (x,) = [draw(ArrayType((33,), dtype), rng, op.samples.domain)]
    number = dtype.numpy.type(2)
    for first in (True, False):
        v = Var(ArrayType((33,), dtype))
        atoms = [Literal(number, dtype), v] if first else [v, Literal(number, dtype)]
        graph = Graph([v], [eqn := Eqn(op, atoms, {}, [Var(t) for t in op.types([a.type for a in atoms], {})])], eqn.outputs)
        if op.samples.integer_first and not first:
            x = np.round(x)
        (got,), (want,) = run_graph(graph, [x]), interpret(graph, x)
        if op.traits.transcendental and dtype.is_float:
            np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
        else:
            assert_same(got, want, context=f"{name}, literal {'first' if first else 'second'}")


def test_a_fact_that_is_misspelt_is_refused_where_the_op_is_made() -> None:
    with pytest.raises(TypeError, match="comutes"):
        elementwise("misspelt", np.add, arity=2, comutes=True)
    with pytest.raises(ValueError, match="accepts must be one of any, numeric"):
        elementwise("misspelt", np.add, arity=2, accepts="numbers")
    with pytest.raises(AttributeError):
        OPS["add"].traits.comutes  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError):
        OPS["add"].jpv = None  # type: ignore[attr-defined]
    assert "misspelt" not in OPS


@pytest.mark.parametrize("name", OPS)
def test_facts_fit_together(name: str) -> None:
    traits = OPS[name].traits
    assert (traits.cost > 1) >= traits.transcendental
    assert traits.combine == "" or traits.combine in OPS
    assert (traits.computed_in is None) or traits.scalar is not None
