"""Recurrent networks: RNN, LSTM and GRU over sequences [batch, time, features], and their cells, which do one step.

What a step reads of its input alone is one product for the whole sequence, done before the loop; the loop is a `lax.scan`.
Formulas, the order of gates and the results are PyTorch's; weights are its transposed, [inputs, gates].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import jitgrad.numpy as jnp
from jitgrad import lax, random, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, size_arg
from jitgrad.ranges import Count, Part, Size

from .activations import relu, sigmoid
from .linear import keys_for
from .sizes import Sized, layer_count
from .torch_weights import Layout, plain, turned

State = Any
"""Of a step: h [..., hidden_size]; of an LSTM's the pair (h, c)."""


class _Cell(Sized):
    """One step of a recurrent network: what the three kinds share."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None

    def __init__(
        self, input_size: Count | None, hidden_size: Count, bias: bool = True, *, key: Any = None, dtype: Any = None
    ) -> None:
        where = f"nn.{type(self).__name__}"
        self.hidden_size = size_arg(where, hidden_size, "hidden_size must be an integer", 0)
        self.start(input_size, key, bias, dtype)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype = options
        where = f"nn.{type(self).__name__}"
        self.input_size = size_arg(where, size, "input_size must be an integer", 0)
        bound = 1 / math.sqrt(max(self.hidden_size, 1))
        width = self.gates * self.hidden_size
        shapes = [(self.input_size, width), (self.hidden_size, width), (width,), (width,)]
        keys = keys_for(where, key, 4)
        drawn = [random.uniform(k, s, dtype, -bound, bound) for k, s in zip(keys, shapes, strict=True) if bias or len(s) > 1]
        self.weight_ih, self.weight_hh = drawn[:2]
        self.bias_ih, self.bias_hh = drawn[2:] if bias else (None, None)

    def __call__(self, x: Any, state: State = None) -> State:
        value = self.sized(x)
        if not value.ndim or value.shape[-1] != self.input_size:
            self.refuse_input(f"[..., {self.input_size}] (input_size={self.input_size})", value)
        projected = self.project(value)
        if state is None:
            state = self.zeros(projected.shape[:-1], projected.dtype)
        for h in tree.leaves(state):
            if jnp.shape(h)[-1:] != (self.hidden_size,):
                self.refuse_input(f"with a state [..., {self.hidden_size}] (hidden_size={self.hidden_size})", jnp.asarray(h))
        return self.step(projected, state)

    def zeros(self, shape: Sequence[int], dtype: Any) -> State:
        """The state before the first step."""
        h = jnp.zeros((*shape, self.hidden_size), dtype)
        return h if self.states == 1 else (h,) * self.states

    def project(self, x: Array) -> Array:
        """What the gates read of x alone."""
        return _affine(x, self.weight_ih, self.bias_ih)

    def step(self, projected: Array, state: State) -> State:
        """The next state, of what `project` gave and the state."""
        raise NotImplementedError

    def torch_layout(self, suffix: str = "") -> Layout:
        """The parameters of PyTorch's cell, or of one of its layers, whose names end in `suffix`."""
        weights = {f"weight_{n}{suffix}": turned(getattr(self, f"weight_{n}")) for n in ("ih", "hh")}
        return weights | {f"bias_{n}{suffix}": plain(getattr(self, f"bias_{n}")) for n in ("ih", "hh")}

    def extra_repr(self) -> str:
        return f"input_size={self.input_size}, hidden_size={self.hidden_size}, bias={self.bias_ih is not None}"


def _affine(x: Array, weight: Array, bias: Array | None) -> Array:
    out = x @ weight
    return out if bias is None else out + bias


