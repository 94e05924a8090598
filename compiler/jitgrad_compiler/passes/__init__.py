"""Passes: Graph in, Graph out, one file each. `pipeline.py` lists those that every program goes through, in order."""
