"""Rotations in space and ways between them, by jax.scipy.spatial.transform's names.

A rotation is kept as a quaternion of length 1, (x, y, z, w) with the real part last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import jitgrad.numpy as jnp
from jitgrad import random, tree
from jitgrad.array import Array
from jitgrad.errors import ArgumentError, ShapeError
from jitgrad.operands import array_arg, real_arg
from jitgrad.tracebacks import boundary_methods

ArrayLike = Any

SMALL = 1e-3
"""Angles up to this are by the first terms of a series: sines of them would be divided by each other."""


@tree.register_pytree_node_class
class Rotation:
    """One rotation, quat [4], or several, [..., 4]: quaternions (x, y, z, w), which are taken as they are.

    Made by `from_quat`, `from_matrix`, `from_rotvec`, `from_euler`, `from_mrp`, `identity` and `random`; `p * q` is first q, then
    p. A pytree of one array, differentiable in what it is made of.

    >>> import jitgrad.numpy as jnp
    >>> r = Rotation.from_euler("z", 90.0, degrees=True)
    >>> print(r.apply(jnp.array([1.0, 0.0, 0.0])).round(3) + 0.0, (r * r).magnitude().round(3))
    [0. 1. 0.] 3.142
    """

    def __init__(self, quat: Any) -> None:
        self.quat = quat

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        return (self.quat,), None

    @classmethod
    def tree_unflatten(cls, aux: None, children: Any) -> Rotation:
        return cls(*children)

    def __repr__(self) -> str:
        return f"Rotation(quat={self.quat!r})"

    @classmethod
    def concatenate(cls, rotations: Sequence[Rotation]) -> Rotation:
        """Several rotations, or several of them, one after another."""
        return cls(jnp.concatenate([jnp.atleast_2d(r.quat) for r in rotations]))

    @classmethod
    def from_quat(cls, quat: ArrayLike) -> Rotation:
        """From quaternions [..., 4] of any length but 0."""
        return cls(_normalized(_vectors("from_quat", quat, 4)))

    @classmethod
    def from_matrix(cls, matrix: ArrayLike) -> Rotation:
        """From rotation matrices [..., 3, 3], by the largest of the four squares of a quaternion (Shepperd 1978)."""
        m = real_arg("scipy.spatial.transform.Rotation.from_matrix", matrix)
        if m.shape[-2:] != (3, 3):
            raise ShapeError(f"Rotation.from_matrix: takes matrices [..., 3, 3], got shape {m.shape}")
        diagonal = [m[..., i, i] for i in range(3)]
        trace = diagonal[0] + diagonal[1] + diagonal[2]
        candidates = [_around(m, trace, i) for i in range(3)]
        candidates.append(
            _stacked([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1], 1 + trace])
        )
        choice = jnp.argmax(_stacked([*diagonal, trace]), axis=-1)[..., None]
        quat = candidates[3]
        for i in range(3):
            quat = jnp.where(choice == i, candidates[i], quat)
        return cls(_normalized(quat))

    @classmethod
    def from_rotvec(cls, rotvec: ArrayLike, degrees: bool = False) -> Rotation:
        """From vectors [..., 3] along the axis, as long as the angle."""
        v = _angles(_vectors("from_rotvec", rotvec, 3), degrees)
        angle = _length(v)
        small = angle <= SMALL
        square, safe = angle * angle, jnp.where(small, 1, angle)
        scale = jnp.where(small, 0.5 - square / 48 + square * square / 3840, jnp.sin(safe / 2) / safe)
        return cls(jnp.concatenate([scale[..., None] * v, jnp.cos(angle / 2)[..., None]], axis=-1))

    @classmethod
    def from_mrp(cls, mrp: ArrayLike) -> Rotation:
        """From modified Rodrigues parameters [..., 3], vectors along the axis of length tan(angle / 4)."""
        v = _vectors("from_mrp", mrp, 3)
        square = jnp.sum(v * v, axis=-1, keepdims=True)
        return cls(jnp.concatenate([2 * v, 1 - square], axis=-1) / (1 + square))

    @classmethod
    def from_euler(cls, seq: str, angles: ArrayLike, degrees: bool = False) -> Rotation:
        """From angles [..., len(seq)] about the axes that seq names: "xyz" or part of it, fixed axes, or "XYZ", axes that turn too.

        For one axis angles may be a number, or a vector of them, one for each rotation.
        """
        axes = _axes("from_euler", seq, (1, 2, 3))
        given = _angles(real_arg("scipy.spatial.transform.Rotation.from_euler", angles), degrees)
        if not given.shape or given.shape[-1] != len(axes):
            if len(axes) > 1:
                raise ShapeError(f"Rotation.from_euler: {seq!r} takes angles [..., {len(axes)}], got shape {given.shape}")
            given = given[..., None]
        parts = [_about(axis, given[..., n]) for n, axis in enumerate(axes)]
        quat = parts[0]
        for part in parts[1:]:
            quat = _product(quat, part) if seq.isupper() else _product(part, quat)
        return cls(quat)

    @classmethod
    def identity(cls, num: int | None = None, dtype: Any = float) -> Rotation:
        """No rotation, or num of them."""
        quat = jnp.array([0, 0, 0, 1], dtype)
        return cls(quat if num is None else jnp.tile(quat, (num, 1)))

    @classmethod
    def random(cls, random_key: Any, num: int | None = None) -> Rotation:
        """A uniformly distributed rotation, or num of them."""
        return cls(_normalized(random.normal(random_key, (4,) if num is None else (num, 4))))

    @property
    def single(self) -> bool:
        """Whether this is one rotation."""
        return bool(self.quat.ndim == 1)

    def __len__(self) -> int:
        if self.single:
            raise TypeError("a single Rotation has no len()")
        return int(self.quat.shape[0])

    def __getitem__(self, indexer: Any) -> Rotation:
        if self.single:
            raise TypeError("a single Rotation cannot be indexed")
        return Rotation(self.quat[indexer])

    def __mul__(self, other: Rotation) -> Rotation:
        if not isinstance(other, Rotation):
            return NotImplemented
        return Rotation(_normalized(_product(jnp.asarray(self.quat), jnp.asarray(other.quat))))

    def apply(self, vectors: ArrayLike, inverse: bool = False) -> Array:
        """Vectors [..., 3] turned, or turned back; front axes broadcast with the rotations'."""
        v = _vectors("apply", vectors, 3)
        matrix = self.as_matrix()
        return jnp.einsum("...ji,...j->...i" if inverse else "...ij,...j->...i", matrix, v)

    def inv(self) -> Rotation:
        """The rotation back."""
        return Rotation(self.quat * jnp.array([-1, -1, -1, 1], self.quat.dtype))

    def magnitude(self) -> Array:
        """The angle, from 0 to pi."""
        return 2 * jnp.arctan2(_length(self.quat[..., :3]), jnp.abs(self.quat[..., 3]))

    def mean(self, weights: ArrayLike | None = None) -> Rotation:
        """The rotation with the least weighted mean of squared distances (Markley et al., Averaging quaternions, 2007)."""
        w = jnp.ones(len(self), self.quat.dtype) if weights is None else array_arg("Rotation.mean", weights, self.quat.dtype)
        if self.quat.ndim != 2 or w.shape != self.quat.shape[:1]:
            raise ShapeError(f"Rotation.mean: takes weights [n] for rotations [n], got shape {w.shape} for {self.quat.shape[:-1]}")
        _, vectors = jnp.linalg.eigh((self.quat * w[:, None]).T @ self.quat)
        return Rotation(vectors[:, -1])

    def as_quat(self, canonical: bool = False, scalar_first: bool = False) -> Array:
        """Quaternions [..., 4]; canonical: of a quaternion and its negative the one whose first part that is not 0, of w, x, y and
        z, is positive. scalar_first: (w, x, y, z).
        """
        quat = jnp.asarray(self.quat)
        if canonical:
            x, y, z, w = _parts(quat)
            first = jnp.where(w != 0, w, jnp.where(x != 0, x, jnp.where(y != 0, y, z)))
            quat = jnp.where(first[..., None] < 0, -quat, quat)
        return jnp.roll(quat, 1, axis=-1) if scalar_first else quat

    def as_matrix(self) -> Array:
        """Matrices [..., 3, 3]."""
        x, y, z, w = _parts(self.quat)
        rows = [
            [x * x - y * y - z * z + w * w, 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), -x * x + y * y - z * z + w * w, 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), -x * x - y * y + z * z + w * w],
        ]
        return jnp.stack([_stacked(row) for row in rows], axis=-2)

    def as_rotvec(self, degrees: bool = False) -> Array:
        """Vectors [..., 3] along the axis, as long as the angle."""
        quat = jnp.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        angle = 2 * jnp.arctan2(_length(quat[..., :3]), quat[..., 3])
        small = angle <= SMALL
        square, safe = angle * angle, jnp.where(small, 1, angle)
        scale = jnp.where(small, 2 + square / 12 + 7 * square * square / 2880, safe / jnp.sin(safe / 2))
        vector = scale[..., None] * quat[..., :3]
        return jnp.rad2deg(vector) if degrees else vector

    def as_mrp(self) -> Array:
        """Modified Rodrigues parameters [..., 3], of length up to 1."""
        quat = jnp.where(self.quat[..., 3:] < 0, -self.quat, self.quat)
        return quat[..., :3] / (1 + quat[..., 3:])

    def as_euler(self, seq: str, degrees: bool = False) -> Array:
        """Angles [..., 3] about three axes, named as for `from_euler`, by Bernardes and Viollet (2022).

        The second one is from 0 to pi where the first and last axis are the same, else from -pi / 2 to pi / 2, the others from -pi
        to pi. Where the second is at an end of its range only a sum of the others is known, and the third is 0.
        """
        fixed = seq.islower()
        axes = _axes("as_euler", seq, (3,))
        i, j, k = axes if fixed else axes[::-1]
        symmetric = i == k
        k = 3 - i - j if symmetric else k
        sign = (i - j) * (j - k) * (k - i) // 2
        q = _parts(self.quat)
        if symmetric:
            a, b, c, d = q[3], q[i], q[j], q[k] * sign
        else:
            a, b, c, d = q[3] - q[j], q[i] + q[k] * sign, q[j] + q[3], q[k] * sign - q[i]
        second = 2 * jnp.arctan2(jnp.hypot(c, d), jnp.hypot(a, b))
        half_sum, half_difference = jnp.arctan2(b, a), jnp.arctan2(d, c)
        at_0, at_pi = jnp.abs(second) <= 1e-7, jnp.abs(second - math.pi) <= 1e-7
        known = ~(at_0 | at_pi)
        alone = jnp.where(at_0, 2 * half_sum, 2 * half_difference * (-1 if fixed else 1))
        ends = [half_sum - half_difference, half_sum + half_difference]
        first, third = ends if fixed else ends[::-1]
        first, third = jnp.where(known, first, alone), jnp.where(known, third, 0)
        if not symmetric:
            first, third = (first, third * sign) if fixed else (first * sign, third)
            second = second - math.pi / 2
        angles = (_stacked([first, second, third]) + math.pi) % (2 * math.pi) - math.pi
        return jnp.rad2deg(angles) if degrees else angles


