"""Convolutions, spectra and trends of signals, by jax.scipy.signal's names.

Reading map: convolutions.py, spectra.py (and their inverse), segments.py (which part of a signal is in which window), trends.py.
"""

from jitgrad.publishing import public as _public

from .convolutions import convolve, convolve2d, correlate, correlate2d, fftconvolve
from .spectra import csd, istft, stft, welch
from .trends import detrend

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "csd", "detrend", "fftconvolve", "istft", "stft", "welch"]

_public(__name__, replays=True)
