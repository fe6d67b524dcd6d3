"""Voice matching: a voice is moved toward another one in pitch, melody range and timbre.

It is no cloning: who speaks cannot be told by it. WORLD (Morise, Yokomori and Ozawa 2016) takes a sound apart
into pitch, spectral envelope and aperiodicity. Pitch is shifted and scaled so that its median and its range
become those of the reference; the envelope is stretched along the frequency axis as a longer or shorter vocal
tract would do; what remains between the long-term spectra is equalised. All of that is fixed once per voice
and reference, so each sentence is changed the same way, whatever stands around it. Nothing moves in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyworld
from scipy.signal import firwin2, oaconvolve, welch

from mouthpiece.errors import BadInput

Sound = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]

_FRAME_MS = 5.0
_PART_FRAMES = 40
_PART_SECONDS = 4
_LOWEST, _HIGHEST = 50.0, 600.0
"""Pitch in hertz that a voice may have."""
_LEAST_VOICED = 100
"""Frames: half a second of voiced sound, without which nothing is known of a voice."""
_LEAST_FOR_RANGE = 600
_MOST_RANGE = 2.0
_TRACTS = np.linspace(0.85, 1.18, 12)
_MOST_DB = 18.0
_TAPS = 511
_PASSES = 3
BANDS = 1000 * 2 ** (np.arange(-9, 9) / 3)
"""Centres of third octaves in hertz, 125 Hz to 6.35 kHz."""


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """What a voice is like.

    ``pitch`` is its median in semitones above 1 Hz, ``span`` the semitones between the 10th and the 90th
    percentile, 0 when too little was heard to tell. ``spectrum`` holds the levels of the `BANDS` in decibels,
    their mean being 0.
    """

    pitch: float
    span: float
    spectrum: _Floats


def profile(sound: Sound, rate: int, field: str = "voice_reference") -> VoiceProfile:
    """Measure the voice in a mono sound.

    Raises:
        BadInput: (``field``) nobody speaks in it.
    """
    parts = range(0, len(sound), _PART_SECONDS * rate)
    heard = [np.asarray(sound[first : first + _PART_SECONDS * rate], np.float64) for first in parts]
    pitch = _semitones(np.concatenate([_pitch(part, rate)[0] for part in heard] or [np.zeros(0)]))
    if len(pitch) < _LEAST_VOICED:
        raise BadInput(field, "there is no voice in it, or less than half a second of one")
    low, median, high = np.percentile(pitch, (10, 50, 90))
    span = float(high - low) if len(pitch) >= _LEAST_FOR_RANGE else 0.0
    return VoiceProfile(float(median), span, spectrum(sound, rate))


def spectrum(sound: Sound, rate: int) -> _Floats:
    """Long-term levels of a sound in the `BANDS`, in decibels about their mean; bands above it are as low as
    the last one below."""
    frequencies, power = welch(sound, rate, nperseg=min(len(sound), rate // 10))
    edges = np.minimum(BANDS[:, None] * 2 ** (np.array([-1, 1]) / 6), frequencies[-1])
    total = np.interp(edges, frequencies, np.cumsum(power))
    levels = 10 * np.log10(np.maximum(np.diff(total, axis=1)[:, 0], 1e-12))
    known = edges[:, 1] < frequencies[-1]
    levels[~known] = levels[known][-1]
    return np.asarray(levels - levels.mean(), np.float64)


def distance(one: _Floats, other: _Floats) -> float:
    """Root mean square of the difference of two spectra, in decibels."""
    return float(np.sqrt(np.mean(np.square(one - other))))


@dataclass(frozen=True, slots=True)
class Matcher:
    """Moves one voice toward another: semitones about the old median, the tract's factor, and a filter."""

    old_pitch: float
    new_pitch: float
    stretch: float
    tract: float
    taps: npt.NDArray[np.float32]

    def __call__(self, sound: Sound, rate: int) -> Sound:
        """The same sentence in the other voice, equally long and about equally loud."""
        if len(sound) < rate // 50:
            return sound
        moved = self._vocoded(np.asarray(sound, np.float64), rate)
        return np.asarray(oaconvolve(moved, self.taps, mode="same"), np.float32)

    def _vocoded(self, sound: _Floats, rate: int) -> _Floats:
        pitch, times = _pitch(sound, rate)
        envelope = _by_parts(pyworld.cheaptrick, sound, pitch, times, rate)
        aperiodicity = _by_parts(pyworld.d4c, sound, pitch, times, rate)
        moved = self.move(pitch)
        said = pyworld.synthesize(moved, _along_tract(envelope, self.tract), aperiodicity, rate, _FRAME_MS)
        return np.pad(said, (0, max(0, len(sound) - len(said))))[: len(sound)]

    def move(self, pitch: _Floats) -> _Floats:
        """Pitch in hertz, 0 where there is none, as the other voice has it."""
        voiced = pitch > 0
        moved = np.zeros_like(pitch)
        away = 12 * np.log2(pitch[voiced]) - self.old_pitch
        moved[voiced] = np.clip(2 ** ((self.new_pitch + away * self.stretch) / 12), _LOWEST, _HIGHEST)
        return moved


