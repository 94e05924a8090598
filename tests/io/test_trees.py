"""io.save and io.load: what is saved comes back to the bit, whole or not at all, and into a tree of the same leaves alone."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors, io, jit, nn, optim, random, tree
from jitgrad.io import safetensors as file_format

KEY = random.key(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tree.safetensors"


def equal(a, b):
    assert tree.structure(a) == tree.structure(b)
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        assert type(x) is type(y)
        if isinstance(x, jitgrad.Array | np.ndarray | np.generic):
            assert (x.dtype, x.shape) == (y.dtype, y.shape) and np.asarray(x).tobytes() == np.asarray(y).tobytes()
        else:
            assert repr(x) == repr(y)


TYPES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16", "float8_e4m3fn",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
def test_arrays_of_every_type_come_back_to_the_bit(path, dtype):
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 2))
    x = jnp.asarray(values, dtype=dtype)
    given = {"whole": x, "one": x[0, 0, 0], "none": x[:0], "view": np.asarray(x)[::-1, ::2], "numpy": np.asarray(x)[1, 1, 1]}
    io.save(path, given)
    equal(io.load(path, given), given)
    equal(io.load(path), tree.map(jnp.asarray, given))


def test_numbers_that_are_none_come_back_to_the_bit(path):
    odd = np.array([np.nan, -np.nan, np.inf, -0.0, 5e-324])
    given = {"f": odd, "b": odd.astype(ml_dtypes.bfloat16), "c": np.stack([odd, odd[::-1]], -1).view(complex)}
    io.save(path, given)
    equal(io.load(path, given), given)


class State(NamedTuple):
    model: object
    moments: object
    key: object
    step: int
    rates: dict


def test_the_state_of_a_run_comes_back_and_goes_on_as_it_would_have(path):
    model = nn.Sequential(nn.Linear(4, 8, key=KEY), nn.BatchNorm1d(8), jnp.tanh, nn.Dropout(0.5), nn.Linear(8, 2, key=KEY))
    optimizer = optim.adamw(0.1)
    state = State(model, optimizer.init(model), random.split(KEY), 0, {"a": [1.5, True], "b": (2 + 1j, "text", None, 10**50)})
    x = np.random.default_rng(0).standard_normal((16, 4)).astype("float32")

    @jit
    def step(model, moments, key):
        def loss(model):
            y, after = nn.apply(model, x, train=True, key=key)
            return jnp.mean(y**2), after

        grads, model = jitgrad.grad(loss, has_aux=True)(model)
        updates, moments = optimizer.update(grads, moments, model)
        return optim.apply_updates(model, updates), moments

    def after(state):
        return State(*step(state.model, state.moments, state.key[0]), state.key, state.step + 1, state.rates)

    trained = after(after(state))
    io.save(path, trained)
    back = io.load(path, state)
    equal(back, trained)
    equal(after(back), after(trained))
    assert io.load(path)["step"] == 2


def test_a_frozen_module_is_loaded_frozen(path):
    frozen = nn.freeze(nn.Linear(2, 3, key=KEY))
    io.save(path, nn.Linear(2, 3, key=random.key(1)))
    assert not tree.leaves(jitgrad.grad(lambda m: jnp.sum(m(jnp.ones(2))))(io.load(path, frozen)))


def test_names_are_those_that_other_libraries_would_give(path):
    io.save(path, {"net": nn.Sequential(nn.Linear(2, 3, key=KEY), nn.relu), "keys": [KEY], "opt": (State(*[1.0] * 4, {}),)})
    assert list(io.load(path)) == [
        "keys.0", "net.layers.0.weight", "net.layers.0.bias", "opt.0.model", "opt.0.moments", "opt.0.key", "opt.0.step",
    ]  # fmt: skip
    flat = io.load(path)
    io.save(path, flat)
    equal(io.load(path), flat)


def test_a_single_leaf_is_a_tree_too(path):
    for leaf in (jnp.ones(3), KEY, 3, "text"):
        io.save(path, leaf)
        equal(io.load(path, leaf), leaf)
    io.save(path, {})
    assert io.load(path) == {} == io.load(path, {})


def test_weak_numbers_keep_their_64_bits_and_stand_for_pythons(path):
    step = jit(lambda p: {"w": p["w"] * 1.1, "n": p["n"] + 1})
    given = {"w": 0.1, "n": 3}
    trained = step(given)
    io.save(path, trained)
    back = io.load(path, given)
    assert {n: x.weak_type for n, x in back.items()} == {n: x.weak_type for n, x in trained.items()}
    equal(back, trained)
    equal(step(back), step(trained))
    io.save(path, given)
    assert io.load(path, trained) == given
    io.save(path, {"w": jnp.float32(2.0), "n": jnp.int32(1)})
    assert io.load(path, given)["w"].dtype == "float32"
    io.save(path, {"w": jnp.int32(2), "n": True})
    with pytest.raises(errors.TreeStructureError, match=r"n is a Python bool and must be a Python int, w is i32\[\] and"):
        io.load(path, given)


def test_a_tree_without_memory_is_enough_to_load(path):
    model = nn.Linear(3, 2, key=KEY)
    io.save(path, (model, KEY))
    shapes = jitgrad.eval_shape(lambda key: (nn.Linear(3, 2, key=key), key), KEY)
    equal(io.load(path, shapes), (model, KEY))
    io.save(path, {"weight": model.weight})
    with pytest.raises(errors.TreeStructureError, match="missing: bias"):
        io.load(path, shapes[0], strict=False)


def test_metadata_comes_back(path):
    given = {"epoch": 3, "losses": [0.5, 1e-300], "name": "größer", "none": None}
    io.save(path, {"x": 1}, metadata=given)
    assert io.metadata(path) == given
    io.save(path, {}, metadata={"loss": jnp.float32(0.5), "counts": np.arange(3)})
    assert io.metadata(path) == {"loss": 0.5, "counts": [0, 1, 2]}
    io.save(path, {})
    assert io.metadata(path) == {}
    with pytest.raises(errors.ArgumentError, match="metadata must be what JSON has: a function is none"):
        io.save(path, {}, metadata={"f": test_metadata_comes_back})


def test_the_safetensors_library_reads_what_is_saved_and_what_it_writes_is_read(path):
    library = pytest.importorskip("safetensors.numpy")
    given = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3, np.int8), "c": np.zeros((0, 2), np.float16), "d": np.array([True])}
    io.save(path, given, metadata={"a": 1})
    equal(library.load_file(path), dict(sorted(given.items(), key=lambda item: -item[1].itemsize)))
    library.save_file(given, path, metadata={"from": "elsewhere"})
    equal(io.load(path, given), given)
    assert io.metadata(path) == {"from": "elsewhere"}


def test_equal_trees_give_equal_files(path, tmp_path):
    for name in ("a", "b"):
        io.save(tmp_path / name, {"x": jnp.ones(3), "k": KEY, "n": 1}, metadata={"z": 1, "a": 2})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


DIFFERENT = {
    "missing: bias": lambda: {"weight": jnp.ones((3, 2))},
    "unexpected: more.0, more.1, more.2, more.3, more.4, and 2 more": lambda: {
        "weight": jnp.ones((3, 2)), "bias": jnp.ones(2), "more": list(range(7)),
    },
    "different: weight is f32[4,2] and must be f32[3,2], bias is f64[2] and must be f32[2]": lambda: {
        "weight": jnp.ones((4, 2)), "bias": jnp.ones(2, "float64"),
    },
    "different: bias is random keys [] and must be f32[2]": lambda: {"weight": jnp.ones((3, 2)), "bias": KEY},
    "different: weight is a Python str and must be f32[3,2]": lambda: {"weight": "text", "bias": jnp.ones(2)},
}  # fmt: skip


@pytest.mark.parametrize("message", DIFFERENT)
def test_a_file_of_another_tree_is_refused_by_name(path, message):
    io.save(path, DIFFERENT[message]())
    with pytest.raises(errors.TreeStructureError) as error:
        io.load(path, nn.Linear(3, 2, key=KEY))
    assert message in str(error.value) and "tree.safetensors', of a dict, does not fit" in str(error.value)


def test_a_file_of_another_model_names_it(path):
    io.save(path, nn.Linear(3, 2, key=KEY))
    with pytest.raises(errors.TreeStructureError, match=r"of a jitgrad.nn.linear.Linear, does not fit like=:\n  missing: gamma"):
        io.load(path, {"gamma": jnp.ones(2)})


def test_what_both_have_is_loaded_where_that_is_asked_for(path):
    io.save(path, {"weight": jnp.ones((3, 2)), "scale": 2.0})
    layer = nn.Linear(3, 2, key=KEY)
    loaded = io.load(path, layer, strict=False)
    np.testing.assert_array_equal(loaded.weight, 1.0)
    assert loaded.bias is layer.bias
    io.save(path, {"weight": jnp.ones((2, 2))})
    with pytest.raises(errors.TreeStructureError, match="different: weight"):
        io.load(path, layer, strict=False)


class Thing:
    pass


NOT_SAVED = {
    "the leaf 'a.0' is of type Thing": {"a": [Thing()]},
    "the leaf 'f' is of type function": {"f": lambda x: x},
    "the leaf 'b' is of type bytes": {"b": b"raw"},
    "the leaf 's' is of type ndarray of <U1": {"s": np.array(["a"])},
    "the leaf 'o' is of type ndarray of object": {"o": np.array([None])},
    "the leaf 'l' is of type ndarray of longdouble": {"l": np.ones(2, np.longdouble)},
    "the leaf 'm' is of type MaskedArray": {"m": np.ma.masked_array([1.0], [True])},
    "two leaves would have the name 'a.b': ['a']['b'] and ['a.b']": {"a": {"b": 1}, "a.b": 2},
    "two leaves would have the name '1': [1] and ['1']": {"1": 1, 1: 2},
    "'__metadata__' can't be the name": {"__metadata__": jnp.ones(2)},
    "it is no text": {"\ud800": jnp.ones(2)},
}


@pytest.mark.parametrize("message", NOT_SAVED)
def test_what_no_file_has_a_place_for_is_refused_by_name(path, message):
    with pytest.raises(errors.ArgumentError) as error:
        io.save(path, NOT_SAVED[message])
    assert message.replace("longdouble", str(np.dtype(np.longdouble))) in str(error.value)
    assert not os.listdir(path.parent)


def test_big_endian_arrays_are_saved_as_the_same_numbers(path):
    io.save(path, {"x": np.arange(3, dtype=">f4")})
    np.testing.assert_array_equal(io.load(path, {"x": np.zeros(3, ">f4")})["x"], [0, 1, 2])


@pytest.mark.parametrize("transform", [jit, jitgrad.vmap, lambda f: jitgrad.grad(lambda x: (f(x), jnp.sum(x))[1])])
def test_a_traced_value_is_refused(path, transform):
    with pytest.raises(errors.ArgumentError, match="the leaf 'x' is a traced value"):
        transform(lambda x: io.save(path, {"x": x}))(jnp.ones(3))
    assert not os.listdir(path.parent)


def test_a_file_is_replaced_with_its_permissions_also_through_a_link(path, tmp_path):
    io.save(path, {"x": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~(mask := os.umask(0)) and os.umask(mask) == 0
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    io.save(link, {"x": 2})
    assert link.is_symlink() and io.load(path) == {"x": 2} and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "tree.safetensors"]


def test_a_full_disk_leaves_what_was_there(path):
    io.save(path, {"x": 1})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(OSError) as error:
            io.save(path, {"x": jnp.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG and "what was there before, if anything, is unchanged" in error.value.__notes__[0]
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("failing", ["write", "fsync", "replace"])
def test_ctrl_c_leaves_what_was_there(path, failing, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    io.save(path, {"x": 1})
    before = path.read_bytes()
    monkeypatch.setattr(*((np, "ascontiguousarray") if failing == "write" else (os, failing)), interrupted)
    with pytest.raises(KeyboardInterrupt):
        io.save(path, {"x": jnp.ones(10)})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_place_that_takes_no_file_is_refused(path, tmp_path):
    with pytest.raises(errors.FileFormatError, match="is a folder, whose place"):
        io.save(tmp_path, {})
    with pytest.raises(errors.FileFormatError, match="is no regular file"):
        io.save("/dev/null", {})
    with pytest.raises(errors.MissingFileError, match="there is no folder"):
        io.save(tmp_path / "no" / "file", {})
    with pytest.raises(FileNotFoundError, match="there is no file"):
        io.load(path)
    for wrong in (3, None, "", b"bytes", "a\0b"):
        with pytest.raises(errors.ArgumentError, match="path must be a string or a pathlib.Path"):
            io.save(wrong, {})
    assert not os.listdir(tmp_path)


def test_a_narrow_session_loads_what_a_wide_one_saved(path):
    io.save(path, {"x": np.arange(3.0)})
    with jitgrad.enable_x64(False):
        assert io.load(path)["x"].dtype == "float32"


def test_the_header_says_its_version(path):
    io.save(path, {"x": jnp.ones(2), "n": 2})
    with file_format.opened("", str(path)) as contents:
        head = json.loads(contents.metadata["jitgrad"])
    assert head == {
        "version": 1, "kind": "dict", "notes": {"n": {"int": 2}}, "metadata": {},
    }  # fmt: skip


def test_nothing_in_common_is_an_error_even_where_not_all_is_asked_for(path):
    io.save(path, {"a": 1})
    with pytest.raises(errors.TreeStructureError, match="missing: b\n  unexpected: a\n  at"):
        io.load(path, {"b": 2}, strict=False)
    assert io.load(path, {}, strict=False) == {}


def test_a_file_that_is_replaced_while_it_is_read_stays_what_it_was(path):
    io.save(path, {"a": jnp.zeros(3), "b": jnp.zeros(3)})
    with file_format.opened("io.load", str(path)) as contents:
        first = contents.read("a")
        io.save(path, {"b": jnp.ones(3), "a": jnp.ones(3)})
        np.testing.assert_array_equal([first, contents.read("b")], 0)
    np.testing.assert_array_equal(io.load(path)["b"], 1)


def test_files_of_every_length_of_header_are_read(path):
    """Lengths begin with any byte: some as pickles and archives do."""
    for n in range(0, 300, 4):
        io.save(path, {"x" * n: 1})
        assert io.load(path) == {"x" * n: 1}