class Slerp(NamedTuple):
    """Rotations between given ones, at even speed along the shortest way: `Slerp.init(times, rotations)(t)`.

    times [n] rise, and rotations are n of them, two or more. Before and behind the times the first and last way is continued.

    >>> import jitgrad.numpy as jnp
    >>> turns = Slerp.init(jnp.array([0.0, 1.0]), Rotation.from_euler("z", jnp.array([0.0, 90.0]), degrees=True))
    >>> print(turns(0.5).as_rotvec(degrees=True).round(3))
    [ 0.  0. 45.]
    """

    times: Array
    timedelta: Array
    rotations: Rotation
    rotvecs: Array

    @classmethod
    def init(cls, times: ArrayLike, rotations: Rotation) -> Slerp:
        if not isinstance(rotations, Rotation) or rotations.quat.ndim != 2 or len(rotations) < 2:
            raise ArgumentError("Slerp.init: rotations must be a Rotation of two or more, as Rotation.concatenate makes it")
        at = array_arg("scipy.spatial.transform.Slerp.init", times, rotations.quat.dtype)
        if at.shape != (len(rotations),):
            raise ShapeError(f"Slerp.init: takes times [n] for n rotations, got shape {at.shape} for {len(rotations)} rotations")
        if at.owner is None and not (np.diff(np.asarray(at.data())) > 0).all():
            raise ArgumentError("Slerp.init: times must rise from one to the next")
        here, there = rotations[:-1], rotations[1:]
        return cls(at, jnp.diff(at), here, (here.inv() * there).as_rotvec())

    def __call__(self, times: ArrayLike) -> Rotation:
        at = array_arg("scipy.spatial.transform.Slerp", times, self.times.dtype)
        if at.ndim > 1:
            raise ShapeError(f"Slerp: takes a time, or an array [m] of times, got shape {at.shape}")
        way = jnp.clip(jnp.searchsorted(self.times, at) - 1, 0, self.timedelta.shape[0] - 1)
        share = (at - self.times[way]) / self.timedelta[way]
        return self.rotations[way] * Rotation.from_rotvec(self.rotvecs[way] * share[..., None])


