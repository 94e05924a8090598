"""Every elementwise op's emission, one lane wide, becomes assembly for a GPU, the least that is supported, and for other CPUs than
this one. That kernels of newer GPUs are assembled: tests/cuda/test_ops.py.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm
import pytest

from jitgrad_compiler.ir import OPS, ArrayType
from jitgrad_compiler.ir.graph import Op
from jitgrad_compiler.ir.types import BOOL, F32, I8, I64, U8, DType
from jitgrad_compiler.targets.emitter import Emitter
from jitgrad_compiler.targets.llvm_text import Module, Reg
from jitgrad_compiler.targets.numba_scalar import call_scalar, link, scalar_function

from .op_examples import dtypes_of, elementwise_params, elementwise_types

TARGETS = {
    "sm_80": ("nvptx64-nvidia-cuda", "sm_80", "+ptx83"),
    "aarch64": ("aarch64-unknown-linux-gnu", "", ""),
    "x86-64-v3": ("x86_64-unknown-linux-gnu", "x86-64-v3", ""),
}
EMITTED = [name for name, op in OPS.items() if op.kind == "elementwise" and not op.traits.complex_only]


@cache
def machine(target: str) -> Any:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple, cpu, features = TARGETS[target]
    return llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2)


def emitted(e: Emitter, op: Op, operands: list[Reg], dtype: DType, params: dict[str, Any]) -> Reg:
    scalar = op.traits.scalar
    if scalar is None:
        assert op.emit is not None
        return op.emit(e, *operands, **params)  # type: ignore[no-any-return]
    return call_scalar(e, scalar_function(scalar, tuple(x.type for x in operands), dtype, op.traits.computed_in), *operands)


def emits(dtype: DType) -> bool:
    """Whether code computes in a type: complex numbers are pairs, and types of storage are converted, before it is written."""
    return not dtype.is_complex and dtype.computed is dtype


@cache
def text_of(name: str) -> str:
    """A module with a function for each element type and each set of params: operands are loaded, the result stored."""
    op, module = OPS[name], Module()
    for dtype in dtypes_of(op):
        if not emits(dtype):
            continue
        for n, params in enumerate(elementwise_params(op, dtype)):
            if "dtype" in params and not emits(params["dtype"]):
                continue
            types: list[ArrayType] = elementwise_types(op, dtype, ())
            (result,) = op.types(types, params)
            e = Emitter(module, f"f_{dtype}_{n}", [*[(f"x{i}", "ptr") for i in range(len(types))], ("out", "ptr")])
            *inputs, out = e.args
            value = emitted(e, op, [e.load(p, t.dtype) for p, t in zip(inputs, types, strict=True)], result.dtype, params)
            assert (value.type, value.width) == (result.dtype, 1)
            e.store(out, value)
            e.finish()
    return link(module.text(), module.linked)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", EMITTED)
def test_one_lane_of_an_op_becomes_assembly(name: str, target: str) -> None:
    module = llvm.parse_assembly(text_of(name), llvm.create_context())
    module.verify()
    module.triple = TARGETS[target][0]
    module.data_layout = str(machine(target).target_data)
    assembly = machine(target).emit_assembly(module)
    for dtype in dtypes_of(OPS[name]):
        assert not emits(dtype) or f"f_{dtype}_0" in assembly or not elementwise_params(OPS[name], dtype)


def test_one_lane_of_an_op_calls_no_library() -> None:
    for name in EMITTED:
        module = llvm.parse_assembly(text_of(name), llvm.create_context())
        for function in module.functions:
            assert not function.is_declaration or function.name.startswith("llvm."), f"{name} needs {function.name}"


def test_a_register_says_which_constant_it_is_in_all_lanes() -> None:
    e = Emitter(Module(), "f", [("x", F32)])
    assert e.const(2, F32).constant == 2.0 and e.const(0.1, F32, 8).constant == 13421773 / 2**27
    assert e.splat(e.const(300, U8), 4) == e.const(44, U8, 4) and e.const(-1, U8).constant == 255
    assert e.const(200, I8).constant == -56 and e.bitcast(e.const(200, U8), I8) == e.const(200, I8)
    assert e.const(255, U8).text == "-1"  # as LLVM spells it, which knows no signs
    assert e.const(True, BOOL).constant is True
    assert e.args[0].constant is None and e.lanes([1, 2], I64).constant is None and e.poison(F32, 4).constant is None
