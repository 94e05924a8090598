"""Kernels become PTX and, where ptxas is found, machine code; what it says of them and what their text shows is read."""

from __future__ import annotations

import re

import pytest

from jitgrad_compiler.targets.cuda.nvptx import ptx

from .assemble import ARCHITECTURES, AssemblyError, Kernel, assemble, assembler, loads, stores, version, wide_floats
from .kernels import KERNELS, kernel

needs_ptxas = pytest.mark.skipif(assembler() is None, reason="no ptxas: the wheel nvidia-cuda-nvcc has it")


@needs_ptxas
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_of_primitives_assemble_without_spills(name: str, architecture: str) -> None:
    made = assemble(ptx(kernel(KERNELS[name], name), ARCHITECTURES[architecture]), architecture)
    found = made.kernels[name]
    assert made.code.startswith(b"\x7fELF") and 4 <= found.registers <= 40, made.said
    assert (found.stack, found.spill_stores, found.spill_loads) == (0, 0, 0)


@needs_ptxas
def test_an_assembler_says_its_version_and_what_it_refuses() -> None:
    path = assembler()
    assert path is not None and version(path) >= (12, 0)
    with pytest.raises(AssemblyError, match="sm_90"):
        assemble(".version 8.3\n.target sm_90\n.address_size 64\n.visible .entry k() { nonsense; }\n", "sm_90")


@needs_ptxas
def test_spills_stack_and_shared_memory_are_read() -> None:
    text = """.version 8.3
.target sm_90
.address_size 64
.visible .entry one(.param .u64 p) .maxntid 32 { .shared .align 4 .b8 room[96]; .reg .b32 %r; .reg .b64 %a;
  ld.param.u64 %a, [p]; ld.shared.u32 %r, [room]; st.global.u32 [%a], %r; ret; }
.visible .entry two() { ret; }
"""
    kernels = assemble(text, "sm_90").kernels
    assert kernels.keys() == {"one", "two"} and kernels["one"].shared == 96 and kernels["two"].shared == 0
    assert isinstance(kernels["one"], Kernel)


def test_the_width_of_loads_and_stores_is_read_from_the_text() -> None:
    text = ptx(kernel(KERNELS["scale"]), (8, 0))
    assert loads(text)[16] == 1 and stores(text) == {16: 1} and not wide_floats(text)
    assert loads("ld.global.nc.v2.b64 {%a, %b}, [%c];\nld.relaxed.gpu.global.b32 %d, [%c];\nld.param.b64 %a, [p];") == {16: 1, 4: 1}
    assert wide_floats("  mul.rn.f64 %a, %b, %c;\n  mul.f32 %a, %b, %c;") == ["mul.rn.f64 %a, %b, %c;"]


def test_a_pointer_that_was_stored_before_is_known_to_be_global() -> None:
    """LLVM hands on what was stored. Its NVPTX back end ended the process where that was a global pointer cast to a generic one,
    read as a global pointer.
    """
    text = ptx(
        """
define ptx_kernel void @k(ptr %table, ptr %other) {
entry:
  %p = call ptr @gpu.pointer(ptr %table)
  store ptr %p, ptr %other
  %q = call ptr @gpu.pointer(ptr %other)
  %x = load float, ptr %q
  %y = fadd float %x, 1.0
  store float %y, ptr %q
  store ptr %q, ptr %table
  ret void
}
""",
        (8, 0),
    )
    assert loads(text) == {8: 1, 4: 1} and stores(text) == {8: 2, 4: 1}
    assert not re.search(r"(ld|st)\.b32", text)
