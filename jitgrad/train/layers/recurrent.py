"""Recurrent layers by Keras' names, defaults and initial values, and the wrappers Bidirectional and TimeDistributed.

Cells are those of jitgrad.nn with Keras' parameters: one bias (two of GRU, as reset_after=True has them), kernels by Glorot,
recurrent kernels orthogonal, and the bias of an LSTM's forget gate 1. Gates are in jitgrad.nn's order.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import nn, random, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.nn.activations import sigmoid
from jitgrad.nn.linear import keys_for
from jitgrad.nn.named import activation_arg, initializer_arg
from jitgrad.nn.recurrent import over_time
from jitgrad.ranges import Count, Part

from .base import Layer


class _KerasCell:
    """What makes a cell of jitgrad.nn Keras'."""

    hidden_size: int
    gates: ClassVar[int]

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype, kernel_init, recurrent_init, bias_init, unit_forget_bias, both = options
        self.input_size, units = size, self.hidden_size
        width = self.gates * units
        keys = keys_for("train.layers", key, 4)
        self.weight_ih = kernel_init(keys[0], (size, width), dtype)
        self.weight_hh = recurrent_init(keys[1], (units, width), dtype)
        first: Any = bias_init(keys[2], (width,), dtype) if bias else None
        self.bias_ih = first.at[units : 2 * units].set(1.0) if bias and unit_forget_bias else first
        self.bias_hh = bias_init(keys[3], (width,), dtype) if bias and both else None


class SimpleRNNCell(_KerasCell, nn.RNNCell):
    def __init__(self, size: Any, units: int, key: Any, activation: Any, recurrent_activation: Any, *options: Any) -> None:
        self.activation, self.hidden_size = activation, units
        self.start(size, key, *options)

    def step(self, projected: Array, state: Array) -> Array:
        total = projected + state @ self.weight_hh
        return total if self.activation is None else self.activation(total)


class LSTMCell(_KerasCell, nn.LSTMCell):
    def __init__(self, size: Any, units: int, key: Any, activation: Any, recurrent_activation: Any, *options: Any) -> None:
        self.activation, self.recurrent_activation, self.hidden_size = activation, recurrent_activation, units
        self.start(size, key, *options)

    def step(self, projected: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        h, c = state
        act, gate = self.activation or jnp.asarray, self.recurrent_activation or jnp.asarray
        entry, forget, candidate, exit = jnp.split(projected + h @ self.weight_hh, 4, axis=-1)
        c = gate(forget) * c + gate(entry) * act(candidate)
        return gate(exit) * act(c), c


class GRUCell(_KerasCell, nn.GRUCell):
    def __init__(self, size: Any, units: int, key: Any, activation: Any, recurrent_activation: Any, *options: Any) -> None:
        if activation is not jnp.tanh or recurrent_activation is not sigmoid:
            raise ArgumentError("train.layers.GRU: its activations are 'tanh' and 'sigmoid'")
        self.hidden_size = units
        self.start(size, key, *options)


class _Recurrent(Layer):
    cell_type: ClassVar[Any]
    has_gates: ClassVar[bool] = True
    forget: ClassVar[bool] = False
    two_biases: ClassVar[bool] = False
    cell: Any

    def __init__(
        self,
        units: Count,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        *,
        dropout: Part = 0.0,
        recurrent_dropout: Part = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        unit_forget_bias: bool = True,
        key: Any = None,
        **options: Any,
    ) -> None:
        dtype = self.take(
            {n: x for n, x in options.items() if n not in ("implementation", "use_cudnn", "seed")},
            kernel_regularizer="cell.weight_ih", recurrent_regularizer="cell.weight_hh", bias_regularizer="cell.bias_ih",
        )  # fmt: skip
        for name, wrong in (("recurrent_dropout", recurrent_dropout), ("stateful", stateful), ("reset_after", not reset_after)):
            if wrong:
                raise ArgumentError(
                    f"{self.where}: {name}={recurrent_dropout if wrong is recurrent_dropout else stateful} is not there"
                )
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"{self.where}: dropout must be a probability, got {dropout}")
        self.units, self.dropout = units, float(dropout)
        self.return_sequences, self.return_state, self.go_backwards = bool(return_sequences), bool(return_state), bool(go_backwards)
        names = (("kernel_initializer", kernel_initializer), ("recurrent_initializer", recurrent_initializer))
        inits = [initializer_arg(self.where, n, x) for n, x in (*names, ("bias_initializer", bias_initializer))]
        acts = activation_arg(self.where, activation), activation_arg(self.where, recurrent_activation)
        self.cell = self.cell_type(
            None, units, key, *acts, use_bias, dtype, *inits, self.forget and unit_forget_bias, self.two_biases
        )

    def regularization(self) -> Any:
        return sum(r(getattr(self.cell, path.removeprefix("cell."))) for path, r in self.regularizers)

    def call(self, inputs: Any, initial_state: Any = None) -> Any:
        x = jnp.asarray(inputs)
        if x.ndim != 3:
            self.refuse_input("[batch, time, features]", x)
        x = self.cell.sized(x)
        if x.shape[-1] != self.cell.input_size:
            self.refuse_input(f"[batch, time, {self.cell.input_size}]", x)
        if self.training and self.dropout:
            kept = random.bernoulli(self.next_key(), jnp.float32(1 - self.dropout), (x.shape[0], 1, x.shape[2]))
            x = jnp.where(kept, x / (1 - self.dropout) if self.dropout < 1 else 0.0, 0.0)
        start = self._start(initial_state, x)
        flow, last = over_time(self.cell, jnp.moveaxis(x, 1, 0), start, None, self.go_backwards)
        states = list(last) if self.cell.states > 1 else [last]
        if self.return_sequences:
            out = jnp.moveaxis(jnp.flip(flow, 0) if self.go_backwards else flow, 0, 1)
        else:
            out = states[0]
        return [out, *states] if self.return_state else out

    def _start(self, given: Any, x: Array) -> Any:
        zeros = self.cell.zeros((x.shape[0],), jnp.result_type(x, self.cell.weight_ih))
        if given is None:
            return zeros
        states = tuple(given) if isinstance(given, (list, tuple)) else (given,)
        wanted = tree.leaves(zeros)
        if [jnp.shape(s) for s in states] != [w.shape for w in wanted]:
            raise ArgumentError(
                f"{self.where}: initial_state must be {len(wanted)} arrays {[*wanted[0].shape]}, "
                f"got {[jnp.shape(s) for s in states]}"
            )
        cast = tuple(jnp.asarray(s).astype(w.dtype) for s, w in zip(states, wanted, strict=True))
        return cast if len(cast) > 1 else cast[0]


