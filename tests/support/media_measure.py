"""Measuring what a person would hear: the phase of a tone, loudness, and how far one curve lags another."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from scipy import signal

from mouthpiece.core.timeline import SPEECH_RATE, sample_at

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """How well a curve follows another.

    ``lag`` is by how many elements it comes late, to a fraction, where the correlation is best; ``r`` is the
    correlation there and ``r_unmoved`` that without a shift.
    """

    lag: float
    r: float
    r_unmoved: float


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


def follow(curve: npt.ArrayLike, reference: npt.ArrayLike, most: int = 8) -> Fit:
    """How ``curve`` follows ``reference`` when it may come up to ``most`` elements early or late.

    Elements that are NaN in either curve, such as frames without a face, do not count.
    """
    one, two = (np.asarray(values, np.float64) for values in (curve, reference))
    scores = np.array([_correlation_at(one, two, lag) for lag in range(-most, most + 1)])
    best = int(np.argmax(scores))
    return Fit(best - most + _peak_offset(scores, best), float(scores[best]), float(scores[most]))


def loudness(sound: npt.ArrayLike, frames: int, fps: Fraction) -> Curve:
    """Root mean square of the sound while each frame is shown; beyond its end there is silence."""
    values = np.asarray(sound, np.float64)
    edges = [sample_at(frame, fps) for frame in range(frames + 1)]
    padded = np.pad(values, (0, max(0, edges[-1] - values.size)))
    sums = np.concatenate(([0.0], np.cumsum(padded**2)))
    return np.sqrt(np.diff(sums[edges]) / np.diff(edges))


def _correlation_at(curve: Curve, reference: Curve, lag: int) -> float:
    size = min(curve.size, reference.size) - abs(lag)
    late, base = curve[max(lag, 0) :][:size], reference[max(-lag, 0) :][:size]
    seen = ~(np.isnan(late) | np.isnan(base))
    return float(np.corrcoef(late[seen], base[seen])[0, 1])


def _peak_offset(scores: Curve, best: int) -> float:
    """Where the parabola through the best score and its neighbours has its top, relative to the best."""
    if not 0 < best < scores.size - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    return float((left - right) / (2 * (left - 2 * middle + right)))
