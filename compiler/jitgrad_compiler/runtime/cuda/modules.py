"""Modules of kernels, loaded into a device once for everybody who runs them."""

from __future__ import annotations

import weakref

from ...targets.cuda.nvptx import architecture, ptx
from ...targets.cuda.program import ModuleText
from .devices import Device


class Loaded:
    """A module of kernels on one device."""

    def __init__(self, device: Device, text: ModuleText) -> None:
        driver = device.driver
        code = text.text if driver.code == "llvm" else ptx(text.text, architecture(driver.info.capability))
        self.driver, self.module = driver, driver.load(code)

    def __del__(self) -> None:
        if hasattr(self, "module"):
            self.driver.release(self.module)


_loaded: weakref.WeakKeyDictionary[ModuleText, dict[Device, Loaded]] = weakref.WeakKeyDictionary()


def load(device: Device, text: ModuleText) -> Loaded:
    made = _loaded.setdefault(text, {})
    if device not in made:
        made[device] = Loaded(device, text)
    return made[device]
