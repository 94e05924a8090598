"""The compiler under jitgrad: a typed IR, passes over it, fused kernels, and the targets that run them.

Data moves one way: `ir` -> `ops` -> `passes` -> `kernels` -> `targets` -> `runtime`. Nothing here knows the front end.

Importing it, or anything in it, makes all ops and gives them the rules of all passes.
"""

from . import passes

__all__ = ["passes"]
