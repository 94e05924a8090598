"""Checks of a GPU against the processor, and its speed: `python -m jitgrad.testing.gpu` (__main__.py).

parts.py has the parts; checks.py, what one check is; session.py runs them, each part in processes of its own.
"""
