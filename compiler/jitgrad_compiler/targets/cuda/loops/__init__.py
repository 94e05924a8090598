"""Loop kernels."""
