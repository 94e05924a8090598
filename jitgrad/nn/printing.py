"""How a module is printed: as an indented tree of its modules, each with its arrays and static attributes."""

from __future__ import annotations

from typing import Any

from .parts import below, is_array, is_module, parts
from .unbuilt import is_unbuilt


def type_text(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}"


def module_text(module: Any) -> str:
    """The module's class, what it says of itself, and its submodules, each in lines of its own."""
    extra = None if is_unbuilt(module) else module.extra_repr()
    lines: list[str] = []
    attributes = []
    for name, value in vars(module).items():
        if any(True for _ in parts(value, is_module)):
            lines += _submodule(name, value)
        elif extra is None:
            attributes.append(f"{name}={_value_text(value)}")
    frozen = [n for n, why in module._held.items() if why == "frozen"]
    head = ", ".join([*filter(None, [extra]), *attributes, *([f"frozen: {', '.join(frozen)}"] if frozen else [])])
    if not lines:
        return f"{type(module).__name__}({head})"
    inside = "\n".join(f"  {line}" for line in lines)
    return f"{type(module).__name__}({head}\n{inside}\n)"


def _submodule(name: str, value: Any) -> list[str]:
    if is_module(value):
        return f"({name}): {value!r}".splitlines()
    lines = [f"({name}): {type(value).__name__}("]
    for place, x in below(value):
        lines += [f"  {line}" for line in _submodule(place.strip("[].'"), x)]
    return [*lines, ")"] if len(lines) > 1 else [f"({name}): {_value_text(value)}"]


def _value_text(value: Any) -> str:
    if is_array(value):
        return type_text(value)
    if type(value) in (list, tuple, dict) and any(True for _ in parts(value, is_array)):
        named = type(value) is dict
        items = [f"{place[1:-1]}: {_value_text(x)}" if named else _value_text(x) for place, x in below(value)]
        text = ", ".join(items)
        return f"{{{text}}}" if named else f"[{text}]" if type(value) is list else f"({text})"
    return getattr(value, "__name__", None) or repr(value)
