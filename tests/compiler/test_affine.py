"""Index arithmetic against plain integers: whatever an Affine turns itself into, its value and bounds are those of the formula."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad_compiler.kernels.affine import Affine, Axis, Div, Mod, axis_index, linear, split

CHECKED = settings(max_examples=150)

EXTENTS = (1, 2, 3, 4, 6, 8, 15, 16)
Values = Mapping[Axis, int]


def value_of(index: Affine, at: Values) -> int:
    """The index at one iteration, by its terms."""
    total = index.constant
    for atom, factor in index.terms.items():
        if isinstance(atom, Axis):
            total += factor * at[atom]
        elif isinstance(atom, Div):
            total += factor * (value_of(atom.of, at) // atom.by)
        else:
            assert isinstance(atom, Mod)
            total += factor * (value_of(atom.of, at) % atom.by)
    return total


class Formula(NamedTuple):
    """An Affine, and the same formula on integers."""

    index: Affine
    plain: Callable[[Values], int]


def iterations(axes: list[Axis]) -> list[Values]:
    """All iterations of few axes, or their corners and some between."""
    points = [range(a.extent) if math.prod(b.extent for b in axes) <= 600 else {0, a.extent // 2, a.extent - 1} for a in axes]
    return [dict(zip(axes, point, strict=True)) for point in itertools.product(*points)]


@st.composite
def formulas(draw: st.DrawFn, axes: list[Axis], depth: int = 3) -> Formula:
    kind = draw(st.sampled_from(["axis", "constant"] if depth == 0 else ["axis", "add", "add", "scale", "shift", "div", "mod"]))
    if kind == "axis":
        axis = draw(st.sampled_from(axes))
        return Formula(axis_index(axis), lambda at: at[axis])
    if kind == "constant":
        number = draw(st.integers(-20, 20))
        return Formula(Affine(number), lambda at: number)
    a = draw(formulas(axes, depth - 1))
    if kind == "add":
        b = draw(formulas(axes, depth - 1))
        return Formula(a.index + b.index, lambda at: a.plain(at) + b.plain(at))
    number = draw(st.integers(-9, 9)) if kind in ("scale", "shift") else draw(st.sampled_from([1, 2, 3, 4, 5, 8, 12, 16]))
    if kind == "scale":
        return Formula(a.index * number, lambda at: a.plain(at) * number)
    if kind == "shift":
        return Formula(a.index + number, lambda at: a.plain(at) + number)
    if kind == "div":
        return Formula(a.index // number, lambda at: a.plain(at) // number)
    return Formula(a.index % number, lambda at: a.plain(at) % number)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Axis], Formula]:
    axes = [Axis(n, draw(st.sampled_from(EXTENTS))) for n in "ijk"[: draw(st.integers(1, 3))]]
    return axes, draw(formulas(axes))


@CHECKED
@given(problems())
def test_an_index_has_the_value_of_its_formula_and_stays_in_its_range(problem: tuple[list[Axis], Formula]) -> None:
    axes, (index, plain) = problem
    low, high = index.range
    for at in iterations(axes):
        assert value_of(index, at) == plain(at), f"{index} at {at}"
        assert low <= plain(at) <= high


@CHECKED
@given(problems(), problems())
def test_equal_indices_have_equal_hashes_and_sums_do_not_depend_on_order(one: Any, other: Any) -> None:
    a, b = one[1].index, other[1].index
    assert (a + b == b + a) and hash(a + b) == hash(b + a)


@CHECKED
@given(problems(), st.data())
def test_substitution_is_evaluation_at_the_replacement(problem: tuple[list[Axis], Formula], data: st.DataObject) -> None:
    axes, (index, plain) = problem
    fresh = [Axis(n, data.draw(st.sampled_from(EXTENTS))) for n in "pq"]
    replacement = {a: data.draw(formulas(fresh, 2)) for a in axes if data.draw(st.booleans())}
    moved = index.substitute({a: f.index for a, f in replacement.items()})
    for at in iterations([*fresh, *[a for a in axes if a not in replacement]]):
        inner = {a: replacement[a].plain(at) if a in replacement else at[a] for a in axes}
        for axis in axes:  # outside its extent an axis promises nothing
            if not 0 <= inner[axis] < axis.extent:
                break
        else:
            assert value_of(moved, at) == plain(inner)


@CHECKED
@given(st.lists(st.sampled_from(EXTENTS), max_size=4), st.data())
def test_split_undoes_linear(shape: list[int], data: st.DataObject) -> None:
    axes = [Axis(n, extent) for n, extent in zip("ijkl", shape, strict=False)]
    index = tuple(map(axis_index, axes))
    assert split(linear(index, shape), tuple(shape)) == index
    size = math.prod(shape)
    other = data.draw(st.sampled_from([(size,), (1, size), (size, 1), tuple(reversed(shape)), tuple(shape)]))
    offset = linear(index, shape)
    places = split(offset, other)
    for at in iterations(axes):
        flat = value_of(offset, at)
        position = [value_of(p, at) for p in places]
        assert all(0 <= p < n for p, n in zip(position, other, strict=True))
        assert flat == sum(p * math.prod(other[k + 1 :]) for k, p in enumerate(position))


@CHECKED
@given(st.lists(st.sampled_from(EXTENTS), min_size=1, max_size=4))
def test_merged_axes_put_together_again_leave_no_division(shape: list[int]) -> None:
    one = Axis("i", math.prod(shape))
    assert linear(split(axis_index(one), tuple(shape)), shape) == axis_index(one)


@CHECKED
@given(problems())
def test_the_factor_of_an_axis_is_its_step(problem: tuple[list[Axis], Formula]) -> None:
    axes, (index, plain) = problem
    for axis in axes:
        factor = index.factor(axis)
        if factor is None or axis.extent == 1:
            continue
        for at in iterations(axes):
            if at[axis] + 1 < axis.extent:
                assert plain({**at, axis: at[axis] + 1}) - plain(at) == factor


def test_reshapes_that_keep_axes_whole_leave_no_trace() -> None:
    i, j, k = Axis("i", 4), Axis("j", 8), Axis("k", 5)
    whole = linear(map(axis_index, (i, j, k)), (4, 8, 5))
    assert str(whole) == "40*i + 5*j + k"
    assert list(map(str, split(whole, (32, 5)))) == ["8*i + j", "k"]
    assert list(map(str, split(whole, (4, 40)))) == ["i", "5*j + k"]
    assert str((axis_index(i) * 8 + axis_index(j)) // 8) == "i"
    assert str(split(whole, (16, 10))[1]) == "((5*j + k) % 10)"
    assert split(Affine(0), (3, 1)) == (Affine(0), Affine(0))


def test_an_axis_inside_a_division_has_no_constant_step() -> None:
    i = Axis("i", 12)
    assert (axis_index(i) // 5).factor(i) is None
    assert (axis_index(i) * 3).factor(i) == 3
    assert Affine(7).factor(i) == 0
    assert axis_index(Axis("one", 1)) == Affine(0)


def test_what_does_not_change_from_a_multiple_of_lanes_on_has_no_step_there() -> None:
    """As in windows of 3 by 3 of rows of 16: places along the depth, eight from a multiple of eight on."""
    k = axis_index(Axis("k", 144))
    (axis,) = k.axes
    windows = ((k // 16) // 3) * 640 + ((k // 16) % 3) * 16 + k % 16
    assert windows.factor(axis) is None and windows.factor(axis, 8) == 1
    assert ((k // 16) // 3).factor(axis, 8) == 0
    assert (k // 4).factor(axis, 8) is None and ((k + 4) // 16).factor(axis, 8) is None


@CHECKED
@given(problems())
def test_the_factor_of_lanes_is_their_step(problem: tuple[list[Axis], Formula]) -> None:
    axes, (index, plain) = problem
    for axis in axes:
        factor = index.factor(axis, 2)
        if factor is None or axis.extent % 2:
            continue
        for at in iterations(axes):
            if at[axis] % 2 == 0:
                assert plain({**at, axis: at[axis] + 1}) - plain(at) == factor
