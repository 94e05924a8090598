"""Kernels of Fourier transforms: kernel.py, which names the others in the order of reading."""
