"""Which modules are being called, in this thread, and what they may do meanwhile: assign to themselves, draw random keys.

A module may do so in a call that `apply` runs (training.py), on the copy that it made: its modules have a `Run`. Errors say where
in the outermost module the one is that raised them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.flags import check_flags, flags_of
from jitgrad.random import fold_in
from jitgrad.tracebacks import leave
from jitgrad_compiler.ir.builder import state

from .parts import modules, shown
from .unbuilt import ADVICE, is_unbuilt

_OURS = __name__.partition(".")[0] + "."


class Run:
    """What the modules of one `apply` share: whether they are in training, the key, how many keys were drawn of it, the trace that
    all this belongs to, and who is told which layer found its input size (`build`).
    """

    __slots__ = ("count", "found", "key", "staging", "train")

    def __init__(self, train: bool, key: Any, staging: Any, found: Callable[[Any, Any], None] | None = None) -> None:
        self.train, self.key, self.staging, self.count, self.found = train, key, staging, 0, found


BUILDING = Run(False, None, None)
"""Of a module whose constructor runs."""
APART = Run(True, None, BUILDING)
"""Of a module in training that a transform inside of `apply` has made of another one."""


class _Running(threading.local):
    def __init__(self) -> None:
        self.stack: list[Any] = []
        """The modules that are being called, the outermost first."""
        self.record: Callable[[Any, Any], None] | None = None
        """Called with every module and its result: `summary`."""


running = _Running()


def are_running() -> bool:
    return bool(running.stack)


def tracked(call: Callable[..., Any]) -> Callable[..., Any]:
    """The method of a module that is its call, which errors know of."""

    flags = flags_of(call) if str(call.__module__).startswith(_OURS) else ()

    @functools.wraps(call)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        stack = running.stack
        stack.append(self)
        try:
            if flags:
                check_flags(type(self), flags, (self, *args), kwargs)
            out = call(self, *args, **kwargs)
        except Exception as error:
            if not hasattr(error, "jitgrad_module"):
                error.jitgrad_module = self  # type: ignore[attr-defined]
                if len(stack) > 1:
                    error.add_note(f"in the call of {located(self)}")
            if len(stack) == 1:
                leave(error)
            raise
        finally:
            stack.pop()
        if running.record is not None:
            running.record(self, out)
        return out

    return __call__


def path_of(module: Any) -> str:
    """Where in the outermost module that is being called another one is; through modules that transforms made, by their class."""
    chain = [*running.stack, module]
    path, outer = "", chain[0]
    for inner in chain[1:]:
        place = next((p for p, m in modules(outer) if m is inner), None)
        path += f".<{type(inner).__name__}>" if place is None else place
        outer = inner
    return shown(path)


def located(module: Any) -> str:
    """What a module is called in an error: its class and, inside another one, its path."""
    name = type(module).__name__
    path = path_of(module)
    return f"{type(running.stack[0]).__name__}.{path} ({name})" if path else name


def refuse(module: Any, expected: str, got: Any) -> NoReturn:
    """Raise ShapeError: a layer's input is not what it takes. `got` is the input."""
    error = ShapeError(f"{located(module)}: the input must be {expected}, got {got.dtype}{list(got.shape)}.")
    error.jitgrad_module = module  # type: ignore[attr-defined]
    raise error


def check_assignment(module: Any, name: str) -> None:
    """Raise ArgumentError where a call assigns to a module that it should leave as it is."""
    run = module._run
    if run is BUILDING or (run is not None and run.staging is state.staging):
        return
    if run is None and not any(module is m for m, _ in ((m, 0) for _, m in modules(running.stack[0]))):
        return
    if run is None:
        text = (
            "inside its call, which would be lost or outlive a transform. Call it by `y, module = nn.apply(module, x)`, which "
            "gives the module with its new attributes"
        )
    else:
        text = (
            "inside a transform within nn.apply, which would not come out of it. There call "
            "`y, layer = nn.apply(layer, x, train=True, key=key)`, and return the layer from the transformed function"
        )
    raise ArgumentError(f"{located(module)}: attribute {name!r} is assigned {text}.")


def next_key(module: Any) -> Any:
    """The next key of the module's run."""
    run = module._run
    if run is None or (run.key is None and run is not APART):
        raise ArgumentError(
            f"{located(module)} draws random numbers: it needs a key. Give one to the call of the whole module: "
            "`y, module = nn.apply(module, x, train=True, key=key)`, with key = jitgrad.random.key(0), or one split from it."
        )
    if run.staging is not state.staging:
        raise ArgumentError(
            f"{located(module)} draws random numbers inside a transform (jit, vmap, scan, checkpoint) within nn.apply, so it needs "
            "a key of its own. There call `y, layer = nn.apply(layer, x, train=True, key=key)`, with a key that is an argument of "
            "the transformed function: self.next_key(), or jitgrad.random.split of it."
        )
    run.count += 1
    return fold_in(run.key, run.count - 1)


FOREIGN = {
    "Training and inference are two ways to call it: nn.apply(module, x, train=True, key=key), and module(x)": "train eval",
    "nn.freeze(module, 'layers[0]') freezes parameters": "requires_grad requires_grad_ trainable",
    "A module is a pytree: use jitgrad.tree.leaves(module), or jitgrad.tree.leaves_with_path": (
        "parameters named_parameters children named_children named_modules buffers named_buffers params "
        "variables weights trainable_variables get_weights set_weights"
    ),
    "jitgrad.io.save(path, module) saves a module, jitgrad.io.save_torch with PyTorch's names": "state_dict save save_weights",
    "jitgrad.io.load(path, like=module) gives a saved module, jitgrad.io.load_torch(module, state) takes PyTorch's parameters": (
        "load_state_dict load load_weights"
    ),
    "Gradients are results of jitgrad.grad, and nothing is kept": "zero_grad backward grad",
    "jitgrad.tree.map(lambda x: x.astype(...), module) changes the types of arrays": "half float double to type bfloat16",
    "There is one device": "cuda cpu device",
    "jitgrad.nn.parameter_count(module) counts parameters, nn.summary prints them": "count_params summary",
    "Assign the array: self.name = array": "register_parameter param",
    "Assign the module: self.name = module, or a list of modules": "add_module register_module",
    "Use jitgrad.jit of a function of the module": "compile",
}
"""For what modules of other libraries have: what to use here."""


def missing_attribute(module: Any, name: str) -> str:
    if hasattr(type(module), name):
        return f"the property {name!r} of {type(module).__name__} raised an AttributeError itself: call its fget to see it"
    start = f"{type(module).__name__} has no attribute {name!r}"
    if is_unbuilt(module):
        return f"{start}: it {ADVICE}"
    for text, names in FOREIGN.items():
        if name in names.split():
            return f"{start}. {text}."
    known = [n for n in dir(module) if not n.startswith("_")]
    near = get_close_matches(name, known, 1, 0.6)
    return f"{start}. Did you mean {near[0]!r}?" if near else f"{start}. It has {', '.join(vars(module)) or 'none'}."
