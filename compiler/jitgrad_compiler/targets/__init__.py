"""Targets: kernels in, machine code out. `emitter` writes LLVM IR; `cpu/` compiles it for this machine."""
