"""Kernels of ops that are no loop nests of independent elements."""
