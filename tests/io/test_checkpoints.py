"""io.Checkpoints keeps the last states of a run."""

from __future__ import annotations

import os

import numpy as np
import pytest

import jitgrad.numpy as jnp
from jitgrad import errors, io


def test_the_last_ones_are_kept(tmp_path):
    checkpoints = io.Checkpoints(tmp_path / "run", keep=2)
    assert checkpoints.latest is None and checkpoints.steps == [] and not os.listdir(tmp_path)
    for step in (5, 10, 100):
        checkpoints.save(step, {"w": jnp.full(2, step), "step": step}, metadata={"loss": 1 / step})
    again = io.Checkpoints(tmp_path / "run")
    assert again.steps == [10, 100] and again.latest == 100
    assert sorted(os.listdir(tmp_path / "run")) == ["step-10.safetensors", "step-100.safetensors"]
    like = {"w": jnp.zeros(2, int), "step": 0}
    assert again.restore(like)["step"] == 100 and again.restore(like, 10)["step"] == 10
    assert again.metadata() == {"loss": 0.01} and again.metadata(10) == {"loss": 0.1}
    np.testing.assert_array_equal(again.restore(like)["w"], [100, 100])


def test_all_are_kept_where_that_is_asked_for(tmp_path):
    checkpoints = io.Checkpoints(str(tmp_path), keep=None)
    for step in range(5):
        checkpoints.save(step, {})
    assert checkpoints.steps == [0, 1, 2, 3, 4]


def test_a_step_is_saved_anew_but_not_behind_a_later_one(tmp_path):
    checkpoints = io.Checkpoints(tmp_path, keep=1)
    checkpoints.save(10, {"x": 1})
    checkpoints.save(10, {"x": 2})
    assert checkpoints.restore({"x": 0}) == {"x": 2}
    with pytest.raises(errors.ArgumentError, match="has a checkpoint of step 10, which is later than 9"):
        checkpoints.save(9, {"x": 3})
    assert checkpoints.restore({"x": 0}) == {"x": 2}


def test_nothing_is_removed_before_the_next_one_is_there(tmp_path):
    checkpoints = io.Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, {"x": 1})
    with pytest.raises(errors.ArgumentError):
        checkpoints.save(2, {"x": object()})
    assert checkpoints.steps == [1] and os.listdir(tmp_path) == ["step-1.safetensors"]


def test_what_a_killed_process_left_is_removed_and_other_files_stay(tmp_path):
    for name in (".jitgrad-0123.tmp", "step-x.safetensors", "step-3.txt", "notes"):
        (tmp_path / name).write_text("")
    checkpoints = io.Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, {})
    assert sorted(os.listdir(tmp_path)) == ["notes", "step-1.safetensors", "step-3.txt", "step-x.safetensors"]


def test_what_is_not_there_is_told(tmp_path):
    checkpoints = io.Checkpoints(tmp_path)
    with pytest.raises(errors.MissingFileError, match="has no checkpoint; it has none"):
        checkpoints.restore({})
    checkpoints.save(3, {})
    with pytest.raises(FileNotFoundError, match="has no checkpoint of step 4; it has those of 3"):
        checkpoints.restore({}, 4)
    for wrong in (0, -1):
        with pytest.raises(errors.ArgumentError, match="keep must be at least 1"):
            io.Checkpoints(tmp_path, keep=wrong)
    with pytest.raises(errors.ArgumentError, match="step must not be negative"):
        checkpoints.save(-1, {})
    with pytest.raises(errors.ArgumentError, match="step must be an integer"):
        checkpoints.save(1.5, {})
