"""Which arguments of a jitted function are static or donated: `jit`'s options, by number or by name, paired by the signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .errors import ArgumentError
from .tracing import function_name


@dataclass(frozen=True)
class ArgumentOptions:
    """Numbers of positional arguments and names of keyword arguments. A parameter that may be passed either way is in both."""

    static_numbers: tuple[int, ...] = ()
    static_names: tuple[str, ...] = ()
    donated_numbers: tuple[int, ...] = ()
    donated_names: tuple[str, ...] = ()

    def behind_first(self) -> ArgumentOptions:
        """The options of the same function with one more argument in front."""
        static, donated = (
            tuple(n + 1 if n >= 0 else n for n in numbers) for numbers in (self.static_numbers, self.donated_numbers)
        )
        return ArgumentOptions(static, self.static_names, donated, self.donated_names)

    def static_among(self, count: int) -> tuple[int, ...]:
        return _among(self.static_numbers, count)

    def donated_among(self, count: int) -> tuple[int, ...]:
        return _among(self.donated_numbers, count)


def _among(numbers: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Of these numbers, which may count from the end, those of `count` arguments."""
    return tuple(n % count for n in numbers if -count <= n < count)


def argument_options(
    f: Callable[..., Any],
    static_argnums: int | Iterable[int] | None,
    static_argnames: str | Iterable[str] | None,
    donate_argnums: int | Iterable[int] | None,
    donate_argnames: str | Iterable[str] | None,
) -> ArgumentOptions:
    """The options of `jit`, checked against the signature of f where it has one.

    Raises:
        ArgumentError: a number or name that is no parameter, or one that is both static and donated.
    """
    static = _numbers("static_argnums", static_argnums), _names("static_argnames", static_argnames)
    donated = _numbers("donate_argnums", donate_argnums), _names("donate_argnames", donate_argnames)
    if not any((*static, *donated)):
        return ArgumentOptions()
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        pass
    else:
        static = _paired(f, parameters, "static", *static)
        donated = _paired(f, parameters, "donate", *donated)
    both = [*sorted({*static[0]} & {*donated[0]}), *sorted({*static[1]} & {*donated[1]})]
    if both:
        raise ArgumentError(
            f"jit of {function_name(f)}: argument {both[-1]!r} is static and donated; a static argument is no array, so it has no "
            "memory to give away"
        )
    return ArgumentOptions(*static, *donated)


def _numbers(name: str, given: int | Iterable[int] | None) -> tuple[int, ...]:
    found = () if given is None else (given,) if isinstance(given, int) else tuple(given)
    if not all(isinstance(n, int) for n in found):
        raise ArgumentError(f"jit: {name} must be an integer or integers, got {given!r}")
    return found


def _names(name: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    found = () if given is None else (given,) if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if not all(isinstance(n, str) for n in found):
        raise ArgumentError(f"jit: {name} must be a string or strings, got {given!r}")
    return found


def _paired(
    f: Callable[..., Any], parameters: list[inspect.Parameter], what: str, numbers: tuple[int, ...], names: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Numbers and names, each with those of the other, so that it does not matter how an argument is passed."""
    kinds = {p.kind for p in parameters}
    by_number = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    by_name = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for name in names:
        if name not in by_name and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ArgumentError(
                f"jit of {function_name(f)}: {what}_argnames has {name!r}, but the parameters are {', '.join(by_name)}"
            )
    if inspect.Parameter.VAR_POSITIONAL not in kinds:
        count = len(by_number)
        for n in numbers:
            if not -count <= n < count:
                raise ArgumentError(
                    f"jit of {function_name(f)}: {what}_argnums names argument {n}, but there are {count} positional parameters, "
                    "counted from 0"
                )
        numbers = tuple(n % count for n in numbers)
    from_names = [by_number.index(name) for name in names if name in by_number]
    from_numbers = [by_number[n] for n in numbers if 0 <= n < len(by_number) and by_number[n] in by_name]
    return tuple(dict.fromkeys((*numbers, *from_names))), tuple(dict.fromkeys((*names, *from_numbers)))
