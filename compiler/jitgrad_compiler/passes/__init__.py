"""Passes: Graph in, Graph out. `pipeline` lists those that every program goes through, in order.

Importing the package gives ops that have programs inside, or call Python, their rules.
"""

from . import (  # noqa: F401
    attention,
    branches,
    calls,
    checkpointing,
    custom_derivatives,
    linear_solve,
    loop_batching,
    rowwise,
    scan_derivatives,
    while_derivatives,
)