def _vectors(name: str, x: ArrayLike, size: int) -> Array:
    value = real_arg(f"scipy.spatial.transform.Rotation.{name}", x)
    if value.shape[-1:] != (size,):
        raise ShapeError(f"Rotation.{name}: takes an array [..., {size}], got shape {value.shape}")
    return value


def _axes(name: str, seq: str, counts: tuple[int, ...]) -> list[int]:
    known = isinstance(seq, str) and len(seq) in counts and (set(seq) <= set("xyz") or set(seq) <= set("XYZ"))
    if not known or any(a == b for a, b in zip(seq, seq[1:], strict=False)):
        raise ArgumentError(
            f"Rotation.{name}: seq must be {' or '.join(map(str, counts))} of the letters x, y, z (fixed axes) or X, Y, Z (axes "
            f"that turn), no letter twice in a row, got {seq!r}"
        )
    return ["xyz".index(letter) for letter in seq.lower()]


def _angles(x: Array, degrees: bool) -> Array:
    return jnp.deg2rad(x) if degrees else x


def _parts(quat: Array) -> list[Array]:
    return [quat[..., i] for i in range(4)]


def _stacked(parts: Sequence[Array]) -> Array:
    return jnp.stack(parts, axis=-1)


def _length(v: Array) -> Array:
    """The length of vectors, with the derivative 0 at 0."""
    square = jnp.sum(v * v, axis=-1)
    some = square != 0
    return jnp.where(some, jnp.sqrt(jnp.where(some, square, 1)), 0)


