"""jitgrad.config: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

import copy

import pytest

import jitgrad
from jitgrad.config import Config


@pytest.mark.parametrize(
    ("name", "meant"), [("num_thread", "num_threads"), ("default_floats", "default_float"), ("jax_disable_jits", "jax_disable_jit")]
)
def test_a_misspelt_setting_is_refused_and_the_nearest_name_given(name, meant):
    config = Config()
    with pytest.raises(AttributeError, match=f"did you mean {meant}"):
        setattr(config, name, 7)
    with pytest.raises(AttributeError, match=f"did you mean {meant}"):
        config.update(name, 7)
    with pytest.raises(AttributeError, match=f"did you mean {meant}"):
        getattr(config, name)


def test_a_name_like_no_other_lists_the_settings():
    with pytest.raises(AttributeError, match=r"no setting 'zzz'; there are num_threads, default_float"):
        jitgrad.config.zzz = 1


def test_update_sets_by_name_and_jax_names_are_taken():
    config = Config()
    config.update("default_float", "float64")
    config.update("jax_disable_jit", True)
    assert (config.default_float, config.disable_jit, config.jax_disable_jit) == ("float64", True, True)


@pytest.mark.parametrize(
    ("name", "value"), [("num_threads", 0), ("num_threads", True), ("default_float", "float16"), ("disable_jit", "no")]
)
def test_a_value_that_a_setting_does_not_take_is_refused(name, value):
    config = Config()
    before = getattr(config, name)
    with pytest.raises(ValueError, match=f"config.{name} must be"):
        config.update(name, value)
    assert getattr(config, name) == before


def test_a_listener_hears_the_value_now_and_later():
    heard = []
    config = Config()
    config.num_threads = 3
    config.listen("num_threads", heard.append)
    config.num_threads = 2
    assert heard == [3, 2]


def test_what_programs_depend_on_is_part_of_their_key():
    config = Config()
    before = config.traced
    config.default_float = "float64"
    assert config.traced != before
    config.default_float = "float32"
    assert config.traced == before


def test_a_config_can_be_copied():
    assert copy.copy(jitgrad.config).num_threads == jitgrad.config.num_threads
