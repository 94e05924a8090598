"""Random calls of linear algebra: batches of well conditioned matrices of any sizes, and what all right answers have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.numpy.drawn_calls import Call, Draw

Shape = tuple[int, ...]
Option = Callable[[Draw], Any]


def lead(d: Draw) -> Shape:
    """The batch, none half of the time."""
    return d.one_of((), (), (2,), (0,), (2, 1), (1,))


def well(d: Draw, shape: Shape, dtype: Any) -> np.ndarray:
    """Of full rank, singular values and eigenvalues far from each other."""
    m, n = shape[-2:]
    strong = np.eye(m, n) * (2 + 2 * np.arange(1, n + 1))
    return (d.array(shape, -1, 1, dtype) + strong).astype(dtype)


def adjoint(x: Any) -> Any:
    return x.conj().swapaxes(-1, -2)


def rectangular(d: Draw, least: int = 0) -> np.ndarray:
    return well(d, (*lead(d), d.number(least, 4), d.number(least, 4)), d.dtype())


def square(d: Draw, least: int = 0) -> np.ndarray:
    n = d.number(least, 4)
    return well(d, (*lead(d), n, n), d.dtype())


def hermitian(d: Draw, least: int = 0) -> np.ndarray:
    """Positive definite."""
    x = square(d, least)
    whole = x + adjoint(x)
    return whole if x.dtype.kind in "iu" else whole / x.dtype.type(2)


def options(d: Draw, given: dict[str, Option]) -> dict[str, Any]:
    return {name: option(d) for name, option in given.items() if d.flag()}


def of(make: Callable[..., np.ndarray], least: int = 0, **given: Option) -> Callable[[Draw], Call]:
    """A function of one matrix, with some of its keywords."""
    return lambda d: Call([make(d, least)], keywords=options(d, given))


def system(make: Callable[..., np.ndarray] = square, **given: Option) -> Callable[[Draw], Call]:
    """Of a matrix and what stands on the right of it: a vector, or matrices of a batch that broadcasts."""

    def draw(d: Draw) -> Call:
        a = make(d)
        n, front = a.shape[-1], a.shape[:-2]
        shape = d.one_of((n,), (*front, n, d.number(0, 3)), (*front, n, 2), (n, 2))
        return Call([a, d.array(shape, -2, 2, a.dtype)], keywords=options(d, given))

    return draw


def restored(f: Callable[..., Any]) -> Callable[..., Any]:
    """Of Q R, of U S V^H or of a polar decomposition: the product, and the products of orthonormal columns with their adjoints."""

    def run(a: Any, **keywords: Any) -> Any:
        parts = list(f(a, **keywords))
        if len(parts) == 2:
            q, r = parts
            return q @ r, abs(r)
        u, s, vh = parts
        k = s.shape[-1]
        first, last = u[..., :, :k], vh[..., :k, :]
        return (first * s[..., None, :]) @ last, s, first @ adjoint(first), adjoint(last) @ last, adjoint(u) @ u, vh @ adjoint(vh)

    return run


def spectrum(f: Callable[..., Any]) -> Callable[..., Any]:
    """Of eigenvalues and orthonormal eigenvectors: the values, the matrix they make, and the projection on the first."""

    def run(*operands: Any, **keywords: Any) -> Any:
        w, v = f(*operands, **keywords)
        return w, (v * w[..., None, :]) @ adjoint(v), v[..., :, :1] @ adjoint(v[..., :, :1])

    return run


def put_together(f: Callable[..., Any]) -> Callable[..., Any]:
    """Z T Z^H of (T, Z)."""

    def run(*operands: Any, **keywords: Any) -> Any:
        t, z = f(*operands, **keywords)
        return z @ t @ adjoint(z), adjoint(z) @ z

    return run


def each(f: Callable[..., Any], *shapes: Callable[..., Shape]) -> Callable[..., Any]:
    """A reference of one matrix done to each of a batch; shapes: those of the results of a matrix [m, n], of the first operand's
    type or complex.
    """

    def run(*operands: Any, **keywords: Any) -> Any:
        first = operands[0]
        front = first.shape[:-2]
        rows = [x.reshape(-1, *x.shape[-2:]) for x in operands] if first.size else []
        made = [f(*[x[i] for x in rows], **keywords) for i in range(int(np.prod(front)))] if first.size else []
        made = [one if isinstance(one, tuple) else (one,) for one in made]
        if not made:
            wide = np.result_type(first, np.complex64 if first.dtype.itemsize < 8 else np.complex128)
            return tuple(np.zeros((*front, *shape(*first.shape[-2:])), wide) for shape in shapes)
        return tuple(np.reshape(np.stack(part), (*front, *part[0].shape)) for part in zip(*made, strict=True))

    return run
