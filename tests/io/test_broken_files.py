"""A broken or hostile file is a FileFormatError that names it; memory is taken for no more than the file has."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jitgrad.numpy as jnp
from jitgrad import errors, io, random
from jitgrad.io import safetensors as file_format

ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def entry(**changes):
    return {"a": {**ENTRY, **changes}}


def header(x):
    return x if isinstance(x, bytes) else json.dumps(x).encode()


def file_of(text, data=b"\0\0\0\0", length=None):
    text = header(text)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def ours(**changes):
    head = {"version": 1, "kind": "dict", "notes": {}, "metadata": {}, **changes}
    return {"__metadata__": {"jitgrad": json.dumps(head)}, "a": ENTRY}


TWO = {"a": {**ENTRY, "shape": [2], "data_offsets": [0, 8]}, "b": {**ENTRY, "shape": [2], "data_offsets": [4, 12]}}
BROKEN = {
    "0 bytes, which is no": b"",
    "7 bytes, which is no": b"1234567",
    "its header is to have 4611686018427387904: it was cut off, or it is no safetensors file": file_of({}, length=2**62),
    "its header is to have 1000: it was cut off": file_of({}, length=1000),
    "torch.save or pickle": b"PK\x03\x04" + bytes(100),
    "it is an HDF5 file, as Keras writes": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "its header is no JSON: 'utf-8' codec": file_of(b'{"\xff":1}'),
    "its header is no JSON: Expecting": file_of(b'{"a"}'),
    "it nests too deeply": file_of(b"[" * 1_000_000),
    "its header is no JSON: Exceeds the limit": file_of(b'{"a": ' + b"9" * 5000 + b"}"),
    "its header must be a JSON object, and is a list": file_of([]),
    "its __metadata__ must be texts": file_of({"__metadata__": {"a": 1}}, b""),
    "the name 'a' is there 2 times": file_of(f'{{"a":{json.dumps(ENTRY)},"a":{json.dumps(ENTRY)}}}'.encode()),
    "the name 'shape' is there 2 times": file_of(b'{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}'),
    "surrogates not allowed": file_of(b'{"\\ud800":1}'),
    "'a' must have dtype, shape and data_offsets": file_of({"a": {"dtype": "F32"}}),
    "'a' must have dtype, shape and data_offsets, and has 3": file_of({"a": 3}),
    "unknown type, 'F99'": file_of(entry(dtype="F99")),
    "unknown type, ['F32']": file_of(entry(dtype=["F32"])),
    "'a' has the shape [-1]": file_of(entry(shape=[-1])),
    "'a' has the shape [1.0]": file_of(entry(shape=[1.0])),
    "'a' has the shape [True]": file_of(entry(shape=[True])),
    "'a' has the shape 1": file_of(entry(shape=1)),
    "'a' has the shape [1, 1, 1": file_of(entry(shape=[1] * 65)),
    "'a' has the places [4, 0]": file_of(entry(data_offsets=[4, 0])),
    "'a' has the places [0, 4, 8]": file_of(entry(data_offsets=[0, 4, 8])),
    "'a' is F32[2], for which 4 bytes are the wrong number": file_of(entry(shape=[2])),
    "F32[4611686018427387904, 4611686018427387904]": file_of(entry(shape=[2**62, 2**62])),
    "F32[4611686018427387904, 0]": file_of(entry(shape=[2**62, 0], data_offsets=[0, 0]), b""),
    "'a' and 'b' overlap": file_of(TWO, bytes(12)),
    "'the header' and 'a' have a gap": file_of(entry(data_offsets=[4, 8]), bytes(8)),
    "it was cut off": file_of(entry(), b"\0\0\0"),
    "something follows behind its arrays": file_of(entry(), bytes(5)),
    "'a' has elements of type F8_E5M2": file_of(entry(dtype="F8_E5M2", shape=[4])),
    "'a' has elements of type F4": file_of(entry(dtype="F4", shape=[8])),
    "bytes that are neither 0 nor 1": file_of(entry(dtype="BOOL", shape=[4]), b"\0\1\2\0"),
    "written by a newer jitgrad, in version 2": file_of(ours(version=2, other=None)),
    "was not written by io.save": file_of({"__metadata__": {"jitgrad": "{"}}, b""),
    "not written by io.save: '[]'": file_of({"__metadata__": {"jitgrad": "[]"}}, b""),
    'was not written by io.save: \'{"version": 0': file_of(ours(version=0)),
    "notes of 'a' does not go with it: {'key': 'threefry2x32'}": file_of(ours(notes={"a": {"key": "threefry2x32"}})),
    "notes of 'a' does not go with it: {'weak': 'python'}": file_of(ours(notes={"a": {"weak": "python"}})),
    "notes of 'a' does not go with it: {'complex': 128}": file_of(ours(notes={"a": {"complex": 128}})),
    "notes of 'a' does not go with it: {'int': 3}": file_of(ours(notes={"a": {"int": 3}})),
    "notes of 'b' does not go with it: {'int': '3'}": file_of(ours(notes={"b": {"int": "3"}})),
    "notes of 'b' does not go with it: {'int': True}": file_of(ours(notes={"b": {"int": True}})),
    "notes of 'b' does not go with it: {}": file_of(ours(notes={"b": {}})),
    "notes of 'b' does not go with it: 3": file_of(ours(notes={"b": 3})),
    "'b' is to be a Python float, and is 'one'": file_of(ours(notes={"b": {"float": "one"}})),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_file_is_refused_by_name(tmp_path, message):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(BROKEN[message])
    with pytest.raises(errors.FileFormatError) as error:
        io.load(path)
    assert message in str(error.value) and "broken.safetensors' can't be read: " in str(error.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(errors.FileFormatError, match="is a folder; a file is needed"):
        io.load(tmp_path)
    with pytest.raises(errors.FileFormatError, match="is no regular file"):
        io.load("/dev/zero")


def whole(tmp_path):
    path = tmp_path / "whole.safetensors"
    io.save(path, {"a": jnp.arange(4.0), "k": random.key(1), "c": 1j * jnp.ones(2, "complex128"), "n": 3, "t": "x" * 50})
    return path.read_bytes()


def read_or_refused(path):
    """What a file has, or None where it is refused as a broken one."""
    try:
        return io.load(path)
    except errors.FileFormatError as error:
        assert path.name in str(error)
        return None


def test_a_file_that_was_cut_off_is_refused_at_every_length(tmp_path):
    data, path = whole(tmp_path), tmp_path / "cut.safetensors"
    for n in range(len(data)):
        path.write_bytes(data[:n])
        assert read_or_refused(path) is None, n


ANYWHERE = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANYWHERE
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_are_other_numbers_or_an_error(tmp_path, changes):
    data, path = bytearray(whole(tmp_path)), tmp_path / "changed.safetensors"
    for place, byte in changes:
        data[place % len(data)] = byte
    path.write_bytes(data)
    tracemalloc.start()
    read_or_refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


sizes = st.one_of(st.integers(-2, 9), st.integers(2**31 - 1, 2**70), st.floats(), st.none(), st.booleans(), st.text(max_size=3))
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BOOL", "C64", "F4", "BF16", "F8_E4M3", "F0", 3, None]),
        "shape": st.one_of(st.lists(sizes, max_size=3), sizes),
        "data_offsets": st.one_of(st.lists(sizes, max_size=3), st.sampled_from([[0, 4], [0, 8], [4, 8], [0, 0], [8, 8]])),
    }
)
headers = st.dictionaries(st.sampled_from(["a", "b", "c"]), entries, max_size=3)


@ANYWHERE
@given(headers, st.integers(0, 20))
def test_any_header_is_read_as_the_library_reads_it_or_refused(tmp_path, entries, size):
    safetensors = pytest.importorskip("safetensors")
    path = tmp_path / "header.safetensors"
    path.write_bytes(file_of(entries, bytes(size)))
    found = read_or_refused(path)
    if found is not None:
        with safetensors.safe_open(path, "np") as file:
            assert set(file.keys()) == set(found)
            assert {n: tuple(file.get_slice(n).get_shape()) for n in found} == {n: x.shape for n, x in found.items()}


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(["python", "threefry2x32", 128])
    ),
    lambda inside: st.one_of(
        st.lists(inside, max_size=2),
        st.dictionaries(st.sampled_from(["key", "complex", "weak", "int", "float", "str", "bool", "a"]), inside, max_size=2),
    ),
    max_leaves=5,
)
notes = st.dictionaries(st.sampled_from(["a", "b", "u", "w"]), json_values, max_size=3)


@ANYWHERE
@given(st.one_of(notes, json_values), st.sampled_from([1, 1, 1, 0, 2, "1", None, True]))
def test_any_notes_are_read_or_refused(tmp_path, notes, version):
    path = tmp_path / "notes.safetensors"
    more = {
        "u": {"dtype": "U32", "shape": [2], "data_offsets": [4, 12]},
        "w": {"dtype": "F64", "shape": [], "data_offsets": [12, 20]},
    }
    path.write_bytes(file_of({**ours(notes=notes, version=version), **more}, bytes(20)))
    found = read_or_refused(path)
    if found is not None:
        io.save(path, found)


@ANYWHERE
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path, data):
    path = tmp_path / "bytes.safetensors"
    path.write_bytes(data)
    assert read_or_refused(path) in (None, {})


def test_a_file_that_says_it_is_huge_takes_no_memory(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(file_of({"a": {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}}, bytes(100)))
    tracemalloc.start()
    assert read_or_refused(path) is None
    path.write_bytes((90_000_000).to_bytes(8, "little") + b"{")
    assert read_or_refused(path) is None
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_what_is_read_is_what_was_saved_or_nothing(tmp_path):
    path = tmp_path / "notes.safetensors"
    path.write_bytes(file_of(ours(notes={"b": {"int": 3}})))
    found = io.load(path)
    assert found["b"] == 3 and np.asarray(found["a"]).tolist() == [0.0]


def test_a_file_that_is_cut_off_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "cut.safetensors"
    io.save(path, {"a": jnp.ones(100_000)})
    with file_format.opened("io.load", str(path)) as contents:
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(errors.FileFormatError, match="it became shorter while it was read"):
            contents.read("a")


def test_errors_end_with_the_users_line_though_files_are_read_within_a_context(tmp_path):
    with pytest.raises(errors.MissingFileError, match=rf"at {__file__}:"):
        io.load(tmp_path / "none.safetensors")