class RNNCell(_Cell):
    """h' = tanh(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh), or relu's with nonlinearity="relu" (Elman, 1990).

    cell(x, h) gives h'; x is [..., input_size], h [..., hidden_size], 0 by default. Weights are [input_size, hidden_size] and
    [hidden_size, hidden_size]; they and biases start uniform in +-1 / sqrt(hidden_size). ArgumentError for another nonlinearity.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> cell = RNNCell(3, 5, key=jitgrad.random.key(0))
    >>> cell(jnp.ones((2, 3))).shape
    (2, 5)
    """

    gates = 1

    def __init__(
        self,
        input_size: Count | None,
        hidden_size: Count,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f'nn.RNN: nonlinearity must be "tanh" or "relu", got {nonlinearity!r}')
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, bias, key=key, dtype=dtype)

    def step(self, projected: Array, state: Array) -> Array:
        total = projected + _affine(state, self.weight_hh, self.bias_hh)
        return jnp.tanh(total) if self.nonlinearity == "tanh" else relu(total)


class LSTMCell(_Cell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997): of the gates input, forget, cell, output, in this order along the
    last axis of weights and biases, each of x @ weight_ih + bias_ih + h @ weight_hh + bias_hh,

        c' = sigmoid(forget) * c + sigmoid(input) * tanh(cell),    h' = sigmoid(output) * tanh(c').

    cell(x, (h, c)) gives (h', c'); x is [..., input_size], h and c [..., hidden_size], 0 by default. Weights are [input_size,
    4 * hidden_size] and [hidden_size, 4 * hidden_size]; they and biases start uniform in +-1 / sqrt(hidden_size).

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> h, c = LSTMCell(3, 5, key=jitgrad.random.key(0))(jnp.ones((2, 3)))
    >>> h.shape, c.shape
    ((2, 5), (2, 5))
    """

    gates, states = 4, 2

    def step(self, projected: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        h, c = state
        entry, forget, candidate, exit = jnp.split(projected + _affine(h, self.weight_hh, self.bias_hh), 4, axis=-1)
        c = sigmoid(forget) * c + sigmoid(entry) * jnp.tanh(candidate)
        return sigmoid(exit) * jnp.tanh(c), c


class GRUCell(_Cell):
    """Gated recurrent unit (Cho et al., 2014): of the gates reset, update, new, in this order along the last axis of weights and
    biases, with a = x @ weight_ih + bias_ih and b = h @ weight_hh + bias_hh,

        r = sigmoid(a_reset + b_reset),  z = sigmoid(a_update + b_update),  h' = (1 - z) * tanh(a_new + r * b_new) + z * h.

    cell(x, h) gives h'; x is [..., input_size], h [..., hidden_size], 0 by default. Weights are [input_size, 3 * hidden_size] and
    [hidden_size, 3 * hidden_size]; they and biases start uniform in +-1 / sqrt(hidden_size).

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> GRUCell(3, 5, key=jitgrad.random.key(0))(jnp.ones((2, 3))).shape
    (2, 5)
    """

    gates = 3

    def step(self, projected: Array, state: Array) -> Array:
        reset, update, new = jnp.split(projected, 3, axis=-1)
        old_reset, old_update, old_new = jnp.split(_affine(state, self.weight_hh, self.bias_hh), 3, axis=-1)
        z = sigmoid(update + old_update)
        candidate = jnp.tanh(new + sigmoid(reset + old_reset) * old_new)
        return (1 - z) * candidate + z * state


class _Recurrent(Sized):
    """Layers of cells over a sequence: what the three kinds share. `cells[layer][direction]` are the cells."""

    cell: ClassVar[type[_Cell]]
    cells: tuple[tuple[Any, ...], ...]

    def __init__(
        self,
        input_size: Count | None,
        hidden_size: Count,
        num_layers: Size = 1,
        *,
        bias: bool = True,
        batch_first: bool = True,
        dropout: Part = 0.0,
        bidirectional: bool = False,
        key: Any = None,
        dtype: Any = None,
        **kind: Any,
    ) -> None:
        where = f"nn.{type(self).__name__}"
        self.num_layers = layer_count(where, "num_layers", num_layers)
        if not batch_first:
            raise ArgumentError(
                f"{where}: sequences are [batch, time, features], so batch_first must be True. Transpose the input."
            )
        if not 0 <= dropout <= 1:
            raise ArgumentError(f"{where}: dropout must be a probability, got {dropout!r}")
        self.dropout, self.bidirectional = float(dropout), bool(bidirectional)
        self.hidden_size = size_arg(where, hidden_size, "hidden_size must be an integer", 0)
        self.start(input_size, key, bias, dtype, kind)

    def create(self, size: Any, key: Any, *options: Any) -> None:
        bias, dtype, kind = options
        where, hidden_size = f"nn.{type(self).__name__}", self.hidden_size
        self.input_size = size_arg(where, size, "input_size must be an integer", 0)
        directions = 2 if self.bidirectional else 1
        keys = iter(keys_for(where, key, self.num_layers * directions))
        sizes = [self.input_size, *[directions * hidden_size] * (self.num_layers - 1)]
        self.cells = tuple(
            tuple(self.cell(n, hidden_size, bias, key=next(keys), dtype=dtype, **kind) for _ in range(directions)) for n in sizes
        )

    def __call__(self, x: Any, state: State = None, *, lengths: Any = None) -> tuple[Array, State]:
        value = self.sized(x)
        if value.ndim not in (2, 3) or value.shape[-1] != self.input_size:
            self.refuse_input(
                f"[batch, time, {self.input_size}] or [time, {self.input_size}] (input_size={self.input_size})", value
            )
        if value.ndim == 2:
            if lengths is not None:
                self.refuse_input(f"[batch, time, {self.input_size}] where there are lengths", value)
            batched = None if state is None else tree.map(lambda h: jnp.asarray(h)[:, None], state)
            out, last = self(value[None], batched)
            return out[0], tree.map(lambda h: h[:, 0], last)
        flow = jnp.moveaxis(value, 1, 0)
        present = None if lengths is None else self._present(lengths, flow.shape)
        starts = self._starts(state, value.shape[0], jnp.result_type(value, self.cells[0][0].weight_ih))
        ends: list[State] = []
        for number, layer in enumerate(self.cells):
            if number and self.dropout and self.training:
                kept = random.bernoulli(self.next_key(), 1 - self.dropout, flow.shape)
                flow = jnp.where(kept, flow / (1 - self.dropout) if self.dropout < 1 else 0.0, 0.0)
            found = [
                over_time(cell, flow, start, present, i == 1)
                for i, (cell, start) in enumerate(zip(layer, starts[number], strict=True))
            ]
            flow = jnp.concatenate([out for out, _ in found], axis=-1) if len(found) > 1 else found[0][0]
            ends += [end for _, end in found]
        return jnp.moveaxis(flow, 0, 1), tree.map(lambda *h: jnp.stack(h), *ends)

    def _present(self, lengths: Any, shape: tuple[int, ...]) -> Array:
        """Which steps are those of sequences [time, batch, 1], which end after `lengths`."""
        steps, batch, _ = shape
        value = array_arg(f"nn.{type(self).__name__}", lengths)
        if value.shape != (batch,) or value.dtype.kind not in "iu":
            raise ShapeError(
                f"nn.{type(self).__name__}: lengths must be integers of shape [batch] = ({batch},), got {value.dtype} of shape "
                f"{value.shape}"
            )
        return (jnp.arange(steps)[:, None] < value)[..., None]

    def _starts(self, state: State, batch: int, dtype: Any) -> list[list[State]]:
        """The states before the first step, by layer and direction."""
        directions = len(self.cells[0])
        count = self.num_layers * directions
        if state is None:
            return [[cell.zeros((batch,), dtype) for cell in layer] for layer in self.cells]
        shape, states = (count, batch, self.hidden_size), self.cell.states
        given = (state,) if states == 1 else state
        if not isinstance(given, (tuple, list)) or len(given) != states or any(jnp.shape(h) != shape for h in given):
            got = [jnp.shape(h) for h in given] if isinstance(given, (tuple, list)) else type(state).__name__
            what = "the pair (h, c) of arrays" if states == 2 else "an array"
            raise ShapeError(
                f"nn.{type(self).__name__}: the initial state must be {what} [num_layers * directions, batch, hidden_size] = "
                f"{shape}, got {got}"
            )
        parts = [tuple(jnp.asarray(h)[i].astype(dtype) for h in given) for i in range(count)]
        single = [p[0] if states == 1 else p for p in parts]
        return [single[i : i + directions] for i in range(0, count, directions)]

    def torch_layout(self) -> Layout:
        layout: Layout = {}
        for number, layer in enumerate(self.cells):
            for cell, direction in zip(layer, ("", "_reverse"), strict=False):
                layout |= cell.torch_layout(f"_l{number}{direction}")
        return layout

    def extra_repr(self) -> str:
        return (
            f"input_size={self.input_size}, hidden_size={self.hidden_size}, num_layers={self.num_layers}, "
            f"dropout={self.dropout}, bidirectional={self.bidirectional}"
        )


def over_time(cell: _Cell, x: Array, start: State, present: Array | None, reverse: bool) -> tuple[Array, State]:
    """A cell over x [time, batch, features], from the last step to the first if reverse: h of every step, and the last state."""

    def step(state: State, at: tuple[Array, Array | None]) -> tuple[State, Array]:
        projected, here = at
        after = cell.step(projected, state)
        h = after[0] if cell.states > 1 else after
        if here is None:
            return after, h
        return tree.map(lambda new, old: jnp.where(here, new, old), after, state), jnp.where(here, h, 0)

    last, out = lax.scan(step, start, (cell.project(x), present), reverse=reverse)
    return out, last


class RNN(_Recurrent):
    """Layers of RNNCell over a sequence: layer(x, state) gives (out, last).

    x is [batch, time, input_size], or [time, input_size] without batch axes anywhere; out is [batch, time, directions *
    hidden_size]: h of the last layer at every step, both directions' side by side. state, 0 by default, and last are [num_layers *
    directions, batch, hidden_size], a layer's forward direction before its backward one. lengths: integers [batch], where sequences
    are shorter than x; behind its end a sequence changes no state and gives 0.

    num_layers: each reads the one before it. nonlinearity: "tanh" or "relu". dropout: the probability by which, in training,
    elements between two layers become 0. bidirectional: a second cell a layer goes from the end to the beginning. bias=False leaves
    biases out. batch_first must stay True. The cells, `cells[layer][direction]`, have the parameters.

    Raises ShapeError for inputs, states and lengths that do not fit, ArgumentError for options out of range.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = RNN(3, 5, num_layers=2, key=jitgrad.random.key(0))
    >>> out, last = layer(jnp.ones((2, 7, 3)))
    >>> out.shape, last.shape
    ((2, 7, 5), (2, 2, 5))
    """

    cell = RNNCell

    def __init__(
        self,
        input_size: Count | None,
        hidden_size: Count,
        num_layers: Size = 1,
        nonlinearity: str = "tanh",
        *,
        bias: bool = True,
        batch_first: bool = True,
        dropout: Part = 0.0,
        bidirectional: bool = False,
        key: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias=bias, batch_first=batch_first, dropout=dropout, bidirectional=bidirectional,
            key=key, dtype=dtype, nonlinearity=nonlinearity,
        )  # fmt: skip


class LSTM(_Recurrent):
    """Layers of LSTMCell over a sequence: layer(x, (h, c)) gives (out, (h, c)). Arguments are those of `nn.RNN`, without
    nonlinearity; h and c, 0 by default, are [num_layers * directions, batch, hidden_size] each.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = LSTM(3, 5, bidirectional=True, key=jitgrad.random.key(0))
    >>> out, (h, c) = layer(jnp.ones((2, 7, 3)), lengths=jnp.array([7, 4]))
    >>> out.shape, h.shape, c.shape
    ((2, 7, 10), (2, 2, 5), (2, 2, 5))
    """

    cell = LSTMCell


class GRU(_Recurrent):
    """Layers of GRUCell over a sequence: layer(x, state) gives (out, last). Arguments are those of `nn.RNN`, without nonlinearity.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> layer = GRU(3, 5, key=jitgrad.random.key(0))
    >>> out, last = layer(jnp.ones((2, 7, 3)))
    >>> out.shape, last.shape
    ((2, 7, 5), (1, 2, 5))
    """

    cell = GRUCell
