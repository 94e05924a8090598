"""Kernels: what to fuse, and in which loop shape. No LLVM here; both targets read the same records."""
