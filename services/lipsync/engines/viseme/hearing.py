"""Articulation from the sound alone, for speech whose phonemes nobody knows.

Features are taken on a grid of hops counted from sample 0 of the speech, each hop on its own, so that the
track does not depend on how the speech is cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span

_HOP = SPEECH_RATE // 100
_WINDOW = 1024
_EDGES = (120.0, 500.0, 1000.0, 2000.0, 4000.0, 9000.0)
_LOUDEST_HOPS = 30
_QUIET_DB = -52.0
_BLUR = ((-2, 0.06), (-1, 0.24), (0, 0.40), (1, 0.24), (2, 0.06))

_TAPER = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW) ** 2 / 32768.0
_BINS = tuple(round(edge * _WINDOW / SPEECH_RATE) for edge in _EDGES)

Pose = tuple[float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Bands:
    """Power of five bands in dB relative to full scale, and of the voiced ones together."""

    low: float
    first: float
    second: float
    third: float
    hiss: float
    voice: float


def hear(speech: SpeechSlice, frames: Span, fps: Fraction) -> npt.NDArray[np.float64]:
    """What the mouth does in ``frames`` as far as the sound tells; float64 (len(frames), 8), as `Channel`.

    Level opens the jaw, the balance of the bands spreads or rounds the lips, hiss shows the teeth, quiet
    closes the mouth. Looks less than 0.4 s around a frame.
    """
    pcm = np.frombuffer(speech.pcm, "<i2").astype(np.float64)
    bands: dict[int, _Bands] = {}
    poses: dict[int, Pose] = {}

    def bands_at(hop: int) -> _Bands:
        if hop not in bands:
            bands[hop] = _bands(pcm, hop * _HOP - speech.samples.first)
        return bands[hop]

    def pose_at(hop: int) -> Pose:
        if hop not in poses:
            around = range(hop - _LOUDEST_HOPS, hop + _LOUDEST_HOPS + 1, 2)
            poses[hop] = _pose(bands_at(hop), max(bands_at(other).voice for other in around))
        return poses[hop]

    rows = [_blurred(pose_at, Fraction(2 * n + 1, 2) * SPEECH_RATE / fps) for n in frames]
    return np.array(rows, dtype=np.float64).reshape(len(frames), 8)


def _blurred(pose_at: Callable[[int], Pose], sample: Fraction) -> list[float]:
    """The pose at a sample: neighbouring hops blended, then interpolated between the two nearest."""
    hop = math.floor(sample / _HOP)
    part = float(sample / _HOP - hop)
    row = [0.0] * 8
    for offset, share in _BLUR:
        before, after = pose_at(hop + offset), pose_at(hop + offset + 1)
        for channel in range(8):
            row[channel] += share * ((1.0 - part) * before[channel] + part * after[channel])
    return row


def _bands(pcm: npt.NDArray[np.float64], middle: int) -> _Bands:
    first = middle - _WINDOW // 2
    piece = np.zeros(_WINDOW)
    low, high = max(first, 0), min(first + _WINDOW, len(pcm))
    if low >= high:
        return _Bands(*[-120.0] * 6)
    piece[low - first : high - first] = pcm[low:high]
    power = [float(p) for p in np.abs(np.fft.rfft(piece * _TAPER)) ** 2]
    sums = [math.fsum(power[a:b]) for a, b in pairwise(_BINS)]
    scale = 8.0 / (_WINDOW * _WINDOW)
    return _Bands(*[10.0 * math.log10(scale * p + 1e-12) for p in (*sums, math.fsum(sums[:4]))])


def _pose(bands: _Bands, loudest: float) -> Pose:
    """The pose of one hop, given its bands and the loudest voice around it."""
    reference = max(loudest, _QUIET_DB + 18.0)
    level = _ramp(bands.voice, reference - 26.0, reference - 5.0) * _ramp(
        bands.voice, _QUIET_DB, _QUIET_DB + 8.0
    )
    open_ = _ramp(bands.first - bands.low, -14.0, 3.0)
    front = _ramp(bands.third - bands.first, -18.0, 0.0)
    hiss = _ramp(bands.hiss - bands.voice, -8.0, 4.0) * _ramp(bands.hiss, _QUIET_DB, _QUIET_DB + 12.0)
    voiced = level * (1.0 - hiss)
    jaw = voiced * (0.22 + 0.62 * open_) + 0.08 * hiss
    width = voiced * front * (1.0 - 0.6 * open_) * 0.8 + 0.3 * hiss
    round_ = voiced * (1.0 - front) * (1.0 - 0.7 * open_) * 0.8
    raise_ = 0.2 * voiced + 0.25 * hiss
    tongue = 0.1 * level
    teeth = 0.85 * hiss + 0.2 * voiced * front
    return (jaw, width, round_, raise_, 0.0, 0.0, tongue, teeth)


def _ramp(value: float, low: float, high: float) -> float:
    x = min(max((value - low) / (high - low), 0.0), 1.0)
    return x * x * (3.0 - 2.0 * x)
