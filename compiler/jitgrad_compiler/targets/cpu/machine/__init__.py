"""This machine: its code generator, its floats, signals, calls of Python, memory."""
