"""The passes that every program goes through on its way to kernels, in order, each with its reason."""

from __future__ import annotations

from ..ir.graph import Graph
from .column_routines import write_with_column_routines
from .complex_parts import complex_parts
from .decompose import decompose
from .inline import inline
from .loop_motion import move_out_of_loops
from .loop_pruning import prune_loops
from .memory_order import keep_order_in_memory
from .own_outputs import own_outputs
from .scores_on_chip import keep_scores_on_chip
from .simplify import simplify
from .storage_types import compute_in_wider_types
from .windowed import write_out_windows

PIPELINE = (
    inline,  # calls first: every later pass sees one flat graph; but for attention, where the target keeps its scores on chip
    compute_in_wider_types,  # then no later one sees arithmetic that machines have not
    simplify,  # derivatives left much to share and to fold
    write_with_column_routines,  # while complex numbers are to be seen; where a GPU's library has these routines
    complex_parts,  # of what is left; from here on all numbers are real
    prune_loops,  # and results of loops that nobody reads
    move_out_of_loops,  # what is left of loops: work that need not be done in every step
    simplify,  # their new neighbours may share it
    keep_order_in_memory,  # while convolutions are to be seen
    write_out_windows,  # convolutions become contractions of index maps, pools slices
    decompose,  # thin contractions become reductions, which fuse
    simplify,  # and leave layout ops to join
    own_outputs,  # last: simplify would take the copies away
)


def prepare(graph: Graph, tiled: bool = True, solver: bool = False, halves: bool = False, on_chip: bool = False) -> Graph:
    """The Graph that fusion cuts into kernels; `tiled` is what write_out_windows takes, `solver` whether the target has a library
    for what write_with_column_routines makes, `halves` whether its products are of 16-bit numbers as they are, `on_chip` whether
    it has kernels of attention.
    """
    for step in PIPELINE:
        if step is inline and on_chip:
            graph = keep_scores_on_chip(graph)
        elif step is write_out_windows:
            graph = write_out_windows(graph, tiled, halves)
        elif step is move_out_of_loops:
            graph = move_out_of_loops(graph, halves)
        elif step is not write_with_column_routines or solver:
            graph = step(graph)
    return graph
