"""Text: characters and byte pairs come back, what is not in a vocabulary is named."""

from __future__ import annotations

import gzip
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitgrad import data, errors


@settings(max_examples=80)
@given(text=st.text(min_size=1))
def test_characters_come_back_from_their_tokens(text):
    vocabulary = data.Characters.of(text)
    tokens = vocabulary.encode(text)
    assert vocabulary.decode(tokens) == text and tokens.dtype == np.int32 and len(tokens) == len(text)
    assert sorted(set(tokens.tolist())) == list(range(len(vocabulary)))
    assert data.Characters(vocabulary.characters) == vocabulary


def test_what_is_not_in_a_vocabulary_is_named():
    vocabulary = data.Characters.of("abc")
    with pytest.raises(errors.ArgumentError, match="'d' at index 2"):
        vocabulary.encode("abd")
    with pytest.raises(errors.ArgumentError, match="0 to 2, got 3 at index 1"):
        vocabulary.decode([0, 3])
    with pytest.raises(errors.ArgumentError, match="got -1"):
        vocabulary.decode([-1])
    with pytest.raises(errors.DTypeError, match="float64"):
        vocabulary.decode(np.array([0.5]))
    with pytest.raises(errors.ParametersError, match="a str, got bytes"):
        vocabulary.encode(b"abc")
    with pytest.raises(errors.ArgumentError, match="in order"):
        data.Characters("ba")
    with pytest.raises(errors.ArgumentError, match="Characters.of"):
        data.Characters.of("")
    assert vocabulary.decode([]) == "" and vocabulary.encode("").size == 0


def test_a_text_file_is_read_with_one_kind_of_line_end(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_bytes("eins\r\nzwei\rdrei – vier\n".encode())
    assert data.read_text(path) == "eins\nzwei\ndrei – vier\n"
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert data.read_text(packed) == data.read_text(path)
    path.write_bytes(b"one\ntwo \xe9\n")
    with pytest.raises(errors.BadRecordError, match=r"poem.txt, line 2, byte 8: e9 is not utf-8 .*latin-1"):
        data.read_text(path)
    assert data.read_text(path, "latin-1") == "one\ntwo é\n"


# Rows of different lengths


@settings(max_examples=60)
@given(
    rows=st.lists(st.lists(st.integers(-9, 9), max_size=6), min_size=1, max_size=5).filter(any),
    length=st.none() | st.integers(1, 8),
    side=st.sampled_from(["left", "right"]),
)
def test_rows_are_padded_and_cut_on_one_side(rows, length, side):
    out = data.pad_sequences(rows, length, value=77, side=side)
    width = length or max(map(len, rows))
    assert out.shape == (len(rows), width) and out.dtype == np.int64
    for row, padded in zip(rows, out.tolist(), strict=True):
        if side == "right":
            assert padded == (row + [77] * width)[:width]
        else:
            assert padded == ([77] * width + row)[-width:]


def test_rows_may_have_features_and_must_have_the_same():
    out = data.pad_sequences([np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)])
    assert out.shape == (2, 4, 3) and out.dtype == np.float32 and out[0, 2:].sum() == 0
    with pytest.raises(errors.ShapeError, match=r"\(2, 3\) and, as row 1, \(4, 2\)"):
        data.pad_sequences([np.ones((2, 3)), np.ones((4, 2))])
    for rows in ([], [[]]):
        with pytest.raises(errors.ArgumentError, match="one at least has elements"):
            data.pad_sequences(rows)
    for rows, value in (([[1]], 0.5), ([np.ones(1, np.uint8)], -1), ([[1]], np.nan)):
        with pytest.raises(errors.ArgumentError, match="can't be padded"):
            data.pad_sequences(rows, value=value)
    with pytest.raises(errors.ArgumentError, match="side"):
        data.pad_sequences([[1]], side="pre")


# Byte pairs


TEXT = "the cat sat on the mat, the rat sat on the cat. " * 20


@pytest.fixture(scope="module")
def pairs():
    pytest.importorskip("tokenizers")
    return data.BytePairs.train(TEXT, 265)


@settings(max_examples=60)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_byte_pairs_encode_every_text_and_give_it_back(pairs, text):
    tokens = pairs.encode(text)
    assert pairs.decode(tokens) == text and tokens.dtype == np.int32 and (tokens < len(pairs)).all()


def test_common_pieces_are_one_token(pairs):
    assert len(pairs) == 265 and len(pairs.encode(TEXT)) < len(TEXT) / 2
    assert len(pairs.encode(" the")) == 1


def test_a_tokenizer_comes_back_from_its_file(pairs, tmp_path):
    pairs.save(tmp_path / "pairs.json")
    again = data.BytePairs.load(tmp_path / "pairs.json")
    np.testing.assert_array_equal(again.encode(TEXT), pairs.encode(TEXT))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(errors.BadRecordError, match="other.json is no file of a tokenizer"):
        data.BytePairs.load(tmp_path / "other.json")


def test_tokens_outside_the_vocabulary_and_small_vocabularies_are_refused(pairs):
    with pytest.raises(errors.ArgumentError, match="0 to 264, got 265 at index 0"):
        pairs.decode([265])
    with pytest.raises(errors.ArgumentError, match="257 or more, got 100"):
        data.BytePairs.train(TEXT, 100)


def test_a_package_that_is_not_there_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"data.BytePairs.train needs tokenizers, .* pip install 'jitgrad\[train\]'"):
        data.BytePairs.train(TEXT, 300)
