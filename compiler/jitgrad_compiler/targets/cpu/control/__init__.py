"""Loops, branches and rows whose bodies are kernels."""
