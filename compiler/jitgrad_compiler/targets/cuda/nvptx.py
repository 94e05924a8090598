"""LLVM text in, PTX out, by LLVM's NVPTX back end, without a toolkit: llvmlite's wheel holds it. Next on the path: runtime/cuda."""

from __future__ import annotations

import functools
import threading

import llvmlite.binding as llvm

from ...ending import whole
from .device import for_nvptx

TRIPLE = "nvptx64-nvidia-cuda"
OLDEST = (8, 0)
WITH_WGMMA = (9, 0)
"""The one architecture that has it."""
ARCHITECTURES = ((8, 0), (8, 6), (8, 7), (8, 9), (9, 0), (10, 0), (10, 3), (12, 0))
"""Those that code is made for; drivers compile it for newer ones."""
PTX_VERSIONS = (((10, 0), 86), ((8, 0), 83))
"""From which architecture on which version of PTX is written: LLVM ends the process where an architecture is too new for it."""
_lock = threading.RLock()


def architecture(capability: tuple[int, int]) -> tuple[int, int]:
    """The newest architecture that a device of this capability runs code of."""
    return max(a for a in ARCHITECTURES if a <= capability)


@functools.cache
def _machine(target: tuple[int, int], own: bool) -> llvm.TargetMachine:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    version = next(v for first, v in PTX_VERSIONS if target >= first)
    cpu = f"sm_{target[0]}{target[1]}{'a' * own}"
    return llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=cpu, features=f"+ptx{version}", opt=3)


@whole
def ptx(text: str, target: tuple[int, int]) -> str:
    """The PTX of a module's text for an architecture, (9, 0) for sm_90. With instructions that others than this lack (wgmma) it is
    for sm_90a, which no other runs.
    """
    with _lock:
        machine = _machine(target, "@gpu.wgmma" in text)
        with llvm.parse_assembly(for_nvptx(text), llvm.create_context()) as module:
            module.triple, module.data_layout = TRIPLE, str(machine.target_data)
            module.verify()
            passes = llvm.create_new_module_pass_manager()
            passes.add_always_inliner_pass()
            passes.add_sroa_pass()
            passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=0)))
            return str(machine.emit_assembly(module))
