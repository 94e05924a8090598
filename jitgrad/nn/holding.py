"""Frozen parameters: `freeze` and `unfreeze` give a module whose parameters are held (jitgrad/held.py), or not; their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

from jitgrad import tree
from jitgrad.array import as_value
from jitgrad.errors import ArgumentError

from .module import Module, mark
from .parts import arrays, is_array, is_module, modules, parts, shown
from .sizes import check_built

M = TypeVar("M", bound=Module)
Where = Callable[[str], bool] | str | Iterable[str] | None


def freeze(module: M, where: Where = None) -> M:
    """The module with parameters that stay as they are: gradients leave them out, optimizers do not see them.

    where: all parameters by default; a path such as "encoder.layers[0]" or several, each with all that is inside; or a function of
    the path of a parameter ("encoder.layers[0].weight"). Parameters are frozen as attributes: all arrays of a list or none.

    Raises ArgumentError for a path where no parameter is.

    >>> from jitgrad import nn
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2))
    >>> nn.parameter_count(nn.freeze(model, "layers[0]"), trainable=True)
    18
    """
    return _marked("nn.freeze", module, where, "frozen")


def unfreeze(module: M, where: Where = None) -> M:
    """The module with parameters that `freeze` has frozen trained again; see there. Buffers stay held.

    >>> from jitgrad import nn
    >>> model = nn.freeze(nn.Linear(4, 8))
    >>> nn.parameter_count(nn.unfreeze(model, "bias"), trainable=True)
    8
    """
    return _marked("nn.unfreeze", module, where, "")


def parameter_count(module: Any, trainable: bool = False) -> int:
    """How many numbers the parameters of a module, or of a pytree of modules and arrays, have; buffers are no parameters.

    trainable: without frozen parameters. Raises NotAnArrayError for what has leaves of other kinds.

    >>> from jitgrad import nn
    >>> parameter_count(nn.Linear(4, 8))
    40
    """
    check_built("nn.parameter_count", module)
    for leaf in tree.leaves(module):
        as_value(leaf, "nn.parameter_count", borrow=True)
    total = sum(x.size for _, x in arrays(module))
    for _, m in modules(module):
        counted = [value for name, value in vars(m).items() if m._held.get(name) in (None, *(() if trainable else ("frozen",)))]
        total += sum(x.size for value in counted for _, x in arrays(value))
    return total


def hold(module: Any, frozen: bool) -> None:
    """Freeze all parameters of a module that nobody else has, or none of them."""
    for _, m in modules(module):
        held = {n: why for n, why in m._held.items() if why == "buffer"}
        if frozen:
            held |= {n: "frozen" for n, value in vars(m).items() if n not in held and any(True for _ in arrays(value))}
        mark(m, held)


def _marked(where: str, module: M, chosen: Where, why: str) -> M:
    """A copy of the module, whose chosen parameters are frozen or not."""
    if not is_module(module):
        raise ArgumentError(f"{where}: the first argument must be a Module, got {type(module).__name__}.")
    check_built(where, module)
    if isinstance(chosen, str):
        chosen = (chosen,)
    wanted = chosen if chosen is None or callable(chosen) else tuple(chosen)
    copy: M = tree.map(lambda x: x, module)
    paths: list[str] = []
    for place, m in modules(copy):
        held = dict(m._held)
        for name, value in vars(m).items():
            if held.get(name) == "buffer" or not any(True for _ in arrays(value)):
                continue
            inside = [shown(f"{place}.{name}{path}") for path, _ in parts(value, is_array)]
            paths += inside
            picked = [path for path in inside if _is_wanted(path, wanted)]
            if picked and picked != inside:
                raise ArgumentError(
                    f"{where}: the arrays of {shown(f'{place}.{name}')} can be frozen together alone, got {', '.join(picked)} of "
                    f"{', '.join(inside)}. Make them attributes of their own."
                )
            if picked:
                held = {n: w for n, w in {**held, name: why}.items() if w}
        if held != m._held:
            mark(m, held)
    for name in wanted if isinstance(wanted, tuple) else ():
        if not any(_is_wanted(path, (name,)) for path in paths):
            near = get_close_matches(name, paths, 3, 0.3) or paths[:5]
            raise ArgumentError(f"{where}: there is no parameter {name!r} in {type(module).__name__}. There are {', '.join(near)}.")
    return copy


def _is_wanted(path: str, wanted: Callable[[str], bool] | tuple[str, ...] | None) -> bool:
    if wanted is None or callable(wanted):
        return wanted is None or bool(wanted(path))
    return any(path.startswith(name) and path[len(name) : len(name) + 1] in ("", ".", "[") for name in wanted)


__all__ = ["freeze", "parameter_count", "unfreeze"]
