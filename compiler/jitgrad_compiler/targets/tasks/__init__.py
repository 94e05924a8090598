"""Kernels as tasks of one thread each, which targets share: a CPU has threads do runs of them, a GPU has a thread for each."""
