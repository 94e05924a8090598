"""What is left of Keras' backend: the settings of types and axes, and a session to clear, of which there is none."""

from jitgrad.promotion import default_float
from jitgrad.publishing import public as _public


def clear_session(free_memory: bool = True) -> None:
    """Nothing: models are objects, and go when nobody has them."""


def epsilon() -> float:
    """The least probability in losses."""
    return 1e-7


def floatx() -> str:
    """The element type of new weights: `config.default_float`."""
    return default_float().numpy.name


def image_data_format() -> str:
    """Where the channels of images are, by default."""
    return "channels_last"


__all__ = ["clear_session", "epsilon", "floatx", "image_data_format"]

_public(__name__, arguments=True)
