"""`Module`, the class of layers and models: what is assigned to one is part of a pytree. Beside it: plans.py (how it is flattened),
parts.py (what is inside), calls.py (which modules are being called), training.py (`apply`), holding.py (`freeze`).

    class Net(nn.Module):
        def __init__(self):
            self.hidden, self.out = nn.Linear(784, 100), nn.Linear(100, 10)

        def __call__(self, x):
            return self.out(nn.relu(self.hidden(x)))

A module changes where its attributes are assigned, in `__init__` and outside of calls; transforms and optimizers never change one,
but make new ones of its class, without `__init__`.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import optree

import jitgrad.numpy as jnp
from jitgrad import signatures
from jitgrad.construction import construct
from jitgrad.errors import ArgumentError, MissingNameError
from jitgrad.tracebacks import leave
from jitgrad.tree_keys import keyed_types
from jitgrad.tree_registration import NAMESPACE

from . import calls
from .parts import check_places, modules
from .plans import Kind, Plan, kind_of, make_plan, seen_as
from .printing import module_text


class _Construction(threading.local):
    depth = 0
    """How many constructors of modules run inside one another."""


_construction = _Construction()


class _ModuleType(abc.ABCMeta):
    """The type of module classes: it knows when a constructor has ended."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        _construction.depth += 1
        try:
            module = construct(cls.__name__, cls, cls.__init__, super().__call__, args, kwargs)  # type: ignore[misc]
        except Exception as error:
            if _construction.depth == 1:
                leave(error)
            raise
        finally:
            _construction.depth -= 1
        _set_run(module, None)
        if not _construction.depth:
            check_places(module)
        return module


class Module(metaclass=_ModuleType):
    """The base of layers and models. A subclass assigns arrays and other modules to attributes in `__init__`, and has a method
    `__call__` or `forward`; `super().__init__()` need not be called.

    A module is a pytree. Its children are the attributes that hold arrays, modules, or lists, tuples and dicts of these; all others
    are static. So it is an argument and a result of jitted functions, `grad` with respect to it is one of its class, and
    `vmap(Net)(keys)` is an ensemble. `module(x)` is inference; `nn.apply` trains, and gives a module with new running statistics.

    Raises ArgumentError where one module or array stands in two places, and where a call assigns to its module without `nn.apply`.

    >>> import jitgrad, jitgrad.numpy as jnp
    >>> from jitgrad import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self, size):
    ...         self.size, self.factor = size, jnp.ones(size)
    ...     def __call__(self, x):
    ...         return x * self.factor
    >>> print(jitgrad.grad(lambda m: jnp.sum(m(jnp.arange(3.0))))(Scale(3)).factor)
    [0. 1. 2.]
    """

    __slots__ = ("__dict__", "__weakref__", "_held", "_plan", "_run")
    __jitgrad_module__ = True
    _held: dict[str, str]
    _plan: Plan | None
    _run: calls.Run | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        module = object.__new__(cls)
        _set_held(module, {})
        _set_plan(module, None)
        _set_run(module, calls.BUILDING)
        return module

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _register(cls)
        if "__call__" in cls.__dict__:
            cls.__call__ = calls.tracked(cls.__dict__["__call__"])  # type: ignore[method-assign]
        elif "forward" in cls.__dict__ and getattr(cls.__call__, "of_forward", False):
            cls.__call__ = _call_of_forward()  # type: ignore[method-assign]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"{type(self).__name__} has no method __call__ or forward, so it can't be called. Define one of them.")

    def __setattr__(self, name: str, value: Any) -> None:
        if calls.are_running():
            calls.check_assignment(self, name)
            if self._run is not None:
                set_run(value, self._run)
        if self._plan is not None:
            _set_plan(self, _after_assignment(self, self._plan, name, value))
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        _set_held(self, {n: why for n, why in self._held.items() if n != name})
        if self._plan is not None:
            _set_plan(self, make_plan(type(self), vars(self), self._held, self._plan.kinds))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise MissingNameError(calls.missing_attribute(self, name))

    def __repr__(self) -> str:
        return module_text(self)

    def __getstate__(self) -> Any:
        return vars(self), self._held

    def __setstate__(self, state: Any) -> None:
        attributes, held = state
        self.__dict__.update(attributes)
        _set_held(self, held)
        _set_run(self, None)

    def extra_repr(self) -> str | None:
        """What is printed in parentheses behind the class; None: the static attributes, and the types of arrays."""
        return None

    @property
    def training(self) -> bool:
        """Whether the module is being called by `nn.apply` with train=True."""
        return self._run is not None and self._run.train

    def next_key(self) -> Any:
        """A random key for a layer's call, of those that the key of `nn.apply(module, x, key=key)` stands for.

        Raises ArgumentError where no key was given, and inside a transform within the call.
        """
        return calls.next_key(self)

    def refuse_input(self, expected: str, got: Any) -> NoReturn:
        """Raise ShapeError, which says where in the model this layer is, what its input `got` was and what it must be."""
        calls.refuse(self, expected, got)

    def register_buffer(self, name: str, value: Any) -> None:
        """Assign an array that is no parameter, such as running statistics: gradients leave it out, optimizers keep it as it is.

        It is read as `self.name`. A number becomes an array.

        >>> from jitgrad import nn
        >>> class Counter(nn.Module):
        ...     def __init__(self):
        ...         self.register_buffer("count", 0)
        >>> Counter().count
        Array(0, dtype=int64)
        """
        if isinstance(value, (int, float, complex)):
            value = jnp.asarray(value)
        _set_held(self, {**self._held, name: "buffer"})
        setattr(self, name, value)


