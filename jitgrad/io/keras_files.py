"""Weights of Keras: its variables, by the names and in the layouts that it has for them, taken by our modules.

VARIABLES has a row for each kind of layer. A model whose layers Keras publishes by other names says so by `keras_names()`; one that
flattens images channel by channel, where Keras does element by element, by `keras_flattened()`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from jitgrad import nn, tree
from jitgrad.array import from_numpy
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.nn.module import Module
from jitgrad.nn.torch_weights import Leaf, as_numpy, check_module, children, numbered

from .torch_files import arrays_of
from .trees import some

M = TypeVar("M", bound=Module)
Pieces = Callable[[np.ndarray], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Variable:
    """A variable of a layer in Keras: the arrays of ours that it becomes, by `pieces`; by default one of the same elements.

    shape: Keras', where it is another than ours. fill: what ours is where Keras' layer does without the variable. heads: whether
    Keras may have one axis of ours as two, those of attention's heads.
    """

    parts: tuple[Any, ...]
    shape: tuple[int, ...] | None = None
    pieces: Pieces | None = None
    fill: float | None = None
    heads: bool = False

    def takes(self, given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
        """Whether a variable of this shape is one of the shape that is wanted."""
        split = self.heads and len(given) == len(wanted) + 1 and math.prod(given) == math.prod(wanted)
        return given == wanted or (split and (len(wanted) == 1 or given[0] == wanted[0] or given[-1] == wanted[-1]))


def _linear(layer: Any) -> dict[str, Variable]:
    return {"kernel": Variable((layer.weight,), heads=True), "bias": Variable((layer.bias,), heads=True)}


def _affine(layer: Any) -> dict[str, Variable]:
    return {"kernel": Variable((layer.weight,)), "bias": Variable((layer.bias,))}


def _convolution(layer: Any) -> dict[str, Variable]:
    depthwise = None
    if layer.groups == layer.in_channels > 1:
        depthwise = (*layer.kernel_size, layer.groups, layer.out_channels // layer.groups)
    return {"kernel": Variable((layer.weight,), depthwise), "bias": Variable((layer.bias,))}


def _norm(layer: Any) -> dict[str, Variable]:
    return {"gamma": Variable((layer.weight,), fill=1.0), "beta": Variable((layer.bias,), fill=0.0)}


def _batch_norm(layer: Any) -> dict[str, Variable]:
    if not layer.track_running_stats:
        return _norm(layer)
    running = {"moving_mean": Variable((layer.running_mean,)), "moving_variance": Variable((layer.running_var,))}
    return _norm(layer) | running


def _attention(layer: Any) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for name in ("query", "key", "value"):
        part = getattr(layer, name)
        shape = (part.out_features // layer.head_dim, layer.head_dim)
        found[f"{name}/kernel"] = Variable((part.weight,), (part.in_features, *shape))
        found[f"{name}/bias"] = Variable((part.bias,), shape)
    out = layer.out
    found["attention_output/kernel"] = Variable((out.weight,), (layer.num_heads, layer.head_dim, out.out_features))
    return found | {"attention_output/bias": Variable((out.bias,))}


def _recurrent(layer: Any) -> dict[str, Variable]:
    if len(layer.cells) > 1:
        raise ArgumentError("a layer of Keras' has one cell in each direction; give each its own layer here (num_layers=1)")
    directions = layer.cells[0]
    if len(directions) == 1:
        return _cell(directions[0])
    named = zip(("forward", "backward"), directions, strict=True)
    return {f"{direction}/{name}": v for direction, cell in named for name, v in _cell(cell).items()}


def _cell(cell: Any) -> dict[str, Variable]:
    size = cell.hidden_size

    def gates(x: np.ndarray) -> np.ndarray:
        """Keras has a GRU's gates in another order: update, reset, new."""
        update, reset, new = (x[..., i * size : (i + 1) * size] for i in range(3))
        return np.concatenate([reset, update, new], -1)

    biases, width = (cell.bias_ih, cell.bias_hh), cell.gates * size
    if isinstance(cell, nn.GRUCell):
        return {
            "kernel": Variable((cell.weight_ih,), pieces=lambda x: [gates(x)]),
            "recurrent_kernel": Variable((cell.weight_hh,), pieces=lambda x: [gates(x)]),
            "bias": Variable(biases, (2, width), lambda x: [*gates(x)]),
        }
    return {
        "kernel": Variable((cell.weight_ih,)),
        "recurrent_kernel": Variable((cell.weight_hh,)),
        "bias": Variable(biases, (width,), lambda x: [x, np.zeros_like(x)]),
    }


