"""`Layer`, what Keras' layers share over modules of jitgrad.nn: common arguments, regularizers, `training=`, and Keras' way to
write one's own: `build`, `add_weight` and `call`.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, NoReturn

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import random, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError
from jitgrad.held import trainable
from jitgrad.nn.calls import Run, located
from jitgrad.nn.holding import hold
from jitgrad.nn.linear import keys_for
from jitgrad.nn.module import pour, set_run
from jitgrad.nn.named import initializer_arg
from jitgrad.nn.parts import modules
from jitgrad.nn.sizes import Sized, build, check_built
from jitgrad.nn.unbuilt import is_unbuilt
from jitgrad.promotion import default_float
from jitgrad.tracing import ShapeDtypeStruct

from .. import regularizers as _regularizers
from ..symbolic import is_symbolic, recorded

COMMON = ("name", "dtype", "trainable", "input_shape", "batch_input_shape", "batch_shape", "input_dim", "autocast")
"""Arguments that all layers have."""
ABSENT = {
    "activity_regularizer": "Add it to the loss: a loss is any function of targets and predictions.",
    "kernel_constraint": "Constraints are not there.",
    "bias_constraint": "Constraints are not there.",
    "recurrent_constraint": "Constraints are not there.",
    "embeddings_constraint": "Constraints are not there.",
}


class _Building(threading.local):
    """The layer whose `build` runs, and what it has asked for."""

    def __init__(self) -> None:
        self.stack: list[_Weights] = []


class _Weights:
    def __init__(self, key: Any) -> None:
        self.key, self.count = key, 0
        self.fixed: list[Any] = []
        self.regularized: list[tuple[Any, Any]] = []


_building = _Building()


class Layer(Sized):
    """The base of Keras' layers, and of one's own: `build(input_shape)` makes weights by `add_weight`, and `call(inputs)` computes.

    Arguments that all layers have: name; dtype, of the weights; input_shape, the shape of one example, or input_dim, its one size,
    of the first layer of a model. Called with training=False a layer is in inference within a model that is being trained.

    >>> import jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> print(nn.build(Scale(), (1, 2))(jnp.array([[3.0, 4.0]])))
    [[3. 4.]]
    """

    name: str | None = None
    input_shape: tuple[int | None, ...] | None = None
    """The shape of an example, where it was given."""
    starts_frozen: bool = False
    """Whether the parameters are frozen as soon as they are there."""
    regularizers: tuple[tuple[str, Any], ...] = ()
    """Attributes, and what is added to the loss for them."""

    input_axes: ClassVar[int | None] = None
    """How many axes the input must have, where only one number of them is right."""
    input_text: ClassVar[str] = ""
    """What such an input is."""

    def __init__(self, **options: Any) -> None:
        self.take(options)
        if type(self).build is not Layer.build:
            self.start(None, None)

    @property
    def where(self) -> str:
        return f"train.layers.{type(self).__name__}"

    def take(self, options: Mapping[str, Any], **regularized: str) -> Any:
        """Read the arguments that all layers have, and regularizers, each of the attribute that is named; gives the dtype."""
        known = (*COMMON, *regularized)
        for name, value in options.items():
            if name in ABSENT:
                if value is not None:
                    raise ArgumentError(f"{self.where}: takes no {name}. {ABSENT[name]}")
            elif name not in known:
                own = [n for n in inspect.signature(type(self).__init__).parameters if n not in ("self", "options")]
                near = get_close_matches(name, [*own, *known], 1, 0.6)
                hint = f"Did you mean {near[0]}?" if near else f"It takes {', '.join([*own, *known])}."
                raise ArgumentError(f"{self.where}: got an unknown argument {name!r}. {hint}")
        if options.get("name") is not None:
            self.name = str(options["name"])
        if options.get("trainable") is False:
            self.starts_frozen = True
        shape = options.get("input_shape")
        if shape is None and options.get("input_dim") is not None:
            shape = (options["input_dim"],)
        for n in ("batch_input_shape", "batch_shape"):
            shape = options[n][1:] if options.get(n) is not None else shape
        if shape is not None:
            self.input_shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        found = [(attribute, _regularizers.get(options[n])) for n, attribute in regularized.items() if options.get(n) is not None]
        if found:
            self.regularizers = tuple(found)
        return options.get("dtype")

    @property
    def trainable(self) -> bool:
        """Whether the layer is trained. Where False is assigned its parameters are frozen (`nn.freeze`), those inside it, too;
        assign before `compile`, which makes the optimizer's state.
        """
        return not self.starts_frozen and not any("frozen" in m._held.values() for _, m in modules(self))

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for _, m in modules(self):
            if isinstance(m, Layer) and (m.starts_frozen or not value):
                m.starts_frozen = not value
            elif is_unbuilt(m):
                check_built(f"{self.where}.trainable", m)
        hold(self, not value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable":
            object.__setattr__(self, name, value)  # no attribute of the pytree
        else:
            super().__setattr__(name, value.as_layer() if hasattr(type(value), "__jitgrad_model__") else value)

    def created(self) -> None:
        if self.starts_frozen:
            hold(self, True)

    def regularization(self) -> Any:
        """What the layer adds to the loss."""
        return sum(r(getattr(self, attribute)) for attribute, r in self.regularizers)

    # Calls

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        if is_symbolic(args, kwargs):
            return recorded(self, args, kwargs if training is None else {**kwargs, "training": bool(training)})
        if training is None or bool(training) == self.training:
            return self._called(*args, **kwargs)
        if training:
            raise ArgumentError(
                f"{located(self)}: training=True must be asked of the outermost call, which gives the layer with what it changed: "
                "`y, layer = nn.apply(layer, x, train=True, key=key)`."
            )
        run = self._run
        set_run(self, Run(False, None if run is None else run.key, None if run is None else run.staging))
        try:
            return self._called(*args, **kwargs)
        finally:
            set_run(self, run)

    def _called(self, *args: Any, **kwargs: Any) -> Any:
        if self.input_axes is not None and args and np.ndim(args[0]) != self.input_axes:
            self.refuse_input(self.input_text, args[0])
        if is_unbuilt(self) and type(self).build is not Layer.build:
            self.found(tree.map(jnp.shape, args[0]))
        if "training" in inspect.signature(self.call).parameters:
            kwargs["training"] = self.training
        return self.call(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the layer computes: by default what the class of jitgrad.nn behind it does."""
        return super().__call__(*args, **kwargs)

    # Weights of layers of one's own

    def build(self, input_shape: Any) -> None:
        """Make the weights, for inputs of this shape, the batch's axis included."""
        if type(self).build is Layer.build and is_unbuilt(self):
            sizes = [1 if n is None else int(n) for n in input_shape]
            pour(self, build(self, ShapeDtypeStruct(sizes, default_float().numpy)))

    def add_loss(self, loss: Any) -> NoReturn:
        """Not there: raises ArgumentError."""
        raise ArgumentError(
            f"{self.where}.add_loss: a call gives its result alone. What depends on weights is added to the loss by a method "
            "regularization(self), which gives it; what depends on inputs is a second result, and is added in the loss function"
        )

    def create(self, size: Any, key: Any, *options: Any) -> None:
        if type(self).build is Layer.build:
            super().create(size, key, *options)
            return
        weights = _Weights(key)
        _building.stack.append(weights)
        try:
            self.build(size)
        finally:
            _building.stack.pop()
        names = [(name, value) for name, value in vars(self).items() if isinstance(value, Array)]
        for name, value in names:
            if any(value is x for x in weights.fixed):
                self.register_buffer(name, value)
        found = tuple((name, r) for name, value in names for x, r in weights.regularized if value is x)
        if found:
            self.regularizers = found

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        name: str | None = None,
    ) -> Array:
        """A weight, to be assigned to an attribute, in `build` or `__init__`. trainable=False: a buffer, which optimizers leave
        alone; in `build` alone, elsewhere register_buffer makes one.
        """
        weights = _building.stack[-1] if _building.stack else None
        if weights is None and (not trainable or regularizer is not None):
            raise ArgumentError(
                f"{self.where}.add_weight: trainable=False and regularizers are for weights made in build(self, input_shape). "
                "Elsewhere self.register_buffer(name, value) makes a buffer."
            )
        key = None
        if weights is not None and weights.key is not None:
            key = random.fold_in(weights.key, weights.count)
            weights.count += 1
        size = (shape,) if isinstance(shape, int) else tuple(shape)
        (own,) = keys_for(self.where, key, 1)
        value = jnp.asarray(initializer_arg(self.where, "initializer", initializer)(own, size, dtype))
        if weights is not None:
            weights.fixed += [] if trainable else [value]
            weights.regularized += [] if regularizer is None else [(value, _regularizers.get(regularizer))]
        return value

    def get_weights(self) -> list[np.ndarray]:
        """All arrays of the layer, in the order in which they were assigned."""
        return [np.array(x) for x in tree.leaves(self)]

    def set_weights(self, weights: Any) -> None:
        """Put arrays in the places of those that `get_weights` gives. Raises ArgumentError for others."""
        leaves, structure = tree.flatten(self)
        shapes = [np.shape(w) for w in weights]
        if shapes != [x.shape for x in leaves]:
            raise ArgumentError(f"{self.where}.set_weights: takes arrays of the shapes {[x.shape for x in leaves]}, got {shapes}")
        made = tree.unflatten(structure, [jnp.asarray(w, x.dtype) for w, x in zip(weights, leaves, strict=True)])
        for name in list(vars(self)):
            setattr(self, name, getattr(made, name))

    @property
    def weights(self) -> list[Array]:
        """The arrays that `get_weights` gives, which are values: `set_weights` sets others."""
        return tree.leaves(self)

    @property
    def trainable_weights(self) -> list[Array]:
        """The parameters that are trained."""
        return tree.leaves(trainable(self))

    def count_params(self) -> int:
        """How many numbers the layer's arrays have."""
        return sum(int(np.size(x)) for x in tree.leaves(self))


def format_of(data_format: str | None) -> str:
    """Keras' data_format, None being channels last."""
    return "channels_last" if data_format is None else data_format


Activation = Callable[[Any], Any] | None