class SimpleRNN(_Recurrent):
    """h' = activation(x @ kernel + h @ recurrent_kernel + bias) over [batch, time, features]: the last h [batch, units], or with
    return_sequences all of them; with return_state [out, h]. go_backwards: from the end. dropout: of the inputs, in training.
    """

    cell_type, has_gates = SimpleRNNCell, False

    def __init__(self, units: Count, activation: Any = "tanh", use_bias: bool = True, **options: Any) -> None:
        super().__init__(units, activation, "sigmoid", use_bias, **options)


class LSTM(_Recurrent):
    """Long short-term memory over [batch, time, features]: the last h [batch, units], or with return_sequences all of them; with
    return_state [out, h, c]. Other options are those of `SimpleRNN`.

    >>> from jitgrad import nn
    >>> layer = nn.build(LSTM(5, return_sequences=True), (1, 7, 3))
    >>> layer(jnp.ones((2, 7, 3))).shape
    (2, 7, 5)
    """

    cell_type, forget = LSTMCell, True


class GRU(_Recurrent):
    """Gated recurrent units over [batch, time, features]; arguments and results are those of `SimpleRNN`."""

    cell_type, two_biases = GRUCell, True


class Bidirectional(Layer):
    """A recurrent layer from the beginning and another one from the end, joined: merge_mode "concat", "sum", "mul", "ave", or None
    for the pair.
    """

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", backward_layer: _Recurrent | None = None, **options: Any
    ) -> None:
        self.take(options)
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ArgumentError(f"{self.where}: merge_mode must be 'concat', 'sum', 'mul', 'ave' or None, got {merge_mode!r}")
        if not isinstance(layer, _Recurrent):
            raise ArgumentError(f"{self.where}: takes a recurrent layer, such as LSTM(10), got {type(layer).__name__}")
        if not isinstance(backward_layer, _Recurrent | None):
            raise ArgumentError(
                f"{self.where}: backward_layer must be a recurrent layer or None, got {type(backward_layer).__name__}"
            )
        self.merge_mode = merge_mode
        self.forward_layer = layer
        if self.input_shape is None and layer.input_shape is not None:
            self.input_shape = layer.input_shape
        self.backward_layer = copy.deepcopy(layer) if backward_layer is None else backward_layer
        if backward_layer is None:
            self.backward_layer.go_backwards = not layer.go_backwards

    def call(self, inputs: Any) -> Any:
        there, back = self.forward_layer(inputs), self.backward_layer(inputs)
        states: list[Any] = []
        if self.forward_layer.return_state:
            states = [*there[1:], *back[1:]]
            there, back = there[0], back[0]
        if self.forward_layer.return_sequences:
            back = jnp.flip(back, 1)
        joined = {
            "concat": lambda: jnp.concatenate([there, back], axis=-1),
            "sum": lambda: there + back,
            "mul": lambda: there * back,
            "ave": lambda: (there + back) / 2,
            None: lambda: [there, back],
        }[self.merge_mode]()
        return [joined, *states] if states else joined


class TimeDistributed(Layer):
    """A layer at every step of [batch, time, ...], with the same weights."""

    def __init__(self, layer: Any, **options: Any) -> None:
        self.take(options)
        self.layer = layer

    def call(self, inputs: Any) -> Any:
        x = jnp.asarray(inputs)
        if x.ndim < 3:
            self.refuse_input("[batch, time, ...]", x)
        batch, time = x.shape[:2]
        out = self.layer(x.reshape(batch * time, *x.shape[2:]))
        return tree.map(lambda y: y.reshape(batch, time, *y.shape[1:]), out)
