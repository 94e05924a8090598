"""Arrays from files, buffers and iterables, as text, and functions along axes: against NumPy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import errors
from jitgrad.testing import assert_close

A = np.arange(24.0).reshape(2, 3, 4) ** 1.5


@pytest.mark.parametrize("mode", [lambda f: f, jitgrad.jit], ids=["eager", "jit"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("name", ["sum", "cumsum", "outer", "diag"])
def test_functions_of_vectors_are_applied_along_an_axis(mode, axis, name):
    functions = {
        "sum": lambda m: m.sum,
        "cumsum": lambda m: m.cumsum,
        "outer": lambda m: lambda v: m.outer(v, v),
        "diag": lambda m: m.diag,
    }
    f = (lambda v: v.sum()) if name == "sum" else None
    ours, theirs = f or functions[name](jnp), f or functions[name](np)
    assert_close(mode(lambda x: jnp.apply_along_axis(ours, axis, x))(A), np.apply_along_axis(theirs, axis, A), 1e-12)


def test_functions_are_applied_over_axes():
    for axes in (0, [0, 2], [-1], (2, 1, 0)):
        assert_close(jnp.apply_over_axes(jnp.sum, A, axes), np.apply_over_axes(np.sum, A, axes), 1e-12)
    with pytest.raises(errors.ShapeError, match="apply_over_axes"):
        jnp.apply_over_axes(lambda x, axis: x.sum(), A, [0])


def test_brackets_join_arrays():
    v, m = np.arange(3), np.ones((3, 2))
    for ours, theirs in (
        (jnp.r_[v, 5, 1:4], np.r_[v, 5, 1:4]), (jnp.r_[0:1:3j], np.r_[0:1:3j]), (jnp.c_[v, v], np.c_[v, v]),
        (jnp.c_[m, v], np.c_[m, v]),
        (jnp.r_[m, m], np.r_[m, m]), (jnp.c_[1:3], np.c_[1:3]),
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ["r_", "c_"])
@pytest.mark.parametrize(
    "key",
    [("0,2", [1, 2], [3, 4]), ("0,2,0", [1, 2], [3, 4]), ("1,2,0", [1, 2], [3, 4]), ("-1", np.ones((2, 2)), np.ones((2, 1))),
     ("r", [1, 2], [3]), ("c", [1, 2], [3]), ("r", np.ones((1, 2))), ("0,3,1", [1, 2], slice(0, 2)), ("2,3,-2", [1, 2], [3, 4]),
     ("0,2", 7, slice(0, 1))],
    ids=str,
)  # fmt: skip
def test_a_text_in_brackets_tells_axes_as_in_numpy(name: str, key: Any) -> None:
    try:
        theirs = np.asarray(getattr(np, name)[key])
    except ValueError:
        with pytest.raises(errors.ShapeError):
            getattr(jnp, name)[key]
    else:
        np.testing.assert_array_equal(getattr(jnp, name)[key], theirs, strict=True)


@pytest.mark.parametrize(
    ("key", "message"),
    [(("0,a", [1]), "must be r, c or up to three integers, got '0,a'"), (("0,1,2,3", [1]), "up to three integers"),
     (([1], "r"), "must be the first of all"), (("0,2,3", [1]), "from -2 to 1, got 3")],
    ids=str,
)  # fmt: skip
def test_other_texts_in_brackets_are_refused(key: Any, message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=f"^r_ and c_: .*{message}"):
        jnp.r_[key]


def test_files_and_buffers_become_arrays(tmp_path):
    x = np.arange(5.0)
    jnp.save(tmp_path / "x.npy", jnp.asarray(x))
    assert_close(jnp.load(tmp_path / "x.npy"), x)
    x.tofile(tmp_path / "x.bin")
    assert_close(jnp.fromfile(tmp_path / "x.bin"), x)
    buffer = bytearray(x.tobytes())
    read = jnp.frombuffer(buffer)
    buffer[:] = bytes(len(buffer))
    assert_close(read, x)
    owner = np.arange(3.0)
    taken = jnp.from_dlpack(owner)
    owner[:] = 0
    assert_close(taken, np.arange(3.0))
    with pytest.raises(BufferError, match="copy=False"):
        jnp.from_dlpack(owner, copy=False)


def test_arrays_are_shown_as_text():
    assert jnp.array_str(jnp.array([1 / 3]), precision=3) == "[0.333]"
    assert "\n" not in jnp.array_str(jnp.arange(60), max_line_width=np.inf)
    assert "dtype=float32" in jnp.array_repr(jnp.ones(2))


@pytest.mark.parametrize("write", ["savez", "savez_compressed"])
def test_several_arrays_go_into_one_file(tmp_path, write):
    x, y = np.arange(3.0), np.ones((2, 2), "int8")
    getattr(jnp, write)(tmp_path / "both.npz", jnp.array(x), named=y)
    with jnp.load(tmp_path / "both.npz") as read:
        assert sorted(read.files) == sorted(read) == ["arr_0", "named"] and len(read) == 2
        assert isinstance(read["named"], jitgrad.Array) and read["named"].dtype == "int8"
        assert_close(read["arr_0"], x)
    assert np.load(tmp_path / "both.npz")["named"].tolist() == y.tolist()
    with pytest.raises(errors.ArgumentError, match="a name is that of an array without one"):
        getattr(jnp, write)(tmp_path / "twice.npz", x, arr_0=y)


def test_files_with_pickled_objects_are_neither_written_nor_read(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    with pytest.raises(ValueError, match="holds Python objects"):
        jnp.load(tmp_path / "objects.npy")
    for call in (
        lambda: jnp.load(tmp_path / "objects.npy", allow_pickle=True),
        lambda: jnp.save(tmp_path / "x.npy", jnp.ones(1), allow_pickle=True),
        lambda: jnp.savez(tmp_path / "x.npz", jnp.ones(1), allow_pickle=True),
    ):
        with pytest.raises(errors.ArgumentError, match="pickled objects are neither written nor read"):
            call()


def test_bfloat16_comes_back_from_files(tmp_path):
    x = jnp.array([1.5, -2.0], "bfloat16")
    jnp.save(tmp_path / "x.npy", x)
    jnp.savez(tmp_path / "x.npz", x=x)
    for again in (jnp.load(tmp_path / "x.npy"), jnp.load(io.BytesIO((tmp_path / "x.npz").read_bytes()))["x"]):
        assert again.dtype == x.dtype and again.tolist() == [1.5, -2.0]


def test_a_file_that_cannot_be_read_says_what_is_the_matter(tmp_path):
    np.savez(tmp_path / "c.npz", a=np.array([None]), b=np.ones(1))
    with pytest.raises(errors.FileFormatError, match="^load: the file is damaged, .*: File is not a zip file"):
        jnp.load(io.BytesIO((tmp_path / "c.npz").read_bytes()[:90]))
    for name, content in (("junk.npy", b"junk"), ("empty.npy", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(errors.FileFormatError, match=f"^load: '.*{name}' is damaged, or no file that numpy.save") as caught:
            jnp.load(tmp_path / name)
        assert "allow_pickle" not in str(caught.value)
    with jnp.load(tmp_path / "c.npz") as several:
        with pytest.raises(errors.FileFormatError, match="^load: the array 'a' of the .npz file holds Python objects"):
            several["a"]
        with pytest.raises(KeyError, match="has no array 'z'; it has 'a', 'b'"):
            several["z"]
    with pytest.raises(errors.MissingFileError, match="^load: there is no file '.*none.npy'"):
        jnp.load(tmp_path / "none.npy")


def test_options_of_printing_are_numpys():
    with jnp.printoptions(precision=2):
        assert jnp.get_printoptions()["precision"] == 2 and str(jnp.array([0.12345])) == "[0.12]"
        jnp.set_printoptions(precision=3)
        assert str(jnp.array([0.12345])) == "[0.123]"
    assert str(jnp.array([0.125])) == "[0.125]"
