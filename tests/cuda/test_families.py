"""A program of every kernel family, with several blocks and a remainder, in the emulator against the processor."""

import pytest

from jitgrad.testing.gpu import checks, families, models, smoke
from jitgrad_compiler.runtime.cuda import devices

from .session import emulated


@pytest.fixture(scope="module", autouse=True)
def device():
    devices.open_with(emulated)
    yield
    devices.open_with(None)


DIGITS = [check for check in models.checks() if check.name.startswith("digits in ")]
"""Of the networks those in 16 bits, which are small."""


@pytest.mark.parametrize("check", [*smoke.checks(), *families.checks(), *DIGITS], ids=lambda check: check.name)
def test_the_device_computes_what_the_processor_does(check):
    assert checks.PLACE.device == "cuda"
    check.run()
