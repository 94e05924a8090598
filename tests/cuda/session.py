"""What `python -m jitgrad.testing.gpu --stand-in tests.cuda.session:emulated` opens in a GPU's place."""

from .standin import StandIn


def emulated(number):
    """A device of the emulator's."""
    return StandIn(memory_bytes=8 << 30, device=number)