VARIABLES: list[tuple[tuple[type, ...], Callable[[Any], dict[str, Variable]]]] = [
    ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    ((nn.Linear,), _linear),
    ((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _affine),
    ((nn.BatchNorm,), _batch_norm),
    ((nn.LayerNorm, nn.GroupNorm), _norm),
    ((nn.RMSNorm,), lambda layer: {"scale": Variable((layer.weight,))}),
    ((nn.Embedding,), lambda layer: {"embeddings": Variable((layer.weight,))}),
    ((nn.MultiHeadAttention,), _attention),
    ((nn.RNN, nn.LSTM, nn.GRU), _recurrent),
    ((nn.RNNCell, nn.LSTMCell, nn.GRUCell), _cell),
]  # fmt: skip
"""By the class of our layer. Variables of other layers have the names of attributes."""


def load_keras(module: M, source: Any, *, names: Mapping[str, str] | Sequence[str] | None = None, strict: bool = True) -> M:
    """A copy of a module with the parameters of a model of Keras of the same architecture.

    source: a dict {v.path: v.numpy() for v in model.variables}, or a safetensors file of one. names: for each layer here with
    parameters, by its path, such as "conv1" or, in a Sequential, "0", the name of Keras' layer, such as "conv2d_1"; or a list of
    Keras' names in the order of the layers here. By default layers have the same names, those of `jitgrad.train.layers` the `name`
    that they were given; `models.VGG16` and `VGG19` know those of keras.applications. Elements keep the types that they have in
    `module`. strict=False: layers that the source lacks stay as they are, and what it has besides is left out.

    Kernels of Dense, Conv (depthwise, too), transposed Conv, Embedding, attention, SimpleRNN, LSTM and GRU (with reset_after), and
    the parameters of norms and their moving statistics are laid out as here need be. What is no variable must be told to the layers
    here: epsilon, which is 0.001 by default in Keras' norms and 1e-5 here, and strides and padding. Images are flattened in Keras'
    order with data_format="channels_last", and models of `jitgrad.models` are given the rows of kernels in theirs. ResNet50 is
    another architecture in Keras. Raises ArgumentError for names and ShapeError for shapes that do not fit, all of them.

    >>> import numpy as np, jitgrad
    >>> from jitgrad import io, nn
    >>> model = nn.Sequential(nn.Linear(3, 2, key=jitgrad.random.key(0)), nn.relu)
    >>> weights = {"sequential/dense/kernel": np.ones((3, 2)), "sequential/dense/bias": np.zeros(2)}
    >>> print(io.load_keras(model, weights, names=["dense"])(np.ones(3)))
    [3. 3.]
    """
    where = "io.load_keras"
    check_module(where, module)
    arrays = arrays_of(where, source)
    layers = dict(_layers(numbered(module), ""))
    leaves, structure = tree.flatten(module)
    flattened = module.keras_flattened() if hasattr(type(module), "keras_flattened") else {}
    left = {full: place for full in arrays if (place := _place(full))}
    missing: list[str] = []
    unknown: list[str] = []
    others: list[str] = []
    taken: list[tuple[Variable, np.ndarray]] = []
    for path, name in _names(where, module, layers, names).items():
        has = _variables(where, left, name)
        for full in has.values():
            del left[full]
        present = bool(has)
        for variable_name, variable in _rows(where, path, layers[path]).items():
            full = has.pop(variable_name, "")
            wanted = variable.shape or tuple(leaves[variable.parts[0].number].shape)
            if not full and variable.fill is not None and present:
                taken.append((variable, np.full(wanted, variable.fill)))
            elif not full:
                missing.append(f"{name}/{variable_name}")
            elif not variable.takes(given := tuple(np.shape(arrays[full])), wanted):
                others.append(f"{full!r} must have shape {wanted}, and has {given}")
            else:
                array = as_numpy(arrays[full])
                by_channel = path in flattened and variable_name == "kernel"
                taken.append((variable, _by_channel(array, flattened[path]) if by_channel else array))
        unknown += has.values()
    _check(where, module, missing if strict or not taken else [], [*unknown, *left] if strict or not taken else [], others)
    for variable, array in taken:
        pieces = variable.pieces(array) if variable.pieces else [array]
        for part, piece in zip(variable.parts, pieces, strict=True):
            if part is None:  # of two biases one, to which Keras adds zeros
                continue
            leaf = leaves[part.number]
            leaves[part.number] = from_numpy(np.array(piece, order="C").reshape(leaf.shape)).astype(leaf.dtype)
    loaded: M = tree.unflatten(structure, leaves)
    return loaded


def _layers(x: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The layers with parameters inside a module of `Leaf`s, by their paths."""
    inside = list(children(x, path))
    known = _of_class(x) is not None
    if (known and tree.leaves(x)) or any(isinstance(item, Leaf) for _, item in inside):
        yield path, x
    for place, item in [] if known else inside:
        yield from _layers(item, place)


def _of_class(layer: Any) -> Callable[[Any], dict[str, Variable]] | None:
    return next((rows for classes, rows in VARIABLES if isinstance(layer, classes)), None)


def _rows(where: str, path: str, layer: Any) -> dict[str, Variable]:
    """The variables that Keras has of a layer, without those that this one does without."""
    rows = _of_class(layer)
    if rows is None:
        return {name.split(".")[-1]: Variable((item,)) for name, item in children(layer, path) if isinstance(item, Leaf)}
    try:
        found = rows(layer)
    except ArgumentError as error:
        raise ArgumentError(f"{where}: {path}: {error.args[0].splitlines()[0]}") from None
    return {name: v for name, v in found.items() if any(p is not None for p in v.parts)}


def _names(
    where: str, module: Module, layers: Mapping[str, Any], given: Mapping[str, str] | Sequence[str] | None
) -> dict[str, str]:
    """The name of Keras' layer for each layer of ours, by its path."""
    if given is None:
        known = module.keras_names() if hasattr(type(module), "keras_names") else dict(_own_names(module, "", layers))
        return {path: known.get(path, path.replace(".", "/")) for path in layers}
    if isinstance(given, Mapping):
        if given.keys() != layers.keys():
            wrong = [n for n in given if n not in layers] or [n for n in layers if n not in given]
            raise ArgumentError(f"{where}: names must have the layers {', '.join(layers)}; it is otherwise with {some(wrong)}")
        return dict(given)
    if isinstance(given, str) or len(given) != len(layers):
        raise ArgumentError(
            f"{where}: names must be a name for each of the {len(layers)} layers {', '.join(layers)}, got {given!r}"
        )
    return dict(zip(layers, given, strict=True))


def _own_names(x: Any, path: str, layers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Paths of layers within those that were given a name, as `jitgrad.train.layers` may be, and Keras' names of them: that name,
    and the rest of the path where there are several within it.
    """
    own = getattr(x, "name", None) if isinstance(x, Module) and "name" in vars(x) else None
    if isinstance(own, str):
        inside = [p for p in layers if p == path or p.startswith(f"{path}.")]
        yield from ((p, own if len(inside) == 1 else f"{own}{p.removeprefix(path).replace('.', '/')}") for p in inside)
    else:
        for place, item in children(x, path):
            yield from _own_names(item, place, layers)


_CELL = re.compile(r"(simple_rnn|lstm|gru)_cell(_\d+)?")


def _place(full: str) -> tuple[str, ...]:
    """The layers that lead to a variable and its name: ("sequential", "lstm", "kernel") for "sequential/lstm/lstm_cell/kernel:0".

    Nothing for the state of a generator, which is no parameter.
    """
    *layers, name = full.removesuffix(":0").split("/")
    if name == "seed_generator_state":
        return ()
    kept = [part for i, part in enumerate(layers) if not i or (layers[i - 1] != part and not _CELL.fullmatch(part))]
    return (*kept, {"depthwise_kernel": "kernel"}.get(name, name))


def _variables(where: str, left: Mapping[str, tuple[str, ...]], layer: str) -> dict[str, str]:
    """The variables of a layer of Keras' of a name, as far as nobody has taken them: their names within it, and whole."""
    wanted = tuple(layer.split("/"))
    found: dict[str, str] = {}
    for full, place in left.items():
        starts = [i for i in range(len(place) - len(wanted)) if place[i : i + len(wanted)] == wanted]
        if not starts:
            continue
        inside = place[starts[0] + len(wanted) :]
        name = "/".join(p.split("_")[0] if p.startswith(("forward_", "backward_")) else p for p in inside)
        if name in found:
            raise ArgumentError(f"{where}: {layer!r} may be the layer of {found[name]!r} or of {full!r}; give more of its path")
        found[name] = full
    return found


def _by_channel(kernel: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The kernel of images [height, width, channels] that are flattened channel by channel."""
    return np.moveaxis(kernel.reshape(*shape, -1), 2, 0).reshape(kernel.shape)


def _check(where: str, module: Module, missing: Sequence[str], unknown: Sequence[str], others: Sequence[str]) -> None:
    """Raise an error that tells all names and shapes that do not fit."""
    parts = [f"the source has no {some([repr(n) for n in missing])}"] if missing else []
    parts += [f"{type(module).__name__} has no place for {some([repr(n) for n in unknown])}"] if unknown else []
    text = "; ".join([*parts, *([some(others)] if others else [])])
    if parts:
        raise ArgumentError(f"{where}: {text}. names= says which layer of Keras is which here.")
    if others:
        raise ShapeError(f"{where}: {text}")
