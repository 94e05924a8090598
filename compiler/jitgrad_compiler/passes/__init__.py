"""Passes: Graph in, Graph out. `pipeline` lists those that every program goes through, in order.

Importing any of them gives the ops that have nested programs their rules.
"""

from . import branches, calls, loop_batching, loop_derivatives, rowwise

__all__ = ["branches", "calls", "loop_batching", "loop_derivatives", "rowwise"]
