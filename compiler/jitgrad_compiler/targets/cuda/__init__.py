"""The CUDA target: the same Kernel records as PTX."""
