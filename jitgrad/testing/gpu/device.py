"""What a session's results were measured on: the device, its driver, the versions of everything, the commit."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

PACKAGES = (
    "jitgrad",
    "numpy",
    "numba",
    "llvmlite",
    "scipy",
    "cuda-bindings",
    "nvidia-cusolver",
    "nvidia-cublas",
    "jax",
    "jaxlib",
    "torch",
    "cupy-cuda12x",
    "cupy-cuda13x",
)


def description(device: str) -> dict[str, Any]:
    """The device of a name. Raises where there is none."""
    if device == "cpu":
        return {"name": platform.processor() or platform.machine(), "platform": "cpu"}
    devices: Any = importlib.import_module("jitgrad_compiler.runtime.cuda.devices")
    found = devices.device(int(device.partition(":")[2] or 0))
    info = found.info
    free, total = found.driver.memory()
    return {
        "name": info.name,
        "platform": "cuda",
        "capability": list(info.capability),
        "driver_cuda": ".".join(map(str, info.driver_version)),
        "driver": _kernel_module(),
        "multiprocessors": info.multiprocessors,
        "memory_bytes": total,
        "free_bytes": free,
        "devices": devices.count(),
        "linear_algebra": "the processor" if found.solver is None else "cuSOLVER",
    }


def _kernel_module() -> str | None:
    """The driver's own version, as its kernel module says."""
    try:
        words = Path("/proc/driver/nvidia/version").read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return next((w for w in words if w[:1].isdigit() and "." in w), None)


def versions() -> dict[str, str]:
    """Of Python and the packages that are here."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def commit() -> str | None:
    """Of the checkout that the library is imported from, with a plus where files differ from it."""

    def git(*words: str) -> str:
        folder = Path(__file__).parent
        return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
