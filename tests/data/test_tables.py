"""CSV files: types of columns, missing values, what models are fitted to; a bad line is named."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jitgrad import data, errors
from jitgrad.data import records


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(tmp_path, text, **options):
    return data.read_csv(written(tmp_path, text), **options)


MIXED = """id,size,name,old,zip
1,2.5,"Ann, B.",true,00123
2,,Bo,FALSE,12345

3,1e3,"two
lines",true,01000
"""


def test_types_of_columns_are_found(tmp_path):
    table = read(tmp_path, MIXED)
    assert repr(table) == "<Table of 3 rows: id (integers), size (floats), name (text), old (bools), zip (text)>"
    assert table["id"].dtype == np.int64 and table["id"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(table["size"], [2.5, np.nan, 1000])
    assert table["name"].tolist() == ["Ann, B.", "Bo", "two\nlines"]
    assert table["old"].tolist() == [True, False, True] and table["old"].dtype == bool
    assert table["zip"].tolist() == ["00123", "12345", "01000"], "zeros in front are not lost"


def test_types_that_are_told_count(tmp_path):
    table = read(tmp_path, "a,b,c,d\n1,007,1,x\n2,8,0,NA\n", types={"a": float, "b": int, "c": bool, "d": "str"})
    assert table["a"].dtype == np.float64 and table["b"].tolist() == [7, 8]
    assert table["c"].tolist() == [True, False] and table["d"].tolist() == ["x", ""]
    assert read(tmp_path, "a,b\n1,2\n", types={"a": str})["a"].tolist() == ["1"]
    assert np.isnan(read(tmp_path, "a,b\n,2\n", types={"a": int})["a"]).all()


@pytest.mark.parametrize(
    ("cells", "expected", "letter"),
    [
        (["1", " 2 ", "-3"], [1, 2, -3], "i"),
        (["1", "NA", "3"], [1, np.nan, 3], "f"),
        (["", " ? ", "null"], [np.nan] * 3, "f"),
        (["1", "2.0", "inf"], [1, 2, np.inf], "f"),
        (["1_000", "2", "3"], ["1_000", "2", "3"], "T"),
        (["12345678901234567890", "1", "2"], ["12345678901234567890", "1", "2"], "T"),
        (["9007199254740993", "NA", "1"], ["9007199254740993", "", "1"], "T"),
        (["9007199254740993", "1.5", "1"], ["9007199254740993", "1.5", "1"], "T"),
        (["9007199254740992", "1.5", "1e30"], [9007199254740992, 1.5, 1e30], "f"),
        (["9007199254740992", "NA", "1"], [9007199254740992, np.nan, 1], "f"),
        (["9007199254740993", "2", "1"], [9007199254740993, 2, 1], "i"),
        (["true", "NA", "false"], ["true", "", "false"], "T"),
        (["x", "None", "1"], ["x", "", "1"], "T"),
        (["0", "-0.5", "0.25"], [0, -0.5, 0.25], "f"),
    ],
)  # fmt: skip
def test_cells_become_what_loses_nothing(tmp_path, cells, expected, letter):
    column = read(tmp_path, "x,other\n" + "".join(f"{c},a\n" for c in cells))["x"]
    assert column.dtype.kind == letter
    np.testing.assert_array_equal(np.array(column.tolist()), np.array(expected))


CELLS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 10**30]).map(str),
    st.floats(allow_nan=False).map(repr),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    st.sampled_from(["", "NA", "true", "False", "007", "1_0"]),
)


@settings(max_examples=150)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), size=st.integers(1, 30))
@example(rows=[("0", ""), ("0", "true")], size=1)  # bools of which a whole block is missing
def test_a_table_does_not_depend_on_the_size_of_blocks(rows, size, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b"), *rows])
    whole = data.read_csv(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "CELLS", size)
        parts = data.read_csv(path)
    for name, i in (("a", 0), ("b", 1)):
        assert whole[name].dtype.kind == parts[name].dtype.kind
        np.testing.assert_array_equal(np.array(whole[name].tolist()), np.array(parts[name].tolist()))
        cells = [row[i] for row in rows]
        if whole[name].dtype.kind == "T":
            assert whole[name].tolist() == ["" if c.strip() in records_missing() else c for c in cells]
        if whole[name].dtype.kind == "i":
            assert whole[name].tolist() == [int(c) for c in cells]
        if whole[name].dtype.kind == "f":
            assert all(np.isnan(v) or v == float(c) for v, c in zip(whole[name], cells, strict=True))


def records_missing():
    from jitgrad.data.columns import MISSING

    return MISSING


def test_numbers_may_stand_for_no_value(tmp_path):
    text = "a,b,c\n1,-999,x\n-999,2,-999\n3,4,y\n"
    table = read(tmp_path, text, missing=["-999"])
    np.testing.assert_array_equal(table["a"], [1, np.nan, 3])
    np.testing.assert_array_equal(table["b"], [np.nan, 2, 4])
    assert table["c"].tolist() == ["x", "", "y"]
    np.testing.assert_array_equal(read(tmp_path, text, missing=["-999"], types={"a": float})["a"], [1, np.nan, 3])
    assert read(tmp_path, "a,b\n1,2\n", missing=["0"])["a"].dtype == np.int64
    with pytest.raises(errors.BadRecordError, match="line 2, column 'a': expected true or false, got '0'"):
        read(tmp_path, "a,b\n0,2\n", missing=["0"], types={"a": bool})


def test_files_without_a_header_of_other_delimiters_and_compressed(tmp_path):
    table = read(tmp_path, "1;2\n3;4\n", header=False, delimiter=";")
    assert table.names == ("column0", "column1") and table["column1"].tolist() == [2, 4]
    assert read(tmp_path, "1,2\n3,4\n", header=["a", "b"])["b"].tolist() == [2, 4]
    packed = written(tmp_path, gzip.compress(b"\xef\xbb\xbfa,b\r\n1,2\r\n"), "t.csv.gz")
    assert data.read_csv(packed).names == ("a", "b"), "a byte order mark is no part of a name"
    assert read(tmp_path, ",b\n0,x\n").names == ("column0", "b"), "pandas writes its index without a name"


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("a,b\n1,2\n3\n", {}, errors.BadRecordError, "line 3: 1 cells, where the first line has 2"),
        ('a,b\n1,"x\ny"\n1,2,3\n', {}, errors.BadRecordError, "line 4: 3 cells"),
        ("a,b\n1,2\nx,3\n", {"types": {"a": int}}, errors.BadRecordError, "line 3, column 'a': expected an integer, got 'x'"),
        ("a,b\n1,2\n\n1.5,3\n", {"types": {"a": int}}, errors.BadRecordError, "line 4, column 'a': expected an integer, got '1.5'"),
        ("a,b\n1_0,2\n", {"types": {"a": float}}, errors.BadRecordError, "expected a number, got '1_0'"),
        ("a,b\ntrue,2\n,3\n", {"types": {"a": bool}}, errors.BadRecordError, "line 3, column 'a': expected true or false, got ''"),
        ("a,b\n99999999999999999999,2\n", {"types": {"a": int}}, errors.BadRecordError, "line 2, column 'a'"),
        ('a,b\n1,"2\n', {}, errors.BadRecordError, "line 2: unexpected end of data"),
        ("", {}, errors.BadRecordError, "is empty"),
        ("a,b\n", {}, errors.BadRecordError, "no records behind its header"),
        ("a,a\n1,2\n", {}, errors.BadRecordError, "two columns 'a'"),
        (b"a,b\n\xff\xfe,2\n", {}, errors.BadRecordError, "not utf-8-sig"),
        ("1,2\n3,4\n", {}, errors.ArgumentError, "header=False"),
        ("a;b\n1;2\n", {}, errors.ArgumentError, "Try delimiter=';'"),
        ("a,b\n1,2\n", {"types": {"c": int}}, errors.ArgumentError, "speaks of column 'c'"),
        ("a,b\n1,2\n", {"types": {"a": list}}, errors.ParametersError, "int, float, bool or str"),
        ("1,2\n", {"header": ["a"]}, errors.ArgumentError, "1 names, of the 2 columns"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_its_line(tmp_path, text, options, error, words):
    path = written(tmp_path, text)
    with pytest.raises(error, match=words) as caught:
        data.read_csv(path, **options)
    if "types" not in options or error is errors.BadRecordError:
        assert "table.csv" in str(caught.value)


def test_digits_are_not_lost_between_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "CELLS", 1)
    text = "a,b\n9007199254740993,x\n,y\n1,z\n"
    assert read(tmp_path, text)["a"].tolist() == ["9007199254740993", "", "1"]
    with pytest.raises(errors.BadRecordError, match=r"column 'a': integers above 2\*\*53 .* types={'a': str}"):
        read(tmp_path, text, types={"a": int})
    assert read(tmp_path, text.replace("\n,y", "\n2,y"), types={"a": int})["a"].tolist() == [9007199254740993, 2, 1]


def test_a_bad_cell_is_named_by_its_line_in_every_block(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "CELLS", 4)
    text = "a,b\n" + "1,2\n" * 9 + "x,2\n"
    with pytest.raises(errors.BadRecordError, match="line 11, column 'a'"):
        read(tmp_path, text, types={"a": int})


@settings(max_examples=150)
@given(content=st.binary(max_size=40) | st.text('ab,"\n\r\t 01\0', max_size=40).map(str.encode))
def test_any_bytes_are_a_table_or_an_error_that_names_the_file(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(content)
    try:
        assert len(data.read_csv(path))
    except (errors.BadRecordError, errors.ArgumentError) as error:
        assert str(path) in str(error)


# From a table to what models are fitted to


FLOWERS = "length,width,count,kind\n5.0,1.5,3,rose\n4.0,,5,lily\n6.0,2.5,7,rose\n"


def test_features_and_target_come_of_a_table(tmp_path):
    table = read(tmp_path, FLOWERS)
    x, y = table.drop_missing().split("kind")
    assert x.dtype == np.float32 and x.tolist() == [[5, 1.5, 3], [6, 2.5, 7]] and y.tolist() == [0, 0]
    x, y = table.fill({"width": np.nanmedian(table["width"])}).split("kind", ["width", "count"])
    assert x.tolist() == [[1.5, 3], [2, 5], [2.5, 7]] and y.tolist() == [1, 0, 1] and y.dtype == np.int64
    x, y = table.drop("width").one_hot("kind").split("length")
    assert x.tolist() == [[3, 0, 1], [5, 1, 0], [7, 0, 1]] and y.dtype == np.float32
    assert np.unique(table["kind"]).tolist() == ["lily", "rose"]
    dataset = data.from_arrays(*table.drop("width").split("kind"))
    assert len(dataset.batch(2)) == 2


def test_a_table_is_not_changed_by_what_is_made_of_it(tmp_path):
    table = read(tmp_path, FLOWERS)
    table.fill({"width": 0})
    assert np.isnan(table["width"][1]) and table.names == ("length", "width", "count", "kind")


@pytest.mark.parametrize(
    ("f", "error", "words"),
    [
        (lambda t: t["colour"], errors.ArgumentError, "no column 'colour' in the table; it has length, width"),
        (lambda t: t.drop("colour"), errors.ArgumentError, "no column 'colour'"),
        (lambda t: t.one_hot("colour"), errors.ArgumentError, "no column 'colour'"),
        (lambda t: t.split("kind"), errors.ArgumentError, "'width' has 1 missing values, the first in row 1"),
        (lambda t: t.split("width", ["length"]), errors.ArgumentError, "'width' has 1 missing"),
        (lambda t: t.drop("width").split("count"), errors.DTypeError, "'kind' holds text"),
        (lambda t: t.split("kind", []), errors.ArgumentError, "no features"),
    ],
)  # fmt: skip
def test_what_a_table_can_not_give_is_refused(tmp_path, f, error, words):
    with pytest.raises(error, match=words):
        f(read(tmp_path, FLOWERS))


def test_columns_of_text_go_through_datasets(tmp_path):
    names = read(tmp_path, FLOWERS)["kind"]
    dataset = data.from_arrays(names, np.arange(3))
    assert dataset[1] == ("lily", 1)
    batch, _ = next(iter(dataset.map(lambda name, i: (name.upper(), i)).batch(3)))
    assert batch.tolist() == ["ROSE", "LILY", "ROSE"]
    assert next(iter(dataset.shuffle(seed=0).batch(3)))[0].shape == (3,)


# Streams


def test_records_are_streamed_with_the_types_of_the_first_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "CELLS", 8)
    text = "a,b,y\n" + "".join(f"{i},{i}.5,{i % 2}\n" for i in range(20))
    dataset = data.stream_csv(written(tmp_path, text), target="y")
    for _ in range(2):
        found = list(dataset)
        assert len(found) == 20 and found[3][0] == {"a": 3, "b": 3.5} and found[3][1] == 1
    record, y = next(iter(dataset.shuffle(5, seed=0).batch(4)))
    assert record["a"].dtype == np.int64 and record["b"].dtype == np.float64 and y.shape == (4,)
    assert next(iter(data.stream_csv(written(tmp_path, text)))) == {"a": 0, "b": 0.5, "y": 0}
    with pytest.raises(errors.ArgumentError, match="no column 'z'"):
        data.stream_csv(written(tmp_path, text), target="z")


def test_a_record_that_does_not_go_with_the_first_ones_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "CELLS", 4)
    dataset = data.stream_csv(written(tmp_path, "a,b\n" + "1,2\n" * 5 + "1,two\n"))
    with pytest.raises(errors.BadRecordError, match="line 7, column 'b': expected an integer, got 'two'"):
        list(dataset.prefetch())
