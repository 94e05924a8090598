"""Kernels of the CUDA target, run on the CPU: text for any machine in, the same functions called for every thread of a grid.

Threads that wait for each other are fibers (fibers.py) that know where they are (primitives.py). What would hang or be undefined
on a GPU is a `KernelFault` that names kernel, block and thread: a barrier that not all reach, a shuffle under a divergent branch,
memory outside all that was lent, too much shared memory. Shared memory starts as NaNs, threads and blocks can run in any order, and
what a thread does not wait for is done as late as can be (late.py), so that results show where a barrier or a wait is missing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

from jitgrad_compiler.targets.cpu.machine import native
from jitgrad_compiler.targets.cuda.device import PRIMITIVES, THREADS, WARP, primitives_in

from .engine import Grid, Order, engine
from .primitives import EMULATED, with_alignment, with_sites
from .reports import KernelFault, Launched

SHARED_LIMIT = 227 << 10
"""Bytes of shared memory that a block can have on sm_90 and sm_100."""
SECONDS = 60
"""Of CPU time, after which a launch is stopped."""

_KERNEL = re.compile(r'^define ptx_kernel void @"?([\w.$-]+)"?\(([^)]*)\)', re.MULTILINE)

_DECLARED = re.compile(r'^declare [^@\n]*@"?([\w.$-]+)"?\(', re.MULTILINE)

_HEADER = re.compile(r"^(?:source_filename|target) .*\n", re.MULTILINE)
"""Lines of modules that LLVM has printed, which must be the first."""


class KernelModule:
    """A module's text as machine code; `kernels` are the types of its kernels' arguments, by name."""

    def __init__(self, text: str) -> None:
        used = primitives_in(text)
        if missing := sorted(used - EMULATED.keys()):
            raise NotImplementedError(f"tests/cuda/primitives.py has no row for {', '.join(missing)}")
        if foreign := [name for name in _DECLARED.findall(text) if not name.startswith(("llvm.", "gpu."))]:
            raise KernelFault(f"its module calls {', '.join(foreign)}, which no GPU has", next(iter(_KERNEL.findall(text)))[0])
        self.waits = any(PRIMITIVES[name].meets for name in used)
        self.kernels = {name: [a.split()[0] for a in types.split(",") if a.strip()] for name, types in _KERNEL.findall(text)}
        plain = _HEADER.sub("", text).replace("define ptx_kernel ", "define ")
        sited, self.sites = with_sites(with_alignment(plain))
        runs = [_run(name, types) for name, types in self.kernels.items()]
        # Small grids run for less time than code takes to make that keeps values in registers.
        self.code = native.compile_ir("\n".join([sited, *runs]), engine().symbols, codegen_level=0)

    def address(self, kernel: str) -> int:
        """Where the function starts that runs a kernel with the words at its argument."""
        if kernel not in self.kernels:
            raise KeyError(f"the module has the kernels {', '.join(self.kernels) or 'none'}, not {kernel!r}")
        return self.code.address(f"run.{kernel}")


def _run(name: str, types: Sequence[str]) -> str:
    lines, arguments = [], []
    for n, kind in enumerate(types):
        lines.append(f"  %p{n} = getelementptr i64, ptr %words, i64 {n}\n  %a{n} = load {kind}, ptr %p{n}")
        arguments.append(f"{kind} %a{n}")
    body = "\n".join([*lines, f'  call void @"{name}"({", ".join(arguments)})', "  ret void"])
    return f'define void @"run.{name}"(ptr %words) {{\n{body}\n}}'


@functools.lru_cache(maxsize=128)
def load(text: str) -> KernelModule:
    """Compile a module, once a text."""
    return KernelModule(text)


def launch(
    module: KernelModule,
    kernel: str,
    blocks: int,
    arguments: Sequence[int],
    *,
    threads: int = THREADS,
    shared_bytes: int = 0,
    lent_bytes: int = SHARED_LIMIT,
    cooperative: bool = False,
    order: Order | None = None,
    memory: tuple[int, int] = (0, 2**64 - 1),
    describe: Callable[[int], str] = lambda address: "",
    seconds: float = SECONDS,
) -> None:
    """Run a kernel to its end.

    Args:
        arguments: 64-bit words, pointers as addresses of this process.
        lent_bytes: shared memory that the function may have.
        cooperative: whether all blocks run at once.
        memory: the addresses between which device memory lies; `gpu.pointer` holds pointers against them.
        describe: what lies at an address, for faults there.
        seconds: CPU time after which the launch is stopped as hanging.

    Raises:
        KernelFault: the kernel, or how it was launched, is wrong.
    """
    types = module.kernels[kernel]
    if len(arguments) != len(types):
        raise KernelFault(f"it was launched with {len(arguments)} arguments and takes {len(types)}", kernel)
    if blocks < 1 or threads < 1 or threads % WARP or threads > 1024:
        raise KernelFault(f"it was launched with {blocks} blocks of {threads} threads", kernel)
    if shared_bytes > min(lent_bytes, SHARED_LIMIT):
        what = f"it was lent {lent_bytes}" if shared_bytes > lent_bytes else f"a block has {SHARED_LIMIT} at most"
        raise KernelFault(f"it was launched with {shared_bytes} bytes of shared memory, and {what}", kernel)
    grid = Grid(
        module.address(kernel), arguments, blocks, threads, shared_bytes, module.waits, cooperative, order or Order(), memory
    )
    e = engine()
    with e.lock:
        if not e.run(grid, seconds):
            fibers = e.fibers[: grid.resident * threads]
            raise Launched(e.state, fibers, kernel, module.sites, lambda a: e.describe(a) or describe(a)).error()
