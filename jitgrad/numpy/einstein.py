"""einsum: subscripts are parsed here; opt_einsum says in which order operands are contracted, each pair as one dot_general."""

from __future__ import annotations

import importlib
import string
from collections.abc import Sequence
from functools import cache
from operator import index
from typing import Any

from jitgrad.array import Array
from jitgrad.array_ops import broadcast, op, reduce_sum, transpose
from jitgrad.errors import ArgumentError, ParametersError, ShapeError, shown
from jitgrad.operands import is_several, no_out
from jitgrad.precision import asked
from jitgrad_compiler.ir.types import BOOL

from .linear import contract
from .manipulation import promoted
from .matrices import diagonal

Labels = tuple[Any, ...]
"""A label an axis: a letter, or ("...", k) for the k-th axis from the right among those of an ellipsis."""


def _labels(term: str, rank: int, where: str) -> Labels:
    """The labels of an operand with `rank` axes."""
    letters = term.replace("...", "")
    if "." in letters or term.count("...") > 1 or not all(c.isalpha() for c in letters):
        raise ArgumentError(f"einsum: {term!r} in {where!r} is not made of letters and at most one ellipsis")
    if "..." not in term:
        if len(letters) != rank:
            raise ShapeError(f"einsum: {term!r} names {len(letters)} axes, but the operand has {rank}, in {where!r}")
        return tuple(letters)
    left, _, right = term.partition("...")
    extra = rank - len(letters)
    if extra < 0:
        raise ShapeError(f"einsum: {term!r} names {len(letters)} axes, but the operand has {rank}, in {where!r}")
    return (*left, *[("...", k) for k in range(extra, 0, -1)], *right)


def parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result.

    Without "->" the result has the ellipsis' axes, then the letters that stand once, in alphabetical order.
    """
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise ArgumentError(f"einsum: {subscripts!r} names {len(terms)} operands, but {len(ranks)} were given")
    labels = [_labels(t, r, subscripts) for t, r in zip(terms, ranks, strict=True)]
    dots = sorted({a for term in labels for a in term if isinstance(a, tuple)}, key=lambda a: -a[1])
    if arrow:
        left, dotted, right = output.partition("...")
        out: Labels = (*left, *dots, *right) if dotted else tuple(output)
    else:
        letters = inputs.replace("...", "").replace(",", "")
        out = (*dots, *[c for c in sorted(set(letters)) if letters.count(c) == 1])
    known = {a for term in labels for a in term}
    if len(set(out)) != len(out) or not set(out) <= known:
        raise ArgumentError(f"einsum: the result {output!r} in {subscripts!r} must name labels of the operands, each once")
    return labels, out


def einsum(
    subscripts: Any,
    /,
    *operands: Any,
    out: None = None,
    optimize: Any = "auto",
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Array:
    """Sums of products by Einstein's convention: "ij,jk->ik" is the matrix product, "ii" the trace, "...ij->...ji" a transpose.

    Labels of the inputs that are missing in the result are summed over; a label twice in one operand means its diagonal. Axes of
    size 1 broadcast. Operands may also be given as array, list of integers, ..., list of the result.

    optimize: in which order more than two operands are contracted: what opt_einsum.contract_path takes ("auto" or True, "optimal",
    "greedy", ...), a path as `einsum_path` gives, or False: from left to right.
    Raises ArgumentError for subscripts that make no sense, ShapeError for sizes that do not go together.

    >>> import jitgrad.numpy as jnp
    >>> print(jnp.einsum("ij,j->i", jnp.array([[1, 2], [3, 4]]), jnp.array([1, 1])))
    [3 7]
    """
    no_out("einsum", out)
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    arrays = promoted("einsum", list(operands), preferred_element_type)
    params = asked("einsum", precision, arrays[0].type.dtype)
    labels, result = parse(subscripts, [a.type.rank for a in arrays])
    sizes = _sizes(subscripts, arrays, labels)
    terms = [_single_labels(a, ls) for a, ls in zip(arrays, labels, strict=True)]
    if len(terms) > 2:
        path = _path(labels, sizes, result, optimize)
    else:
        path = [tuple(range(len(terms)))]
        _check_way(labels, sizes, result, optimize)
    for group in path:
        chosen = [terms[k] for k in group]
        terms = [t for k, t in enumerate(terms) if k not in group]
        while len(chosen) > 1:
            (x, x_labels), (y, y_labels), *rest = chosen
            others = [*rest, *terms]
            needed = {*result, *[a for _, ls in others for a in ls]}
            x, x_labels = _summed(x, x_labels, needed | set(y_labels))
            y, y_labels = _summed(y, y_labels, needed | set(x_labels))
            both = (
                *[a for a in x_labels if a in y_labels],
                *[a for a in x_labels if a not in y_labels],
                *[b for b in y_labels if b not in x_labels],
            )
            made = tuple(a for a in both if a in needed) if others else result
            chosen = [(contract(x, x_labels, y, y_labels, made, params), made), *rest]
        terms.append(chosen[0])
    x, x_labels = _summed(*terms[0], set(result))
    order = tuple(x_labels.index(a) for a in result)
    return transpose(x, order)


def _from_lists(items: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """array, [0, 1], array, [1, 2], [0, 2] as subscripts and operands."""
    letter = lambda k: "..." if k is Ellipsis else chr(ord("a") + k) if k < 26 else chr(ord("A") + k - 26)
    pairs, rest = items[: len(items) // 2 * 2], items[len(items) // 2 * 2 :]
    for ls in (*pairs[1::2], *rest):
        if not is_several(ls) or not all([k is Ellipsis or hasattr(k, "__index__") and 0 <= k < 52 for k in ls]):
            raise ParametersError(
                "einsum: subscripts must be a string in front of the operands, or behind each one a list of numbers below 52, for "
                f"its axes; got {shown(items[0])} in front and {shown(ls)} for numbers"
            )
    text = ",".join("".join(map(letter, ls)) for ls in pairs[1::2])
    return text + ("->" + "".join(map(letter, rest[0])) if rest else ""), pairs[::2]


def _sizes(text: str, arrays: list[Array], labels: list[Labels]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for a, ls in zip(arrays, labels, strict=True):
        for label, n in zip(ls, a.type.shape, strict=True):
            if sizes.get(label, 1) not in (1, n) and n != 1:
                name = label if isinstance(label, str) else "..."
                raise ShapeError(
                    f"einsum: axes of one name must have one size, but {name!r} in {text!r} has sizes {sizes[label]} and {n}. "
                    f"The operands have the shapes {' and '.join(str(x.type.shape) for x in arrays)}. "
                    "Name different axes by different letters."
                )
            sizes[label] = sizes.get(label, 1) if n == 1 else n
    return sizes


def _single_labels(x: Array, labels: Labels) -> tuple[Array, Labels]:
    """Labels that stand twice become one axis, the diagonal."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            n = max(x.type.shape[i], x.type.shape[j])
            shape = tuple(n if k in (i, j) else m for k, m in enumerate(x.type.shape))
            x = diagonal(broadcast(x, shape, tuple(range(len(shape)))), 0, i, j)
            labels = (*[a for k, a in enumerate(labels) if k not in (i, j)], label)
    return x, labels


def _summed(x: Array, labels: Labels, needed: set[Any]) -> tuple[Array, Labels]:
    """Labels that nobody needs any more are summed over."""
    axes = tuple(i for i, a in enumerate(labels) if a not in needed)
    if not axes:
        return x, labels
    kept = tuple(a for a in labels if a in needed)
    if x.type.dtype == BOOL:
        return op("reduce_or", x, axes=axes), kept
    return reduce_sum(x, axes), kept


Path = list[tuple[int, ...]]


@cache
def _opt_einsum() -> Any:
    """The package opt_einsum, which is imported for the first einsum of three operands or more."""
    return importlib.import_module("opt_einsum")


