"""What errors suggest. Only foreign.py is loaded before there is an error that asks.

suggestion.py answers for traced values where Python wants numbers (its reading map goes on from there), absent.py for names that
modules lack, foreign.py for attributes and keywords of other libraries.
"""
