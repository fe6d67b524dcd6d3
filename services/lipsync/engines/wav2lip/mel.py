"""The mel spectrogram that the network was trained on, and which part of it each frame is shown.

16 kHz, pre-emphasis 0.97, windows of 800 samples every 200, 80 bands on the Slaney scale from 55 to 7600 Hz,
decibels scaled to -4..4. Column c looks at the samples around 200 c; at both ends of the track the sound is
mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin, get_window, upfirdn

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import MIN_FPS, SPEECH_RATE, Span
from services.lipsync.engines.wav2lip.architecture import MEL_BANDS, MEL_COLUMNS

RATE = 16_000
"""Samples per second."""
HOP, WINDOW = 200, 800
_COLUMNS_PER_SECOND = RATE // HOP
SILENCE = -4.0
"""What the spectrogram is where nothing sounds; 4 is the loudest."""

_EMPHASIS = 0.97
_FLOOR, _REFERENCE_DB, _RANGE_DB = 1e-5, 20.0, 100.0
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 7600.0
_LINEAR_TO_HZ, _HZ_PER_MEL, _LOG_STEP = 1000.0, 200.0 / 3.0, np.log(6.4) / 27.0
_BLOCK = 16
"""Columns made at a time, counted from the start of the track: the sums of a column are then always taken
in the same order, wherever a chunk begins."""

_STEP = SPEECH_RATE // RATE
_REACH = 48
"""Samples to either side of one of 16 kHz that take part in it."""

_MOST_COLUMNS = ceil(_COLUMNS_PER_SECOND / MIN_FPS)
"""From one frame to the next."""

LEAD = _STEP * ((1 + _MOST_COLUMNS) * HOP + WINDOW // 2 + 2) + _REACH
TAIL = _STEP * ((MEL_COLUMNS - 1) * HOP + WINDOW // 2) + _REACH
"""Speech (48 kHz) that a frame needs before and after the moment at which it is shown."""

Floats = npt.NDArray[np.float64]
Mel = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sound:
    """A stretch of a track: int16 samples at `step` times 16 kHz, the first's number, whether the track ends.

    Before the first sample, and after the last, nothing is known, or there is silence.
    """

    pcm: npt.NDArray[np.int16]
    first: int = 0
    ends: bool = True
    step: int = 1

    @property
    def end(self) -> int:
        """Samples of 16 kHz up to the end of the stretch, counted from the start of the track."""
        return -(-(self.first + len(self.pcm)) // self.step)

    @property
    def columns(self) -> int | None:
        """Columns of the whole track; `None` when its end is not known."""
        return (1 + self.end // HOP if self.end else 0) if self.ends else None

    def read(self, first: int, end: int) -> Floats:
        """Samples [first, end) of 16 kHz, in -1..1; 0 where none are known."""
        reach = 0 if self.step == 1 else _REACH
        low, high = first * self.step - reach, (end - 1) * self.step + reach + 1
        wide = np.zeros(high - low)
        known_low, known_high = max(low, self.first), min(high, self.first + len(self.pcm))
        if known_low < known_high:
            known = self.pcm[known_low - self.first : known_high - self.first]
            wide[known_low - low : known_high - low] = known / 32768.0
        if not reach:
            return wide
        filtered = upfirdn(_low_pass(), wide, 1, self.step)[2 * reach // self.step :]
        return np.asarray(filtered[: end - first], np.float64)


def heard(speech: SpeechSlice, needed: int) -> Sound:
    """Speech (48 kHz) as a sound. When it stops short of the sample `needed`, the track ends with it."""
    pcm = np.frombuffer(speech.pcm, "<i2")
    return Sound(pcm, speech.samples.first, speech.samples.end < needed, SPEECH_RATE // RATE)


def window_start(frame: int, fps: Fraction, columns: int | None) -> int:
    """First of the 16 columns for a frame, of a track of so many columns (`None`: more than are asked for).

    Products are rounded as in the published code. Its last frame gets the last 16 columns; frames after
    that, which it would not make, look beyond the end, where there is silence.
    """
    start = _start(frame, fps)
    if columns is None or start + MEL_COLUMNS <= columns:
        return start
    if frame == 0 or _start(frame - 1, fps) + MEL_COLUMNS <= columns:
        return max(0, columns - MEL_COLUMNS)
    return start


def _start(frame: int, fps: Fraction) -> int:
    return int(frame * (float(_COLUMNS_PER_SECOND) / float(fps)))


def windows(sound: Sound, frames: Span, fps: Fraction) -> Mel:
    """What each frame is shown: float32 (frames, 1, 80, 16)."""
    starts = np.array([window_start(frame, fps, sound.columns) for frame in frames])
    first = int(starts.min())
    spectrogram = columns_of(sound, Span(first, int(starts.max()) + MEL_COLUMNS))
    at = (starts - first)[:, np.newaxis] + np.arange(MEL_COLUMNS)
    return np.ascontiguousarray(spectrogram[:, at].swapaxes(0, 1)[:, np.newaxis])


def columns_of(sound: Sound, wanted: Span) -> Mel:
    """Columns of the spectrogram of a track: float32 (80, len(wanted)); silence after its end."""
    first, end = wanted.first // _BLOCK, -(-wanted.end // _BLOCK)
    blocks = [_block(sound, at * _BLOCK) for at in range(first, end)]
    made = np.concatenate(blocks, axis=1)
    if sound.columns is not None:
        made[:, max(0, sound.columns - first * _BLOCK) :] = SILENCE
    return made[:, wanted.first - first * _BLOCK : wanted.end - first * _BLOCK]


def _block(sound: Sound, column: int) -> Mel:
    heard = _emphasised(sound, column * HOP - WINDOW // 2, (_BLOCK - 1) * HOP + WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(heard, WINDOW)[::HOP] * _hann()
    magnitudes = np.abs(np.fft.rfft(frames, axis=1))
    bands = mel_basis() @ np.ascontiguousarray(magnitudes.T)
    level = 20.0 * np.log10(np.maximum(_FLOOR, bands)) - _REFERENCE_DB
    scaled = 8.0 * (level + _RANGE_DB) / _RANGE_DB - 4.0
    return np.asarray(np.clip(scaled, -4.0, 4.0), np.float32)


def _emphasised(sound: Sound, first: int, count: int) -> Floats:
    """Samples from `first` on after pre-emphasis, mirrored at the ends of the track."""
    at = _mirrored(np.arange(first, first + count), sound.end if sound.ends else None)
    low = int(at.min()) - 1
    samples = sound.read(low, int(at.max()) + 1)
    return samples[at - low] - _EMPHASIS * np.where(at > 0, samples[at - low - 1], 0.0)


def _mirrored(at: npt.NDArray[np.int64], end: int | None) -> npt.NDArray[np.int64]:
    """Places in a track of `end` samples, reflected at its ends without repeating the outermost."""
    if end is None:
        return np.abs(at)
    around = max(1, 2 * end - 2)
    return np.asarray(np.minimum(at % around, -at % around), np.int64)


@cache
def _hann() -> Floats:
    return np.asarray(get_window("hann", WINDOW, fftbins=True), np.float64)


@cache
def mel_basis() -> Floats:
    """Weights (80, 401) of frequencies in bands: triangles on the Slaney scale, all of the same area."""
    low, high = _mels(np.array([_LOWEST_HZ, _HIGHEST_HZ]))
    edges = _hertz(np.linspace(low, high, MEL_BANDS + 2))
    bins = np.linspace(0.0, RATE / 2, WINDOW // 2 + 1)
    rise = (bins - edges[:-2, np.newaxis]) / np.diff(edges)[:-1, np.newaxis]
    fall = (edges[2:, np.newaxis] - bins) / np.diff(edges)[1:, np.newaxis]
    area = (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)) * area)


def _mels(hertz: Floats) -> Floats:
    above = np.log(np.maximum(hertz, _LINEAR_TO_HZ) / _LINEAR_TO_HZ) / _LOG_STEP
    return np.asarray(np.minimum(hertz, _LINEAR_TO_HZ) / _HZ_PER_MEL + above)


def _hertz(mels: Floats) -> Floats:
    knee = _LINEAR_TO_HZ / _HZ_PER_MEL
    return np.asarray(np.minimum(mels, knee) * _HZ_PER_MEL * np.exp(_LOG_STEP * np.maximum(0.0, mels - knee)))


@cache
def _low_pass() -> Floats:
    return np.asarray(firwin(2 * _REACH + 1, 7600.0, window=("kaiser", 8.0), fs=SPEECH_RATE), np.float64)