def _path(labels: list[Labels], sizes: dict[Any, int], result: Labels, optimize: Any) -> Path:
    """Which operands are contracted together, step by step; what a step makes comes behind the others."""
    if isinstance(optimize, (list, tuple)):
        try:
            worded = len(optimize) > 0 and isinstance(optimize[0], str)  # NumPy's paths begin with a word
            steps = [tuple([index(k) for k in s]) for s in optimize[worded:]]
        except TypeError:
            raise _no_way(optimize) from None
        return _checked_path(steps, len(labels))
    if optimize is False:
        return [(0, 1), *[(0, n) for n in range(len(labels) - 2, 0, -1)]]
    letters = {a: _opt_einsum().get_symbol(k) for k, a in enumerate(dict.fromkeys(a for ls in labels for a in ls))}
    text = lambda ls: "".join(letters[a] for a in ls)
    return list(_contract_path(",".join(map(text, labels)) + "->" + text(result), _shapes(labels, sizes), optimize)[0])


def _check_way(labels: list[Labels], sizes: dict[Any, int], result: Labels, optimize: Any) -> None:
    """Raises ArgumentError for what is no way, where there is nothing to choose, too."""
    if isinstance(optimize, (list, tuple)):
        _path(labels, sizes, result, optimize)
    elif not isinstance(optimize, bool) and optimize != "auto":
        _contract_path("a,b,c->", [(1,)] * 3, optimize)


def _shapes(labels: list[Labels], sizes: dict[Any, int]) -> list[tuple[int, ...]]:
    return [tuple(sizes[a] for a in ls) for ls in labels]


def _contract_path(subscripts: str, shapes: list[tuple[int, ...]], optimize: Any) -> tuple[Path, Any]:
    try:
        path, info = _opt_einsum().contract_path(
            subscripts, *shapes, shapes=True, optimize="auto" if optimize is True else optimize
        )
    except (KeyError, TypeError):
        raise _no_way(optimize) from None
    return path, info


def _no_way(optimize: Any) -> ArgumentError:
    return ArgumentError(
        f"einsum: optimize must be a way of opt_einsum ('auto', 'optimal', 'greedy', ...), a path of tuples of numbers, True or "
        f"False; got {optimize!r}"
    )


def _checked_path(steps: Path, count: int) -> Path:
    left = count
    for step in steps:
        if not step or len(set(step)) < len(step) or not all(0 <= k < left for k in step):
            raise ArgumentError(
                f"einsum: step {step} of the path does not name different ones of the {left} operands that are left"
            )
        left -= len(step) - 1
    return steps if left == 1 else [*steps, tuple(range(left))]


def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[Path, Any]:
    """(path, description): in which order `einsum` contracts these operands, as opt_einsum.contract_path gives it.

    The path is a list of steps, each the numbers of the operands that are contracted together; what it makes comes behind the
    others. The description prints as a table of the steps, their costs and sizes. Raises what `einsum` raises.

    >>> import jitgrad.numpy as jnp
    >>> a, b, v = jnp.ones((9, 9)), jnp.ones((9, 9)), jnp.ones(9)
    >>> path, description = jnp.einsum_path("ij,jk,k->i", a, b, v)
    >>> path
    [(1, 2), (0, 1)]
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _from_lists((subscripts, *operands))
    arrays = promoted("einsum_path", list(operands))
    labels, result = parse(subscripts, [a.type.rank for a in arrays])
    sizes = _sizes(subscripts, arrays, labels)
    _check_way(labels, sizes, result, optimize)
    dots = [a for a in dict.fromkeys(a for ls in labels for a in ls) if isinstance(a, tuple)]
    spare = iter(c for c in string.ascii_letters if c not in subscripts)
    letters = {a: next(spare) for a in dots}
    text = lambda ls: "".join(letters.get(a, a) for a in ls)
    path = _path(labels, sizes, result, optimize) if isinstance(optimize, (list, tuple)) or optimize is False else optimize
    return _contract_path(",".join(map(text, labels)) + "->" + text(result), _shapes(labels, sizes), path)
