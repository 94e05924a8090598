"""Contract kernels: a product of matrices, with what is fused into its operands and its result."""
