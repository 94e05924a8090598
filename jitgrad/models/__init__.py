"""Models that people know by name, as modules of `jitgrad.nn`.

Those of images are called with [batch, height, width, channels], or [batch, channels, height, width] with
data_format="channels_first", and give logits [batch, classes]. Their attributes have the names of torchvision's models, so that
`nn.load_torch` takes their parameters.

>>> import jitgrad.numpy as jnp
>>> from jitgrad import models
>>> models.GPT(vocab_size=50, context=8, width=16, layers=2, heads=2)([[3, 1, 4]]).shape
(1, 3, 50)
>>> logits, paddings = models.SpeechRecognizer()(jnp.ones((2, 100, 80)))  # of spectrograms
>>> logits.shape
(2, 50, 29)
>>> models.LeNet()(jnp.ones((2, 28, 28, 1))).shape
(2, 10)
"""

from jitgrad.publishing import public as _public

from .gpt import GPT
from .inception_v1 import InceptionV1
from .inception_v3 import InceptionV3
from .lenet import LeNet
from .resnet import ResNet, ResNet18, ResNet34, ResNet50
from .speech import SpeechRecognizer
from .vgg import VGG, VGG11, VGG16, VGG19

__all__ = [
    "GPT", "InceptionV1", "InceptionV3", "LeNet", "ResNet", "ResNet18", "ResNet34", "ResNet50", "SpeechRecognizer", "VGG", "VGG11",
    "VGG16", "VGG19",
]  # fmt: skip

_public(__name__, arguments=True)
