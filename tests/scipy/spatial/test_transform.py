"""Rotations are SciPy's in every form, and derivatives are finite at no rotation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import transform as theirs

from jitgrad import errors, grad, jacfwd, jit, random, tree, vmap
from jitgrad.scipy.spatial.transform import Rotation, Slerp
from jitgrad.test_util import check_grads

RNG = np.random.default_rng(0)
QUATS = np.concatenate(
    [RNG.standard_normal((40, 4)), [[0, 0, 0, 1], [0, 0, 0, -2], [1, 0, 0, 0], [1e-5, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]]]
)
OURS, THEIRS = Rotation.from_quat(QUATS), theirs.Rotation.from_quat(QUATS)
THREE = ["".join(s) for s in itertools.product("xyz", repeat=3) if s[0] != s[1] != s[2]]


def same_rotation(a, b):
    np.testing.assert_allclose(a.as_matrix(), b.as_matrix(), atol=1e-12)


@pytest.mark.parametrize("form", ["quat", "matrix", "rotvec", "mrp"])
def test_forms_are_those_of_scipy(form):
    np.testing.assert_allclose(getattr(OURS, f"as_{form}")(), getattr(THEIRS, f"as_{form}")(), atol=1e-12)
    given = getattr(THEIRS, f"as_{form}")()
    for f in (lambda x: getattr(Rotation, f"from_{form}")(x), jit(lambda x: getattr(Rotation, f"from_{form}")(x))):
        same_rotation(f(given), THEIRS)
        same_rotation(f(given[3]), THEIRS[3])
    same_rotation(vmap(getattr(Rotation, f"from_{form}"))(given), THEIRS)


@pytest.mark.parametrize("seq", [*THREE, *map(str.upper, THREE)])
@pytest.mark.parametrize("degrees", [False, True])
def test_three_angles_are_those_of_scipy(seq, degrees):
    regular = QUATS[:40]
    ours, other = Rotation.from_quat(regular), theirs.Rotation.from_quat(regular)
    np.testing.assert_allclose(ours.as_euler(seq, degrees), other.as_euler(seq, degrees), atol=1e-9)
    given = other.as_euler(seq, degrees)
    same_rotation(Rotation.from_euler(seq, given, degrees), other)
    end = 0.0 if seq[0] == seq[2] else np.pi / 2  # where two angles turn about one axis
    lost = np.array([[0.3, end, 0.4], [-1.0, end, 0.2]])
    same_rotation(Rotation.from_euler(seq, Rotation.from_euler(seq, lost).as_euler(seq)), theirs.Rotation.from_euler(seq, lost))


def test_fewer_angles_and_shapes_of_angles():
    for seq, angles in (
        ("x", 0.3),
        ("z", [[0.1], [0.2]]),
        ("xz", [0.1, 0.2]),
        ("ZX", [[0.1, 0.2], [0.3, 0.4]]),
    ):
        ours, other = Rotation.from_euler(seq, np.array(angles)), theirs.Rotation.from_euler(seq, angles)
        assert ours.single == other.single
        same_rotation(ours, other)
    same_rotation(Rotation.from_euler("Y", np.array([0.3, 0.4, 0.5])), theirs.Rotation.from_euler("Y", [[0.3], [0.4], [0.5]]))


def test_means_of_rotations_are_those_of_scipy():
    weights = RNG.uniform(0.1, 1, len(QUATS))
    same_rotation(OURS.mean(), THEIRS.mean())
    same_rotation(OURS.mean(weights), THEIRS.mean(weights))


def test_products_inverses_angles_and_turned_vectors():
    vectors = RNG.standard_normal((len(QUATS), 3))
    same_rotation(OURS * OURS[::-1], THEIRS * THEIRS[::-1])
    same_rotation(OURS.inv(), THEIRS.inv())
    np.testing.assert_allclose(OURS.magnitude(), THEIRS.magnitude(), atol=1e-12)
    for inverse in (False, True):
        np.testing.assert_allclose(OURS.apply(vectors, inverse), THEIRS.apply(vectors, inverse), atol=1e-12)
        np.testing.assert_allclose(OURS[2].apply(vectors, inverse), THEIRS[2].apply(vectors, inverse), atol=1e-12)
    assert len(OURS) == len(QUATS) and OURS[1].single and len(OURS[2:5]) == 3
    same_rotation(Rotation.concatenate([OURS[:2], OURS[3]]), THEIRS[[0, 1, 3]])
    same_rotation(Rotation.identity(3), theirs.Rotation.identity(3))
    np.testing.assert_allclose(OURS.as_quat(canonical=True, scalar_first=True), THEIRS.as_quat(canonical=True, scalar_first=True))


def test_random_rotations_are_uniform():
    drawn = Rotation.random(random.key(0), 4000)
    assert np.abs(drawn.apply(np.array([0.0, 0.0, 1.0])).mean(0)).max() < 0.05
    np.testing.assert_allclose(drawn.magnitude().mean(), np.pi / 2 + 2 / np.pi, atol=0.05)
    assert Rotation.random(random.key(0)).single


def test_ways_between_rotations():
    times, keys = np.array([0.0, 1.0, 3.0]), theirs.Rotation.random(3, random_state=1)
    ours, other = Slerp.init(times, Rotation.from_quat(keys.as_quat())), theirs.Slerp(times, keys)
    at = np.array([0.0, 0.3, 1.0, 1.7, 3.0])
    same_rotation(ours(at), other(at))
    same_rotation(jit(lambda s, t: s(t))(ours, 0.3), other(0.3))
    on = theirs.Rotation.from_rotvec((keys[1].inv() * keys[2]).as_rotvec() * 1.5)
    same_rotation(ours(4.0), keys[1] * on)


def test_derivatives():
    check_grads(lambda q: Rotation.from_quat(q).as_rotvec(), (QUATS[:3],), order=2)
    check_grads(lambda v: Rotation.from_rotvec(v).as_euler("xyz"), (QUATS[:3, :3],), order=1)
    check_grads(lambda v: Rotation.from_matrix(Rotation.from_rotvec(v).as_matrix()).as_mrp(), (QUATS[:3, :3],), order=1)
    still = np.zeros(3)
    np.testing.assert_allclose(jacfwd(lambda v: Rotation.from_rotvec(v).as_rotvec())(still), np.eye(3), atol=1e-12)
    assert np.isfinite(grad(lambda v: Rotation.from_rotvec(v).magnitude())(still)).all()


def test_a_rotation_is_a_pytree():
    doubled = tree.map(lambda q: 2 * q, OURS)
    assert isinstance(doubled, Rotation) and tree.leaves(OURS)[0].shape == QUATS.shape


WRONG = [
    (lambda: Rotation.from_quat(np.ones(3)), errors.ShapeError, r"from_quat: takes an array \[..., 4\], got shape \(3,\)"),
    (lambda: Rotation.from_matrix(np.ones((3, 2))), errors.ShapeError, r"matrices \[..., 3, 3\]"),
    (lambda: Rotation.from_euler("xX", np.ones(2)), errors.ArgumentError, "no letter twice in a row, got 'xX'"),
    (lambda: Rotation.from_euler("xx", np.ones(2)), errors.ArgumentError, "no letter twice"),
    (lambda: Rotation.from_euler("xy", np.ones(3)), errors.ShapeError, r"angles \[..., 2\]"),
    (lambda: OURS.as_euler("xy"), errors.ArgumentError, "seq must be 3 of the letters"),
    (lambda: OURS.mean(np.ones(3)), errors.ShapeError, r"weights \[n\] for rotations \[n\], got shape \(3,\)"),
    (lambda: Slerp.init(np.ones(2), OURS[0]), errors.ArgumentError, "two or more"),
    (lambda: Slerp.init(np.ones(3), OURS[:2]), errors.ShapeError, "for 2 rotations"),
    (lambda: Slerp.init(np.array([1.0, 0.0]), OURS[:2]), errors.ArgumentError, "times must rise"),
    (lambda: len(OURS[0]), TypeError, "no len"),
    (lambda: OURS[0][0], TypeError, "cannot be indexed"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments_say_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
