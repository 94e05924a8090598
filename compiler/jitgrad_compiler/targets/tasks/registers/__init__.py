"""Kernels that are done in registers: small loops, branches and rows, element by element."""
