"""jnp.vectorize: a function of core shapes made one that broadcasts, by vmap over every axis in front of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from jitgrad import array_ops as ops
from jitgrad.array import Array, described
from jitgrad.errors import ArgumentError, NotAFunctionError, ShapeError
from jitgrad.operands import array_arg, broadcast_shape
from jitgrad.tracebacks import boundary
from jitgrad.vectorization import vmap

_CORE = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
_SIGNATURE = re.compile(rf"\s*(?P<given>(?:{_CORE}(?:\s*,\s*{_CORE})*)?)\s*->\s*(?P<made>{_CORE}(?:\s*,\s*{_CORE})*)\s*")
CoreShapes = list[tuple[str, ...]]


def _parsed(signature: str) -> tuple[CoreShapes, CoreShapes]:
    """The names of the axes of each argument and of each result."""
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise ArgumentError(f"vectorize: signature must be like '(n,m),(m)->(n)', got {signature!r}")
    return _cores(match["given"]), _cores(match["made"])


def _cores(side: str) -> CoreShapes:
    return [tuple(re.findall(r"\w+", core)) for core in re.findall(_CORE, side)]


def _outer_shape(values: Sequence[Array], cores: CoreShapes, sizes: dict[str, int]) -> tuple[int, ...]:
    """The shape that the axes in front of the cores broadcast to; `sizes` learns the cores' names."""
    outer = []
    for n, (v, core) in enumerate(zip(values, cores, strict=True)):
        shape, rank = v.type.shape, v.type.rank - len(core)
        if rank < 0:
            raise ShapeError(f"vectorize: argument {n} must have at least the axes ({', '.join(core)}), got shape {list(shape)}")
        _learn(f"argument {n}", core, shape[rank:], sizes)
        outer.append(shape[:rank])
    return broadcast_shape("vectorize", tuple(outer)) if outer else ()


def _learn(what: str, core: tuple[str, ...], shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    for name, size in zip(core, shape, strict=True):
        known = sizes.setdefault(name, size)
        if known != size:
            raise ShapeError(f"vectorize: axis {name!r} has size {known}, but {what} has {size} there")


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int | str] = frozenset(), signature: str | None = None
) -> Callable[..., Any]:
    """pyfunc, of scalars or of the core shapes in `signature`, done for every element of its arguments, which broadcast.

    signature: "(n,m),(m)->(n)"; axes in front of the named ones broadcast by NumPy's rule. excluded: numbers and keywords of
    arguments that are handed on as they are, as None is; other keyword arguments count as further arguments. Raises ShapeError
    where sizes of one name differ.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.vectorize(jnp.dot, signature="(n),(n)->()")(jnp.ones((2, 3)), jnp.arange(3.0)))
    [3. 3.]
    """
    if not callable(pyfunc):
        raise NotAFunctionError(f"vectorize: needs a function, got {described(pyfunc)}")
    for key in excluded:
        if not isinstance(key, (int, str)) or isinstance(key, int) and key < 0:
            raise ArgumentError(f"vectorize: excluded must hold numbers of arguments from 0 on and keywords, got {key!r}")
    parsed = None if signature is None else _parsed(signature)

    @boundary
    @functools.wraps(pyfunc)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        arguments: dict[int | str, Any] = dict([*enumerate(args), *kwargs.items()])
        places = [key for key, a in arguments.items() if key not in excluded and a is not None]
        values = [array_arg("vectorize", arguments[key]) for key in places]
        cores: CoreShapes = parsed[0] if parsed is not None else [()] * len(values)
        if len(cores) != len(values):
            raise ArgumentError(f"vectorize: the signature {signature!r} is of {len(cores)} arguments, got {len(values)}")
        sizes: dict[str, int] = {}
        shape = _outer_shape(values, cores, sizes)

        def one(*given: Array) -> Any:
            every = {**arguments, **dict(zip(places, given, strict=True))}
            out = pyfunc(*[every[n] for n in range(len(args))], **{key: every[key] for key in kwargs})
            if parsed is not None:
                _check_results(out, parsed[1], dict(sizes), signature)
            return out

        f: Callable[..., Any] = one
        ranks = [v.type.rank - len(core) for v, core in zip(values, cores, strict=True)]
        squeezed, axes_of = [], []  # each argument without axes of size 1 that broadcast, and along which outer axes it goes
        for v, rank in zip(values, ranks, strict=True):
            own = v.type.shape[:rank]
            goes = [False] * (len(shape) - rank) + [n != 1 or shape[len(shape) - rank + k] == 1 for k, n in enumerate(own)]
            axes_of.append(goes)
            kept = tuple(n for n, g in zip(own, goes[len(shape) - rank :], strict=True) if g)
            squeezed.append(ops.reshape(v, kept + v.type.shape[rank:]))
        for axis in reversed(range(len(shape))):
            f = vmap(f, in_axes=tuple(0 if goes[axis] else None for goes in axes_of), axis_size=shape[axis])
        return f(*squeezed)

    return wrapped


def _check_results(out: Any, cores: CoreShapes, sizes: dict[str, int], signature: str | None) -> None:
    found = out if isinstance(out, tuple) else (out,)
    if len(found) != len(cores):
        raise ArgumentError(f"vectorize: the signature {signature!r} is of {len(cores)} results, got {len(found)}")
    for n, (x, core) in enumerate(zip(found, cores, strict=True)):
        shape = array_arg("vectorize", x).type.shape
        if len(shape) != len(core):
            raise ShapeError(f"vectorize: result {n} must have the axes ({', '.join(core)}), got shape {list(shape)}")
        _learn(f"result {n}", core, shape, sizes)
