"""Measuring what a person would hear and see: phase of a tone, lag between two curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from mouthpiece.core.timeline import SPEECH_RATE

Curve = npt.NDArray[np.float64]


def phase_steps(sound: npt.ArrayLike, hertz: float, smooth: int = 480) -> Curve:
    """How far the phase of a steady tone moves off course between samples, in radians; 0 when it is unbroken.

    The tone is shifted to 0 Hz and low-passed over ``smooth`` samples; the edges are left out.
    """
    values = np.asarray(sound, np.float64)
    shifted = values * np.exp(-2j * np.pi * hertz * np.arange(values.size) / SPEECH_RATE)
    window = np.hanning(smooth)
    carrier = signal.fftconvolve(shifted, window / window.sum(), mode="valid")
    return np.abs(np.angle(carrier[smooth:] / carrier[:-smooth]))


def lag_of(later: npt.ArrayLike, reference: npt.ArrayLike, most: int) -> int:
    """By how many elements ``later`` lags behind ``reference``, at the best correlation within ± ``most``."""
    one, two = (np.asarray(curve, np.float64) for curve in (later, reference))
    size = min(one.size, two.size)
    scores = signal.correlate(one[:size] - one[:size].mean(), two[:size] - two[:size].mean(), method="fft")
    lags = signal.correlation_lags(size, size)
    near = np.abs(lags) <= most
    return int(lags[near][np.argmax(scores[near])])
