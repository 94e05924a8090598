"""A program of every kernel family, with several blocks and a remainder, in the emulator against the processor."""

import pytest

from jitgrad.testing.gpu import checks, families, smoke
from jitgrad_compiler.runtime.cuda import devices

from .session import emulated


@pytest.fixture(scope="module", autouse=True)
def device():
    devices.open_with(emulated)
    yield
    devices.open_with(None)


@pytest.mark.parametrize("check", [*smoke.checks(), *families.checks()], ids=lambda check: check.name)
def test_the_device_computes_what_the_processor_does(check):
    assert checks.PLACE.device == "cuda"
    check.run()
