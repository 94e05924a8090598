"""config.debug_key_reuse: a key that is used twice is an error that names both lines."""

from __future__ import annotations

import numpy as np
import pytest

import jitgrad
from jitgrad import errors, grad, jit, lax, random, vmap


@pytest.fixture(autouse=True)
def watched():
    jitgrad.config.update("jax_debug_key_reuse", True)
    yield
    jitgrad.config.debug_key_reuse = False


@pytest.mark.parametrize("make", [random.key, random.PRNGKey, lambda seed: np.asarray(random.PRNGKey(seed))])
def test_a_key_used_twice_is_an_error_that_names_both_lines(make):
    key = make(0)
    random.normal(key, (2,))
    with pytest.raises(
        errors.KeyReuseError, match=r"random.uniform: .*random.normal at test_random_keys.py:\d+, .* at test_random_keys.py:\d+"
    ):
        random.uniform(key)


def test_a_key_that_was_split_is_used_up():
    key = random.key(0)
    random.split(key)
    with pytest.raises(errors.KeyReuseError, match=r"random.split"):
        random.bits(key)


@pytest.mark.parametrize(
    "transform", [jit, lambda f: vmap(f, in_axes=None, axis_size=2), lambda f: lambda key: grad(lambda x, k: f(k) * x)(1.0, key)]
)
def test_a_key_used_twice_inside_a_transformed_function_is_an_error(transform):
    with pytest.raises(errors.KeyReuseError, match=r"random.normal"):
        transform(lambda key: random.normal(key) + random.normal(key))(random.key(0))


def test_a_loop_over_one_key_is_an_error():
    key = random.key(0)
    with pytest.raises(errors.KeyReuseError):
        for _ in range(2):
            random.normal(key)


def test_keys_that_are_split_folded_cloned_or_made_anew_are_not():
    key = random.key(0)
    for number in range(3):
        random.normal(random.fold_in(key, number))
    first, second = random.split(random.clone(key))
    random.normal(first)
    random.normal(random.clone(first))
    random.normal(second)
    for _ in range(2):
        random.normal(random.key(0))


def test_each_branch_of_a_cond_may_use_the_key():
    key = random.key(0)
    draw = jit(lambda p, key: lax.cond(p, lambda: random.normal(key), lambda: random.uniform(key)))
    np.testing.assert_array_equal(draw(True, key), random.normal(key))


def test_distributions_of_several_draws_use_a_key_once():
    random.gamma(random.key(0), 2.0, (3,))
    random.choice(random.key(0), 5, (2,), replace=False)
    random.ball(random.key(0), 2)
    random.multinomial(random.key(0), 5, np.array([0.5, 0.5]))