Module.__call__.of_forward = True  # type: ignore[attr-defined]


def _call_of_forward() -> Callable[..., Any]:
    """The call of a class that has a method `forward`: a function of its own, with which its compiled programs live."""

    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    call: Any = calls.tracked(__call__)
    call.of_forward = True
    return call


_set_held, _set_plan, _set_run, _set_attributes = (vars(Module)[n].__set__ for n in ("_held", "_plan", "_run", "__dict__"))


def _after_assignment(module: Module, plan: Plan, name: str, value: Any) -> Plan:
    """The plan of a module after an assignment, which it needs not look at other attributes for."""
    known = plan.kinds.get(name)
    kind = seen_as(value)
    if kind is Kind.STATIC and known not in (None, Kind.STATIC) and kind_of(vars(module)[name]) is Kind.STATIC:
        kind = known  # one leaf for another in a tree of leaves that are no arrays
    if kind == known and kind is not Kind.STATIC and plan.held == module._held:
        return plan
    return make_plan(type(module), {**vars(module), name: value}, module._held, {**plan.kinds, name: kind})


def plan_of(module: Module) -> Plan:
    """The plan of a module, made where it has none, or an outdated one."""
    plan = module._plan
    if plan is None:
        check_places(module)
        plan = make_plan(type(module), vars(module), module._held)
        _set_plan(module, plan)
    elif plan.changing and not plan.fits(vars(module)):
        known = {n: k for n, k in plan.kinds.items() if n not in plan.changing}
        plan = make_plan(type(module), vars(module), module._held, known)
        _set_plan(module, plan)
    return plan if module._run is None or not module._run.train else plan.in_training()


def mark(module: Module, held: dict[str, str]) -> None:
    """Let a module that nobody else has hold other attributes: names, each with "buffer" or "frozen"."""
    plan = plan_of(module)
    _set_held(module, held)
    _set_plan(module, make_plan(type(module), vars(module), held, plan.kinds))


def pour(module: Module, other: Module) -> None:
    """Let a module have all that another one of its class has, and keep the modules inside of it, which get theirs from those
    inside the other."""
    if module is other:
        return
    attributes = {name: _poured(module.__dict__.get(name), value) for name, value in other.__dict__.items()}
    module.__dict__.clear()
    module.__dict__.update(attributes)
    _set_held(module, other._held)
    _set_plan(module, other._plan)


def _poured(old: Any, new: Any) -> Any:
    if type(old) is not type(new):
        return new
    if isinstance(new, Module):
        pour(old, new)
        return old
    if type(new) in (list, tuple) and len(old) == len(new):
        return type(new)([_poured(a, b) for a, b in zip(old, new, strict=True)])
    if type(new) is dict and old.keys() == new.keys():
        return {name: _poured(old[name], value) for name, value in new.items()}
    return new


def put_last(module: Module, names: Iterable[str]) -> None:
    """Let these attributes come behind the others."""
    attributes = module.__dict__
    attributes.update({n: attributes.pop(n) for n in names})
    _set_plan(module, None)


def set_run(module: Module, run: calls.Run | None) -> None:
    """Let a module and those inside it know of the `apply` that calls them."""
    for _, m in modules(module):
        _set_run(m, run)


def _flatten(module: Module) -> tuple[Any, Plan, Any]:
    plan = plan_of(module)
    return plan.flatten(module.__dict__), plan, plan.keys


def _unflatten(plan: Plan, children: Any) -> Module:
    module: Module = object.__new__(plan.cls)
    _set_attributes(module, plan.unflatten(children))
    _set_held(module, plan.held)
    _set_plan(module, plan.inference)
    _set_run(module, calls.APART if plan.training else None)
    return module


def _scan(module: Module, leaves: list[Any]) -> Any:
    """What `signatures.scan` asks of a module: the plan says what is held."""
    plan = plan_of(module)
    children = plan.flatten(module.__dict__) if plan.mixed else plan.values(module.__dict__)
    return signatures.scan_all(children, leaves, [plan])


def _register(cls: type) -> None:
    optree.register_pytree_node(cls, _flatten, _unflatten, namespace=NAMESPACE)  # type: ignore[arg-type]
    keyed_types.add(cls)
    signatures.register_walker(cls, _scan)


_register(Module)
