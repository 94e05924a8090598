"""The CPU target: kernels to LLVM IR, room by room, and that to machine code of this machine (`machine/`)."""
