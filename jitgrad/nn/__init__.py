"""Neural networks: functions by jax.nn's names (activations, softmax and its kin, one_hot, `initializers`), and models as pytrees:
`Module`, its layers, `apply` for training, `freeze` and its kin.

Reading map: module.py (what a model is), training.py, sizes.py (layers that find their input sizes), holding.py; then layers:
linear.py, containers.py, activation_layers.py, convolution_layers.py, pooling_layers.py, pooling.py, unpooling_layers.py,
padding_layers.py, rearranging_layers.py, resizing.py, similarity.py, normalization_layers.py, dropout_layers.py, attention.py,
positions.py, multi_head.py, transformer.py, recurrent.py, ctc.py, ctc_decoding.py; mixed_precision.py;
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
    Hardshrink,
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
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from .activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_shrink,
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
    soft_shrink,
    soft_sign,
    softmin,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
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
from .dropout_layers import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
)
from .holding import freeze, parameter_count, unfreeze
from .linear import (
    Bilinear,
    Dense,
    Embedding,
    EmbeddingBag,
    Linear,
)
from .mixed_precision import MixedPrecision
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
    LocalResponseNorm,
    RMSNorm,
)
from .padding_layers import (
    CircularPad1d,
    CircularPad2d,
    CircularPad3d,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
)
from .pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    min_pool,
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
from .rearranging_layers import (
    ChannelShuffle,
    Fold,
    PixelShuffle,
    PixelUnshuffle,
    Unflatten,
    Unfold,
)
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .resizing import (
    Upsample,
    interpolate,
)
from .similarity import (
    CosineSimilarity,
    PairwiseDistance,
    cosine_similarity,
    normalize,
    pairwise_distance,
)
from .sizes import build
from .summaries import summary
from .torch_weights import load_torch
from .training import apply
from .transformer import Transformer, TransformerDecoder, TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer
from .unpooling_layers import (
    MaxUnpool1d,
    MaxUnpool2d,
    MaxUnpool3d,
)

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AlphaDropout", "AvgPool1d", "AvgPool2d", "AvgPool3d", "BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "Bilinear",
    "CELU", "ChannelShuffle", "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "CosineSimilarity", "Dense", "Dropout",
    "Dropout1d", "Dropout2d", "Dropout3d", "ELU", "Embedding", "EmbeddingBag", "Flatten", "Fold", "GELU", "GLU", "GRU", "GRUCell",
    "GlobalAvgPool", "GlobalMaxPool", "GroupNorm", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "Held", "Identity",
    "InstanceNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "KeyValueCache", "LSTM", "LSTMCell", "Lambda",
    "LayerNorm", "LeakyReLU", "Linear", "LocalResponseNorm", "LogSigmoid", "LogSoftmax", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d", "Mish", "MixedPrecision", "Module", "MultiHeadAttention", "PReLU",
    "PairwiseDistance", "PixelShuffle", "PixelUnshuffle", "RMSNorm", "RNN", "RNNCell", "ReLU", "ReLU6", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "Residual", "SELU",
    "Sequential", "SiLU", "Sigmoid", "Softmax", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer", "Unflatten",
    "Unfold", "Upsample", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d", "apply", "avg_pool", "avg_pool1d",
    "avg_pool2d", "avg_pool3d", "build", "causal_mask", "celu", "cosine_similarity", "ctc_beam_decode", "ctc_greedy_decode",
    "ctc_loss", "dot_product_attention", "elu", "freeze", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish",
    "hard_tanh", "identity", "initializers", "interpolate", "leaky_relu", "load_torch", "log1mexp", "log_sigmoid", "log_softmax",
    "logmeanexp", "logsumexp", "losses", "max_pool", "max_pool1d", "max_pool2d", "max_pool3d", "min_pool", "mish", "normalize",
    "one_hot", "pairwise_distance", "parameter_count", "relu", "relu6", "rotary_embedding", "selu", "sigmoid", "silu",
    "sinusoidal_positions", "soft_shrink", "soft_sign", "softmax", "softmin", "softplus", "sparse_plus", "sparse_sigmoid",
    "squareplus", "standardize", "summary", "swish", "tanh", "tanh_shrink", "threshold", "trainable", "unfreeze",
]  # fmt: skip

_public(initializers.__name__, arguments=True)
_public(losses.__name__, replays=True, arguments=True)
_public(__name__, replays=True, arguments=True)
