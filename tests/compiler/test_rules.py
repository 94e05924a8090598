"""Tables of rules: what may be entered, and that they are complete wherever the compiler is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jitgrad_compiler.ir.graph import JVP, OPS, Rules


def test_a_rule_for_an_op_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LookupError, match="folding: there is no op 'broadcst' to give a rule to"):
        Rules("folding", {"broadcst": None})
    table: Rules[int] = Rules("folding")
    with pytest.raises(LookupError, match="there is no op 'ad'"):
        table.of("add", "ad")(1)
    with pytest.raises(LookupError, match="there is no op None"):
        table[None] = 1  # type: ignore[index]


def test_an_op_has_one_rule_of_a_sort() -> None:
    with pytest.raises(ValueError, match="forward-mode derivative: two rules for add"):
        JVP.of("add")(lambda primals, tangents, params: None)


def test_an_op_without_a_rule_is_named() -> None:
    table: Rules[int] = Rules("folding", {"add": 1})
    assert table[OPS["add"]] == 1 and OPS["mul"] not in table and table.get(OPS["mul"]) is None
    with pytest.raises(LookupError, match="folding: mul has no rule"):
        table[OPS["mul"]]


COMPLETE = """
import sys
import {module}
from jitgrad_compiler.ir.graph import BATCH, JVP, OPS, TRANSPOSE
lacking = [f"{{name}}: jvp" for name, op in OPS.items() if op not in JVP and not op.no_derivative]
lacking += [f"{{name}}: batch" for name, op in OPS.items() if op not in BATCH and name != "iota"]
programs = ["call", "scan", "switch", "rowwise", "checkpoint", "custom_jvp", "custom_vjp", "custom_linear", "linear_solve"]
lacking += [f"{{name}}: transpose" for name in programs if OPS[name] not in TRANSPOSE]
print(len(OPS), lacking, "jitgrad" in sys.modules)
"""


@pytest.mark.parametrize("module", ["jitgrad_compiler", "jitgrad_compiler.ir.types", "jitgrad_compiler.passes.vmap"])
def test_rules_of_transformations_are_complete_without_the_front_end(module: str) -> None:
    ran = subprocess.run([sys.executable, "-c", COMPLETE.format(module=module)], capture_output=True, text=True, check=True)
    assert ran.stdout.split(None, 1)[1].strip() == "[] False", ran.stdout


KERNELS = """
import sys
import jitgrad_compiler.targets.cpu.program
from jitgrad_compiler.ir.graph import OPS
from jitgrad_compiler.kernels.pull import is_pulled
from jitgrad_compiler.targets.cpu.control.kernels import CONTROL
from jitgrad_compiler.targets.cpu.library.table import LIBRARY
from jitgrad_compiler.targets.tasks.registers.code import REGISTER_RULES
families = ("call", "collective", "window_reduce", "argreduce")  # gone before kernels are made, or loops
names = ("custom_linear", "convolve", "fold", "window_place", "window_take", "window_put", "dot_general", "fft",
         "hermitian_part")
lacking = [name for name, op in OPS.items() if op.kind not in families and name not in names
           and not is_pulled(op) and op not in CONTROL and op not in LIBRARY]
updated = [name for name, op in OPS.items() if op.traits.updates and op not in LIBRARY]
registers = [name for name, op in OPS.items()
             if op.traits.in_registers != (op.kind in ("elementwise", "layout") or op in REGISTER_RULES)]
print(lacking, updated, registers, "jitgrad" in sys.modules)
"""


def test_every_op_has_a_kernel_and_registers_a_rule_for_each_op_that_may_be_in_them() -> None:
    ran = subprocess.run([sys.executable, "-c", KERNELS], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] [] [] False"
