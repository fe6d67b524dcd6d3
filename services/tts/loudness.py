"""Loudness of speech, and its highest peaks.

Loudness after EBU R 128 and ITU-R BS.1770, measured by libavfilter's ebur128. The limiter keeps true peaks
(found at four times the rate, as BS.1770 annex 2 has it) below a ceiling: its gain is a sliding minimum,
smoothed over the same window, so it is never above what any peak allows and has no steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from mouthpiece.core.timeline import SPEECH_RATE
from services.tts.filtering import SoundFilter

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

Sound = npt.NDArray[np.float32]

TARGET_LUFS = -16.0
CEILING_DBTP = -1.5
NOTHING_LUFS = -70.0
"""What is softer is not measured: the absolute gate of BS.1770."""

_CEILING = 10 ** ((CEILING_DBTP - 0.1) / 20)
"""A tenth of a decibel is left for what the moving gain itself adds between samples."""
_WINDOW = SPEECH_RATE * 5 // 1000
_OVERSAMPLING = 4
_CONTEXT = 4 * _WINDOW
"""Samples on either side that a limited sample depends on, and more."""
_STEP_DB = 0.5
_MOST_GAIN_DB = 20.0


class LoudnessMeter:
    """Takes a sound at 48 kHz in blocks and measures its integrated loudness."""

    def __init__(self) -> None:
        self._filter = SoundFilter("ebur128", "metadata=1")
        self._lufs = NOTHING_LUFS

    def add(self, sound: Sound) -> None:
        """Take the next block, full scale being ±1."""
        self._read(self._filter.feed(sound))

    def lufs(self) -> float:
        """Loudness of all that was taken, -70 LUFS when there is next to nothing. Ends the measurement."""
        self._read(self._filter.end())
        return max(NOTHING_LUFS, self._lufs)

    def _read(self, frames: Iterable[AudioFrame]) -> None:
        for frame in frames:
            self._lufs = float(frame.metadata.get("lavfi.r128.I", self._lufs))


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS of a mono sound at 48 kHz."""
    meter = LoudnessMeter()
    meter.add(sound)
    return meter.lufs()


def gain_to_target(lufs: float) -> float:
    """The factor that brings a loudness to -16 LUFS, in steps of half a decibel, by at most 20 dB."""
    if lufs <= NOTHING_LUFS:
        return 1.0
    wanted = round((TARGET_LUFS - lufs) / _STEP_DB) * _STEP_DB
    return float(10 ** (min(max(wanted, -_MOST_GAIN_DB), _MOST_GAIN_DB) / 20))


def true_peaks(sound: Sound) -> Sound:
    """The highest absolute value of the continuous sound around each sample."""
    fine = np.abs(soxr.resample(sound, SPEECH_RATE, _OVERSAMPLING * SPEECH_RATE, quality="HQ"))
    phases = [fine[phase::_OVERSAMPLING] for phase in range(_OVERSAMPLING)]
    return np.asarray(reduce(np.maximum, phases, np.abs(sound)), np.float32)


def limit(sound: Sound) -> Sound:
    """A sound at 48 kHz whose true peaks are at most -1.5 dBTP; what is lower is left as it is."""
    if np.abs(sound).max(initial=0) <= _CEILING / 2:
        return sound  # true peaks of speech are not twice as high as its samples
    allowed = np.minimum(1.0, _CEILING / np.maximum(true_peaks(sound), _CEILING))
    held = minimum_filter1d(allowed, 2 * _WINDOW + 1, mode="nearest")
    gain = uniform_filter1d(uniform_filter1d(held, _WINDOW + 1, mode="nearest"), _WINDOW + 1, mode="nearest")
    return np.asarray(sound * np.minimum(gain, 1.0), np.float32)


def limited(blocks: Iterable[Sound], gain: float) -> Iterator[Sound]:
    """Blocks times ``gain``, limited as if they were one sound, and as long altogether."""
    held = np.zeros(0, np.float32)
    sent = 0
    for block in blocks:
        held = np.concatenate((held, np.asarray(block * gain, np.float32)))
        ready = len(held) - _CONTEXT
        if ready > sent:
            yield limit(held)[sent:ready]
            dropped = max(0, ready - _CONTEXT)
            held, sent = held[dropped:], ready - dropped
    if len(held) > sent:
        yield limit(held)[sent:]
