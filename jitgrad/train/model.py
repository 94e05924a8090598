"""`Model`, the stateful face of training: it owns a module, the optimizer's state and the random key. sequential.py: `Sequential`.

Next on the path: fitting.py (the epochs of `fit`), learner.py (the programs), epochs.py (an epoch as one native call), steps.py
(what it does with a batch).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import nn, random, tree
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.held import trainable
from jitgrad.nn.module import pour
from jitgrad.nn.parts import is_array, is_module
from jitgrad.nn.sizes import unbuilt_paths
from jitgrad.promotion import default_float
from jitgrad.random.generator import next_key
from jitgrad.tracebacks import boundary_methods
from jitgrad.tracing import ShapeDtypeStruct

from . import fitting, predicting
from .arrays import arrays, in_memory
from .bars import verbosity
from .callbacks import Callback, History
from .ends import Ends
from .functional import Functional, examples
from .interrupts import interrupts_noted
from .layers import Layer
from .learner import Learner
from .objective import measures_of, objective_of
from .optimizers import Optimizer, resolve_optimizer
from .steps import Batch, Recipe, State, arguments, called
from .subclassing import module_class
from .symbolic import is_symbolic, recorded
from .weights import Weights


class Model(Weights, Ends):
    """A module with what trains it: `compile`, `fit`, `evaluate`, `predict`, with Keras' arguments and meaning.

    module: an nn.Module; or, with `outputs`, what `Input` gave, and then it is what lies between the two: `Model(inputs, outputs)`.
    Such models share the layers that they are put together of: training one trains the layers of all. Layers without an input size
    get theirs from the first batch, or from `input_shape`, the shape of one example without the batch's axis. key: what initial
    values, dropout and the order of examples are drawn from, by default a key of the generator that `random.seed` sets.

    `model.module` is the module as it is now: a pytree, to use with jit, grad and vmap.

    >>> import jitgrad, numpy as np
    >>> from jitgrad import nn, train
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> model = train.Model(nn.Linear(1, 1), key=jitgrad.random.key(0))
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> history = model.fit(x, 3 * x + 1, epochs=1000, verbose=0)
    >>> print(round(float(model.predict(np.float32([[2.0]]), verbose=0)[0, 0]), 1))
    7.0
    """

    def __init__(
        self,
        module: Any = None,
        outputs: Any = None,
        *,
        inputs: Any = None,
        input_shape: Sequence[int] | None = None,
        key: Any = None,
        name: str | None = None,
    ) -> None:
        self.name = name
        name = f"train.{type(self).__name__}"
        symbolic = module if inputs is None else inputs
        if outputs is not None:
            module = Functional(symbolic, outputs, self.name)
        elif module is None and self._module_class is not None:
            module = self._module_class()
        if not isinstance(module, nn.Module):
            raise ArgumentError(
                f"{name}: takes a module of jitgrad.nn, got {'none' if module is None else type(module).__name__}. A model of "
                "one's own is a class Net(nn.Module) with __call__ or forward; train.Model(Net()) then has compile and fit. Or it "
                "is a subclass of train.Model with a method call"
            )
        self._key, self._order_key, self._build_key = random.split(next_key(name) if key is None else key, 3)
        self._module = module
        self._optimizer_state: Any = None
        self._ends = None
        self._trained: Any = None
        """The structure of the parameters that the optimizer's state is of."""
        self._steps: Any = jnp.int64(0)
        self._learner: Learner | None = None
        self._labels: dict[str, tuple[Any, Any, bool]] = {}
        """By output: the least and the greatest label that the loss has taken, and whether it has taken parts of numbers."""
        self._inputs = None
        self.history: History | None = None
        self.stop_training = False
        if input_shape is not None:
            self.build((None, *input_shape))
        if outputs is not None:
            self._ends = symbolic, outputs
            self._shared, self._inputs = True, examples(symbolic)
            self._build(*self._inputs)

    # Models that are classes with a method `call`

    _module_class: ClassVar[type[nn.Module] | None] = None
    """The class of the module of a subclass that has a method `call`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._module_class = module_class(cls, Model)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._module_class is None or name.startswith("_") or name in _OWN or hasattr(Model, name):
            object.__setattr__(self, name, value)
        elif "_owned" not in vars(self):
            raise ArgumentError(f"{self._name}: call super().__init__() before {name} is assigned")
        else:
            if isinstance(value, Model):
                value, self._shared = value.as_layer(), True
            setattr(self._owned, name, value)
            self._inputs = None

    def __getattr__(self, name: str) -> Any:
        if self._module_class is None or name.startswith("_") or "_owned" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._owned, name)

    # What it owns

    _owned: Any
    __jitgrad_model__ = True
    _shared = False
    """Whether other models have the module's layers, too, so that it must be changed and not be replaced."""

    @property
    def _module(self) -> Any:
        return self._owned

    @_module.setter
    def _module(self, module: Any) -> None:
        if self._shared:
            pour(self._owned, module)
        else:
            self._owned = module

    @property
    def module(self) -> Any:
        """The module as it is now. A module of the same structure may be assigned."""
        return tree.map(lambda x: x, self._owned) if self._shared else self._owned

    @module.setter
    def module(self, module: Any) -> None:
        if detail := tree.difference(tree.structure(self._module), tree.structure(module)):
            raise ArgumentError(f"{self._name}.module: the new module must have the structure of the old one ({detail})")
        self._module = module

    def as_layer(self) -> Any:
        """The module itself, to be part of another model's, which then trains this one, too."""
        self._shared = True
        return self._owned

    @property
    def trainable(self) -> bool:
        """Whether any parameter is trained. Assign True or False before `compile`: all are trained then, or frozen."""
        return nn.parameter_count(self._module, trainable=True) > 0

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if isinstance(self._module, Layer):
            self._module.trainable = value
        else:
            for layer in self.layers:
                if isinstance(layer, Layer):
                    layer.trainable = value
            self._module = nn.unfreeze(self._module) if value else nn.freeze(self._module)
        self._optimizer_state = None

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers as they are now: those of a Sequential or a functional model, or all modules that are attributes, or in
        lists, tuples and dicts that are."""
        found = getattr(self._module, "layers", None)
        return tuple(found) if isinstance(found, tuple) else tuple(_modules_in(list(vars(self._module).values())))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name, or by its number."""
        if index is not None:
            return self.layers[index]
        names = [getattr(layer, "name", None) for layer in self.layers]
        if name is None or names.count(name) != 1:
            known = ", ".join(repr(n) for n in names if n is not None)
            what = "no" if name not in names else "more than one"
            raise ArgumentError(
                f"{self._name}.get_layer: there is {what} layer {name!r}. Layers that have names: {known or 'none'}."
            )
        return self.layers[names.index(name)]

    @property
    def built(self) -> bool:
        """Whether all layers know their input sizes, and have parameters."""
        return not unbuilt_paths(self._module)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Give the layers their input sizes: input_shape is that of a batch, whose first number, the batch's, may be None."""
        self._inputs = (ShapeDtypeStruct(tuple(1 if n is None else int(n) for n in input_shape), self._dtype),)
        self._build(*self._inputs)

    def _build(self, *inputs: Any) -> None:
        if not self.built:
            self._build_key, key = random.split(self._build_key)
            self._module = nn.build(self._module, *inputs, key=key)

    def get_state(self) -> dict[str, Any]:
        """The module, the optimizer's state, the number of steps and the random keys, as one pytree: what a checkpoint holds."""
        return self._state()._asdict() | {"order_key": self._order_key}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `get_state` gave, of this model or one of the same structure."""
        self.module = state["module"]
        self._optimizer_state, self._key, self._steps = state["optimizer"], state["key"], state["step"]
        self._order_key = state["order_key"]

    @property
    def _dtype(self) -> np.dtype[Any]:
        """The element type that floats of x and y are cast to: that of the parameters."""
        floats = [x.dtype for x in tree.leaves(self._module) if is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)]
        return np.dtype(jnp.result_type(*floats) if floats else default_float().numpy)

    def _compiled(self, where: str) -> Learner:
        if self._learner is None:
            raise ArgumentError(f"{self._name}.{where}: call compile(optimizer=..., loss=...) before")
        return self._learner

    def _state(self) -> State:
        if self._optimizer_state is None and self._learner is not None:
            self._optimizer_state = self._learner.recipe.optimizer.init(self._module)
            self._trained = tree.structure(trainable(self._module))
        return State(self._module, self._optimizer_state, self._key, self._steps)

    def _check_unchanged(self, where: str) -> None:
        """Raise ArgumentError where the optimizer's state is that of other parameters: a layer has been frozen since, or not any
        more."""
        if self._optimizer_state is None:
            self._trained = None
            return
        now = tree.structure(trainable(self._module))
        if self._trained is not None and now != self._trained:
            raise ArgumentError(
                f"{where}: layers were changed, or `trainable` of one was set, after training had begun: call compile again, as "
                "the optimizer's state is that of the parameters before"
            )

    def _keep(self, state: State) -> None:
        # Layers that are shared get their arrays one by one, which Ctrl-C must not cut in two.
        with interrupts_noted() if self._shared else contextlib.nullcontext():
            self._module, self._optimizer_state, _, self._steps = state

    def _listed(self, x: Any) -> Any:
        """x, where a list of arrays is what a model of several inputs takes, one array in a list stands for
        itself, and [n] of one number an example is [n, 1]."""
        several = isinstance(self._module, Functional) and len(self._module.input_names) > 1
        if several:
            return tuple(x) if isinstance(x, list) else x
        if isinstance(x, list) and len(x) == 1 and hasattr(x[0], "shape") and len(x[0].shape):
            x = x[0]
        if isinstance(x, list):
            with contextlib.suppress(ValueError):  # rows that differ in shape are refused later
                x = np.asarray(x)
        wanted, got = (getattr(a, "shape", None) for a in ((self._inputs or (None,))[0], x))
        if wanted is not None and got is not None and wanted[-1:] == (1,) and len(got) == len(wanted) - 1 > 0:
            return np.asarray(x)[..., None]
        return x

    def _examples(self, where: str, x: Any) -> Any:
        """`_listed`, for data. Raises ShapeError for one example alone."""
        x = self._listed(x)
        wanted, got = (getattr(a, "shape", None) for a in ((self._inputs or (None,))[0], x))
        if wanted is not None and len(wanted) > 1 and got == wanted[1:]:
            raise ShapeError(
                f"{where}: x must have an axis of examples, its first, [examples, {', '.join(map(str, got))}], got {list(got)}. "
                "One example is x[None]"
            )
        return x

    def _by_output(self, given: Any) -> Any:
        """Targets or weights, where a list of arrays has one for each of several outputs; one array in a list stands for itself."""
        several = len(self._output_names or ()) > 1 or (self._learner is not None and bool(self._learner.recipe.objective.logged))
        if several:
            return tuple(given) if isinstance(given, list) and all(a is None or np.ndim(a) for a in given) else given
        alone = isinstance(given, list) and len(given) == 1 and len(getattr(given[0], "shape", ())) > 0
        return given[0] if alone else given

    def _batch(self, where: str, x: Any, y: Any, weight: Any) -> Batch:
        """What is given as x, y and weights of examples, as a Batch of NumPy arrays."""
        names = self._output_names
        if names is not None and isinstance(weight, Mapping) and (unknown := [n for n in weight if n not in names]):
            raise ArgumentError(
                f"{where}: sample_weight names {', '.join(map(repr, unknown))}, which the model has no output of. Its outputs: "
                f"{', '.join(map(repr, names))}"
            )
        return in_memory(where, self._examples(where, x), self._by_output(y), self._by_output(weight), self._dtype)

    @property
    def _output_names(self) -> tuple[str, ...] | None:
        """Of a model that was made of inputs and outputs."""
        return self._module.output_names if isinstance(self._module, Functional) else None

    def _ready(self, x: Any) -> None:
        """Build what is unbuilt for examples of the inputs."""
        if self._inputs is not None:
            return
        args, kwargs = arguments(tree.map(lambda a: ShapeDtypeStruct((1, *a.shape[1:]), a.dtype), x))
        if kwargs:
            if not self.built:
                raise ArgumentError(f"{self._name}: layers without an input size need inputs by position, not by name")
            return
        self._build(*args)
        self._inputs = args

    # Training

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *,
        loss_weights: Any = None,
        run_eagerly: bool = False,
    ) -> None:
        """Say how to train.

        optimizer: a name ("adam", "sgd", ...), one of `train.optimizers` or of `jitgrad.optim`. loss: a name ("mse",
        "sparse_categorical_crossentropy", ...), one of `train.losses`, or a function of targets and predictions that gives one loss
        an example, or one number; predictions are whatever the module gives. metrics: names, or metrics of `train.metrics` or
        `jitgrad.metrics`; weighted_metrics: those that take examples by their weights. run_eagerly: compile nothing, so that print
        and pdb in the model see numbers.

        A model of several outputs takes a list of losses in their order, or a dict by name, in which None is no loss, and so
        loss_weights, which they are added with, and metrics, of which each output may have a list. Logs have each one's loss, too,
        and the output's name in front of its metrics. Outputs have the names of the layers that give them; those without a name,
        and those of a class of one's own, which gives a tuple, are "output_0", "output_1" and so on. One name of a loss is the loss
        of each output; one function of one's own gets all targets and all predictions.
        """
        if loss is None:
            raise ArgumentError(f"{self._name}.compile: loss is missing. Name one, such as loss='mse', or give a function.")
        where = f"{self._name}.compile"
        objective = objective_of(where, loss, loss_weights, self._output_names)
        measures, weighted = measures_of(where, objective, self._output_names, metrics, weighted_metrics)
        recipe = Recipe(objective, resolve_optimizer(optimizer), measures, weighted)
        self._learner = Learner(recipe, run_eagerly)
        self._optimizer_state, self._labels = None, {}
        self.stop_training = False

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Iterable[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for some epochs, and give the history of losses and metrics: `history.history` by name, `history.plot()`.

        x, y: data in memory, arrays of [examples, ...], where a tuple or dict x has the module's arguments; or x is a dataset,
        which gives batches x, (x, y) or (x, y, weights), anew each time that it is iterated. With data in memory an epoch is one
        native call, unless a callback wants to see each batch or steps_per_epoch is given.

        batch_size: 32 by default. verbose: 1 for a bar an epoch, 2 for a line, 0 for silence; "auto" is 1 where tqdm is installed.
        validation_split: the share of examples, the last ones, that are kept for validation; validation_data: (x, y), (x, y,
        weights) or a dataset. class_weight: by label. steps_per_epoch, validation_steps: the most batches, all by default. The
        rest is Keras', too.

        Ctrl-C ends it with the model as it was after the last whole step. Raises InvalidValueError where the loss is not finite:
        the model is as it was before that step then.
        """
        return fitting.fit(self, fitting.Plan(**{n: v for n, v in locals().items() if n != "self"}))

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss and the metrics over data in memory or a dataset, in inference: a number, a list with the loss first where there
        are metrics, or a dict by name with return_dict=True.
        """
        where = f"{self._name}.evaluate"
        self._compiled("evaluate")
        source = fitting.source(where, self, x, y, sample_weight, batch_size)
        logs = fitting.evaluate(self, source, steps, verbosity(where, verbose), fitting.dispatcher(where, self, callbacks))
        if return_dict:
            return logs
        return logs["loss"] if len(logs) == 1 else list(logs.values())

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Iterable[Callback] | Callback | None = None,
    ) -> Any:
        """The module's results for all examples of x, data in memory or a dataset, in inference: NumPy arrays."""
        return predicting.predict(self, x, batch_size, verbose, steps, callbacks)

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """The module's result for a batch. training: as in a step of `fit`, but the model stays as it is. Called with symbolic
        arrays it is a layer of the model that is being put together, which trains it, too.
        """
        if is_symbolic(x):
            if training is not None and not isinstance(self.as_layer(), Layer):
                raise ArgumentError(
                    f"{self._name}: training= of a part of another model is for modules that are layers of train: make "
                    f"{type(self._module).__name__} a subclass of train.Layer or train.Model"
                )
            return recorded(self.as_layer(), (x,), {} if training is None else {"training": bool(training)})
        given = arrays(f"{self._name}", "x", self._listed(x), self._dtype)
        self._ready(given)
        if not training:
            return called(self._module, given)
        args, kwargs = arguments(given)
        return nn.apply(self._module, *args, train=True, key=random.fold_in(self._key, self._steps), **kwargs)[0]

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None) -> dict[str, Any]:
        """One step with a batch; its loss and metrics by name."""
        return fitting.train_on_batch(self, x, y, sample_weight, class_weight)

    # Looks and files

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given, or made of its name; its `learning_rate` is the model's."""
        made = self._compiled("optimizer").recipe.optimizer
        return made.of(self) if isinstance(made, Optimizer) else made

    @property
    def metrics_by_name(self) -> dict[str, Any]:
        """The metrics of `compile`, by their names in logs."""
        return {} if self._learner is None else self._learner.recipe.metrics

    @property
    def learning_rate(self) -> float:
        """The optimizer's learning rate as it is now. A number may be assigned.

        Raises ArgumentError where the state does not have it: optimizers of `train.optimizers` keep it there, those of
        `jitgrad.optim` do with `optim.inject_hyperparams`.
        """
        return float(self._hyperparams()["learning_rate"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        given = self._hyperparams()
        if callable(getattr(self._compiled("learning_rate").recipe.optimizer, "learning_rate", None)):
            raise ArgumentError(f"{self._name}.learning_rate: the optimizer has a schedule, which would set it anew in each step")
        changed = {**given, "learning_rate": jnp.asarray(value, given["learning_rate"].dtype)}
        self._optimizer_state = self._optimizer_state._replace(hyperparams=changed)

    def _hyperparams(self) -> Any:
        self._compiled("learning_rate")
        found = getattr(self._state().optimizer, "hyperparams", {})
        if "learning_rate" not in found:
            raise ArgumentError(
                f"{self._name}.learning_rate: the optimizer does not keep it in its state. Take one of train.optimizers, or make "
                "it by optim.inject_hyperparams(optim.adam)(learning_rate=1e-3)"
            )
        return found

    def summary(self, *inputs: Any) -> None:
        """Print the layers, the shapes of what they give for a batch of `inputs`' shape, by default that of inputs so far with one
        example, and their parameters."""
        if not self.built and not inputs and self._inputs is None:
            raise ArgumentError(
                f"{self._name}.summary: layers without an input size have no parameters yet. Put Input(shape) in front of them, "
                "call model.build((None, 28, 28)) with the shape of a batch, or call the model on a batch before"
            )
        nn.summary(self._module, *(inputs or self._inputs or ()))

    def __repr__(self) -> str:
        return f"{self._name}({self._module!r})"


def _modules_in(x: Any) -> Iterator[Any]:
    """The modules in lists, tuples and dicts, without those inside of modules."""
    if is_module(x):
        yield x
    elif isinstance(x, (list, tuple, dict)):
        for item in x.values() if isinstance(x, dict) else x:
            yield from _modules_in(item)


_OWN = ("name", "history", "stop_training")
"""Attributes of a Model itself."""
_PLAIN = ("__init__", "__setattr__", "__getattr__")
"""Methods whose errors keep their frames until they leave another one."""


boundary_methods(Model, plain=_PLAIN)
