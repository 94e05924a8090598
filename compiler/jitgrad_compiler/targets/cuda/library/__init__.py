"""Kernels of ops that are no loop nests: next on the path is table.py."""
