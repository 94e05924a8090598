"""Files that are not there, or that are folders: every reader names itself, the file, and what there is instead."""

from __future__ import annotations

import re

import pytest

from jitgrad import data
from jitgrad.errors import ArgumentError

READERS = {
    "read_csv": data.read_csv,
    "stream_csv": lambda path: next(iter(data.stream_csv(path))),
    "read_idx": data.read_idx,
    "read_image": data.read_image,
    "read_text": data.read_text,
    "read_wav": data.read_wav,
}
readers = pytest.mark.parametrize("name", READERS)


@readers
def test_a_file_that_is_not_there_is_named_with_one_that_is(name, tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(FileNotFoundError, match=rf"data.{name}: there is no file '.*trian.csv'. Did you mean 'train.csv'\?"):
        READERS[name](tmp_path / "trian.csv")


@readers
def test_a_folder_that_is_not_there_is_told(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"data.{name}: .*not there either, only {re.escape(repr(str(tmp_path)))}"):
        READERS[name](str(tmp_path / "one" / "two" / "a.bin"))


@readers
def test_a_relative_path_is_said_to_be_one(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"data.{name}: there is no file 'a.bin'.*relative to the folder that Python was"):
        READERS[name]("a.bin")


@readers
def test_a_folder_is_no_file(name, tmp_path):
    with pytest.raises(ArgumentError, match=f"data.{name}: .* is a folder; a file is needed"):
        READERS[name](tmp_path)
