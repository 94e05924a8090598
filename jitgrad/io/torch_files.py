"""Weights of PyTorch: files and state dicts taken by our modules, and files written that PyTorch's take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from jitgrad.errors import ArgumentError
from jitgrad.nn.module import Module
from jitgrad.nn.torch_weights import loaded, torch_tensors

from .atomic import path_arg, replacing
from .safetensors import CODES, opened, write

M = TypeVar("M", bound=Module)


def load_torch(module: M, source: Any, *, strict: bool = True, prefix: str = "") -> M:
    """A copy of a module with the parameters of PyTorch's module of the same architecture.

    source: a safetensors file, or a state dict: names to tensors or arrays. Attributes of `module` must have the names that they
    have in PyTorch's module; those of `jitgrad.models` have torchvision's, and `models.GPT` knows Hugging Face's of gpt2. Elements
    keep the types that they have in `module`, which may be one of `jitgrad.eval_shape`. strict=False: parameters that the source
    lacks stay as they are, and what it has besides is left out: an auxiliary classifier, for example. prefix: only names that begin
    so are looked at, and without it: "module." for a model that was trained by DataParallel.

    PyTorch flattens images channel by channel, and with channels last `nn.Flatten` does so element by element. So that a Linear
    behind it gets what its weights are for, give the layers before it data_format="channels_first", or move the channels:
    `nn.Sequential(conv, lambda x: jnp.moveaxis(x, -1, 1), nn.Flatten(), linear)`. `jitgrad.models` do.

    torchvision's published GoogLeNet and Inception v3 normalise images in a way of their own (transform_input), which is part of no
    file. Raises ArgumentError for names and ShapeError for shapes that do not fit, all of them; FileFormatError for a broken file,
    or one of torch.save, which can run any code: save it in PyTorch with safetensors.torch.save_file(model.state_dict(), path).

    >>> import os, tempfile, jitgrad
    >>> from jitgrad import io, models
    >>> path = os.path.join(tempfile.mkdtemp(), "lenet.safetensors")
    >>> io.save_torch(path, models.LeNet(key=jitgrad.random.key(0)))
    >>> io.load_torch(models.LeNet(key=jitgrad.random.key(1)), path).conv1.weight.shape
    (5, 5, 1, 6)
    """
    return loaded("io.load_torch", module, arrays_of("io.load_torch", source), strict, prefix)


def save_torch(path: Any, module: Module, *, prefix: str = "") -> None:
    """Save a module's parameters and buffers as a safetensors file, by PyTorch's names and in its layout: there

        model.load_state_dict(safetensors.torch.load_file(path))

    takes them. prefix: in front of all names. A model of which `jitgrad.nn.freeze` holds parts is saved whole. Raises ArgumentError
    for complex128, which no such file has; else as `io.save`.
    """
    where = "io.save_torch"
    target = path_arg(where, path)
    tensors = torch_tensors(where, module, prefix)
    for name, array in tensors.items():
        if array.dtype not in CODES:
            raise ArgumentError(f"{where}: {name!r} is of type {array.dtype}, which a safetensors file does not have")
    with replacing(where, target) as file:
        write(where, file, tensors, {"format": "pt"})


def arrays_of(where: str, source: Any) -> Mapping[str, Any]:
    """The arrays of a safetensors file; a dict as it is."""
    if isinstance(source, Mapping):
        return source
    if not isinstance(source, str | os.PathLike):
        raise ArgumentError(f"{where}: the source must be a path or a dict of names to arrays, got {type(source).__name__}")
    with opened(where, path_arg(where, source)) as contents:
        return {name: contents.read(name) for name in contents.entries}
