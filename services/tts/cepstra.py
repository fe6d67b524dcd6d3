"""Mel cepstra: what a sound is like, largely regardless of who makes it.

Mel-frequency cepstral coefficients after Davis and Mermelstein (1980), with the mel scale of O'Shaughnessy.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import scipy.fft

RATE = 16_000
"""Samples per second of the sound that is described."""

HOP = RATE // 100
"""Samples between frames: 10 ms."""

_WINDOW = RATE * 25 // 1000
_FFT = 512
_BANDS = 40
_LOWEST, _HIGHEST = 80.0, 7_600.0
COEFFICIENTS = 13
_RELATIVE_FLOOR, _FLOOR = 1e-3, 1e-8
"""What is that much weaker than the sound as a whole counts as nothing, so that noise matters less."""

Features = npt.NDArray[np.float32]
"""One row per frame."""


def cepstra(sound: npt.NDArray[np.float32]) -> Features:
    """Cepstra of mono sound at 16 kHz, full scale ±1; frame i is centred on sample (i + ½) · 160.

    Returns an array of shape (ceil(samples / 160), 13).
    """
    count = -(-len(sound) // HOP)
    if not count:
        return np.zeros((0, COEFFICIENTS), np.float32)
    before = (_WINDOW - HOP) // 2
    padded = np.pad(sound, (before, before + _WINDOW))
    emphasised = np.append(padded[:1], padded[1:] - 0.97 * padded[:-1]).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, _WINDOW)[::HOP][:count]
    power = np.abs(scipy.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), _FFT, axis=1)) ** 2
    bands = power @ _mel_filters()
    levels = np.log(bands + (_RELATIVE_FLOOR * bands.mean() + _FLOOR))
    return np.asarray(scipy.fft.dct(levels, norm="ortho", axis=1)[:, :COEFFICIENTS], np.float32)


@cache
def _mel_filters() -> npt.NDArray[np.float32]:
    """Triangular filters of shape (frequency bins, bands)."""
    edges = _hertz(np.linspace(_mel(_LOWEST), _mel(_HIGHEST), _BANDS + 2))
    bins = np.fft.rfftfreq(_FFT, 1 / RATE)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def with_slopes(features: Features) -> Features:
    """Features normalised to mean 0 and deviation 1 each, and their slopes over 50 ms beside them."""
    normal = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    padded = np.pad(normal, ((2, 2), (0, 0)), "edge")
    slopes = (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10
    return np.asarray(np.hstack((normal, 2 * slopes)), np.float32)
