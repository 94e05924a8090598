"""Linear algebra behind numpy.linalg, scipy.linalg and lax.linalg: one function a matter, whose errors name the function called.

systems.py: triangular and square systems, determinants, inverses.
"""
