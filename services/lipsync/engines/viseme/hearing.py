"""Articulation from the sound alone, for speech whose phonemes nobody knows.

A small network looks at the spectrum around each hop of 10 ms and says what the mouth does. It was taught by
`scripts/train_hearing.py` on synthesized speech, of which every phoneme is known.

Hops are counted from sample 0 of the speech and computed in blocks of fixed shape on that grid, so that a
frame comes out the same to the bit however the speech is cut: neither vector units nor matrix kernels ever
see another shape. Results are rounded to what no processor disputes.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mouthpiece.core.speech import SpeechSlice
from mouthpiece.core.timeline import SPEECH_RATE, Span

Floats = npt.NDArray[np.float64]

WEIGHTS = Path(__file__).with_name("hearing.npz")

HOP = SPEECH_RATE // 100
"""Samples between two looks at the sound; hop h is about the middle of [h · HOP, (h + 1) · HOP)."""

HOPS_PER_SECOND = Fraction(SPEECH_RATE, HOP)
BLOCK = 64
"""Hops that are computed together; a hop looks at no more than this many before and after it."""

CHANNELS = 8
BANDS = 26
OFFSETS = (-9, -6, -4, -2, -1, 0, 1, 2, 4, 6, 9)
"""Hops, relative to the one in question, whose spectrum the network sees."""

INPUTS = BANDS * len(OFFSETS)

_WINDOW = 1024
_LOWEST, _HIGHEST = 80.0, 8000.0
_VOICE = slice(1, 20)
_FLOOR_DB, _LEAST_REFERENCE_DB = -90.0, -60.0
_AROUND = 38
"""Hops before and after that the level is judged against; more would leave what an engine is given."""

_SILENCE_DB, _SOUND_DB = -68.0, -58.0
_STILL = 10
"""Hops before and after which must be silent for the mouth to be quite at rest."""

_SMOOTHING = (0.06, 0.24, 0.40, 0.24, 0.06)
_PRESS = 4
_PRESS_FROM, _PRESS_TO = 0.20, 0.75
_STEP = 2.0**-16


class Network(NamedTuple):
    """Weights: three layers, and by how much each channel is stretched, as regression flattens."""

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats
    last_bias: Floats
    stretch: Floats

    def __call__(self, inputs: Floats) -> Floats:
        """Channels before stretching, (hops, CHANNELS), 0..1, from inputs (hops, INPUTS)."""
        hidden = np.maximum(inputs @ self.first + self.first_bias, 0.0)
        hidden = np.maximum(hidden @ self.second + self.second_bias, 0.0)
        return np.asarray(1.0 / (1.0 + np.exp(-(hidden @ self.last + self.last_bias))))


def hear(speech: SpeechSlice, frames: Span, fps: Fraction) -> Floats:
    """What the mouth does in ``frames`` as far as the sound tells; float64 (len(frames), 8), as `Channel`.

    Depends on less than 0.45 s of sound before and after a frame. Silence is rest.
    """
    if not frames or not speech.pcm:
        return np.zeros((len(frames), CHANNELS))
    first, part = _hops_of(frames, fps)
    reach = len(_SMOOTHING) // 2
    low, high = int(first[0]) - reach, int(first[-1]) + 2 + reach
    poses = _poses(Ear(speech), low, high)
    rows = first - low
    blurred = np.zeros((2, len(frames), CHANNELS))
    for offset, share in enumerate(_SMOOTHING, -reach):
        for later in (0, 1):
            blurred[later] += share * poses[rows + offset + later]
    track = blurred[0] + part[:, None] * (blurred[1] - blurred[0])
    return np.asarray(np.round(track / _STEP) * _STEP)


@cache
def weights_sha256() -> str:
    """Names the weights; whatever is computed with them depends on it."""
    return sha256(WEIGHTS.read_bytes()).hexdigest()


@cache
def _network() -> Network:
    with np.load(WEIGHTS) as arrays:
        return Network(*(arrays[name].astype(np.float64) for name in Network._fields))


def _hops_of(frames: Span, fps: Fraction) -> tuple[npt.NDArray[np.int64], Floats]:
    """The hop whose middle is the last before that of each frame, and the way from it to the next, 0..1."""
    twice = 2 * np.arange(frames.first, frames.end, dtype=np.int64) + 1
    rate = HOPS_PER_SECOND / fps
    hops, rest = np.divmod(twice * rate.numerator - rate.denominator, 2 * rate.denominator)
    return hops, rest / (2.0 * rate.denominator)


def _poses(ear: Ear, low: int, high: int) -> Floats:
    """Channels of hops [low, high)."""
    blocks = range(low // BLOCK, -(-high // BLOCK))
    poses = np.concatenate([_pose_block(ear, block) for block in blocks])
    return poses[low - blocks.start * BLOCK :][: high - low]


def _pose_block(ear: Ear, block: int) -> Floats:
    network = _network()
    poses = np.minimum(network(ear.inputs(block)) * network.stretch, 1.0)
    # Half a closure is none: what is likely enough becomes one, what is not does not.
    poses[:, _PRESS] = _smooth_step((poses[:, _PRESS] - _PRESS_FROM) / (_PRESS_TO - _PRESS_FROM))
    return np.asarray(poses * ear.presence(block)[:, None])


class Ear:
    """The sound of a slice as the network gets it, block by block; block b holds hops from b · BLOCK on."""

    def __init__(self, speech: SpeechSlice) -> None:
        self._first = speech.samples.first
        self._pcm = np.frombuffer(speech.pcm, "<i2").astype(np.float64)
        self._powers: dict[int, Floats] = {}

    def inputs(self, block: int) -> Floats:
        """Spectra around each hop of a block, in units of 20 dB below the loudest voice near it."""
        power = self._around(block)
        reference = np.maximum(_highest(_voice_db(power), _AROUND), _LEAST_REFERENCE_DB)
        spectrum = 10.0 * np.log10(power + 10.0 ** (_FLOOR_DB / 10.0))
        seen = np.stack([spectrum[BLOCK + offset :][:BLOCK] for offset in OFFSETS], axis=1)
        relative = np.clip(seen - reference[:, None, None], -60.0, 5.0) / 20.0 + 1.5
        return np.asarray(relative.reshape(BLOCK, INPUTS))

    def presence(self, block: int) -> Floats:
        """0 in each hop of a block around which there is silence, 1 where there is sound."""
        loudest = _highest(_voice_db(self._around(block)), _STILL)
        return _smooth_step((loudest - _SILENCE_DB) / (_SOUND_DB - _SILENCE_DB))

    def _around(self, block: int) -> Floats:
        return np.concatenate([self._power(near) for near in (block - 1, block, block + 1)])

    def _power(self, block: int) -> Floats:
        if block not in self._powers:
            self._powers[block] = self._measure(block)
        return self._powers[block]

    def _measure(self, block: int) -> Floats:
        """Power in each band, relative to full scale; float64 (BLOCK, BANDS)."""
        first = block * BLOCK * HOP + (HOP - _WINDOW) // 2 - self._first
        length = (BLOCK - 1) * HOP + _WINDOW
        sound = np.zeros(length)
        low, high = max(first, 0), min(first + length, len(self._pcm))
        if low < high:
            sound[low - first : high - first] = self._pcm[low:high]
        windows = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::HOP]
        lines = np.abs(np.fft.rfft(windows * _TAPER, axis=1)) ** 2
        return np.asarray(lines @ _FILTERS)


def _voice_db(power: Floats) -> Floats:
    return np.asarray(10.0 * np.log10(power[:, _VOICE].sum(axis=1) + 10.0 ** (_FLOOR_DB / 10.0)))


def _highest(levels: Floats, around: int) -> Floats:
    """The highest of the levels up to ``around`` hops away, for the middle one of three blocks."""
    near = levels[BLOCK - around : 2 * BLOCK + around]
    return np.asarray(np.lib.stride_tricks.sliding_window_view(near, 2 * around + 1).max(axis=1))


def _smooth_step(x: Floats) -> Floats:
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))


def _filters() -> Floats:
    """Triangles at even distances on the mel scale; float64 (lines of the spectrum, BANDS)."""
    low, high = 2595.0 * np.log10(1.0 + np.array([_LOWEST, _HIGHEST]) / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(low, high, BANDS + 2) / 2595.0) - 1.0)
    lines = np.arange(_WINDOW // 2 + 1)[:, None] * (SPEECH_RATE / _WINDOW)
    rise = (lines - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - lines) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rise, fall), 0.0) * (8.0 / _WINDOW**2))


_TAPER = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW) ** 2 / 32768.0
_FILTERS = _filters()
