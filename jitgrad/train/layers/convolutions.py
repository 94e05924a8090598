"""Convolutions and pools by Keras' names, over those of jitgrad.nn: factories for one, two and three axes of space."""

from __future__ import annotations

from collections.abc import Sequence
from types import new_class
from typing import Any

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import image, nn
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn.linear import keys_for
from jitgrad.nn.named import activation_arg, initializer_arg
from jitgrad.nn.windows import OfSpace, each
from jitgrad.ranges import Count, Size

from .base import Layer, format_of

RANKS = (1, 2, 3)
_WHAT = {1: "sequences [batch, time, channels]", 2: "images [batch, height, width, channels]", 3: "volumes"}


class _Activated(Layer):
    """A layer of jitgrad.nn with an activation behind it."""

    activation: Any

    @property
    def kernel(self) -> Array:
        """Keras' name of the weight."""
        weight: Array = self.weight
        return weight

    def call(self, inputs: Any) -> Any:
        out = super().call(inputs)
        return out if self.activation is None else self.activation(out)


def _made(name: str, rank: int, bases: tuple[type, ...], doc: str, /, **body: Any) -> Any:
    body |= {"input_axes": rank + 2, "input_text": f"{_WHAT[rank]}, with {rank + 2} axes", "__doc__": doc, "__module__": __name__}
    return new_class(name, bases, exec_body=lambda space: space.update(body))


def _convolution(rank: int) -> Any:
    base: Any = getattr(nn, f"Conv{rank}d")

    def __init__(
        self: Any,
        filters: Count,
        kernel_size: Size | Sequence[Size],
        strides: Size | Sequence[Size] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Size | Sequence[Size] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, kernel_regularizer="weight", bias_regularizer="bias")
        self.activation = activation_arg(self.where, activation)
        pads = _padding(self.where, padding, kernel_size, dilation_rate, rank)
        base.__init__(
            self, None, filters, kernel_size, strides, pads, dilation_rate, groups, use_bias,
            data_format=format_of(data_format), key=key, dtype=dtype,
            weight_init=initializer_arg(self.where, "kernel_initializer", kernel_initializer),
            bias_init=initializer_arg(self.where, "bias_initializer", bias_initializer),
        )  # fmt: skip

    doc = (
        f"A convolution of {_WHAT[rank]} with `filters` kernels of kernel_size, then an activation. padding: "
        f"{'causal, ' if rank == 1 else ''}same or valid. The first input gives it its channels."
    )
    return _made(f"Conv{rank}D", rank, (_Activated, base), doc, __init__=__init__)


def _padding(where: str, padding: Any, kernel_size: Any, dilation: Any, rank: int) -> Any:
    if isinstance(padding, str) and padding.lower() == "causal" and rank == 1:
        (size,), (step,) = each(where, "kernel_size", kernel_size, 1), each(where, "dilation_rate", dilation, 1)
        return [((size - 1) * step, 0)]
    return padding