def match(own: Sound, rate: int, wanted: VoiceProfile) -> Matcher:
    """Learn from some speech of a voice how to make it like another."""
    voice = profile(own, rate, "voice")
    known = wanted.span > 0 and voice.span > 0
    stretch = float(np.clip(wanted.span / voice.span, 1 / _MOST_RANGE, _MOST_RANGE)) if known else 1.0
    tract = _best_tract(voice.spectrum, wanted.spectrum)
    untouched = np.ones(1, np.float32)
    plain = Matcher(voice.pitch, wanted.pitch, stretch, tract, untouched)
    return replace(plain, taps=_equaliser(plain(own, rate), rate, wanted.spectrum))


# Pitch -----------------------------------------------------------------------------------------------------


def _pitch(sound: _Floats, rate: int) -> tuple[_Floats, _Floats]:
    """Pitch in hertz every 5 ms, 0 where there is none, and the seconds of the frames."""
    rough, times = pyworld.dio(sound, rate, _LOWEST, _HIGHEST, frame_period=_FRAME_MS)
    return pyworld.stonemask(sound, rough, times, rate), times


def _by_parts(
    analysis: Callable[..., _Floats], sound: _Floats, pitch: _Floats, times: _Floats, rate: int
) -> _Floats:
    """An analysis of each frame by itself, some frames at a time: other threads wait while it computes."""
    parts = [slice(first, first + _PART_FRAMES) for first in range(0, len(pitch), _PART_FRAMES)]
    done = [
        analysis(sound, np.ascontiguousarray(pitch[part]), np.ascontiguousarray(times[part]), rate)
        for part in parts
    ]
    return np.ascontiguousarray(np.concatenate(done))


def _semitones(pitch: _Floats) -> _Floats:
    return np.asarray(12 * np.log2(pitch[pitch > 0]), np.float64)


# Timbre ----------------------------------------------------------------------------------------------------


def _best_tract(own: _Floats, wanted: _Floats) -> float:
    """The factor by which formants move so that the spectra agree best, tilt and level aside."""
    octaves = np.log2(BANDS)

    def misfit(factor: float) -> float:
        moved = np.interp(octaves - np.log2(factor), octaves, own)
        rest = wanted - moved
        tilt = np.polynomial.Polynomial.fit(octaves, rest, 2)
        return float(np.square(rest - tilt(octaves)).mean())

    return float(min(_TRACTS, key=lambda factor: (misfit(float(factor)), abs(factor - 1))))


def _along_tract(envelope: _Floats, factor: float) -> _Floats:
    """Spectral envelopes of shape (frames, bins) with their formants ``factor`` times as high."""
    bins = np.arange(envelope.shape[1])
    at = np.minimum(bins / factor, bins[-1])
    below = at.astype(np.int64)
    above = np.minimum(below + 1, bins[-1])
    part = at - below
    # Interpolated as logarithms: formants keep their shape, and nothing turns negative.
    logs = np.log(envelope)
    return np.ascontiguousarray(np.exp(logs[:, below] * (1 - part) + logs[:, above] * part), np.float64)


def _equaliser(sound: Sound, rate: int, wanted: _Floats) -> npt.NDArray[np.float32]:
    """The symmetric filter that gives a sound the wanted spectrum and leaves its power."""
    gains = np.zeros(len(BANDS))
    taps = np.ones(1, np.float32)
    for _ in range(_PASSES):
        now = spectrum(np.asarray(oaconvolve(sound, taps, mode="same"), np.float32), rate)
        gains = np.clip(gains + wanted - now, -_MOST_DB, _MOST_DB)
        taps = _filter(gains, rate)
    changed = oaconvolve(sound, taps, mode="same")
    return np.asarray(taps * np.sqrt(np.mean(np.square(sound)) / np.mean(np.square(changed))), np.float32)


def _filter(gains: _Floats, rate: int) -> npt.NDArray[np.float32]:
    """A filter with these gains in decibels at the `BANDS`, level beyond them, and nothing below 50 Hz."""
    inside = 0.95 * rate / 2 > BANDS
    frequencies = [0.0, 50.0, *BANDS[inside], rate / 2]
    levels = 10 ** (np.array([-60.0, gains[0], *gains[inside], gains[inside][-1]]) / 20)
    return np.asarray(firwin2(_TAPS, frequencies, levels, fs=rate), np.float32)
