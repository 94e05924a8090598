"""PTX to machine code by NVIDIA's ptxas, where it is found, and what it says of each kernel: registers, spills, stack.

`assembler()` looks on the machine's PATH, in /usr/local/cuda and in the wheel `nvidia-cuda-nvcc`. What PTX text itself shows is
asked by `loads` and `wide_floats`. No GPU is needed.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARCHITECTURES = {"sm_80": (8, 0), "sm_90": (9, 0), "sm_100": (10, 0)}
"""Those that kernels are assembled for: ptxas' names, and what `nvptx.ptx` takes."""


@dataclass(frozen=True)
class Kernel:
    """What ptxas says of a kernel. Registers are of a thread, and so are the bytes of stack and spills; shared ones of a block."""

    name: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int


@dataclass(frozen=True)
class Assembled:
    """Machine code of a module: its kernels by name, the code, and all that ptxas printed."""

    kernels: dict[str, Kernel]
    code: bytes
    said: str


class AssemblyError(RuntimeError):
    """ptxas refused a module's PTX."""


@functools.cache
def assembler() -> Path | None:
    """ptxas of this machine; the newest, where there are several."""
    found = {path.resolve() for path in _places() if path.is_file()}
    return max(found, key=lambda path: version(path), default=None)


def _places() -> Iterator[Path]:
    if on_path := shutil.which("ptxas"):
        yield Path(on_path)
    yield Path("/usr/local/cuda/bin/ptxas")
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield from Path(folder).glob("*/bin/ptxas")


@functools.cache
def version(ptxas: Path) -> tuple[int, int]:
    """Of the toolkit that it is from: (13, 0)."""
    said = subprocess.run([ptxas, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"release (\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


def assemble(text: str, architecture: str) -> Assembled:
    """Machine code of PTX text.

    Raises:
        AssemblyError: ptxas refused it.
        FileNotFoundError: there is no ptxas.
    """
    ptxas = assembler()
    if ptxas is None:
        raise FileNotFoundError("ptxas: install the wheel nvidia-cuda-nvcc, or NVIDIA's toolkit")
    command = [ptxas, "--verbose", f"--gpu-name={architecture}", "--output-file=/dev/stdout", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True)
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        raise AssemblyError(f"ptxas for {architecture}:\n{said}\n{text}")
    return Assembled(_kernels(said), done.stdout, said)


_ENTRY = re.compile(r"Compiling entry function '(?P<name>[^']+)'")
_NUMBERS = {
    "stack": r"(\d+) bytes stack frame", "spill_stores": r"(\d+) bytes spill stores", "spill_loads": r"(\d+) bytes spill loads",
    "registers": r"Used (\d+) registers", "shared": r"(\d+) bytes smem",
}  # fmt: skip


def _kernels(said: str) -> dict[str, Kernel]:
    """Each entry's part of the messages, up to the next one's; lines about other functions come behind it."""
    kernels, parts = {}, _ENTRY.split(said)
    for name, part in zip(parts[1::2], parts[2::2], strict=True):
        found = {field: re.search(pattern, part) for field, pattern in _NUMBERS.items()}
        kernels[name] = Kernel(name, **{field: int(m[1]) if m else 0 for field, m in found.items()})
    return kernels


def wide_floats(text: str) -> list[str]:
    """The lines of PTX that compute with 64-bit floats; a float32 kernel is to have none."""
    return [line.strip() for line in text.splitlines() if re.search(r"\.f64\b", line) and not line.strip().startswith("//")]


def loads(text: str) -> dict[int, int]:
    """How many loads from global memory PTX has, by how many bytes each thread reads at once."""
    return _widths(text, "ld")


def stores(text: str) -> dict[int, int]:
    """How many stores to global memory PTX has, by how many bytes each thread writes at once."""
    return _widths(text, "st")


def _widths(text: str, kind: str) -> dict[int, int]:
    counts: dict[int, int] = {}
    for lanes, bits in re.findall(rf"\b{kind}\.[\w.:]*?global[\w.:]*?(?:\.v(\d))?\.[busf](\d+)\b", text):
        width = int(lanes or 1) * int(bits) // 8
        counts[width] = counts.get(width, 0) + 1
    return counts
