"""Kernels that call SciPy's LAPACK, one thread a task: table.py finds the routine of an op."""