def _normalized(quat: Array) -> Array:
    return quat / jnp.sqrt(jnp.sum(quat * quat, axis=-1, keepdims=True))


def _product(p: Array, q: Array) -> Array:
    """Hamilton's product of quaternions."""
    (a, b, c, d), (x, y, z, w) = _parts(p), _parts(q)
    return _stacked(
        [d * x + w * a + b * z - c * y, d * y + w * b + c * x - a * z, d * z + w * c + a * y - b * x, d * w - a * x - b * y - c * z]
    )


def _about(axis: int, angle: Array) -> Array:
    sine, zero = jnp.sin(angle / 2), jnp.zeros_like(angle)
    return _stacked([*[sine if n == axis else zero for n in range(3)], jnp.cos(angle / 2)])


def _around(m: Array, trace: Array, i: int) -> Array:
    """Four times the square of a quaternion's part i, times the quaternion over that part."""
    j, k = (i + 1) % 3, (i + 2) % 3
    parts: list[Any] = [None] * 4
    parts[i] = 1 - trace + 2 * m[..., i, i]
    parts[j] = m[..., j, i] + m[..., i, j]
    parts[k] = m[..., k, i] + m[..., i, k]
    parts[3] = m[..., k, j] - m[..., j, k]
    return _stacked(parts)


for _class in (Rotation, Slerp):
    boundary_methods(_class, plain=("tree_flatten", "tree_unflatten", "__init__", "__new__"))

__all__ = ["Rotation", "Slerp"]
