"""Kernels that are told their sizes when they run, for operations that are done one by one."""
