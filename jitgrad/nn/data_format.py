"""Where the channels of images, volumes and sequences are: last, (batch, height, width, channels), or first, behind the batch.

Every layer and function of images takes `data_format`, "channels_last" by default or "channels_first".
"""

from __future__ import annotations

from typing import Any

import jitgrad.numpy as jnp
from jitgrad.array import Array
from jitgrad.errors import ArgumentError

CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"


def check_format(where: str, data_format: Any) -> str:
    """Raise ArgumentError for what is no data format."""
    if data_format not in (CHANNELS_LAST, CHANNELS_FIRST):
        raise ArgumentError(
            f"{where}: data_format must be 'channels_last' (batch, height, width, channels) or 'channels_first' (batch, channels, "
            f"height, width), got {data_format!r}."
        )
    return str(data_format)


def channel_axis(data_format: str, rank: int) -> int:
    """The channels' axis of an array with a batch axis."""
    return rank - 1 if data_format == CHANNELS_LAST else 1


def along(values: Array, axis: int, rank: int) -> Array:
    """One value a channel [channels] in a shape that broadcasts along the channels' axis of an array."""
    return values if axis == rank - 1 else jnp.reshape(values, (-1,) + (1,) * (rank - axis - 1))


def images(channels: int | str, data_format: str, ranks: tuple[int, ...] = ()) -> str:
    """What a layer takes, for errors."""
    shape = f"[batch, ..., {channels}]" if data_format == CHANNELS_LAST else f"[batch, {channels}, ...]"
    wanted = f" with {' or '.join(map(str, ranks))} axes" if ranks else ""
    return f"{shape}{wanted} ({data_format})"