def _transposed(rank: int) -> Any:
    base: Any = getattr(nn, f"ConvTranspose{rank}d")

    def __init__(
        self: Any,
        filters: Count,
        kernel_size: Size | Sequence[Size],
        strides: Size | Sequence[Size] = 1,
        padding: str = "valid",
        output_padding: Count | Sequence[Count] | None = None,
        data_format: str | None = None,
        dilation_rate: Size | Sequence[Size] = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, kernel_regularizer="weight", bias_regularizer="bias")
        if output_padding is not None:
            raise ArgumentError(f"{self.where}: takes no output_padding; nn.ConvTranspose{rank}d takes paddings as numbers.")
        if str(padding).lower() not in ("same", "valid"):
            raise ArgumentError(f"{self.where}: padding must be 'same' or 'valid', got {padding!r}")
        self.activation = activation_arg(self.where, activation)
        sizes, steps, gaps = (
            each(self.where, n, x, rank)
            for n, x in (("kernel_size", kernel_size), ("strides", strides), ("dilation_rate", dilation_rate))
        )
        # Results are `strides` times as long as inputs ("same"), and longer by what the kernel reaches beyond ("valid").
        beyond = [d * (k - 1) + 1 - s for k, s, d in zip(sizes, steps, gaps, strict=True)]
        cut = [max(b, 0) if str(padding).lower() == "same" else 0 for b in beyond]
        base.__init__(
            self, None, filters, kernel_size, strides, [(c // 2, c - c // 2) for c in cut], [max(-b, 0) for b in beyond], 1,
            use_bias, dilation_rate, data_format=format_of(data_format), key=key, dtype=dtype,
            weight_init=initializer_arg(self.where, "kernel_initializer", kernel_initializer),
            bias_init=initializer_arg(self.where, "bias_initializer", bias_initializer),
        )  # fmt: skip

    doc = f"A transposed convolution of {_WHAT[rank]}, which makes them `strides` times as long, then an activation."
    return _made(f"Conv{rank}DTranspose", rank, (_Activated, base), doc, __init__=__init__)


def _depthwise(rank: int) -> Any:
    convolution: Any = getattr(nn, f"Conv{rank}d")

    def __init__(
        self: Any,
        kernel_size: Size | Sequence[Size],
        strides: Size | Sequence[Size] = 1,
        padding: str = "valid",
        depth_multiplier: Size = 1,
        data_format: str | None = None,
        dilation_rate: Size | Sequence[Size] = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options, depthwise_regularizer="kernel", bias_regularizer="bias")
        self.depth_multiplier, self.activation = depth_multiplier, activation_arg(self.where, activation)
        self.data_format = format_of(data_format)
        each(self.where, "kernel_size", kernel_size, rank)
        weight_init = initializer_arg(self.where, "depthwise_initializer", depthwise_initializer)
        bias_init = initializer_arg(self.where, "bias_initializer", bias_initializer)
        self.start(None, key, (kernel_size, strides, padding, dilation_rate), use_bias, weight_init, bias_init, dtype)

    def create(self: Any, size: int, key: Any, *options: Any) -> None:
        (kernel_size, strides, padding, dilation), use_bias, weight_init, bias_init, dtype = options

        def spread(
            key: Any, shape: Any, dtype: Any = None
        ) -> Array:  # fans are those of Keras' kernel [*size, channels, multiplier]
            return weight_init(key, (*shape[:-2], size, self.depth_multiplier), dtype).reshape(shape)

        self.convolution = convolution(
            size, size * self.depth_multiplier, kernel_size, strides, padding, dilation, size, use_bias,
            data_format=self.data_format, key=key, dtype=dtype, weight_init=spread, bias_init=bias_init,
        )  # fmt: skip

    def call(self: Any, inputs: Any) -> Any:
        self.sized(inputs, -1 if self.data_format == "channels_last" else 1)
        out = self.convolution(inputs)
        return out if self.activation is None else self.activation(out)

    doc = f"A convolution of each channel of {_WHAT[rank]} by itself, depth_multiplier results of each."
    body = {"__init__": __init__, "create": create, "call": call}
    body["kernel"] = property(lambda self: self.convolution.weight)  # type: ignore[assignment]
    body["bias"] = property(lambda self: self.convolution.bias)  # type: ignore[assignment]
    return _made(f"DepthwiseConv{rank}D", rank, (Layer,), doc, **body)


def _separable(rank: int) -> Any:
    depthwise: Any = DEPTHWISE[rank]
    pointwise: Any = getattr(nn, f"Conv{rank}d")

    def __init__(
        self: Any,
        filters: Count,
        kernel_size: Size | Sequence[Size],
        strides: Size | Sequence[Size] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Size | Sequence[Size] = 1,
        depth_multiplier: Size = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        *,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(options)
        self.activation = activation_arg(self.where, activation)
        keys = [None, None] if key is None else keys_for(self.where, key, 2)
        self.depthwise = depthwise(
            kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, use_bias=False,
            depthwise_initializer=depthwise_initializer, key=keys[0], dtype=dtype,
        )  # fmt: skip
        self.pointwise = pointwise(
            None, filters, 1, bias=use_bias, data_format=format_of(data_format), key=keys[1], dtype=dtype,
            weight_init=initializer_arg(self.where, "pointwise_initializer", pointwise_initializer),
            bias_init=initializer_arg(self.where, "bias_initializer", bias_initializer),
        )  # fmt: skip

    def call(self: Any, inputs: Any) -> Any:
        out = self.pointwise(self.depthwise(inputs))
        return out if self.activation is None else self.activation(out)

    doc = f"A convolution of each channel of {_WHAT[rank]} by itself, then one of single places, which mixes channels."
    return _made(f"SeparableConv{rank}D", rank, (Layer,), doc, __init__=__init__, call=call)


def _pool(name: str, kind: str, rank: int, what: str, **fixed: Any) -> Any:
    base: Any = getattr(nn, f"{kind}{rank}d")

    def __init__(
        self: Any,
        pool_size: Size | Sequence[Size] = 2,
        strides: Size | Sequence[Size] | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **options: Any,
    ) -> None:
        self.take(options)
        base.__init__(self, pool_size, strides, padding, data_format=format_of(data_format), **fixed)

    doc = f"The {what} of windows of pool_size, every `strides`, pool_size by default, of {_WHAT[rank]}. padding: same or valid."
    return _made(f"{name}Pooling{rank}D", rank, (Layer, base), doc, __init__=__init__)


def _global_pool(name: str, kind: str, rank: int, what: str) -> Any:
    base: Any = getattr(nn, f"Global{kind}Pool")

    def __init__(self: Any, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        self.take(options)
        base.__init__(self, keepdims=keepdims, data_format=format_of(data_format))

    def call(self: Any, inputs: Any) -> Array:
        pooled: Array = base.__call__(self, jnp.asarray(inputs))
        return pooled

    doc = f"The {what} of each channel of {_WHAT[rank]}: [batch, channels]."
    return _made(f"Global{name}Pooling{rank}D", rank, (Layer, base), doc, __init__=__init__, call=call)


def _space_layer(name: str, rank: int, doc: str, argument: str, default: Any, change: Any) -> Any:
    """A layer that changes the sizes of space: change(layer, x, numbers)."""

    def __init__(self: Any, given: int | Sequence[Any] = default, data_format: str | None = None, **options: Any) -> None:
        if argument in options:
            given = options.pop(argument)
        self.take({n: x for n, x in options.items() if n != "interpolation"})
        self.set_format(format_of(data_format))
        if name.startswith("UpSampling"):
            self.interpolation = options.get("interpolation", "nearest")
            setattr(self, argument, each(self.where, argument, given, rank))
        else:
            setattr(self, argument, _pairs(self.where, argument, given, rank))

    def call(self: Any, inputs: Any) -> Array:
        found: Array = self.run(inputs, None, lambda x: change(self, x, getattr(self, argument)))
        return found

    return _made(f"{name}{rank}D", rank, (Layer, OfSpace), doc, __init__=__init__, call=call, rank=rank)


def _pairs(where: str, argument: str, given: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """A pair of numbers for each axis of space, of one for all, one for each axis, or pairs; of one axis a pair may stand alone."""
    if rank == 1 and isinstance(given, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in given):
        given = (given,)
    items = (given,) * rank if isinstance(given, (int, np.integer)) else tuple(given)
    pairs = tuple((n, n) if isinstance(n, (int, np.integer)) else tuple(n) for n in items)
    if len(pairs) != rank or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise ArgumentError(f"{where}: {argument} must be a number, or {rank} numbers or pairs of them of 0 or more, got {given!r}")
    return pairs


def _pad(layer: Any, x: Array, pairs: Any) -> Array:
    return jnp.pad(x, layer.whole(pairs, (0, 0)))


def _crop(layer: Any, x: Array, pairs: Any) -> Array:
    space = layer.space(x)
    if any(low + high >= n for (low, high), n in zip(pairs, space, strict=True)):
        layer.refuse_input(f"larger than what is cut off, {pairs}", x)
    return x[layer.whole([slice(low, n - high) for (low, high), n in zip(pairs, space, strict=True)], slice(None))]


def _upsample(layer: Any, x: Array, sizes: Any) -> Array:
    if layer.interpolation == "nearest":
        for axis, n in enumerate(layer.whole(sizes, 1)):
            x = jnp.repeat(x, n, axis=axis) if n > 1 else x
        return x
    space = [n * m for n, m in zip(layer.space(x), sizes, strict=True)]
    whole = [m or n for n, m in zip(x.shape, layer.whole(space, 0), strict=True)]
    return image.resize(x, whole, layer.interpolation)


Conv1D, Conv2D, Conv3D = map(_convolution, RANKS)
Conv1DTranspose, Conv2DTranspose, Conv3DTranspose = map(_transposed, RANKS)
DEPTHWISE = {rank: _depthwise(rank) for rank in (1, 2)}
DepthwiseConv1D, DepthwiseConv2D = DEPTHWISE.values()
SeparableConv1D, SeparableConv2D = map(_separable, (1, 2))
MaxPooling1D, MaxPooling2D, MaxPooling3D = (_pool("Max", "MaxPool", rank, "largest number") for rank in RANKS)
AveragePooling1D, AveragePooling2D, AveragePooling3D = (
    _pool("Average", "AvgPool", rank, "mean", count_include_pad=False) for rank in RANKS
)
GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D = (_global_pool("Max", "Max", rank, "largest number") for rank in RANKS)
GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D = (
    _global_pool("Average", "Avg", rank, "mean") for rank in RANKS
)
ZeroPadding1D, ZeroPadding2D, ZeroPadding3D = (
    _space_layer(
        "ZeroPadding", rank, "Zeros around space: a number of them, or numbers or pairs for each axis.", "padding", 1, _pad
    )
    for rank in RANKS
)
Cropping1D, Cropping2D, Cropping3D = (
    _space_layer("Cropping", rank, "Space without its borders: a number, or numbers or pairs for each axis.", "cropping", 1, _crop)
    for rank in RANKS
)
UpSampling1D, UpSampling2D, UpSampling3D = (
    _space_layer(
        "UpSampling", rank, 'Space larger by `size`; interpolation: "nearest", or one of `image.resize`.', "size", 2, _upsample
    )
    for rank in RANKS
)

Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalMaxPool1D, GlobalMaxPool2D = (
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D,
)  # fmt: skip
