"""Loop kernels: maps, reductions and rows of several stages."""
