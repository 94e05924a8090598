"""What `jitgrad.checkpoint` keeps of a function's intermediate values. Names and meaning are those of jax.checkpoint_policies.

A policy is plain data, for it goes into programs; jitgrad_compiler/passes/checkpointing.py says what each keeps.

>>> import jitgrad
>>> f = jitgrad.checkpoint(lambda x: x * x, policy=jitgrad.checkpoint_policies.dots_saveable)
>>> print(jitgrad.grad(f)(3.0))
6.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jitgrad_compiler.ops.checkpointing import NOTHING

from .errors import ArgumentError


@dataclass(frozen=True)
class Policy:
    """Which values a checkpointed function keeps for its derivative; `rule` is what programs hold."""

    rule: tuple[Any, ...]


everything_saveable = Policy(("everything",))
"""Keep every value that the derivative needs: as without checkpoint."""

nothing_saveable = Policy(NOTHING)
"""Keep the arguments alone."""

dots_saveable = checkpoint_dots = Policy(("dots",))
"""Keep the results of contractions, which take long to compute."""

dots_with_no_batch_dims_saveable = checkpoint_dots_with_no_batch_dims = Policy(("dots_with_no_batch_dims",))
"""Keep the results of contractions without batch axes: products with weights, but not the scores of attention."""


def _names(where: str, names: tuple[Any, ...]) -> tuple[str, ...]:
    for n in names:
        if not isinstance(n, str):
            raise ArgumentError(f"checkpoint_policies.{where} takes names, as checkpoint_name gives them, got {n!r}")
    return names


def save_only_these_names(*names_which_can_be_saved: str) -> Policy:
    """Keep the values that `checkpoint_name` gave one of these names, and nothing else.

    >>> save_only_these_names("scores")
    Policy(rule=('names', 'scores'))
    """
    return Policy(("names", *_names("save_only_these_names", names_which_can_be_saved)))


def save_any_names_but_these(*names_not_to_save: str) -> Policy:
    """Keep every value that has a name, but for these names.

    >>> save_any_names_but_these("scores")
    Policy(rule=('names_but', 'scores'))
    """
    return Policy(("names_but", *_names("save_any_names_but_these", names_not_to_save)))


def save_anything_except_these_names(*names_not_to_save: str) -> Policy:
    """Keep every value, but for those of these names. A value that can be had at no cost from one that is kept counts as kept.

    >>> save_anything_except_these_names("scores")
    Policy(rule=('all_but_names', 'scores'))
    """
    return Policy(("all_but_names", *_names("save_anything_except_these_names", names_not_to_save)))


def save_from_both_policies(policy_1: Policy, policy_2: Policy) -> Policy:
    """Keep what one of two policies keeps.

    >>> save_from_both_policies(dots_saveable, save_only_these_names("a"))
    Policy(rule=('either', ('dots',), ('names', 'a')))
    """
    return Policy(("either", policy_1.rule, policy_2.rule))


__all__ = [
    "Policy", "checkpoint_dots", "checkpoint_dots_with_no_batch_dims", "dots_saveable", "dots_with_no_batch_dims_saveable",
    "everything_saveable", "nothing_saveable", "save_any_names_but_these", "save_anything_except_these_names",
    "save_from_both_policies", "save_only_these_names",
]  # fmt: skip
