"""The CPU target: LLVM IR to machine code of this machine (`native`), and what the kernels need from it."""
