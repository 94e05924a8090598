"""LeNet-5 (LeCun, Bottou, Bengio and Haffner, 1998), as it is built today: relu and largest elements, all channels connected."""

from __future__ import annotations

from typing import Any

from jitgrad import nn
from jitgrad.array import Array
from jitgrad.nn.data_format import CHANNELS_LAST
from jitgrad.ranges import Size

from .building import flat, options


class LeNet(nn.Module):
    """Two convolutions of 5 x 5 with pools and three linear layers, for images of 28 x 28: 61,706 parameters for one channel.

    >>> import jitgrad
    >>> from jitgrad import models, nn
    >>> nn.parameter_count(models.LeNet(key=jitgrad.random.key(0)))
    61706
    """

    def __init__(
        self, classes: Size = 10, channels: Size = 1, *, key: Any = None, data_format: str = CHANNELS_LAST, dtype: Any = None
    ) -> None:
        of = options("models.LeNet", key, data_format, dtype)
        self.data_format = data_format
        self.conv1, self.conv2 = of.conv(channels, 6, 5, padding=2), of.conv(6, 16, 5)
        self.pool = of.max_pool(2, 2)
        self.fc1, self.fc2, self.fc3 = of.linear(16 * 5 * 5, 120), of.linear(120, 84), of.linear(84, classes)

    def __call__(self, x: Any) -> Array:
        x = self.pool(nn.relu(self.conv1(x)))
        x = self.pool(nn.relu(self.conv2(x)))
        x = nn.relu(self.fc1(flat(x, self.data_format)))
        return self.fc3(nn.relu(self.fc2(x)))

    def keras_flattened(self) -> dict[str, tuple[int, int, int]]:
        """The shape of what is flattened before a linear layer."""
        return {"fc1": (5, 5, 16)}
