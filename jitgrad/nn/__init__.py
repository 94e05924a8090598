"""Neural networks: functions by jax.nn's names (activations, softmax and its kin, one_hot, `initializers`), and models as pytrees:
`Module`, its layers, `apply` for training, `freeze` and its kin.

Reading map: module.py (what a model is), training.py, sizes.py (layers that find their input sizes), holding.py; then layers:
linear.py, containers.py, activation_layers.py, convolution_layers.py, pooling_layers.py, normalization_layers.py, dropout.py,
attention.py, positions.py, multi_head.py, transformer.py, recurrent.py, ctc.py, ctc_decoding.py;
summaries.py prints what a model has.

>>> from jitgrad import nn
>>> print(nn.sigmoid(0.0))
0.5
"""

from jitgrad.held import Held, trainable
from jitgrad.normalization import log_softmax, logmeanexp, logsumexp, one_hot, softmax, standardize
from jitgrad.publishing import public as _public

from . import initializers, losses
from .activation_layers import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from .activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from .attention import dot_product_attention
from .containers import Flatten, Identity, Lambda, Residual, Sequential
from .convolution_layers import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from .ctc import ctc_loss
from .ctc_decoding import ctc_beam_decode, ctc_greedy_decode
from .dropout import Dropout, Dropout1d, Dropout2d, Dropout3d
from .holding import freeze, parameter_count, unfreeze
from .linear import Dense, Embedding, Linear
from .module import Module
from .multi_head import KeyValueCache, MultiHeadAttention
from .normalization_layers import (
    BatchNorm,
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    RMSNorm,
)
from .pooling_layers import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from .positions import causal_mask, rotary_embedding, sinusoidal_positions
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .sizes import build
from .summaries import summary
from .torch_weights import load_torch
from .training import apply
from .transformer import TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    "CELU", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Dense", "Dropout",
    "Dropout1d", "Dropout2d", "Dropout3d", "ELU", "Embedding", "Flatten", "GELU", "GLU", "GRU", "GRUCell", "GlobalAvgPool",
    "GlobalMaxPool", "GroupNorm", "Hardsigmoid", "Hardswish", "Hardtanh", "Held", "Identity", "InstanceNorm", "InstanceNorm1d",
    "InstanceNorm2d", "InstanceNorm3d", "KeyValueCache", "LSTM", "LSTMCell", "Lambda", "LayerNorm", "LeakyReLU", "Linear",
    "LogSigmoid", "LogSoftmax", "MaxPool1d", "MaxPool2d", "MaxPool3d", "Mish", "Module", "MultiHeadAttention", "PReLU",
    "RMSNorm", "RNN", "RNNCell", "ReLU", "ReLU6", "Residual", "SELU", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus",
    "Softsign", "Tanh", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
    "apply", "build", "causal_mask", "celu", "ctc_beam_decode", "ctc_greedy_decode", "ctc_loss",
    "dot_product_attention", "elu", "freeze", "gelu", "glu", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "identity", "initializers", "leaky_relu", "load_torch", "log1mexp", "log_sigmoid",
    "log_softmax", "logmeanexp", "logsumexp", "losses", "mish", "one_hot", "parameter_count", "relu", "relu6",
    "rotary_embedding", "selu", "sigmoid", "silu", "sinusoidal_positions", "soft_sign", "softmax", "softplus", "sparse_plus",
    "sparse_sigmoid", "squareplus", "standardize", "summary", "swish", "tanh", "trainable", "unfreeze",
]  # fmt: skip

_public(initializers.__name__)
_public(losses.__name__)
_public(__name__)
