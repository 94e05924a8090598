"""What was taken in silence, or failed deep inside: numbers that are no integers, masks that are none, values that do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, random
from jitgrad.scipy import ndimage, signal, special

V, M, I = jnp.array([1.0, 2.0, 3.0]), jnp.eye(3), jnp.array([0, 1])

NO_INTEGERS = {
    "repeat: repeats must be integers, got float": lambda: jnp.repeat(V, 1.5),
    "repeat: repeats is an integer of 0 or more, got -1": lambda: jnp.repeat(V, -1),
    r"repeat: repeats must be 0 or more, got \[1, -1, 1\]": lambda: jnp.repeat(V, [1, -1, 1]),
    "repeat: total_repeat_length is an integer of 0 or more, got -7": lambda: jnp.repeat(V, 2, total_repeat_length=-7),
    "roll: shift must be an integer, or one for each axis, got 1.5": lambda: jnp.roll(V, 1.5),
    r"split: indices_or_sections must be an integer or integers, got \[0.5\]": lambda: jnp.split(V, [0.5]),
    "array_split: indices_or_sections must be an integer or integers, got 2.0": lambda: jnp.array_split(V, 2.0),
    "vsplit: .* got shape ": lambda: jnp.vsplit(M, np.ones((2, 2), int)),
    "rot90: k must be an integer, got float": lambda: jnp.rot90(M, 1.5),
    r"rot90: axes must be two axes, got \[\]": lambda: jnp.rot90(M, axes=[]),
    "tril_indices: n must be an integer, got float": lambda: jnp.tril_indices(2.5),
    "triu_indices: k must be an integer, got float": lambda: jnp.triu_indices(2, 0.5),
    "diag_indices: n must be an integer, got float": lambda: jnp.diag_indices(2.0),
    "unique: size must be an integer, got float": lambda: jnp.unique(V, size=1.5),
    "nonzero: size must be an integer of 0 or more, got -1": lambda: jnp.nonzero(V, size=-1),
    "setxor1d: size must be an integer of 0 or more, got -1": lambda: jnp.setxor1d(V, V, size=-1),
    "bincount: minlength must be an integer, got float": lambda: jnp.bincount(I, minlength=1.5),
    "bincount: length must be an integer of 0 or more, got -2": lambda: jnp.bincount(I, length=-2),
    "cov: ddof must be an integer, got float": lambda: jnp.cov(M, ddof=0.5),
    "unpackbits: count must be an integer, got float": lambda: jnp.unpackbits(jnp.array([1], "uint8"), count=1.5),
    "diff: n must be an integer of 0 or more, got -1": lambda: jnp.diff(V, -1),
    "polyder: m must be an integer, got float": lambda: jnp.polyder(V, 1.5),
    "geomspace: num must be an integer of 0 or more, got -1": lambda: jnp.geomspace(1, 2, -1),
    "pad: pad_width must be an integer or integers, got 1.5": lambda: jnp.pad(V, 1.5),
    "pad: pad_width names axes from -1 to 0, got {'a': 1}": lambda: jnp.pad(V, {"a": 1}),
    r"insert: obj must be an integer or integers, got 1.5": lambda: jnp.insert(V, 1.5, 0),
    r"searchsorted: sorter must be a vector of integers, got float32\[3\]": lambda: jnp.searchsorted(V, V, sorter=V),
    "ravel_multi_index: indices must be integers, got float": lambda: jnp.ravel_multi_index((V, V), (4, 4)),
    "zeros: a shape is an integer or a tuple of integers, got set": lambda: jnp.zeros({2, 3}),
    "zeros: a shape is .* of 64 bits, got 118059": lambda: jnp.zeros(2**70),
}
NO_MASKS = {
    f"{name}: (sum: )?where must be a bool array, got": lambda name=name, w=w, more=more: getattr(jnp, name)(V, where=w, **more)
    for name, w, more in [
        ("sum", V, {}), ("prod", 1, {}), ("mean", V, {}), ("var", V, {}), ("std", 1.0, {}), ("all", V, {}), ("any", V, {}),
        ("max", V, {"initial": 0}), ("nansum", V, {}), ("nanmean", V, {}), ("nanvar", 1j, {}),
    ]
}  # fmt: skip
NO_IMAGINARY_PART = {
    r"at\[\].set": lambda: V.at[0].set(1j),
    r"at\[\].multiply": lambda: V.at[I].multiply(jnp.array([1j, 1])),
    r"at\[\].add": lambda: jitgrad.jit(lambda x: x.at[0].add(1j))(V),
    "pad": lambda: jnp.pad(V, 1, constant_values=(0, 1j)),
    "put": lambda: jnp.put(V, 0, 1j, inplace=False),
    "put_along_axis": lambda: jnp.put_along_axis(V, I, 1j, 0, inplace=False),
    "fill_diagonal": lambda: jnp.fill_diagonal(M, 1j, inplace=False),
    "insert": lambda: jnp.insert(V, 0, 1j),
    "nan_to_num": lambda: jnp.nan_to_num(V, nan=1j),
    "fill_value": lambda: V.at[9].get(mode="fill", fill_value=1j),
    "sum": lambda: jnp.sum(V, initial=1j),
    "full_like": lambda: jnp.full_like(V, 1j),
    "scipy.signal.welch": lambda: signal.welch(V, 1j),
    "map_coordinates": lambda: ndimage.map_coordinates(M, [V, V], 1, cval=1j),
}
OTHERS = {
    "zeros: a shape has fewer than 2[*][*]63 elements": lambda: jnp.zeros((2**40, 2**40)),
    "random.orthogonal: a shape has fewer than 2[*][*]63 elements": lambda: random.orthogonal(random.key(0), 2**40),
    "random.orthogonal: n and m may not both be above 65536": lambda: random.orthogonal(random.key(0), 2**30),
    "random.orthogonal: n must be an integer, got float": lambda: random.orthogonal(random.key(0), 2.5),
    "array_split: indices_or_sections must be at most 1048576 pieces, got 1099511627776": lambda: jnp.array_split(V, 2**40),
    "polyint: m is at most 1000, got 100000": lambda: jnp.polyint(V, 10**5),
    "array_repr: precision must be an integer, got str": lambda: jnp.array_repr(V, precision="x"),  # type: ignore[arg-type]
    "array_str: max_line_width must be an integer, got float": lambda: jnp.array_str(V, 1.5),  # type: ignore[arg-type]
    "where: size= and fill_value= go with the condition alone": lambda: jnp.where(V > 1, V, V, size=2),
    r"size: axis \(0, 0\) names an axis twice": lambda: jnp.size(M, (0, 0)),
    "size: axis 7 does not exist": lambda: jnp.size(M, 7),
    "polyfit: cov must be True, False or 'unscaled', got 'x'": lambda: jnp.polyfit(V, V, 1, cov="x"),
    "polyadd: coefficients must be vectors": lambda: jnp.polyadd(M, V),
    "stack: arrays must be a list or a tuple of arrays, got 1.5": lambda: jnp.stack(1.5),
    "hstack: arrays must be a list or a tuple of arrays, got {1, 2}": lambda: jnp.hstack({1, 2}),
    "piecewise: a condition of shape .2,. does not broadcast to x's .3,.": lambda: jnp.piecewise(V, [I > 0], [1, 2]),
    "take: there are no elements along axis 0": lambda: jnp.take(V[:0], I),
    "take needs .* got the string 'abc'.* That is the argument fill_value": lambda: jnp.take(V, I, fill_value="abc"),
    "arange: start must be a number, got None": lambda: jnp.arange(None),
    "lexsort: keys must be a sequence of arrays, got 1.5": lambda: jnp.lexsort(1.5),
    "histogram2d: bins must be .* got None": lambda: jnp.histogram2d(V, V, None),
    "interp: left and right are numbers, None or 'extrapolate', got 'x'": lambda: jnp.interp(V, V, V, left="x"),
    "fabs: takes real numbers": lambda: jnp.fabs(1j),
    "from_dlpack: needs an array that has __dlpack__, got str": lambda: jnp.from_dlpack("x"),
    "bincount: how many .* Give length=[.]": lambda: jitgrad.jit(jnp.bincount)(I),
    "ravel_multi_index: mode 'raise' looks at the indices": lambda: jitgrad.jit(lambda i: jnp.ravel_multi_index((i,), (3,)))(I),
    "unique: axis 7 does not exist": lambda: jnp.unique(M, axis=7),
    "tile: reps is an integer or a tuple of integers of 0 or more, got -1": lambda: jnp.tile(V, -1),
    "mask_indices: mask_func must be a function": lambda: jnp.mask_indices(3, 1.5),
    "logsumexp: where must be a bool array, got float32": lambda: special.logsumexp(V, where=V),
    "random.t: parameters are real numbers, got complex": lambda: random.t(random.key(0), 1j),
    "random.bernoulli: parameters are real numbers, got complex": lambda: random.bernoulli(random.key(0), 1j),
    "random.randint: a complex number does not fit": lambda: random.randint(random.key(0), (2,), 1j, 9),
    "fromfunction: needs a function": lambda: jnp.fromfunction(1.5, (2,)),
}


IDLE = {
    "histogram: range must be .lowest, highest., two numbers; got .0,.": lambda: jnp.histogram(V, V, (0,)),
    "histogram: range must be .lowest, highest., two numbers; got 5": lambda: jnp.histogram(V, V, 5),
    "histogram: range must be .lowest, highest., got .3.0, 1.0.": lambda: jnp.histogram(V, V, (3, 1)),
    "histogram needs an array or a number, got the string 'a'": lambda: jnp.histogram(V, V, "ab"),
    "histogram: the range given, nan to 1.0, is not finite": lambda: jnp.histogram(V, V, (np.nan, 1)),
    "cross: axis must be an integer, got 'x'. That is the argument axisa": lambda: jnp.cross(V, V, "x", axis=0),
    "cross: axis must be an integer, got 'x'. That is the argument axisb": lambda: jnp.cross(V, V, 0, "x", axis=0),
    "cross: axis must be an integer, got 'x'. That is the argument axisc": lambda: jnp.cross(V, V, 0, 0, "x", 0),
    "cross: axis 7 does not exist": lambda: jnp.cross(V[:2], V[:2], axisc=7),
    "take: fill_value goes with mode=.fill., got mode 'clip'": lambda: jnp.take(V, I, mode="clip", fill_value=3),
    "take_along_axis: fill_value goes with mode=.fill., got mode 'clip'": lambda: jnp.take_along_axis(V, I, 0, "clip", 3),
    r"at\[\].get: fill_value goes with mode=.fill., got mode None": lambda: V.at[I].get(fill_value=3),
    "take: out= is not supported": lambda: jnp.take(V, I, out=V),
    "trace: out= is not supported": lambda: jnp.trace(M, out=V),
    "einsum: out= is not supported": lambda: jnp.einsum("ij->i", M, out=V),
}
"""What a call would not use, but checks."""


@pytest.mark.parametrize(("words", "call"), [*NO_INTEGERS.items(), *NO_MASKS.items(), *OTHERS.items(), *IDLE.items()])
def test_what_means_nothing_is_refused(words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(errors.JitgradError, match=f"^{words}"):
        call()


@pytest.mark.parametrize("name", NO_IMAGINARY_PART)
def test_an_imaginary_part_is_not_dropped_in_silence(name: str) -> None:
    with pytest.raises(errors.DTypeError, match=f"{name}: a complex number does not fit in an array of float32"):
        NO_IMAGINARY_PART[name]()


def test_what_is_nearly_the_same_is_taken() -> None:
    assert jnp.polyadd(1, V).tolist() == [1, 2, 4] and jnp.polyder(3).shape == (0,) and jnp.polyint(3.0).tolist() == [3, 0]
    assert jnp.diff(V, 99).shape == (0,) and jnp.split(V, [])[0].shape == (3,) and jnp.roll(V, np.int8(1)).tolist() == [3, 1, 2]
    assert jnp.sum(V, where=np.array([True, False, True])) == 4 and jnp.mean(V, where=True) == 2
    assert jnp.repeat(V, np.int64(2)).shape == (6,) and jnp.pad(V, {0: 1}).shape == (5,)
    assert jnp.take(V[:0], I[:0]).shape == (0,) and V.astype("complex64").at[0].set(1j)[0] == 1j
